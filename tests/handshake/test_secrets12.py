"""TLS 1.2: its secrets, computed once more by the book; the exporter, the key log, and what is forgotten."""

from __future__ import annotations

import hmac
import re
from functools import cache
from hashlib import new as new_hash
from typing import Any, NamedTuple

import pytest
from holding import held
from loopback import client12, connect_pair, credential, pump, server12, shake_hands
from rogue import replace, rogue_client, rogue_server, run

from pellucid import Misuse, Reason, SessionStore, TLSError, Trace
from pellucid.connection import Connection
from pellucid.crypto.suites12 import SUITES12
from pellucid.handshake import security12
from pellucid.keys.key_log import key_log_line
from pellucid.messages import ClientHello, Finished, ServerHello
from pellucid.trace.events import KeysEvent, MessageEvent, SecretEvent

BOTH = pytest.mark.parametrize("side", ["client", "server"])
LABEL = b"EXPORTER-pellucid-test"

# -- by the book, with nothing of ours


def prf(hash_name: str, secret: bytes, label: bytes, seed: bytes, length: int) -> bytes:
    """RFC 5246 5: P_hash(secret, label + seed)."""
    found, a = b"", label + seed
    while len(found) < length:
        a = hmac.digest(secret, a, hash_name)
        found += hmac.digest(secret, a + label + seed, hash_name)
    return found[:length]


SUITES = {
    "ECDHE": "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    "ECDHE, SHA-384": "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    "DHE": "TLS_DHE_RSA_WITH_AES_128_CCM",
    "RSA": "TLS_RSA_WITH_AES_256_CBC_SHA256",
    "ChaCha20": "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
    "CBC and SHA-1": "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
    "CBC and SHA-384": "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384",
}
#: Of the key block, in bytes: MAC key, key and IV (RFC 5246 6.3; RFC 5288, RFC 7905 for the IVs).
LENGTHS = {
    "ECDHE": (0, 16, 4),
    "ECDHE, SHA-384": (0, 32, 4),
    "DHE": (0, 16, 4),
    "RSA": (32, 32, 0),
    "ChaCha20": (0, 32, 12),
    "CBC and SHA-1": (20, 16, 0),
    "CBC and SHA-384": (48, 32, 0),
}
SHOWN = {"credentials": [credential(purpose="client")]}
KEYS = {"credentials": [credential(), credential("rsa")], "client_authentication": "required"}


CCS = "ChangeCipherSpec"


class Seen(NamedTuple):
    """What a handshake has in its trace, on the client's side."""

    hash_name: str
    messages: list[tuple[str, bytes]]
    premaster: bytes
    master: bytes
    keys: dict[str, tuple[bytes, ...]]

    @property
    def randoms(self) -> tuple[bytes, bytes]:
        raw = dict(reversed(self.messages))
        return ClientHello.decode(raw["ClientHello"]).random, ServerHello.decode(raw["ServerHello"]).random

    def hash_before(self, name: str, count: int = 1) -> bytes:
        """Of the handshake messages before the one of that name, or the second one."""
        places = [at for at, (found, _) in enumerate(self.messages) if found == name]
        before = self.messages[: places[count - 1]]
        return new_hash(self.hash_name, b"".join(raw for one, raw in before if one != CCS)).digest()

    def hash_up_to(self, name: str) -> bytes:
        behind = next(at for at, (found, _) in enumerate(self.messages) if found == name) + 1
        return self.hash_before(self.messages[behind][0])


