"""One TLS connection that is watched: its two speakers, the story that is told of it, and the flow.

The flow says what it waits for; bytes are taken from that side, record by record, until it is there. What
is no handshake message (data, alerts, records that stay closed) is told on the way. When the flow has ended,
for whatever reason, the rest of both sides is told all the same.
"""

from __future__ import annotations

from typing import Any, ClassVar

from pellucid.codes import AlertDescription, AlertLevel, ContentType, ProtocolVersion
from pellucid.decode.early_data import EPOCH as EARLY_DATA
from pellucid.decode.flow import Flow, Hear, Heard, Unheard, Watched
from pellucid.decode.hellos import flow, note_answer
from pellucid.decode.key_material import KeyMaterial
from pellucid.decode.seen import Seen
from pellucid.decode.sessions import Sessions
from pellucid.decode.speaker import NotARecord, ObservedRecord, RecordStream, Speaker
from pellucid.decode.telling import Story
from pellucid.errors import TLSError
from pellucid.identity import TrustStore
from pellucid.messages import TLS12_MESSAGES, ChangeCipherSpec, ServerHello, message_class, message_name
from pellucid.record import HandshakeJoiner
from pellucid.record.first_bytes import likeness
from pellucid.record.limits import MAX_RUN
from pellucid.trace.events import Side, other_side

__all__ = ["MAX_BUFFERED", "Conversation"]

#: Bytes of one side that wait while the other is waited for. A client may send early data meanwhile, of which
#: servers take 16 KiB; otherwise nobody has anything to say before he is answered.
MAX_BUFFERED = 2**17

#: RFC 5246 7.4.1.1: a server may send it at any time, and it is no part of the handshake.
_HELLO_REQUEST = b"\0\0\0\0"

_HANDSHAKE = int(ContentType.handshake)
_ALERT = int(ContentType.alert)
_CHANGE_CIPHER_SPEC = int(ContentType.change_cipher_spec)
_APPLICATION_DATA = int(ContentType.application_data)


