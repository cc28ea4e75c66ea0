"""``Connection``, what client and server have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from pellucid.alerts import alert_for
from pellucid.codes import (
    AlertDescription,
    AlertLevel,
    ContentType,
    HandshakeType,
    KeyUpdateRequest,
    name_of,
)
from pellucid.connection.failing import Failing
from pellucid.connection.signing import Signing
from pellucid.driver import Driver, forget_variables
from pellucid.errors import AlertReceived, BadMessage, Misuse, PeerMisbehaved, Reason, TLSError
from pellucid.events import DataReceived, Event, PeerClosed
from pellucid.handshake.effects import Flow, UpdateKeys
from pellucid.handshake.flow import AnyHandshake
from pellucid.messages import Alert
from pellucid.record import Record, RecordWriter
from pellucid.result import Negotiated

if TYPE_CHECKING:
    from pellucid.trace import Trace

# For every write: comparing with a member of an IntEnum costs three times as much as with a plain int, and
# making a union of types as much as all that is done with a small write.
_APPLICATION_DATA = int(ContentType.application_data)
_BYTES = (bytes, bytearray, memoryview)

#: Compatibility needs one a direction, two with a HelloRetryRequest; 32 is what other stacks bear.
MAX_CHANGE_CIPHER_SPECS = 32

#: user_canceled says that close_notify follows; nobody needs to say it more often than this.
MAX_WARNINGS = 4

#: Handshake messages after the handshake with no application data between them. Each costs us more
#: to answer than the peer to send.
MAX_IDLE_MESSAGES = 64


class Connection(Failing, Signing):
    """What client and server have in common. Not thread-safe: one caller at a time."""

    def __init__(self, hs: AnyHandshake, flow: Flow[None]) -> None:
        self._hs = hs
        self._trace = hs.trace
        self._driver = Driver(hs)
        self._failure: TLSError | None = None
        self._warnings = 0
        self._idle_messages = 0
        # Of the record in whose middle something else is awaited.
        self._encrypted = False
        # The end came while authorities were asked.
        self._ended = False
        #: What the handshake agreed on; None before it is complete.
        self.negotiated: Negotiated | None = None
        #: Whether the peer has sent close_notify.
        self.peer_closed = False
        self._driver.start(flow)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}, {self.state}>"

    # -- what the application asks

    @property
    def handshake_complete(self) -> bool:
        """Whether both sides have proved themselves, so that data may flow."""
        return self.negotiated is not None

    @property
    def state(self) -> str:
        """The state by RFC 9846 appendix A's name, or FAILED, or CLOSED once both have closed."""
        if self._failure is not None:
            return "FAILED"
        closed = self.peer_closed and self._driver.send_closed
        return "CLOSED" if closed or self._cancelled else self._driver.state

    @property
    def failure(self) -> TLSError | None:
        """The fault that ended the connection."""
        return self._failure

    @property
    def trace(self) -> Trace | None:
        """The trace that this connection records into, if any."""
        return self._trace.trace if self._trace else None

    def export_keying_material(self, label: bytes, context: bytes | None, length: int) -> bytes:
        """``length`` bytes that both sides can compute and nobody else (RFC 9846 7.5, RFC 5705)."""
        if self._failure is not None:
            raise Misuse(Reason.CONNECTION_CLOSED, f"the connection has failed: {self._failure}")
        if self.negotiated is None:
            raise Misuse(
                Reason.HANDSHAKE_NOT_COMPLETE, "there are no keys to export from before the handshake"
            )
        exporter = self._hs.exporter
        if exporter is None:
            # RFC 7627 1: two connections can have the same master secret, and so would have what is exported.
            raise Misuse(
                Reason.NOT_EXPORTABLE,
                "without extended_master_secret what is exported can be another connection's as well",
            )
        return exporter(label, context, length)

    # -- sending

    def data_to_send(self) -> bytes:
        """The next bytes for the network, at most 64 KiB of them; b"" when there are none."""
        try:
            return self._driver.writer.take()
        except BaseException as error:
            self._fail_with(error)
            raise

    def send_data(self, data: bytes | bytearray | memoryview) -> None:
        """Queue application data; ``data_to_send`` protects it piece by piece."""
        driver = self._driver
        if self.negotiated is None or driver.send_closed or self._failure is not None:
            self._require_open()  # says which of them it is
        if not isinstance(data, _BYTES):
            raise TypeError(f"send_data takes bytes, not {type(data).__name__}")
        if not data:
            return
        self._idle_messages = 0
        if self._trace:
            self._trace.data(direction="sent", length=len(data))
        driver.writer.queue(_APPLICATION_DATA, data)

    def key_update(self, *, request: bool = True) -> None:
        """TLS 1.3: take the next key for what we send; with ``request`` the peer is told to do so too."""
        self._require_open()
        if self._hs.speaks12:
            raise Misuse(Reason.BAD_CONFIGURATION, "TLS 1.2 has no KeyUpdate: open another connection")
        wanted = KeyUpdateRequest.update_requested if request else KeyUpdateRequest.update_not_requested
        self._driver.perform(UpdateKeys(wanted))

    def close(self) -> None:
        """Queue close_notify: nothing is sent behind it, while receiving goes on. Harmless when repeated.

        During the handshake it cancels that: what still comes is ignored. In TLS 1.2 the peer's close_notify
        closes this side as well.
        """
        if self._driver.send_closed or self._failure is not None:
            return
        if not self.handshake_complete:
            # RFC 9846 6.1: for cancelling a handshake; it "MUST be followed by a "close_notify"".
            self._driver.stop()
            self._send_alert(AlertDescription.user_canceled)
        self._send_alert(AlertDescription.close_notify)

    def _require_open(self) -> None:
        if self._failure is not None:
            raise Misuse(Reason.CONNECTION_CLOSED, f"the connection has failed: {self._failure}")
        if self._driver.send_closed:
            # RFC 5246 7.2.1: in TLS 1.2 neither side sends anything once either has closed.
            why = "the peer has closed" if self.peer_closed and self._hs.speaks12 else "close() was called"
            raise Misuse(Reason.CONNECTION_CLOSED, f"{why}: nothing can be sent any more")
        if not self.handshake_complete:
            raise Misuse(Reason.HANDSHAKE_NOT_COMPLETE, "data can be sent when the handshake is complete")

    def _send_alert(self, description: AlertDescription) -> None:
        closing = description in (AlertDescription.close_notify, AlertDescription.user_canceled)
        level = AlertLevel.warning if closing else AlertLevel.fatal
        if self._trace:
            self._trace.alert(direction="sent", level=str(level), description=str(description))
        raw = bytes((level, description))
        self._driver.notes.append(("sent", raw))
        self._driver.writer.queue(ContentType.alert, raw)
        self._driver.send_closed |= description is AlertDescription.close_notify

    # -- receiving

    def receive_data(self, data: bytes | bytearray | memoryview) -> list[Event]:
        """Take bytes from the network; gives what they meant, in order.

        Raises ``TLSError`` for a fault of the peer's, after which ``data_to_send`` has the alert for it.
        What arrived before the fault is in the error's ``events``. Every later call raises it again.
        """
        if self._failure is not None:
            self._raise_again(self._failure)
        if self.peer_closed or (self.negotiated is None and self._cancelled):
            # RFC 9846 6.1: "Any data received after a closure alert has been received MUST be ignored."
            return []
        if not isinstance(data, _BYTES):
            raise TypeError(f"receive_data takes bytes, not {type(data).__name__}")
        if self._driver.wanted is not None:
            self._hold(data)
            return []
        self._driver.reader.feed(data)
        try:
            self._process()
        except BaseException as error:
            self._fail_with(error)
            raise
        return self._driver.take_events()

    def receive_eof(self) -> list[Event]:
        """The TCP connection has ended: a truncation, which raises, unless the peer said close_notify.

        While ``status_wanted`` waits, that is found out by ``take_status``, behind what was kept.
        """
        if self._failure is not None:
            self._raise_again(self._failure)
        if self.peer_closed or self._cancelled:
            return []
        if self.status_wanted is not None:
            # Who has said all that there is to say may have left: first comes what is kept.
            self._ended = True
            return []
        error = self._cut_off()
        self._fail(error)
        raise error

    def _cut_off(self) -> PeerMisbehaved:
        if not self.handshake_complete:
            return self._closed_early()
        detail = "the connection ended without close_notify: data may have been cut off"
        return PeerMisbehaved(Reason.TRUNCATED, detail)

    def _process(self) -> None:
        driver = self._driver
        reader, joiner = driver.reader, driver.joiner
        while not self.peer_closed:
            ready = self.negotiated is not None and not joiner.pending
            if ready and (data := reader.next_data()) is not None:
                self._deliver(data)
                if reader.drained:
                    return
                continue
            if (record := reader.next()) is None:
                return
            if record.content_type == ContentType.handshake:
                joiner.add(record.fragment)
                if self._on_messages(record.encrypted):
                    return
            else:
                if joiner.pending:
                    # RFC 9846 5.1: "there MUST NOT be any other records between" fragments of a message
                    joiner.require_boundary(name_of(record.content_type, ContentType))
                self._ON_RECORD[record.content_type](self, record)

    def _deliver(self, data: bytes) -> None:
        if self._trace:
            self._trace.data(direction="received", length=len(data))
        self._idle_messages = 0
        self._driver.events.append(DataReceived(data))

    def _on_messages(self, encrypted: bool) -> bool:
        """Deliver the messages that are whole. True: the flow waits for something else now, and no message.

        Only messages have it ask for one: a ChangeCipherSpec does not.
        """
        driver, joiner = self._driver, self._driver.joiner
        while joiner.pending and (raw := joiner.next()) is not None:
            if self.negotiated is not None:
                self._count_idle_message(raw)
            driver.deliver(raw, encrypted)
            self.negotiated = driver.negotiated
            if driver.wanted is not None:
                self._encrypted = encrypted
                return True
        if joiner.pending:
            driver.check_next_type()
        return False

    def _go_on(self) -> None:
        """What was wanted has come: take up what waited for it."""
        self.negotiated = self._driver.negotiated
        if not self._on_messages(self._encrypted):
            self._process()
        if self._ended and self.status_wanted is None and not self.peer_closed:
            raise self._cut_off()

    def _count_idle_message(self, raw: bytes) -> None:
        if raw[0] == HandshakeType.key_update and self._hs.awaits_key_update:
            return  # we asked for it
        self._idle_messages += 1
        if self._idle_messages > MAX_IDLE_MESSAGES:
            ticket = raw[0] == HandshakeType.new_session_ticket
            raise PeerMisbehaved(
                Reason.TOO_MANY_TICKETS if ticket else Reason.TOO_MANY_KEY_UPDATES,
                f"{MAX_IDLE_MESSAGES} handshake messages came with no data between them",
            )

    def _on_application_data(self, record: Record) -> None:
        if self.negotiated is None:
            raise PeerMisbehaved(Reason.UNEXPECTED_RECORD, f"application data came in {self.state}")
        if record.fragment:
            self._deliver(record.fragment)

    def _on_change_cipher_spec(self, record: Record) -> None:
        """RFC 9846 5: between the first ClientHello and the peer's Finished it is dropped, if it is 0x01.

        In TLS 1.2 it is a step of the handshake.
        """
        if self._hs.speaks12:
            self._driver.deliver_change_cipher_spec(record.fragment)
            return
        if record.fragment != b"\x01":
            raise PeerMisbehaved(
                Reason.BAD_CHANGE_CIPHER_SPEC,
                f"change_cipher_spec holds {record.fragment[:8].hex()} instead of 01",
            )
        if self.handshake_complete or not self._driver.hello_seen:
            raise PeerMisbehaved(Reason.UNEXPECTED_RECORD, f"change_cipher_spec came in {self.state}")
        self._hs.change_cipher_specs += 1
        if self._hs.change_cipher_specs > MAX_CHANGE_CIPHER_SPECS:
            raise PeerMisbehaved(
                Reason.TOO_MANY_CHANGE_CIPHER_SPECS,
                f"more than {MAX_CHANGE_CIPHER_SPECS} change_cipher_spec came",
            )

    def _on_alert(self, record: Record) -> None:
        if len(record.fragment) != 2:
            # RFC 9846 5.1: "a record with an Alert type MUST contain exactly one message"
            raise BadMessage(f"an alert record holds {len(record.fragment)} bytes instead of 2")
        alert: Alert = Alert.codec.read(record.fragment)
        name = name_of(alert.description, AlertDescription)
        if self._trace:
            self._trace.alert(direction="received", level=name_of(alert.level, AlertLevel), description=name)
        if alert.description == AlertDescription.close_notify:
            self._on_close_notify()
        elif alert.description == AlertDescription.user_canceled or self._is_warning(alert):
            self._warnings += 1
            if self._warnings > MAX_WARNINGS:
                raise PeerMisbehaved(Reason.TOO_MANY_ALERTS, f"more than {MAX_WARNINGS} warnings came")
        else:
            # RFC 9846 6: all others, unknown ones too, "MUST be treated as error alerts" whatever the level.
            self._driver.notes.append(("received", record.fragment))
            raise AlertReceived(alert.description, f"the peer ended the connection with the alert {name}")

    def _is_warning(self, alert: Alert) -> bool:
        """RFC 5246 7.2.2: after a warning "generally the connection can continue normally".

        Older servers warn of a name that they do not know (RFC 6066 3), before the version is agreed on.
        """
        return self._hs.may_speak12 and alert.level == AlertLevel.warning

    def _on_close_notify(self) -> None:
        if not self.handshake_complete:
            raise self._closed_early()
        self.peer_closed = True
        if self._hs.speaks12 and not self._driver.send_closed:
            # RFC 5246 7.2.1: respond "and close down the connection immediately, discarding any pending
            # writes."
            self._driver.writer.drop_data()
            self._send_alert(AlertDescription.close_notify)
        self._driver.events.append(PeerClosed())

    _ON_RECORD: ClassVar[dict[int, Any]] = {
        ContentType.application_data: _on_application_data,
        ContentType.change_cipher_spec: _on_change_cipher_spec,
        ContentType.alert: _on_alert,
    }

    def _closed_early(self) -> PeerMisbehaved:
        return PeerMisbehaved(
            Reason.CLOSED_DURING_HANDSHAKE, f"the peer closed the connection in {self.state}"
        )

    # -- failing

    @property
    def _cancelled(self) -> bool:
        return self._driver.send_closed and self.negotiated is None

    @staticmethod
    def _raise_again(failure: TLSError) -> NoReturn:
        # Each raise would add to the traceback, and with it keep what was received alive.
        failure.events = ()
        raise failure.with_traceback(None)

    def _fail(self, error: TLSError) -> None:
        """Forget what was to be sent, leave the alert, record the outcome. The only way to FAILED."""
        error.events, self._failure = tuple(self._driver.take_events()), error
        remains = self._remains()
        forget_variables(error)
        self._driver.stop()
        # RFC 5246 7.2.1: "failure to properly close a connection no longer requires that a session not be
        # resumed."
        self._driver.forget_sessions(resumable=error.reason is Reason.TRUNCATED)
        if isinstance(error, AlertReceived):
            # RFC 9846 6: after an error alert no "further data" is sent, not even what was queued before.
            self._driver.writer = RecordWriter(self._trace)
        # A padding policy may be what has failed, and the alert has to get out.
        self._driver.writer.padding = None
        alert = alert_for(error, self._hs.version)
        if alert is not None and not self._driver.send_closed:
            self._send_alert(alert)
        error.evidence = self._gathered(error, *remains)
        if self._trace:
            failure = self._diagnosed(error)
            self._trace.outcome(status="failed", failure=failure, **self._driver.agreed)
