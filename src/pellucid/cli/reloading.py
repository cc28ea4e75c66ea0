"""``pellucid serve`` reads its files again when it gets SIGHUP, the signal by which servers are told to."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Self

import click

from pellucid.cli.serving_settings import Wish, from_files
from pellucid.codes import CertificateType
from pellucid.config import ReloadableConfig, ServerConfig
from pellucid.errors import TLSError
from pellucid.identity import Credential
from pellucid.identity.pem import parse_certificate
from pellucid.trace import summary_of

if TYPE_CHECKING:
    from pellucid.cli.output import Output

__all__ = ["Files", "on_hangup"]


class Files:
    """What a server has read, and reads again. A context manager, which ends what goes with it."""

    def __init__(self, wish: Wish) -> None:
        self.wish = wish
        # Of the files as they were last read: such as who fetches OCSP responses for the certificate.
        self._resources = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._resources.close()

    def read(self) -> dict[str, Any]:
        """For the first time. Raises ``TLSError``, ``OSError``."""
        return from_files(self.wish, self._resources.enter_context)

    def read_again(self, config: ReloadableConfig, output: Output) -> None:
        """Give new connections what the files say now; tells how that went. Where they are bad, all stays."""
        if not (self.wish.cert or self.wish.client_ca or self.wish.raw_key or self.wish.client_keys):
            output.warn("SIGHUP: there is nothing to read again; --cert and --key name files")
            return
        fresh = ExitStack()
        try:
            current = config.reload(**from_files(self.wish, fresh.enter_context))
        except (TLSError, OSError, click.ClickException) as error:
            fresh.close()
            output.warn(f"SIGHUP: the files are bad, and what was read before stays: {error}")
            return
        former, self._resources = self._resources, fresh
        former.close()
        output.announce(f"read again, for new connections: {_told(current)}")


def _told(config: ServerConfig) -> str:
    shown = [_shown(credential) for credential in config.credentials]
    if config.trust is not None:
        shown.append("and who is let in as a client")
    return "; ".join(shown)


def _shown(credential: Credential) -> str:
    if credential.certificate_type is CertificateType.RawPublicKey:
        return credential.subject
    leaf = summary_of(parse_certificate(credential.chain[0], "the certificate"))
    return f"certificate {leaf.subject}, until {leaf.not_after}"


@contextmanager
def on_hangup(action: Callable[[], None], otherwise: Callable[[], None]) -> Iterator[None]:
    """Call ``action`` whenever SIGHUP comes, and ``otherwise`` where it cannot say how that went. Both are
    called in a thread, one call at a time.

    Not in the handler: that runs wherever the main thread is, which may be in the middle of a line of output.
    Nothing is done where there is no such signal, in a thread other than the main one, or if whoever started
    us has it ignored (nohup).
    """
    number = getattr(signal, "SIGHUP", None)
    main = threading.current_thread() is threading.main_thread()
    if number is None or not main or signal.getsignal(number) is signal.SIG_IGN:
        yield
        return
    asked: SimpleQueue[bool] = SimpleQueue()  # unlike others, its put() may interrupt itself

    def work() -> None:
        while asked.get():
            try:
                action()
            except OSError:
                # There is nobody to tell: the terminal is gone, which is the other thing that SIGHUP means.
                otherwise()
            except Exception as error:  # noqa: BLE001 - told as of any thread, and what comes next is answered
                told = type(error), error, error.__traceback__, thread
                threading.excepthook(threading.ExceptHookArgs(told))

    thread = threading.Thread(target=work, name="pellucid-reload", daemon=True)
    thread.start()
    before = signal.signal(number, lambda *_: asked.put(True))
    try:
        yield
    finally:
        signal.signal(number, before)
        asked.put(False)
        thread.join()
