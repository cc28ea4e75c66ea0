"""Why a connection of TLS 1.3 stays closed, and from where on."""

from __future__ import annotations

from functools import cache

import pytest
from conversations import Conversation, converse
from watched import Turns, Wire, decode_one, turns_of

from pellucid.codes import CipherSuite
from pellucid.decode import Decoded
from pellucid.trace.events import CheckEvent, DataEvent, MessageEvent, RecordEvent, SealedEvent


@cache
def talk() -> Conversation:
    return converse("full")


def turns() -> Turns:
    return turns_of(talk())


def names(found: Decoded) -> list[tuple[str, str]]:
    assert found.trace is not None
    return [
        (e.side, e.name) for e in found.trace.events if isinstance(e, MessageEvent) and e.direction == "sent"
    ]


def reasons(found: Decoded) -> list[tuple[str, str]]:
    assert found.trace is not None
    told = [e for e in found.trace.events if isinstance(e, SealedEvent)]
    assert [(e.side, e.reason, e.detail) for e in told] == [
        (e.side, e.reason, e.detail) for e in found.sealed
    ]
    return [(e.side, e.reason) for e in told]


def without(*labels: str) -> list[str]:
    return [line for line in talk().key_log if line.split()[0] not in labels]


HELLOS = [("client", "ClientHello"), ("server", "ServerHello")]
SERVER_FLIGHT = [
    *HELLOS,
    *(("server", n) for n in ("EncryptedExtensions", "Certificate", "CertificateVerify", "Finished")),
]
BOTH_NO_SECRETS = [("server", "no_secrets"), ("client", "no_secrets")]


def test_without_any_key_the_hellos_are_told_and_that_they_connected() -> None:
    found = decode_one(Wire().say(*turns()).close().capture)
    assert reasons(found) == BOTH_NO_SECRETS
    assert "No key log was given" in found.sealed[0].detail
    assert names(found) == HELLOS
    assert found.outcome is not None
    assert (found.outcome.status, found.outcome.cipher_suite) == ("connected", "TLS_AES_128_GCM_SHA256")
    assert found.outcome.signature_scheme == ""


def test_records_that_stay_closed_are_told_without_content() -> None:
    found = decode_one(Wire().say(*turns()).close().capture)
    assert found.trace is not None
    records = [e for e in found.trace.events if isinstance(e, RecordEvent) and e.direction == "sent"]
    assert [(e.side, e.raw) for e in records] == turns()
    closed = [e for e in records if e.header[0] == 23]
    assert closed
    assert all((e.encrypted, e.content_type, e.content_length) == (True, 23, 0) for e in closed)
    assert not [e for e in found.trace.events if isinstance(e, DataEvent)]


def test_records_that_stay_closed_are_told_in_the_order_in_which_they_came() -> None:
    said = turns()
    side, flight = said[3]
    assert len(flight) > 1000
    # As a server that makes a record of each message: all in one packet, before the client goes on.
    said[3:4] = [(side, b"\x17\x03\x03\x00\x64" + bytes(100))] * 4
    wire = Wire().say(*said[:3], (side, b"".join(raw for _, raw in said[3:7])), *said[7:]).close()
    found = decode_one(wire.capture)
    assert found.trace is not None
    records = [e for e in found.trace.events if isinstance(e, RecordEvent) and e.direction == "sent"]
    assert [(e.side, e.raw) for e in records if e.header[0] == 23] == [t for t in said if t[1][0] == 23]


def test_with_lines_of_others_only_it_is_said_how_many() -> None:
    other = [f"{label} {'ab' * 32} {'cd' * 32}" for label in ("CLIENT_TRAFFIC_SECRET_0", "EXPORTER_SECRET")]
    found = decode_one(Wire().say(*turns()).close().capture, other)
    assert reasons(found) == BOTH_NO_SECRETS
    assert found.sealed[0].detail.startswith("The key log has secrets of one connection, and no line for")


def test_secrets_of_one_side_open_that_side() -> None:
    keys = without("CLIENT_HANDSHAKE_TRAFFIC_SECRET", "CLIENT_TRAFFIC_SECRET_0")
    found = decode_one(Wire().say(*turns()).close().capture, keys)
    assert reasons(found) == [("client", "no_secrets")]
    assert "no CLIENT_HANDSHAKE_TRAFFIC_SECRET" in found.sealed[0].detail
    after = [("server", n) for n in ("NewSessionTicket", "KeyUpdate", "KeyUpdate")]
    assert names(found) == [*SERVER_FLIGHT, *after]
    assert found.trace is not None
    data = [e for e in found.trace.events if isinstance(e, DataEvent) and e.direction == "sent"]
    assert ({e.side for e in data}, sum(e.length for e in data)) == ({"server"}, 40_960)


