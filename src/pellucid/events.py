"""What ``receive_data`` tells its caller: a small vocabulary, in the order in which things happened."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from pellucid.codes import SignatureScheme
from pellucid.errors import Misuse, Reason
from pellucid.identity import Credential
from pellucid.result import Negotiated
from pellucid.sessions import Session


@dataclass(frozen=True, slots=True)
class HandshakeCompleted:
    """Both sides have proved who they are and that they saw the same handshake; data may flow."""

    negotiated: Negotiated


@dataclass(frozen=True, slots=True, init=False)
class DataReceived:
    """Application data, decrypted and authenticated; never empty."""

    data: bytes

    def __init__(self, data: bytes) -> None:
        _set_data(self, data)


# There may be one for every record. The slot's own setter takes two thirds of the time of the `__init__` that
# a frozen dataclass makes for itself.
_set_data = vars(DataReceived)["data"].__set__


@dataclass(frozen=True, slots=True)
class SessionReceived:
    """The server gave a ticket: the session store, if there is one, holds it already."""

    session: Session


@dataclass(frozen=True, slots=True)
class KeyUpdated:
    """The peer took its next key; ``answered`` if it asked for ours to change as well."""

    answered: bool


@dataclass(frozen=True, slots=True)
class PeerClosed:
    """The peer sent close_notify: all that it sent has arrived. Sending is still possible."""


@dataclass(frozen=True, slots=True)
class SignatureWanted:
    """The handshake waits for a signature of ``data`` by ``scheme``, with the key of ``credential``.

    ``Connection.provide_signature`` takes it, ``refuse_signature`` the reason why there is none. ``data`` is
    what is to be signed, and not a hash of it; ``tls12``: it is a handshake of TLS 1.2.
    """

    credential: Credential
    scheme: SignatureScheme
    data: bytes = field(repr=False)
    tls12: bool = False

    def sign(self) -> bytes | Awaitable[bytes]:
        """Ask the credential's function. Gives what it gives: an awaitable, of a coroutine function."""
        if self.credential.signer is None:
            raise Misuse(Reason.INTERNAL_ERROR, "the credential has its key, and signs by itself")
        return self.credential.signer.function(self.scheme, self.data)


class StatusWanted:
    """The handshake waits until authorities have been asked whether the peer's certificates are still good.

    Told where ``Connection.defers_status`` asks for that. ``ask`` takes its time, and may be called in any
    thread; then ``Connection.take_status`` goes on.
    """

    __slots__ = ("_answer", "_check", "_tell")

    def __init__(self, check: Callable[[], float], tell: Callable[[], None]) -> None:
        """``check`` gives until when the answer holds; ``tell`` tells the trace what was found."""
        self._check, self._tell = check, tell
        self._answer: float | Exception | None = None

    @property
    def asked(self) -> bool:
        """Whether there is an answer, or a reason why there is none."""
        return self._answer is not None

    def ask(self) -> None:
        """Call the configuration's ``revocation_source`` as often as need be. Raises nothing: what it raises,
        and a verdict against the peer, is for the handshake.
        """
        try:
            self._answer = self._check()
        except Exception as error:  # noqa: BLE001 - raised by ``result``
            self._answer = error

    def refuse(self, why: BaseException | str) -> None:
        """Nobody can be asked, for this reason, which ends the handshake."""
        said = why if isinstance(why, str) else f"{type(why).__name__}: {why}".rstrip(": ")
        self._answer = Misuse(Reason.INTERNAL_ERROR, f"authorities could not be asked: {said}")

    def result(self) -> float:
        """For the connection: until when the answer holds (POSIX seconds), or what ``ask`` met with, raised.
        What was found is told to the trace, so this is for the connection's thread.
        """
        self._tell()
        if isinstance(self._answer, Exception):
            raise self._answer
        assert self._answer is not None
        return self._answer


Event = (
    HandshakeCompleted
    | DataReceived
    | SessionReceived
    | KeyUpdated
    | PeerClosed
    | SignatureWanted
    | StatusWanted
)
