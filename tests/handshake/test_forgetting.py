"""Secrets that have done their work are gone: nothing that a connection holds leads to them, and no repr."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
from holding import held
from loopback import client_config, connect_pair, pump, server_config, shake_hands
from rogue import replace, rogue_client, rogue_server, run

from pellucid import ExternalPsk, Misuse, Reason, SessionStore, TLSError
from pellucid.codes import NamedGroup
from pellucid.connection import Connection
from pellucid.crypto.suites import SUITES
from pellucid.handshake import offer
from pellucid.handshake.effects import InstallKeys, StoreSession
from pellucid.handshake.offer import Offer, Psk
from pellucid.keys import KeySchedule
from pellucid.messages import ClientHello, Finished
from pellucid.sessions import Session

Side = Literal["client", "server"]
SIDES: tuple[Side, Side] = ("client", "server")


@dataclass
class Seen:
    """Secrets that went through the key schedules of a test, by stage or name."""

    secrets: dict[str, set[bytes]] = field(default_factory=dict)

    def note(self, name: str, *values: bytes) -> None:
        # A copy: whoever looks for objects finds those of the connection, not these.
        self.secrets.setdefault(name, set()).update(bytes(bytearray(value)) for value in values)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Seen:
    found = Seen()
    enter, leaf = KeySchedule._enter, KeySchedule._leaf

    def watched_enter(schedule: KeySchedule, stage: str, secret: bytes) -> None:
        found.note(stage, secret)
        enter(schedule, stage, secret)

    def watched_leaf(schedule: KeySchedule, name: str, transcript_hash: bytes) -> bytes:
        secret = leaf(schedule, name, transcript_hash)
        found.note(name, secret)
        return secret

    monkeypatch.setattr(KeySchedule, "_enter", watched_enter)
    monkeypatch.setattr(KeySchedule, "_leaf", watched_leaf)
    return found


def secrets_held(connection: Connection, seen: Seen) -> set[str]:
    """The names of those that ``connection`` leads to."""
    found = {one for one in held(connection) if isinstance(one, bytes)}
    # Without a PSK the Early Secret is a constant that everybody knows.
    return {name for name, values in seen.secrets.items() if values & found and name != "early"}


@pytest.mark.parametrize("side", SIDES)
def test_when_the_handshake_is_complete_its_key_schedule_is_gone(side: Side, seen: Seen) -> None:
    """From what is left nobody computes the keys of before a KeyUpdate."""
    pair = shake_hands()
    connection = pair[SIDES.index(side)]
    left = secrets_held(connection, seen)
    kept = {"client_application_traffic_secret_0", "server_application_traffic_secret_0", "exporter_secret"}
    # A client may get tickets for as long as the connection lives.
    assert left == (kept | {"resumption_secret"} if side == "client" else kept)
    assert {"main", "handshake", "server_handshake_traffic_secret"} <= set(seen.secrets)
    assert not any(isinstance(one, KeySchedule) for one in held(connection))


def test_the_exporter_works_without_the_key_schedule(seen: Seen) -> None:
    client, server = shake_hands()
    assert "main" not in secrets_held(client, seen) | secrets_held(server, seen)
    exported = client.export_keying_material(b"EXPERIMENTAL label", None, 32)
    assert exported == server.export_keying_material(b"EXPERIMENTAL label", None, 32)


def fail(connection: Connection) -> TLSError:
    """A record that is none, and the error that comes of it."""
    with pytest.raises(TLSError) as caught:
        connection.receive_data(b"\x17\x03\x03\x00\x20" + bytes(32))
    error = caught.value
    # What pytest keeps of the frames is its own.
    del caught
    return error


@pytest.mark.parametrize("side", SIDES)
def test_a_failed_connection_forgets_its_secrets(side: Side, seen: Seen) -> None:
    """RFC 9846 6: "MUST forget the secret values and keys established in failed connections"."""
    pair = shake_hands()
    connection = pair[SIDES.index(side)]
    fail(connection)
    hs = connection._hs
    assert hs.read_secret == hs.write_secret == hs.resumption_secret == b""
    assert hs.exporter is None
    connection.data_to_send()
    assert secrets_held(connection, seen) == set()


@pytest.mark.parametrize("side", SIDES)
def test_a_failed_handshake_forgets_its_secrets(side: Side, seen: Seen) -> None:
    client, server = connect_pair()
    server.receive_data(client.data_to_send())
    flight = server.data_to_send()
    connection: Connection = server
    if side == "client":
        size = 5 + int.from_bytes(flight[3:5], "big")
        client.receive_data(flight[:size])
        connection = client
    assert "server_handshake_traffic_secret" in secrets_held(connection, seen)
    fail(connection)
    connection.data_to_send()
    assert secrets_held(connection, seen) == set()


@pytest.mark.parametrize("side", SIDES)
def test_a_flow_that_finds_a_fault_forgets_its_secrets(side: Side, seen: Seen) -> None:
    """They are in its variables, and the error's traceback leads to those."""
    tamper = replace(Finished, lambda body: bytes(len(body)))
    client, server = connect_pair()
    if side == "client":
        error = run(client, rogue_server(tamper), client)
        connection: Connection = client
    else:
        error = run(rogue_client(tamper), server, server)
        connection = server
    assert error.reason is Reason.BAD_FINISHED
    connection.data_to_send()
    assert secrets_held(connection, seen) == set()


