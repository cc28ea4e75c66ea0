"""The rules: each is an id, the condition on the evidence under which it holds, and what it observes.

The first that holds names the failure; where none does, the id is the error's reason. What follows from it,
and what to do, is text in ``trace/``: ``failures.toml`` by the id, and ``variants.toml`` where the evidence
tells more. No rule names a cause that its condition does not imply: what is only likely is said as possible.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from pellucid.codes import AlertDescription
from pellucid.diagnosis import variants as v
from pellucid.diagnosis.case import Case
from pellucid.diagnosis.certificates import chain_facts, date_facts, name_facts, trust_facts
from pellucid.diagnosis.facts import (
    alert_facts,
    comparing,
    first_bytes_facts,
    hello_facts,
    network_facts,
    offer_facts,
    request_facts,
    server_name_facts,
)
from pellucid.errors import CertificateRejected, Reason
from pellucid.trace.failure import CERTIFICATE_ALERTS, Fact

__all__ = ["RULES", "Rule", "rule_for", "rule_of"]

Observe = Callable[[Case], Iterable[Fact]]
Holds = Callable[[Case], bool]


@dataclass(frozen=True, slots=True)
class Rule:
    """``variants`` are asked one after the other, and each that knows more adds its text."""

    id: str
    holds: Holds
    observes: tuple[Observe, ...] = ()
    variants: tuple[v.Variant, ...] = ()


def because(*reasons: Reason) -> Holds:
    """The error's reason alone decides: this side has found the fault itself, and knows."""
    return lambda case: case.reason in reasons


def told(*descriptions: AlertDescription) -> Holds:
    """The peer's alert alone decides: it has found the fault, and said which."""
    return lambda case: case.description in descriptions


# -- conditions of several parts. Alerts: RFC 9846 6.2.


def _closed_unheard(case: Case) -> bool:
    return case.reason is Reason.CLOSED_DURING_HANDSHAKE and case.is_client and not case.evidence.heard


def _broken(case: Case) -> bool:
    """TCP broke, and not before TLS began."""
    return case.reason is Reason.CONNECTION_FAILED and case.evidence.began


def _reset_unheard(case: Case) -> bool:
    # Another error, such as that there is no route any more, is the network's.
    reset = case.cause in ("", "ECONNRESET", "ECONNABORTED", "EPIPE")
    unheard = case.is_client and not case.evidence.heard and not case.evidence.completed
    return _broken(case) and reset and unheard


def _broken_afterwards(case: Case) -> bool:
    return _broken(case) and case.evidence.completed


def _waiting(case: Case) -> bool:
    """A client's time ran out in the handshake."""
    seen = case.evidence
    return case.reason is Reason.TIMEOUT and case.is_client and seen.began and not seen.completed


def _silent(case: Case) -> bool:
    return _waiting(case) and not case.evidence.heard


def _renegotiation_refused(case: Case) -> bool:
    return case.description == AlertDescription.handshake_failure and case.refused_to_renegotiate


def _had_no_certificate(case: Case) -> bool:
    # RFC 5246 7.4.6: to a client without a certificate the server may respond "with a fatal
    # handshake_failure alert"; not all of them take this one.
    refusals = CERTIFICATE_ALERTS | {AlertDescription.handshake_failure}
    return case.description in refusals and case.evidence.had_none


def _certificate_missing(case: Case) -> bool:
    asked_for = case.reason is Reason.CLIENT_CERTIFICATE_MISSING
    return asked_for or case.description == AlertDescription.certificate_required or _had_no_certificate(case)


def _no_version(case: Case) -> bool:
    # With a ServerHello a version was found.
    found = case.evidence.agreed if case.is_client else case.evidence.completed
    return case.description == AlertDescription.protocol_version and not found


def _nothing_agreed(case: Case) -> bool:
    # With a ServerHello suite and group had been found.
    return case.description == AlertDescription.handshake_failure and not case.evidence.agreed


