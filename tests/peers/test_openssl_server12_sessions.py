"""Our client against `openssl s_server` in TLS 1.2: sessions, renegotiation, records, the end."""

from __future__ import annotations

from pathlib import Path

import pytest

from ours import (
    CLIENT_NAME,
    KeyLines,
    Pki,
    alerts,
    assert_printed,
    connected,
    messages,
    printed_hex,
    receive_all,
)
from ours12 import (
    ABBREVIATED,
    DATA,
    FULL,
    FULL_BY_ID,
    agreed_on,
    client12,
    last_handshake,
    longest_record,
    server_hello,
)
from pellucid.codes import AlertDescription, ExtensionType
from pellucid.errors import AlertReceived, PeerMisbehaved, Reason
from pellucid.sessions import SessionStore
from pellucid.trace import Trace
from support import openssl_s_server
from with_openssl import VERIFY, exchange_lines, identity, options_off, reversed_lines, s_server

pytestmark = pytest.mark.peer("openssl s_server", "openssl")

by_ticket_or_id = pytest.mark.parametrize("arguments", [[], ["-no_ticket"]], ids=["ticket", "session-ID"])

SUITES = [
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-ECDSA-AES128-CCM8",
]


def full(arguments: list[str]) -> list[str]:
    return FULL_BY_ID if "-no_ticket" in arguments else FULL


# -- sessions


@by_ticket_or_id
@pytest.mark.parametrize("suite", SUITES)
def test_we_resume_its_sessions(pki: Pki, arguments: list[str], suite: str) -> None:
    trace = Trace()
    config = client12(
        pki,
        sessions=SessionStore(),
        cipher_suites=["TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8", *client12(pki).cipher_suites],
        trace=trace,
    )
    told = []
    with s_server(pki, "-rev", "-tls1_2", "-cipher", suite, *arguments) as peer:
        for _ in range(4):
            outcome = reversed_lines(peer.port, config)
            told.append((outcome.resumed, last_handshake(trace)))
            assert outcome.peer_chain == pki.credential().chain
    assert told == [(False, full(arguments)), *[(True, ABBREVIATED)] * 3]


@by_ticket_or_id
def test_we_resume_what_was_agreed_on_by_rsa(pki: Pki, arguments: list[str]) -> None:
    config = client12(pki, sessions=SessionStore())
    with s_server(pki, "-rev", "-tls1_2", "-cipher", "AES128-SHA", *arguments, kind="rsa") as peer:
        outcomes = [reversed_lines(peer.port, config).resumed for _ in range(2)]
    assert outcomes == [False, True]


@by_ticket_or_id
def test_by_default_we_resume_what_an_older_server_gave(pki: Pki, arguments: list[str]) -> None:
    trace = Trace()
    config = pki.client(sessions=SessionStore(), trace=trace)
    with s_server(pki, "-rev", "-tls1_2", *arguments) as peer:
        outcomes = [reversed_lines(peer.port, config).resumed for _ in range(3)]
    assert outcomes == [False, True, True]
    assert last_handshake(trace) == ABBREVIATED


@by_ticket_or_id
def test_we_resume_as_whom_we_authenticated_ourselves(pki: Pki, arguments: list[str]) -> None:
    config = client12(pki, sessions=SessionStore(), credentials=[pki.client_credential()])
    with s_server(pki, "-rev", "-tls1_2", *VERIFY, "-CAfile", pki.root, *arguments) as peer:
        outcomes = [reversed_lines(peer.port, config) for _ in range(2)]
        peer.wait_for(rf"(?s)(Peer certificate: CN = {CLIENT_NAME}\n.*){{2}}")
    assert [(outcome.resumed, outcome.mutual) for outcome in outcomes] == [(False, True), (True, True)]


@by_ticket_or_id
def test_sessions_that_it_no_longer_knows_lead_to_a_full_handshake(pki: Pki, arguments: list[str]) -> None:
    trace = Trace()
    config = client12(pki, sessions=SessionStore(), trace=trace)
    for _ in range(2):
        with s_server(pki, "-rev", "-tls1_2", *arguments) as peer:
            assert not reversed_lines(peer.port, config).resumed
    assert last_handshake(trace) == full(arguments)


@by_ticket_or_id
def test_a_server_that_has_learnt_the_newer_version_speaks_it(pki: Pki, arguments: list[str]) -> None:
    config = pki.client(sessions=SessionStore())
    with s_server(pki, "-rev", "-tls1_2", *arguments) as old:
        reversed_lines(old.port, config)
    with s_server(pki, "-rev") as new:
        outcomes = [reversed_lines(new.port, config) for _ in range(2)]
    assert [outcome.protocol.label for outcome in outcomes] == ["TLSv1.3"] * 2
    assert [outcome.resumed for outcome in outcomes] == [False, True]


