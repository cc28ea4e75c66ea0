"""`pellucid decode`: a capture of many connections, of which some fail, stay closed, or are not TLS."""

from __future__ import annotations

import gc
import itertools
import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from captures import ACK, CLIENT, CLIENT_PORT, FIN, SERVER, SERVER_PORT, conversation, ipv4, tcp
from click.testing import CliRunner
from crowds import crowd, packets_of, secrets_of
from jsonschema import Draft202012Validator
from loopback import client_config
from pages import content_of

from pellucid import ClientConnection
from pellucid.cli import listing
from pellucid.cli.app import app
from pellucid.cli.findings import Findings
from pellucid.cli.output import Output
from pellucid.trace import Trace
from pellucid.trace.collection import schema

Packets = Sequence[tuple[int, bytes]]

REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


def spoken(*turns: tuple[str, bytes]) -> Packets:
    """A connection in which this is said."""
    return [(1000 * at, packet) for at, packet in enumerate(conversation(turns))]


@cache
def hello(name: str = "localhost") -> bytes:
    return ClientConnection(client_config(), name).data_to_send()


def refused(name: bytes = b"localhost") -> Packets:
    """A server that closes when it has read the ClientHello."""
    said = hello().replace(b"localhost", name)
    *packets, client_fin, _, _ = spoken(("client", said))
    fin = tcp(
        flags=FIN | ACK,
        sequence=5_000_001,
        acknowledgment=1001 + len(said),
        ports=(SERVER_PORT, CLIENT_PORT),
        addresses=(SERVER, CLIENT),
    )
    return [*packets, (client_fin[0] - 1, ipv4(fin, addresses=(SERVER, CLIENT))), client_fin]


