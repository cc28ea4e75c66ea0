"""TLS 1.2: every byte of everything that is said in a handshake, changed: it ends in an error with an alert.

As in test_corruption.py, a handshake repeats byte for byte. It is recorded once; each case plays it to a
fresh endpoint, with one byte changed. In TLS 1.2 nearly all of it is in clear, and what protects it is what
comes at the end of full handshakes and abbreviated ones: each Finished is a MAC over all before it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from hashlib import shake_128
from itertools import product
from typing import Any

import pytest
from loopback import NAME, NOW, client12, credential, server12, split_records
from raw_keys import RAW, asking, raw_credential, showing, spki, trusting

from pellucid import (
    ClientConnection,
    ServerConnection,
    Session,
    SessionCache,
    SessionReceived,
    SessionStore,
    TicketKeys,
    TLSError,
)
from pellucid.alerts import alert_for
from pellucid.codes import AlertDescription, CipherSuite, ContentType
from pellucid.connection import Connection
from pellucid.crypto.suites12 import SUITES12, Suite12
from pellucid.errors import PeerMisbehaved, Reason
from pellucid.keys import CipherKeys, key_block
from pellucid.record import opener12, sealer12
from pellucid.sessions import TicketState

#: Each byte is changed in its lowest bit and in its highest, which for a length is less and far too much.
MASKS = (0x01, 0x80)
HEADER = 5
VERSION = (1, 2)
LENGTH = (3, 4)
#: Of the ServerHello, in the record that begins with it: behind both headers and the version.
RANDOM = slice(HEADER + 6, HEADER + 38)
DATA = {"client": b"client data", "server": b"server data"}
#: Half of a ticket's life of two hours, and a second.
LATER = 3_601


@dataclass(frozen=True)
class Scene:
    """One kind of handshake; ``after`` another one, whose session it resumes, so many seconds later."""

    suite: Suite12
    client: dict[str, Any]
    server: dict[str, Any]
    tickets: bool = True
    after: str = ""
    seconds: int = 0


ED25519 = {"credentials": [credential("ed25519", "client")]}
ED25519_SERVER = {"credentials": [credential("ed25519")]}
RSA_SERVER = {"credentials": [credential("rsa")]}
GCM = SUITES12[CipherSuite.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256]
CBC = SUITES12[CipherSuite.TLS_RSA_WITH_AES_128_CBC_SHA256]
MUTUAL = ED25519_SERVER | {"client_authentication": "required"}
RAW_CLIENT = {"trust": trusting(spki("ed25519")), "peer_certificate_types": [RAW], **showing("ed25519")}
RAW_SERVER = {"credentials": [raw_credential("ed25519")], **asking("ed25519")}

#: Nothing in them is random but by our entropy: neither x25519, nor Ed25519, nor RSA key exchange.
SCENES = {
    "mutual, with a ticket": Scene(GCM, ED25519, MUTUAL),
    "mutual, by raw public keys": Scene(GCM, RAW_CLIENT, RAW_SERVER),
    "RSA, with a session ID": Scene(CBC, {}, RSA_SERVER, tickets=False),
    "resumed by ticket": Scene(GCM, {}, ED25519_SERVER, after="with a ticket"),
    "resumed by ticket, with a new one": Scene(GCM, {}, ED25519_SERVER, after="with a ticket", seconds=LATER),
    "resumed by session ID": Scene(CBC, {}, RSA_SERVER, tickets=False, after="RSA, with a session ID"),
}
FIRST = {"with a ticket": Scene(GCM, {}, ED25519_SERVER)}

every_scene = pytest.mark.parametrize("name", SCENES)
both_sides = pytest.mark.parametrize("side", ["client", "server"])


def entropy(label: str) -> Callable[[int], bytes]:
    calls = iter(range(1 << 30))
    return lambda length: shake_128(f"{label} {next(calls)}".encode()).digest(length)


@dataclass
class Recording:
    """What each side was sent, record by record, and what both have to remember of it."""

    to_client: list[bytes] = field(default_factory=list)
    to_server: list[bytes] = field(default_factory=list)
    session: Session | None = None
    cached: dict[bytes, TicketState] = field(default_factory=dict)

    def to(self, side: str) -> list[bytes]:
        return self.to_client if side == "client" else self.to_server

    def finished(self, side: str) -> int:
        """Which record is the Finished: the one behind the ChangeCipherSpec."""
        return 1 + [record[0] for record in self.to(side)].index(ContentType.change_cipher_spec)


class Cache(SessionCache):
    """Tells what it is given."""

    def __init__(self, states: dict[bytes, TicketState]) -> None:
        super().__init__()
        self.given: dict[bytes, TicketState] = {}
        for session_id, state in states.items():
            self.put(session_id, state)

    def put(self, session_id: bytes, state: TicketState) -> None:
        self.given[session_id] = state
        super().put(session_id, state)


#: client_random and master secret.
Secrets = list[tuple[bytes, bytes]]


def endpoint(scene: Scene, side: str) -> tuple[Connection, Secrets]:
    """A fresh connection that does what all others of its side do, and the secrets that it comes to."""
    secrets: Secrets = []
    before = recording(scene.after) if scene.after else Recording()
    now = NOW + scene.seconds
    knobs: dict[str, Any] = {
        "cipher_suites": [scene.suite.code],
        "groups": ["x25519"],
        "entropy": entropy(f"{side} {scene.after}"),
        "key_log": lambda _label, client_random, secret: secrets.append((client_random, secret)),
        "clock": lambda: now,
    }
    if side == "client":
        sessions = SessionStore()
        if before.session is not None:
            sessions.put(before.session)
        return ClientConnection(client12(sessions=sessions, **knobs, **scene.client), NAME), secrets
    knobs["tickets"] = scene.tickets and ticket_keys()
    return ServerConnection(server12(session_cache=Cache(before.cached), **knobs, **scene.server)), secrets


def ticket_keys() -> TicketKeys:
    """Those that sealed the first ticket, which are made when the first is sealed."""
    keys = TicketKeys(entropy("tickets"), lambda: NOW)
    keys.seal(TicketState(suite=GCM.code, secret=b"", created_at=NOW, lifetime_seconds=1))
    return keys


@cache
def recording(name: str) -> Recording:
    scene = (SCENES | FIRST)[name]
    client, server = endpoint(scene, "client")[0], endpoint(scene, "server")[0]
    found = Recording()
    for _ in range(4):
        to_server = client.data_to_send()
        found.to_server += split_records(to_server)
        server.receive_data(to_server)
        to_client = server.data_to_send()
        found.to_client += split_records(to_client)
        for event in client.receive_data(to_client):
            if isinstance(event, SessionReceived):
                found.session = event.session
    for speaker, listener, kept in ((client, server, found.to_server), (server, client, found.to_client)):
        speaker.send_data(DATA["client" if speaker is client else "server"])
        said = speaker.data_to_send()
        kept.extend(split_records(said))
        listener.receive_data(said)
    cache = server._hs.config.cache
    assert isinstance(cache, Cache)
    found.cached = cache.given
    return found


@dataclass
class Played:
    """What became of an endpoint. ``server_random``: as this side knows it."""

    scene: Scene
    side: str
    victim: Connection
    secrets: Secrets
    server_random: bytes
    error: TLSError | None = None

    def keys_of(self, side: str) -> CipherKeys:
        client_random, master_secret = self.secrets[-1]
        block = key_block(self.scene.suite, master_secret, client_random, self.server_random)
        return block.client if side == "client" else block.server


def play(name: str, side: str, flights: list[bytes]) -> Played:
    """Hand over all of it, then the end of the stream: whoever waits for more must not wait for ever."""
    victim, secrets = endpoint(SCENES[name], side)
    hello = (flights if side == "client" else recording(name).to_client)[0]
    played = Played(SCENES[name], side, victim, secrets, hello[RANDOM])
    victim.data_to_send()
    try:
        for record in flights:
            victim.receive_data(record)
            victim.data_to_send()
        victim.receive_eof()
    except TLSError as error:
        played.error = error
    return played


@both_sides
@every_scene
def test_the_recording_plays(name: str, side: str) -> None:
    """What follows changes one byte of this."""
    played = play(name, side, recording(name).to(side))
    assert played.error is not None
    assert played.error.reason is Reason.TRUNCATED
    agreed = played.victim.negotiated
    assert agreed is not None
    assert agreed.protocol.label == "TLSv1.2"
    assert agreed.resumed is bool(SCENES[name].after)
    assert agreed.mutual is name.startswith("mutual")


def test_what_the_handshakes_are_made_of_is_not_random() -> None:
    """A recording is worth something only if a fresh endpoint says what the recorded one said."""
    for name, scene in SCENES.items():
        client, server = endpoint(scene, "client")[0], endpoint(scene, "server")[0]
        assert [*split_records(client.data_to_send())] == recording(name).to_server[:1]
        server.receive_data(recording(name).to_server[0])
        said = [*split_records(server.data_to_send())]
        assert said == recording(name).to_client[: len(said)]


# -- what a failed connection says


def alert_sent(played: Played) -> AlertDescription | None:
    """The description of the alert that a failed connection leaves last, protected or not."""
    said = [*split_records(played.victim.data_to_send())]
    assert played.victim.data_to_send() == b""
    if not said:
        return None
    record = said[-1]
    assert record[0] == ContentType.alert
    if len(record) != HEADER + 2:
        record = record[:HEADER] + opened(played, record)
    return AlertDescription(record[-1])


def opened(played: Played, record: bytes) -> bytes:
    """What is in a record of the victim's, under what it takes for the keys."""
    suite, keys = played.scene.suite, played.keys_of(played.side)
    for sequence, encrypt_then_mac in product(range(4), (True, False)):
        opener: Any = opener12(suite, keys, encrypt_then_mac=encrypt_then_mac)
        opener.sequence = sequence
        try:
            content_type, content = opener.open(record[:HEADER], record[HEADER:], 2**14)
        except PeerMisbehaved:
            continue
        assert content_type == ContentType.alert
        return bytes(content)
    raise AssertionError("the last record is under no key of this connection")