@cache
def seen(name: str, extended: bool = True, resumed: bool = False) -> Seen:
    trace = Trace(reveal_secrets=True)
    both: dict[str, Any] = {"cipher_suites": [SUITES[name]]}
    if not extended:
        both["extended_master_secret"] = "never"
    log: list[bytes] = []
    client = client12(trace=trace, key_log=lambda *line: log.append(line[-1]), **both, **SHOWN)
    server = server12(**both, **KEYS)
    for _ in range(1 + resumed):
        trace.events.clear()
        shake_hands(client, server)
    messages = [(e.name, e.raw) for e in trace.events if isinstance(e, MessageEvent)]
    secrets = {e.name: e.value for e in trace.events if isinstance(e, SecretEvent)}
    keys = {e.direction: (e.mac_key, e.key, e.iv) for e in trace.events if isinstance(e, KeysEvent)}
    suite = next(suite for suite in SUITES12.values() if suite.name == SUITES[name])
    premaster: Any = secrets.get("premaster_secret", b"")
    return Seen(suite.hash_name, messages, premaster, log[-1], keys)  # type: ignore[arg-type]


every_suite = pytest.mark.parametrize("name", SUITES)


@every_suite
@pytest.mark.parametrize("extended", [True, False], ids=["extended", "as in 2008"])
def test_the_master_secret_is_that_of_the_rfc(name: str, extended: bool) -> None:
    """RFC 5246 8.1: of both randoms; RFC 7627 4: of all messages up to the ClientKeyExchange."""
    found = seen(name, extended)
    label, seed = b"master secret", b"".join(found.randoms)
    if extended:
        label, seed = b"extended master secret", found.hash_up_to("ClientKeyExchange")
    assert found.master == prf(found.hash_name, found.premaster, label, seed, 48)


@every_suite
@pytest.mark.parametrize("resumed", [False, True], ids=["full", "resumed"])
def test_the_keys_are_those_of_the_rfc(name: str, resumed: bool) -> None:
    """RFC 5246 6.3: client's and server's MAC keys, keys and IVs, cut from one block in this order."""
    found = seen(name, resumed=resumed)
    client_random, server_random = found.randoms
    mac, key, iv = LENGTHS[name]
    seed, length = server_random + client_random, 2 * (mac + key + iv)
    expected = prf(found.hash_name, found.master, b"key expansion", seed, length)
    cut: list[bytes] = []
    for length in (mac, mac, key, key, iv, iv):
        cut.append(expected[:length])
        expected = expected[length:]
    assert found.keys == {"write": tuple(cut[::2]), "read": tuple(cut[1::2])}


@every_suite
@pytest.mark.parametrize("resumed", [False, True], ids=["full", "resumed"])
def test_both_finished_are_those_of_the_rfc(name: str, resumed: bool) -> None:
    """RFC 5246 7.4.9: twelve bytes of a PRF over the messages before it."""
    found = seen(name, resumed=resumed)
    finished = [raw for kind, raw in found.messages if kind == "Finished"]
    labels = [b"client finished", b"server finished"]
    for number, label in enumerate(reversed(labels) if resumed else labels):
        transcript_hash = found.hash_before("Finished", number + 1)
        expected = prf(found.hash_name, found.master, label, transcript_hash, 12)
        assert Finished.decode(finished[number]).verify_data == expected


# -- the exporter (RFC 5705)


def exports(connection: Connection) -> list[bytes]:
    asked = [(LABEL, None, 32), (LABEL, b"context", 32), (b"EXPORTER-other", None, 32), (LABEL, None, 33)]
    return [connection.export_keying_material(*one) for one in asked]


def test_both_sides_export_the_same() -> None:
    client, server = shake_hands(client12(), server12())
    assert exports(client) == exports(server)


def test_what_is_exported_is_that_of_the_rfc() -> None:
    log: list[tuple[str, bytes, bytes]] = []
    trace = Trace()
    client, _ = shake_hands(client12(key_log=lambda *line: log.append(line), trace=trace), server12())
    raw = next(e.raw for e in trace.events if isinstance(e, MessageEvent) and e.name == "ServerHello")
    ((_, client_random, master),) = log
    seed = client_random + ServerHello.decode(raw).random
    for context, more in ((None, b""), (b"", b"\x00\x00"), (b"context", b"\x00\x07context")):
        expected = prf("sha256", master, LABEL, seed + more, 40)
        assert client.export_keying_material(LABEL, context, 40) == expected


