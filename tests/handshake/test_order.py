"""Every handshake recorded here goes along the tables of ``order``, and all together walk all of them.

The tables and the flows are two descriptions of one thing. Where they part, one of them is wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple, get_args

import pytest
from loopback import client12, client_config, connect_pair, credential, pump, server12, server_config
from raw_keys import asking as asking_for_key
from raw_keys import raw_client, raw_server
from raw_keys import showing as showing_key
from rogue import framed, send

from pellucid import ClientConfig, ClientConnection, ExternalPsk, ServerConfig, ServerConnection, Trace
from pellucid.codes import HandshakeType
from pellucid.handshake.order import EMPTY_CERTIFICATE, ORDERS, Side, Step, Version
from pellucid.messages import Certificate, tls12
from pellucid.messages.reading import TLS12_MESSAGES, TLS13_MESSAGES
from pellucid.trace.events import MessageEvent, StateEvent

SIDES: tuple[Side, ...] = get_args(Side)
VERSIONS: tuple[Version, ...] = get_args(Version)
PSK = ExternalPsk(b"an identity", b"sixteen bytes or more")

#: Shares for a group that the server does not take, so that it has to ask for another.
RETRY_CLIENT = {"groups": ["x25519", "secp256r1"], "key_shares": ["x25519"]}
RETRY_SERVER = {"groups": ["secp256r1"]}
SHOWN = {"credentials": [credential(purpose="client")]}
RSA = {"policy": "compatible", "cipher_suites": ["TLS_RSA_WITH_AES_128_GCM_SHA256"]}
RSA_KEY = {"credentials": [credential("rsa")]}


class Edge(NamedTuple):
    state: str
    step: Step
    following: str


class Lost(AssertionError):
    """A message that the table does not have in this state."""


def walk(version: Version, side: Side, steps: list[Step]) -> list[Edge]:
    """The way of ``steps`` through the table; it has to end in CONNECTED."""
    table = ORDERS[version, side]
    state = "START"
    way = []
    for step in steps:
        if step not in table[state]:
            raise Lost(f"{side}: {step} in {state}")
        following = table[state][step]
        way.append(Edge(state, step, following))
        state = following
    if state != "CONNECTED":
        raise Lost(f"{side}: ends in {state}")
    return way


def step_of(event: MessageEvent) -> Step:
    if event.name == "Certificate":
        cls: Any = event.cls or Certificate
        message = cls.decode(event.raw)
        raw12 = isinstance(message, tls12.CertificateRawPublicKey)
        if not (message.ASN1_subjectPublicKeyInfo if raw12 else message.certificate_list):
            return event.direction, EMPTY_CERTIFICATE
    return event.direction, event.name


def recorded(trace: Trace, side: Side) -> list[Step]:
    return [
        step_of(event) for event in trace.events if isinstance(event, MessageEvent) and event.side == side
    ]


# -- the handshakes of TLS 1.3


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


def stapling(
    trace: Trace, client: dict[str, Any], server: dict[str, Any], version: Version = "TLSv1.2"
) -> None:
    """What is stapled is not looked at here, so that any bytes will do."""
    stapled = [one.with_staple(lambda: b"a response") for one in server.get("credentials", [credential()])]
    common = {"trace": trace, "protocols": [version]}
    run(
        client_config(**client | common, request_status=True),
        server_config(**server | common | {"credentials": stapled}),
    )


def retried(trace: Trace, client_knobs: dict[str, object] | None = None, **server_knobs: object) -> None:
    client = client_config(trace=trace, **RETRY_CLIENT, **(client_knobs or {}))
    run(client, server_config(trace=trace, **RETRY_SERVER, **server_knobs))


def by_key(trace: Trace, version: Version, *, shown: bool = True) -> None:
    """RFC 7250: the same order; a client that is asked for a key may have none that fits."""
    key = {} if shown else {"signature_schemes": ["ecdsa_secp256r1_sha256"]}
    common = {"trace": trace, "protocols": [version]}
    optional = asking_for_key("ed25519", client_authentication="optional")
    run(raw_client(**showing_key("ed25519"), **common), raw_server(**optional, **key, **common))


def without_shares(trace: Trace) -> None:
    run(client_config(trace=trace, key_shares=[]), server_config(trace=trace))


def with_psk(trace: Trace) -> None:
    server = server_config(trace=trace, psks=[PSK], credentials=[])
    run(client_config(trace=trace, psks=[PSK]), server)


HANDSHAKES_13: dict[str, Callable[[Trace], object]] = {
    "plain": plain,
    "byte by byte": lambda trace: plain(trace, 1),
    "without tickets": lambda trace: plain(trace, tickets=False),
    "several tickets": lambda trace: plain(trace, tickets_per_handshake=4),
    "mutual": lambda trace: showing(trace, client_authentication="required"),
    "mutual, no certificate": lambda trace: plain(trace, client_authentication="optional"),
    "a certificate nobody asks for": showing,
    "status": lambda trace: stapling(trace, {}, {}, "TLSv1.3"),
    "HelloRetryRequest": retried,
    "HelloRetryRequest with cookie": lambda trace: retried(trace, cookie=True),
    "HelloRetryRequest, no share at all": without_shares,
    "HelloRetryRequest, mutual": lambda trace: retried(trace, SHOWN, client_authentication="required"),
    "HelloRetryRequest, PSK": lambda trace: retried(trace, {"psks": [PSK]}, psks=[PSK]),
    "raw public keys": lambda trace: by_key(trace, "TLSv1.3"),
    "raw public keys, none shown": lambda trace: by_key(trace, "TLSv1.3", shown=False),
    "PSK": with_psk,
    "resumed": resumed,
    "resumed, mutual": lambda trace: resumed(trace, client_authentication="required"),
    "KeyUpdates": key_updates,
}


# -- the handshakes of TLS 1.2


def plain12(trace: Trace, piece: int | None = None, client: Any = None, **server_knobs: object) -> None:
    run(client12(trace=trace, **(client or {})), server12(trace=trace, **server_knobs), piece)


def rsa(trace: Trace, client: Any = None, **server_knobs: object) -> None:
    plain12(trace, None, RSA | (client or {}), **RSA, **RSA_KEY, **server_knobs)


def resumed12(trace: Trace, age_seconds: int = 0, **server_knobs: Any) -> None:
    """The second connection of two, so long after the first; only this one is recorded."""
    first_client, first_server = client12(**SHOWN), server12(**server_knobs)
    run(first_client, first_server)
    later = first_client.clock() + age_seconds
    knobs: dict[str, Any] = {"trace": trace, "clock": lambda: later}
    client, _ = run(
        client12(sessions=first_client.sessions, **knobs, **SHOWN),
        server12(
            **server_knobs
            | knobs
            | {"tickets": first_server.ticket_keys or False, "session_cache": first_server.cache}
        ),
    )
    assert client.negotiated is not None
    assert client.negotiated.resumed


def renegotiation(trace: Trace, asking: Side) -> None:
    """Only the side that is asked is recorded: what asks is no flow of ours."""
    recorded_here, other = {"trace": trace}, dict[str, Any]()
    knobs = (recorded_here, other) if asking == "server" else (other, recorded_here)
    client, server = run(client12(**knobs[0]), server12(**knobs[1]))
    if asking == "server":
        client.receive_data(send(server, framed(HandshakeType.hello_request)))
    else:
        server.receive_data(send(client, connect_pair(client12())[0].data_to_send()[5:]))


MUTUAL = {"client_authentication": "required"}
HALF_OF_ITS_LIFE = 3_601
HANDSHAKES_12: dict[str, Callable[[Trace], object]] = {
    "1.2": plain12,
    "1.2, raw public keys": lambda trace: by_key(trace, "TLSv1.2"),
    "1.2, raw public keys, none shown": lambda trace: by_key(trace, "TLSv1.2", shown=False),
    "1.2, byte by byte": lambda trace: plain12(trace, 1),
    "1.2, without tickets": lambda trace: plain12(trace, tickets=False),
    "1.2, mutual": lambda trace: plain12(trace, client=SHOWN, **MUTUAL),
    "1.2, mutual, no certificate": lambda trace: plain12(trace, client_authentication="optional"),
    "1.2, RSA": rsa,
    "1.2, RSA, mutual": lambda trace: rsa(trace, SHOWN, **MUTUAL),
    "1.2, status": lambda trace: stapling(trace, {}, {}),
    "1.2, status, mutual": lambda trace: stapling(trace, SHOWN, MUTUAL),
    "1.2, status, RSA": lambda trace: stapling(trace, RSA, RSA | RSA_KEY),
    "1.2, status, RSA, mutual": lambda trace: stapling(trace, RSA | SHOWN, RSA | RSA_KEY | MUTUAL),
    "1.2, resumed by ticket": resumed12,
    "1.2, resumed by ticket, mutual": lambda trace: resumed12(trace, **MUTUAL),
    "1.2, resumed by session ID": lambda trace: resumed12(trace, tickets=False),
    "1.2, resumed by ticket, a new one": lambda trace: resumed12(trace, HALF_OF_ITS_LIFE),
    "1.2, asked for another handshake by HelloRequest": lambda trace: renegotiation(trace, "server"),
    "1.2, asked for another handshake by ClientHello": lambda trace: renegotiation(trace, "client"),
}

HANDSHAKES = HANDSHAKES_13 | HANDSHAKES_12


def version_of(name: str) -> Version:
    return "TLSv1.2" if name in HANDSHAKES_12 else "TLSv1.3"


@cache
def trace_of(name: str) -> Trace:
    trace = Trace()
    HANDSHAKES[name](trace)
    return trace


def sides_of(name: str) -> tuple[Side, ...]:
    """Whose steps are recorded."""
    one: dict[str, Side] = {
        "1.2, asked for another handshake by HelloRequest": "client",
        "1.2, asked for another handshake by ClientHello": "server",
    }
    return (one[name],) if name in one else SIDES


every_table = pytest.mark.parametrize("version, side", ORDERS)
every_side = pytest.mark.parametrize(
    "name, side", [(name, side) for name in HANDSHAKES for side in sides_of(name)]
)


@every_side
def test_a_handshake_goes_along_its_table(name: str, side: Side) -> None:
    assert walk(version_of(name), side, recorded(trace_of(name), side))


@pytest.mark.parametrize("name", [name for name in HANDSHAKES if len(sides_of(name)) == len(SIDES)])
def test_what_one_side_sends_the_other_receives(name: str) -> None:
    sent = {side: [step for step in recorded(trace_of(name), side) if step[0] == "sent"] for side in SIDES}
    received = {side: [s for s in recorded(trace_of(name), side) if s[0] == "received"] for side in SIDES}
    assert [message for _, message in sent["client"]] == [message for _, message in received["server"]]
    assert [message for _, message in sent["server"]] == [message for _, message in received["client"]]


@every_table
def test_every_edge_of_the_table_is_walked(version: Version, side: Side) -> None:
    names = [name for name in HANDSHAKES if version_of(name) == version and side in sides_of(name)]
    walked = {edge for name in names for edge in walk(version, side, recorded(trace_of(name), side))}
    table = {Edge(state, *edge) for state, edges in ORDERS[version, side].items() for edge in edges.items()}
    assert walked == table


#: Of TLS 1.2: there or not by what was agreed on in the hellos, which the table does not know of.
AS_AGREED = {"ServerKeyExchange", "CertificateStatus", "NewSessionTicket"}


def handshake_of(name: str, side: Side) -> tuple[list[Step], int]:
    """All steps, and how many of them are of the handshake."""
    steps = recorded(trace_of(name), side)
    return steps, len(steps) - [step[1] for step in reversed(steps)].index("Finished")


@every_side
def test_a_handshake_that_lacks_a_message_is_not_in_the_table(name: str, side: Side) -> None:
    """The tables are strict: without this they could let everything pass."""
    steps, in_handshake = handshake_of(name, side)
    for left_out in range(in_handshake):
        if version_of(name) == "TLSv1.2" and steps[left_out][1] in AS_AGREED:
            continue
        with pytest.raises(Lost):
            walk(version_of(name), side, steps[:left_out] + steps[left_out + 1 :])


@every_side
def test_a_handshake_with_two_messages_exchanged_is_not_in_the_table(name: str, side: Side) -> None:
    steps, in_handshake = handshake_of(name, side)
    for at in range(in_handshake - 1):
        with pytest.raises(Lost):
            walk(version_of(name), side, [*steps[:at], steps[at + 1], steps[at], *steps[at + 2 :]])


@every_side
def test_a_handshake_with_a_message_twice_is_not_in_the_table(name: str, side: Side) -> None:
    steps, in_handshake = handshake_of(name, side)
    for at in range(in_handshake):
        with pytest.raises(Lost):
            walk(version_of(name), side, [*steps[: at + 1], *steps[at:]])


# -- the tables themselves


@every_table
def test_every_state_can_be_reached_and_left(version: Version, side: Side) -> None:
    table = ORDERS[version, side]
    reached = {"START"} | {following for edges in table.values() for following in edges.values()}
    assert reached == set(table)
    assert all(table.values())


#: What a flow never has: 0-RTT is refused, so its end is never sent, and our servers do not ask for another
#: handshake.
NEVER: dict[tuple[Version, Side], set[str]] = {
    ("TLSv1.3", "client"): {"EndOfEarlyData"},
    ("TLSv1.3", "server"): {"EndOfEarlyData"},
    ("TLSv1.2", "client"): set(),
    ("TLSv1.2", "server"): {"HelloRequest"},
}
MESSAGES: dict[Version, set[str]] = {
    "TLSv1.3": {cls.name for cls in TLS13_MESSAGES.values()} | {"HelloRetryRequest"},
    "TLSv1.2": {cls.name for cls in TLS12_MESSAGES.values()}
    | {"ServerKeyExchange", "ClientKeyExchange", "ChangeCipherSpec"},
}


@every_table
def test_messages_are_called_as_the_engine_calls_them(version: Version, side: Side) -> None:
    names = MESSAGES[version] | {EMPTY_CERTIFICATE}
    found = {message for edges in ORDERS[version, side].values() for _, message in edges}
    assert found == names - NEVER[version, side]


#: Where a flow knows more than the table: with a PSK only Finished can come; in TLS 1.2 the hellos have told
#: which of several messages is due.
KNOWS_MORE: dict[tuple[Version, str], set[str]] = {
    ("TLSv1.3", "WAIT_CERT_CR"): {"WAIT_FINISHED"},
    ("TLSv1.2", "RECVD_SH"): {"WAIT_CERT", "WAIT_TICKET", "WAIT_CCS"},
    ("TLSv1.2", "RECVD_CERT"): {"WAIT_STATUS", "WAIT_SKE", "WAIT_CR"},
    ("TLSv1.2", "RECVD_STATUS"): {"WAIT_SKE", "WAIT_CR"},
    ("TLSv1.2", "SENT_FINISHED"): {"WAIT_TICKET", "WAIT_CCS"},
}


@every_side
def test_the_state_of_a_flow_is_that_of_the_table(name: str, side: Side) -> None:
    """Where the table needs two states for what the flow calls one, a word more tells them apart."""
    version, state = version_of(name), "START"
    for event in trace_of(name).events:
        if event.side != side:
            continue
        if isinstance(event, MessageEvent):
            state = ORDERS[version, side][state][step_of(event)]
        elif isinstance(event, StateEvent):
            assert state.startswith(event.name) or event.name in KNOWS_MORE[version, state]


#: RFC 9846 appendix A, without WAIT_EOED, which is of 0-RTT, and those in which nobody waits for a message.
#: RFC 5246 has no names of states: these are in its taste.
STATES: dict[tuple[Version, Side], set[str]] = {
    ("TLSv1.3", "client"): {
        "WAIT_SH", "WAIT_EE", "WAIT_CERT_CR", "WAIT_CERT", "WAIT_CV", "WAIT_FINISHED", "CONNECTED",
    },
    ("TLSv1.3", "server"): {"START", "WAIT_CERT", "WAIT_CV", "WAIT_FINISHED", "CONNECTED"},
    ("TLSv1.2", "client"): {
        "WAIT_SH", "WAIT_CERT", "WAIT_STATUS", "WAIT_SKE", "WAIT_CR", "WAIT_SHD", "WAIT_TICKET", "WAIT_CCS",
        "WAIT_FINISHED", "CONNECTED",
    },
    ("TLSv1.2", "server"): {
        "START", "WAIT_CERT", "WAIT_CKE", "WAIT_CV", "WAIT_CCS", "WAIT_FINISHED", "CONNECTED",
    },
}  # fmt: skip


@every_table
def test_the_states_have_the_names_of_the_rfc(version: Version, side: Side) -> None:
    names = [name for name in HANDSHAKES if version_of(name) == version]
    events = [event for name in names for event in trace_of(name).events]
    found = {event.name for event in events if isinstance(event, StateEvent) and event.side == side}
    assert found == STATES[version, side]