def _no_kind_of_certificate(case: Case) -> bool:
    # RFC 7250 4.2: without a type in common, "a fatal alert of type "unsupported_certificate"." None of ours
    # can be meant: it has seen none.
    alone = case.is_client and not case.evidence.agreed
    return alone and case.evidence.began and case.description == AlertDescription.unsupported_certificate


def _ours_refused_by_client(case: Case) -> bool:
    # Once the handshake is complete, it is not kept whether this connection or an older one has shown it.
    shown = case.evidence.completed or case.evidence.has("sent", "Certificate")
    return case.description in CERTIFICATE_ALERTS and not case.is_client and shown


def _ours_refused_by_server(case: Case) -> bool:
    shown = case.evidence.was_asked and case.evidence.has("sent", "Certificate")
    return case.description in CERTIFICATE_ALERTS and shown


def _rejected(case: Case) -> bool:
    return isinstance(case.error, CertificateRejected)


_A, _R = AlertDescription, Reason
_OFFER = (alert_facts, offer_facts, hello_facts)
_CHAIN = (chain_facts, trust_facts)
_SILENCE = (hello_facts, server_name_facts, network_facts)

RULES: tuple[Rule, ...] = (
    # the peer's certificate
    Rule("missing_intermediate", because(_R.MISSING_INTERMEDIATE), _CHAIN, (v.of_a_client,)),
    Rule("unknown_root", because(_R.UNKNOWN_ROOT), _CHAIN, (v.of_a_client,)),
    Rule("self_signed", because(_R.SELF_SIGNED), _CHAIN, (v.of_a_client,)),
    Rule("hostname_mismatch", because(_R.HOSTNAME_MISMATCH), (name_facts,), (v.name_not_sent,)),
    Rule("no_subject_alternative_name", because(_R.NO_SUBJECT_ALTERNATIVE_NAME), (chain_facts,)),
    Rule(
        "certificate_expired",
        because(_R.CERTIFICATE_EXPIRED),
        (chain_facts, date_facts),
        (v.of_a_client, v.only_issuers_expired, v.all_expired),
    ),
    Rule(
        "certificate_not_yet_valid",
        because(_R.CERTIFICATE_NOT_YET_VALID),
        (chain_facts, date_facts),
        (v.all_in_the_future,),
    ),
    Rule("name_constraint_violated", because(_R.NAME_CONSTRAINT_VIOLATED), (chain_facts,)),
    Rule("wrong_purpose", because(_R.WRONG_PURPOSE), (chain_facts,)),
    Rule("weak_key", because(_R.WEAK_KEY), (chain_facts,)),
    Rule("strict_profile_only", because(_R.STRICT_PROFILE_ONLY), (chain_facts,)),
    Rule("certificate_revoked", because(_R.CERTIFICATE_REVOKED), (chain_facts,)),
    # what the other side refused, as it says by its alert
    Rule("renegotiation_refused", _renegotiation_refused, (alert_facts,)),
    Rule(
        "client_certificate_missing",
        _certificate_missing,
        (alert_facts, request_facts),
        (v.of_a_client, v.none_was_given, v.none_fits),
    ),
    Rule(
        "no_shared_version",
        _no_version,
        (alert_facts, comparing("version"), comparing("signature_scheme")),
        (v.version_alert_came,),
    ),
    Rule("alpn_mismatch", told(_A.no_application_protocol), (alert_facts, comparing("alpn"))),
    Rule(
        "unrecognized_name", told(_A.unrecognized_name), (alert_facts, server_name_facts), (v.no_name_sent,)
    ),
    Rule("inappropriate_fallback", told(_A.inappropriate_fallback), (alert_facts, comparing("version"))),
    Rule("handshake_failure", _nothing_agreed, _OFFER, (v.after_a_retry,)),
    Rule("no_shared_certificate_type", _no_kind_of_certificate, (alert_facts, offer_facts)),
    Rule("our_certificate_refused", _ours_refused_by_client, (alert_facts,)),
    Rule(
        "client_certificate_untrusted",
        _ours_refused_by_server,
        (alert_facts, request_facts),
        (v.issuer_not_named, v.issuer_named, v.as_the_alert_says),
    ),
    Rule("alert_received", because(_R.ALERT_RECEIVED), (alert_facts, request_facts), (v.showed_none,)),
    # what the two do not have in common, as this side found
    Rule("no_shared_version", because(_R.NO_SHARED_VERSION), (comparing("version"),)),
    Rule("no_shared_cipher_suite", because(_R.NO_SHARED_CIPHER_SUITE), (comparing("cipher_suite"),)),
    Rule("no_shared_group", because(_R.NO_SHARED_GROUP), (comparing("group"),)),
    Rule(
        "no_shared_signature_scheme", because(_R.NO_SHARED_SIGNATURE_SCHEME), (comparing("signature_scheme"),)
    ),
    Rule("no_suitable_certificate", because(_R.NO_SUITABLE_CERTIFICATE), (comparing("signature_scheme"),)),
    Rule("alpn_mismatch", because(_R.NO_SHARED_APPLICATION_PROTOCOL), (comparing("alpn"),)),
    Rule("unrecognized_name", because(_R.UNRECOGNIZED_NAME), (server_name_facts,)),
    Rule("no_secure_renegotiation", because(_R.NO_SECURE_RENEGOTIATION)),
    Rule("key_does_not_match_certificate", because(_R.KEY_DOES_NOT_MATCH_CERTIFICATE)),
    Rule("bad_signature", because(_R.BAD_SIGNATURE), (chain_facts,)),
    # what precedes TLS
    *(
        Rule(str(reason), because(reason))
        for reason in (
            *(_R.STARTTLS_NOT_OFFERED, _R.STARTTLS_REFUSED, _R.STARTTLS_WRONG_PROTOCOL),
            *(_R.STARTTLS_INJECTION, _R.PROXY_AUTHENTICATION_FAILED, _R.PROXY_REFUSED),
            *(_R.PROXY_CANNOT_CONNECT, _R.NOT_A_PROXY),
        )
    ),
    # no TLS, or nothing at all
    Rule(
        "not_tls",
        because(_R.NOT_TLS),
        (first_bytes_facts,),
        (v.of_a_client, v.speaks_another, v.begins_in_the_clear, v.plain_http),
    ),
    Rule("closed_after_client_hello", _closed_unheard, _SILENCE, (v.port_of_another,)),
    Rule(
        "reset_after_client_hello",
        _reset_unheard,
        _SILENCE,
        (v.port_of_another, v.nearer_than_the_peer),
    ),
    Rule(
        "silent_after_client_hello",
        _silent,
        _SILENCE,
        (v.fits_in_a_packet, v.port_of_another),
    ),
    Rule("stalled_mid_flight", _waiting, (network_facts,), (v.ends_with_a_full_packet,)),
    Rule("truncated", _broken_afterwards, (network_facts,), (v.client_certificate_was_asked,)),
    Rule("truncated", because(_R.TRUNCATED), (), (v.client_certificate_was_asked,)),
    Rule("closed_during_handshake", _broken, (network_facts,), (v.broke, v.before_a_hello)),
    Rule("closed_during_handshake", because(_R.CLOSED_DURING_HANDSHAKE), (), (v.before_a_hello,)),
    Rule("connection_failed", because(_R.CONNECTION_FAILED), (), (v.refused, v.unreachable)),
)
_BY_ID = {rule.id: rule for rule in reversed(RULES)}


def rule_of(case: Case) -> Rule:
    """The rule that holds; for a reason that has none, one of that name."""
    for rule in RULES:
        if rule.holds(case):
            return rule
    return Rule(str(case.reason), lambda _case: True, (chain_facts,) if _rejected(case) else ())


def rule_for(identifier: str) -> Rule:
    """The rule with this id, for who knows it otherwise: its condition is not asked."""
    return _BY_ID.get(identifier) or Rule(identifier, lambda _case: True)