def test_a_callback_that_fails_leaves_no_secrets(seen: Seen) -> None:
    def failing(*_: object) -> None:
        raise RuntimeError("the disk is full")

    client, server = connect_pair(server=server_config(key_log=failing))
    with pytest.raises(Misuse) as caught:
        server.receive_data(client.data_to_send())
    assert isinstance(caught.value.__cause__, RuntimeError)
    server.data_to_send()
    assert secrets_held(server, seen) == set()


@pytest.mark.parametrize("side", SIDES)
def test_a_cancelled_handshake_forgets_its_secrets(side: Side, seen: Seen) -> None:
    client, server = connect_pair()
    server.receive_data(client.data_to_send())
    flight = server.data_to_send()
    connection: Connection = server
    if side == "client":
        size = 5 + int.from_bytes(flight[3:5], "big")
        client.receive_data(flight[:size])
        connection = client
    connection.close()
    connection.data_to_send()
    assert secrets_held(connection, seen) == set()


def test_nothing_is_exported_from_a_connection_that_failed() -> None:
    for connection in shake_hands():
        connection.export_keying_material(b"EXPERIMENTAL label", None, 32)
        fail(connection)
        with pytest.raises(Misuse) as caught:
            connection.export_keying_material(b"EXPERIMENTAL label", None, 32)
        assert caught.value.reason is Reason.CONNECTION_CLOSED


# -- what is shown

KEY = bytes(range(0xA0, 0xC0))


def shows(thing: object, secret: bytes) -> bool:
    shown = repr(thing)
    return secret.hex() in shown or repr(secret)[2:-1] in shown


def test_no_repr_of_an_offer_shows_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Offer] = []
    finish = offer.finish_hello

    def watched(hs: Any, ours: Offer) -> None:
        made.append(ours)
        finish(hs, ours)

    monkeypatch.setattr(offer, "finish_hello", watched)
    sessions = SessionStore()
    server = server_config()
    pump(*connect_pair(client_config(sessions=sessions), server))
    (session,) = (one for one in held(sessions) if isinstance(one, Session))
    scripted = client_config(
        sessions=sessions,
        psks=[ExternalPsk(b"an identity", KEY)],
        entropy=lambda length: (KEY * length)[:length],
        groups=["x25519"],
    )
    pump(*connect_pair(scripted, server))
    ours = made[-1]
    assert isinstance(ours.hello, ClientHello)
    assert set(ours.shares) == {NamedGroup.x25519}
    resumed, external = ours.psks
    secrets = [KEY, session.secret, resumed.schedule._secret, external.schedule._secret]
    for thing in (ours.psks, resumed, external, ours.shares, StoreSession(session)):
        assert not any(shows(thing, secret) for secret in secrets)
    # The hello has random bytes from the same source, and shows them.
    assert not any(shows(Offer(None, ours.shares, ours.psks, session, None), secret) for secret in secrets)  # type: ignore[arg-type]


def test_no_repr_of_an_effect_shows_a_secret() -> None:
    assert not shows(InstallKeys("read", "handshake", SUITES[0x1301], KEY), KEY)


def test_no_repr_of_a_psk_shows_its_key() -> None:
    schedule = KeySchedule(SUITES[0x1301])
    schedule.early(KEY)
    psk = Psk(b"an identity", SUITES[0x1301], None, schedule)
    assert not shows(psk, KEY)
    assert not shows(psk, schedule._secret)
