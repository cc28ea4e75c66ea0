"""tshark (Wireshark) reads recordings of our connections with our key log, and without it nothing."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ours import KeyLines, Pki
from ours12 import ONLY_12, key_for
from pellucid import ClientConnection, ServerConnection
from pellucid.connection import Connection
from pellucid.crypto.suites import SUITES
from pellucid.crypto.suites12 import SUITES12
from pellucid.sessions import SessionStore
from support import program, run_peer

pytestmark = pytest.mark.peer("tshark", "tshark")

HTTPS = 443

#: Bytes of a message that one packet of IPv4 can take, with some room.
SEGMENT = 32768


@dataclass
class Recording:
    """Connections as a network card would have seen them, in the format of libpcap: IPv4 and TCP alone."""

    packets: list[bytes] = field(default_factory=list)
    sent: dict[tuple[int, bool], int] = field(default_factory=dict)

    def add(self, client_port: int, data: bytes, *, from_client: bool) -> None:
        for at in range(0, len(data), SEGMENT):
            self._add(client_port, data[at : at + SEGMENT], from_client)

    def _add(self, client_port: int, data: bytes, from_client: bool) -> None:
        ports = (client_port, HTTPS) if from_client else (HTTPS, client_port)
        sequence = self.sent.get((client_port, from_client), 1)
        acknowledged = self.sent.get((client_port, not from_client), 1)
        self.sent[client_port, from_client] = sequence + len(data)
        # RFC 9293 3.1: data offset 5 words, flags ACK and PSH; RFC 791 3.1: version 4, 5 words, protocol 6.
        # Checksums are 0, and not checked.
        tcp = struct.pack(">HHIIBBHHH", *ports, sequence, acknowledged, 5 << 4, 0x18, 65535, 0, 0)
        addresses = bytes([127, 0, 0, 1]) * 2
        ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(tcp) + len(data), 0, 0, 64, 6, 0) + addresses
        self.packets.append(ip + tcp + data)

    def write(self, path: Path) -> None:
        # draft-ietf-opsawg-pcap: file header and packet records; LINKTYPE_RAW is 101.
        head = struct.pack("<IHHIIII", 0xA1B2C3D4, 2, 4, 0, 0, 2**18, 101)
        records = (
            struct.pack("<IIII", 0, number, len(packet), len(packet)) + packet
            for number, packet in enumerate(self.packets)
        )
        path.write_bytes(head + b"".join(records))


def carry(recording: Recording, port: int, client: Connection, server: Connection) -> None:
    """All that both have to say, in turn, past the recording."""
    while True:
        there = b"".join(iter(client.data_to_send, b""))
        recording.add(port, there, from_client=True)
        server.receive_data(there)
        back = b"".join(iter(server.data_to_send, b""))
        recording.add(port, back, from_client=False)
        client.receive_data(back)
        if not there and not back:
            return


@dataclass(frozen=True)
class Case:
    """How client and server are configured beside each other's trust, and how often they connect."""

    name: str
    both: dict[str, Any]
    client: dict[str, Any] = field(default_factory=dict)
    server: dict[str, Any] = field(default_factory=dict)
    kind: str = "ecdsa"
    connections: int = 1

    @property
    def pages(self) -> list[str]:
        """What is asked for on each connection."""
        return [self.name, *[f"{self.name}-resumed"] * (self.connections - 1)]


def cases() -> Iterator[Case]:
    for suite in SUITES.values():
        yield Case(suite.code.name, {"cipher_suites": [suite.code.name]})
    for suite12 in SUITES12.values():
        both = ONLY_12 | {"cipher_suites": [suite12.name]}
        yield Case(suite12.name, both, kind=key_for(suite12))
        if not suite12.aead:
            etm = {"encrypt_then_mac": False}
            yield Case(f"{suite12.name}-MAC_then_encrypt", both, etm, kind=key_for(suite12))
    yield Case("not-extended", ONLY_12 | {"extended_master_secret": "never"})
    yield Case("TLS_1.3-session", {"protocols": ["TLSv1.3"]}, connections=2)
    yield Case("TLS_1.2-ticket", ONLY_12, connections=2)
    yield Case("TLS_1.2-session-ID", ONLY_12, server={"tickets": False}, connections=2)
    small = {"record_size_limit": 64}
    yield Case("TLS_1.3-small-records", {"protocols": ["TLSv1.3"]} | small)
    yield Case("TLS_1.2-small-records", ONLY_12 | small)


CASES = list(cases())


@dataclass
class Recorded:
    """A file of packets, the key log to it, and whether the connection for each page was resumed."""

    packets: Path
    key_log: Path
    resumed: dict[str, bool]


@pytest.fixture(scope="module")
def recorded(pki: Pki, tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    """All cases in one file, each connection from a port of its own."""
    folder = tmp_path_factory.mktemp("tshark")
    recording, lines, resumed = Recording(), KeyLines(), {}
    for case in CASES:
        client_config = pki.client(sessions=SessionStore(), key_log=lines, **case.both, **case.client)
        server_config = pki.server(case.kind, **case.both, **case.server)
        for page in case.pages:
            port = 50_000 + len(resumed)
            client, server = ClientConnection(client_config, "localhost"), ServerConnection(server_config)
            carry(recording, port, client, server)
            client.send_data(f"GET /{page} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            carry(recording, port, client, server)
            server.send_data(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            server.close()
            client.close()
            carry(recording, port, client, server)
            assert client.negotiated is not None
            resumed[page] = client.negotiated.resumed
    recording.write(folder / "packets")
    (folder / "keys").write_text("\n".join(lines.lines) + "\n")
    return Recorded(folder / "packets", folder / "keys", resumed)


def requests(packets: Path, *arguments: str) -> list[str]:
    """The pages that tshark sees asked for, each answered with 200."""
    command = [program("tshark") or "tshark", "-r", packets, "-2", "-Y", "http.response", *arguments]
    fields = ["-T", "fields", "-e", "http.response_for.uri", "-e", "http.response.code"]
    code, output = run_peer([*command, *fields])
    assert code == 0, output
    found = (line.split() for line in output.splitlines() if line.startswith("http"))
    return [uri.rpartition("/")[2] for uri, status in found if status == "200"]


@pytest.fixture(scope="module")
def decrypted(recorded: Recorded) -> list[str]:
    return requests(recorded.packets, "-o", f"tls.keylog_file:{recorded.key_log}")


@pytest.mark.parametrize("page", [page for case in CASES for page in case.pages])
def test_our_key_log_opens_what_was_recorded(recorded: Recorded, decrypted: list[str], page: str) -> None:
    assert recorded.resumed[page] is page.endswith("resumed")
    assert decrypted.count(page) == 1


def test_without_the_key_log_nothing_is_seen(recorded: Recorded) -> None:
    assert requests(recorded.packets) == []
