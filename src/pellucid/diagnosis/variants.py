"""What the evidence tells beyond the id: each gives the name of a text and the words in it, or None."""

from __future__ import annotations

from collections.abc import Callable

from pellucid.codes import AlertDescription
from pellucid.diagnosis.case import Case, moment
from pellucid.diagnosis.certificates import dates_of
from pellucid.diagnosis.protocols import PORTS

__all__ = ["Known", "Variant"]

#: The part behind the colon of a text's key, and what its placeholders stand for.
Known = tuple[str, dict[str, str]]
Variant = Callable[[Case], Known | None]

#: What of a ClientHello fits into one packet where nobody has measured: Ethernet's 1,500 bytes less IPv6 and
#: TCP with timestamps.
ONE_PACKET_BYTES = 1428

#: A stream that stops within so many bytes of a whole number of packets may have lost the next one.
_NEAR_BYTES = 16


# -- certificates


def name_not_sent(case: Case) -> Known | None:
    """RFC 6066 3: "Literal IPv4 and IPv6 addresses are not permitted"."""
    return ("name_not_sent", {}) if case.is_client and case.offer and not case.offer.server_name else None


def of_a_client(case: Case) -> Known | None:
    """It is a server that found this, of who connected: other options and other files are meant."""
    return None if case.is_client else ("client", {})


def only_issuers_expired(case: Case) -> Known | None:
    """The leaf is in date, and the certificate that was refused, which was sent with it, is not."""
    dates = dates_of(case)
    if dates is None or not dates.expired or 0 in (*dates.expired, *dates.future):
        return None
    refused = getattr(case.error, "certificate", None)
    for position in dates.expired:
        if refused in (None, case.evidence.chain[position]):
            return "issuer", {"position": str(position), "peer": "server" if case.is_client else "client"}
    return None  # one that was not sent: this side has it


def all_expired(case: Case) -> Known | None:
    """The whole chain is out of date in the same direction."""
    dates, now = dates_of(case), case.evidence.now
    if dates is None or now is None or not 1 < dates.count == len(dates.expired):
        return None
    return "all", {"count": str(dates.count), "now": moment(now)}


def all_in_the_future(case: Case) -> Known | None:
    """So is this one."""
    dates, now = dates_of(case), case.evidence.now
    if dates is None or now is None or not 1 < dates.count == len(dates.future):
        return None
    return "all", {"count": str(dates.count), "now": moment(now)}


def none_was_given(case: Case) -> Known | None:
    """A client that was told of no certificate."""
    return ("none_given", {}) if _asked_client(case) and not _has_credentials(case) else None


def none_fits(case: Case) -> Known | None:
    """A client with certificates, of which it showed none."""
    fits = _asked_client(case) and case.evidence.had_none and _has_credentials(case)
    return ("none_fits", {}) if fits else None


def _asked_client(case: Case) -> bool:
    return case.is_client and case.evidence.was_asked


def _has_credentials(case: Case) -> bool:
    choice = case.evidence.choice("client_certificate")
    return bool(case.evidence.credentials or (choice and choice.ours))


def issuer_not_named(case: Case) -> Known | None:
    """RFC 9846 4.3.4: "certificate_authorities" says which authorities the server supports."""
    issuers, request = case.evidence.issuers, case.request
    if not issuers or request is None or not request.authorities:
        return None
    count = str(len(request.authorities))
    return ("issuer_not_named", {"count": count}) if issuers.isdisjoint(request.authorities) else None


def issuer_named(case: Case) -> Known | None:
    """It is one of them."""
    request = case.request
    if request is None or case.evidence.issuers.isdisjoint(request.authorities):
        return None
    return "unknown_namesake" if case.description == AlertDescription.unknown_ca else "issuer_named", {}


#: Alerts that say what is wrong with a certificate (RFC 9846 6.2).
_SAY_WHAT = frozenset(
    {
        AlertDescription.certificate_expired,
        AlertDescription.certificate_revoked,
        AlertDescription.unsupported_certificate,
        AlertDescription.access_denied,
    }
)


