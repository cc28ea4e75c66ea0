"""Which clients are welcome: an allow rule over the names in a client's certificate.

A verified chain says that an authority vouches for the client, and not that it may come in: most authorities
issue to more than one service. Names are those in subjectAltName; the subject counts for nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from cryptography import x509

from pellucid.errors import CertificateRejected, Misuse, Reason
from pellucid.identity import rules
from pellucid.identity.names import DnsName, is_host_name, parse_server_name
from pellucid.printable import printable

if TYPE_CHECKING:
    from pellucid.identity.verify import VerifiedIdentity

# RFC 3986 3: scheme, authority, path; a rule has no query and no fragment.
_URI = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]+)(/[^?#]*)?")
# What one reader may resolve to another path than the next one does (RFC 3986 5.2.4, 6.2.2).
_AMBIGUOUS = re.compile(r"%|//|/\.{1,2}(?:/|$)|[?#\\\s\x00-\x1f\x7f]")
# RFC 5321 4.1.2: Dot-string. A quoted string may hold anything, another "@" as well.
_LOCAL_PART = re.compile(r"""[^\s\x00-\x1f\x7f"(),:;<>@\[\]\\]+""")

#: More would be a database, which a callback in the application serves better.
MAX_RULES = 10_000


class AllowedClients:
    """Clients whose certificate has one of these names. Immutable; compared with every client's anew.

    dns     host names: "worker.example" is that one; "*.workers.example" any with one label before it
    uris    such as SPIFFE IDs: "spiffe://example/ns/prod/sa/web" is that one; with "/*" at the end, all below
            it. Scheme and host have no case, the path has; a URI with a query, a fragment, percent-encoding
            or dot segments is never below anything. A certificate with a SPIFFE ID has no other URI, or
            none of them counts
    emails  "alice@example.com" is that mailbox, "@example.com" any at that host. Only the host has no case

    Raises Misuse (``bad_configuration``) for a rule that could match nothing, and where there is none.
    """

    __slots__ = ("_emails", "_hosts", "_mail_hosts", "_parents", "_uris", "_uris_above", "description")

    def __init__(
        self, *, dns: Iterable[str] = (), uris: Iterable[str] = (), emails: Iterable[str] = ()
    ) -> None:
        given = [*_listed("dns", dns), *_listed("uris", uris), *_listed("emails", emails)]
        if not 0 < len(given) <= MAX_RULES:
            raise _bad(f"give 1 to {MAX_RULES} names, or None for all whom the trust store vouches for")
        hosts = [rule for kind, rule in given if kind == "dns"]
        self._parents = frozenset(_host(rule[2:], rule) for rule in hosts if rule.startswith("*."))
        self._hosts = frozenset(_host(rule, rule) for rule in hosts if not rule.startswith("*."))
        paths = [rule for kind, rule in given if kind == "uris"]
        above = [rule for rule in paths if rule.endswith("/*")]
        self._uris_above = frozenset(_uri_rule(rule[:-1], rule) for rule in above)
        self._uris = frozenset(_uri_rule(rule, rule) for rule in paths if not rule.endswith("/*"))
        mail = [rule for kind, rule in given if kind == "emails"]
        self._mail_hosts = frozenset(_host(rule[1:], rule) for rule in mail if rule.startswith("@"))
        self._emails = frozenset(_mailbox_rule(rule) for rule in mail if not rule.startswith("@"))
        #: The rules for people, in one line.
        self.description = ", ".join(f"{_SHOWN[kind]}:{rule}" for kind, rule in given)

    def match(self, names: Iterable[x509.GeneralName]) -> x509.GeneralName | None:
        """The first of a certificate's names that a rule is for, None where there is none."""
        names = list(names)
        uris = [name for name in names if isinstance(name, x509.UniformResourceIdentifier)]
        spiffe = any(name.value.lower().startswith("spiffe:") for name in uris)
        # SPIFFE, X509-SVID 2: a certificate with several URIs names nobody for sure.
        without_uris = spiffe and len(uris) > 1
        return next((name for name in names if self._allows(name, without_uris)), None)

    def _allows(self, name: x509.GeneralName, without_uris: bool) -> bool:
        if isinstance(name, x509.DNSName):
            return self._allows_host(name.value)
        if isinstance(name, x509.RFC822Name):
            return self._allows_mailbox(name.value)
        is_uri = isinstance(name, x509.UniformResourceIdentifier)
        return is_uri and not without_uris and self._allows_uri(name.value)

    def check(self, identity: VerifiedIdentity) -> None:
        """Raises CertificateRejected (``client_not_allowed``) for a client that no rule is for."""
        if not identity.chain:
            detail = f"{identity.subject} has no names, and so none of those that are allowed here"
            raise CertificateRejected(Reason.CLIENT_NOT_ALLOWED, detail)
        leaf = identity.chain[0]
        seen = rules.look_at(leaf, 0)
        found = seen.find(x509.SubjectAlternativeName)
        names = [] if found is None else list(found.value)
        if self.match(names) is None:
            has = printable(", ".join(_shown(name) for name in names), 300) or "no names in subjectAltName"
            fault = f"has {has}, and none of them is among the clients that are allowed here"
            rules.refuse(leaf, 0, Reason.CLIENT_NOT_ALLOWED, fault)

    def _allows_host(self, text: str) -> bool:
        # A wildcard in a client's certificate is nobody's name: it is no host name, so no rule has it.
        host = text.lower()
        if not is_host_name(host):
            return False
        return host in self._hosts or host.partition(".")[2] in self._parents

    def _allows_mailbox(self, text: str) -> bool:
        local, _, host = text.rpartition("@")
        if not _LOCAL_PART.fullmatch(local):
            return False
        return (local, host.lower()) in self._emails or host.lower() in self._mail_hosts

    def _allows_uri(self, text: str) -> bool:
        uri = _uri(text)
        if uri is None:
            return False
        if uri in self._uris:
            return True
        if not self._uris_above or _AMBIGUOUS.search(uri[2]):
            return False
        # Every place where a rule can end: "/a/b/c" is below "/", "/a/" and "/a/b/".
        ends = (index + 1 for index, letter in enumerate(uri[2][:-1]) if letter == "/")
        return any((uri[0], uri[1], uri[2][:end]) in self._uris_above for end in ends)

    def __repr__(self) -> str:
        return f"AllowedClients({printable(self.description, 300)})"


