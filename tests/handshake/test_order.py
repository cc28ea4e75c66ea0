"""Every handshake recorded here goes along the tables of ``order``, and all together walk all of them.

The tables and the flows are two descriptions of one thing. Where they part, one of them is wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import NamedTuple, get_args

import pytest
from loopback import client_config, connect_pair, credential, pump, server_config

from pellucid import ClientConfig, ClientConnection, ExternalPsk, ServerConfig, ServerConnection, Trace
from pellucid.handshake.order import EMPTY_CERTIFICATE, ORDERS, Side, Step
from pellucid.messages import Certificate
from pellucid.messages.reading import TLS13_MESSAGES
from pellucid.trace.events import MessageEvent, StateEvent

SIDES: tuple[Side, ...] = get_args(Side)
PSK = ExternalPsk(b"an identity", b"sixteen bytes or more")

#: Shares for a group that the server does not take, so that it has to ask for another.
RETRY_CLIENT = {"groups": ["x25519", "secp256r1"], "key_shares": ["x25519"]}
RETRY_SERVER = {"groups": ["secp256r1"]}
SHOWN = {"credentials": [credential(purpose="client")]}


class Edge(NamedTuple):
    state: str
    step: Step
    following: str


class Lost(AssertionError):
    """A message that the table does not have in this state."""


def walk(side: Side, steps: list[Step]) -> list[Edge]:
    """The way of ``steps`` through the table; it has to end in CONNECTED."""
    state = "START"
    way = []
    for step in steps:
        if step not in ORDERS[side][state]:
            raise Lost(f"{side}: {step} in {state}")
        following = ORDERS[side][state][step]
        way.append(Edge(state, step, following))
        state = following
    if state != "CONNECTED":
        raise Lost(f"{side}: ends in {state}")
    return way


def step_of(event: MessageEvent) -> Step:
    empty = event.name == "Certificate" and not Certificate.decode(event.raw).certificate_list
    return event.direction, EMPTY_CERTIFICATE if empty else event.name


def recorded(trace: Trace, side: Side) -> list[Step]:
    return [
        step_of(event) for event in trace.events if isinstance(event, MessageEvent) and event.side == side
    ]


# -- the handshakes


def run(
    client: ClientConfig, server: ServerConfig, piece: int | None = None
) -> tuple[ClientConnection, ServerConnection]:
    pair = connect_pair(client, server)
    pump(*pair, piece)
    assert pair[0].handshake_complete
    assert pair[1].handshake_complete
    return pair


def resumed(trace: Trace, **server_knobs: object) -> None:
    """The second connection of two; only this one is recorded."""
    first_client, first_server = client_config(**SHOWN), server_config(**server_knobs)
    run(first_client, first_server)
    sessions, tickets = first_client.sessions, first_server.ticket_keys
    knobs = {"trace": trace, "sessions": sessions, **SHOWN}
    client, _ = run(client_config(**knobs), server_config(trace=trace, tickets=tickets, **server_knobs))
    assert client.negotiated is not None
    assert client.negotiated.resumed


def key_updates(trace: Trace) -> None:
    client, server = run(client_config(trace=trace), server_config(trace=trace))
    for asking, answering in ((client, server), (server, client)):
        asking.key_update(request=True)
        pump(client, server)
        answering.key_update(request=False)
        pump(client, server)


def plain(trace: Trace, piece: int | None = None, **server_knobs: object) -> None:
    run(client_config(trace=trace), server_config(trace=trace, **server_knobs), piece)


def showing(trace: Trace, **server_knobs: object) -> None:
    run(client_config(trace=trace, **SHOWN), server_config(trace=trace, **server_knobs))


def retried(trace: Trace, client_knobs: dict[str, object] | None = None, **server_knobs: object) -> None:
    client = client_config(trace=trace, **RETRY_CLIENT, **(client_knobs or {}))
    run(client, server_config(trace=trace, **RETRY_SERVER, **server_knobs))


def without_shares(trace: Trace) -> None:
    run(client_config(trace=trace, key_shares=[]), server_config(trace=trace))


def with_psk(trace: Trace) -> None:
    server = server_config(trace=trace, psks=[PSK], credentials=[])
    run(client_config(trace=trace, psks=[PSK]), server)


HANDSHAKES: dict[str, Callable[[Trace], None]] = {
    "plain": plain,
    "byte by byte": lambda trace: plain(trace, 1),
    "without tickets": lambda trace: plain(trace, tickets=False),
    "several tickets": lambda trace: plain(trace, tickets_per_handshake=4),
    "mutual": lambda trace: showing(trace, client_authentication="required"),
    "mutual, no certificate": lambda trace: plain(trace, client_authentication="optional"),
    "a certificate nobody asks for": showing,
    "HelloRetryRequest": retried,
    "HelloRetryRequest with cookie": lambda trace: retried(trace, cookie=True),
    "HelloRetryRequest, no share at all": without_shares,
    "HelloRetryRequest, mutual": lambda trace: retried(trace, SHOWN, client_authentication="required"),
    "HelloRetryRequest, PSK": lambda trace: retried(trace, {"psks": [PSK]}, psks=[PSK]),
    "PSK": with_psk,
    "resumed": resumed,
    "resumed, mutual": lambda trace: resumed(trace, client_authentication="required"),
    "KeyUpdates": key_updates,
}


@cache
def trace_of(name: str) -> Trace:
    trace = Trace()
    HANDSHAKES[name](trace)
    return trace


every_handshake = pytest.mark.parametrize("name", HANDSHAKES)
both_sides = pytest.mark.parametrize("side", SIDES)


@both_sides
@every_handshake
def test_a_handshake_goes_along_its_table(name: str, side: Side) -> None:
    assert walk(side, recorded(trace_of(name), side))


@every_handshake
def test_what_one_side_sends_the_other_receives(name: str) -> None:
    sent = {side: [step for step in recorded(trace_of(name), side) if step[0] == "sent"] for side in SIDES}
    received = {side: [s for s in recorded(trace_of(name), side) if s[0] == "received"] for side in SIDES}
    assert [message for _, message in sent["client"]] == [message for _, message in received["server"]]
    assert [message for _, message in sent["server"]] == [message for _, message in received["client"]]


@both_sides
def test_every_edge_of_the_table_is_walked(side: Side) -> None:
    walked = {edge for name in HANDSHAKES for edge in walk(side, recorded(trace_of(name), side))}
    table = {Edge(state, *edge) for state, edges in ORDERS[side].items() for edge in edges.items()}
    assert walked == table


@both_sides
@every_handshake
def test_a_handshake_that_lacks_a_message_is_not_in_the_table(name: str, side: Side) -> None:
    """The tables are strict: without this they could let everything pass."""
    steps = recorded(trace_of(name), side)
    in_handshake = len(steps) - [step[1] for step in reversed(steps)].index("Finished")
    for left_out in range(in_handshake):
        with pytest.raises(Lost):
            walk(side, steps[:left_out] + steps[left_out + 1 :])


@both_sides
@every_handshake
def test_a_handshake_with_two_messages_exchanged_is_not_in_the_table(name: str, side: Side) -> None:
    steps = recorded(trace_of(name), side)
    in_handshake = len(steps) - [step[1] for step in reversed(steps)].index("Finished")
    for at in range(in_handshake - 1):
        with pytest.raises(Lost):
            walk(side, [*steps[:at], steps[at + 1], steps[at], *steps[at + 2 :]])


# -- the tables themselves


@both_sides
def test_every_state_can_be_reached_and_left(side: Side) -> None:
    table = ORDERS[side]
    reached = {"START"} | {following for edges in table.values() for following in edges.values()}
    assert reached == set(table)
    assert all(table.values())


@both_sides
def test_messages_are_called_as_the_engine_calls_them(side: Side) -> None:
    names = {cls.__name__ for cls in TLS13_MESSAGES.values()} | {"HelloRetryRequest", EMPTY_CERTIFICATE}
    # 0-RTT is refused, so its end is never sent.
    names -= {"EndOfEarlyData"}
    found = {message for edges in ORDERS[side].values() for _, message in edges}
    assert found == names


#: Where a flow knows more than the table: with a PSK only Finished can come.
KNOWS_MORE = {("client", "WAIT_CERT_CR", "WAIT_FINISHED")}


@both_sides
@every_handshake
def test_the_state_of_a_flow_is_that_of_the_table(name: str, side: Side) -> None:
    """Where the table needs two states for what the RFC calls one, a word more tells them apart."""
    state = "START"
    for event in trace_of(name).events:
        if event.side != side:
            continue
        if isinstance(event, MessageEvent):
            state = ORDERS[side][state][step_of(event)]
        elif isinstance(event, StateEvent):
            assert state.startswith(event.name) or (side, state, event.name) in KNOWS_MORE


#: RFC 9846 appendix A, without WAIT_EOED, which is of 0-RTT, and those in which nobody waits for a message.
RFC_STATES = {
    "client": {"WAIT_SH", "WAIT_EE", "WAIT_CERT_CR", "WAIT_CERT", "WAIT_CV", "WAIT_FINISHED", "CONNECTED"},
    "server": {"START", "WAIT_CERT", "WAIT_CV", "WAIT_FINISHED", "CONNECTED"},
}


@both_sides
def test_the_states_have_the_names_of_the_rfc(side: Side) -> None:
    events = [event for name in HANDSHAKES for event in trace_of(name).events]
    found = {event.name for event in events if isinstance(event, StateEvent) and event.side == side}
    assert found == RFC_STATES[side]
