"""Memory that bulk data passes through: borrowed for one call, then given back.

A fresh buffer for every 64 KiB costs more than the encryption of what is in it, and a buffer of its
own for every connection would make an idle one cost 80 KiB. So a few buffers serve all connections:
the code that seals or opens a run of records borrows one, copies the result out, and returns it.

What stays behind in a buffer is old plaintext of this process. Nobody reads it: a result is cut to
just the bytes that were written in that call.
"""

from pellucid.record.limits import MAX_CIPHERTEXT, MAX_FRAGMENT, MAX_RUN

# One a thread that seals or opens at the same moment is all that is ever used.
_MOST_KEPT = 4


class Workspace:
    """`out` holds a run of records, sealed or opened; `inner` a TLSInnerPlaintext on its way to be sealed."""

    __slots__ = ("inner", "out")

    def __init__(self) -> None:
        # The slack lets a record with padding be opened at the end of a full run.
        self.out = memoryview(bytearray(MAX_RUN + MAX_CIPHERTEXT - MAX_FRAGMENT))
        self.inner = memoryview(bytearray(MAX_FRAGMENT + 1))


_free: list[Workspace] = []


def borrow() -> Workspace:
    """A workspace that nobody else uses until it is given back."""
    # `pop` and `append` of a list are atomic, so threads share the list without a lock.
    try:
        return _free.pop()
    except IndexError:
        return Workspace()


def give_back(workspace: Workspace) -> None:
    """The caller keeps no view into `workspace`."""
    if len(_free) < _MOST_KEPT:
        _free.append(workspace)
