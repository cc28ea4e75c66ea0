"""Names of servers: parsed once, and matched against a certificate's subjectAltName and nothing else."""

import functools
import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TypeAlias

from cryptography import x509

from pellucid.errors import Misuse, Reason

# RFC 1123 2.1 as certificates use it: letters, digits and hyphens, no hyphen at an end, at most 63 octets.
# An underscore is common in private networks and is refused, because no verifier of the web's profile
# matches it.
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")

# The last label of a name that a C library would read as a number: "127.1" and "0x7f.1" are addresses to
# inet_aton.
_NUMERIC_LABEL = re.compile(r"[0-9]+|0x[0-9a-f]*")

#: RFC 1034 3.1: 255 octets on the wire, which leaves 253 characters.
MAX_NAME_LENGTH = 253

# IDNA2003 (in the standard library) maps these away, IDNA2008 keeps them: the two name different hosts.
_DEVIATIONS = frozenset("\u00df\u03c2\u200c\u200d")


@dataclass(frozen=True, slots=True)
class DnsName:
    """A host name in A-label form: lower case, ASCII, without a trailing dot."""

    text: str

    def __str__(self) -> str:
        return self.text

    @property
    def server_name(self) -> bytes:
        """What the server_name extension carries (RFC 6066 3)."""
        return self.text.encode("ascii")

    @property
    def general_name(self) -> x509.DNSName:
        """The name as pyca's verifier takes it."""
        return x509.DNSName(self.text)


@dataclass(frozen=True, slots=True)
class IpAddress:
    """An IPv4 or IPv6 address, without a zone: certificates have none."""

    address: IPv4Address | IPv6Address

    def __str__(self) -> str:
        return str(self.address)

    @property
    def server_name(self) -> None:
        """Nothing is sent. RFC 6066 3: literal addresses are not permitted in server_name."""
        return

    @property
    def general_name(self) -> x509.IPAddress:
        """The address as pyca's verifier takes it."""
        return x509.IPAddress(self.address)


ServerName: TypeAlias = DnsName | IpAddress


@functools.lru_cache(maxsize=1024)
def parse_server_name(text: str) -> ServerName:
    """The server's name from what a caller wrote: ``example.com``, ``bücher.example``, ``192.0.2.1``,
    ``::1``.

    Names of non-ASCII letters become A-labels by the standard library's IDNA; those that IDNA2003 and
    IDNA2008 map to different hosts are refused. One trailing dot is dropped. Raises Misuse
    (``bad_server_name``) for anything else.
    """
    # First: the address may have a zone of any length, IDNA takes time that grows with the square of the
    # length, and what is accepted is kept. The trailing dot is not counted.
    if len(text) > MAX_NAME_LENGTH + 1:
        raise _bad(text, f"it is longer than {MAX_NAME_LENGTH} characters")
    address = _address(text)
    if address is not None:
        return IpAddress(address)
    name = _a_labels(text).lower().removesuffix(".")
    labels = name.split(".")
    if not name:
        raise _bad(text, "it is empty")
    if len(name) > MAX_NAME_LENGTH:
        raise _bad(text, f"it is longer than {MAX_NAME_LENGTH} characters")
    for label in labels:
        if not _LABEL.fullmatch(label):
            raise _bad(text, f"{label!r} is not a label of 1 to 63 letters, digits and inner hyphens")
    if is_numeric(name):
        raise _bad(text, "its last label is a number, and it is not an IP address in its usual form")
    return DnsName(name)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    if text.startswith("["):
        raise _bad(text, "an IPv6 address is written without brackets here")
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        return IPv6Address(int(address))
    return address


def _a_labels(text: str) -> str:
    if text.isascii():
        return text
    # The standard library's IDNA2003 is that of Unicode 3.2: what came later it passes on as it is, capitals
    # too, and so names another host than IDNA2008 does.
    from stringprep import in_table_a1  # noqa: PLC0415 - for names beyond ASCII

    if _DEVIATIONS.intersection(text) or any(map(in_table_a1, text)):
        raise _bad(text, "IDNA2003 and IDNA2008 disagree about it; give its A-label form (xn--...)")
    try:
        return text.encode("idna").decode("ascii")
    except UnicodeError as error:
        raise _bad(text, f"it has no A-label form: {error}") from error


