"""Running signers: a coroutine function for a blocking socket, and either kind for asyncio."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from pellucid.events import SignatureWanted
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
    except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - it is given to who asked
        return error


async def signature_of(wanted: SignatureWanted) -> bytes:
    """Ask the signer; a function that is not a coroutine function runs in a thread, so that nobody waits.

    The thread is one of the loop's default executor, and ends by itself: a function cannot be cancelled.
    """
    signer = wanted.credential.signer
    if signer is not None and not signer.waits:
        return cast("bytes", await asyncio.to_thread(wanted.sign))
    return await cast("asyncio.Future[bytes]", wanted.sign())