class Conversation:
    """Fed with what both sides sent, tells the story. ``seen`` has what shows without any key."""

    def __init__(self, story: Story, keys: KeyMaterial, sessions: Sessions, trust: TrustStore | None) -> None:
        self.story = story
        self.seen = Seen()
        self._speakers: dict[Side, Speaker] = {"client": Speaker("client"), "server": Speaker("server")}
        self.watched = Watched(story, self._speakers, keys, sessions, trust)
        self._flow: Flow[None] | None = flow(self.watched)
        self._waiting: Hear | None = next(self._flow)
        self._change_cipher_spec: tuple[Speaker, ObservedRecord] | None = None

    @property
    def is_settled(self) -> bool:
        """Whether the handshake is over, or what is left of it stays closed."""
        return self.watched.is_connected or all(speaker.sealed for speaker in self._speakers.values())

    # -- what comes from the network

    def feed(self, side: Side, data: bytes) -> None:
        """The next bytes that ``side`` sent."""
        speaker = self._speakers[side]
        speaker.feed(data)
        self._run(side)
        if speaker.records.buffered > MAX_BUFFERED or not self._may_hold():
            self._lose(
                speaker,
                "not_followed",
                f"The {side} has sent {speaker.held:,} bytes that wait for more of them, or for the "
                f"{other_side(side)} to answer what came before.",
            )
            self._may_hold()
            self._run(side)

    def miss(self, side: Side, length: int) -> None:
        """So many bytes that ``side`` sent are not in the capture."""
        speaker = self._speakers[side]
        if not speaker.is_lost:
            place = speaker.offset
            detail = (
                f"{length:,} bytes behind the first {place:,} that the {side} sent are not in the capture."
            )
            self._lose(speaker, "bytes_missing", detail)
        speaker.offset += length
        self._run(side)

    def end(self, side: Side) -> None:
        """``side`` sends nothing more."""
        self._speakers[side].ended = True
        self._run(side)

    def finish(self) -> None:
        """Nothing more comes of either. What is left over is told as unread."""
        for speaker in self._speakers.values():
            speaker.ended = True
        self._run("client")
        self._stop()
        self._run("client")
        for side, speaker in self._speakers.items():
            if speaker.records.buffered and not speaker.is_lost:
                self.story.speaks(side)
                self.story.view(other_side(side)).unread(raw=speaker.records.unread(MAX_RUN))
        self.story.finish_flight()

    def _may_hold(self) -> bool:
        return self.story.hold(sum(speaker.held for speaker in self._speakers.values()))

    # -- running

    def _run(self, side: Side) -> None:
        """Go on as far as there is something to go on with. What has waited for longer comes first."""
        order = (self._speakers[other_side(side)], self._speakers[side])
        while self._step(order):
            pass

    def _step(self, order: tuple[Speaker, Speaker]) -> bool:
        """Whether there was a step to take."""
        waiting = self._waiting
        if waiting is None:
            return any(self._read(speaker) or self._tell_rest(speaker) for speaker in order)
        awaited = [speaker for speaker in order if speaker.side in waiting.expected]
        if all(speaker.sealed for speaker in awaited):
            self._throw(awaited[0].side)
            return True
        for speaker in order:
            if speaker.side in waiting.expected:
                if self._hear(speaker, waiting) or self._read(speaker):
                    return True
            elif self._may_run(speaker) and self._read(speaker):
                return True
        if all(speaker.sealed or speaker.ended for speaker in awaited):
            self._throw(awaited[0].side)
            return True
        return False

    def _may_run(self, speaker: Speaker) -> bool:
        """Whether a record of ``speaker`` may be read while the other side is waited for."""
        if speaker.sealed is not None:
            return True  # nobody waits for what is in it, and it is told where it stands
        if speaker.joiner.pending:
            return False
        # RFC 9846 E.4: it may stand anywhere, and means nothing; it is told where it stands.
        stray = self.watched.version is ProtocolVersion.TLSv1_3
        return speaker.runs or (stray and speaker.records.begins_with(_CHANGE_CIPHER_SPEC))

    def _send(self, answer: Heard) -> None:
        assert self._flow is not None
        try:
            self._waiting = self._flow.send(answer)
        except (StopIteration, Unheard):
            self._flow = self._waiting = None

    def _throw(self, side: Side) -> None:
        assert self._flow is not None
        try:
            self._waiting = self._flow.throw(Unheard(side))
        except (StopIteration, Unheard):
            self._flow = self._waiting = None

    def _stop(self) -> None:
        """What the flow waits for will not come; it may have something to tell of that."""
        while self._waiting is not None:
            self._throw(next(iter(self._waiting.expected)))

    def _lose(self, speaker: Speaker, reason: str, detail: str) -> None:
        """Nothing more of ``speaker`` can be read."""
        self.watched.seal(speaker.side, reason, detail)
        speaker.is_lost = True
        speaker.records = RecordStream()
        speaker.joiner = HandshakeJoiner()
        speaker.joined = 0

    # -- records

    def _read(self, speaker: Speaker) -> bool:
        """Take the next record of ``speaker``, and tell what is in it; whether there was one."""
        try:
            record = speaker.next()
        except NotARecord:
            self._refuse(speaker)
            return True
        if record is None:
            return False
        side = speaker.side
        self.story.speaks(side)
        if record.fault:
            # Told before the record, which is the first that stays closed.
            self.watched.seal(side, "wrong_secrets", _did_not_open(speaker, record))
        elif record.is_closed and speaker.why_closed is not None:
            self.watched.seal(side, *speaker.why_closed)
        if self.seen.record(side, record):
            self.watched.goes_on(side)
        if record.content_type == _APPLICATION_DATA:
            self._on_data(speaker, record)
            return True
        self.story.record(side, record)
        if not record.is_closed and record.content_type in self._ON_RECORD:
            self._ON_RECORD[record.content_type](self, speaker, record)
        return True

    def _refuse(self, speaker: Speaker) -> None:
        """What stands where a record should begin is none."""
        side = speaker.side
        rest = speaker.records.unread(MAX_RUN)
        self.story.speaks(side)
        self.story.view(other_side(side)).unread(raw=rest)
        if side not in self.seen.spoke:
            self.seen.not_tls[side] = rest[:64]
        place = speaker.offset - speaker.records.buffered
        where = f"Behind {place:,} bytes of TLS the {side} sends" if place else f"The {side} sends"
        self._lose(speaker, "not_tls_records", f"{where} {likeness(rest)}.")

    def _on_handshake(self, speaker: Speaker, record: ObservedRecord) -> None:
        speaker.join(record.content)
        speaker.is_encrypted = record.encrypted

    def _on_data(self, speaker: Speaker, record: ObservedRecord) -> None:
        # Whether the server takes early data is not known before it says so.
        is_received = speaker.epoch != EARLY_DATA or self.watched.takes_early_data
        if not is_received:
            self.watched.early_data_bytes += len(record.content)
        self.story.data(speaker.side, record, is_received=is_received)

    def _on_change_cipher_spec(self, speaker: Speaker, record: ObservedRecord) -> None:
        """A step up to TLS 1.2; in TLS 1.3 it means nothing."""
        if self.watched.version not in (None, ProtocolVersion.TLSv1_3) and not record.encrypted:
            self._change_cipher_spec = (speaker, record)

    def _on_alert(self, speaker: Speaker, record: ObservedRecord) -> None:
        if len(record.content) != 2:
            return
        level, description = record.content
        self.story.alert(speaker.side, level, description)
        warning = description in (AlertDescription.close_notify, AlertDescription.user_canceled)
        # RFC 9846 6: all others are errors in TLS 1.3, whatever the level. RFC 5246 7.2.2 has warnings.
        if self.watched.version is not ProtocolVersion.TLSv1_3 and level == AlertLevel.warning:
            warning = True
        self.seen.alert(speaker.side, description, fatal=not warning and not self._is_late(speaker))
        if description == AlertDescription.close_notify:
            self.watched.goes_on(speaker.side)  # RFC 9846 6.1: all is well so far; else it has to say so
        if not warning:
            self._stop()

    def _is_late(self, speaker: Speaker) -> bool:
        """Whether an alert of ``speaker`` comes when both are connected already, and changes nothing of that.

        In TLS 1.3 a client is connected before the server has seen its certificate and Finished: what the
        server has to say of these is its first word after them.
        """
        if speaker.side not in self.watched.connected_sides:
            # How far the handshake came by then does not show.
            return bool(self.seen.missing) and self.seen.has_gone_on(speaker.side)
        answers = self.watched.version is ProtocolVersion.TLSv1_3 and speaker.side == "server"
        return not answers or self.seen.has_gone_on("server") or self._speakers["client"].ended

    _ON_RECORD: ClassVar[dict[int, Any]] = {
        _HANDSHAKE: _on_handshake,
        _CHANGE_CIPHER_SPEC: _on_change_cipher_spec,
        _ALERT: _on_alert,
    }

    # -- messages

    def _hear(self, speaker: Speaker, waiting: Hear) -> bool:
        """Hand the flow the next message of ``speaker``; whether there was one."""
        if self._change_cipher_spec is not None and self._change_cipher_spec[0] is speaker:
            _, record = self._change_cipher_spec
            self._change_cipher_spec = None
            self._deliver(speaker, record.content, ChangeCipherSpec, waiting)
            return True
        raw = self._next_message(speaker)
        if raw is None:
            return False
        cls = message_class(raw, waiting.expected[speaker.side])
        if cls is None and self.watched.version is ProtocolVersion.TLSv1_2:
            cls = TLS12_MESSAGES.get(raw[0])
        self._deliver(speaker, raw, cls, waiting)
        return True

    def _next_message(self, speaker: Speaker) -> bytes | None:
        try:
            return speaker.joiner.next()
        except TLSError as error:
            self._lose(speaker, "not_followed", _sentence(error.detail))
            return None

    def _deliver(self, speaker: Speaker, raw: bytes, cls: Any, waiting: Hear) -> None:
        side, expected = speaker.side, waiting.expected[speaker.side]
        if cls not in expected:
            self._tell(speaker, raw, cls)
            if raw == _HELLO_REQUEST:
                return
            due = " or ".join(dict.fromkeys(each.name for each in expected))
            name = message_name(raw) if cls is None else cls.name
            self._give_up(side, f"{name} came from the {side} where {due} was due.")
            return
        try:
            message = cls.decode(raw)
        except TLSError as error:
            self._tell(speaker, raw, cls)
            self._give_up(side, f"The {cls.name} of the {side} cannot be read: {error.detail}.")
            return
        if waiting.before is not None:
            self.story.speaks(side)
            waiting.before(side, message)
        self._tell(speaker, raw, cls)
        self._send((side, message))

    def _tell(self, speaker: Speaker, raw: bytes, cls: Any) -> None:
        name = message_name(raw) if cls is None else cls.name
        encrypted = speaker.is_encrypted and cls is not ChangeCipherSpec
        self.story.speaks(speaker.side)
        self.story.message(speaker.side, name, raw, encrypted=encrypted, epoch=speaker.epoch, cls=cls)
        self.seen.message(speaker.side, name, raw)

    def _tell_rest(self, speaker: Speaker) -> bool:
        """Without a flow: tell the next message; whether there was one."""
        raw = self._next_message(speaker)
        if raw is None:
            return False
        cls = message_class(raw)
        if cls is ServerHello and self.watched.version is None:
            note_answer(self.watched, raw)
        elif self.watched.version is ProtocolVersion.TLSv1_2:
            cls = TLS12_MESSAGES.get(raw[0], cls)
        self._tell(speaker, raw, cls)
        return True

    def _give_up(self, side: Side, detail: str) -> None:
        """The handshake is not one that is known: nobody can say what protects what follows."""
        self.watched.seal(side, "not_followed", detail)


def _did_not_open(speaker: Speaker, record: ObservedRecord) -> str:
    number = speaker.opened
    before = f"behind {number:,} that did" if number else "the first that should"
    return (
        f"A record of {len(record.raw):,} bytes from the {speaker.side} does not open with the keys of epoch "
        f'"{speaker.epoch}", {before}.'
    )


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."