# -- on the wire


def positions(name: str, side: str) -> Iterator[tuple[int, int, int]]:
    """(record, offset, mask) of each change there is, but for what nothing authenticates.

    That is one thing: the version in the header of a record that is not protected, which nobody looks at.
    (RFC 5246 6.2.3.1 has it in what is authenticated with a protected one.)
    """
    finished = recording(name).finished(side)
    for number, record in enumerate(recording(name).to(side)):
        for offset in range(len(record)):
            if offset in VERSION and number < finished:
                continue
            # Of the long ones, certificates and tickets, each byte is changed once.
            for mask in MASKS if len(record) < 256 else MASKS[offset % 2 : offset % 2 + 1]:
                yield number, offset, mask


def lengths(record: bytes) -> set[int]:
    """Where lengths stand of records and of messages: what changes them may make the victim wait for more."""
    found = {*LENGTH}
    offset = HEADER
    while record[0] == ContentType.handshake and offset < len(record):
        found |= {offset + 1, offset + 2, offset + 3}
        offset += 4 + int.from_bytes(record[offset + 1 : offset + 4], "big")
    return found


#: What may come of a change that makes something longer: the rest is waited for, until the stream ends.
ENDED = {Reason.CLOSED_DURING_HANDSHAKE, Reason.TRUNCATED}


