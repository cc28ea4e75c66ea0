"""Collecting events: a ``Trace`` holds the list, a ``TraceView`` records into it from one side.

    trace = Trace()
    client = ClientConnection(ClientConfig(trace=trace.view("client")), server_name="localhost")
    ...
    for event in trace.events: ...

Code that is traced pays one test of ``if trace:`` when there is no trace.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from pellucid.trace.events import (
    AlertEvent,
    CertificateEvent,
    CertificateSummary,
    CheckEvent,
    ChoiceEvent,
    DataEvent,
    Direction,
    Event,
    KeysEvent,
    MessageEvent,
    OutcomeEvent,
    RecordEvent,
    Redacted,
    SealedEvent,
    SecretEvent,
    Side,
    StateEvent,
    Status,
    UnreadEvent,
)
from pellucid.trace.explanations import explanation
from pellucid.trace.network import ClearLine, NetworkEvent, NetworkStep
from pellucid.trace.paths import CandidateSummary, PathsEvent, VerdictSummary
from pellucid.trace.texts import NOWHERE

if TYPE_CHECKING:
    from pellucid.trace.failure import Diagnosis
    from pellucid.trace.network import TrustSummary
    from pellucid.wire import Wire

__all__ = ["Trace", "TraceView"]

# Inputs of a derivation that are public wherever they occur. Any other bytes are taken for secret:
# a wrong name here leaks nothing, it only hides something.
PUBLIC_INPUTS = frozenset(
    {
        *("transcript_hash", "messages", "context", "label", "info", "length", "hash", "zeros"),
        *("client_share", "server_share", "our_share", "their_share", "peer_share"),
        *("client_random", "server_random", "nonce", "ticket_nonce"),
        *("clienthello.random", "serverhello.random", "session_hash"),
        # what RSA key exchange sends in the clear
        *("client_version", "encrypted_pre_master_secret"),
    }
)


class Trace:
    """A list of events, in the order in which they happened, of one side or of both.

    ``reveal_secrets`` keeps secrets in the clear: whoever holds such a trace can read the connection. Without
    it they are replaced by length and fingerprint at once, so that the trace does not hold them at all.
    ``clock`` gives seconds; only differences are used. ``started_at`` is when the recording began, in POSIX
    seconds; now, unless given. ``limit`` bounds record and data events together: a handshake has a few dozen,
    so 1,000 keeps the whole of it, while a download of gigabytes fills 16 MiB at most. ``dropped`` counts
    those not kept. ``place`` is where the server is, for the advice in a failure. ``trust`` is what
    the client trusts, where somebody has said it.
    """

    __slots__ = ("_clock", "_known", "_limit", "_numerous", "_start", "dropped", "events", "place",
                 "reveal_secrets", "started_at", "trust")  # fmt: skip

    def __init__(
        self,
        *,
        reveal_secrets: bool = False,
        clock: Callable[[], float] = time.perf_counter,
        started_at: float | None = None,
        limit: int = 1000,
    ) -> None:
        self.events: list[Event] = []
        self.reveal_secrets = reveal_secrets
        self.dropped = 0
        self.place = NOWHERE
        self.trust: TrustSummary | None = None
        self._clock = clock
        self._start = clock()
        self.started_at = time.time() if started_at is None else started_at
        self._limit = limit
        self._numerous = 0
        # Fingerprint -> name of the secrets seen, so that an input can be shown as the secret that it is.
        self._known: dict[Redacted, str] = {}

    def __repr__(self) -> str:
        return f"<Trace of {len(self.events)} events>"

    def view(self, side: Side) -> TraceView:
        """A recorder for one side. Both sides of a demo record into the same trace."""
        return TraceView(self, side)

    def stamp(self) -> tuple[int, int]:
        """Number and time (microseconds since the start) for the next event."""
        return len(self.events) + 1, int((self._clock() - self._start) * 1e6)

    def has_room(self) -> bool:
        """Whether one more of the numerous events (record, data) is kept; counts it either way."""
        if self._numerous < self._limit:
            self._numerous += 1
            return True
        self.dropped += 1
        return False

    def shown(self, value: bytes) -> bytes | Redacted:
        return bytes(value) if self.reveal_secrets else Redacted.of(value)

    def shown_input(self, name: str, value: str | bytes) -> str | bytes | Redacted:
        if isinstance(value, str):
            return value
        if name.lower().replace(" ", "_") in PUBLIC_INPUTS or not value.strip(b"\0"):
            return bytes(value)
        fingerprint = Redacted.of(value)
        return self._known.get(fingerprint) or self.shown(value)

    def remember(self, name: str, value: bytes) -> None:
        self._known.setdefault(Redacted.of(value), name)


class TraceView:
    """What one side records. Always true, so that ``if trace:`` reads as "is anybody watching"."""

    __slots__ = ("_add", "side", "trace")

    #: Whether who records is not that side, but reads a capture: then the checks are its own.
    is_onlooker: ClassVar[bool] = False

    def __init__(self, trace: Trace, side: Side) -> None:
        self.trace = trace
        self.side: Side = side
        self._add = trace.events.append

    def __repr__(self) -> str:
        return f"<TraceView of the {self.side}>"

    @property
    def reveals(self) -> bool:
        """Whether secrets are shown: what exists for that alone need not be computed otherwise."""
        return self.trace.reveal_secrets

    def record(
        self,
        *,
        direction: Direction,
        content_type: int,
        length: int,
        encrypted: bool,
        header: bytes,
        content_length: int = 0,
        raw: bytes = b"",
    ) -> None:
        """A record was put on or taken from the wire; see ``RecordEvent``."""
        if not self.trace.has_room():
            return
        n, time_us = self.trace.stamp()
        self._add(RecordEvent(n=n, time_us=time_us, side=self.side, direction=direction,
                              content_type=int(content_type), length=length, encrypted=encrypted,
                              header=bytes(header), content_length=content_length,
                              raw=bytes(raw)))  # fmt: skip

    def unread(self, *, raw: bytes) -> None:
        """The connection has ended, and these bytes were not taken for a record; see ``UnreadEvent``."""
        n, time_us = self.trace.stamp()
        self._add(UnreadEvent(n=n, time_us=time_us, side=self.side, raw=bytes(raw)))

    def message(
        self,
        *,
        direction: Direction,
        name: str,
        raw: bytes,
        encrypted: bool,
        epoch: str,
        cls: type[Wire] | None = None,
    ) -> None:
        """A whole handshake message, header included, was sent or received; see ``MessageEvent``."""
        n, time_us = self.trace.stamp()
        self._add(MessageEvent(n=n, time_us=time_us, side=self.side, direction=direction, name=name,
                               raw=bytes(raw), encrypted=encrypted, epoch=epoch, cls=cls))  # fmt: skip

    def secret(
        self,
        *,
        name: str,
        formula: str,
        inputs: Iterable[tuple[str, str | bytes]] = (),
        value: bytes,
        used_for: str = "",
    ) -> None:
        """A secret was derived. Bytes in ``inputs`` that are an earlier secret are shown as its name."""
        trace = self.trace
        shown = tuple((label, trace.shown_input(label, item)) for label, item in inputs)
        trace.remember(name, value)
        n, time_us = trace.stamp()
        self._add(SecretEvent(n=n, time_us=time_us, side=self.side, name=name, formula=formula, inputs=shown,
                              value=trace.shown(value), used_for=used_for))  # fmt: skip

    def keys(
        self,
        *,
        direction: Literal["read", "write"],
        epoch: str,
        cipher_suite: str,
        key: bytes,
        iv: bytes,
        mac_key: bytes = b"",
    ) -> None:
        """The keys of one direction were replaced; see ``KeysEvent``."""
        # CBC has no IV among its keys, all others no MAC key: there is nothing to hide.
        key_, iv_, mac_key_ = (self.trace.shown(part) if part else b"" for part in (key, iv, mac_key))
        n, time_us = self.trace.stamp()
        self._add(KeysEvent(n=n, time_us=time_us, side=self.side, direction=direction, epoch=epoch,
                            cipher_suite=cipher_suite, key=key_, iv=iv_, mac_key=mac_key_))  # fmt: skip

    def choice(
        self, *, what: str, ours: Iterable[str] = (), theirs: Iterable[str] = (), chosen: str, rule: str
    ) -> None:
        """Something was negotiated, or seen to have been chosen by the peer; see ``ChoiceEvent``."""
        n, time_us = self.trace.stamp()
        self._add(ChoiceEvent(n=n, time_us=time_us, side=self.side, what=what, ours=tuple(ours),
                              theirs=tuple(theirs), chosen=chosen, rule=rule))  # fmt: skip

    def check(self, *, what: str, expected: str | bytes, found: str | bytes, ok: bool) -> None:
        """Something was verified; record it before raising when it failed. Bytes are kept as hex."""
        n, time_us = self.trace.stamp()
        self._add(CheckEvent(n=n, time_us=time_us, side=self.side, what=what,
                             expected=expected if isinstance(expected, str) else expected.hex(),
                             found=found if isinstance(found, str) else found.hex(), ok=ok,
                             by_onlooker=self.is_onlooker))  # fmt: skip

    def certificate(self, *, whose: Side, path: Sequence[CertificateSummary], ok: bool) -> None:
        """The certificates of ``whose`` side were judged by this side; ``path`` from leaf to anchor."""
        n, time_us = self.trace.stamp()
        self._add(CertificateEvent(n=n, time_us=time_us, side=self.side, whose=whose, path=tuple(path),
                                   ok=ok, by_onlooker=self.is_onlooker))  # fmt: skip

    def paths(
        self,
        *,
        whose: Side,
        candidates: Iterable[CandidateSummary],
        verdicts: Iterable[VerdictSummary],
        differs: Iterable[str] = (),
        cut_short: bool = False,
    ) -> None:
        """The chain of ``whose`` side was explained; see ``PathsEvent``."""
        n, time_us = self.trace.stamp()
        self._add(PathsEvent(n=n, time_us=time_us, side=self.side, whose=whose, candidates=tuple(candidates),
                             verdicts=tuple(verdicts), differs=tuple(differs),
                             cut_short=cut_short, by_onlooker=self.is_onlooker))  # fmt: skip

    def network(
        self,
        *,
        what: NetworkStep,
        detail: str,
        began_us: int,
        ok: bool = True,
        lines: Iterable[ClearLine] = (),
    ) -> None:
        """A step before TLS has ended, which began at ``began_us`` of this trace; see ``NetworkEvent``."""
        n, time_us = self.trace.stamp()
        self._add(NetworkEvent(n=n, time_us=time_us, side=self.side, what=what, detail=detail,
                               duration_us=time_us - began_us, ok=ok, lines=tuple(lines)))  # fmt: skip

    def alert(self, *, direction: Direction, level: str, description: str, meaning: str = "") -> None:
        """An alert was sent or received; without ``meaning``, that of its explanation is taken."""
        if not meaning:
            found = explanation(f"alert:{description}")
            meaning = found.text if found else ""
        n, time_us = self.trace.stamp()
        self._add(AlertEvent(n=n, time_us=time_us, side=self.side, direction=direction, level=level,
                             description=description, meaning=meaning))  # fmt: skip

    def state(self, *, name: str) -> None:
        """The handshake is now in this state (RFC 9846 appendix A)."""
        n, time_us = self.trace.stamp()
        self._add(StateEvent(n=n, time_us=time_us, side=self.side, name=name))

    def data(self, *, direction: Direction, length: int) -> None:
        """So many bytes of application data were sent or received."""
        if not self.trace.has_room():
            return
        n, time_us = self.trace.stamp()
        self._add(DataEvent(n=n, time_us=time_us, side=self.side, direction=direction, length=length))

    def sealed(self, *, reason: str, detail: str) -> None:
        """From here on what this side sends cannot be read by who looks on; see ``SealedEvent``."""
        n, time_us = self.trace.stamp()
        self._add(SealedEvent(n=n, time_us=time_us, side=self.side, direction="sent", reason=reason,
                              detail=detail))  # fmt: skip

    def outcome(
        self,
        *,
        status: Status,
        protocol: str = "",
        cipher_suite: str = "",
        group: str = "",
        signature_scheme: str = "",
        alpn: str = "",
        resumed: bool = False,
        server_name: str = "",
        mutual: bool = False,
        failure: Diagnosis | None = None,
    ) -> None:
        """How it ended, and with "failed", why. {host} and {port} in its advice mean the trace's place."""
        n, time_us = self.trace.stamp()
        self._add(OutcomeEvent(n=n, time_us=time_us, side=self.side, status=status, protocol=protocol,
                               cipher_suite=cipher_suite, group=group, signature_scheme=signature_scheme,
                               alpn=alpn, resumed=resumed, server_name=server_name, mutual=mutual,
                               failure=failure))  # fmt: skip
