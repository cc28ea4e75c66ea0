"""What the server refuses: it says so with an alert, and the client has to make something of that."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pellucid.connection import ServerConnection
from pellucid.errors import Misuse, PeerIncompatible, Reason, TLSError
from pellucid.faults.bench import Bench
from pellucid.faults.fault import Fault, Prepare, refused
from pellucid.faults.pages import page
from pellucid.faults.peers import Peer, Speaker
from pellucid.faults.tampering import TamperedServer, refusing

__all__ = ["REFUSALS"]

#: Few clients offer it unless told to, and every kind of server could choose it: 8 bytes of tag, for devices
#: that count bytes (RFC 6655, RFC 7251).
_RARE_SUITES = ("TLS_AES_128_CCM_8_SHA256", "TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8")
_RARE_GROUP = "SecP384r1MLKEM1024"

_SHOWS_NONE = "a client that has no certificate"
_SHOWS_ONE = "a client with a certificate (--cert and --key), whoever issued it"


def _that(**settings: Any) -> Prepare:
    """A server with these settings, and nothing tampered with."""
    return _made(lambda _bench: settings)


def _made(make: Callable[[Bench], dict[str, Any]]) -> Prepare:
    def prepare(bench: Bench) -> Callable[[], Peer]:
        config = bench.server(**make(bench))
        return lambda: Speaker(ServerConnection(config), page())

    return prepare


def _refuses(error: Callable[[], TLSError]) -> Prepare:
    """A server that answers every ClientHello so."""

    def prepare(bench: Bench) -> Callable[[], Peer]:
        config = bench.server()
        return lambda: Speaker(TamperedServer(config, tamper=refusing(error)), page())

    return prepare


def _certificate_required(*protocols: str) -> Prepare:
    return _made(
        lambda b: {
            "protocols": protocols,
            "client_authentication": "required",
            "trust": b.laboratory.trust,
        }
    )


def _strangers_only(*protocols: str) -> Prepare:
    return _made(
        lambda b: {"protocols": protocols, "client_authentication": "required", "trust": b.stranger.trust}
    )


def _client_certificate(bench: Bench) -> dict[str, Any]:
    return {"credentials": [bench.laboratory.credential("ecdsa", ("client.example",), "client")]}


def _elsewhere(bench: Bench) -> dict[str, Any]:
    other = bench.laboratory.issue("ecdsa", ("other.example",)).credential
    return {"credentials": [other], "strict_server_name": True}


def _post_quantum(bench: Bench) -> dict[str, Any]:
    credential = bench.laboratory.credential("mldsa44", bench.names)
    return {"credentials": [credential], "protocols": ["TLSv1.3"]}


REFUSALS: tuple[Fault, ...] = (
    refused(
        "no_shared_version",
        "The server speaks no version that any client should offer.",
        _refuses(lambda: PeerIncompatible(Reason.NO_SHARED_VERSION, "no version of the client's will do")),
        alert="protocol_version",
    ),
    refused(
        "no_shared_cipher_suite",
        f"The server knows no cipher suites but {' and '.join(_RARE_SUITES)}.",
        _that(cipher_suites=_RARE_SUITES),
        alert="handshake_failure",
        diagnosis="handshake_failure",
        needs="a client that does not offer them",
    ),
    refused(
        "no_shared_group",
        f"The server knows no group for the key exchange but {_RARE_GROUP}.",
        _that(groups=[_RARE_GROUP], protocols=["TLSv1.3"]),
        alert="handshake_failure",
        diagnosis="handshake_failure",
        needs="a client that speaks TLS 1.3 and does not offer it",
    ),
    refused(
        "no_shared_signature_scheme",
        "The server's key is ML-DSA-44, and it has no other.",
        _made(_post_quantum),
        alert="handshake_failure",
        diagnosis="handshake_failure",
        needs="a client that speaks TLS 1.3 and does not offer it",
    ),
    refused(
        "client_certificate_missing",
        "The server wants a certificate of the client (TLS 1.3, where the client is done before it is told).",
        _certificate_required("TLSv1.3"),
        alert="certificate_required",
        exit_code=6,
        completes=True,
        needs=f"{_SHOWS_NONE}, and speaks TLS 1.3",
    ),
    refused(
        "client_certificate_missing_tls12",
        "The server wants a certificate of the client (TLS 1.2).",
        _certificate_required("TLSv1.2"),
        alert="handshake_failure",
        cause="client_certificate_missing",
        diagnosis="client_certificate_missing",
        exit_code=6,
        needs=f"{_SHOWS_NONE}, and speaks TLS 1.2",
    ),
    refused(
        "client_certificate_untrusted",
        "The server wants a certificate of the client's, from an authority that issues none (TLS 1.3).",
        _strangers_only("TLSv1.3"),
        alert="unknown_ca",
        exit_code=6,
        completes=True,
        needs=f"{_SHOWS_ONE}, that speaks TLS 1.3",
        client=_client_certificate,
    ),
    refused(
        "client_certificate_untrusted_tls12",
        "The server wants a certificate of the client's, from an authority that issues none (TLS 1.2).",
        _strangers_only("TLSv1.2"),
        alert="unknown_ca",
        cause="client_certificate_untrusted",
        diagnosis="client_certificate_untrusted",
        exit_code=6,
        needs=f"{_SHOWS_ONE}, that speaks TLS 1.2",
        client=_client_certificate,
    ),
    refused(
        "alpn_mismatch",
        "Inside of TLS the server speaks nothing but a protocol that nobody knows.",
        _that(alpn_protocols=["pellucid-fault"]),
        alert="no_application_protocol",
        needs="a client that offers application protocols (ALPN)",
        client=lambda _bench: {"alpn_protocols": ["h2", "http/1.1"]},
    ),
    refused(
        "unrecognized_name",
        "The server has a certificate for other.example alone, and refuses all other names.",
        _made(_elsewhere),
        alert="unrecognized_name",
        needs="a client that connects by name, and not by address",
    ),
    refused(
        "alert_received",
        "The server fails for a reason of its own.",
        _refuses(lambda: Misuse(Reason.INTERNAL_ERROR, "a fault, as asked for")),
        alert="internal_error",
    ),
)
