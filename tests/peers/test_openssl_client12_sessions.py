"""`openssl s_client` against our server in TLS 1.2: sessions, renegotiation, records, the end."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from ours import (
    KeyLines,
    Pki,
    alerts,
    assert_printed,
    messages,
    printed_hex,
    receive_all,
    serving,
    shout,
)
from ours12 import (
    ABBREVIATED,
    DATA,
    FULL,
    FULL_BY_ID,
    ONLY_12,
    agreed_on,
    last_handshake,
    longest_record,
    receive_exactly,
    server12,
    server_hello,
    take_and_give,
)
from pellucid.codes import AlertDescription, ExtensionType
from pellucid.errors import AlertReceived, Misuse, PeerMisbehaved, Reason
from pellucid.io.blocking import TLSSocket
from pellucid.trace import Trace
from with_openssl import client_certificate, converse, options_off, s_client, shouted

pytestmark = pytest.mark.peer("openssl s_client", "openssl")

by_ticket_or_id = pytest.mark.parametrize("tickets", [True, False], ids=["ticket", "session-ID"])

#: One of each way to protect records.
SUITES = [
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256",
]


# -- sessions


@by_ticket_or_id
@pytest.mark.parametrize("suite", ["ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-SHA384"])
def test_it_resumes_our_sessions(pki: Pki, tmp_path: Path, tickets: bool, suite: str) -> None:
    session = tmp_path / "session"
    trace = Trace()
    told = []
    with serving(server12(pki, tickets=tickets, trace=trace), shout, shout, shout) as server:
        for index, arguments in enumerate([[], ["-sess_in", session], ["-sess_in", session]]):
            with s_client(pki, server.port, "-cipher", suite, *arguments, "-sess_out", session) as peer:
                how = "Reused" if arguments else "New"
                assert_printed(f"{how}, TLSv1.2, Cipher is {suite}\n", converse(peer))
            told.append((server.result(index).resumed, last_handshake(trace)))
    full = FULL if tickets else FULL_BY_ID
    assert told == [(False, full), (True, ABBREVIATED), (True, ABBREVIATED)]


def test_without_tickets_of_its_own_it_gets_a_session_id(pki: Pki, tmp_path: Path) -> None:
    session = tmp_path / "session"
    trace = Trace()
    with serving(server12(pki, trace=trace), shout, shout) as server:
        with s_client(pki, server.port, "-no_ticket", "-sess_out", session) as peer:
            converse(peer)
        assert last_handshake(trace) == FULL_BY_ID
        with s_client(pki, server.port, "-no_ticket", "-sess_in", session) as peer:
            assert_printed("Reused, TLSv1.2", converse(peer))
        assert server.result(1).resumed
    assert last_handshake(trace) == ABBREVIATED


@by_ticket_or_id
def test_it_reconnects_again_and_again(pki: Pki, tickets: bool) -> None:
    with serving(server12(pki, tickets=tickets), *[receive_all] * 5, shout) as server:
        with s_client(pki, server.port, "-reconnect") as peer:
            output = converse(peer)
        assert server.result(5).resumed
    assert output.count("Reused, TLSv1.2") == 5


@by_ticket_or_id
def test_a_resumed_client_is_still_known_by_its_certificate(pki: Pki, tmp_path: Path, tickets: bool) -> None:
    session = tmp_path / "session"
    certificate = client_certificate(pki)
    with serving(pki.mutual_server(tickets=tickets, **ONLY_12), shout, shout) as server:
        with s_client(pki, server.port, "-sess_out", session, *certificate) as peer:
            converse(peer)
        with s_client(pki, server.port, "-sess_in", session, *certificate) as peer:
            converse(peer)
        again = server.result(1)
    assert again.resumed
    assert again.mutual
    assert again.peer_chain == pki.client_credential().chain


@by_ticket_or_id
def test_a_session_for_one_name_does_not_open_another(pki: Pki, tmp_path: Path, tickets: bool) -> None:
    session = tmp_path / "session"
    credentials = [pki.credential(), pki.credential(name="second.test")]
    with serving(server12(pki, credentials=credentials, tickets=tickets), shout, shout) as server:
        with s_client(pki, server.port, "-sess_out", session) as peer:
            converse(peer)
        with s_client(pki, server.port, "-sess_in", session, name="second.test") as peer:
            assert_printed("New, TLSv1.2", converse(peer))
        assert not server.result(1).resumed


@by_ticket_or_id
def test_a_session_of_another_server_leads_to_a_full_handshake(
    pki: Pki, tmp_path: Path, tickets: bool
) -> None:
    session = tmp_path / "session"
    for arguments in ["-sess_out", session], ["-sess_in", session]:
        trace = Trace()
        output, _ = shouted(pki, server12(pki, tickets=tickets, trace=trace), *arguments)
        assert_printed("New, TLSv1.2", output)
        assert last_handshake(trace) == (FULL if tickets else FULL_BY_ID)


@by_ticket_or_id
def test_a_session_whose_suite_it_does_not_offer_again_is_not_resumed(
    pki: Pki, tmp_path: Path, tickets: bool
) -> None:
    session = tmp_path / "session"
    with serving(server12(pki, tickets=tickets), shout, shout) as server:
        with s_client(pki, server.port, "-tls1_2", "-sess_out", session) as peer:
            converse(peer)
        other = ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA256"]
        with s_client(pki, server.port, "-sess_in", session, *other) as peer:
            assert_printed("New, TLSv1.2, Cipher is ECDHE-ECDSA-AES128-SHA256\n", converse(peer))
        assert not server.result(1).resumed


def test_a_session_of_the_older_version_is_not_resumed_in_the_newer(pki: Pki, tmp_path: Path) -> None:
    session = tmp_path / "session"
    with serving(pki.server(), shout, shout) as server:
        with s_client(pki, server.port, "-tls1_2", "-sess_out", session) as peer:
            converse(peer)
        with s_client(pki, server.port, "-sess_in", session) as peer:
            assert_printed("New, TLSv1.3", converse(peer))
        assert not server.result(1).resumed


@by_ticket_or_id
def test_a_session_with_an_extended_secret_is_not_resumed_without(
    pki: Pki, tmp_path: Path, tickets: bool
) -> None:
    session = tmp_path / "session"
    with serving(server12(pki, tickets=tickets), shout, shout) as server:
        with s_client(pki, server.port, "-sess_out", session) as peer:
            converse(peer)
        environment = options_off(tmp_path, "ExtendedMasterSecret")
        with s_client(pki, server.port, "-sess_in", session, environment=environment) as peer:
            error = server.exception(1)
            peer.wait()
            assert_printed("alert handshake failure", peer.output)
    assert isinstance(error, PeerMisbehaved)
    assert error.reason is Reason.EXTENDED_MASTER_SECRET_CHANGED


@by_ticket_or_id
def test_there_is_no_session_to_resume_without_an_extended_secret(
    pki: Pki, tmp_path: Path, tickets: bool
) -> None:
    session = tmp_path / "session"
    trace = Trace()
    environment = options_off(tmp_path, "ExtendedMasterSecret")
    shouted(pki, server12(pki, tickets=tickets, trace=trace), "-sess_out", session, environment=environment)
    assert not agreed_on(trace, ExtensionType.extended_master_secret)
    # RFC 7627 5.3 leaves the choice where neither time has it, and calls resumption insecure.
    assert not session.exists()
    assert last_handshake(trace) == FULL_BY_ID
    assert server_hello(trace).legacy_session_id_echo == b""


@by_ticket_or_id
def test_a_resumed_session_has_the_fragments_of_the_first_one(
    pki: Pki, tmp_path: Path, tickets: bool
) -> None:
    session = tmp_path / "session"
    trace = Trace()
    with serving(server12(pki, tickets=tickets, trace=trace), *[take_and_give] * 2) as server:
        for index, arguments in enumerate([["-sess_out", session], ["-sess_in", session]]):
            with s_client(pki, server.port, "-quiet", "-maxfraglen", "1024", *arguments) as peer:
                peer.send(DATA)
                assert server.result(index).resumed is bool(index)
                assert peer.wait() == 0
                assert_printed(DATA.decode(), peer.output)
    for direction in "sent", "received":
        assert longest_record(trace, direction) == 1024 + 24  # nonce and tag


# -- renegotiation


def test_its_wish_for_another_handshake_is_refused(pki: Pki) -> None:
    trace = Trace()
    with serving(server12(pki, trace=trace), shout) as server, s_client(pki, server.port) as peer:
        peer.send(b"hello\n")
        peer.wait_for("HELLO")
        peer.send(b"R\n")
        peer.wait_for("RENEGOTIATING")
        error = server.exception()
        assert peer.wait() == 1
        assert_printed("no renegotiation", peer.output)
    assert alerts(trace, "sent")[0] == "no_renegotiation"
    # OpenSSL takes our no for a fatal one, though it is a warning.
    assert isinstance(error, AlertReceived)
    assert error.description == AlertDescription.handshake_failure


# -- records


@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize(
    "arguments",
    [[], ["-max_send_frag", "512"], ["-split_send_frag", "1000", "-max_pipelines", "4"], ["-nbio"]],
    ids=["whole", "small", "split", "non-blocking"],
)
def test_bulk_from_it_arrives_whatever_the_size_of_its_records(
    pki: Pki, suite: str, arguments: list[str]
) -> None:
    bulk = b"0123456789abcde\n" * 65536

    def digest(tls: TLSSocket) -> None:
        tls.sendall(hashlib.sha256(receive_exactly(tls, len(bulk))).hexdigest().encode())

    with serving(server12(pki, cipher_suites=[suite]), digest) as server:
        with s_client(pki, server.port, "-quiet", *arguments) as peer:
            peer.send(bulk)
            peer.wait_for(hashlib.sha256(bulk).hexdigest())
            assert peer.wait() == 0
        server.result()


@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize("arguments", [[], ["-read_buf", "40000"]], ids=["", "read_buf"])
def test_bulk_from_us_arrives(pki: Pki, suite: str, arguments: list[str]) -> None:
    bulk = b"0123456789abcde\n" * 65536
    with (
        serving(server12(pki, cipher_suites=[suite]), lambda tls: tls.sendall(bulk)) as server,
        s_client(pki, server.port, "-quiet", *arguments) as peer,
    ):
        server.result()
        assert peer.wait() == 0
        # What it says of our certificates comes first, on its standard error.
        assert peer.output.endswith(bulk.decode())


# -- the end


def test_it_sees_our_close_notify(pki: Pki) -> None:
    with serving(server12(pki), lambda tls: tls.sendall(b"goodbye\n")) as server:
        with s_client(pki, server.port, "-msg") as peer:
            peer.wait_for("goodbye")
            peer.wait_for(r"^<<< TLS 1.2, Alert \[length 0002\], warning close_notify$")
            assert peer.wait() == 0
        server.result()


@pytest.mark.parametrize("suite", SUITES)
def test_a_client_that_is_killed_is_a_truncation(pki: Pki, suite: str) -> None:
    config = server12(pki, cipher_suites=[suite])
    with serving(config, shout) as server, s_client(pki, server.port) as peer:
        peer.send(b"partial\n")
        peer.wait_for("PARTIAL")
        peer.kill()
        error = server.exception()
    assert isinstance(error, PeerMisbehaved)
    assert error.reason is Reason.TRUNCATED


# -- what both sides know, what it says of our messages


@pytest.mark.parametrize("suite", ["ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-SHA384", "AES128-SHA"])
def test_both_log_the_same_secret(pki: Pki, tmp_path: Path, suite: str) -> None:
    lines = KeyLines()
    config = server12(pki, "rsa", key_log=lines)
    shouted(pki, config, "-cipher", suite, "-keylogfile", tmp_path / "keys")
    lines.assert_all_in(tmp_path / "keys", least=1)


def exported(tls: TLSSocket) -> str:
    material = tls.connection.export_keying_material(b"EXPORTER-Pellucid", None, 48)
    shout(tls)
    return material.hex()


EXPORT = ["-keymatexport", "EXPORTER-Pellucid", "-keymatexportlen", "48"]


@pytest.mark.parametrize("suite", ["ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-SHA384"])
def test_both_export_the_same_keying_material(pki: Pki, suite: str) -> None:
    with serving(server12(pki), exported) as server:
        with s_client(pki, server.port, "-cipher", suite, *EXPORT) as peer:
            output = converse(peer)
        assert printed_hex(output, "Keying material:") == server.result()


def test_nothing_is_exported_from_a_secret_that_is_not_extended(pki: Pki, tmp_path: Path) -> None:
    environment = options_off(tmp_path, "ExtendedMasterSecret")
    config = server12(pki)
    with serving(config, exported) as server, s_client(pki, server.port, environment=environment) as peer:
        error = server.exception()
        peer.wait()
    assert isinstance(error, Misuse)


@pytest.mark.parametrize("suite", ["ECDHE-RSA-AES128-GCM-SHA256", "DHE-RSA-AES128-SHA256", "AES128-SHA"])
def test_it_finds_nothing_strange_in_our_messages(pki: Pki, suite: str) -> None:
    trace = Trace()
    credentials = [pki.credential("rsa")]
    config = pki.mutual_server(credentials=credentials, alpn_protocols=["http/1.1"], trace=trace, **ONLY_12)
    arguments = ["-trace", "-cipher", suite, "-alpn", "http/1.1", *client_certificate(pki)]
    output, _ = shouted(pki, config, *arguments)
    received = "".join(re.split(r"^(?=Received|Sent) ?", output, flags=re.MULTILINE))
    for name in messages(trace):
        if name != "ChangeCipherSpec":
            assert_printed(f"    {name}, Length=", received)
    assert_printed("    change_cipher_spec (1)\n", received)
    assert "extraneous data" not in output
    assert "UNKNOWN" not in output
    assert "Message length parse error" not in output
    assert not alerts(trace, "received")[1:]  # close_notify alone
