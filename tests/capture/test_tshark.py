"""Wireshark's tools as the oracle: they read our files as we do, and we read theirs as they do."""

from __future__ import annotations

import random
import subprocess
from itertools import groupby
from pathlib import Path

import pytest
from captures import (
    CLIENT6,
    SERVER6,
    conversation,
    enhanced,
    exported_pdu,
    interface,
    ipv6,
    items,
    packets,
    pcap,
    secrets,
    section,
    tcp,
)

from pellucid.capture import (
    Bytes,
    CaptureReader,
    Missing,
    Opened,
    Packet,
    Secrets,
    SegmentReader,
    read_packets,
)

pytestmark = pytest.mark.peer("tshark", "tshark", "editcap", "text2pcap", "mergecap")

TIME = 1_700_000_000_123_456_000
TURNS = [("client", b"a question " * 300), ("server", bytes(range(256)) * 90), ("client", b"thanks")]
PACKETS = conversation(TURNS)


def run(*argv: str | Path, text: str | None = None) -> str:
    done = subprocess.run(
        [str(word) for word in argv], check=True, capture_output=True, text=True, input=text, timeout=60
    )
    return done.stdout


def fields(file: Path, *names: str) -> list[list[str]]:
    """Of every packet what tshark says of it; sequence numbers as they stand in it."""
    chosen = [word for name in names for word in ("-e", name)]
    printed = run(
        *("tshark", "-r", file, "-o", "tcp.relative_sequence_numbers:FALSE", "-T", "fields", *chosen)
    )
    return [line.split("\t") for line in printed.splitlines()]


def file_of(folder: Path, data: bytes) -> Path:
    file = folder / "one.capture"
    file.write_bytes(data)
    return file


def ours(file: Path) -> list[list[str]]:
    """What ``fields`` asks tshark for below, as we read it."""
    reader = SegmentReader()
    rows = []
    with file.open("rb") as source:
        for packet in read_packets(source):
            assert not isinstance(packet, Secrets)
            found = reader.read(packet)
            assert found is not None
            seconds, rest = divmod(packet.time_ns, 1_000_000_000)
            rows.append(
                [
                    str(packet.number),
                    f"{seconds}.{rest:09}",
                    str(packet.original_length),
                    packet.comment,
                    str(found.source_port),
                    str(found.sequence),
                    str(found.length),
                    found.payload.hex(),
                ]
            )
    return rows


NAMES = (
    *("frame.number", "frame.time_epoch", "frame.len", "frame.comment"),
    *("tcp.srcport", "tcp.seq", "tcp.len", "tcp.payload"),
)


def our_files() -> dict[str, bytes]:
    timed = [(TIME + number * 1000, data) for number, data in enumerate(PACKETS)]
    kinds = {
        f"pcap {order} {unit}": pcap(timed, order=order, unit_ns=unit) for order in "<>" for unit in (1, 1000)
    }
    for order in "<>":
        kinds[f"pcapng {order}"] = (
            section(order)
            + interface(101, order, (9, b"\x09"))
            + b"".join(enhanced(data, time, order, (1, b"said so")) for time, data in timed)
        )
    return kinds


@pytest.mark.parametrize("kind", our_files())
def test_tshark_reads_the_files_of_these_tests_as_we_do(kind: str, tmp_path: Path) -> None:
    file = file_of(tmp_path, our_files()[kind])
    assert fields(file, *NAMES) == ours(file)
    assert len(ours(file)) == len(PACKETS)


@pytest.mark.parametrize("kind", ["pcap", "nsecpcap", "pcapng"])
@pytest.mark.parametrize("snap_length", [65_535, 60])
def test_what_editcap_writes_is_read_as_tshark_does(kind: str, snap_length: int, tmp_path: Path) -> None:
    file = file_of(tmp_path, our_files()["pcapng <"])
    converted = tmp_path / "converted"
    run("editcap", "-F", kind, "-s", str(snap_length), file, converted)
    # editcap cuts packets and not what they say of themselves; tshark leaves out a payload that was cut away.
    assert fields(converted, *NAMES[:7]) == [row[:7] for row in ours(converted)]
    if snap_length > 1500:
        assert ours(converted) == fields(converted, *NAMES)


@pytest.mark.parametrize("version", ["4", "6"])
def test_what_text2pcap_writes_is_read_as_tshark_does(version: str, tmp_path: Path) -> None:
    file = tmp_path / "text.pcapng"
    dump = "".join(f"000000 {bytes([number] * 9).hex(' ')}\n" for number in range(5))
    ends = ("-4", "192.0.2.1,192.0.2.2") if version == "4" else ("-6", f"{CLIENT6},{SERVER6}")
    run("text2pcap", "-T", "50000,443", *ends, "-", file, text=dump)
    assert [row[:7] for row in ours(file)] == fields(file, *NAMES[:7])
    assert [row[7] for row in ours(file)] == [bytes([number] * 9).hex() for number in range(5)]


