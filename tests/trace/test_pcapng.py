"""The capture of a trace: a file that is well formed, packets that fit together, the story beside them."""

from __future__ import annotations

import struct
from dataclasses import replace
from functools import cache
from ipaddress import IPv4Address, IPv6Address
from typing import Literal

import pytest
from conversations import KINDS, STARTED_AT, VIEWS, Conversation, View, converse
from pcapng_blocks import (
    ACK,
    FIN,
    INTERFACE,
    NAMES,
    PACKET,
    RST,
    SECRETS,
    SECTION,
    SYN,
    Packet,
    blocks,
    names,
    packets,
    secrets,
    streams,
    told_steps,
)

from pellucid.diagnosis import diagnosis_of
from pellucid.errors import PeerMisbehaved, Reason
from pellucid.trace import Trace
from pellucid.trace.narration import narrate
from pellucid.trace.pcapng import Capture, Endpoint, write_pcapng
from pellucid.trace.tcpip import MAX_SEGMENT

recorded = cache(converse)
each_kind = pytest.mark.parametrize("kind", KINDS)
each_view = pytest.mark.parametrize("view", VIEWS)


def written(talk: Conversation, client: Endpoint | None = None, server: Endpoint | None = None) -> bytes:
    return b"".join(write_pcapng([talk.trace], talk.key_log, client=client, server=server))


def of_one_side(side: Literal["client", "server"] = "client", **options: object) -> Trace:
    """A trace in which one record was sent."""
    trace = Trace(started_at=STARTED_AT, clock=lambda: 0.0, **options)
    record(trace, side, b"hello")
    return trace


def record(trace: Trace, side: Literal["client", "server"], content: bytes) -> None:
    header = b"\x16\x03\x03" + len(content).to_bytes(2, "big")
    trace.view(side).record(
        direction="sent", content_type=22, length=len(content), encrypted=False, header=header,
        content_length=len(content), raw=header + content,
    )  # fmt: skip


def packets_of(trace: Trace, client: Endpoint | None = None, server: Endpoint | None = None) -> list[Packet]:
    return packets(b"".join(write_pcapng([trace], client=client, server=server)))


# -- the file


def test_a_file_begins_with_section_interface_names_and_secrets() -> None:
    kinds = [block.kind for block in blocks(written(recorded()))]
    assert kinds[:4] == [SECTION, INTERFACE, NAMES, SECRETS]
    assert set(kinds[4:]) == {PACKET}


def test_the_section_says_who_wrote_it_and_that_the_packets_are_made_up() -> None:
    section = blocks(Capture("pellucid 1.2.3").start())[0]
    assert section.body[:8] == struct.pack("<IHH", 0x1A2B3C4D, 1, 0)
    assert section.option(4) == b"pellucid 1.2.3"
    assert b"synthetic" in section.option(1)


def test_the_interface_has_ip_packets_and_nanoseconds() -> None:
    interface = blocks(Capture().start())[1]
    assert struct.unpack_from("<HHI", interface.body) == (101, 0, 0)
    assert interface.option(9) == b"\x09"


def test_a_trace_without_records_makes_no_packets() -> None:
    trace = Trace()
    trace.view("client").outcome(
        status="failed", failure=diagnosis_of(PeerMisbehaved(Reason.TIMEOUT, "no address"))
    )
    assert [block.kind for block in blocks(b"".join(write_pcapng([trace])))] == [SECTION, INTERFACE]


@each_kind
def test_the_secrets_are_those_that_reading_takes(kind: str) -> None:
    found = secrets(written(recorded(kind)))
    labels = [line.split()[0] for line in found]
    assert set(found) <= set(recorded(kind).key_log)
    if kind.startswith("1.2"):
        assert labels == ["CLIENT_RANDOM"]
    else:
        assert sorted(labels) == [
            "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
            "CLIENT_TRAFFIC_SECRET_0",
            "SERVER_HANDSHAKE_TRAFFIC_SECRET",
            "SERVER_TRAFFIC_SECRET_0",
        ]


@pytest.mark.parametrize("label", ["EXPORTER_SECRET", "EARLY_EXPORTER_SECRET"])
def test_a_secret_that_reading_does_not_take_stays_out(label: str) -> None:
    talk = recorded()
    random = talk.key_log[0].split()[1]
    lines = [f"{label} {random} 11", *talk.key_log]
    assert secrets(b"".join(write_pcapng([talk.trace], lines))) == talk.key_log


