"""What runs a flow: hands it messages and does what it asks for, over one record layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from pellucid.codes import ContentType, HandshakeType, KeyUpdateRequest, SignatureScheme, name_of
from pellucid.crypto.suites import Suite
from pellucid.errors import CertificateRejected, Misuse, PeerMisbehaved, Reason, TLSError
from pellucid.events import Event, HandshakeCompleted
from pellucid.handshake import effects as fx
from pellucid.handshake.choose import choose_credential
from pellucid.handshake.effects import Flow, Receive
from pellucid.handshake.flow import AnyHandshake
from pellucid.handshake.post import next_write_keys
from pellucid.identity import Credential, VerifiedIdentity, verify_client, verify_server
from pellucid.identity.der import UNDECODABLE
from pellucid.identity.pem import parse_certificate
from pellucid.keys import traffic_keys
from pellucid.messages import message_class, message_name
from pellucid.record import HandshakeJoiner, Opener, RecordReader, RecordWriter, Sealer
from pellucid.result import Negotiated
from pellucid.sessions import Session, TicketState

if TYPE_CHECKING:
    from pellucid.trace import CertificateSummary


class WriteKeys:
    """The keys that we send under: which epoch they are of, and what comes after them.

    Apart from the driver, whose writer holds on to it: in one object they would be a cycle, and every
    connection would have to wait for the garbage collector.
    """

    __slots__ = ("_hs", "_trace", "answers", "epoch", "request")

    def __init__(self, hs: AnyHandshake) -> None:
        self._hs = hs
        self._trace = hs.trace
        self.epoch = "plaintext"
        #: What our next KeyUpdate asks of the peer.
        self.request = KeyUpdateRequest.update_not_requested
        #: Whether it answers a request of the peer's.
        self.answers = False

    def sealer(self, suite: Suite, secret: bytes, epoch: str) -> Sealer:
        """The protection for what is queued from here on."""
        self.epoch = epoch
        keys = traffic_keys(suite, secret)
        if self._trace:
            self._trace.keys(
                direction="write", epoch=epoch, cipher_suite=suite.name, key=keys.key, iv=keys.iv
            )
        sealer = Sealer(suite, keys)
        if self._hs.config.key_update_after is not None:
            sealer.limit = min(sealer.limit, self._hs.config.key_update_after)
        return sealer

    def make_key_update(self) -> tuple[bytes, Sealer]:
        """What the writer asks for when its turn has come, or when a key is near its limit."""
        message, next_epoch = next_write_keys(self._hs, self.request)
        self.request, self.answers = KeyUpdateRequest.update_not_requested, False
        if self._trace:
            self._trace.message(
                direction="sent", name="KeyUpdate", raw=message.raw, encrypted=True, epoch=self.epoch
            )
        return message.raw, self.sealer(self._hs.suite, self._hs.write_secret, next_epoch)


class Driver:
    """One flow, its record layer, and the events it has told."""

    __slots__ = (
        "_flow",
        "_hs",
        "_read_epoch",
        "_trace",
        "_waiting",
        "_write_keys",
        "agreed",
        "events",
        "hello_seen",
        "joiner",
        "negotiated",
        "reader",
        "send_closed",
        "writer",
    )

    _flow: Flow[None]
    _waiting: Receive

    def __init__(self, hs: AnyHandshake) -> None:
        self._hs = hs
        self._trace = hs.trace
        self._read_epoch = "plaintext"
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

    @property
    def state(self) -> str:
        """Where the flow waits, by RFC 9846 appendix A's name."""
        return self._waiting.state

    # -- running

    def start(self, flow: Flow[None]) -> None:
        self._flow = flow
        self._advance(None)

    def stop(self) -> None:
        """No more steps, no more data, nothing to open records with: only an alert may follow."""
        self._flow.close()
        self._hs.forget()
        self.writer.drop_data()
        self.reader = RecordReader()

    def perform(self, effect: fx.UpdateKeys) -> None:
        """What the application asks for beside the flow."""
        self._ACTIONS[type(effect)](self, effect)

    def deliver(self, raw: bytes, encrypted: bool) -> None:
        """One whole handshake message for the flow; a fault unless it is one that the flow waits for."""
        cls = message_class(raw)
        if self._trace:
            self._trace.message(
                direction="received",
                name=message_name(raw),
                raw=raw,
                encrypted=encrypted,
                epoch=self._read_epoch,
            )
        if cls is None or cls not in self._waiting.expected:
            due = " or ".join(expected.__name__ for expected in self._waiting.expected)
            raise PeerMisbehaved(
                Reason.UNEXPECTED_MESSAGE, f"{message_name(raw)} came in {self.state}, where {due} is due"
            )
        self.hello_seen = True
        self._advance(cls.decode(raw))

    def check_next_type(self) -> None:
        """Refuse a message by its first byte: one that cannot be next is not collected to its end."""
        first = self.joiner.first_byte
        if first is not None and all(first != cls.msg_type for cls in self._waiting.expected):
            name = name_of(first, HandshakeType)
            raise PeerMisbehaved(Reason.UNEXPECTED_MESSAGE, f"{name} came in {self.state}")

    def take_events(self) -> list[Event]:
        events, self.events = self.events, []
        return events

    def _advance(self, answer: object) -> None:
        """Resume the flow, and do what it asks until it waits for a message again."""
        flow, actions = self._flow, self._ACTIONS
        effect = flow.send(answer)
        while type(effect) is not Receive:
            try:
                answer = actions[type(effect)](self, effect)
            except TLSError as error:
                # A step may live with a refusal: a session whose certificate has expired is not resumed.
                effect = flow.throw(error)
            else:
                effect = flow.send(answer)
        self._waiting = effect

    # -- one method an effect

    def _send(self, effect: fx.Send) -> None:
        message = effect.message
        if self._trace:
            epoch = self._write_keys.epoch
            self._trace.message(
                direction="sent",
                name=type(message).__name__,
                raw=message.raw,
                encrypted=epoch != "plaintext",
                epoch=epoch,
            )
        self.hello_seen |= message.msg_type is HandshakeType.client_hello
        self.writer.queue(ContentType.handshake, message.raw)

    def _send_change_cipher_spec(self, _effect: fx.SendChangeCipherSpec) -> None:
        self.writer.queue(ContentType.change_cipher_spec, b"\x01")

    def _install_keys(self, effect: fx.InstallKeys) -> None:
        suite = effect.suite
        if effect.direction == "write":
            self.writer.install(self._write_keys.sealer(suite, effect.secret, effect.epoch))
            return
        # RFC 9846 5.1: messages before a key change "align with a record boundary"
        self.joiner.require_boundary("a key change")
        self._read_epoch = effect.epoch
        keys = traffic_keys(suite, effect.secret)
        if self._trace:
            self._trace.keys(
                direction="read", epoch=effect.epoch, cipher_suite=suite.name, key=keys.key, iv=keys.iv
            )
        # A client that cannot accept our ServerHello has no keys to say so with.
        first_keys = self._hs.side == "server" and effect.epoch == "handshake"
        self.reader.install(Opener(suite, keys), plaintext_alerts=first_keys)

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
        config = self._hs.config
        chain, trust, now, most = effect.chain, config.trust, config.clock(), config.max_chain_length
        try:
            if effect.whose == "server":
                identity = verify_server(chain, effect.server_name, trust, now, max_chain_length=most)
            else:
                identity = verify_client(chain, trust, now, max_chain_length=most)
        except CertificateRejected as error:
            if self._trace:
                path = _summaries(effect.chain, error.reason)
                self._trace.certificate(whose=effect.whose, path=path, ok=False)
                self._trace.check(
                    what="certificate_chain",
                    expected="a path to a trusted root",
                    found=error.detail,
                    ok=False,
                )
            raise
        if self._trace:
            from pellucid.trace import summary_of  # noqa: PLC0415 - loaded only where something is traced

            self._trace.certificate(whose=effect.whose, path=[summary_of(c) for c in identity.path], ok=True)
            found = f"{len(identity.path)} certificates, to a trusted root"
            self._trace.check(
                what="certificate_chain", expected="a path to a trusted root", found=found, ok=True
            )
        return identity

    def _select_credential(self, effect: fx.SelectCredential) -> tuple[Credential, SignatureScheme] | None:
        return choose_credential(self._hs.config.credentials, effect, self._trace)

    def _sign(self, effect: fx.Sign) -> bytes:
        return effect.credential.sign(effect.scheme, effect.content)

    def _find_session(self, effect: fx.FindSession) -> Session | None:
        config, now = self._hs.config, self._hs.now()
        session: Session | None = config.sessions.take(effect.server_name, now, config.session_scope)
        return session

    def _store_session(self, effect: fx.StoreSession) -> None:
        self._hs.config.sessions.put(effect.session)

    def _seal_ticket(self, effect: fx.SealTicket) -> bytes:
        ticket: bytes = self._hs.config.ticket_keys.seal(effect.state)
        return ticket

    def _open_ticket(self, effect: fx.OpenTicket) -> TicketState | None:
        state: TicketState | None = self._hs.config.ticket_keys.open(effect.ticket, self._hs.now())
        if self._trace:
            found = "ours" if state else "unknown, forged or expired"
            self._trace.check(what="ticket", expected="one that we sealed", found=found, ok=state is not None)
        return state

    def _skip_early_data(self, effect: fx.SkipEarlyData) -> None:
        self.reader.skip_early_data(effect.limit_bytes)

    def _emit(self, effect: fx.Emit) -> None:
        event = effect.event
        if isinstance(event, HandshakeCompleted):
            self.negotiated = event.negotiated
            if self._trace:
                self.agreed = _agreed(event.negotiated)
                self._trace.outcome(status="connected", **self.agreed)
        self.events.append(event)

    _ACTIONS: ClassVar[dict[type, Any]] = {
        fx.Send: _send,
        fx.SendChangeCipherSpec: _send_change_cipher_spec,
        fx.InstallKeys: _install_keys,
        fx.UpdateKeys: _update_keys,
        fx.VerifyIdentity: _verify_identity,
        fx.SelectCredential: _select_credential,
        fx.Sign: _sign,
        fx.FindSession: _find_session,
        fx.StoreSession: _store_session,
        fx.SealTicket: _seal_ticket,
        fx.OpenTicket: _open_ticket,
        fx.SkipEarlyData: _skip_early_data,
        fx.Emit: _emit,
    }


