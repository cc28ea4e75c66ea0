"""Errors by blame, reasons that do not change, and one alert for each."""

from __future__ import annotations

import ast
import inspect
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest

import pellucid.errors
from pellucid.alerts import ALERTS, ALERTS_12, alert_for
from pellucid.codes import AlertDescription, ProtocolVersion
from pellucid.errors import (
    AlertReceived,
    BadMessage,
    CertificateRejected,
    Misuse,
    PeerIncompatible,
    PeerMisbehaved,
    PreambleFailed,
    Reason,
    TLSError,
)

SOURCE = Path(pellucid.errors.__file__).parent
CLASSES = [
    *(AlertReceived, BadMessage, CertificateRejected, Misuse, PeerIncompatible, PeerMisbehaved),
    PreambleFailed,
]
A = AlertDescription


def make(cls: type[TLSError], reason: Reason = Reason.MALFORMED, detail: str = "a detail") -> TLSError:
    if cls is BadMessage:
        return BadMessage(detail, reason=reason)
    return AlertReceived(A.handshake_failure, detail) if cls is AlertReceived else cls(reason, detail)


# -- alerts


def test_every_reason_has_an_alert_or_none() -> None:
    assert set(ALERTS) == set(Reason)


@pytest.mark.parametrize("reason", Reason)
def test_the_alert_follows_from_the_reason_alone(reason: Reason) -> None:
    found = {alert_for(make(cls, reason)) for cls in CLASSES if cls is not AlertReceived}
    assert found == {ALERTS[reason]}


def test_nothing_is_sent_to_who_has_sent_an_alert() -> None:
    assert alert_for(AlertReceived(A.bad_certificate, "")) is None


#: What RFC 9846 asks for in so many words, and where. The rest is chosen from section 6.2's descriptions.
REQUIRED = {
    "4.2.2 legacy_version": (Reason.WRONG_LEGACY_VERSION, A.protocol_version),
    "4.2.2 legacy_compression_methods": (Reason.WRONG_COMPRESSION_METHOD, A.illegal_parameter),
    "4.2.3 legacy_session_id_echo": (Reason.WRONG_SESSION_ID_ECHO, A.illegal_parameter),
    "4.2.3 cipher_suite": (Reason.SUITE_NOT_OFFERED, A.illegal_parameter),
    "4.2.3 downgrade": (Reason.DOWNGRADE_DETECTED, A.illegal_parameter),
    "4.2.4 no change": (Reason.POINTLESS_HELLO_RETRY, A.illegal_parameter),
    "4.3 extensions of another message": (Reason.FORBIDDEN_EXTENSION, A.illegal_parameter),
    "4.3 responses without request": (Reason.UNSOLICITED_EXTENSION, A.unsupported_extension),
    "4.3 data left over": (Reason.MALFORMED, A.decode_error),
    "4.3.1 no version in common": (Reason.NO_SHARED_VERSION, A.protocol_version),
    "4.3.8 wrong group": (Reason.GROUP_NOT_OFFERED, A.illegal_parameter),
    "4.3.8 point not on the curve": (Reason.INVALID_KEY_SHARE, A.illegal_parameter),
    "4.3.11 selected_identity": (Reason.PSK_NOT_OFFERED, A.illegal_parameter),
    "4.5.1.3 empty Certificate of a server": (Reason.EMPTY_CERTIFICATE, A.decode_error),
    "4.5.1.3 empty Certificate of a client": (Reason.CLIENT_CERTIFICATE_MISSING, A.certificate_required),
    "4.5.2 signature": (Reason.BAD_SIGNATURE, A.decrypt_error),
    "4.5.3 verify_data": (Reason.BAD_FINISHED, A.decrypt_error),
    "5 unexpected record type": (Reason.UNEXPECTED_RECORD, A.unexpected_message),
    "5 change_cipher_spec": (Reason.BAD_CHANGE_CIPHER_SPEC, A.unexpected_message),
    "5.1 handshake messages across keys": (Reason.MESSAGE_ACROSS_KEY_CHANGE, A.unexpected_message),
    "5.1 record of more than 2^14": (Reason.RECORD_OVERFLOW, A.record_overflow),
    "5.2 deprotection": (Reason.BAD_RECORD_MAC, A.bad_record_mac),
    "9.2 mandatory extensions": (Reason.MISSING_EXTENSION, A.missing_extension),
    "6.2 expired": (Reason.CERTIFICATE_EXPIRED, A.certificate_expired),
    "6.2 unknown CA": (Reason.UNKNOWN_ROOT, A.unknown_ca),
    "6.2 no parameters in common": (Reason.NO_SHARED_CIPHER_SUITE, A.handshake_failure),
    "RFC 7301 3.2": (Reason.NO_SHARED_APPLICATION_PROTOCOL, A.no_application_protocol),
    "RFC 6066 3": (Reason.UNRECOGNIZED_NAME, A.unrecognized_name),
}