def test_of_a_key_log_each_connection_takes_its_own_lines() -> None:
    talks = [converse(ends_well=False) for _ in range(2)]
    lines = ["", "# a comment", *talks[1].key_log, "CLIENT_RANDOM 00 11", *talks[0].key_log]
    data = b"".join(write_pcapng([talk.trace for talk in talks], lines))
    assert secrets(data) == [*talks[0].key_log, *talks[1].key_log]


def test_without_a_key_log_there_is_no_block_for_secrets() -> None:
    data = b"".join(write_pcapng([recorded().trace]))
    assert SECRETS not in [block.kind for block in blocks(data)]


# -- the packets


@each_view
@each_kind
def test_the_streams_are_what_was_on_the_wire(kind: str, view: View) -> None:
    talk = recorded(kind, view)
    assert streams(packets(written(talk))) == talk.wire


def test_tcp_opens_before_the_first_record_and_closes_after_the_last() -> None:
    flags = [packet.flags for packet in packets(written(recorded()))]
    assert flags[:3] == [SYN, SYN | ACK, ACK]
    assert flags[-3:] == [FIN | ACK, FIN | ACK, ACK]


def test_who_said_close_notify_first_closes_first() -> None:
    found = packets(written(recorded()))
    assert found[-3].source == found[0].source


def test_times_are_those_of_the_trace() -> None:
    found = packets(written(recorded("full", "client")))
    first = recorded("full", "client").trace.events[0]
    moments = [packet.time_ns for packet in found]
    assert moments == sorted(moments)
    assert first.time_us * 1000 <= moments[3] - round(STARTED_AT * 1e9) < 60 * 10**9


def test_packets_follow_each_other_where_the_clock_stands_still() -> None:
    found = packets(written(converse(clock=lambda: 0.0)))
    moments = [packet.time_ns for packet in found]
    assert moments == sorted(set(moments))


@pytest.mark.parametrize("view, first_is_ours", [("both", True), ("client", True), ("server", False)])
def test_the_direction_is_that_of_the_side_that_was_traced(view: View, first_is_ours: bool) -> None:
    found = packets(written(recorded("full", view)))
    assert found[0].outbound is first_is_ours
    assert found[1].outbound is not first_is_ours


def test_what_is_too_long_for_a_packet_goes_in_several() -> None:
    trace = of_one_side()
    trace.view("client").unread(raw=bytes(MAX_SEGMENT + 10))
    assert [len(packet.payload) for packet in packets_of(trace) if packet.payload] == [10, MAX_SEGMENT, 10]


def test_two_connections_are_two_streams() -> None:
    data = b"".join(write_pcapng([of_one_side(), of_one_side()]))
    assert len({packet.source_port for packet in packets(data) if packet.outbound}) == 2


def test_connections_without_end_find_a_port() -> None:
    capture = Capture()
    for _ in range(7000):
        capture.connection(Trace())
    last = packets(capture.connection(of_one_side()).finish())
    assert last[0].source_port == 50000


# -- the ends


def ends(client: Endpoint | None, server: Endpoint | None) -> tuple[str, str]:
    first = packets_of(of_one_side(), client, server)[0]
    return str(first.source), str(first.destination)


def test_known_addresses_are_kept() -> None:
    assert ends(Endpoint("203.0.113.7"), Endpoint("198.51.100.9")) == ("203.0.113.7", "198.51.100.9")
    assert ends(Endpoint("fe80::7%eth0"), Endpoint("2001:db8::9")) == ("fe80::7", "2001:db8::9")


def test_an_ipv4_address_is_one_in_the_form_of_ipv6_too() -> None:
    assert ends(Endpoint("::ffff:203.0.113.7"), Endpoint("198.51.100.9")) == ("203.0.113.7", "198.51.100.9")