def test_a_server_that_has_forgotten_the_newer_version_is_followed(pki: Pki) -> None:
    config = pki.client(sessions=SessionStore())
    with s_server(pki, "-rev") as new:
        reversed_lines(new.port, config)
    with s_server(pki, "-rev", "-tls1_2") as old:
        outcomes = [reversed_lines(old.port, config) for _ in range(2)]
    assert [outcome.protocol.label for outcome in outcomes] == ["TLSv1.2"] * 2
    assert [outcome.resumed for outcome in outcomes] == [False, True]


@by_ticket_or_id
def test_a_session_without_an_extended_secret_is_not_resumed(
    pki: Pki, tmp_path: Path, arguments: list[str]
) -> None:
    trace = Trace()
    config = client12(pki, sessions=SessionStore(), trace=trace)
    environment = options_off(tmp_path, "ExtendedMasterSecret")
    command = [*identity(pki), "-rev", "-tls1_2", *arguments]
    with openssl_s_server(*command, environment=environment) as peer:
        outcomes = [reversed_lines(peer.port, config).resumed for _ in range(2)]
    # RFC 7627 5.3 leaves the choice, and calls it insecure.
    assert outcomes == [False, False]
    assert not agreed_on(trace, ExtensionType.extended_master_secret)


@pytest.mark.parametrize("suite", ["ECDHE-ECDSA-AES128-SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256"])
def test_resumed_or_not_the_order_of_encryption_and_mac_is_agreed_on_anew(pki: Pki, suite: str) -> None:
    trace = Trace()
    config = client12(pki, sessions=SessionStore(), trace=trace)
    with s_server(pki, "-rev", "-tls1_2", "-cipher", suite) as peer:
        for resumed in False, True:
            assert reversed_lines(peer.port, config).resumed is resumed
            assert agreed_on(trace, ExtensionType.encrypt_then_mac) is ("GCM" not in suite)


@by_ticket_or_id
def test_a_resumed_session_has_the_fragments_of_the_first_one(
    pki: Pki, tmp_path: Path, arguments: list[str]
) -> None:
    (tmp_path / "bulk").write_bytes(DATA)
    store, longest = SessionStore(), []
    with openssl_s_server(*identity(pki), "-HTTP", "-tls1_2", *arguments, cwd=tmp_path) as peer:
        for resumed in False, True:
            trace = Trace()
            config = client12(pki, sessions=store, max_fragment_length=1024, trace=trace)
            with connected(peer.port, config) as tls:
                tls.sendall(b"GET /bulk HTTP/1.0\r\n\r\n")
                assert receive_all(tls) == DATA
                assert tls.negotiated.resumed is resumed
            longest.append(longest_record(trace, "received"))
    assert longest == [1024 + 24] * 2  # nonce and tag


# -- renegotiation


@pytest.mark.parametrize("command", [b"r\n", b"R\n"], ids=["", "with-a-certificate"])
def test_its_wish_for_another_handshake_is_refused(pki: Pki, command: bytes) -> None:
    trace = Trace()
    with s_server(pki, "-tls1_2") as peer, connected(peer.port, client12(pki, trace=trace)) as tls:
        exchange_lines(peer, tls)
        peer.send(command)
        # OpenSSL takes our no for a fatal one, though it is a warning.
        with pytest.raises(AlertReceived) as caught:
            receive_all(tls)
        peer.wait_for("no renegotiation")
    assert caught.value.description == AlertDescription.handshake_failure
    assert messages(trace)[-1] == "HelloRequest"
    assert alerts(trace, "sent")[0] == "no_renegotiation"


def test_it_says_that_it_knows_secure_renegotiation(pki: Pki) -> None:
    trace = Trace()
    with s_server(pki, "-rev", "-tls1_2") as peer:
        reversed_lines(peer.port, client12(pki, trace=trace))
    assert ExtensionType.renegotiation_info in server_hello(trace).extensions


# -- records


BULK = b"0123456789abcde\n" * 65536


@pytest.mark.parametrize("suite", SUITES[:3])
@pytest.mark.parametrize(
    "arguments",
    [[], ["-max_send_frag", "512"], ["-split_send_frag", "1000", "-max_pipelines", "4"]],
    ids=["whole", "small", "split"],
)
def test_bulk_from_it_arrives_whatever_the_size_of_its_records(
    pki: Pki, tmp_path: Path, suite: str, arguments: list[str]
) -> None:
    (tmp_path / "bulk").write_bytes(BULK)
    command = [*identity(pki), "-HTTP", "-tls1_2", "-cipher", suite, *arguments]
    with openssl_s_server(*command, cwd=tmp_path) as peer, connected(peer.port, client12(pki)) as tls:
        tls.sendall(b"GET /bulk HTTP/1.0\r\n\r\n")
        assert receive_all(tls) == BULK


