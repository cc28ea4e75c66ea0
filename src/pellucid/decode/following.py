"""One TCP connection of a capture: what comes before TLS, TLS, and how it ends."""

from __future__ import annotations

from dataclasses import dataclass

from pellucid.capture import Connection, Endpoint, How
from pellucid.decode.conversation import Conversation
from pellucid.decode.key_material import KeyMaterial
from pellucid.decode.outcome import Ending, tell_outcome
from pellucid.decode.prologue import Prologue, Start
from pellucid.decode.sessions import Sessions
from pellucid.decode.telling import Budget, Story
from pellucid.identity import TrustStore
from pellucid.printable import printable
from pellucid.trace import OutcomeEvent, SealedEvent, Trace
from pellucid.trace.events import Side
from pellucid.trace.fingerprints import Fingerprints, fingerprints
from pellucid.trace.summary import final_outcome
from pellucid.trace.texts import Place

__all__ = ["MAX_UNWANTED", "Decoded", "Following"]

#: Records of an established connection that are still read where nobody wants its story: an alert that ends
#: it all, as about the client's certificate, is among the first.
MAX_UNWANTED = 32


@dataclass(frozen=True, slots=True)
class Decoded:
    """One connection of a capture, when it has ended or the capture has.

    ``started_at``: POSIX seconds of its first packet. ``tls``: whether anybody spoke TLS; if not, the outcome
    says what the first bytes look like. ``bytes_from_*`` count the TCP streams. ``hellos``: JA3 and JA4 of
    each ClientHello that can be read. ``trace``: None where nobody wanted it.
    """

    number: int
    client: Endpoint
    server: Endpoint
    started_at: float
    duration_us: int
    tls: bool
    bytes_from_client: int
    bytes_from_server: int
    server_name: str
    outcome: OutcomeEvent | None
    sealed: tuple[SealedEvent, ...]
    hellos: tuple[Fingerprints, ...]
    trace: Trace | None


class Following:
    """Fed with what a connection's TCP streams tell; ``finish`` gives what came of it."""

    def __init__(
        self,
        connection: Connection,
        began_ns: int,
        *,
        keys: KeyMaterial,
        sessions: Sessions,
        trust: TrustStore | None,
        budget: Budget,
        wanted: bool | None,
        reveal_secrets: bool,
    ) -> None:
        self._connection = connection
        self._began_ns = began_ns
        self._wanted = wanted
        self._bytes: dict[Side, int] = {"client": 0, "server": 0}
        self._story = Story(began_ns, budget, reveal_secrets=reveal_secrets, skims=not wanted)
        self._conversation = Conversation(self._story, keys, sessions, trust)
        self._prologue: Prologue | None = Prologue(whole=connection.syn_seen)
        self._ending = Ending()
        self._settled_at: int | None = None
        self._is_counting = False  # and nothing else

    @property
    def now_ns(self) -> int:
        """When the last packet of it was captured."""
        return self._story.trace.now_ns

    def feed(self, side: Side, data: bytes, time_ns: int) -> None:
        """The next bytes of ``side``."""
        self._bytes[side] += len(data)
        self._story.at(time_ns)
        self._ending.speaks(side, time_ns)
        if self._is_counting:
            return
        if self._prologue is not None:
            self._before_tls(self._prologue, side, data)
            return
        self._conversation.feed(side, data)
        if not self._wanted:
            self._let_go()

    def miss(self, side: Side, length: int, time_ns: int) -> None:
        """Bytes of ``side`` are not in the capture."""
        self._bytes[side] += length
        self._story.at(time_ns)
        self._conversation.seen.missing.add(side)
        if self._is_counting:
            return
        if self._prologue is None:
            self._conversation.miss(side, length)
        elif (start := self._prologue.miss(side)) is not None:
            self._begin(start)

    def end(self, side: Side, time_ns: int) -> None:
        """``side`` sends nothing more."""
        self._story.at(time_ns)
        self._ending.closes(side)
        if self._prologue is None and not self._is_counting:
            self._conversation.end(side)

    def finish(
        self, how: How, side: Side | None, time_ns: int, lost: tuple[Side, ...] = ()
    ) -> Decoded | None:
        """The connection has ended, or nothing more is read of it. None where nobody wants to hear of it."""
        self._story.at(time_ns)
        conversation = self._conversation
        if self._prologue is not None and (start := self._prologue.finish()) is not None:
            self._begin(start)
        tls = self._prologue is None
        if tls and not self._is_counting:
            conversation.finish()
        self._ending.ends(how, side, time_ns, lost)
        tell_outcome(conversation, self._ending, self._prologue)
        conversation.watched.end()
        self._story.end()
        if self._wanted is None:
            return None
        trace = self._story.trace
        server = self._connection.server
        name = printable(conversation.watched.server_name) or server.address
        trace.place = Place(name, server.port)
        hellos = (fingerprints(raw) for raw in conversation.seen.hellos)
        return Decoded(
            number=self._connection.number,
            client=self._connection.client,
            server=self._connection.server,
            started_at=self._began_ns / 1e9,
            duration_us=(trace.now_ns - self._began_ns) // 1000,
            tls=tls,
            bytes_from_client=self._bytes["client"],
            bytes_from_server=self._bytes["server"],
            server_name=conversation.watched.server_name,
            outcome=final_outcome(trace.events),
            sealed=tuple(event for event in trace.events if isinstance(event, SealedEvent)),
            hellos=tuple(found for found in hellos if found is not None),
            trace=trace if self._wanted else None,
        )

    def _before_tls(self, prologue: Prologue, side: Side, data: bytes) -> None:
        start = prologue.feed(side, data)
        if start is not None:
            self._begin(start)
        elif prologue.is_over:
            self._is_counting = True

    def _begin(self, start: Start) -> None:
        """TLS begins with these bytes."""
        if self._prologue is not None:
            self._conversation.watched.from_start = self._prologue.whole
        self._prologue = None
        if not start.seen_from_start:
            side = "client" if start.client else "server"
            detail = f"What the capture has of the connection begins with a record of the {side}."
            self._conversation.seen.began_late = True
            self._conversation.watched.seal_both("no_client_hello", detail)
        if start.client:
            self._conversation.feed("client", start.client)
        if start.server:
            self._conversation.feed("server", start.server)

    def _let_go(self) -> None:
        """Once the handshake is over, all that is found out of an unwanted connection is how long it is."""
        conversation = self._conversation
        if not conversation.is_settled:
            return
        records = conversation.seen.records
        if self._settled_at is None:
            self._settled_at = records
        elif records - self._settled_at > MAX_UNWANTED:
            self._is_counting = True
            conversation.finish()
            self._story.forget()