def test_without_the_servers_handshake_secret_the_clients_flight_is_told_unchecked() -> None:
    found = decode_one(Wire().say(*turns()).close().capture, without("SERVER_HANDSHAKE_TRAFFIC_SECRET"))
    assert reasons(found) == [("server", "no_secrets")]
    assert [name for name in names(found) if name[0] == "client"] == [
        ("client", "ClientHello"),
        ("client", "Finished"),
        ("client", "KeyUpdate"),
    ]
    assert found.trace is not None
    assert not [e for e in found.trace.events if isinstance(e, CheckEvent) and e.what == "finished"]


@pytest.mark.parametrize("side", ["client", "server"])
def test_without_the_secret_of_data_the_handshake_is_told(side: str) -> None:
    label = f"{side.upper()}_TRAFFIC_SECRET_0"
    found = decode_one(Wire().say(*turns()).close().capture, without(label))
    assert reasons(found) == [(side, "no_secrets")]
    assert label in found.sealed[0].detail
    assert names(found)[:7] == [*SERVER_FLIGHT, ("client", "Finished")]
    assert found.outcome is not None
    assert found.outcome.status == "connected"


def test_nothing_stays_closed_of_a_side_that_sends_nothing_more() -> None:
    last = next(n for n, turn in enumerate(turns()) if turn[0] == "client" and len(turn[1]) == 58)
    said = turns()[: last + 2]
    found = decode_one(Wire().say(*said).close().capture, without("CLIENT_TRAFFIC_SECRET_0"))
    assert reasons(found) == []


def test_secrets_that_do_not_fit() -> None:
    wrong = [f"{line[:-4]}0000" for line in talk().key_log]
    found = decode_one(Wire().say(*turns()).close().capture, wrong)
    assert reasons(found) == [("server", "wrong_secrets"), ("client", "wrong_secrets")]
    assert "the first that should" in found.sealed[0].detail
    assert names(found) == HELLOS


def test_a_record_that_was_changed_closes_its_side_from_there_on() -> None:
    said = turns()
    place = next(n for n, (side, raw) in enumerate(said) if side == "server" and len(raw) > 16_000)
    raw = bytearray(said[place][1])
    raw[100] ^= 1
    said[place] = ("server", bytes(raw))
    found = decode_one(Wire().say(*said).close().capture, talk().key_log)
    assert reasons(found) == [("server", "wrong_secrets")]
    assert "behind 3 that did" in found.sealed[0].detail
    assert ("client", "KeyUpdate") in names(found)
    assert found.outcome is not None
    assert found.outcome.status == "connected"


def test_a_connection_under_way() -> None:
    found = decode_one(Wire(opened=False).say(*turns()[7:]).close().capture, talk().key_log)
    assert (found.tls, found.hellos) == (True, ())
    assert reasons(found) == [("client", "no_client_hello"), ("server", "no_client_hello")]
    assert found.outcome is not None
    assert (found.outcome.status, found.outcome.protocol) == ("connected", "")


def test_a_capture_that_begins_within_a_record() -> None:
    place = next(n for n, (side, raw) in enumerate(turns()) if side == "server" and len(raw) > 16_000)
    side, raw = turns()[place]
    found = decode_one(Wire(opened=False).say((side, raw[5000:]), *turns()[place + 1 :]).close().capture)
    assert found.tls
    assert {reason for _, reason in reasons(found)} == {"no_client_hello"}


def test_only_the_server_was_captured() -> None:
    said = [turn for turn in turns() if turn[0] == "server"]
    wire = Wire(opened=False)
    for side, raw in said:
        wire.send(side, 0x18, raw[:30_000])
    found = decode_one(wire.capture, talk().key_log)
    assert found.tls
    assert {reason for _, reason in reasons(found)} == {"no_client_hello"}


def hello_with(suite: int, turn: tuple[str, bytes]) -> tuple[str, bytes]:
    """The ServerHello with another suite."""
    raw = bytearray(turn[1])
    place = raw.index(int(CipherSuite.TLS_AES_128_GCM_SHA256).to_bytes(2, "big"), 5 + 4 + 34)
    raw[place : place + 2] = suite.to_bytes(2, "big")
    return turn[0], bytes(raw)