@pytest.mark.parametrize("where", REQUIRED)
def test_an_alert_that_an_rfc_asks_for(where: str) -> None:
    reason, alert = REQUIRED[where]
    assert ALERTS[reason] is alert


#: What TLS 1.2 says of the same, and where.
REQUIRED_12 = {
    "RFC 5246 7.2.2 unsolicited extension": (Reason.UNSOLICITED_EXTENSION, A.unsupported_extension),
    "RFC 5246 7.2.2 record of more than 2^14": (Reason.RECORD_OVERFLOW, A.record_overflow),
    "RFC 5246 7.2.2 MAC or padding": (Reason.BAD_RECORD_MAC, A.bad_record_mac),
    "RFC 5246 7.2.2 signature": (Reason.BAD_SIGNATURE, A.decrypt_error),
    "RFC 5246 7.2.2 verify_data": (Reason.BAD_FINISHED, A.decrypt_error),
    "RFC 5246 7.4.6 no certificate of a client": (Reason.CLIENT_CERTIFICATE_MISSING, A.handshake_failure),
    "RFC 5746 3.4 and 3.6": (Reason.BAD_RENEGOTIATION_INFO, A.handshake_failure),
    "RFC 5746 4.1": (Reason.NO_SECURE_RENEGOTIATION, A.handshake_failure),
    "RFC 7507 3": (Reason.INAPPROPRIATE_FALLBACK, A.inappropriate_fallback),
    "RFC 7627 5.3": (Reason.EXTENDED_MASTER_SECRET_CHANGED, A.handshake_failure),
    "RFC 7919 3": (Reason.INVALID_DH_SHARE, A.handshake_failure),
    "RFC 7919 4": (Reason.NO_SHARED_DH_GROUP, A.insufficient_security),
}


@pytest.mark.parametrize("where", REQUIRED_12)
def test_an_alert_that_an_rfc_asks_for_in_tls_1_2(where: str) -> None:
    reason, alert = REQUIRED_12[where]
    assert alert_for(make(PeerMisbehaved, reason), ProtocolVersion.TLSv1_2) is alert


@pytest.mark.parametrize("reason", Reason)
def test_in_tls_1_2_few_reasons_have_another_alert(reason: Reason) -> None:
    found = {
        alert_for(make(cls, reason), ProtocolVersion.TLSv1_2) for cls in CLASSES if cls is not AlertReceived
    }
    assert found == {ALERTS_12.get(reason, ALERTS[reason])}
    assert alert_for(make(PeerMisbehaved, reason), ProtocolVersion.TLSv1_3) is ALERTS[reason]


def test_no_alert_of_tls_1_3_is_sent_in_tls_1_2() -> None:
    """Of missing_extension there is no reason that TLS 1.2 could have: what it lacks has a default."""
    sent = {**ALERTS, **ALERTS_12}
    of_13 = {
        reason for reason, alert in sent.items() if alert in (A.certificate_required, A.missing_extension)
    }
    assert of_13 == {Reason.MISSING_EXTENSION}


#: RFC 9846 6.2: what TLS 1.3 must not send.
NEVER = {
    A.decryption_failed, A.decompression_failure, A.no_certificate, A.export_restriction, A.no_renegotiation,
    A.certificate_unobtainable, A.bad_certificate_hash_value,
}  # fmt: skip


def test_no_alert_of_older_versions_is_sent() -> None:
    assert NEVER.isdisjoint(ALERTS.values())


# -- reasons


@pytest.mark.parametrize("reason", Reason)
def test_a_reason_is_its_name_in_small_letters(reason: Reason) -> None:
    assert reason.value == reason.name.lower()


def reasons_in(node: ast.AST) -> set[str]:
    """The names of all reasons in an expression or a module."""
    attributes = [inner for inner in ast.walk(node) if isinstance(inner, ast.Attribute)]
    return {one.attr for one in attributes if isinstance(one.value, ast.Name) and one.value.id == "Reason"}


