"""A TCP connection on which TLS can begin, through a proxy and past STARTTLS, with blocking calls."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from pellucid.io.diagnosing import locate
from pellucid.io.dial import dial
from pellucid.io.waiting import receive_some, send_all
from pellucid.io.way import DIALOGUE, Way

if TYPE_CHECKING:
    from pellucid.io.waiting import Deadline
    from pellucid.preamble.talk import Steps
    from pellucid.trace import TraceView

__all__ = ["Way", "reach"]


def reach(way: Way, deadline: Deadline, view: TraceView | None) -> socket.socket:
    """A socket, which does not block, on which TLS can begin. Raises as ``dial`` and ``Way.dialogue``."""
    sock = _dial_first(way, deadline, view)
    try:
        _converse(sock, way.dialogue(view), deadline)
    except BaseException:
        sock.close()
        raise
    return sock


def _dial_first(way: Way, deadline: Deadline, view: TraceView | None) -> socket.socket:
    """Whoever fails to be reached is named: it may be the proxy."""
    host, port = way.first
    assert host is not None, "a connection that exists is not dialled"
    assert port is not None
    if way.proxy is None:
        return dial(host, port, deadline, view)
    try:
        return dial(host, port, deadline, view)
    except OSError as error:
        if isinstance(error, socket.gaierror):
            told: OSError = socket.gaierror(error.errno, f"the proxy {way.proxy}: {error.strerror}")
        else:
            text = f"no way to the proxy: {error.strerror or error}"
            told = type(error)(*([error.errno] if error.errno else []), text)
        locate(told, host, port)
        raise told from error


def _converse(sock: socket.socket, dialogue: Steps[None], deadline: Deadline) -> None:
    """Run a dialogue to its end; what goes wrong with the socket is thrown into it, and comes out as told."""
    try:
        wanted = next(dialogue)
        while True:
            try:
                if wanted is None:
                    answer = receive_some(sock, deadline, DIALOGUE)
                else:
                    answer = b""
                    send_all(sock, wanted, deadline, DIALOGUE)
            except OSError as error:
                wanted = dialogue.throw(error)
            else:
                wanted = dialogue.send(answer)
    except StopIteration:
        return
