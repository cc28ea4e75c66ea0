"""tshark opens our captures: decrypted, without a warning, with the story and the names."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import pytest
from conversations import KINDS, MUCH, View, converse
from loopback import client12, client_config, credential, server_config
from pages import converse as until_it_fails

from pellucid import ClientConfig, ServerConfig, TrustStore
from pellucid.codes import HandshakeType
from pellucid.identity.lab import Laboratory
from pellucid.trace import MessageEvent, Trace
from pellucid.trace.narration import narrate
from pellucid.trace.pcapng import Endpoint, write_pcapng
from support import DEADLINE_SECONDS, program

pytestmark = pytest.mark.peer("tshark", "tshark")

#: Values of `_ws.expert.severity`: our comments are expert items, TCP opens with a chat and ends with a note.
COMMENT, CHAT, NOTE = 0x100000, 0x200000, 0x400000

NOW = 1_800_000_000.0

recorded = cache(converse)


@dataclass
class Frame:
    """What tshark says of one packet."""

    source: str
    destination: str
    comments: list[str]
    severities: set[int]
    notes: set[str]
    messages: list[int]
    alerts: list[int]
    requests: list[str]
    responses: list[str]
    checksums: set[str]


FIELDS = (
    *("_ws.col.Source", "_ws.col.Destination", "frame.comment", "_ws.expert.severity", "_ws.expert.message"),
    *("tls.handshake.type", "tls.alert_message.desc", "http.request.method", "http.response.code"),
    *("tcp.checksum.status", "ip.checksum.status"),
)
SEPARATOR, AGGREGATOR = "\x1f", "\x1e"


def tshark(*arguments: str, data: bytes = b"") -> str:
    """What it prints, which is no complaint."""
    done = subprocess.run(
        [program("tshark") or "tshark", *arguments], check=False, input=data, capture_output=True,
        timeout=DEADLINE_SECONDS, env={**os.environ, "LC_ALL": "C.UTF-8"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def frames(data: bytes) -> list[Frame]:
    """The capture, dissected, checksums and all."""
    wanted = [word for name in FIELDS for word in ("-e", name)]
    printed = tshark(
        *("-r", "-", "-N", "n", "-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE"),
        *("-T", "fields", "-E", f"separator={SEPARATOR}", "-E", f"aggregator={AGGREGATOR}", *wanted),
        data=data,
    )
    # Not splitlines(), to which the separators are ends of lines.
    return [_frame(line.split(SEPARATOR)) for line in printed.split("\n") if line]


def _frame(columns: Sequence[str]) -> Frame:
    values = [[value for value in column.split(AGGREGATOR) if value] for column in columns]
    source, destination, comments, severities, notes, messages, alerts, methods, codes, *sums = values
    return Frame(
        source=source[0],
        destination=destination[0],
        comments=comments,
        severities={int(value) for value in severities},
        notes=set(notes) - set(comments),
        messages=[int(value) for value in messages],
        alerts=[int(value) for value in alerts],
        requests=methods,
        responses=codes,
        checksums={value for column in sums for value in column},
    )


@cache
def opened(kind: str, view: View = "both") -> list[Frame]:
    talk = recorded(kind, view)
    # Port 443 means HTTP, of which tshark would find a lot to say.
    ends = Endpoint("198.51.100.7", 51000), Endpoint("203.0.113.9", 4433, "www.example.org")
    return frames(b"".join(write_pcapng([talk.trace], talk.key_log, client=ends[0], server=ends[1])))


def assert_no_warning(found: Sequence[Frame]) -> None:
    assert [frame for frame in found if frame.severities - {COMMENT, CHAT, NOTE}] == []
    noted = {note for frame in found for note in frame.notes if NOTE in frame.severities}
    assert all("closing" in note or "FIN" in note or "resumption" in note for note in noted), noted


def codes(trace: Trace, side: str) -> list[int]:
    """The types of the messages, but ChangeCipherSpecs, that were sent, or received by this side."""
    both = len({event.side for event in trace.events}) > 1
    return [
        event.raw[0]
        for event in trace.events
        if isinstance(event, MessageEvent)
        and event.name != "ChangeCipherSpec"
        and (event.direction == "sent" if both else event.side == side)
    ]


@pytest.mark.parametrize(
    "kind, view",
    [
        *((kind, "both") for kind in KINDS),
        *((kind, view) for kind in ("full", "1.2 ecdhe") for view in ("client", "server")),
    ],
)
def test_it_decrypts_every_message_and_warns_of_nothing(kind: str, view: View) -> None:
    found = opened(kind, view)
    trace = recorded(kind, view).trace
    assert_no_warning(found)
    assert sorted(code for frame in found for code in frame.messages) == sorted(codes(trace, view))
    assert [code for frame in found for code in frame.alerts] == [0, 0]
    assert {status for frame in found for status in frame.checksums} == {"1"}


@pytest.mark.parametrize("kind", KINDS)
def test_it_shows_the_whole_story(kind: str) -> None:
    found = opened(kind)
    told = [text.split(":")[0] for frame in found for text in frame.comments if text.startswith("step")]
    steps = {f"step {step.number}" for step in narrate(recorded(kind).trace.events)}
    assert {text for text in told if "," not in text} == steps
    assert [frame for frame in found if not frame.comments] == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_message_is_where_its_comment_is(kind: str) -> None:
    """Each message that a comment tells is dissected in that packet, unless it goes on in the next ones."""
    titles = {"HelloRetryRequest": "server_hello", "EndOfEarlyData": "end_of_early_data"}
    going_on = set()
    found = opened(kind)
    for frame in found:
        going_on |= {text.split(",")[0] for text in frame.comments if ", going on:" in text}
    compared = 0
    for frame in found:
        for text in frame.comments:
            number, _, rest = text.partition(": ")
            name = rest.partition(" ")[2].partition(".")[0].partition(" (")[0].partition(",")[0]
            code = _code(titles.get(name, name))
            if not number.startswith("step") or "," in number or number in going_on or code is None:
                continue
            assert code in frame.messages, text
            compared += 1
    assert compared >= 4


def _code(name: str) -> int | None:
    """The code of "CertificateVerify" or "certificate_verify"."""
    return next((int(code) for code in HandshakeType if code.name.replace("_", "") == _plain(name)), None)


def _plain(name: str) -> str:
    return name.lower().replace("_", "")


def test_names_are_resolved() -> None:
    talk = recorded()
    server = Endpoint("198.51.100.9", 443, "www.example.org")
    found = frames(b"".join(write_pcapng([talk.trace], talk.key_log, server=server)))
    assert {frame.source for frame in found} == {"client", "www.example.org"}


@pytest.mark.parametrize("kind", ["full", "1.2 ecdhe"])
def test_ipv6_is_as_good(kind: str) -> None:
    talk = recorded(kind)
    server = Endpoint("2001:db8:7::9", 8443)
    found = frames(b"".join(write_pcapng([talk.trace], talk.key_log, server=server)))
    assert_no_warning(found)
    assert {frame.destination for frame in found} == {"client", "2001:db8:7::9"}
    assert sum(len(frame.messages) for frame in found) == len(codes(talk.trace, "both"))


KEPT = (443, 465, 636, 853, 993, 995, 4433, 5061, 5671, 6443, 8443, 8883, 9443, 10443)
REPLACED = (25, 80, 3306, 8080)


@pytest.mark.parametrize("port", [*KEPT, *REPLACED])
def test_over_every_port_it_finds_tls(port: int) -> None:
    talk = recorded()
    server = Endpoint("198.51.100.9", port)
    found = frames(b"".join(write_pcapng([talk.trace], talk.key_log, server=server)))
    assert sum(len(frame.messages) for frame in found) == len(codes(talk.trace, "both"))


FAILURES = {
    "refused": (client_config(), server_config(credentials=[credential(names=("example.org",))])),
    "no group": (client_config(groups=["x25519"]), server_config(groups=["secp384r1"])),
    "no version": (client12(), server_config(protocols=["TLSv1.3"])),
    "not trusted": (
        client_config(trust=TrustStore.from_pem(Laboratory(b"another", NOW).root_pem)),
        server_config(),
    ),
}


@pytest.mark.parametrize("configs", FAILURES.values(), ids=FAILURES.keys())
def test_a_failure_is_no_reason_for_a_warning(configs: tuple[ClientConfig, ServerConfig]) -> None:
    trace = until_it_fails(*configs)
    found = frames(b"".join(write_pcapng([trace])))
    assert [frame for frame in found if frame.severities - {COMMENT, CHAT, NOTE}] == []
    assert any("The connection failed: " in text for text in found[-3].comments)
    assert [frame for frame in found if not frame.comments] == []


# -- the commands


def demonstrated(*options: str) -> bytes:
    """What ``pellucid demo --pcapng -`` writes."""
    done = subprocess.run(
        [sys.executable, "-m", "pellucid", "demo", *options, "--pcapng", "-"],
        check=False, capture_output=True, timeout=DEADLINE_SECONDS,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--mutual"],
        ["--resume"],
        ["--group", "secp384r1"],
        ["--group", "ffdhe2048"],
        ["--suite", "TLS_CHACHA20_POLY1305_SHA256", "--certificate", "rsa"],
        ["--certificate", "mldsa65"],
        ["--tls", "1.2", "--key-exchange", "rsa"],
        ["--tls", "1.2", "--key-exchange", "dhe", "--mutual"],
        ["--tls", "1.2", "--resume"],
        ["--tls", "1.2", "--suite", "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384"],
    ],
    ids=" ".join,
)
def test_a_demo_opens_with_its_http(options: list[str]) -> None:
    found = frames(demonstrated(*options))
    connections = 2 if "--resume" in options else 1
    assert_no_warning(found)
    assert [method for frame in found for method in frame.requests] == ["POST"] * connections
    assert [code for frame in found for code in frame.responses] == ["200"] * connections


def test_without_secrets_it_stays_closed() -> None:
    found = frames(demonstrated("--no-secrets"))
    assert not any(frame.requests for frame in found)
    assert [code for frame in found for code in frame.messages] == [1, 2]


def test_it_can_be_watched_while_it_is_written() -> None:
    """As `wireshark -k -i -` does: there is one look at each packet, and what it needs has to come before."""
    shown = ("-T", "fields", "-e", "http.request.method")
    assert tshark("-i", "-", "-Y", "http", *shown, data=demonstrated()).split() == ["POST"]


def test_the_data_are_those_that_were_sent() -> None:
    """Over a port that means no protocol, so that they are shown as they are."""
    talk = recorded()
    server = Endpoint("198.51.100.9", 4433)
    data = b"".join(write_pcapng([talk.trace], talk.key_log, server=server))
    followed = tshark("-r", "-", "-q", "-z", "follow,tls,raw,0", data=data)
    lines = [line for line in followed.splitlines() if set(line.strip()) <= set("0123456789abcdef") and line]
    one = "".join(line.strip() for line in lines if line.startswith("\t"))
    other = "".join(line for line in lines if not line.startswith("\t"))
    assert {bytes.fromhex(one), bytes.fromhex(other)} == {MUCH, b"hellothank you"}