def plain() -> Packets:
    return spoken(("client", REQUEST), ("server", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("demo") / "demo.pcapng"
    assert CliRunner().invoke(app, ["demo", "--seed", "1", "--pcapng", str(file)]).exit_code == 0
    return file


@pytest.fixture
def whole(demo: Path) -> Packets:
    """A connection that works."""
    return packets_of(demo)


@pytest.fixture
def keys(demo: Path, tmp_path: Path) -> Path:
    file = tmp_path / "keys.txt"
    file.write_text(secrets_of(demo))
    return file


@pytest.fixture
def capture(tmp_path: Path) -> Any:
    """``capture(packets, packets, ...)`` is the file of these connections."""

    def write(*conversations: Packets, **knobs: Any) -> Path:
        file = tmp_path / "many.pcap"
        file.write_bytes(crowd(*conversations, **knobs))
        return file

    return write


def rows(text: str) -> list[list[str]]:
    """The words of the table's rows."""
    lines = iter(text.splitlines())
    while next(lines).split()[:2] != ["#", "time"]:
        pass
    table = itertools.takewhile(bool, lines)
    return [line.split() for line in table if line[:2].strip().isdigit()]


# -- the list


def test_each_connection_has_its_row(pellucid: Any, capture: Any, whole: Packets, keys: Path) -> None:
    file = capture(whole, refused(), plain(), whole)
    ran = pellucid("decode", file, "--keylog", keys)
    assert ran.code == 0
    assert ran.err == ""
    assert rows(ran.out) == [
        ["1", "12:00:00", "localhost", "1.3", "✓", "connected,", "decrypted"],
        ["2", "12:00:01", "localhost", "✗", "closed", "after", "client", "hello"],
        ["3", "12:00:02", "192.0.2.2", "-", "not", "TLS", "(HTTP)"],
        ["4", "12:00:03", "localhost", "1.3", "✓", "connected,", "decrypted"],
    ]
    words = " ".join(ran.out.split())
    assert "4 TCP connections, 3 of them with TLS." in words
    assert "With TLS: 2 connected, 1 failed." in words
    assert "add --connection 2 (or another)" in words
    assert "ClientHello" not in ran.out


def test_an_alert_is_named_with_its_sender(pellucid: Any, capture: Any) -> None:
    alert = spoken(("client", hello()), ("server", bytes.fromhex("15030300020228")))
    (row, *_) = rows(pellucid("decode", capture(alert, refused())).out)
    assert row[3:] == ["✗", "server", "sent", "alert", "handshake_failure"]


def test_what_was_resumed_is_marked(pellucid: Any, tmp_path: Path) -> None:
    file = tmp_path / "resumed.pcapng"
    pellucid("demo", "--resume", "--pcapng", file)
    assert [" ".join(row[4:]) for row in rows(pellucid("decode", file).out)] == [
        "✓ connected, decrypted",
        "✓ connected (resumed), decrypted",
    ]


def test_clients_are_told_apart_where_there_are_several(pellucid: Any, capture: Any) -> None:
    alone = pellucid("decode", capture(refused(), refused())).out
    assert "The client of all is 192.0.2.1." in alone
    assert [row[2] for row in rows(alone)] == ["localhost", "localhost"]
    several = pellucid("decode", capture(refused(), refused(), clients=["192.0.2.1", "198.51.100.7"])).out
    assert "The client of all" not in several
    assert [row[2:4] for row in rows(several)] == [["192.0.2.1", "localhost"], ["198.51.100.7", "localhost"]]


def test_failures_are_counted_by_their_kind(pellucid: Any, capture: Any, whole: Packets) -> None:
    ran = pellucid("decode", capture(whole, *[refused()] * 7))
    assert "✗ closed after client hello: 7 (2, 3, 4, 5, 6, …)" in ran.out


def test_why_they_stay_closed_is_said_once(pellucid: Any, capture: Any, whole: Packets) -> None:
    ran = pellucid("decode", capture(*[whole] * 3))
    assert ran.out.count("Sealed: no secrets for this connection (all of them)") == 1
    assert ran.out.count("SSLKEYLOGFILE") == 1


@pytest.mark.parametrize("count, listed", [(10, True), (11, False)])
def test_many_connections_without_tls_do_not_hide_the_others(
    pellucid: Any, capture: Any, count: int, listed: bool
) -> None:
    file = capture(refused(), *[plain()] * count, refused())
    ran = pellucid("decode", file)
    assert (len(rows(ran.out)) == count + 2) is listed
    assert (f"Without TLS, and not listed: {count}" in ran.out) is not listed
    assert pellucid("decode", file, "-v").out.count("- not TLS") == count


def test_the_only_one_with_tls_is_told(pellucid: Any, capture: Any, whole: Packets, keys: Path) -> None:
    ran = pellucid("decode", capture(plain(), whole, plain()), "--keylog", keys)
    assert "── connection 2: " in ran.out
    assert "✓ connected: TLSv1.3" in ran.out


def test_a_capture_without_tls_is_listed_too(pellucid: Any, capture: Any) -> None:
    ran = pellucid("decode", capture(*[plain()] * 12))
    assert "12 TCP connections, none with TLS." in " ".join(ran.out.split())
    assert len(rows(ran.out)) == 12


def test_a_hostile_name_is_harmless_in_every_place(pellucid: Any, capture: Any) -> None:
    file = capture(refused(b"xevil\x1b[2J"), refused(b"evil\xe2\x80\xae.x"))
    for options in [], ["-v"], ["--connection", 1], ["--connection", 2]:
        ran = pellucid("decode", file, *options)
        assert all(character.isprintable() or character == "\n" for character in ran.out + ran.err)


@pytest.mark.parametrize("columns", [60, 80, 120, 200])
@pytest.mark.parametrize("options", [[], ["-v"]])
def test_no_line_is_wider_than_the_terminal(
    pellucid: Any,
    capture: Any,
    whole: Packets,
    monkeypatch: pytest.MonkeyPatch,
    columns: int,
    options: list[str],
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    names = [b"localhost", b"a.example"]
    file = capture(whole, *map(refused, names), plain(), clients=["192.0.2.1", "198.51.100.199"])
    ran = pellucid("decode", file, *options)
    assert max(map(len, ran.out.splitlines())) <= columns


def test_more_than_can_be_kept_are_counted(
    pellucid: Any, capture: Any, whole: Packets, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "MOST_ROWS", 3)
    ran = pellucid("decode", capture(*[refused()] * 5, whole))
    assert [row[0] for row in rows(ran.out)] == ["1", "2", "3", "6"]
    assert "2 more are not listed" in ran.out
    assert "closed after client hello: 5 (" in ran.out


# -- one of them


def test_the_chosen_one_alone_is_told(pellucid: Any, capture: Any, whole: Packets, keys: Path) -> None:
    file = capture(refused(), whole, refused())
    ran = pellucid("decode", file, "--connection", 2, "--keylog", keys, "--json", "-")
    assert [one["connection"]["number"] for one in ran.document["connections"]] == [2]
    assert "capture" not in ran.document
    assert ran.err.startswith("── connection 2: 192.0.2.1:10001 → 192.0.2.2:443 (localhost) ─")
    assert "✓ connected: TLSv1.3" in ran.err


def test_a_failure_is_explained_as_an_onlooker_does(pellucid: Any, capture: Any) -> None:
    ran = pellucid("decode", capture(refused()))
    told = " ".join(ran.out.split())
    assert "✗ failed: closed after client hello" in told
    assert "Id closed_after_client_hello" in told
    assert "Exit code" not in told
    assert "The server" in told


def test_one_that_is_not_tls_can_be_chosen(pellucid: Any, capture: Any) -> None:
    ran = pellucid("decode", capture(refused(), plain()), "--connection", 2)
    assert ran.code == 0
    assert "not tls" in ran.out
    assert "HTTP" in ran.out


def test_the_only_one_is_told_even_without_tls(pellucid: Any, capture: Any) -> None:
    ran = pellucid("decode", capture(plain()))
    assert "── connection 1: " in ran.out
    assert "✗ failed: not tls" in ran.out


@pytest.mark.parametrize("count", [0, 3])
def test_a_number_that_is_not_there_is_an_error(
    pellucid: Any, capture: Any, tmp_path: Path, count: int
) -> None:
    target = tmp_path / "x.json"
    ran = pellucid("decode", capture(*[refused()] * count), "--connection", 4, "--json", target)
    assert ran.code == 2
    assert "there is no connection 4" in ran.err
    assert (f"it has {count}" if count else "it has none") in ran.err
    assert not target.exists()


# -- the page and the JSON


def test_the_json_has_all(pellucid: Any, capture: Any, whole: Packets) -> None:
    document = pellucid("decode", capture(whole, refused(), plain()), "--json", "-").document
    Draft202012Validator(schema()).validate(document)
    found = {one["connection"]["number"]: one for one in document["connections"]}
    assert [found[number]["connection"]["tls"] for number in (1, 2, 3)] == [True, True, False]
    assert found[3]["outcome"]["failure"]["id"] == "not_tls"
    assert document["capture"]["packets"] == document["capture"]["segments"]


def test_a_page_shows_a_few_and_says_which(
    pellucid: Any, capture: Any, whole: Packets, tmp_path: Path
) -> None:
    page = tmp_path / "page.html"
    ran = pellucid("decode", capture(*[whole] * 7), "--html", page)
    assert "the page has 5 of the 7 connections with TLS (1, 2, 3, 4, 5)" in ran.err
    assert len(content_of(page.read_text())["connections"]) == 5
    ran = pellucid("decode", capture(*[whole] * 7, refused()), "--html", page)
    assert "the page has 1 of the 1 connections that failed (8)" in ran.err
    (connection,) = content_of(page.read_text())["connections"]
    assert connection["outcome"]["status"] == "failed"
    ran = pellucid("decode", capture(*[whole] * 7), "--html", page, "--connection", 7)
    assert ran.err == ""
    assert content_of(page.read_text())["heading"] == "many.pcap, connection 7"


def test_without_tls_there_is_no_page(pellucid: Any, capture: Any, tmp_path: Path) -> None:
    ran = pellucid("decode", capture(plain()), "--html", tmp_path / "page.html")
    assert ran.code == 0
    assert "no page was written" in ran.err
    assert not (tmp_path / "page.html").exists()


@pytest.mark.parametrize("options", [[], ["--json"], ["--html"]], ids=["list", "JSON", "page"])
def test_traces_are_not_kept(
    capture: Any, whole: Packets, keys: Path, tmp_path: Path, options: list[str]
) -> None:
    """However many connections there are: the JSON is written one by one, and a page has a few."""
    from pellucid.decode import Decoder, KeyMaterial

    most = 0
    names = {option[2:] + "_file": str(tmp_path / option) for option in options}
    material = KeyMaterial()
    material.add_key_log(keys.read_text())
    with Output(**names, writes_keys=False) as output, capture(*[whole] * 30).open("rb") as file:
        findings = Findings(output, None)
        decoder = Decoder(file, keys=material, wanted=findings.wants)
        take = findings._take

        def counting(decoded: Any) -> None:
            nonlocal most
            take(decoded)
            gc.collect()
            most = max(most, sum(isinstance(each, Trace) for each in gc.get_objects()))

        findings._take = counting  # type: ignore[method-assign]
        before = sum(isinstance(each, Trace) for each in gc.get_objects())
        assert findings.read(decoder) is None
        findings.finish(decoder, None)
    assert findings.listing.tls == 30
    assert most - before <= 5 + 3
    if options == ["--json"]:
        assert len(json.loads((tmp_path / "--json").read_text())["connections"]) == 30
