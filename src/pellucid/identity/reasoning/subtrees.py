"""Name constraints (RFC 5280 4.2.1.10): one list of subtrees, arranged so that a name is looked up in it.

Nothing is compared pair by pair: each name costs as much as it has labels, whatever the number of subtrees,
so names and constraints in thousands do not multiply. A form that no rule here reads is never passed over,
and neither is a constraint that could hold nothing: what it was to exclude would get through.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import suppress
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import TypeAlias

from cryptography import x509
from cryptography.x509.oid import NameOID

from pellucid.identity.der import element
from pellucid.identity.names import MAX_NAME_LENGTH, is_host_name, is_numeric
from pellucid.printable import printable

#: A distinguished name for comparing: its RDNs in order, each a set of attributes.
Rdns: TypeAlias = tuple[frozenset[tuple[str, str | bytes]], ...]

# RFC 3986 3 and 3.2: scheme, authority without userinfo and port. Each part ends where the next can begin.
# Not every reader of URIs keeps to that: to some a backslash, too, ends the authority.
_AUTHORITY = re.compile(
    r"[A-Za-z][A-Za-z0-9+.-]*://(?:[A-Za-z0-9._~!$&'()*+,;=:%-]*@)?([^/?#:@\[\]]+)(?::[0-9]*)?(?:[/?#].*)?",
    re.DOTALL,
)

# A host, or with a dot before it a domain: labels as in host names, and with underscores.
_DOMAIN = re.compile(r"\.?[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)*")
# RFC 5321 4.1.2: Dot-string, of which every letter stands for itself; with RFC 6531 3.3, beyond ASCII, too.
_LOCAL_PART = re.compile(r"""[^\x00-\x20\x7f"(),:;<>@\[\]\\*]+""")
_SMTP_UTF8_MAILBOX = x509.ObjectIdentifier("1.3.6.1.5.5.7.8.9")
_UTF8_STRING = 0x0C

# RFC 4518 2.2, without the letters of control: COMBINING GRAPHEME JOINER, VARIATION SELECTORs, OBJECT
# REPLACEMENT CHARACTER. And the controls that are spaces.
_NOTHING = frozenset("\u034f\u180b\u180c\u180d\ufffc").union(map(chr, range(0xFE00, 0xFE10)))
_SPACES = frozenset("\t\n\v\f\r\x85")


class Unreadable(ValueError):
    """A name of a form that is constrained, and that cannot be held against the constraint."""


class Subtrees:
    """The permitted, or the excluded, subtrees of one extension."""

    __slots__ = ("_directories", "_dns", "_dns_parents", "_email", "_lengths", "_mailboxes", "_networks",
                 "_uris", "forms")  # fmt: skip

    def __init__(self, subtrees: Iterable[x509.GeneralName]) -> None:
        #: The forms of names that are constrained here, as pyca's types.
        self.forms: frozenset[type[x509.GeneralName]]
        subtrees = tuple(subtrees)
        self.forms = frozenset(map(type, subtrees))
        self._dns = _Domains(_texts(subtrees, x509.DNSName), hosts_too=True)
        self._uris = _Domains(_texts(subtrees, x509.UniformResourceIdentifier), hosts_too=False)
        addresses = _texts(subtrees, x509.RFC822Name)
        self._mailboxes = frozenset(_mailbox(text) for text in addresses if "@" in text)
        self._email = _Domains((text for text in addresses if "@" not in text), hosts_too=False)
        self._directories = frozenset(
            rdns_of(base.value) for base in subtrees if isinstance(base, x509.DirectoryName)
        )
        self._lengths = sorted({len(rdns) for rdns in self._directories})
        # By (address length in bits, prefix length): the prefixes.
        self._networks: dict[tuple[int, int], set[int]] = {}
        for base in subtrees:
            if isinstance(base, x509.IPAddress) and isinstance(base.value, IPv4Network | IPv6Network):
                network = base.value
                bits, length = network.max_prefixlen, network.prefixlen
                prefix = int(network.network_address) >> (bits - length)
                self._networks.setdefault((bits, length), set()).add(prefix)

    def hold(self, name: x509.GeneralName, *, any_of_it: bool) -> bool:
        """Whether ``name`` lies in one of the subtrees; Unreadable where that cannot be said.

        A wildcard stands for many names: ``any_of_it`` asks whether any of them does, otherwise all must.
        """
        if isinstance(name, x509.DNSName):
            return self._dns.hold(_host(name.value.lower().removesuffix(".")), any_of_it=any_of_it)
        if form_of(name) is x509.RFC822Name:
            mailbox = _mailbox(_mail_address(name))
            return mailbox in self._mailboxes or self._email.hold(_host(mailbox[1]), any_of_it=False)
        if isinstance(name, x509.UniformResourceIdentifier):
            return self._uris.hold(_uri_host(name.value), any_of_it=False)
        if isinstance(name, x509.DirectoryName):
            rdns = rdns_of(name.value)
            fitting = (length for length in self._lengths if length <= len(rdns))
            return any(rdns[:length] in self._directories for length in fitting)
        if isinstance(name, x509.IPAddress) and isinstance(name.value, IPv4Address | IPv6Address):
            number, width = int(name.value), name.value.max_prefixlen
            return any(
                bits == width and number >> (bits - length) in prefixes
                for (bits, length), prefixes in self._networks.items()
            )
        # RFC 5280 4.2.1.10: "the application MUST either process the constraint or reject the certificate"
        raise Unreadable("is of a form whose constraints are not evaluated")


