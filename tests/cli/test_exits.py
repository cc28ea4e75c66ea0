from __future__ import annotations

import socket

import pytest

from pellucid.cli.exits import Exit, exit_code
from pellucid.codes import AlertDescription
from pellucid.errors import (
    AlertReceived,
    BadMessage,
    CertificateRejected,
    Misuse,
    PeerIncompatible,
    PeerMisbehaved,
    Reason,
    TLSError,
)


@pytest.mark.parametrize(
    "error, code",
    [
        (None, 0),
        (RuntimeError("a fault of ours"), 1),
        (Misuse(Reason.INTERNAL_ERROR), 1),
        (Misuse(Reason.BAD_CONFIGURATION), 2),
        (Misuse(Reason.BAD_CERTIFICATE_FILE), 2),
        (Misuse(Reason.KEY_DOES_NOT_MATCH_CERTIFICATE), 2),
        (Misuse(Reason.BAD_SERVER_NAME), 2),
        (socket.gaierror(socket.EAI_NONAME, "no such name"), 3),
        (PeerIncompatible(Reason.NO_SHARED_GROUP), 4),
        (PeerMisbehaved(Reason.BAD_FINISHED), 4),
        (PeerMisbehaved(Reason.TRUNCATED), 4),
        (BadMessage("short"), 4),
        (AlertReceived(AlertDescription.handshake_failure, ""), 4),
        (AlertReceived(200, "an unknown one"), 4),
        (CertificateRejected(Reason.CERTIFICATE_EXPIRED), 5),
        (PeerMisbehaved(Reason.CLIENT_CERTIFICATE_MISSING), 5),
        (AlertReceived(AlertDescription.unknown_ca, ""), 6),
        (AlertReceived(AlertDescription.certificate_required, ""), 6),
        (TimeoutError("too slow"), 7),
        (TLSError(Reason.TIMEOUT), 7),
        (PeerMisbehaved(Reason.NOT_TLS), 8),
    ],
)
def test_each_failure_has_its_exit_code(error: BaseException | None, code: int) -> None:
    assert exit_code(error) == code


@pytest.mark.parametrize("description", ["handshake_failure", "bad_certificate"])
def test_that_our_certificate_was_missing_counts_whatever_the_alert(description: str) -> None:
    error = AlertReceived(AlertDescription[description], "")
    assert exit_code(error, failure_id="client_certificate_missing") is Exit.OURS_REJECTED


@pytest.mark.parametrize(
    "error", [ConnectionResetError(104, "reset"), TLSError(Reason.CONNECTION_FAILED), OSError("odd")]
)
def test_a_broken_connection_is_tcps_fault_only_before_tls_began(error: Exception) -> None:
    assert exit_code(error, tls_began=False) is Exit.TCP
    assert exit_code(error, tls_began=True) is Exit.NEGOTIATION


@pytest.mark.parametrize("reason", list(Reason))
@pytest.mark.parametrize("kind", [PeerMisbehaved, PeerIncompatible, CertificateRejected, Misuse, TLSError])
def test_no_reason_passes_for_success(kind: type[TLSError], reason: Reason) -> None:
    assert exit_code(kind(reason)) in set(Exit) - {Exit.DONE, Exit.FINDINGS}


def test_a_kind_of_certificate_that_is_not_shared_is_no_refusal_of_ours() -> None:
    error = AlertReceived(AlertDescription.unsupported_certificate, "")
    assert exit_code(error, failure_id="no_shared_certificate_type") is Exit.NEGOTIATION
