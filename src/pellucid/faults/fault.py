"""One fault: what is wrong, what a client is to find, and how the server is made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from pellucid.alerts import ALERTS
from pellucid.errors import Reason
from pellucid.faults.bench import Bench
from pellucid.faults.peers import Peer

__all__ = ["Fault", "Prepare", "broken", "detected", "refused", "rejected"]

#: Makes, once, what all connections share, and gives the function that makes a peer for each of them.
Prepare = Callable[[Bench], Callable[[], Peer]]
#: What a client's configuration needs besides the root, for it to meet the fault.
Needs = Callable[[Bench], dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One way to fail.

    id          stable; most are the id of the cause
    what        what is wrong, for people
    cause       the id of what is wrong; ``diagnosis``, the id by which a client that sees this one connection
                can name it, where that is less
    alert       what goes over the wire, and ``direction``, as the client sees it; None where nothing does
    exit_code   of ``pellucid connect``
    completes   the client may hold the handshake complete, and is right
    needs       what a client has to do to meet it; "" where every client does. ``client`` is the same as
                settings of a ``ClientConfig``
    """

    id: str
    what: str
    cause: str
    diagnosis: str
    alert: str | None
    direction: Literal["sent", "received"] | None
    exit_code: int
    prepare: Prepare
    completes: bool = False
    needs: str = ""
    client: Needs = lambda _bench: {}


def rejected(identifier: str, what: str, prepare: Prepare, **more: Any) -> Fault:
    """The client does not accept the server's certificate, and says why."""
    more.setdefault("exit_code", 5)
    return detected(identifier, what, prepare, **more)


def detected(identifier: str, what: str, prepare: Prepare, *, diagnosis: str = "", **more: Any) -> Fault:
    """The client finds the fault, and says so with the alert that belongs to it."""
    found = diagnosis or identifier
    alert = ALERTS[Reason(found)]
    usual: dict[str, Any] = {"alert": str(alert), "direction": "sent", "exit_code": 4}
    return _fault(identifier, what, prepare, found, usual | more)


def refused(
    identifier: str, what: str, prepare: Prepare, *, alert: str, diagnosis: str = "", **more: Any
) -> Fault:
    """The server ends the handshake with an alert. Unless it is given, the cause is the fault's own id."""
    usual: dict[str, Any] = {"alert": alert, "direction": "received", "exit_code": 4, "cause": identifier}
    return _fault(identifier, what, prepare, diagnosis or identifier, usual | more)


def broken(identifier: str, what: str, prepare: Prepare, *, diagnosis: str = "", **more: Any) -> Fault:
    """Nobody says anything: the connection ends, stays silent, or is something else altogether."""
    usual: dict[str, Any] = {"alert": None, "direction": None}
    return _fault(identifier, what, prepare, diagnosis or identifier, usual | more)


def _fault(identifier: str, what: str, prepare: Prepare, diagnosis: str, rest: dict[str, Any]) -> Fault:
    rest = {"cause": diagnosis} | rest
    return Fault(id=identifier, what=what, prepare=prepare, diagnosis=diagnosis, **rest)
