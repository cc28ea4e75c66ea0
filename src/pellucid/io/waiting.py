"""Deadlines on the monotonic clock, and waiting for one non-blocking socket until one.

Every blocking call of ``pellucid.io`` is a loop of "try, and if the socket is not ready, wait for what is
left of the time". So a timeout bounds the call as a whole: a peer that sends a byte now and then does not
extend it, as it would if each ``recv`` had the whole timeout for itself.
"""

import errno
import select
import socket
import time

__all__ = ["Deadline", "wait_readable", "wait_writable"]


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


def _descriptor(sock: socket.socket) -> int:
    descriptor = sock.fileno()
    if descriptor < 0:
        raise OSError(errno.EBADF, "the socket was closed meanwhile")
    return descriptor


if hasattr(select, "poll"):

    def _wait(sock: socket.socket, deadline: Deadline, what: str, *, write: bool) -> None:
        left = deadline.check(what)
        poll = select.poll()
        poll.register(_descriptor(sock), select.POLLOUT if write else select.POLLIN)
        if not poll.poll(None if left is None else left * 1000):
            raise deadline.expired(what)

else:  # Windows, whose select() takes any number of socket

    def _wait(sock: socket.socket, deadline: Deadline, what: str, *, write: bool) -> None:
        left = deadline.check(what)
        sockets = [_descriptor(sock)]
        reading, writing = ([], sockets) if write else (sockets, [])
        if not any(select.select(reading, writing, sockets, left)):
            raise deadline.expired(what)
