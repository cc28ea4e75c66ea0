"""Every byte of everything that is said in a mutual handshake, changed: it ends in an error with an alert.

Clock and entropy are injected, and x25519 and Ed25519 draw nothing else, so a handshake repeats byte for
byte. Its flights are recorded once; each case plays them to a fresh endpoint, with one byte changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from hashlib import shake_128

import pytest
from loopback import NAME, client_config, clock, credential, server_config, split_records

from pellucid import ClientConnection, ServerConnection, TLSError
from pellucid.alerts import alert_for
from pellucid.codes import AlertDescription, CipherSuite, ContentType
from pellucid.connection import Connection
from pellucid.crypto.suites import SUITES
from pellucid.errors import PeerMisbehaved, Reason
from pellucid.events import DataReceived, HandshakeCompleted, SessionReceived
from pellucid.keys import traffic_keys
from pellucid.record import Opener, Sealer
from pellucid.sessions import TicketKeys

SUITE = SUITES[CipherSuite.TLS_AES_128_GCM_SHA256]
#: Each byte is changed in its lowest bit and in its highest, which for a length is less and far too much.
MASKS = (0x01, 0x80)
HEADER = 5
#: Of a record's header, what RFC 9846 5.1 tells to ignore while nothing is protected.
VERSION = (1, 2)
LENGTH = (3, 4)
#: The record that holds the Finished, to a client and to a server: behind a hello and a change_cipher_spec.
FINISHED = 2
HELLO, DATA = b"client data", b"server data"


def entropy(label: str) -> Callable[[int], bytes]:
    calls = iter(range(1 << 30))
    return lambda length: shake_128(f"{label} {next(calls)}".encode()).digest(length)


Secrets = dict[str, bytes]


def endpoint(side: str) -> tuple[Connection, Secrets]:
    """A fresh connection that does what all others of its side do, and the secrets that it comes to."""
    secrets: Secrets = {}
    knobs = {
        "cipher_suites": [SUITE.code],
        "groups": ["x25519"],
        "entropy": entropy(side),
        "key_log": lambda label, _random, secret: secrets.update({label: secret}),
    }
    if side == "client":
        return ClientConnection(
            client_config(credentials=[credential("ed25519", "client")], **knobs), NAME
        ), secrets
    config = server_config(
        credentials=[credential("ed25519")],
        client_authentication="required",
        tickets=TicketKeys(entropy("tickets"), clock),
        **knobs,
    )
    return ServerConnection(config), secrets


@dataclass
class Recording:
    """What each side was sent, record by record, and with what secrets."""

    to_client: list[bytes] = field(default_factory=list)
    to_server: list[bytes] = field(default_factory=list)
    secrets: Secrets = field(default_factory=dict)

    def to(self, side: str) -> list[bytes]:
        return self.to_client if side == "client" else self.to_server


@cache
def recording() -> Recording:
    client, secrets = endpoint("client")
    server, _ = endpoint("server")
    found = Recording(secrets=secrets)

    def turn(speaker: Connection, listener: Connection, kept: list[bytes]) -> None:
        said = speaker.data_to_send()
        kept += split_records(said)
        listener.receive_data(said)

    turn(client, server, found.to_server)
    turn(server, client, found.to_client)
    client.send_data(HELLO)
    turn(client, server, found.to_server)
    server.send_data(DATA)
    turn(server, client, found.to_client)
    return found


def test_the_recording_is_of_a_whole_mutual_handshake() -> None:
    """And plays: what follows changes one byte of this."""
    types = {
        "server": [HandshakeCompleted, DataReceived],
        "client": [HandshakeCompleted, SessionReceived, DataReceived],
    }
    for side, expected in types.items():
        victim, _ = endpoint(side)
        events = [event for record in recording().to(side) for event in victim.receive_data(record)]
        assert [type(event) for event in events] == expected
        assert victim.negotiated is not None
        assert victim.negotiated.mutual


def play(side: str, flights: list[bytes]) -> tuple[Connection, Secrets, TLSError | None]:
    """Hand over all of it, then the end of the stream: whoever waits for more must not wait for ever."""
    victim, secrets = endpoint(side)
    victim.data_to_send()
    try:
        for record in flights:
            victim.receive_data(record)
            victim.data_to_send()
        victim.receive_eof()
    except TLSError as error:
        return victim, secrets, error
    return victim, secrets, None


def alert_sent(victim: Connection, side: str, secrets: Secrets) -> AlertDescription | None:
    """The description of the alert that a failed connection leaves last, under whatever key it has."""
    said = list(split_records(victim.data_to_send()))
    assert victim.data_to_send() == b""
    if not said:
        return None
    record = said[-1]
    if record[0] == ContentType.application_data:
        record = record[:HEADER] + opened(record, side, secrets)
    else:
        assert record[0] == ContentType.alert
    assert len(record) == HEADER + 2
    return AlertDescription(record[-1])


def opened(record: bytes, side: str, secrets: Secrets) -> bytes:
    labels = (f"{side.upper()}_HANDSHAKE_TRAFFIC_SECRET", f"{side.upper()}_TRAFFIC_SECRET_0")
    for secret in (secrets[label] for label in labels if label in secrets):
        for sequence in range(4):
            opener = Opener(SUITE, traffic_keys(SUITE, secret))
            opener.sequence = sequence
            try:
                content_type, content = opener.open(record[:HEADER], record[HEADER:], 2**14)
            except PeerMisbehaved:
                continue
            assert content_type == ContentType.alert
            return content
    raise AssertionError(f"the last record is under no key of {[*secrets]}")


def positions(side: str) -> Iterator[tuple[int, int, int]]:
    """(record, offset, mask) of each change there is."""
    for number, record in enumerate(recording().to(side)):
        for offset in range(len(record)):
            if offset in VERSION and record[0] != ContentType.application_data:
                continue
            for mask in MASKS:
                yield number, offset, mask


#: What may come of a change that makes something longer: the rest is waited for, until the stream ends.
ENDED = {Reason.CLOSED_DURING_HANDSHAKE, Reason.TRUNCATED}


@pytest.mark.parametrize("side", ["client", "server"])
def test_a_changed_byte_on_the_wire_ends_in_an_error_with_an_alert(side: str) -> None:
    flights = recording().to(side)
    for number, offset, mask in positions(side):
        where = f"record {number}, byte {offset}, xor {mask:#x}"
        record = bytearray(flights[number])
        record[offset] ^= mask
        victim, secrets, error = play(side, [*flights[:number], bytes(record), *flights[number + 1 :]])
        assert error is not None, where
        assert error.blame in {"peer", "both"}, (where, error)
        assert error.reason is not Reason.ALERT_RECEIVED or record[0] == ContentType.alert, (where, error)
        assert victim.handshake_complete is (number > FINISHED), where
        assert victim.state == "FAILED", where
        waited = offset in LENGTH or (number == 0 and offset < HEADER + 100)
        assert waited or error.reason not in ENDED, (where, error)
        # The one peer that is told nothing is the one that does not speak TLS: its first byte is none of TLS.
        silent = error.reason in {Reason.NOT_TLS, Reason.ALERT_RECEIVED}
        assert alert_sent(victim, side, secrets) == (None if silent else alert_for(error)), (where, error)
        assert error.reason is not Reason.NOT_TLS or (number, offset) == (0, 0), where


@pytest.mark.parametrize("side", ["client", "server"])
@pytest.mark.parametrize("mask", MASKS)
def test_the_version_of_an_unprotected_record_is_ignored(side: str, mask: int) -> None:
    """RFC 9846 5.1. The first record of all must be of major version 3, or it is no TLS."""
    flights = recording().to(side)
    for number, record in enumerate(flights):
        if record[0] == ContentType.application_data:
            continue
        for offset in VERSION if number else VERSION[1:]:
            changed = bytearray(record)
            changed[offset] ^= mask
            victim, _, error = play(side, [*flights[:number], bytes(changed), *flights[number + 1 :]])
            assert victim.handshake_complete
            assert error is not None
            assert error.reason is Reason.TRUNCATED


# -- under the protection


def content_of(record: bytes, label: str, sequence: int) -> bytes:
    opener = Opener(SUITE, traffic_keys(SUITE, recording().secrets[label]))
    opener.sequence = sequence
    content_type, content = opener.open(record[:HEADER], record[HEADER:], 2**14)
    assert content_type == ContentType.handshake
    return content


def sealed(content: bytes, label: str, sequence: int) -> bytes:
    sealer = Sealer(SUITE, traffic_keys(SUITE, recording().secrets[label]))
    sealer.sequence = sequence
    return sealer.seal(ContentType.handshake, content)


@pytest.mark.parametrize(
    "side, label",
    [("client", "SERVER_HANDSHAKE_TRAFFIC_SECRET"), ("server", "CLIENT_HANDSHAKE_TRAFFIC_SECRET")],
)
def test_a_changed_byte_inside_a_protected_flight_ends_in_an_error_with_an_alert(
    side: str, label: str
) -> None:
    """A peer that has the keys and garbles its messages: certificates, names, signatures and lengths."""
    flights = recording().to(side)
    assert len(flights) >= 4
    content = content_of(flights[2], label, 0)
    for offset in range(len(content)):
        mask = MASKS[offset % 2]
        changed = bytearray(content)
        changed[offset] ^= mask
        victim, secrets, error = play(side, [*flights[:2], sealed(bytes(changed), label, 0)])
        where = f"byte {offset}, xor {mask:#x}"
        assert error is not None, where
        assert error.blame in {"peer", "both"}, (where, error)
        assert error.reason is not Reason.INTERNAL_ERROR, (where, error)
        assert not victim.handshake_complete, where
        assert alert_sent(victim, side, secrets) == alert_for(error), (where, error)


def test_a_changed_byte_inside_a_ticket_is_an_error_or_another_ticket() -> None:
    """Most of a ticket is opaque to the client: what it takes for one is bad for one failed resumption."""
    flights = recording().to_client
    label = "SERVER_TRAFFIC_SECRET_0"
    content = content_of(flights[3], label, 0)
    refused = 0
    for offset in range(len(content)):
        changed = bytearray(content)
        changed[offset] ^= MASKS[offset % 2]
        victim, secrets, error = play("client", [*flights[:3], sealed(bytes(changed), label, 0)])
        assert victim.handshake_complete
        assert error is not None
        assert error.blame == "peer", (offset, error)
        assert alert_sent(victim, "client", secrets) == alert_for(error), (offset, error)
        refused += error.reason is not Reason.TRUNCATED
    assert refused
