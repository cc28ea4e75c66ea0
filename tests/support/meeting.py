"""A client and a server that meet again: what they remember of each other, and what each said about it.

meeting = Meeting("ticket", {"protocols": ["TLSv1.2"]}, {"protocols": ["TLSv1.2"]})
assert not meeting.resumes()
meeting.now += 60
assert meeting.resumes()
"""

from __future__ import annotations

from typing import Any, Literal

import pytest
from loopback import NAME, NOW, client_config, connect_pair, pump, server_config

from pellucid import (
    ClientConnection,
    ServerConnection,
    Session,
    SessionCache,
    SessionReceived,
    SessionStore,
    TicketKeys,
    TLSError,
    Trace,
)
from pellucid.messages import ClientHello, ServerHello
from pellucid.messages import extensions as ext
from pellucid.trace.events import ChoiceEvent, MessageEvent

Kind = Literal["ticket", "session ID"]
Knobs = dict[str, Any]


class Meeting:
    """``kind``: what the server gives, a ticket or a session ID. Time moves only when it is told to.

    ``client`` and ``server`` are knobs of every connection; those of a single one come on top.
    """

    def __init__(self, kind: Kind, client: Knobs, server: Knobs) -> None:
        self.kind: Kind = kind
        self.now = NOW
        self.sessions = SessionStore()
        self.trace = Trace()
        self.events: list[Any] = []
        self._client, self._server = client, server
        self.forget()

    def forget(self) -> None:
        """The server forgets all that there was."""
        numbers = iter(range(1, 1 << 30))
        self.tickets = TicketKeys(lambda n: next(numbers).to_bytes(n, "big"), self.clock)
        self.cache = SessionCache()

    def clock(self) -> float:
        return self.now

    def client_knobs(self) -> Knobs:
        return self._client | {"clock": self.clock, "sessions": self.sessions, "trace": self.trace}

    def server_knobs(self) -> Knobs:
        tickets = self.tickets if self.kind == "ticket" else False
        mine = {"clock": self.clock, "tickets": tickets, "session_cache": self.cache, "trace": self.trace}
        return self._server | mine

    def pair(
        self, client: Knobs | None = None, server: Knobs | None = None, name: str = NAME
    ) -> tuple[ClientConnection, ServerConnection]:
        self.trace.events.clear()
        return connect_pair(
            client_config(**self.client_knobs() | (client or {})),
            server_config(**self.server_knobs() | (server or {})),
            name,
        )

    def meet(
        self, client: Knobs | None = None, server: Knobs | None = None, name: str = NAME
    ) -> tuple[ClientConnection, ServerConnection]:
        """A whole handshake; both agree whether it was resumed."""
        pair = self.pair(client, server, name)
        self.events, _ = pump(*pair)
        assert pair[0].negotiated is not None
        assert pair[1].negotiated is not None
        assert pair[0].negotiated.resumed == pair[1].negotiated.resumed
        return pair

    def resumes(self, client: Knobs | None = None, server: Knobs | None = None, name: str = NAME) -> bool:
        agreed = self.meet(client, server, name)[0].negotiated
        assert agreed is not None
        return agreed.resumed

    def fails(self, client: Knobs | None = None, server: Knobs | None = None) -> TLSError:
        with pytest.raises(TLSError) as caught:
            pump(*self.pair(client, server))
        return caught.value

    # -- what was said the last time

    def messages(self) -> list[str]:
        """The names of those that the client sent and received."""
        events = (event for event in self.trace.events if isinstance(event, MessageEvent))
        return [event.name for event in events if event.side == "client"]

    def hello(self, name: str) -> Any:
        events = (event for event in self.trace.events if isinstance(event, MessageEvent))
        raw = next(event.raw for event in events if event.name == name)
        return (ClientHello if name == "ClientHello" else ServerHello).decode(raw)

    @property
    def offered(self) -> str:
        """What the client offered to resume by; "" for nothing."""
        hello = self.hello("ClientHello")
        ticket = hello.extensions.find(ext.SessionTicket)
        if hello.extensions.find(ext.OfferedPsks) is not None or (ticket is not None and ticket.ticket):
            return "ticket"
        # Where TLS 1.3 is offered as well, the ID may be a disguise.
        disguised = hello.extensions.find(ext.SupportedVersionsClientHello) is not None
        return "session ID" if hello.legacy_session_id and not disguised else ""

    def _said(self, side: str) -> str:
        choices = (event for event in self.trace.events if isinstance(event, ChoiceEvent))
        mine = (event.rule for event in choices if (event.side, event.what) == (side, "session"))
        return next(mine, "")

    @property
    def server_said(self) -> str:
        """By which rule the server resumed the session, or why it did not; "" where it was offered none."""
        return self._said("server")

    @property
    def client_said(self) -> str:
        return self._said("client")

    @property
    def received(self) -> list[Session]:
        """The sessions that the client was told of."""
        return [event.session for event in self.events if isinstance(event, SessionReceived)]