def test_a_suite_that_nobody_knows() -> None:
    said = turns()
    said[1] = hello_with(0x1399, said[1])
    found = decode_one(Wire().say(*said).close().capture, talk().key_log)
    assert reasons(found) == [("server", "unknown_cipher_suite"), ("client", "unknown_cipher_suite")]
    assert "unknown (0x1399)" in found.sealed[0].detail
    assert found.outcome is not None
    assert found.outcome.status == "connected"


@pytest.mark.parametrize("version, label", [(0x7F1C, "unknown (0x7f1c)"), (0x0302, "TLSv1.1")])
def test_a_version_that_is_not_opened(version: int, label: str) -> None:
    said = turns()
    raw = said[1][1]
    place = raw.index(b"\x00\x2b\x00\x02\x03\x04")
    said[1] = ("server", raw[: place + 4] + version.to_bytes(2, "big") + raw[place + 6 :])
    found = decode_one(Wire().say(*said).close().capture, talk().key_log)
    assert {reason for _, reason in reasons(found)} == {"unsupported_version"}
    assert found.outcome is not None
    assert (found.outcome.protocol, label in found.sealed[0].detail) == (label, True)


def test_bytes_that_are_missing_close_one_side_only() -> None:
    wire = Wire().say(*turns()[:5])
    place = next(n for n, (side, raw) in enumerate(turns()) if side == "server" and len(raw) > 16_000)
    wire.say(*turns()[5:place])
    raw = turns()[place][1]
    wire.say(("server", raw[:1000]))
    wire.send("server", 0x18, raw[1000:2000], lost=True)
    wire.say(("server", raw[2000:]), *turns()[place + 1 :]).close()
    found = decode_one(wire.capture, talk().key_log)
    assert reasons(found) == [("server", "bytes_missing")]
    before = sum(len(raw) for side, raw in turns()[:place] if side == "server") + 1000
    assert found.sealed[0].detail.startswith(f"1,000 bytes behind the first {before:,} that the server sent")
    assert sum(len(raw) for side, raw in turns() if side == "server") == found.bytes_from_server
    assert found.trace is not None
    data = [e for e in found.trace.events if isinstance(e, DataEvent) and e.direction == "sent"]
    assert sum(e.length for e in data if e.side == "client") == 14


def test_bytes_that_are_missing_in_the_servers_flight() -> None:
    flight = turns()[3][1]
    wire = Wire().say(*turns()[:3], ("server", flight[:100]))
    wire.send("server", 0x18, flight[100:200], lost=True)
    wire.say(("server", flight[200:]), *turns()[4:]).close()
    found = decode_one(wire.capture, talk().key_log)
    assert reasons(found) == [("server", "bytes_missing")]
    assert names(found) == [*HELLOS, ("client", "Finished"), ("client", "KeyUpdate")]
    assert found.outcome is not None
    assert found.outcome.status == "connected"


def test_retransmissions_and_packets_out_of_order_make_no_difference() -> None:
    whole = Wire().say(*turns()).close()
    packets = whole.packets
    shuffled = [packets[0]]
    for one, two in zip(packets[1::2], packets[2::2], strict=False):
        shuffled += [two, one, one]
    told = names(decode_one(whole.capture, talk().key_log))
    whole.packets = shuffled
    again = decode_one(whole.capture, talk().key_log)
    # Of two sides that speak at the same time, nobody can say who was first.
    assert (sorted(names(again)), again.sealed) == (sorted(told), ())
    for side in ("client", "server"):
        assert [name for name in names(again) if name[0] == side] == [
            name for name in told if name[0] == side
        ]


def test_a_message_that_is_not_due_is_told_and_not_followed() -> None:
    hello = turns()[1]
    found = decode_one(Wire().say(turns()[0], ("server", turns()[0][1]), hello).close().capture)
    assert reasons(found)[0] == ("server", "not_followed")
    assert (
        "ClientHello came from the server where ServerHello or HelloRetryRequest was due"
        in found.sealed[0].detail
    )
    assert names(found)[:2] == [("client", "ClientHello"), ("server", "ClientHello")]


def test_a_message_that_cannot_be_read_is_told_and_not_followed() -> None:
    broken = bytes.fromhex("16030300080200000403030000")
    found = decode_one(Wire().say(turns()[0], ("server", broken)).close().capture)
    assert reasons(found) == [("server", "not_followed")]
    assert found.sealed[0].detail.startswith("The ServerHello of the server cannot be read: ")