@both_sides
@every_scene
def test_a_changed_byte_on_the_wire_ends_in_an_error_with_an_alert(name: str, side: str) -> None:
    flights, finished = recording(name).to(side), recording(name).finished(side)
    for number, offset, mask in positions(name, side):
        where = f"record {number}, byte {offset}, xor {mask:#x}"
        changed = bytearray(flights[number])
        changed[offset] ^= mask
        played = play(name, side, [*flights[:number], bytes(changed), *flights[number + 1 :]])
        victim, error = played.victim, played.error
        assert error is not None, where
        assert error.blame in {"peer", "both"}, (where, error)
        assert error.reason is not Reason.ALERT_RECEIVED, (where, error)
        assert victim.handshake_complete is (number > finished), where
        assert victim.state == "FAILED", where
        waits = offset in lengths(flights[number])
        assert waits or error.reason not in ENDED, (where, error)
        # The one peer that is told nothing is the one that does not speak TLS: its first byte is none of TLS.
        alert = None if error.reason is Reason.NOT_TLS else alert_for(error, victim._hs.version)
        assert alert_sent(played) == alert, (where, error)
        assert error.reason is not Reason.NOT_TLS or (number, offset) == (0, 0), where


@pytest.mark.parametrize("mask", MASKS)
@both_sides
@every_scene
def test_the_version_of_an_unprotected_record_is_ignored(name: str, side: str, mask: int) -> None:
    """RFC 5246 E.1 asks for that with a ClientHello; the others are let pass, as in TLS 1.3."""
    flights = recording(name).to(side)
    for number, record in enumerate(flights[: recording(name).finished(side)]):
        for offset in VERSION:
            changed = bytearray(record)
            changed[offset] ^= mask
            played = play(name, side, [*flights[:number], bytes(changed), *flights[number + 1 :]])
            assert played.victim.handshake_complete
            assert played.error is not None
            assert played.error.reason is Reason.TRUNCATED