def forget_variables(error: BaseException | None) -> None:
    """Clear the frames of a traceback, which is kept with the failure: secrets are among their variables."""
    from traceback import clear_frames  # noqa: PLC0415 - nobody else needs it

    while error is not None:
        clear_frames(error.__traceback__)
        error = error.__cause__


def _summaries(chain: tuple[bytes, ...], verdict: str) -> list[CertificateSummary]:
    """What can be told of a refused chain; a certificate that cannot be read is left out."""
    from pellucid.trace import summary_of  # noqa: PLC0415 - as above

    found = []
    for number, der in enumerate(chain, 1):
        try:
            found.append(summary_of(parse_certificate(der, f"certificate {number}"), verdict))
        except (Misuse, *UNDECODABLE):
            continue
    return found


def _agreed(negotiated: Negotiated) -> dict[str, Any]:
    scheme = negotiated.signature_scheme
    return {
        "protocol": negotiated.protocol.label,
        "cipher_suite": str(negotiated.cipher_suite),
        "group": str(negotiated.group),
        "signature_scheme": name_of(scheme, SignatureScheme) if scheme else "",
        "alpn": negotiated.alpn or "",
        "resumed": negotiated.resumed,
        "server_name": negotiated.server_name or "",
        "mutual": negotiated.mutual,
    }
