"""From what went wrong to the exit code of the command: one function, and the only one."""

from __future__ import annotations

import socket
from enum import IntEnum

from pellucid.errors import AlertReceived, CertificateRejected, Misuse, Reason, TLSError
from pellucid.trace.failure import CERTIFICATE_ALERTS

__all__ = ["Exit", "exit_code"]


class Exit(IntEnum):
    """The exit codes; programs rely on them."""

    DONE = 0
    INTERNAL = 1
    USAGE = 2
    TCP = 3
    NEGOTIATION = 4
    PEERS_REJECTED = 5
    OURS_REJECTED = 6
    TIMEOUT = 7
    NOT_TLS = 8
    FINDINGS = 10


_BY_REASON = {
    Reason.NOT_TLS: Exit.NOT_TLS,
    Reason.STARTTLS_NOT_OFFERED: Exit.NOT_TLS,
    Reason.STARTTLS_REFUSED: Exit.NOT_TLS,
    Reason.STARTTLS_WRONG_PROTOCOL: Exit.NOT_TLS,
    # A proxy that does not let through is a way that there is not, as with TCP.
    Reason.PROXY_AUTHENTICATION_FAILED: Exit.TCP,
    Reason.PROXY_REFUSED: Exit.TCP,
    Reason.PROXY_CANNOT_CONNECT: Exit.TCP,
    Reason.NOT_A_PROXY: Exit.TCP,
    Reason.TIMEOUT: Exit.TIMEOUT,
    # A server that asks for a certificate and gets none has rejected the peer's.
    Reason.CLIENT_CERTIFICATE_MISSING: Exit.PEERS_REJECTED,
    Reason.INTERNAL_ERROR: Exit.INTERNAL,
    Reason.SIGNING_FAILED: Exit.INTERNAL,
    Reason.KEY_LIMIT_REACHED: Exit.INTERNAL,
    Reason.HANDSHAKE_NOT_COMPLETE: Exit.INTERNAL,
    Reason.CONNECTION_CLOSED: Exit.INTERNAL,
    Reason.CONNECTION_FAILED: Exit.TCP,
}


def exit_code(error: BaseException | None, *, tls_began: bool = True, failure_id: str = "") -> Exit:
    """The exit code for ``error``; None is success.

    ``tls_began``: TCP stood and a ClientHello was on its way. A connection that breaks after that is a failed
    negotiation, not a failure of TCP: firewalls and servers reset what they do not like. ``failure_id``: what
    the trace made of it, which may know more than an alert says.
    """
    match error:
        case None:
            return Exit.DONE
        case AlertReceived() if failure_id == "client_certificate_missing":
            return Exit.OURS_REJECTED
        case AlertReceived() if failure_id == "no_shared_certificate_type":
            return Exit.NEGOTIATION
        case AlertReceived():
            return Exit.OURS_REJECTED if error.description in CERTIFICATE_ALERTS else Exit.NEGOTIATION
        case CertificateRejected():
            return Exit.PEERS_REJECTED
        case TLSError() if error.reason is Reason.CONNECTION_FAILED and tls_began:
            return Exit.NEGOTIATION
        case TLSError() if error.reason in _BY_REASON:
            return _BY_REASON[error.reason]
        case Misuse():
            return Exit.USAGE
        case TLSError():
            return Exit.NEGOTIATION
        case socket.gaierror():
            return Exit.TCP
        case TimeoutError():
            return Exit.TIMEOUT
        case OSError():
            return Exit.NEGOTIATION if tls_began else Exit.TCP
    return Exit.INTERNAL
