"""`openssl s_client` against our server in TLS 1.2: what can be agreed on, what cannot, and who is who."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ours import CLIENT_NAME, OpensslPki, Pki, assert_printed, serving, shout
from ours12 import (
    DATA,
    ONLY_12,
    agreed_on,
    each_group,
    each_suite,
    key_for,
    longest_record,
    openssl_ciphers,
    openssl_name,
    server12,
    server_hello,
    skip_without,
    take_and_give,
)
from pellucid.codes import AlertDescription, ExtensionType
from pellucid.config import ServerConfig
from pellucid.crypto.suites12 import Suite12
from pellucid.errors import AlertReceived, CertificateRejected, PeerIncompatible, Reason
from pellucid.messages import DOWNGRADE_TLS12
from pellucid.result import Negotiated
from pellucid.trace import Trace
from support import openssl_s_client
from with_openssl import client_certificate, converse, options_off, refused, s_client, shouted, their_ciphers

pytestmark = pytest.mark.peer("openssl s_client", "openssl")


def given_and_taken(pki: Pki, config: ServerConfig, *arguments: str | Path) -> tuple[str, Negotiated]:
    """DATA there and back: what the peer printed, and what our server agreed on."""
    with serving(config, take_and_give) as server:
        with s_client(pki, server.port, "-brief", "-ign_eof", *arguments) as peer:
            peer.send(DATA)
            negotiated = server.result()
            assert peer.wait() == 0
        assert_printed(DATA.decode(), peer.output)
    assert isinstance(negotiated, Negotiated)
    return peer.output, negotiated


# -- what can be agreed on


@each_suite
def test_each_suite(pki: Pki, suite: Suite12, encrypt_then_mac: bool) -> None:
    skip_without(suite, their_ciphers(), "OpenSSL")
    trace = Trace()
    config = server12(pki, key_for(suite), cipher_suites=[suite.name], trace=trace)
    arguments = ["-tls1_2", "-cipher", openssl_ciphers(suite), *([] if encrypt_then_mac else ["-no_etm"])]
    output, negotiated = given_and_taken(pki, config, *arguments)
    assert_printed(f"Ciphersuite: {openssl_name(suite)}\n", output)
    assert negotiated.cipher_suite is suite.code
    assert agreed_on(trace, ExtensionType.encrypt_then_mac) is (not suite.aead and encrypt_then_mac)
    assert agreed_on(trace, ExtensionType.extended_master_secret)


@pytest.mark.parametrize(
    "kind, signature",
    [
        ("ecdsa", "ECDSA"),
        ("ecdsa_p384", "ECDSA"),
        ("ecdsa_p521", "ECDSA"),
        ("rsa", "RSA-PSS"),
        ("ed25519", "ed25519"),
        ("ed448", "ed448"),
    ],
)
def test_each_kind_of_certificate(pki: Pki, kind: str, signature: str) -> None:
    output, _ = shouted(pki, server12(pki, kind), "-tls1_2")
    assert_printed("Verify return code: 0 (ok)", output)
    assert_printed(f"Peer signature type: {signature}\n", output)


@pytest.mark.parametrize(
    "theirs, scheme", [("RSA+SHA256", "rsa_pkcs1_sha256"), ("RSA+SHA512", "rsa_pkcs1_sha512")]
)
def test_an_rsa_signature_of_the_old_form(pki: Pki, theirs: str, scheme: str) -> None:
    output, negotiated = shouted(pki, server12(pki, "rsa"), "-tls1_2", "-sigalgs", f"{theirs}:ECDSA+SHA256")
    assert_printed("Peer signature type: RSA\n", output)
    assert negotiated.signature_scheme is not None
    assert negotiated.signature_scheme.name == scheme


def test_a_certificate_with_an_rsa_pss_key(rsa_pss: OpensslPki) -> None:
    trusting = ["-CAfile", rsa_pss.root, "-verify_return_error"]
    with serving(ServerConfig(credentials=[rsa_pss.credential], **ONLY_12), shout) as server:
        with openssl_s_client(server.port, "-servername", "localhost", *trusting) as peer:
            converse(peer)
        assert server.result().signature_scheme.name == "rsa_pss_pss_sha256"


@each_group
def test_each_group(pki: Pki, theirs: str, group: str) -> None:
    config = server12(pki, "rsa", groups=[group])
    _, negotiated = shouted(pki, config, "-tls1_2", "-groups", theirs)
    assert negotiated.group is not None
    assert negotiated.group.name == group


@pytest.mark.parametrize("bits", [2048, 3072, 4096])
def test_each_finite_field(pki: Pki, bits: int) -> None:
    config = server12(pki, "rsa", groups=[f"ffdhe{bits}"])
    output, negotiated = shouted(pki, config, "-tls1_2")
    assert_printed(f"Server Temp Key: DH, {bits} bits\n", output)
    assert negotiated.group is not None
    assert negotiated.group.name == f"ffdhe{bits}"


def test_our_order_of_suites_counts(pki: Pki) -> None:
    theirs = "AES128-SHA:DHE-RSA-AES128-SHA:ECDHE-RSA-AES128-SHA:ECDHE-RSA-AES256-GCM-SHA384"
    output, _ = shouted(pki, server12(pki, "rsa"), "-tls1_2", "-cipher", theirs)
    assert_printed("Cipher is ECDHE-RSA-AES256-GCM-SHA384\n", output)


def test_we_choose_the_certificate_and_suite_that_it_can_use(pki: Pki) -> None:
    config = server12(pki, credentials=[pki.credential(), pki.credential("rsa")])
    for authentication in "RSA", "ECDSA":
        suite = f"ECDHE-{authentication}-AES128-GCM-SHA256"
        output, _ = shouted(pki, config, "-tls1_2", "-cipher", suite)
        assert_printed(f"Cipher is {suite}\n", output)


def test_we_choose_the_certificate_for_the_name_that_it_sends(pki: Pki) -> None:
    config = server12(pki, credentials=[pki.credential(), pki.credential(name="second.test")])
    with serving(config, shout, shout) as server:
        for index, name in enumerate(["localhost", "second.test"]):
            with s_client(pki, server.port, name=name) as peer:
                assert_printed(f"Verified peername: {name}\n", converse(peer))
            assert server.result(index).server_name == name


def test_a_certificate_for_the_name_counts_more_than_our_order_of_suites(pki: Pki) -> None:
    config = server12(pki, credentials=[pki.credential(), pki.credential("rsa", name="second.test")])
    output, _ = shouted(pki, config, "-tls1_2", name="second.test")
    assert_printed("Cipher is ECDHE-RSA-AES128-GCM-SHA256\n", output)
    assert_printed("Verified peername: second.test\n", output)


def test_alpn(pki: Pki) -> None:
    config = server12(pki, alpn_protocols=["h2", "http/1.1"])
    output, negotiated = shouted(pki, config, "-alpn", "http/1.1,h2")
    assert_printed("ALPN protocol: h2\n", output)
    assert negotiated.alpn == "h2"


@pytest.mark.parametrize("length", [512, 1024, 2048, 4096])
@pytest.mark.parametrize("suite", ["ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA256"])
def test_both_keep_to_the_fragments_that_it_asks_for(pki: Pki, length: int, suite: str) -> None:
    trace = Trace()
    arguments = ["-tls1_2", "-maxfraglen", str(length), "-cipher", suite]
    given_and_taken(pki, server12(pki, trace=trace), *arguments)
    # Beside the content: an IV of 16 bytes, a MAC of 32 and padding of 16 at most.
    for direction in "sent", "received":
        assert length <= longest_record(trace, direction) <= length + 64


def test_what_it_does_not_know_it_need_not_keep_to(pki: Pki) -> None:
    trace = Trace()
    # OpenSSL has no record_size_limit, and a server can only answer one.
    given_and_taken(pki, server12(pki, record_size_limit=1000, trace=trace), "-tls1_2")
    assert not agreed_on(trace, ExtensionType.record_size_limit)
    assert longest_record(trace, "sent") > 2**14


@pytest.mark.parametrize(
    "arguments",
    [
        ["-status"],
        ["-use_srtp", "SRTP_AES128_CM_SHA1_80"],
        ["-serverinfo", "18,4242"],
        ["-nextprotoneg", "h2"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_extensions_that_we_do_not_answer_are_no_obstacle(pki: Pki, arguments: list[str]) -> None:
    output, _ = shouted(pki, server12(pki), "-tls1_2", *arguments)
    assert_printed("Verify return code: 0 (ok)", output)


def test_without_extended_master_secret_where_it_may_be(pki: Pki, tmp_path: Path) -> None:
    environment = options_off(tmp_path, "ExtendedMasterSecret")
    output, _ = shouted(pki, server12(pki), environment=environment)
    assert_printed("Extended master secret: no\n", output)


# -- versions


def test_it_may_be_older_than_we(pki: Pki) -> None:
    trace = Trace()
    output, _ = shouted(pki, pki.server(trace=trace), "-tls1_2")
    assert_printed("New, TLSv1.2, Cipher is ECDHE-ECDSA-AES128-GCM-SHA256\n", output)
    # RFC 9846 4.2.3: a client that had offered TLS 1.3 would know by this that somebody has cut that out.
    assert server_hello(trace).random.endswith(DOWNGRADE_TLS12)


def test_we_may_be_older_than_it(pki: Pki) -> None:
    trace = Trace()
    output, _ = shouted(pki, pki.server(protocols=["TLSv1.2"], trace=trace))
    assert_printed("New, TLSv1.2, Cipher is ECDHE-ECDSA-AES128-GCM-SHA256\n", output)
    assert not server_hello(trace).random.endswith(DOWNGRADE_TLS12)


@pytest.mark.parametrize("version, label", [("-tls1", "TLSv1"), ("-tls1_1", "TLSv1.1")])
def test_what_is_older_is_named_and_refused(pki: Pki, version: str, label: str) -> None:
    output, error = refused(pki, server12(pki), version, "-cipher", "ALL:@SECLEVEL=0")
    assert error.reason is Reason.NO_SHARED_VERSION
    assert error.detail == f"the client offers {label}; we accept TLSv1.2"
    assert_printed("alert protocol version", output)


def test_a_fallback_from_what_we_have_is_refused(pki: Pki) -> None:
    output, error = refused(pki, pki.server(), "-tls1_2", "-fallback_scsv")
    assert error.reason is Reason.INAPPROPRIATE_FALLBACK
    assert_printed("alert inappropriate fallback", output)


def test_a_fallback_to_the_best_that_we_have_is_welcome(pki: Pki) -> None:
    shouted(pki, server12(pki), "-tls1_2", "-fallback_scsv")


# -- what cannot be agreed on


@pytest.mark.parametrize(
    "knobs, arguments, reason, alert",
    [
        ({"protocols": ["TLSv1.3"]}, [], Reason.NO_SHARED_VERSION, "protocol version"),
        ({}, ["-cipher", "AES128-SHA256"], Reason.NO_SHARED_CIPHER_SUITE, "handshake failure"),
        ({}, ["-groups", "P-521"], Reason.NO_SHARED_GROUP, "handshake failure"),
        ({}, ["-sigalgs", "RSA+SHA256"], Reason.NO_SUITABLE_CERTIFICATE, "handshake failure"),
        (
            {"alpn_protocols": ["h2"]},
            ["-alpn", "imap"],
            Reason.NO_SHARED_APPLICATION_PROTOCOL,
            "no application protocol",
        ),
    ],
    ids=["version", "suite", "group", "signature", "alpn"],
)
def test_it_is_told_what_is_not_shared(
    pki: Pki, knobs: dict[str, Any], arguments: list[str], reason: Reason, alert: str
) -> None:
    output, error = refused(pki, pki.server(**knobs), "-tls1_2", *arguments)
    assert isinstance(error, PeerIncompatible)
    assert error.reason is reason
    assert_printed(f"alert {alert}", output)


@pytest.mark.parametrize(
    "suite", ["AES128-SHA", "AES128-GCM-SHA256", "DHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-SHA"]
)
def test_nothing_old_is_taken_by_default(pki: Pki, suite: str) -> None:
    _, error = refused(pki, pki.server("rsa"), "-tls1_2", "-cipher", suite)
    assert error.reason is Reason.NO_SHARED_CIPHER_SUITE


@pytest.mark.parametrize(
    "suite",
    ["NULL-SHA256", "ADH-AES128-SHA256", "AECDH-AES128-SHA", "ARIA128-GCM-SHA256", "PSK-AES128-CBC-SHA"],
)
def test_what_we_lack_on_purpose_is_never_taken(pki: Pki, suite: str) -> None:
    arguments = ["-tls1_2", "-cipher", f"{suite}:@SECLEVEL=0"]
    psk = ["-psk", "42" * 32] if suite.startswith("PSK") else []
    _, error = refused(pki, server12(pki, "rsa"), *arguments, *psk)
    assert error.reason is Reason.NO_SHARED_CIPHER_SUITE


@pytest.mark.parametrize("sigalgs", ["RSA+SHA1:ECDSA+SHA1", "RSA+SHA224:ECDSA+SHA224"])
def test_a_signature_with_an_old_hash_is_not_made(pki: Pki, sigalgs: str) -> None:
    config = server12(pki, credentials=[pki.credential(), pki.credential("rsa")])
    arguments = ["-tls1_2", "-sigalgs", sigalgs, "-cipher", "ECDHE:@SECLEVEL=0"]
    _, error = refused(pki, config, *arguments)
    assert error.reason is Reason.NO_SUITABLE_CERTIFICATE


def test_extended_master_secret_is_insisted_on_by_default(pki: Pki, tmp_path: Path) -> None:
    environment = options_off(tmp_path, "ExtendedMasterSecret")
    output, error = refused(pki, pki.server(), "-tls1_2", environment=environment)
    assert error.reason is Reason.EXTENDED_MASTER_SECRET_MISSING
    assert_printed("alert handshake failure", output)


def test_a_name_that_no_certificate_has_is_refused_by_a_strict_server(pki: Pki) -> None:
    output, error = refused(pki, server12(pki, strict_server_name=True), name="elsewhere.test")
    assert error.reason is Reason.UNRECOGNIZED_NAME
    assert_printed("unrecognized name", output)


def test_we_hear_that_it_does_not_trust_our_root(pki: Pki) -> None:
    with serving(server12(pki), shout) as server:
        trusting = ["-CAfile", pki.other_root, "-no-CApath", "-no-CAstore", "-verify_return_error"]
        with openssl_s_client(server.port, "-servername", "localhost", *trusting) as peer:
            error = server.exception()
            assert peer.wait() == 1
    assert isinstance(error, AlertReceived)
    assert error.description == AlertDescription.unknown_ca


# -- mutual authentication


def mutual12(pki: Pki, **options: Any) -> ServerConfig:
    return pki.mutual_server(**(ONLY_12 | options))


@pytest.mark.parametrize("kind", ["ecdsa", "ecdsa_p384", "ecdsa_p521", "rsa", "ed25519"])
@pytest.mark.parametrize("suite", ["ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384"])
def test_it_authenticates_itself(pki: Pki, kind: str, suite: str) -> None:
    arguments = ["-tls1_2", "-cipher", suite, *client_certificate(pki, kind)]
    output, negotiated = shouted(pki, mutual12(pki), *arguments)
    assert negotiated.mutual
    assert negotiated.peer_identity is not None
    assert negotiated.peer_chain == pki.client_credential(kind).chain
    assert CLIENT_NAME in negotiated.peer_identity.names
    assert_printed("Acceptable client certificate CA names\nCN = Pellucid Laboratory Root\n", output)
    assert_printed("Client Certificate Types: RSA sign, ECDSA sign\n", output)


def test_it_authenticates_itself_where_the_server_only_decrypts(pki: Pki) -> None:
    config = mutual12(
        pki, credentials=[pki.credential("rsa")], cipher_suites=["TLS_RSA_WITH_AES_128_CBC_SHA"]
    )
    _, negotiated = shouted(pki, config, "-tls1_2", *client_certificate(pki))
    assert negotiated.mutual


def test_a_client_without_certificate_is_refused(pki: Pki) -> None:
    output, error = refused(pki, mutual12(pki), "-tls1_2")
    assert isinstance(error, PeerIncompatible)
    assert error.reason is Reason.CLIENT_CERTIFICATE_MISSING
    # RFC 5246 7.4.6 has this alert for it; certificate_required came with TLS 1.3.
    assert_printed("alert handshake failure", output)


def test_a_client_without_certificate_is_welcome_where_it_is_optional(pki: Pki) -> None:
    _, negotiated = shouted(pki, mutual12(pki, client_authentication="optional"), "-tls1_2")
    assert not negotiated.mutual


def test_a_servers_certificate_is_no_clients_certificate(pki: Pki) -> None:
    chain, key = pki.files()
    arguments = ["-tls1_2", "-cert", chain, "-key", key, "-cert_chain", pki.intermediate]
    output, error = refused(pki, mutual12(pki), *arguments)
    assert isinstance(error, CertificateRejected)
    assert error.reason is Reason.WRONG_PURPOSE
    assert_printed("alert unsupported certificate", output)