@both_sides
@every_scene
def test_a_record_left_out_or_sent_twice_ends_in_an_error(name: str, side: str) -> None:
    flights, finished = recording(name).to(side), recording(name).finished(side)
    for number in range(len(flights)):
        less, more = [*flights[:number], *flights[number + 1 :]], [*flights[: number + 1], *flights[number:]]
        for flight in (less, more):
            played = play(name, side, flight)
            assert played.error is not None, number
            last_is_missing = flight is less and number == len(flights) - 1
            assert played.error.reason not in ENDED or last_is_missing, (number, played.error)
            complete = number > finished or (number == finished and flight is more)
            assert played.victim.handshake_complete is complete, number


# -- under the protection

#: Another message, one longer than its record, and one shorter, with something behind it.
LESS_THAN_A_FINISHED = {
    Reason.UNEXPECTED_MESSAGE,
    Reason.MESSAGE_TOO_LONG,
    Reason.MESSAGE_ACROSS_KEY_CHANGE,
    Reason.MALFORMED,
}


@both_sides
@every_scene
def test_a_changed_byte_inside_the_finished_ends_in_an_error_with_an_alert(name: str, side: str) -> None:
    """A peer that has the keys, and another idea of what was said."""
    flights, finished = recording(name).to(side), recording(name).finished(side)
    suite = SCENES[name].suite
    keys = play(name, side, flights).keys_of("server" if side == "client" else "client")
    record = flights[finished]
    opener = opener12(suite, keys, encrypt_then_mac=True)
    content_type, content = opener.open(record[:HEADER], record[HEADER:], 2**14)
    assert (content_type, len(content)) == (ContentType.handshake, 16)
    for offset, mask in product(range(len(content)), MASKS):
        where = f"byte {offset}, xor {mask:#x}"
        changed = bytearray(content)
        changed[offset] ^= mask
        sealer = sealer12(suite, keys, encrypt_then_mac=True, entropy=entropy("another"))
        forged = sealer.seal(ContentType.handshake, bytes(changed))
        played = play(name, side, [*flights[:finished], forged, *flights[finished + 1 :]])
        error = played.error
        assert error is not None, where
        reasons = LESS_THAN_A_FINISHED if offset < 4 else {Reason.BAD_FINISHED}
        assert error.reason in reasons, (where, error)
        assert not played.victim.handshake_complete, where
        assert alert_sent(played) == alert_for(error, played.victim._hs.version), (where, error)
