"""Revocation with real peers: who staples to whom, what is made of it, and authorities that are asked."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ours import Pki, assert_printed, connected, receive_until, serving, shout
from pellucid import Trace
from pellucid.codes import AlertDescription as A
from pellucid.config import ClientConfig, ServerConfig
from pellucid.errors import AlertReceived, CertificateRejected, Reason
from pellucid.identity.lab import Issued
from pellucid.identity.revocation import RevocationLists
from pellucid.io.revocation import NetworkStatus
from pellucid.io.stapling import StapleFetcher
from pellucid.trace.events import CheckEvent
from support import free_port, gnutls_serv, openssl_s_server
from with_curl import TLS12, TLS13, answer, curl, succeeded
from with_gnutls import TLS12 as GNUTLS_TLS12
from with_gnutls import TLS13 as GNUTLS_TLS13
from with_gnutls import gnutls_cli
from with_ocsp import GOOD, REVOKED, UNKNOWN, OpensslAuthority, issue, serial_hex
from with_openssl import client_certificate, shouted

DAY = 86_400
VERSIONS = ("TLSv1.3", "TLSv1.2")
both_versions = pytest.mark.parametrize("version", VERSIONS)
s_server_peer = pytest.mark.peer("openssl s_server", "openssl")
s_client_peer = pytest.mark.peer("openssl s_client", "openssl")
openssl_ocsp = pytest.mark.peer("openssl ocsp", "openssl")


@pytest.fixture(scope="module")
def issued(pki: Pki) -> Issued:
    return issue(pki)


@pytest.fixture(scope="module")
def demanding(pki: Pki) -> Issued:
    return issue(pki, must_staple=True)


def files(folder: Path, issued: Issued) -> tuple[Path, Path]:
    chain, key = folder / "chain.pem", folder / "key.pem"
    chain.write_bytes(issued.chain_pem)
    key.write_bytes(issued.key_pem)
    return chain, key


def converse(port: int, config: ClientConfig) -> None:
    with connected(port, config) as tls:
        tls.sendall(b"hello\n")
        receive_until(tls, b"\n")


# -- our client, their server


def s_server(folder: Path, issued: Issued, staple: Path | None, version: str) -> Any:
    """One that sends lines back; its chain file has the intermediate as well."""
    chain, key = files(folder, issued)
    arguments: list[str | Path] = ["-cert", chain, "-cert_chain", chain, "-key", key, "-rev"]
    only = "-tls1_3" if version == "TLSv1.3" else "-tls1_2"
    return openssl_s_server(*arguments, only, *(["-status_file", staple] if staple else []))


@s_server_peer
@openssl_ocsp
@both_versions
@pytest.mark.parametrize("delegated", [False, True])
@pytest.mark.parametrize("level", ["staple", "soft", "hard"])
def test_our_client_takes_what_openssl_ocsp_has_signed(
    pki: Pki, tmp_path: Path, issued: Issued, version: str, level: str, delegated: bool
) -> None:
    staple = OpensslAuthority(pki, tmp_path, delegated=delegated).response(GOOD, issued)
    trace = Trace()
    with s_server(tmp_path, issued, staple, version) as peer:
        converse(peer.port, pki.client(revocation=level, trace=trace))
    found = [str(event.found) for event in trace.events if isinstance(event, CheckEvent)]
    signer = 'the issuer\'s responder "CN=Responder"' if delegated else "the issuer"
    assert any(f"not revoked, by a stapled OCSP response of {signer} of" in text for text in found), found


def refusal(pki: Pki, folder: Path, issued: Issued, staple: Path | None, version: str, level: str) -> Reason:
    """Why our client refuses; the peer has to print that it got the alert."""
    with s_server(folder, issued, staple, version) as peer:
        with pytest.raises(CertificateRejected) as caught:
            converse(peer.port, pki.client(revocation=level))
        peer.wait_for("alert")
    return caught.value.reason


@s_server_peer
@openssl_ocsp
@both_versions
@pytest.mark.parametrize(
    "knows, reason",
    [(REVOKED, Reason.CERTIFICATE_REVOKED), (UNKNOWN, Reason.BAD_CERTIFICATE_STATUS)],
)
def test_our_client_refuses_what_openssl_ocsp_says_is_not_good(
    pki: Pki, tmp_path: Path, issued: Issued, version: str, knows: str, reason: Reason
) -> None:
    staple = OpensslAuthority(pki, tmp_path).response(knows, issued)
    assert refusal(pki, tmp_path, issued, staple, version, "staple") is reason


@s_server_peer
@both_versions
@pytest.mark.parametrize("what", ["wrong key", "stale", "of the future", "another serial", "tryLater"])
def test_our_client_refuses_a_staple_that_proves_nothing(
    pki: Pki, tmp_path: Path, issued: Issued, version: str, what: str
) -> None:
    now = time.time()
    lab, leaf = pki.laboratory, issued.certificate
    response = {
        "wrong key": lambda: pki.other_laboratory.ocsp_response(leaf),
        "stale": lambda: lab.ocsp_response(leaf, validity=(now - 9 * DAY, now - DAY)),
        "of the future": lambda: lab.ocsp_response(leaf, validity=(now + DAY, now + 9 * DAY)),
        "another serial": lambda: lab.ocsp_response(issue(pki).certificate),
        "tryLater": lambda: bytes.fromhex("30 03 0a 01 03"),
    }[what]()
    (tmp_path / "staple").write_bytes(response)
    reason = refusal(pki, tmp_path, issued, tmp_path / "staple", version, "staple")
    assert reason is Reason.BAD_CERTIFICATE_STATUS


@s_server_peer
@both_versions
def test_our_client_wants_a_staple_that_must_be_there(
    pki: Pki, tmp_path: Path, demanding: Issued, version: str
) -> None:
    assert refusal(pki, tmp_path, demanding, None, version, "staple") is Reason.MUST_STAPLE_MISSING
    (tmp_path / "staple").write_bytes(pki.laboratory.ocsp_response(demanding.certificate))
    with s_server(tmp_path, demanding, tmp_path / "staple", version) as peer:
        converse(peer.port, pki.client(revocation="staple"))


@pytest.mark.peer("gnutls-serv", "gnutls-serv")
@both_versions
@pytest.mark.parametrize("verdict", ["good", "revoked"])
def test_our_client_judges_what_gnutls_serv_staples(
    pki: Pki, tmp_path: Path, issued: Issued, version: str, verdict: Any
) -> None:
    chain, key = files(tmp_path, issued)
    (tmp_path / "staple").write_bytes(pki.laboratory.ocsp_response(issued.certificate, verdict))
    priority = GNUTLS_TLS13 if version == "TLSv1.3" else GNUTLS_TLS12
    with gnutls_serv(
        *["--echo", "--disable-client-cert", "--priority", priority],
        *["--x509certfile", chain, "--x509keyfile", key, "--ocsp-response", tmp_path / "staple"],
        # It looks at what it staples, too.
        "--ignore-ocsp-response-errors",
    ) as peer:
        if verdict == "good":
            converse(peer.port, pki.client(revocation="hard"))
            return
        with pytest.raises(CertificateRejected) as caught:
            converse(peer.port, pki.client(revocation="hard"))
    assert caught.value.reason is Reason.CERTIFICATE_REVOKED


# -- our server, their client


def stapling(pki: Pki, issued: Issued, version: str, verdict: Any = "good", **options: Any) -> ServerConfig:
    staple = pki.laboratory.ocsp_response(issued.certificate, verdict)
    return ServerConfig(credentials=[issued.credential.with_staple(staple)], protocols=[version], **options)


@s_client_peer
@both_versions
def test_openssl_s_client_gets_our_staple_if_it_asks(pki: Pki, issued: Issued, version: str) -> None:
    output, _ = shouted(pki, stapling(pki, issued, version), "-status")
    assert_printed("OCSP Response Status: successful", output)
    assert_printed("Cert Status: good", output)
    assert_printed(f"Serial Number: {serial_hex(issued.certificate)}", output)
    output, _ = shouted(pki, stapling(pki, issued, version))
    assert "OCSP" not in output


@s_client_peer
@both_versions
def test_openssl_s_client_is_told_that_there_is_none(pki: Pki, version: str) -> None:
    output, _ = shouted(pki, pki.server(protocols=[version]), "-status")
    assert_printed("OCSP response: no response sent", output)


@pytest.mark.peer("curl", "curl")
@both_versions
def test_curl_checks_our_staple(pki: Pki, issued: Issued, version: str) -> None:
    versions = TLS13 if version == "TLSv1.3" else TLS12
    with serving(stapling(pki, issued, version), answer) as server:
        succeeded(curl(pki, server, "/", "--cert-status", versions=versions))
    with serving(stapling(pki, issued, version, "revoked"), answer) as server:
        code, output = curl(pki, server, "/", "--cert-status", versions=versions)
    assert code == 91, output  # CURLE_SSL_INVALIDCERTSTATUS
    assert_printed("keyCompromise", output)


@pytest.mark.peer("gnutls-cli", "gnutls-cli")
@both_versions
def test_gnutls_cli_checks_our_staple(pki: Pki, issued: Issued, version: str) -> None:
    priority = ["--priority", GNUTLS_TLS13 if version == "TLSv1.3" else GNUTLS_TLS12]
    for verdict, words in (("good", "OCSP"), ("revoked", "revoked")):
        with (
            serving(stapling(pki, issued, version, verdict), shout) as server,
            gnutls_cli(pki, server.port, *priority) as peer,
        ):
            if verdict == "good":
                peer.wait_for("Handshake was completed")
                peer.end_input()
                assert peer.wait() == 0
            else:
                assert peer.wait() != 0
                assert isinstance(server.exception(), AlertReceived)
            assert_printed(words, peer.output)


@pytest.mark.peer("gnutls-cli", "gnutls-cli")
@both_versions
def test_gnutls_cli_wants_a_staple_that_must_be_there(pki: Pki, demanding: Issued, version: str) -> None:
    priority = ["--priority", GNUTLS_TLS13 if version == "TLSv1.3" else GNUTLS_TLS12]
    bare = ServerConfig(credentials=[demanding.credential], protocols=[version])
    with serving(bare, shout) as server, gnutls_cli(pki, server.port, *priority) as peer:
        assert peer.wait() != 0
    with (
        serving(stapling(pki, demanding, version), shout) as server,
        gnutls_cli(pki, server.port, *priority) as peer,
    ):
        peer.wait_for("Handshake was completed")
        peer.end_input()
        assert peer.wait() == 0


def client_lists(pki: Pki) -> RevocationLists:
    return RevocationLists.from_der([pki.laboratory.revocation_list()])


@s_client_peer
@both_versions
def test_openssl_s_client_may_be_asked_to_staple(pki: Pki, version: str) -> None:
    """It passes over the wish, which RFC 9846 4.5.1.1 allows a server to have."""
    for level, lists in (("staple", None), ("hard", client_lists(pki))):
        config = pki.mutual_server(protocols=[version], revocation=level, revocation_lists=lists)
        shouted(pki, config, *client_certificate(pki))


@pytest.mark.peer("gnutls-cli", "gnutls-cli")
@both_versions
def test_gnutls_cli_may_be_asked_to_staple(pki: Pki, version: str) -> None:
    chain, key = pki.client_files()
    shown = ["--x509certfile", chain, "--x509keyfile", key]
    priority = ["--priority", GNUTLS_TLS13 if version == "TLSv1.3" else GNUTLS_TLS12]
    config = pki.mutual_server(protocols=[version], revocation="staple")
    with serving(config, shout) as server, gnutls_cli(pki, server.port, *priority, *shown) as peer:
        peer.wait_for("Handshake was completed")
        peer.end_input()
        assert peer.wait() == 0


# -- authorities


@openssl_ocsp
@pytest.mark.parametrize("delegated", [False, True])
def test_our_client_asks_openssl_ocsp(pki: Pki, tmp_path: Path, delegated: bool) -> None:
    port = free_port()
    issued = issue(pki, ocsp_url=f"http://127.0.0.1:{port}/")
    authority = OpensslAuthority(pki, tmp_path, delegated=delegated)
    server = ServerConfig(credentials=[issued.credential])

    def ask() -> None:
        config = pki.client(revocation="hard", revocation_source=NetworkStatus(crls=False))
        with serving(server, shout) as ours, connected(ours.port, config):
            pass

    with authority.responding(GOOD, issued, port):
        ask()
    for knows, reason in ((REVOKED, Reason.CERTIFICATE_REVOKED), (UNKNOWN, Reason.REVOCATION_UNKNOWN)):
        with authority.responding(knows, issued, port), pytest.raises(CertificateRejected) as caught:
            ask()
        assert caught.value.reason is reason


@openssl_ocsp
@s_client_peer
def test_our_server_fetches_its_staple_from_openssl_ocsp(pki: Pki, tmp_path: Path) -> None:
    port = free_port()
    issued = issue(pki, ocsp_url=f"http://127.0.0.1:{port}/")
    staple = StapleFetcher(issued.credential)
    with OpensslAuthority(pki, tmp_path).responding(GOOD, issued, port):
        # thisUpdate is now, nextUpdate in a week.
        assert 3.4 * DAY < staple.refresh() <= 3.5 * DAY, staple.problem
    output, _ = shouted(pki, ServerConfig(credentials=[issued.credential.with_staple(staple)]), "-status")
    assert_printed("Cert Status: good", output)


@openssl_ocsp
@pytest.mark.parametrize("der", [False, True])
def test_our_client_reads_what_openssl_ca_lists(pki: Pki, tmp_path: Path, issued: Issued, der: bool) -> None:
    authority = OpensslAuthority(pki, tmp_path)
    server = ServerConfig(credentials=[issued.credential])
    for knows in (GOOD, REVOKED):
        path = authority.crl(knows, issued)
        if der:
            crl = x509.load_pem_x509_crl(path.read_bytes())
            path.write_bytes(crl.public_bytes(Encoding.DER))
        config = pki.client(revocation="hard", revocation_lists=RevocationLists.from_files(path))
        with serving(server, shout) as ours:
            if knows == GOOD:
                connected(ours.port, config).close()
                continue
            with pytest.raises(CertificateRejected) as caught:
                connected(ours.port, config)
            assert caught.value.reason is Reason.CERTIFICATE_REVOKED
            heard = ours.exception()
            assert isinstance(heard, AlertReceived)
            assert heard.description == A.certificate_revoked
