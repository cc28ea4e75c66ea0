"""Captures of other stacks as people have them: out of order, with parts missing, with the secrets inside."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path

import pytest
from captures import pcap

from compared import SIDES, Capture, Captures, each, messages, sent, told
from pellucid.capture import Packet
from pellucid.decode import Decoded, Decoder, KeyMaterial
from pellucid.trace import CheckEvent, DataEvent
from support import program, run_peer

#: Of the kinds below: who is told to have sent what.
Said = dict[str, tuple[list[bytes], list[int]]]

each_of_some = each(["1.3 mutual", "1.3 retried", "1.2 mutual", "gnutls 1.3 resumed", "curl 1.3 much"])


def said(decoded: Decoded) -> Said:
    return {
        side: (
            [event.raw for event in messages(decoded, side)],
            [event.length for event in sent(decoded, side, DataEvent)],
        )
        for side in SIDES
    }


def payload_size(packet: Packet) -> int:
    """Bytes of TCP payload: IPv4 and TCP have 20 bytes each, without options."""
    return len(packet.data) - 40


def changed(capture: Capture, change: Callable[[list[Packet]], Sequence[Packet]]) -> list[Decoded]:
    """What we find in the capture with other packets."""
    found = change(capture.packets)
    file = BytesIO(pcap([(packet.time_ns, packet.data) for packet in found], unit_ns=1))
    decoder = Decoder(file, keys=capture.keys(), trust=capture.trust)
    return sorted(decoder.connections(), key=lambda one: one.number)


def in_disorder(all_packets: list[Packet]) -> list[Packet]:
    """Packets of one side that follow one another change places, and many come twice; times stay in order."""
    rng = random.Random(1)
    found: list[Packet] = []
    burst: list[Packet] = []
    for packet in all_packets:
        if burst and (not payload_size(packet) or packet.data[12:24] != burst[-1].data[12:24]):
            found += rng.sample(burst, len(burst)) + burst[::2]
            burst = []
        if payload_size(packet):
            burst.append(packet)
        else:
            found.append(packet)
    return found + burst


@each_of_some
def test_packets_may_come_out_of_order_and_twice(captures: Captures, kind: str) -> None:
    capture = captures[kind]
    jumbled = changed(capture, in_disorder)
    assert len(in_disorder(capture.packets)) > len(capture.packets)
    assert [said(one) for one in jumbled] == [said(one) for one in capture.decoded]
    checks = [event for one in jumbled for event in told(one) if isinstance(event, CheckEvent)]
    assert [check for check in checks if not check.ok] == []


@each_of_some
def test_secrets_that_editcap_puts_into_the_file_open_it(
    captures: Captures, kind: str, tmp_path: Path
) -> None:
    capture = captures[kind]
    file = tmp_path / "with.pcapng"
    secrets = ("--inject-secrets", f"tls,{capture.recording.key_log}")
    code, output = run_peer([program("editcap") or "editcap", *secrets, capture.recording.capture, file])
    assert code == 0, output
    with file.open("rb") as source:
        found = sorted(Decoder(source, keys=KeyMaterial()).connections(), key=lambda one: one.number)
    assert [said(one) for one in found] == [said(one) for one in capture.decoded]
    assert not any(one.sealed for one in found)


@each(["1.3", "1.2 ecdhe"])
def test_without_the_client_hello_it_is_said(captures: Captures, kind: str) -> None:
    (found,) = changed(captures[kind], lambda all_packets: all_packets[4:])
    assert {event.reason for event in found.sealed} == {"no_client_hello"}


@each(["curl 1.3 much"])
def test_where_bytes_are_missing_the_rest_stays_closed(captures: Captures, kind: str) -> None:
    capture = captures[kind]
    full = [packet for packet in capture.packets if payload_size(packet) == 1460]
    lost = full[len(full) // 2].data
    (found,) = changed(capture, lambda all_packets: [one for one in all_packets if one.data != lost])
    assert {(event.side, event.reason) for event in found.sealed} == {("server", "bytes_missing")}
    (whole,) = capture.decoded
    before, all_of_it = said(found)["server"][1], said(whole)["server"][1]
    assert 0 < len(before) < len(all_of_it)
    assert before == all_of_it[: len(before)]
    assert said(found)["client"] == said(whole)["client"]


@each(["1.3 resumed", "1.2 by ID"])
@pytest.mark.parametrize("part", [0.1, 0.4, 0.7, 0.95])
def test_a_capture_that_stops_is_told_as_far_as_it_goes(captures: Captures, kind: str, part: float) -> None:
    capture = captures[kind]
    stopped = changed(capture, lambda all_packets: all_packets[: int(len(all_packets) * part)])
    for found, whole in zip(stopped, capture.decoded, strict=False):
        for side in SIDES:
            for some, every in zip(said(found)[side], said(whole)[side], strict=True):
                assert some == every[: len(some)]
        assert found.outcome is not None
        assert found.outcome.status != "failed"
