"""Running signers: a coroutine function for a blocking socket, and either kind for asyncio, where authorities
are asked in a thread, too.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from pellucid.events import SignatureWanted, StatusWanted

if TYPE_CHECKING:
    from pellucid.io.waiting import Deadline

_RUNNING_LOOP = "it is a coroutine function, and this thread runs an event loop already: use pellucid.aio"


def run_signer(wanted: SignatureWanted, deadline: Deadline) -> bytes | BaseException:
    """What a coroutine function gives, or what it raises, run in an event loop of its own.

    Raises ``TimeoutError`` when the deadline comes first; the coroutine is cancelled.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(_until(wanted, deadline))
    return RuntimeError(_RUNNING_LOOP)


async def _until(wanted: SignatureWanted, deadline: Deadline) -> bytes | BaseException:
    scope = asyncio.timeout(deadline.left())
    try:
        async with scope:
            return await signature_of(wanted)
    except TimeoutError as error:
        if scope.expired():
            raise deadline.expired("signing for the TLS handshake") from error
        return error  # the signer's own
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise  # it is Ctrl-C, and for the caller
        return error  # the signer's own
    except Exception as error:  # noqa: BLE001 - it is given to who asked
        return error


async def answer_to(wanted: SignatureWanted | StatusWanted) -> bytes | None:
    """The signature that is wanted; None once authorities have been asked, in a thread likewise."""
    if isinstance(wanted, SignatureWanted):
        return await signature_of(wanted)
    return await asyncio.to_thread(wanted.ask)


async def signature_of(wanted: SignatureWanted) -> bytes:
    """Ask the signer; a function that is not a coroutine function runs in a thread, so that nobody waits.

    The thread is one of the loop's default executor, and ends by itself: a function cannot be cancelled.
    """
    signer = wanted.credential.signer
    if signer is not None and not signer.waits:
        return await asyncio.to_thread(_called, wanted)
    return await cast("asyncio.Future[bytes]", wanted.sign())


def _called(wanted: SignatureWanted) -> bytes:
    try:
        return cast("bytes", wanted.sign())
    except StopIteration as error:
        # No future takes one, and Python 3.11 leaves who waits for it waiting.
        raise RuntimeError("it raised StopIteration") from error
