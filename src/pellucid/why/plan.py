"""Which factors a failure leaves open, the most telling first."""

from __future__ import annotations

from pellucid.why.factors import Factor
from pellucid.why.seen import Seen, Stage

__all__ = ["MOST_PROBES", "NAMES_NO_CAUSE", "SLOW", "factors_for"]

#: Further connections, all together: enough to change each factor once, and few for a server's log.
MOST_PROBES = 8

#: What these say is what happened, not why.
NAMES_NO_CAUSE = frozenset(
    {
        "handshake_failure",
        "alert_received",
        "closed_after_client_hello",
        "reset_after_client_hello",
        "silent_after_client_hello",
        "closed_during_handshake",
        "stalled_mid_flight",
        "timeout",
    }
)

#: The lists of a ClientHello that have to have something in common with the server's.
_LISTS = (Factor.CIPHER_SUITES, Factor.GROUPS, Factor.SIGNATURE_SCHEMES)

#: A server of several names, or with certificates of two kinds, may have a good one.
_CERTIFICATE = (Factor.NAME, Factor.SIGNATURE_SCHEMES)

_BY_ID: dict[str, tuple[Factor, ...]] = {
    # RFC 9846 6.2: the sender "was unable to negotiate an acceptable set of security parameters". Behind a
    # ServerHello they were negotiated, and it is about something else.
    "handshake_failure": (*_LISTS, Factor.VERSION, Factor.NAME, Factor.ALPN),
    "no_shared_version": (Factor.VERSION,),
    "alpn_mismatch": (Factor.ALPN,),
    "unrecognized_name": (Factor.NAME,),
    "client_certificate_missing": (Factor.CLIENT_CERTIFICATE,),
    "client_certificate_untrusted": (Factor.CLIENT_CERTIFICATE,),
    "weak_dh_group": (Factor.CIPHER_SUITES,),
    "invalid_dh_share": (Factor.CIPHER_SUITES,),
    "downgrade_detected": (Factor.VERSION,),
    "no_secure_renegotiation": (Factor.VERSION,),
    "extended_master_secret_missing": (Factor.VERSION,),
    # Twice the same tells a wrong key from a damaged signature.
    "bad_signature": (Factor.NOTHING, Factor.VERSION, Factor.SIGNATURE_SCHEMES),
    "certificate_revoked": _CERTIFICATE,
    "bad_certificate_status": _CERTIFICATE,
    "must_staple_missing": _CERTIFICATE,
    "revocation_unknown": _CERTIFICATE,
    "not_tls": (),
    "truncated": (Factor.VERSION,),
}

#: Of these each connection costs all the time that it is given.
SLOW = frozenset({"silent_after_client_hello", "stalled_mid_flight", "timeout"})

#: An alert of which nobody knows what it is about; a server that cannot make sense of the hello at all.
_REFUSED = (Factor.NAME, Factor.HELLO_SIZE, Factor.ALPN, Factor.VERSION, Factor.CIPHER_SUITES, Factor.GROUPS)
#: Size before all else: it is what gets lost on the way. The lists last: who lacks something mostly says so.
_UNANSWERED = (Factor.HELLO_SIZE, Factor.NAME, Factor.VERSION, Factor.ALPN, *_LISTS)
#: The server has begun: another version or certificate has another flight, of another length.
_BROKEN_OFF = (Factor.VERSION, Factor.NAME, Factor.SIGNATURE_SCHEMES, Factor.ALPN, Factor.HELLO_SIZE)
#: The peer broke a rule, or something on the way did: whether it stays, and is of one version.
_BREACH = (Factor.NOTHING, Factor.VERSION, Factor.HELLO_SIZE)


def factors_for(first: Seen) -> tuple[Factor, ...]:
    """What to change after a first connection that failed so; empty where no ClientHello could matter."""
    if first.stage is Stage.UNREACHED or first.connected:
        return ()
    if first.failure in _BY_ID and not (first.failure in NAMES_NO_CAUSE and first.stage >= Stage.NEGOTIATED):
        return _BY_ID[first.failure]
    if first.stage is Stage.UNANSWERED:
        return _UNANSWERED
    if first.failure in NAMES_NO_CAUSE:
        if first.stage < Stage.NEGOTIATED:
            return _REFUSED
        # Not all say by the alert that it was our certificate, or that there was none: GnuTLS 3.7 answers an
        # empty one of TLS 1.2 with decode_error.
        ours = (Factor.CLIENT_CERTIFICATE,) if first.asked and first.direction == "received" else ()
        return (*ours, *_BROKEN_OFF)
    if first.leaf is not None and first.stage is Stage.NEGOTIATED:
        return _CERTIFICATE
    return _BREACH
