"""The driver itself: one method an effect, and the loop that resumes the flow with the answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, NoReturn

from pellucid.codes import AlertLevel, ContentType, HandshakeType, name_of
from pellucid.driver.hello_requests import HELLO_REQUEST, count_hello_request, ignores_hello_request
from pellucid.driver.judging import judge, judge_revocation, status_wanted
from pellucid.driver.noting import Note, lasting, not_noted
from pellucid.driver.protecting import SESSION_EPOCH, WriteKeys, cipher_opener, cipher_sealer, opener
from pellucid.driver.resuming import find_cached, find_session, open_ticket
from pellucid.driver.waiting import Wanted, answer_to, state_of
from pellucid.driver.watching import agreed, tell_signature
from pellucid.errors import PeerMisbehaved, Reason, TLSError
from pellucid.events import Event, HandshakeCompleted, SignatureWanted
from pellucid.handshake import effects as fx
from pellucid.handshake.choose import choose_credential
from pellucid.handshake.effects import Effect, Flow, Receive
from pellucid.handshake.flow import AnyHandshake
from pellucid.identity import VerifiedIdentity
from pellucid.messages import TLS12_MESSAGES, ChangeCipherSpec, message_class, message_name
from pellucid.record import HandshakeJoiner, RecordReader, RecordWriter
from pellucid.record.limits import MAX_RUN
from pellucid.result import Negotiated
from pellucid.sessions import Session, TicketState
from pellucid.sessions.store import PER_NAME


class _Later(Exception):
    """An effect is one that somebody else has to answer, later. Raised: the others need not look for it."""


class Driver:
    """One flow, its record layer, and the events it has told."""

    __slots__ = (
        "_cached",
        "_flow",
        "_hs",
        "_note",
        "_offered",
        "_read_epoch",
        "_trace",
        "_waiting",
        "_write_keys",
        "agreed",
        "defers_signing",
        "defers_status",
        "events",
        "hello_seen",
        "joiner",
        "negotiated",
        "notes",
        "reader",
        "send_closed",
        "sessions",
        "wanted",
        "writer",
    )

    _flow: Flow[None]
    _waiting: Receive

    def __init__(self, hs: AnyHandshake) -> None:
        self._hs = hs
        self._trace = hs.trace
        self._read_epoch = "plaintext"
        # IDs of sessions of TLS 1.2 that we cache: the one that the client named, and the one that this
        # connection made or resumed.
        self._offered = self._cached = b""
        self._write_keys = WriteKeys(hs)
        self.reader = RecordReader(hs.trace)
        self.writer = RecordWriter(hs.trace)
        self.writer.padding = hs.config.padding
        self.writer.make_key_update = self._write_keys.make_key_update
        self.joiner = HandshakeJoiner()
        self.events: list[Event] = []
        #: Whether close_notify is queued or sent.
        self.send_closed = False
        #: Whether a ClientHello has been sent or received.
        self.hello_seen = False
        #: What the handshake agreed on, once it is complete; and the same in words, for the trace.
        self.negotiated: Negotiated | None = None
        self.agreed: dict[str, Any] = {}
        #: The messages and alerts of the handshake, for who asks why it has failed.
        self.notes: list[Note] = []
        # Takes a note of a message, as long as the handshake lasts.
        self._note: Callable[[Note], None] = self.notes.append
        #: What this connection has put into the client's store.
        self.sessions: list[Session] = []
        #: What the flow waits for besides messages, if it does: none can be delivered until that is there.
        self.wanted: Wanted | None = None
        #: Whether signers, even those that need not be waited for, and authorities are left to the caller.
        self.defers_signing = self.defers_status = False

    @property
    def state(self) -> str:
        """Where the flow waits, by RFC 9846 appendix A's name, if there is one."""
        return self._waiting.state if self.wanted is None else state_of(self.wanted)

    # -- running

    def start(self, flow: Flow[None]) -> None:
        self._flow = flow
        self._advance(next(flow))

    def stop(self) -> None:
        """No more steps, no more data, nothing to open records with: only an alert may follow."""
        self.wanted = None
        self._flow.close()
        self._hs.forget()
        self.writer.drop_data()
        if self._trace and self.reader.buffered:
            self._trace.unread(raw=self.reader.unread(MAX_RUN))
        self.reader = RecordReader()

    def perform(self, effect: fx.UpdateKeys) -> None:
        """What the application asks for beside the flow."""
        self._ACTIONS[type(effect)](self, effect)

    def deliver(self, raw: bytes, encrypted: bool) -> None:
        """One whole handshake message for the flow; a fault unless it is one that the flow waits for."""
        expected = self._waiting.expected
        # One that is not due is told to the trace by its form in the version spoken.
        cls = message_class(raw, expected) or (TLS12_MESSAGES.get(raw[0]) if self._hs.speaks12 else None)
        self._note(("received", raw))
        if self._trace:
            self._trace.message(
                direction="received",
                name=message_name(raw),
                raw=raw,
                encrypted=encrypted,
                epoch=self._read_epoch,
                cls=cls,
            )
        if cls is None or cls not in expected:
            if raw == HELLO_REQUEST and self._ignores_hello_request:
                count_hello_request(self._hs)
                return
            raise PeerMisbehaved(
                Reason.UNEXPECTED_MESSAGE,
                f"{message_name(raw)} came in {self.state}, where {self._due()} is due",
            )
        self.hello_seen = True
        self._advance(self._flow.send(cls.decode(raw)))

    def deliver_change_cipher_spec(self, fragment: bytes) -> None:
        """TLS 1.2: the record that says that those behind it are protected."""
        if self._waiting.expected != (ChangeCipherSpec,):
            raise PeerMisbehaved(
                Reason.UNEXPECTED_RECORD,
                f"change_cipher_spec came in {self.state}, where {self._due()} is due",
            )
        message = ChangeCipherSpec.decode(fragment)
        if self._trace:
            self._trace.message(
                direction="received",
                name=ChangeCipherSpec.name,
                raw=fragment,
                encrypted=False,
                epoch=self._read_epoch,
                cls=ChangeCipherSpec,
            )
        self._advance(self._flow.send(message))

    def take_answer(self, wanted: Wanted, given: object) -> None:
        """Go on with what was waited for, or with the error that says why there is none."""
        self.wanted = None
        try:
            answer = answer_to(self._hs, wanted, given)
        except TLSError as error:
            self._advance(self._flow.throw(error))
        else:
            self._advance(self._flow.send(answer))

    def check_next_type(self) -> None:
        """Refuse a message by its first byte: one that cannot be next is not collected to its end."""
        first = self.joiner.first_byte
        if first is not None and all(first != cls.msg_type for cls in self._waiting.expected):
            if first == HandshakeType.hello_request and self._ignores_hello_request:
                return
            name = name_of(first, HandshakeType)
            raise PeerMisbehaved(Reason.UNEXPECTED_MESSAGE, f"{name} came in {self.state}")

    def forget_sessions(self, *, resumable: bool) -> None:
        """RFC 5246 7.2.2, RFC 9846 6: the sessions of a connection that failed are not resumed.

        ``resumable``: nobody has broken a rule, so that they are, by others.
        """
        sessions, self.sessions = self.sessions, []
        if resumable:
            return
        for session in sessions:
            self._hs.config.sessions.discard(session)
        # Not one that was named and not resumed: anybody could make us forget a session by its ID.
        if self._cached:
            self._hs.config.cache.discard(self._cached)

    @property
    def _ignores_hello_request(self) -> bool:
        return ignores_hello_request(self._hs, complete=self.negotiated is not None)

    def _due(self) -> str:
        return " or ".join(dict.fromkeys(expected.name for expected in self._waiting.expected))

    def take_events(self) -> list[Event]:
        events, self.events = self.events, []
        return events

    def _advance(self, effect: Effect) -> None:
        """Do what the flow asks, from ``effect`` on, until it has to wait."""
        flow, actions = self._flow, self._ACTIONS
        while type(effect) is not Receive:
            try:
                answer = actions[type(effect)](self, effect)
            except TLSError as error:
                # A step may live with a refusal: a session whose certificate has expired is not resumed.
                effect = flow.throw(error)
            except _Later:
                return
            else:
                effect = flow.send(answer)
        self._waiting = effect

    # -- one method an effect

    def _send(self, effect: fx.Send) -> None:
        message = effect.message
        self._note(("sent", message.raw))
        if self._trace:
            epoch = self._write_keys.epoch
            self._trace.message(
                direction="sent",
                name=message.name,
                raw=message.raw,
                encrypted=epoch != "plaintext",
                epoch=epoch,
                cls=type(message),
            )
        self.hello_seen |= message.msg_type is HandshakeType.client_hello
        self.writer.queue(ContentType.handshake, message.raw)

    def _send_change_cipher_spec(self, effect: fx.SendChangeCipherSpec) -> None:
        if self._trace and not effect.disguise:
            self._trace.message(
                direction="sent",
                name=ChangeCipherSpec.name,
                raw=b"\x01",
                encrypted=False,
                epoch=self._write_keys.epoch,
                cls=ChangeCipherSpec,
            )
        self.writer.queue(ContentType.change_cipher_spec, b"\x01")

    def _install_keys(self, effect: fx.InstallKeys) -> None:
        if effect.direction == "write":
            self.writer.install(self._write_keys.sealer(effect.suite, effect.secret, effect.epoch))
            return
        # RFC 9846 5.1: messages before a key change "align with a record boundary"
        self.joiner.require_boundary("a key change")
        self._read_epoch = effect.epoch
        # A client that cannot accept our ServerHello has no keys to say so with.
        first_keys = self._hs.side == "server" and effect.epoch == "handshake"
        self.reader.install(opener(self._hs, effect), plaintext_alerts=first_keys)

    def _install_cipher(self, effect: fx.InstallCipher) -> None:
        if effect.direction == "read":
            # RFC 5246 7.1: the ChangeCipherSpec stands between two whole messages.
            self.joiner.require_boundary("a ChangeCipherSpec")
            self._read_epoch = SESSION_EPOCH
            self.reader.install(cipher_opener(self._hs, effect))
            return
        self._write_keys.epoch = SESSION_EPOCH
        # There is neither KeyUpdate nor padding (but for what CBC needs) in TLS 1.2.
        self.writer.make_key_update = self.writer.padding = None
        self.writer.install(cipher_sealer(self._hs, effect))

    def _limit_records(self, effect: fx.LimitRecords) -> None:
        self.writer.max_fragment = effect.send_bytes
        self.reader.max_fragment = effect.receive_bytes
        if effect.plaintext:
            self.writer.plaintext_fragment = effect.send_bytes
            self.reader.plaintext_fragment = effect.receive_bytes

    def _warn(self, effect: fx.Warn) -> None:
        if self.send_closed:
            return
        if self._trace:
            level, description = str(AlertLevel.warning), str(effect.description)
            self._trace.alert(direction="sent", level=level, description=description)
        warning = bytes((AlertLevel.warning, effect.description))
        self.notes.append(("sent", warning))
        self.writer.queue(ContentType.alert, warning)

    def _update_keys(self, effect: fx.UpdateKeys) -> bool:
        if self.send_closed:
            # RFC 9846 6.1: nothing follows close_notify, not even the answer to a KeyUpdate.
            return False
        keys = self._write_keys
        if effect.answers:
            # In place of a request that has not gone out: the peer has just updated its key.
            keys.answers, keys.request = True, effect.request
        elif not keys.answers:
            keys.request = effect.request
        self.writer.request_key_update()
        return True

    def _verify_identity(self, effect: fx.VerifyIdentity) -> VerifiedIdentity:
        return judge(self._hs, effect)

    def _check_revocation(self, effect: fx.CheckRevocation) -> float:
        if self.defers_status and self._hs.config.revocation_source is not None:
            self._wait_for(status_wanted(self._hs, effect))
        return judge_revocation(self._hs, effect)

    def _select_credential(self, effect: fx.SelectCredential) -> fx.Selected:
        # A server of TLS 1.2 asks for each kind of key, and tells itself what came of it.
        asks = effect.needs is not None and self._hs.side == "server"
        return choose_credential(self._hs.config.credentials, effect, None if asks else self._trace)

    def _sign(self, effect: fx.Sign) -> bytes:
        credential = effect.credential
        if credential.signer is not None and (self.defers_signing or credential.signer.waits):
            self._wait_for(SignatureWanted(credential, effect.scheme, effect.content, effect.tls12))
        signature = credential.sign(effect.scheme, effect.content, tls12=effect.tls12)
        if credential.signer is not None:
            tell_signature(self._hs, effect.scheme, signature)
        return signature

    def _wait_for(self, wanted: Wanted) -> NoReturn:
        self.wanted = wanted
        self.events.append(wanted)
        raise _Later

    def _decrypt_premaster(self, effect: fx.DecryptPremaster) -> bytes:
        return effect.credential.decrypt_premaster(effect.ciphertext, effect.client_version, effect.otherwise)

    def _find_session(self, effect: fx.FindSession) -> Session | None:
        return find_session(self._hs, effect)

    def _store_session(self, effect: fx.StoreSession) -> None:
        self._hs.config.sessions.put(effect.session)
        self.sessions.append(effect.session)
        del self.sessions[:-PER_NAME]

    def _find_cached(self, effect: fx.FindCached) -> TicketState | str:
        found = find_cached(self._hs, effect)
        self._offered = b"" if isinstance(found, str) else effect.session_id
        return found

    def _store_cached(self, effect: fx.StoreCached) -> None:
        self._hs.config.cache.put(effect.session_id, effect.state)
        self._cached = effect.session_id

    def _seal_ticket(self, effect: fx.SealTicket) -> bytes:
        ticket: bytes = self._hs.config.ticket_keys.seal(effect.state)
        return ticket

    def _open_ticket(self, effect: fx.OpenTicket) -> TicketState | str:
        return open_ticket(self._hs, effect)

    def _skip_early_data(self, effect: fx.SkipEarlyData) -> None:
        self.reader.skip_early_data(effect.limit_bytes)

    def _emit(self, effect: fx.Emit) -> None:
        event = effect.event
        if isinstance(event, HandshakeCompleted):
            self.negotiated = event.negotiated
            self.notes, self._note = lasting(self._hs, self.notes), not_noted
            if event.negotiated.resumed:
                self._cached = self._offered
            if self._trace:
                self.agreed = agreed(event.negotiated)
                self._trace.outcome(status="connected", **self.agreed)
        self.events.append(event)

    _ACTIONS: ClassVar[dict[type, Any]] = {
        fx.Send: _send,
        fx.SendChangeCipherSpec: _send_change_cipher_spec,
        fx.InstallKeys: _install_keys,
        fx.InstallCipher: _install_cipher,
        fx.LimitRecords: _limit_records,
        fx.Warn: _warn,
        fx.UpdateKeys: _update_keys,
        fx.VerifyIdentity: _verify_identity,
        fx.CheckRevocation: _check_revocation,
        fx.SelectCredential: _select_credential,
        fx.Sign: _sign,
        fx.DecryptPremaster: _decrypt_premaster,
        fx.FindSession: _find_session,
        fx.StoreSession: _store_session,
        fx.SealTicket: _seal_ticket,
        fx.OpenTicket: _open_ticket,
        fx.FindCached: _find_cached,
        fx.StoreCached: _store_cached,
        fx.SkipEarlyData: _skip_early_data,
        fx.Emit: _emit,
    }
