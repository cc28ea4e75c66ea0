"""From a host name to a TCP connection, within one deadline.

Addresses are tried as RFC 8305 ("Happy Eyeballs") proposes: in an order that alternates families, each
attempt starting when the one before it has failed or has had a quarter of a second. So a family that is
broken on the path costs 250 ms and not the whole timeout.
"""

from __future__ import annotations

import errno
import os
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Iterable
from concurrent.futures import Future
from itertools import chain, zip_longest
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from pellucid.io.diagnosing import locate
from pellucid.io.steps import network_step
from pellucid.io.waiting import LONGEST_WAIT_SECONDS, Deadline

if TYPE_CHECKING:
    from pellucid.trace import TraceView

# What RFC 8305 5 recommends.
ATTEMPT_DELAY_SECONDS = 0.25

# connect() in progress; Windows says EWOULDBLOCK
_UNDER_WAY = (errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EALREADY)


class Address(NamedTuple):
    """Where to connect: the two values that a socket is made and connected with."""

    family: int
    sockaddr: tuple[Any, ...]

    def __str__(self) -> str:
        host, port = self.sockaddr[:2]
        return f"[{host}]:{port}" if self.family == socket.AF_INET6 else f"{host}:{port}"


def resolve(host: str, port: int, deadline: Deadline, view: TraceView | None = None) -> list[Address]:
    """The TCP addresses of ``host``, families alternating. Raises ``socket.gaierror`` or ``TimeoutError``.

    ``view`` is told of a name that was looked up.

    The system's resolver cannot be interrupted, so a name (not an address) is looked up in a daemon
    thread, which is left to itself if the deadline comes first.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except (socket.gaierror, UnicodeError):
        with network_step(view, "name") as note:
            found = _look_up(host, port, deadline)
            note.detail = f"{host} is {', '.join(dict.fromkeys(str(address[4][0]) for address in found))}"
    addresses = [Address(family, sockaddr) for family, _, _, _, sockaddr in found]
    first = addresses[0].family
    ours = [address for address in addresses if address.family == first]
    others = [address for address in addresses if address.family != first]
    return [address for address in chain(*zip_longest(ours, others)) if address is not None]


def _look_up(host: str, port: int, deadline: Deadline) -> list[Any]:
    what = f"looking up the name {host!r}"
    answer: Future[list[Any]] = Future()

    def work() -> None:
        try:
            answer.set_result(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            answer.set_exception(error)

    left = deadline.check(what)
    threading.Thread(target=work, name="pellucid-resolve", daemon=True).start()
    try:
        return answer.result(left)
    except UnicodeError as error:  # a label that no domain name can have
        raise socket.gaierror(socket.EAI_NONAME, f"{host!r} is not a host name: {error}") from error
    except TimeoutError:
        if answer.done():  # the resolver's own ETIMEDOUT
            raise
        raise deadline.expired(what) from None


def dial(host: str, port: int, deadline: Deadline, view: TraceView | None = None) -> socket.socket:
    """A connected, non-blocking TCP socket; ``view`` is told of the steps to it.

    Raises ``socket.gaierror`` if the name has no address, and ``OSError`` (as precise a subclass as all
    failures share, ``TimeoutError`` when time ran out) that lists every address tried and what it said.
    """
    try:
        addresses = resolve(host, port, deadline, view)
        with network_step(view, "tcp") as note, _Race(host, port, addresses, deadline) as race:
            sock = race.run()
            tried = "".join(f"; {address}: {error.strerror}" for address, error in race.failures)
            note.detail = f"connected to {race.winner}{tried}"
            return sock
    except OSError as error:
        locate(error, host, port)
        raise


class _Race:
    """Connection attempts under way, of which the first to succeed is kept and the others are closed."""

    def __init__(self, host: str, port: int, addresses: Iterable[Address], deadline: Deadline) -> None:
        self.target = f"{host} port {port}"
        self.waiting = deque(addresses)
        self.deadline = deadline
        self.selector = selectors.DefaultSelector()
        self.under_way: dict[socket.socket, Address] = {}
        self.failures: list[tuple[Address, OSError]] = []
        self.winner: Address | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.selector.close()
        for sock in self.under_way:
            sock.close()

    def run(self) -> socket.socket:
        while self.waiting or self.under_way:
            if self.waiting and (winner := self._start(self.waiting.popleft())):
                return winner
            if self.under_way and (winner := self._settle()):
                return winner
        raise self._error()

    def _start(self, address: Address) -> socket.socket | None:
        """Begin one attempt; the socket if it succeeded at once."""
        try:
            sock = socket.socket(address.family, socket.SOCK_STREAM)
        except OSError as error:  # this machine has no such family
            self.failures.append((address, error))
            return None
        self.under_way[sock] = address
        sock.settimeout(0)
        code = sock.connect_ex(address.sockaddr)
        if code in _UNDER_WAY:
            self.selector.register(sock, selectors.EVENT_WRITE)
            return None
        return self._finish(sock, code)

    def _settle(self) -> socket.socket | None:
        """Wait until an attempt succeeds (that socket) or it is time to begin another (None)."""
        next_start = time.monotonic() + ATTEMPT_DELAY_SECONDS
        while self.under_way:
            left = self.deadline.left()
            if left == 0.0:
                raise self._error(timed_out=True)
            if self.waiting:
                pause = next_start - time.monotonic()
                if pause <= 0:
                    return None
                left = pause if left is None else min(left, pause)
            failed = False
            if left is not None:
                left = min(left, LONGEST_WAIT_SECONDS)
            for key, _ in self.selector.select(left):
                sock: socket.socket = key.fileobj  # type: ignore[assignment]  # registered as sockets
                self.selector.unregister(sock)
                if winner := self._finish(sock, sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)):
                    return winner
                failed = True
            if failed and self.waiting:
                return None
        return None

    def _finish(self, sock: socket.socket, code: int) -> socket.socket | None:
        address = self.under_way.pop(sock)
        if code == 0:
            self.winner = address
            return sock
        self.failures.append((address, OSError(code, os.strerror(code))))
        sock.close()
        return None

    def _error(self, *, timed_out: bool = False) -> OSError:
        tried = [f"{address}: {error.strerror}" for address, error in self.failures]
        tried += [f"{address}: no answer" for address in self.under_way.values()]
        tried += [f"{address}: not tried" for address in self.waiting]
        text = f"cannot connect to {self.target}: " + "; ".join(tried)
        if timed_out:
            return TimeoutError(f"{text} (within {self.deadline.seconds:g} s)")
        codes = {error.errno for _, error in self.failures}
        # OSError picks its subclass by errno: ConnectionRefusedError if that is what all addresses said
        return OSError(codes.pop(), text) if len(codes) == 1 else OSError(text)
