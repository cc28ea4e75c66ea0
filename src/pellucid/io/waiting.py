"""Deadlines on the monotonic clock, and waiting for one non-blocking socket until one.

Every blocking call of ``pellucid.io`` is a loop of "try, and if the socket is not ready, wait for what is
left of the time". So a timeout bounds the call as a whole: a peer that sends a byte now and then does not
extend it, as it would if each ``recv`` had the whole timeout for itself.
"""

import errno
import select
import socket
import time

__all__ = ["Deadline", "receive_some", "send_all", "wait_readable", "wait_writable"]

#: poll() counts milliseconds in a C int, which is 24 days: who waits longer looks at the clock in between.
LONGEST_WAIT_SECONDS = 86_400.0

# What is received at a time where little is expected.
_PIECE_BYTES = 16_384


class Deadline:
    """A moment after which a call gives up. ``Deadline(None)`` never comes; ``Deadline(0)`` has come."""

    __slots__ = ("at", "seconds")

    def __init__(self, seconds: float | None) -> None:
        self.seconds = seconds
        self.at = None if seconds is None else time.monotonic() + seconds

    def left(self) -> float | None:
        """Seconds until then (0.0 when it has come), or None when it never comes."""
        return None if self.at is None else max(0.0, self.at - time.monotonic())

    def check(self, what: str) -> float | None:
        """``left()``, or ``TimeoutError`` saying that ``what`` took too long."""
        left = self.left()
        if left == 0.0:
            raise self.expired(what)
        return left

    def expired(self, what: str) -> OSError:
        """What to raise: ``BlockingIOError`` if there was never any time, else ``TimeoutError``."""
        if self.seconds == 0:
            return BlockingIOError(errno.EAGAIN, f"{what} would block")
        return TimeoutError(f"{what} did not finish within {self.seconds:g} s")


def wait_readable(sock: socket.socket, deadline: Deadline, what: str) -> None:
    """Return when ``sock`` has data, its end or an error to read. Raises as ``Deadline.expired``."""
    _wait(sock, deadline, what, write=False)


def wait_writable(sock: socket.socket, deadline: Deadline, what: str) -> None:
    """Return when ``sock`` takes data again or has an error. Raises as ``Deadline.expired``."""
    _wait(sock, deadline, what, write=True)


def send_all(sock: socket.socket, data: bytes, deadline: Deadline, what: str) -> None:
    """Send all of ``data`` over a socket that does not block. Raises as ``Deadline.expired``, and OSError."""
    rest = memoryview(data)
    while rest:
        wait_writable(sock, deadline, what)
        try:
            rest = rest[sock.send(rest) :]
        except BlockingIOError:  # it was not ready after all
            continue


def receive_some(sock: socket.socket, deadline: Deadline, what: str) -> bytes:
    """What has arrived, once something has; b"" at the end. Raises as ``Deadline.expired``, and OSError."""
    while True:
        wait_readable(sock, deadline, what)
        try:
            return sock.recv(_PIECE_BYTES)
        except BlockingIOError:
            continue


def _descriptor(sock: socket.socket) -> int:
    descriptor = sock.fileno()
    if descriptor < 0:
        raise OSError(errno.EBADF, "the socket was closed meanwhile")
    return descriptor


if hasattr(select, "poll"):

    def _wait(sock: socket.socket, deadline: Deadline, what: str, *, write: bool) -> None:
        poll = select.poll()
        poll.register(_descriptor(sock), select.POLLOUT if write else select.POLLIN)
        left = deadline.check(what)
        while not poll.poll(None if left is None else min(left, LONGEST_WAIT_SECONDS) * 1000):
            left = deadline.check(what)

else:  # Windows, whose select() takes any number of socket

    def _wait(sock: socket.socket, deadline: Deadline, what: str, *, write: bool) -> None:
        sockets = [_descriptor(sock)]
        reading, writing = ([], sockets) if write else (sockets, [])
        left = deadline.check(what)
        while not any(select.select(reading, writing, sockets, left and min(left, LONGEST_WAIT_SECONDS))):
            left = deadline.check(what)
