"""Why did it fail? The diagnosis of whatever a call of this library raises, ``TLSError`` or not."""

from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING

from pellucid.errors import Reason, TLSError
from pellucid.printable import printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from pellucid.connection import ClientConnection, ServerConnection
    from pellucid.diagnosis import Diagnosis, Evidence

__all__ = ["attach", "diagnose", "locate"]

#: Under which an exception that is not ours carries what was known of the connection.
_EVIDENCE = "pellucid_evidence"

#: Characters of what an exception says: that of several addresses names each.
MOST_SAID = 600


def diagnose(error: BaseException, *, otherwise: Callable[[], Evidence] | None = None) -> Diagnosis:
    """Why a connection failed, on what evidence, and what to do, for any exception that a call has raised.

    That of a ``TLSError`` is its own; a ``TimeoutError``, ``ConnectionResetError``, ``socket.gaierror`` or
    another ``OSError`` has one as well, with the ids that the commands show. What is neither comes to
    "internal_error". ``otherwise`` gives the evidence for an exception that carries none, as from a trace.
    """
    from pellucid.diagnosis import diagnose_error, diagnosis_of  # noqa: PLC0415 - for who has failed
    from pellucid.trace.texts import NOWHERE  # noqa: PLC0415 - as above

    if isinstance(error, TLSError) and (error.evidence is not None or otherwise is None):
        return error.diagnosis
    evidence: Evidence | None = getattr(error, _EVIDENCE, None)
    if evidence is None and otherwise is not None:
        evidence = otherwise()
    match error:
        case TLSError():
            return diagnose_error(error, evidence)
        case socket.gaierror():
            failed = TLSError(Reason.CONNECTION_FAILED, _said(error.strerror or error))
            place = evidence.place if evidence else NOWHERE
            return diagnosis_of(failed, identifier="name_not_found").at(place)
        case TimeoutError():
            return diagnose_error(TLSError(Reason.TIMEOUT, _said(error)), evidence)
        case OSError():
            text = _said(error.strerror if error.errno and error.strerror else error)
            cause = errno.errorcode.get(error.errno or 0, "")
            return diagnose_error(TLSError(Reason.CONNECTION_FAILED, text), evidence, cause)
    said = f"{type(error).__name__}: {_said(error)}".rstrip(": ")
    return diagnose_error(TLSError(Reason.INTERNAL_ERROR, said), evidence)


def _said(error: object) -> str:
    """What an exception that is not ours says of itself, fit to be shown."""
    try:
        return printable(str(error), MOST_SAID)
    except Exception as another:  # noqa: BLE001 - it is somebody's __str__
        return f"{type(another).__name__} when it was to say what happened"


def locate(error: OSError, host: str, port: int) -> None:
    """Let an exception that is about to be raised carry whom it was that could not be reached."""
    from pellucid.diagnosis.evidence import Evidence  # noqa: PLC0415 - for who has failed
    from pellucid.trace.texts import Place  # noqa: PLC0415 - as above

    setattr(error, _EVIDENCE, Evidence(place=Place(host, port), state="START"))


def attach(error: BaseException, engine: ClientConnection | ServerConnection) -> None:
    """Let an exception that is about to be raised carry what is known of its connection."""
    if (
        isinstance(error, OSError)
        and not isinstance(error, BlockingIOError)
        and not hasattr(error, _EVIDENCE)
    ):
        setattr(error, _EVIDENCE, engine.evidence(error))