@cache
def uses() -> dict[str, set[str]]:
    """Reason to the classes that the sources make with it; none where it stands elsewhere, as in a table."""
    names = {cls.__name__ for cls in CLASSES}
    found: dict[str, set[str]] = defaultdict(set)
    for path in SOURCE.rglob("*.py"):
        if path.name in ("errors.py", "alerts.py"):
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for name in reasons_in(tree):
            found[name].update()
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            if isinstance(call.func, ast.Name) and call.func.id in names:
                for name in reasons_in(call):
                    found[name].add(call.func.id)
    return found


#: Given by a class without being named where it is raised.
BY_DEFAULT = {Reason.MALFORMED: BadMessage, Reason.ALERT_RECEIVED: AlertReceived}


def test_every_reason_is_raised_somewhere() -> None:
    used = {Reason[name] for name in uses()}
    assert set(Reason) - used - set(BY_DEFAULT) == set()


@pytest.mark.parametrize("reason", BY_DEFAULT)
def test_a_reason_that_a_class_gives_by_itself(reason: Reason) -> None:
    cls = BY_DEFAULT[reason]
    error = BadMessage("short") if cls is BadMessage else AlertReceived(A.bad_certificate, "bad")
    assert error.reason is reason


#: Whose fault a reason is, by the parts that ``Reason`` is sorted into; the first reason of each part.
PARTS = [
    (Reason.NOT_TLS, {"PeerMisbehaved"}),
    (Reason.MALFORMED, {"BadMessage"}),
    # What has to be there by the RFC, and what a policy of ours asks for, have different culprits.
    (Reason.NO_SHARED_VERSION, {"PeerIncompatible", "PeerMisbehaved"}),
    (Reason.MISSING_INTERMEDIATE, {"CertificateRejected"}),
    (Reason.ALERT_RECEIVED, {"AlertReceived"}),
    (Reason.STARTTLS_NOT_OFFERED, {"PreambleFailed"}),
    (Reason.BAD_CONFIGURATION, {"Misuse"}),
]


def test_a_reason_is_raised_by_the_class_of_its_part() -> None:
    order, raised = list(Reason), uses()
    starts = [order.index(first) for first, _ in PARTS]
    for (_, classes), start, stop in zip(PARTS, starts, [*starts[1:], len(order)], strict=True):
        for reason in order[start:stop]:
            assert raised.get(reason.name, set()) <= classes, reason


def test_both_are_to_blame_only_where_both_follow_the_rules() -> None:
    incompatible = {name for name, classes in uses().items() if "PeerIncompatible" in classes}
    misbehaved = {name for name, classes in uses().items() if "PeerMisbehaved" in classes}
    assert not incompatible & misbehaved


# -- classes


def test_there_are_no_other_classes() -> None:
    classes = [cls for _, cls in inspect.getmembers(pellucid.errors, inspect.isclass)]
    assert {cls for cls in classes if issubclass(cls, TLSError)} == {TLSError, *CLASSES}


@pytest.mark.parametrize(
    "cls, blame",
    [
        (AlertReceived, "peer"),
        (BadMessage, "peer"),
        (CertificateRejected, "peer"),
        (PeerMisbehaved, "peer"),
        (PeerIncompatible, "both"),
        # A proxy or a server before TLS: whether it lacks what was asked for does not show.
        (PreambleFailed, "unknown"),
        (Misuse, "us"),
    ],
)
def test_a_class_says_who_is_to_blame(cls: type[TLSError], blame: str) -> None:
    assert make(cls).blame == blame


@pytest.mark.parametrize("cls", CLASSES)
def test_an_error_says_its_detail_and_its_reason(cls: type[TLSError]) -> None:
    error = make(cls)
    assert str(error) == f"a detail [{error.reason}]"
    assert error.detail == "a detail"
    assert error.events == ()


def test_an_error_without_detail_says_its_reason_in_words() -> None:
    assert str(PeerMisbehaved(Reason.BAD_RECORD_MAC)) == "bad record mac [bad_record_mac]"


def test_a_bad_message_says_where() -> None:
    error = BadMessage("the message ends inside a length", offset=7)
    assert (error.offset, str(error)) == (7, "the message ends inside a length at byte 7 [malformed]")
    assert BadMessage("short").offset is None


def test_an_alert_keeps_its_number() -> None:
    assert AlertReceived(A.unknown_ca, "unknown CA").description == A.unknown_ca
    assert AlertReceived(250, "unknown").description == 250