def test_no_context_is_not_the_empty_context() -> None:
    """RFC 5705 4, unlike TLS 1.3."""
    client, _ = shake_hands(client12(), server12())
    assert client.export_keying_material(LABEL, None, 32) != client.export_keying_material(LABEL, b"", 32)


def test_every_connection_exports_something_else() -> None:
    """Though the master secret of a resumed one is the same."""
    configs = client12(), server12()
    found = [exports(shake_hands(*configs)[0])[0] for _ in range(3)]
    assert len({*found}) == 3


def test_nothing_is_exported_where_it_could_be_another_connections_too() -> None:
    """RFC 7627 5.4: without the extension two connections can come to the same master secret."""
    never = {"extended_master_secret": "never"}
    for connection in shake_hands(client12(**never), server12(**never)):
        with pytest.raises(Misuse) as caught:
            exports(connection)
        assert caught.value.reason is Reason.NOT_EXPORTABLE


def test_nothing_is_exported_before_the_handshake_or_after_a_failure() -> None:
    with pytest.raises(Misuse) as caught:
        exports(connect_pair(client12(), server12())[0])
    assert caught.value.reason is Reason.HANDSHAKE_NOT_COMPLETE
    for connection in shake_hands(client12(), server12()):
        fail(connection)
        with pytest.raises(Misuse) as caught:
            exports(connection)
        assert caught.value.reason is Reason.CONNECTION_CLOSED


# -- the key log


@pytest.mark.parametrize("name", ["ECDHE", "ECDHE, SHA-384", "RSA", "DHE"])
def test_both_sides_log_one_line(name: str) -> None:
    """What Wireshark calls CLIENT_RANDOM, that random, and the master secret, of 48 bytes with any hash."""
    logs: tuple[list[str], list[str]] = ([], [])
    configs = [
        make(
            cipher_suites=[SUITES[name]],
            key_log=lambda *line, log=log: log.append(key_log_line(*line)),
            **knobs,
        )
        for make, log, knobs in zip(
            (client12, server12), logs, ({}, {"credentials": KEYS["credentials"]}), strict=True
        )
    ]
    shake_hands(*configs)  # type: ignore[arg-type]
    (line,) = logs[0]
    assert [line] == logs[1]
    assert re.fullmatch(r"CLIENT_RANDOM [0-9a-f]{64} [0-9a-f]{96}\n?", line)


def test_a_resumed_handshake_logs_a_line_of_its_own() -> None:
    """The same secret, another random: who reads the log looks for the random."""
    log: list[tuple[str, bytes, bytes]] = []
    configs = client12(key_log=lambda *line: log.append(line)), server12()
    for _ in range(2):
        shake_hands(*configs)
    (first, second) = log
    assert (first[0], first[2]) == (second[0], second[2])
    assert first[1] != second[1]


# -- what is forgotten


Secrets = dict[str, set[bytes]]


@pytest.fixture
def noted(monkeypatch: pytest.MonkeyPatch) -> Secrets:
    """Secrets that went through the connections of a test."""
    found: Secrets = {"premaster": set(), "master": set(), "keys": set()}
    take, block = security12.take_premaster_secret, security12.key_block

    def watched_take(hs: Any, security: Any, premaster: bytes) -> None:
        found["premaster"].add(bytes(bytearray(premaster)))
        take(hs, security, premaster)

    def watched_block(suite: Any, master: bytes, *rest: Any, **more: Any) -> Any:
        found["master"].add(bytes(bytearray(master)))
        made = block(suite, master, *rest, **more)
        for keys in (made.client, made.server):
            found["keys"] |= {bytes(bytearray(key)) for key in (keys.mac_key, keys.key) if key}
        return made

    for module in ("client12", "server12"):
        monkeypatch.setattr(f"pellucid.handshake.{module}.take_premaster_secret", watched_take)
    monkeypatch.setattr(security12, "key_block", watched_block)
    return found


def held_by(connection: Connection, noted: Secrets) -> set[str]:
    found = {one for one in held(connection) if isinstance(one, bytes)}
    return {name for name, values in noted.items() if values & found}


