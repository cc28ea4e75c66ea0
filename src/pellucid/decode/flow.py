"""What the flows that look on have in common: what is known of a connection, and how they hear messages.

A flow is a generator that reads like the RFC's figure, as those in `handshake` do. It takes no side: it
waits for what one side or the other says, in the order of the protocol, however the packets lie.

    hello = yield from heard(watched, "client", "START", ClientHello)
    server_hello = yield from heard(watched, "server", "WAIT_SH", ServerHello, HelloRetryRequest)
    watched.install("server", opener, "handshake")
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, overload

from pellucid.handshake.certificate_types import CertificateTypes
from pellucid.keys import Transcript
from pellucid.messages import ChangeCipherSpec, ClientHello, HandshakeMessage
from pellucid.plain import plain
from pellucid.trace.events import Side, other_side

if TYPE_CHECKING:
    from pellucid.codes import ProtocolVersion
    from pellucid.decode.certificates import Judgement
    from pellucid.decode.key_material import KeyMaterial
    from pellucid.decode.sessions import Sessions
    from pellucid.decode.speaker import Opens, Speaker
    from pellucid.decode.telling import Story
    from pellucid.identity import TrustStore
    from pellucid.trace import TraceView

__all__ = ["Flow", "Hear", "Heard", "Kind", "Unheard", "Watched", "heard", "heard_any"]

T = TypeVar("T")
A = TypeVar("A", bound=HandshakeMessage | ChangeCipherSpec)
B = TypeVar("B", bound=HandshakeMessage | ChangeCipherSpec)

#: Either kind of what a flow may wait for.
Kind = type[HandshakeMessage] | type[ChangeCipherSpec]


class Unheard(Exception):
    """What a flow waits for does not come: ``side`` is closed to us, has ended, or says something else.

    It is thrown into the flow, which may go on with the other side. It is no fault of the connection's.
    """

    def __init__(self, side: Side) -> None:
        super().__init__(f"no more is heard from the {side}")
        self.side: Side = side


@plain
class Hear:
    """Wait for a message of these kinds from these sides; answered by the side and the message.

    ``before`` is called with both before the message is told: what its sender made first is told first.
    """

    expected: Mapping[Side, tuple[Kind, ...]]
    before: Callable[[Side, Any], None] | None = None


Heard = tuple[Side, Any]
Flow = Generator[Hear, Heard, T]


class Watched:
    """What is known of one connection by who looks on, and what a flow can do about it.

    ``keys``, ``sessions`` and ``trust`` are shared by all connections of a capture. ``agreed`` becomes the
    outcome, by the names of ``OutcomeEvent``.
    """

    def __init__(
        self,
        story: Story,
        speakers: Mapping[Side, Speaker],
        keys: KeyMaterial,
        sessions: Sessions,
        trust: TrustStore | None,
    ) -> None:
        self._story = story
        self._speakers = speakers
        self.keys = keys
        self.sessions = sessions
        self.trust = trust
        self.transcript = Transcript()
        #: Whether the transcript has every message so far: without one of them no Finished can be checked.
        self.whole = True
        #: The last ClientHello.
        self.hello: ClientHello | None = None
        self.version: ProtocolVersion | None = None
        self.agreed: dict[str, Any] = {}
        #: Whether each side shows certificates or its key alone.
        self.types = CertificateTypes()
        #: What was found of the certificates of each side.
        self.judged: dict[Side, Judgement] = {}
        #: Whether what came before the first message is known: without, there may have been more of them.
        self.from_start = True
        #: For whom the handshake is complete, as far as that shows; and whose Finished does not fit it.
        self.connected_sides: set[Side] = set()
        self.refuted: set[Side] = set()
        #: Whether all messages of the handshake were heard.
        self.is_heard_out = False
        self._gone_on: set[Side] = set()
        # 0-RTT: whether the client wants to send data at once, whether we can read it, and whether the server
        # takes it.
        self.offers_early_data = self.hears_early_data = self.takes_early_data = False
        #: How much was read before that was known.
        self.early_data_bytes = 0
        self._waiting: dict[Side, list[Callable[[], object]]] = {"client": [], "server": []}

    @property
    def client_random(self) -> bytes:
        return self.hello.random if self.hello else b""

    @property
    def server_name(self) -> str:
        """The name that the client asks for; "" where it asks for none."""
        name: str = self.agreed.get("server_name", "")
        return name

    @property
    def skims(self) -> bool:
        """Whether nobody reads more than how it ended: what is made for the story alone need not be made."""
        return self._story.skims

    def explains(self) -> bool:
        """Whether there is room to explain a refused chain."""
        return self._story.explains()

    @property
    def now(self) -> float:
        """POSIX seconds: when the packet was captured that is being read."""
        return self._story.now

    def view(self, side: Side) -> TraceView:
        """What ``side`` records into. What the listener does waits until the speaker has finished."""
        return self._story.view(side)

    def install(self, side: Side, opener: Opens, epoch: str, *, skips: bool = False) -> None:
        """From the next record on, open what ``side`` sends with ``opener``.

        ``skips``: records that it does not open are passed over until the first one that it does, as those
        of early data.
        """
        self._speakers[side].install(opener, epoch, skips=skips)

    def let_run(self, side: Side) -> None:
        """Data of ``side`` may be read while the flow waits for the other side."""
        self._speakers[side].runs = True

    def seal(self, side: Side, reason: str, detail: str) -> None:
        """What ``side`` sends from here on stays closed; ``detail`` is a sentence. Once is enough."""
        speaker = self._speakers[side]
        if speaker.sealed is None:
            speaker.sealed = reason
            self._story.seal(side, reason, detail)

    def seal_from_next(self, side: Side, reason: str, detail: str) -> None:
        """The same from the first protected record on, if one comes; what is not protected is still heard."""
        self._speakers[side].close(reason, detail)

    def seal_both(self, reason: str, detail: str) -> None:
        self.seal("client", reason, detail)
        self.seal("server", reason, detail)

    def is_sealed(self, side: Side) -> bool:
        return self._speakers[side].sealed is not None

    def tell_when_heard(self, side: Side, tell: Callable[[], object]) -> None:
        """Call ``tell`` when ``side`` is heard next, before its message: by going on it shows what it did.

        Who looks on knows what a side ought to do with what it is sent, but not whether it does: it may have
        given up.
        """
        self._waiting[side].append(tell)

    def tell_behind(self, side: Side, tell: Callable[[], object]) -> None:
        """Call ``tell`` behind what waits for ``side`` to be heard; at once, where nothing does."""
        if self._waiting[side]:
            self._waiting[side].append(tell)
        else:
            tell()

    def is_heard(self, side: Side) -> None:
        """``side`` goes on: tell what has waited for that."""
        waiting, self._waiting[side] = self._waiting[side], []
        for tell in waiting:
            tell()

    def end(self) -> None:
        """What still waits for a side to go on is never told. (It holds on to this object, too.)"""
        for waiting in self._waiting.values():
            waiting.clear()

    @property
    def is_connected(self) -> bool:
        """Whether the handshake is complete for both sides."""
        return len(self.connected_sides) == 2

    def goes_on(self, side: Side) -> None:
        """``side`` says something under protection: behind the handshake, it has accepted that."""
        if not self.is_heard_out or self.is_connected:
            return
        self._gone_on.add(side)
        sides: tuple[Side, Side] = ("client", "server")
        for each in sides:
            other_is_there = other_side(each) in self.connected_sides | self._gone_on
            if each in self._gone_on - self.connected_sides and other_is_there:
                self.connected(each)
                self.view(each).state(name="CONNECTED")

    def connected(self, side: Side) -> None:
        """For ``side`` the handshake is complete: its outcome, as ``agreed``."""
        self.connected_sides.add(side)
        self._story.outcome(side, status="connected", **self.agreed)


@overload
def heard(
    w: Watched,
    side: Side,
    state: str,
    a: type[A],
    /,
    *,
    hashed: bool = True,
    before: Callable[[Side, Any], None] | None = None,
) -> Flow[A]: ...
@overload
def heard(
    w: Watched, side: Side, state: str, a: type[A], b: type[B], /, *, hashed: bool = True
) -> Flow[A | B]: ...
@overload
def heard(
    w: Watched,
    side: Side,
    state: str,
    /,
    *expected: Kind,
    hashed: bool = True,
    before: Callable[[Side, Any], None] | None = None,
) -> Flow[Any]: ...
def heard(
    w: Watched,
    side: Side,
    state: str,
    /,
    *expected: type[Any],
    hashed: bool = True,
    before: Callable[[Side, Any], None] | None = None,
) -> Flow[Any]:
    """The next message of ``side``, which is one of these kinds; ``state`` is that of who waits for it.

    It is told on both sides and joins the transcript, unless ``hashed`` is False. ``before``: see `Hear`.
    Raises ``Unheard``.
    """
    if state:
        w.view(other_side(side)).state(name=state)

    def goes_on(side: Side, message: Any) -> None:
        w.is_heard(side)
        if before is not None:
            before(side, message)

    _, message = yield Hear({side: expected}, goes_on)
    if hashed and isinstance(message, HandshakeMessage):
        w.transcript.add(message.raw)
    return message


def heard_any(
    w: Watched,
    expected: Mapping[Side, tuple[Kind, ...]],
    *,
    before: Callable[[Side, Any], None] | None = None,
) -> Flow[Heard]:
    """The next message of whichever side; it joins no transcript. Raises ``Unheard`` when both have ended."""
    del w  # as `heard` has it
    return (yield Hear(expected, before))
