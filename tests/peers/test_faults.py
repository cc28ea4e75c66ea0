"""Real clients against every fault: they fail as it says, or are known not to look.

What each says, by version 3.0 of OpenSSL, 7.88 of curl and 3.7 of GnuTLS; later ones may know more words.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from faulty import Running, running

from pellucid.faults import FAULTS, Bench, Fault
from support import program, run_peer

REQUEST = b"GET / HTTP/1.0\r\n\r\n"
#: They wait for a silent server as long as it takes; curl can be told not to.
SILENT = ("silent_after_client_hello", "stalled_mid_flight", "stalled_mid_flight_packets")
#: The end of the page that a server with a fault shows to those who do not look for it.
READ_IT = "see pellucid serve --list-faults."


class Files(NamedTuple):
    root: Path
    client_cert: Path
    client_key: Path


@pytest.fixture(scope="module")
def bench() -> Bench:
    return Bench(time.time())


@pytest.fixture(scope="module")
def server(bench: Bench) -> Iterator[Running]:
    with running(bench, FAULTS) as started:
        yield started


@pytest.fixture(scope="module")
def files(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> Files:
    folder = tmp_path_factory.mktemp("faults")
    found = Files(*(folder / name for name in ("root.pem", "client.pem", "client.key")))
    client = bench.laboratory.issue("ecdsa", ("client.example",), "client")
    for path, pem in zip(found, (bench.laboratory.root_pem, client.chain_pem, client.key_pem), strict=True):
        path.write_bytes(pem)
    return found


# Exit codes of curl: https://curl.se/libcurl/c/libcurl-errors.html
CONNECT, VERIFY, STATUS, RECEIVE, TIMED_OUT, EMPTY, PARTIAL = 35, 60, 91, 56, 28, 52, 18


class Says(NamedTuple):
    """A part of what each prints (curl: its exit code); "" and 0: it lets the fault pass."""

    openssl: str
    curl: int
    gnutls: str


REJECTED = "NOT trusted"
VERSION = Says("wrong version number", CONNECT, "unexpected TLS packet")
END = Says("unexpected eof", CONNECT, "non-properly terminated")
EXPIRED = Says("certificate has expired", VERIFY, "expired certificate")
SIGNATURE = Says("bad signature", CONNECT, "signature verification has failed")
FINISHED = Says("digest check failed", CONNECT, "Finished packet calculation")
HANDSHAKE_FAILURE = Says("alert handshake failure", CONNECT, "[40]")
# The same words as for a proper end: gnutls-cli does not tell.
CLOSED = "Peer has closed the GnuTLS connection"
PASSES = Says("", 0, "")

SAY = {
    "certificate_expired": EXPIRED,
    "certificate_expired_intermediate": EXPIRED,
    "certificate_not_yet_valid": Says("certificate is not yet valid", VERIFY, "not yet valid"),
    "hostname_mismatch": Says("hostname mismatch", VERIFY, "does not match the expected"),
    # diagnosis.md: accepted by all three, and refused by browsers, Go and us.
    "no_subject_alternative_name": PASSES,
    "self_signed": Says("self-signed certificate", VERIFY, REJECTED),
    "unknown_root": Says("self-signed certificate in certificate chain", VERIFY, REJECTED),
    "missing_intermediate": Says("unable to get local issuer certificate", VERIFY, REJECTED),
    "wrong_purpose": Says("unsuitable certificate purpose", VERIFY, "intended purpose"),
    "weak_key": Says("EE certificate key too weak", VERIFY, ""),
    "weak_key_sha1": Says("digest algorithm too weak", VERIFY, "insecure algorithm"),
    "issuer_not_a_ca": Says("invalid CA certificate", VERIFY, REJECTED),
    "name_constraint_violated": Says("permitted subtree violation", VERIFY, REJECTED),
    "unsupported_certificate": Says("unhandled critical extension", VERIFY, "unknown critical"),
    "bad_certificate": Says(
        "certificate signature failure", CONNECT, "signature in the certificate is invalid"
    ),
    "strict_profile_only": PASSES,
    "strict_profile_only_basic_constraints": PASSES,
    # s_client shows what is stapled, and does not judge it.
    "certificate_revoked": Says("", STATUS, "revoked"),
    "bad_certificate_status": Says("", STATUS, "OCSP data are old"),
    "must_staple_missing": Says("", STATUS, "OCSP status"),
    "no_shared_version": Says("alert protocol version", CONNECT, "[70]"),
    "no_shared_cipher_suite": HANDSHAKE_FAILURE,
    "no_shared_group": HANDSHAKE_FAILURE,
    "no_shared_signature_scheme": HANDSHAKE_FAILURE,
    "client_certificate_missing": Says("alert certificate required", RECEIVE, "[116]"),
    "client_certificate_missing_tls12": HANDSHAKE_FAILURE,
    "client_certificate_untrusted": Says("alert unknown ca", RECEIVE, "[48]"),
    "client_certificate_untrusted_tls12": Says("alert unknown ca", CONNECT, "[48]"),
    "alpn_mismatch": Says("alert no application protocol", CONNECT, "[120]"),
    "unrecognized_name": Says("unrecognized name", CONNECT, "[112]"),
    "alert_received": Says("alert internal error", CONNECT, "[80]"),
    "key_does_not_match_certificate": SIGNATURE,
    "unexpected_message": Says("unexpected message", CONNECT, "unexpected TLS handshake packet"),
    "empty_certificate": Says("length mismatch", CONNECT, "No certificate"),
    "bad_signature": SIGNATURE,
    "bad_signature_tls12": SIGNATURE,
    "bad_finished": FINISHED,
    "bad_finished_tls12": FINISHED,
    "bad_record_mac": Says("bad record mac", CONNECT, "Decryption has failed"),
    "record_overflow": Says("packet length too long", CONNECT, "invalid length"),
    "malformed": Says("length mismatch", CONNECT, "illegal parameter"),
    "suite_not_offered": Says("unknown cipher returned", CONNECT, "supported cipher suite"),
    "unsolicited_extension": Says("unsolicited extension", CONNECT, "illegal TLS extension"),
    # GnuTLS does not compare it.
    "wrong_session_id_echo": Says("invalid session id", CONNECT, ""),
    "invalid_key_share": Says("bad key share", CONNECT, "illegal parameter"),
    "downgrade_detected": Says("inappropriate fallback", CONNECT, "illegal parameter"),
    # What they say depends on whether their policy still has TLS 1.1; that they fail does not.
    "no_shared_version_old_server": Says("error", CONNECT, "Fatal error"),
    "no_secure_renegotiation": Says("unsafe legacy renegotiation disabled", CONNECT, ""),
    "extended_master_secret_missing": PASSES,
    # GnuTLS takes it, and the server goes no further.
    "weak_dh_group": Says("dh key too small", CONNECT, "Fatal error"),
    "invalid_dh_share": Says("bad dh value", CONNECT, "illegal parameter"),
    "not_tls": VERSION,
    "not_tls_smtp": VERSION,
    "not_tls_ssh": VERSION,
    "closed_after_client_hello": END,
    "reset_after_client_hello": Says("errno=104", CONNECT, "Error in the pull function"),
    "silent_after_client_hello": Says("", TIMED_OUT, ""),
    "stalled_mid_flight": Says("", TIMED_OUT, ""),
    "stalled_mid_flight_packets": Says("", TIMED_OUT, ""),
    "closed_during_handshake": END,
    "reset_during_handshake": Says("errno=104", CONNECT, "Fatal error"),
    "truncated": Says("unexpected eof", EMPTY, CLOSED),
    "truncated_answer": Says("unexpected eof", PARTIAL, CLOSED),
}

EVERY = pytest.mark.parametrize("fault", [FAULTS[name] for name in SAY], ids=SAY)
EVERY_THAT_SPEAKS = pytest.mark.parametrize(
    "fault", [FAULTS[name] for name in SAY if name not in SILENT], ids=[n for n in SAY if n not in SILENT]
)


def test_no_fault_is_left_out() -> None:
    # This one depends on how long a client's ClientHello is, which is different each year.
    assert set(FAULTS) - set(SAY) == {"silent_to_large_client_hello"}


def client_certificate(fault: Fault, files: Files, cert: str, key: str) -> list[str | Path]:
    return [cert, files.client_cert, key, files.client_key] if "untrusted" in fault.id else []


def alpn(fault: Fault, *arguments: str) -> list[str]:
    return list(arguments) if fault.id == "alpn_mismatch" else []


@pytest.mark.peer("curl", "curl")
@EVERY
def test_curl(server: Running, files: Files, fault: Fault) -> None:
    port = server.port(fault)
    seconds = "1" if fault.id in SILENT else "20"
    code, output = run_peer(
        [
            program("curl") or "curl",
            *("--silent", "--show-error", "--noproxy", "*", "--max-time", seconds),
            *("--resolve", f"localhost:{port}:127.0.0.1", "--cacert", files.root),
            *(["--cert-status"] if "status" in fault.needs else []),
            *client_certificate(fault, files, "--cert", "--key"),
            f"https://localhost:{port}/",
        ]
    )
    assert code == SAY[fault.id].curl, output
    assert (READ_IT in output) == (code == 0)


@pytest.mark.peer("openssl", "openssl")
@EVERY_THAT_SPEAKS
def test_openssl_s_client(server: Running, files: Files, fault: Fault) -> None:
    command: list[str | Path] = [
        *(program("openssl") or "openssl", "s_client", "-connect", f"127.0.0.1:{server.port(fault)}"),
        *("-servername", "localhost", "-verify_hostname", "localhost", "-CAfile", files.root),
        # Without -ign_eof it would leave as soon as it has sent its request.
        *("-verify_return_error", "-status", "-ign_eof"),
        *alpn(fault, "-alpn", "h2"),
        *client_certificate(fault, files, "-cert", "-key"),
    ]
    _, output = run_peer(command, data=REQUEST)
    said = SAY[fault.id].openssl
    assert said in output
    assert (READ_IT in output) == (not said), output


@pytest.mark.peer("gnutls", "gnutls-cli")
@EVERY_THAT_SPEAKS
def test_gnutls_cli(server: Running, files: Files, fault: Fault) -> None:
    command: list[str | Path] = [
        *(program("gnutls-cli") or "gnutls-cli", "--x509cafile", files.root, "--port"),
        *(str(server.port(fault)), "--sni-hostname", "localhost", "--verify-hostname", "localhost"),
        *alpn(fault, "--alpn", "h2"),
        *client_certificate(fault, files, "--x509certfile", "--x509keyfile"),
        "127.0.0.1",
    ]
    _, output = run_peer(command, data=REQUEST)
    said = SAY[fault.id].gnutls
    assert said in output
    assert (READ_IT in output) == (not said), output