@pytest.mark.parametrize(
    "client, server, expected",
    [
        ("", "", ("192.0.2.1", "192.0.2.2")),
        ("", "198.51.100.9", ("192.0.2.1", "198.51.100.9")),
        ("", "2001:db8::9", ("2001:db8::1", "2001:db8::9")),
        ("203.0.113.7", "", ("203.0.113.7", "192.0.2.2")),
        ("127.0.0.1", "127.0.0.1", ("192.0.2.1", "192.0.2.2")),
        ("::1", "::1", ("2001:db8::1", "2001:db8::2")),
        ("203.0.113.7", "::1", ("2001:db8::1", "2001:db8::2")),
        ("no address", "/run/socket", ("192.0.2.1", "192.0.2.2")),
    ],
)
def test_what_is_not_known_or_not_told_apart_is_replaced(
    client: str, server: str, expected: tuple[str, str]
) -> None:
    assert ends(Endpoint(client), Endpoint(server)) == expected


def test_addresses_that_were_replaced_are_told() -> None:
    first = packets_of(of_one_side(), Endpoint("127.0.0.1", 40000), Endpoint("127.0.0.1", 4433))[0]
    assert "from 127.0.0.1 port 40000 to 127.0.0.1 port 4433" in first.comments[0]


@pytest.mark.parametrize("port", [443, 853, 4433, 8443])
def test_a_port_over_which_tls_is_looked_for_is_kept(port: int) -> None:
    first = packets_of(of_one_side(), None, Endpoint("198.51.100.9", port))[0]
    assert first.destination_port == port
    assert "it is" not in first.comments[0]


@pytest.mark.parametrize("port", [22, 25, 80, 3306, 5432, 8080, 41234])
def test_any_other_port_is_replaced_and_told(port: int) -> None:
    first = packets_of(of_one_side(), None, Endpoint("198.51.100.9", port))[0]
    assert first.destination_port == 443
    assert f"The server's port was {port}; it is 443 here" in first.comments[0]


def test_names_stand_for_the_addresses_that_are_shown() -> None:
    data = written(recorded(), server=Endpoint("198.51.100.9", 443, "www.example.org"))
    assert names(data) == [("192.0.2.1", "client"), ("198.51.100.9", "www.example.org")]
    data = written(recorded(), Endpoint("203.0.113.7"), Endpoint("198.51.100.9", 443, "198.51.100.9"))
    assert names(data) == []


def test_a_name_is_said_once() -> None:
    server = Endpoint("2001:db8::9", 443, "www.example.org")
    data = b"".join(write_pcapng([of_one_side(), of_one_side()], server=server))
    assert names(data) == [("2001:db8::1", "client"), ("2001:db8::9", "www.example.org")]


def test_a_name_that_would_act_on_a_terminal_is_written_out() -> None:
    data = b"".join(write_pcapng([of_one_side()], server=Endpoint("198.51.100.9", 443, "a\x1b[2J\0b")))
    assert names(data)[1][1] == r"a\u001b[2J\u0000b"


@pytest.mark.parametrize("address, kind", [("203.0.113.7", IPv4Address), ("2001:db8::7", IPv6Address)])
def test_checksums_hold_for_every_length(address: str, kind: type) -> None:
    trace = Trace(started_at=STARTED_AT)
    for size in range(1, 40):
        record(trace, "client", b"\xff" * size)
        record(trace, "client", bytes(size))
    found = packets_of(trace, Endpoint(address))  # each is verified there
    assert {type(packet.source) for packet in found} == {kind}
    assert len(found) == 3 + 78 + 3


# -- the comments


@each_view
@each_kind
def test_every_step_of_the_story_is_told_once(kind: str, view: View) -> None:
    talk = recorded(kind, view)
    told = sorted(int(text.split()[1].rstrip(":")) for text in told_steps(packets(written(talk))))
    assert told == [step.number for step in narrate(talk.trace.events)]


@each_view
@each_kind
def test_every_packet_has_a_comment(kind: str, view: View) -> None:
    assert [packet for packet in packets(written(recorded(kind, view))) if not packet.comments] == []


@each_kind
def test_a_message_is_told_with_the_packet_that_carries_it(kind: str) -> None:
    """As the record says itself, where it is in the clear."""
    for packet in packets(written(recorded(kind))):
        if packet.payload.startswith(b"\x16\x03\x01"):
            assert any("client ClientHello" in text for text in packet.comments)
        if packet.payload.startswith(b"\x14"):
            assert "ChangeCipherSpec" in packet.comments[-1]


def test_a_message_that_goes_on_in_another_record_says_so() -> None:
    found = packets(written(recorded("small records")))
    comments = [text for packet in found for text in packet.comments]
    (step,) = [text.split(":")[0] for text in comments if "server Certificate." in text]
    going_on = [text for text in comments if text.startswith(f"{step}, going on:")]
    assert len(going_on) > 5
    assert set(going_on) == {f"{step}, going on: server Certificate"}