_SHOWN = {"dns": "DNS", "uris": "URI", "emails": "email"}
_FORMS: dict[type[x509.GeneralName], str] = {
    x509.DNSName: "DNS",
    x509.UniformResourceIdentifier: "URI",
    x509.RFC822Name: "email",
    x509.IPAddress: "IP",
}
#: A SPIFFE ID has 2048 bytes at most; every prefix of a path is looked up.
_MAX_URI_LENGTH = 2048


def _bad(detail: str) -> Misuse:
    return Misuse(Reason.BAD_CONFIGURATION, f"allowed_clients: {detail}")


def _listed(kind: str, given: Iterable[str]) -> list[tuple[str, str]]:
    if isinstance(given, str | bytes):
        raise _bad(f"{kind} is a list of names, not one name")
    found = list(given)
    if not all(isinstance(rule, str) for rule in found):
        raise _bad(f"{kind} is a list of names in text")
    return [(kind, rule) for rule in found]


def _host(text: str, rule: str) -> str:
    try:
        name = parse_server_name(text)
    except Misuse as error:
        raise _bad(f"{rule!r}: {error.detail}") from error
    if not isinstance(name, DnsName):
        raise _bad(f"{rule!r} is an address; give names")
    return name.text


def _uri(text: str) -> tuple[str, str, str] | None:
    """Scheme and authority in lower case, and the path; None for what is no such URI."""
    match = _URI.fullmatch(text) if len(text) <= _MAX_URI_LENGTH else None
    return None if match is None else (match[1].lower(), match[2].lower(), match[3] or "")


def _uri_rule(text: str, rule: str) -> tuple[str, str, str]:
    uri = _uri(text)
    if uri is None or _AMBIGUOUS.search(uri[2]) or "*" in text:
        raise _bad(f"{rule!r} is no URI of scheme, host and plain path, at most with /* at its end")
    return uri


def _mailbox_rule(rule: str) -> tuple[str, str]:
    local, _, host = rule.rpartition("@")
    if not _LOCAL_PART.fullmatch(local) or "*" in rule:
        raise _bad(f"{rule!r} is no mailbox; give alice@example.com, or @example.com for all at that host")
    return local, _host(host, rule)


def _shown(name: x509.GeneralName) -> str:
    return f"{_FORMS.get(type(name), 'another kind of name')}:{name.value}"