def test_secrets_that_editcap_injects_come_first(tmp_path: Path) -> None:
    lines = "CLIENT_RANDOM " + "ab" * 32 + " " + "cd" * 48 + "\n"
    (tmp_path / "keys").write_text(lines)
    file = file_of(tmp_path, our_files()["pcapng <"])
    run("editcap", "--inject-secrets", f"tls,{tmp_path / 'keys'}", file, tmp_path / "with")
    with (tmp_path / "with").open("rb") as source:
        first = next(iter(read_packets(source)))
    assert first == Secrets(lines)
    ours_with = section() + interface() + secrets(lines.encode()) + enhanced(PACKETS[0])
    run("editcap", "--discard-all-secrets", file_of(tmp_path, ours_with), tmp_path / "without")
    assert [type(item) for item in items(ours_with)] == [Secrets, Packet]
    assert [type(item) for item in items((tmp_path / "without").read_bytes())] == [Packet]


def test_merged_files_are_read_with_the_interfaces_of_all(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(pcap([(TIME, PACKETS[0])]))
    six = ipv6(tcp(b"six", addresses=(CLIENT6, SERVER6)))
    (tmp_path / "b").write_bytes(pcap([(TIME + 1000, bytes(12) + b"\x86\xdd" + six)], link_type=1))
    run("mergecap", "-w", tmp_path / "merged", tmp_path / "a", tmp_path / "b")
    merged = (tmp_path / "merged").read_bytes()
    assert [each.link_type for each in packets(merged)] == [101, 1]
    assert fields(tmp_path / "merged", *NAMES) == ours(tmp_path / "merged")


def followed(file: Path) -> tuple[bytes, bytes]:
    """What tshark takes the client and the server of the first connection to have said."""
    printed = run("tshark", "-r", file, "-q", "-z", "follow,tcp,raw,0")
    body = printed.split("Node 1:")[1].splitlines()[1:-1]
    server = b"".join(bytes.fromhex(line.strip()) for line in body if line.startswith("\t"))
    client = b"".join(bytes.fromhex(line) for line in body if not line.startswith("\t"))
    return client, server


def reassembled(file: Path) -> tuple[bytes, bytes]:
    said = {"client": b"", "server": b""}
    with file.open("rb") as source:
        for event in CaptureReader(source).events():
            assert not isinstance(event, Missing)
            if isinstance(event, Bytes):
                said[event.direction] += event.data
    return said["client"], said["server"]


def disorder(seed: int) -> list[bytes]:
    """The conversation as a bad network brings it: each turn out of order, and much of it twice."""
    rng = random.Random(seed)
    turns = groupby(enumerate(PACKETS[3:-3]), key=lambda pair: pair[1][12:16])  # by the sender's address
    jittered = [
        data for _, turn in turns for _, data in sorted(turn, key=lambda pair: pair[0] + rng.uniform(0, 4))
    ]
    repeated = [data for data in jittered for _ in range(rng.choice([1, 1, 2]))]
    return [*PACKETS[:3], *repeated, *PACKETS[-3:]]


@pytest.mark.parametrize("seed", range(3))
def test_streams_are_put_together_as_tshark_does(seed: int, tmp_path: Path) -> None:
    packets_in_disorder = disorder(seed)
    assert packets_in_disorder != PACKETS
    file = file_of(tmp_path, pcap([(TIME + n * 1000, data) for n, data in enumerate(packets_in_disorder)]))
    assert reassembled(file) == followed(file)
    assert reassembled(file) == (TURNS[0][1] + TURNS[2][1], TURNS[1][1])


def test_an_exported_pdu_is_to_tshark_what_it_is_to_us(tmp_path: Path) -> None:
    alert = bytes.fromhex("15 0303 0002 02 28")
    file = file_of(tmp_path, pcap([(TIME, exported_pdu(alert))], link_type=252))
    names = ("ip.src", "ip.dst", "tcp.srcport", "tcp.dstport", "tls.alert_message.desc")
    assert fields(file, *names)[0][-1] == "40"
    with file.open("rb") as source:
        opened, said, _ = CaptureReader(source).events()
    assert isinstance(opened, Opened)
    assert isinstance(said, Bytes)
    assert said.data == alert
    shown = run("tshark", "-r", file, "-T", "fields", "-e", "_ws.col.Source", "-e", "_ws.col.Destination")
    assert shown.split() == [opened.connection.client.address, opened.connection.server.address]