def as_the_alert_says(case: Case) -> Known | None:
    """Some alerts tell what is wrong."""
    return (case.alert, {}) if case.description in _SAY_WHAT else None


def client_certificate_was_asked(case: Case) -> Known | None:
    """In TLS 1.3 a client is done before the server has looked at its certificate."""
    return ("asked", {}) if _asked_client(case) else None


def showed_none(case: Case) -> Known | None:
    """Some servers say it by an alert that means something else: GnuTLS 3.7, in TLS 1.2, by decode_error."""
    return ("no_certificate", {}) if case.is_client and case.evidence.had_none else None


# -- what was offered


def version_alert_came(case: Case) -> Known | None:
    """OpenSSL 3.0 sends it as well where TLS 1.3 is there, and none of its certificates fits the schemes."""
    return ("said", {}) if case.description == AlertDescription.protocol_version else None


def no_name_sent(case: Case) -> Known | None:
    """The server refuses who names nobody."""
    return ("none_sent", {}) if case.offer and not case.offer.server_name else None


def after_a_retry(case: Case) -> Known | None:
    """RFC 9846 4.2.4: with a HelloRetryRequest version and cipher suite are chosen, and a group asked for."""
    return ("after_retry", {}) if case.evidence.has("received", "HelloRetryRequest") else None


# -- no TLS, or nothing


def begins_in_the_clear(case: Case) -> Known | None:
    """A protocol that can be asked for TLS."""
    found = case.guess
    if found is None or not found.starttls or not case.is_client:
        return None
    return "starttls", {"protocol": found.title, "starttls": found.starttls}


def speaks_another(case: Case) -> Known | None:
    """A protocol that is none of TLS, and does not come to it."""
    found = case.guess
    return ("another", {"protocol": found.title}) if case.is_client and found else None


def plain_http(case: Case) -> Known | None:
    """A web server without TLS."""
    return ("http", {}) if case.is_client and case.evidence.unread.startswith(b"HTTP/") else None


def broke(_case: Case) -> Known | None:
    """Not closed but broken: by the peer or by the network."""
    return "broke", {}


def before_a_hello(case: Case) -> Known | None:
    """Somebody connected to this server and left."""
    return None if case.is_client or case.evidence.heard else ("unheard", {})


def port_of_another(case: Case) -> Known | None:
    """The port is usually that of a protocol that begins in the clear."""
    port = case.evidence.place[1]
    usual = PORTS.get(port) if isinstance(port, int) else None
    if usual is None:
        return None
    return "port", {"protocol": usual.title, "starttls": usual.starttls, "number": str(port)}


def nearer_than_the_peer(case: Case) -> Known | None:
    """The reset came in less time than a packet takes to the peer and back."""
    seen = case.evidence.circumstances
    if seen.seconds is None or not seen.round_trip_seconds or seen.seconds >= seen.round_trip_seconds / 2:
        return None
    times = {"after": f"{seen.seconds * 1000:.1f}", "trip": f"{seen.round_trip_seconds * 1000:.1f}"}
    return "near", times


def fits_in_a_packet(case: Case) -> Known | None:
    """Then its size is not why nothing came."""
    segment = case.evidence.circumstances.segment_bytes or ONE_PACKET_BYTES
    return ("small", {}) if case.offer and case.offer.record_bytes <= segment else None


def ends_with_a_full_packet(case: Case) -> Known | None:
    """What came is a whole number of packets, or nearly."""
    seen = case.evidence.circumstances
    if not seen.received_bytes or not seen.segment_bytes:
        return None
    count = round(seen.received_bytes / seen.segment_bytes)
    if not count or abs(seen.received_bytes - count * seen.segment_bytes) > _NEAR_BYTES:
        return None
    return "full_packet", {"count": str(count), "segment": f"{seen.segment_bytes:,}"}


def refused(case: Case) -> Known | None:
    """The host answered that nobody listens."""
    return ("refused", {}) if case.cause == "ECONNREFUSED" else None


def unreachable(case: Case) -> Known | None:
    """The network said that there is no way."""
    return ("unreachable", {}) if case.cause in ("EHOSTUNREACH", "ENETUNREACH") else None