def alone() -> tuple[Any, Any]:
    """Configurations that remember nothing themselves: whatever is held is held by a connection."""
    return client12(sessions=None), server12(tickets=False, session_cache=False)


@BOTH
def test_what_is_left_of_a_handshake_is_what_exports(side: str, noted: Secrets) -> None:
    """And the ciphers, who have their keys elsewhere."""
    client, server = shake_hands(*alone())
    connection = client if side == "client" else server
    assert held_by(connection, noted) == {"master"}
    assert all(noted.values())


@BOTH
@pytest.mark.parametrize("resumed", [False, True], ids=["full", "resumed"])
def test_the_messages_are_kept_for_as_long_as_one_may_sign_them(side: str, resumed: bool) -> None:
    """RFC 5246 7.4.8: they themselves, not their hash. A connection has no use for kilobytes of them."""
    configs = client12(**SHOWN), server12(**KEYS)
    if resumed:
        shake_hands(*configs)
    transcript = shake_hands(*configs)[side == "server"]._hs.transcript
    with pytest.raises(Misuse, match="were not kept"):
        _ = transcript.messages
    assert transcript._buffer == b""


@BOTH
def test_without_an_exporter_nothing_is_left(side: str, noted: Secrets) -> None:
    never = {"extended_master_secret": "never"}
    pair = shake_hands(
        client12(sessions=None, **never), server12(tickets=False, session_cache=False, **never)
    )
    assert held_by(pair[side == "server"], noted) == set()


def fail(connection: Connection) -> TLSError:
    """A record that is none, and the error that comes of it."""
    with pytest.raises(TLSError) as caught:
        connection.receive_data(b"\x17\x03\x03\x00\x20" + bytes(32))
    error = caught.value
    # What pytest keeps of the frames is its own.
    del caught
    return error


@BOTH
@pytest.mark.parametrize("remembering", [False, True], ids=["alone", "with sessions"])
def test_a_failed_connection_forgets_its_secrets(side: str, noted: Secrets, remembering: bool) -> None:
    """RFC 5246 7.2.2: both "MUST forget any session-identifiers, keys, and secrets" of it."""
    sessions = SessionStore()
    pair = (
        shake_hands(client12(sessions=sessions), server12(tickets=False))
        if remembering
        else shake_hands(*alone())
    )
    connection = pair[side == "server"]
    fail(connection)
    connection.data_to_send()
    assert held_by(connection, noted) == set()


@BOTH
def test_a_failed_handshake_forgets_its_secrets(side: str, noted: Secrets) -> None:
    tamper = replace(Finished, lambda body: bytes(len(body)))
    client, server = connect_pair(*alone())
    connection: Connection
    if side == "client":
        connection, error = client, run(client, rogue_server(tamper, alone()[1]), client)
    else:
        connection, error = server, run(rogue_client(tamper, alone()[0]), server, server)
    assert error.reason is Reason.BAD_FINISHED
    connection.data_to_send()
    assert noted["master"]
    assert held_by(connection, noted) == set()


@BOTH
def test_a_cancelled_handshake_forgets_its_secrets(side: str, noted: Secrets) -> None:
    client, server = connect_pair(*alone())
    server.receive_data(client.data_to_send())
    client.receive_data(server.data_to_send())
    flight = client.data_to_send()
    server.receive_data(flight[:-40])
    connection: Connection = client if side == "client" else server
    assert "master" in held_by(connection, noted)
    connection.close()
    connection.data_to_send()
    assert held_by(connection, noted) == set()


def test_no_repr_shows_a_secret(noted: Secrets) -> None:
    pair = connect_pair(*alone())
    events = pump(*pair)
    shown = repr((pair, events, pair[0].negotiated, pair[0]._hs, pair[1]._hs, pair[0]._driver))
    for secret in {*noted["premaster"], *noted["master"], *noted["keys"]}:
        assert secret.hex() not in shown
        assert repr(secret)[2:-1] not in shown