def test_the_steps_of_a_packet_are_in_order() -> None:
    for packet in packets(written(recorded())):
        numbers = [int(c.split()[1].rstrip(":,")) for c in packet.comments if c.startswith("step")]
        assert numbers == sorted(numbers)


@pytest.mark.parametrize("view", ["client", "server"])
@each_kind
def test_in_two_parts_it_comes_to_the_same_file(kind: str, view: View) -> None:
    talk = recorded(kind, view)
    assert in_parts(talk, talk.at_handshake) == written(talk)


def in_parts(talk: Conversation, cut: int) -> bytes:
    """What comes of it if the capture is brought up to date after so many events."""
    trace = Trace(started_at=talk.trace.started_at)
    capture = Capture()
    data = capture.start()
    connection = capture.connection(trace)
    trace.events += talk.trace.events[:cut]
    data += connection.advance(talk.key_log)
    trace.events += talk.trace.events[cut:]
    return data + connection.finish(talk.key_log)


def test_what_is_longer_than_a_comment_may_be_is_cut_between_two_characters() -> None:
    trace = of_one_side()
    short = diagnosis_of(PeerMisbehaved(Reason.BAD_FINISHED))
    failure = replace(short, observed="\N{EURO SIGN}" * 30_000)
    trace.view("client").outcome(status="failed", failure=failure)
    text = next(c for p in packets_of(trace) for c in p.comments if c.startswith("The connection failed"))
    assert len(text.encode()) in range(65_533, 65_536)


# -- connections that fail


def failed(reason: Reason, side: Literal["client", "server"] = "client") -> Trace:
    trace = of_one_side(side)
    trace.view(side).outcome(
        status="failed", failure=diagnosis_of(PeerMisbehaved(reason, "the peer is \x1b odd"))
    )
    return trace


def test_a_failure_is_told_where_tcp_ends() -> None:
    closing = packets_of(failed(Reason.BAD_FINISHED))[4]
    assert closing.comments[0].startswith(r"The connection failed: bad_finished. The peer is \u001b odd.")


def test_a_peer_that_closed_closes_first() -> None:
    assert packets_of(failed(Reason.CLOSED_DURING_HANDSHAKE))[4].outbound is False
    assert packets_of(failed(Reason.CLOSED_DURING_HANDSHAKE, "server"))[4].outbound is False


def test_of_a_peer_that_is_silent_nothing_is_made_up() -> None:
    for side in ("client", "server"):
        ours = packets_of(failed(Reason.TIMEOUT, side))[4:]
        assert [(packet.flags, packet.outbound) for packet in ours] == [(FIN | ACK, True)]


def test_a_connection_that_was_broken_off_ends_with_a_reset() -> None:
    capture = Capture()
    last = packets(capture.connection(failed(Reason.CONNECTION_FAILED)).finish(reset_by="server"))[-1]
    assert (last.flags, last.outbound) == (RST | ACK, False)
    assert last.comments[-1] == "no step: the server breaks TCP off"


def test_what_was_not_taken_for_a_record_is_in_the_capture_too() -> None:
    trace = of_one_side()
    trace.view("client").unread(raw=b"HTTP/1.1 400 Bad Request\r\n")
    found = packets_of(trace)
    assert found[4].payload == b"HTTP/1.1 400 Bad Request\r\n"
    assert not found[4].outbound
    assert found[4].comments[0].startswith("no step: Bytes that arrived")


def test_a_record_that_is_no_step_says_what_it_is() -> None:
    """Early data that the server could not open, say."""
    trace = of_one_side()
    trace.view("client").record(
        direction="received", content_type=23, length=1, encrypted=True, header=b"\x17\x03\x03\0\1",
        raw=b"\x17\x03\x03\0\1?",
    )  # fmt: skip
    assert packets_of(trace)[4].comments[0].startswith("no step: A record that carries application data.")


def test_where_the_trace_kept_no_more_the_capture_does_not_pretend_an_end() -> None:
    trace = of_one_side(limit=1)
    record(trace, "client", b"more")
    assert [packet.flags & FIN for packet in packets_of(trace)] == [0, 0, 0, 0]
