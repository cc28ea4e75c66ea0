"""What is observed, one piece of evidence a line: lists of both sides, bytes, times."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pellucid.diagnosis.case import Case, listed
from pellucid.diagnosis.evidence import ALERT
from pellucid.diagnosis.offer import Offer
from pellucid.identity.der import name_text
from pellucid.printable import printable
from pellucid.trace.failure import Fact

__all__ = [
    "alert_facts",
    "comparing",
    "first_bytes_facts",
    "hello_facts",
    "network_facts",
    "offer_facts",
    "request_facts",
    "server_name_facts",
]

#: Of what came in the place of TLS, in hex and as text.
MOST_HEX, MOST_TEXT = 16, 60

#: The lists of a ClientHello that a choice is made of: by what they are called, and here.
LISTS = {
    "version": ("versions", "versions"),
    "cipher_suite": ("cipher suites", "cipher_suites"),
    "group": ("groups", "groups"),
    "signature_scheme": ("signature schemes", "signature_schemes"),
    "alpn": ("application protocols", "protocols"),
}


class comparing:
    """Observes one list: what the client offers, what the server takes, and what is on both."""

    def __init__(self, what: str) -> None:
        self.what = what

    def __call__(self, case: Case) -> Iterator[Fact]:
        title, _ = LISTS[self.what]
        offered = _offered(case.offer, self.what)
        if offered:
            yield Fact(f"{title} of the client", listed(offered))
        taken = dict(case.evidence.accepts).get(self.what)
        if taken is None:
            return
        yield Fact(f"{title} of the server", listed(taken))
        yield Fact("in common", listed([name for name in taken if name in offered]))


def _offered(offer: Offer | None, what: str) -> Sequence[str]:
    return getattr(offer, LISTS[what][1]) if offer else ()


def offer_facts(case: Case) -> Iterator[Fact]:
    """All that the client offered: what the server took none of, is on one of these lists or missing."""
    for what in LISTS:
        yield from comparing(what)(case)
    yield from server_name_facts(case)


def server_name_facts(case: Case) -> Iterator[Fact]:
    """The name in the ClientHello."""
    if case.offer is not None:
        yield Fact("server_name sent", case.offer.server_name or "none")


def alert_facts(case: Case) -> Iterator[Fact]:
    """The alert's two bytes as they came."""
    received = case.evidence.last(ALERT)
    if case.description is not None and received and received.direction == "received" and received.raw:
        yield Fact("alert received", f"{received.raw.hex(' ')}: {case.alert} ({int(case.description)})")


def request_facts(case: Case) -> Iterator[Fact]:
    """Whom and what the server takes, and what a client has."""
    request = case.request
    if request is not None:
        more = len(request.authorities) - len(request.names)
        names = [*request.names, *([f"{more} more"] if more > 0 else [])]
        yield Fact("authorities named", "; ".join(names) or "none, so any may be sent")
    for subject in case.evidence.credentials[:MOST_CREDENTIALS]:
        yield Fact("our certificate", f'"{subject}"')
    for issuer in sorted(case.evidence.issuers)[:MOST_CREDENTIALS]:
        named = request is not None and issuer in request.authorities
        told = "which is among them" if named else "which is not among them"
        of_whom = f", {told}" if request is not None and request.authorities else ""
        yield Fact("issued by", f'"{name_text(issuer)}"{of_whom}')
    if request is not None:
        yield Fact("schemes it verifies", listed(request.signature_schemes))


#: Of our own certificates and their issuers.
MOST_CREDENTIALS = 6


def first_bytes_facts(case: Case) -> Iterator[Fact]:
    """What came where a TLS record should begin."""
    first = case.evidence.unread
    if not first:
        return
    more = " ..." if len(first) > MOST_HEX else ""
    yield Fact("first bytes", first[:MOST_HEX].hex(" ") + more)
    line = first.split(b"\n")[0].rstrip(b"\r")
    if line and all(0x20 <= byte < 0x7F for byte in line):
        yield Fact("as text", f'"{printable(line.decode("ascii"), MOST_TEXT)}"')
    if case.guess:
        yield Fact("looks like", case.guess.title)


def hello_facts(case: Case) -> Iterator[Fact]:
    """How large the ClientHello was: one that needs several packets is lost in some places."""
    if case.offer is None:
        return
    size, segment = case.offer.record_bytes, case.evidence.circumstances.segment_bytes
    packets = ""
    if segment:
        count = -(-size // segment)
        packets = f", in {count} packets of {segment:,} bytes at most" if count > 1 else ", in one packet"
    yield Fact("ClientHello", f"{size:,} bytes{packets}")
    if case.offer.shares:
        yield Fact("key shares", listed(case.offer.shares))


def network_facts(case: Case) -> Iterator[Fact]:
    """Times and amounts, as far as they were measured."""
    seen = case.evidence.circumstances
    if seen.received_bytes is not None:
        yield Fact("received", f"{seen.received_bytes:,} bytes")
    if seen.seconds is not None:
        yield Fact("since the handshake began", _seconds(seen.seconds))
    if seen.round_trip_seconds:
        yield Fact("TCP round trip", _seconds(seen.round_trip_seconds))


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.3g} ms"