def _bad(text: str, why: str) -> Misuse:
    return Misuse(Reason.BAD_SERVER_NAME, f"{text[:300]!r} is not a server name: {why}")


class NamePatterns:
    """The names of one subjectAltName, arranged for matching.

    RFC 9525 6.3: a wildcard stands only as the whole leftmost label, and matches exactly one label. A
    pattern of any other form matches nothing, and the subject's common name is never looked at.
    """

    __slots__ = ("_addresses", "_exact", "_parents", "_written", "names")

    def __init__(
        self, dns_names: Iterable[str] = (), addresses: Iterable[IPv4Address | IPv6Address] = ()
    ) -> None:
        written = self._written = tuple(dns_names)
        lowered = [name.lower() for name in written]
        self._addresses = frozenset(addresses)
        # What is no host name here equals no parsed one, so it needs no sorting out.
        self._exact = frozenset(lowered)
        self._parents = frozenset(
            name[2:] for name in lowered if name.startswith("*.") and is_host_name(name[2:])
        )
        #: All names as the certificate writes them, for people: host names first, then addresses.
        self.names = (*written, *sorted(map(str, self._addresses)))

    def match(self, name: ServerName) -> bool:
        """Whether the certificate is one for ``name``."""
        if isinstance(name, IpAddress):
            return name.address in self._addresses
        return name.text in self._exact or name.text.partition(".")[2] in self._parents

    def near_miss(self, name: ServerName) -> str:
        """Why an entry that looks like ``name`` is none for it, or which one is nearest; "" for neither."""
        text = str(name)
        if isinstance(name, IpAddress):
            stands = "an address has to stand there as an address, and it stands there as a host name"
            return stands if text in self._exact else ""
        for pattern in self._written[:_MOST_COMPARED]:
            why = _why_not(pattern.lower(), text)
            if why:
                return f"{pattern} {why}"
        from difflib import get_close_matches  # noqa: PLC0415 - for who is refused

        looked_at = self._written[:_MOST_COMPARED]
        compared = [pattern for pattern in looked_at if len(pattern) <= MAX_NAME_LENGTH]
        found = get_close_matches(text, compared, 1, 0.8)
        return f"the nearest is {found[0]}" if found else ""


#: Names that a near miss is looked for among; a certificate of the web has some hundred at most.
_MOST_COMPARED = 100


def _why_not(pattern: str, name: str) -> str:
    """What keeps a pattern, of which somebody might think that it fits, from fitting."""
    if pattern.rstrip(".") == name:
        return "ends in a dot, which no name in a certificate may"
    first, _, parent = pattern.partition(".")
    if "*" not in pattern:
        return ""
    if first != "*" or "*" in parent:
        # RFC 9525 6.3: the wildcard is the whole of the left-most label.
        pieces = map(re.escape, pattern.split("*"))
        fits = pattern.count("*") <= _MOST_STARS and re.fullmatch("[^.]*".join(pieces), name)
        return "has its wildcard where none counts: it is the whole first label, or nothing" if fits else ""
    if name == parent:
        return f"stands for names below {parent}, and not for that itself"
    return "stands for one label, and there are more" if name.endswith(f".{parent}") else ""


#: Each may take up any number of letters: more would make the comparison slow.
_MOST_STARS = 2


def is_host_name(name: str) -> bool:
    """Whether it is a host name in lower-case A-label form, without a trailing dot."""
    return len(name) <= MAX_NAME_LENGTH and all(_LABEL.fullmatch(label) for label in name.split("."))


def is_numeric(name: str) -> bool:
    """Whether its last label makes it an address to a C library, or nearly one."""
    return _NUMERIC_LABEL.fullmatch(name.rpartition(".")[2]) is not None


def patterns_of(alternative_name: x509.SubjectAlternativeName) -> NamePatterns:
    """The host names and addresses of a subjectAltName; its other kinds of names name no server."""
    addresses = alternative_name.get_values_for_type(x509.IPAddress)
    return NamePatterns(
        alternative_name.get_values_for_type(x509.DNSName),
        [address for address in addresses if isinstance(address, IPv4Address | IPv6Address)],
    )
