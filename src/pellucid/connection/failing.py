"""What is known of a connection when it fails, for whoever asks why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pellucid.errors import Misuse, Reason, TLSError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pellucid.diagnosis import Circumstances, Diagnosis, Evidence
    from pellucid.driver import Driver
    from pellucid.handshake.flow import AnyHandshake
    from pellucid.identity import ServerName
    from pellucid.result import Negotiated

#: Of what came and is no record: enough to recognise what speaks there.
_FIRST_BYTES = 64


class Failing:
    """The part of ``Connection`` that keeps evidence."""

    _hs: AnyHandshake
    _driver: Driver
    _failure: TLSError | None
    negotiated: Negotiated | None

    #: Asked when the connection fails for what only the network knows: bytes, times, addresses. Drivers of
    #: ``pellucid.io`` set it.
    circumstances: Callable[[], Circumstances] | None = None

    #: Who the server is meant to be: a client knows.
    _server_name: ServerName | None = None

    def _fail(self, error: TLSError) -> None:
        raise NotImplementedError

    def _fail_with(self, error: BaseException) -> None:
        """Fail with what a call has raised. To be called while that is handled: of a bug, ours or a
        callback's, the caller gets a ``TLSError``, which is raised here.

        What is no ``Exception`` (Ctrl-C) is for the caller as it is. But the flow has stopped in the middle
        of a step, and nothing that comes later may be taken for the answer that it waits for.
        """
        if isinstance(error, TLSError):
            self._fail(error)
            return
        said = f"{type(error).__name__}: {error}".rstrip(": ")
        failure = Misuse(Reason.INTERNAL_ERROR, said)
        if not isinstance(error, Exception):
            self._fail(failure)
            return
        failure.__cause__ = error
        self._fail(failure)
        raise failure from error

    def evidence(self, error: BaseException) -> Evidence:
        """What is known now, for a failure that the network brings: of a ``TLSError`` it is in the error."""
        if self._failure is not None and self._failure.evidence is not None:
            return self._failure.evidence
        return self._gathered(error, *self._remains())

    def _remains(self) -> tuple[str, bytes]:
        """Where the handshake stands, and what was not read: the driver's stop forgets both."""
        return self._driver.state, self._driver.reader.unread(_FIRST_BYTES)

    def _diagnosed(self, error: TLSError) -> Diagnosis:
        """For a trace, which knows host and port, or will."""
        from pellucid.diagnosis import diagnosis_of  # noqa: PLC0415 - as below

        return diagnosis_of(error, error.evidence)

    def _gathered(self, error: BaseException, state: str, unread: bytes) -> Evidence:
        # Loaded by the first failure.
        from pellucid.driver.evidence import gather  # noqa: PLC0415

        return gather(
            self._hs,
            self._driver.notes,
            error,
            server_name=self._server_name,
            completed=self.negotiated is not None,
            state=state,
            unread=unread,
            circumstances=self.circumstances,
        )