class _Domains:
    """Constraints on host names, of host names themselves or of the hosts in addresses and URIs.

    ``hosts_too``: "host.example" also holds what is below it, as in constraints on dNSName; elsewhere it is
    that host alone. ".example" holds what is below, and not "example" itself; "" holds everything. Raises
    Unreadable for a constraint that no name could be in.
    """

    __slots__ = ("_below", "_exact", "_parents", "_subdomains")

    def __init__(self, texts: Iterable[str], *, hosts_too: bool) -> None:
        lowered = [_domain(text) for text in texts]
        self._exact = frozenset(text for text in lowered if not text.startswith("."))
        self._below = frozenset(text[1:] for text in lowered if text.startswith(".")) | (
            frozenset({""}) & self._exact
        )
        self._subdomains = hosts_too
        # What a wildcard can reach: "*.example" may be "www.example".
        self._parents = frozenset(text.partition(".")[2] for text in self._exact)

    def hold(self, host: str, *, any_of_it: bool) -> bool:
        if host in self._exact or any(
            parent in self._below or (self._subdomains and parent in self._exact) for parent in _parents(host)
        ):
            return True
        return any_of_it and host.startswith("*.") and host[2:] in self._parents


def _parents(host: str) -> Iterator[str]:
    """What is left of it as labels go: "a.b.c" gives "b.c", "c" and ""."""
    while host:
        host = host.partition(".")[2]
        yield host


def _texts(subtrees: Iterable[x509.GeneralName], form: type[x509.GeneralName]) -> list[str]:
    return [str(base.value) for base in subtrees if isinstance(base, form)]


def _host(text: str) -> str:
    # RFC 1034 3.1 allows no longer one; and to walk through the parents of one of 64 KiB takes seconds.
    if len(text) > MAX_NAME_LENGTH:
        raise Unreadable("is longer than a host name can be")
    return text


def _domain(text: str) -> str:
    """A constraint on host names in lower case. A URL, or a name with an empty label, is none."""
    domain = text.lower().removesuffix(".")
    if domain and not _DOMAIN.fullmatch(domain):
        raise Unreadable(f"is {printable(text, 100)!r}, which is neither a host name nor a domain")
    return domain


def form_of(name: x509.GeneralName) -> type[x509.GeneralName]:
    """The form of constraints that a name is held against. RFC 9598 6: those on rfc822Name are for
    SmtpUTF8Mailbox, too.
    """
    if isinstance(name, x509.OtherName) and name.type_id == _SMTP_UTF8_MAILBOX:
        return x509.RFC822Name
    return type(name)


def _mail_address(name: x509.GeneralName) -> str:
    if not isinstance(name, x509.OtherName):
        return str(name.value)
    try:
        value = element(name.value, 0)
        if value.tag == _UTF8_STRING and value.end == len(name.value):
            return name.value[value.content :].decode()
    except ValueError:
        pass
    raise Unreadable("is not a mailbox")


def _mailbox(text: str) -> tuple[str, str]:
    """Local part and host. RFC 5321 2.4: of the two only the host has no case.

    A quoted local part is another spelling of one without quotes (RFC 5321 4.1.2), and "*" stands for
    nothing: an exclusion would miss them.
    """
    local, _, host = text.rpartition("@")
    if not (_LOCAL_PART.fullmatch(local) and _DOMAIN.fullmatch(host.lower())) or host.startswith("."):
        raise Unreadable("is not a mailbox in its usual form")
    return local, host.lower()


def _uri_host(text: str) -> str:
    """RFC 5280 4.2.1.10: a URI without "a host name specified as a fully qualified domain name" is
    refused where URIs are constrained.
    """
    match = _AUTHORITY.fullmatch(text)
    host = "" if match is None else match[1].lower().removesuffix(".")
    if not is_host_name(host) or is_numeric(host):
        raise Unreadable("has no host name")
    return host


def rdns_of(name: x509.Name) -> Rdns:
    """RFC 5280 7.1, nearly: case, width, runs of spaces and what is not seen do not count, the order of the
    RDNs does.
    """
    return tuple(
        frozenset((attribute.oid.dotted_string, _folded(attribute.value)) for attribute in rdn)
        for rdn in name.rdns
    )


def _folded(value: str | bytes) -> str | bytes:
    if isinstance(value, bytes):
        return value
    if not (value.isascii() and value.isprintable()):
        value = "".join(letter for letter in value if not _is_nothing(letter))
    return " ".join(unicodedata.normalize("NFKC", value).casefold().split())


def _is_nothing(letter: str) -> bool:
    """RFC 4518 2.2: what is "mapped to nothing"."""
    if letter in _NOTHING:
        return True
    return unicodedata.category(letter) in ("Cc", "Cf") and letter not in _SPACES


def names_of(certificate: x509.Certificate, extensions: x509.Extensions) -> list[x509.GeneralName]:
    """All names of a certificate that constraints apply to: subjectAltName, subject, and the mail addresses
    in the subject.
    """
    subject = certificate.subject
    found: list[x509.GeneralName] = []
    if subject.rdns:
        found.append(x509.DirectoryName(subject))
    # RFC 5280 4.2.1.10 asks for it where there is no subjectAltName; it is as much a name where there is one.
    for attribute in subject.get_attributes_for_oid(NameOID.EMAIL_ADDRESS):
        value = attribute.value
        if isinstance(value, bytes) or not value.isascii():
            raise Unreadable("has a mail address in its subject that is not ASCII")
        found.append(x509.RFC822Name(value))
    with suppress(x509.ExtensionNotFound):
        found += extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return found