@pytest.mark.parametrize("suite", SUITES[:3])
@pytest.mark.parametrize("arguments", [[], ["-read_buf", "40000"]], ids=["", "read_buf"])
def test_bulk_from_us_arrives(pki: Pki, suite: str, arguments: list[str]) -> None:
    with s_server(pki, "-tls1_2", "-cipher", suite, *arguments) as peer:
        with connected(peer.port, client12(pki)) as tls:
            tls.sendall(BULK + b"and that is all\n")
            peer.wait_for("and that is all")
        assert_printed(BULK.decode(), peer.output)


# -- the end


def test_we_see_its_close_notify(pki: Pki, tmp_path: Path) -> None:
    (tmp_path / "page").write_bytes(b"hello")
    trace = Trace()
    # Only its HTTP servers send one: at a "Q" it closes the socket first.
    with openssl_s_server(*identity(pki), "-HTTP", "-tls1_2", cwd=tmp_path) as peer:
        with connected(peer.port, client12(pki, trace=trace)) as tls:
            tls.sendall(b"GET /page HTTP/1.0\r\n\r\n")
            assert receive_all(tls) == b"hello"
        assert alerts(trace, "received") == ["close_notify"]


def test_it_sees_our_close_notify(pki: Pki) -> None:
    with s_server(pki, "-tls1_2", "-msg") as peer, connected(peer.port, client12(pki)) as tls:
        tls.sendall(b"a first line\n")
        peer.wait_for("a first line")
        tls.close()
        peer.wait_for(r"^<<< TLS 1.2, Alert \[length 0002\], warning close_notify$")


@pytest.mark.parametrize("suite", SUITES[:3])
def test_a_server_that_is_killed_is_a_truncation(pki: Pki, suite: str) -> None:
    arguments = ["-tls1_2", "-cipher", suite]
    with s_server(pki, *arguments) as peer, connected(peer.port, client12(pki)) as tls:
        tls.sendall(b"a first line\n")
        peer.wait_for("a first line")
        peer.kill()
        with pytest.raises(PeerMisbehaved) as caught:
            receive_all(tls)
    assert caught.value.reason is Reason.TRUNCATED


# -- what both sides know, what it says of our messages


@pytest.mark.parametrize("suite", ["ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-SHA384", "AES128-SHA"])
def test_both_log_the_same_secret(pki: Pki, tmp_path: Path, suite: str) -> None:
    lines = KeyLines()
    arguments = ["-tls1_2", "-cipher", suite, "-keylogfile", tmp_path / "keys"]
    with s_server(pki, "-rev", *arguments, kind="rsa") as peer:
        reversed_lines(peer.port, client12(pki, key_log=lines))
    lines.assert_all_in(tmp_path / "keys", least=1)


@pytest.mark.parametrize("suite", ["ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-SHA384"])
def test_both_export_the_same_keying_material(pki: Pki, suite: str) -> None:
    arguments = ["-tls1_2", "-cipher", suite, "-keymatexport", "EXPORTER-Pellucid", "-keymatexportlen", "48"]
    with s_server(pki, *arguments) as peer, connected(peer.port, client12(pki)) as tls:
        tls.sendall(b"a first line\n")
        peer.wait_for("a first line")
        ours = tls.connection.export_keying_material(b"EXPORTER-Pellucid", None, 48)
        assert printed_hex(peer.output, "Keying material:") == ours.hex()


@pytest.mark.parametrize("suite", ["ECDHE-RSA-AES128-GCM-SHA256", "DHE-RSA-AES128-SHA256", "AES128-SHA"])
def test_it_finds_nothing_strange_in_our_messages(pki: Pki, suite: str) -> None:
    trace = Trace()
    config = client12(pki, credentials=[pki.client_credential()], alpn_protocols=["http/1.1"], trace=trace)
    arguments = ["-trace", "-tls1_2", "-cipher", suite, "-alpn", "http/1.1", *VERIFY, "-CAfile", pki.root]
    with s_server(pki, *arguments, kind="rsa") as peer, connected(peer.port, config) as tls:
        tls.sendall(b"a first line\n")
        peer.wait_for("a first line")
        output = peer.output
    for name in messages(trace):
        if name != "ChangeCipherSpec":
            assert_printed(f"    {name}, Length=", output)
    assert_printed("    change_cipher_spec (1)\n", output)
    for complaint in "extraneous data", "parse error", "UNKNOWN":
        assert complaint not in output
