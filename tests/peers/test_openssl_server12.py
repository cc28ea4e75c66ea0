"""Our client against `openssl s_server` in TLS 1.2: what can be agreed on, what cannot, and who is who."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ours import CLIENT_NAME, OpensslPki, Pki, alerts, assert_printed, connected, messages, receive_all
from ours12 import (
    DATA,
    OAKLEY_1024,
    OWN_2048,
    agreed_on,
    client12,
    dh_file,
    each_group,
    each_suite,
    key_for,
    longest_record,
    openssl_ciphers,
    openssl_name,
    reverse,
    skip_without,
    there_and_back,
)
from pellucid.codes import AlertDescription, ExtensionType, NamedGroup
from pellucid.config import ClientConfig
from pellucid.crypto.dh12 import dh_params
from pellucid.crypto.suites12 import Suite12
from pellucid.errors import AlertReceived, CertificateRejected, PeerIncompatible, Reason, TLSError
from pellucid.identity import Credential
from pellucid.result import Negotiated
from pellucid.trace import ChoiceEvent, MessageEvent, Trace
from support import openssl_s_server
from with_openssl import VERIFY, identity, options_off, reversed_lines, s_server, their_ciphers

pytestmark = pytest.mark.peer("openssl s_server", "openssl")


def reversed_data(port: int, config: ClientConfig) -> Negotiated:
    """DATA there and back, with a server that has "-rev"."""
    with connected(port, config) as tls:
        there_and_back(tls, reverse)
        return tls.negotiated


# -- what can be agreed on


@each_suite
def test_each_suite(pki: Pki, suite: Suite12, encrypt_then_mac: bool) -> None:
    skip_without(suite, their_ciphers(), "OpenSSL")
    trace = Trace()
    config = client12(pki, cipher_suites=[suite.name], trace=trace)
    arguments = ["-tls1_2", "-cipher", openssl_ciphers(suite), *([] if encrypt_then_mac else ["-no_etm"])]
    with s_server(pki, "-rev", *arguments, kind=key_for(suite)) as peer:
        assert reversed_data(peer.port, config).cipher_suite is suite.code
        peer.wait_for(f"Ciphersuite: {openssl_name(suite)}$")
    assert agreed_on(trace, ExtensionType.encrypt_then_mac) is (not suite.aead and encrypt_then_mac)
    assert agreed_on(trace, ExtensionType.extended_master_secret)


@pytest.mark.parametrize(
    "kind, scheme",
    [
        ("ecdsa", "ecdsa_secp256r1_sha256"),
        ("ecdsa_p384", "ecdsa_secp384r1_sha384"),
        ("ecdsa_p521", "ecdsa_secp521r1_sha512"),
        ("rsa", "rsa_pss_rsae_sha256"),
        ("rsa", "rsa_pkcs1_sha256"),
        ("rsa", "rsa_pkcs1_sha384"),
        ("ed25519", "ed25519"),
        ("ed448", "ed448"),
    ],
)
def test_each_kind_of_certificate_and_signature(pki: Pki, kind: str, scheme: str) -> None:
    with s_server(pki, "-rev", "-tls1_2", kind=kind) as peer:
        negotiated = reversed_lines(peer.port, client12(pki, signature_schemes=[scheme]))
    assert negotiated.signature_scheme is not None
    assert negotiated.signature_scheme.name == scheme
    assert negotiated.peer_chain == pki.credential(kind).chain


def test_a_curve_need_not_fit_the_hash_that_it_signs(pki: Pki) -> None:
    # In TLS 1.2 the schemes for ECDSA name a hash and no curve.
    config = client12(pki, signature_schemes=["ecdsa_secp256r1_sha256"])
    with s_server(pki, "-rev", "-tls1_2", kind="ecdsa_p384") as peer:
        negotiated = reversed_lines(peer.port, config)
    assert negotiated.signature_scheme is not None
    assert negotiated.signature_scheme.name == "ecdsa_secp256r1_sha256"


def test_a_certificate_with_an_rsa_pss_key(pki: Pki, rsa_pss: OpensslPki) -> None:
    with openssl_s_server("-cert", rsa_pss.chain, "-key", rsa_pss.key, "-rev", "-tls1_2") as peer:
        negotiated = reversed_lines(peer.port, client12(pki, trust=rsa_pss.trust))
    assert negotiated.signature_scheme is not None
    assert negotiated.signature_scheme.name == "rsa_pss_pss_sha256"


@each_group
def test_each_group(pki: Pki, theirs: str, group: str) -> None:
    with s_server(pki, "-rev", "-tls1_2", "-groups", theirs, kind="rsa") as peer:
        negotiated = reversed_lines(peer.port, client12(pki, groups=[group]))
    assert negotiated.group is NamedGroup[group]


def chosen_group(trace: Trace) -> str:
    [choice] = [event for event in trace.events if isinstance(event, ChoiceEvent) and event.what == "group"]
    return choice.chosen


def test_the_group_that_it_takes_of_itself(pki: Pki) -> None:
    trace = Trace()
    # Of a size that suits its key of 2048 bits.
    with s_server(pki, "-rev", "-tls1_2", "-cipher", "DHE", kind="rsa") as peer:
        reversed_lines(peer.port, client12(pki, trace=trace))
    assert chosen_group(trace) == "RFC 3526's group 14 (2048 bits)"


@pytest.mark.parametrize("bits", [2048, 3072, 4096])
def test_a_group_of_rfc_7919(pki: Pki, bits: int) -> None:
    prime = int.from_bytes(dh_params(NamedGroup[f"ffdhe{bits}"])[0], "big")
    arguments = ["-tls1_2", "-cipher", "DHE", "-dhparam", dh_file(pki, prime)]
    with s_server(pki, "-rev", *arguments, kind="rsa") as peer:
        assert reversed_lines(peer.port, client12(pki)).group is NamedGroup[f"ffdhe{bits}"]


def test_a_strong_group_of_its_own(pki: Pki) -> None:
    trace = Trace()
    arguments = ["-tls1_2", "-cipher", "DHE", "-dhparam", dh_file(pki, OWN_2048)]
    with s_server(pki, "-rev", *arguments, kind="rsa") as peer:
        assert reversed_lines(peer.port, client12(pki, trace=trace)).group is None
    assert chosen_group(trace) == "a group of 2048 bits of the server's own"


def test_a_group_of_1024_bits_is_refused(pki: Pki) -> None:
    arguments = ["-tls1_2", "-cipher", "DHE:@SECLEVEL=0", "-dhparam", dh_file(pki, OAKLEY_1024)]
    with s_server(pki, "-rev", *arguments, kind="rsa") as peer:
        with pytest.raises(TLSError) as caught:
            connected(peer.port, client12(pki))
        peer.wait_for("alert insufficient security")
    assert caught.value.reason is Reason.WEAK_DH_GROUP


def test_it_shows_the_certificate_for_the_name_that_we_send(pki: Pki) -> None:
    chain, key = pki.files(name="second.test", issuer="root")
    second = ["-servername", "second.test", "-cert2", chain, "-key2", key]
    with s_server(pki, "-rev", "-tls1_2", *second) as peer:
        negotiated = reversed_lines(peer.port, client12(pki), "second.test")
    assert negotiated.peer_identity is not None
    assert "second.test" in negotiated.peer_identity.names


def test_alpn(pki: Pki) -> None:
    with s_server(pki, "-rev", "-tls1_2", "-alpn", "h2,http/1.1") as peer:
        config = client12(pki, alpn_protocols=["http/1.1", "h2"])
        assert reversed_lines(peer.port, config).alpn == "h2"


each_version = pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
each_length = pytest.mark.parametrize("length", [512, 1024, 2048, 4096])


@each_version
@each_length
def test_we_keep_to_the_fragments_that_we_ask_for(pki: Pki, version: str, length: int) -> None:
    trace = Trace()
    with s_server(pki, "-rev") as peer:
        config = pki.client(protocols=[version], max_fragment_length=length, trace=trace)
        reversed_data(peer.port, config)
    # Beside the content: a nonce of 8 bytes and a tag of 16, or the content's type and the tag.
    assert longest_record(trace, "sent") == length + {"TLSv1.2": 24, "TLSv1.3": 17}[version]


@each_version
@each_length
def test_it_keeps_to_the_fragments_that_we_ask_for(
    pki: Pki, tmp_path: Path, version: str, length: int
) -> None:
    (tmp_path / "bulk").write_bytes(DATA)
    trace = Trace()
    config = pki.client(protocols=[version], max_fragment_length=length, trace=trace)
    with (
        openssl_s_server(*identity(pki), "-HTTP", cwd=tmp_path) as peer,
        connected(peer.port, config) as tls,
    ):
        tls.sendall(b"GET /bulk HTTP/1.0\r\n\r\n")
        assert receive_all(tls) == DATA
    assert length < longest_record(trace, "received") <= length + 24


def test_it_does_not_know_record_size_limit(pki: Pki) -> None:
    trace = Trace()
    with s_server(pki, "-rev", "-tls1_2") as peer:
        reversed_data(peer.port, client12(pki, record_size_limit=1000, trace=trace))
    assert not agreed_on(trace, ExtensionType.record_size_limit)


@pytest.mark.parametrize("request_status", [True, False])
def test_a_stapled_response_is_shown_where_we_asked(pki: Pki, tmp_path: Path, request_status: bool) -> None:
    response = bytes.fromhex("30 03 0a 01 03")  # RFC 6960 4.2.1: an OCSPResponse that says tryLater(3)
    (tmp_path / "response").write_bytes(response)
    trace = Trace()
    with s_server(pki, "-rev", "-tls1_2", "-status_file", tmp_path / "response") as peer:
        reversed_lines(peer.port, client12(pki, request_status=request_status, trace=trace))
    stapled = [
        event.raw
        for event in trace.events
        if isinstance(event, MessageEvent) and event.name == "CertificateStatus"
    ]
    assert stapled == ([b"\x16\0\0\x09\1\0\0\5" + response] if request_status else [])


def test_without_extended_master_secret_where_it_may_be(pki: Pki, tmp_path: Path) -> None:
    trace = Trace()
    environment = options_off(tmp_path, "ExtendedMasterSecret")
    with openssl_s_server(*identity(pki), "-rev", "-tls1_2", environment=environment) as peer:
        reversed_lines(peer.port, client12(pki, trace=trace))
    assert not agreed_on(trace, ExtensionType.extended_master_secret)


# -- versions


def test_it_may_be_older_than_we(pki: Pki) -> None:
    with s_server(pki, "-rev", "-tls1_2") as peer:
        assert reversed_lines(peer.port, pki.client()).protocol.label == "TLSv1.2"


def test_we_may_be_older_than_it(pki: Pki) -> None:
    with s_server(pki, "-rev") as peer:
        assert reversed_lines(peer.port, client12(pki)).protocol.label == "TLSv1.2"


def test_both_take_the_newest(pki: Pki) -> None:
    with s_server(pki, "-rev") as peer:
        assert reversed_lines(peer.port, pki.client(policy="compatible")).protocol.label == "TLSv1.3"


@pytest.mark.parametrize("version, label", [("-tls1", "TLSv1"), ("-tls1_1", "TLSv1.1")])
def test_what_is_older_is_named_and_refused(pki: Pki, version: str, label: str) -> None:
    trace = Trace()
    old = ["-rev", version, "-cipher", "ALL:@SECLEVEL=0"]
    with s_server(pki, *old) as peer, pytest.raises(PeerIncompatible) as caught:
        connected(peer.port, client12(pki, trace=trace))
    assert caught.value.reason is Reason.NO_SHARED_VERSION
    assert caught.value.detail == f"the server speaks {label}, which we do not accept"
    assert alerts(trace, "sent") == ["protocol_version"]


def test_it_refuses_a_fallback_from_what_it_has(pki: Pki) -> None:
    with s_server(pki, "-rev") as peer, pytest.raises(AlertReceived) as caught:
        connected(peer.port, client12(pki, fallback=True))
    assert caught.value.description == AlertDescription.inappropriate_fallback


def test_it_takes_a_fallback_to_the_best_that_it_has(pki: Pki) -> None:
    with s_server(pki, "-rev", "-tls1_2") as peer:
        reversed_lines(peer.port, client12(pki, fallback=True))


# -- what cannot be agreed on


@pytest.mark.parametrize(
    "knobs, arguments, alert",
    [
        ({"protocols": ["TLSv1.3"]}, [], AlertDescription.protocol_version),
        ({}, ["-cipher", "AES128-SHA256"], AlertDescription.handshake_failure),
        ({"groups": ["x25519", "secp256r1"]}, ["-groups", "P-384"], AlertDescription.handshake_failure),
        ({"signature_schemes": ["ed25519"]}, [], AlertDescription.handshake_failure),
        ({"alpn_protocols": ["imap"]}, ["-alpn", "h2"], AlertDescription.no_application_protocol),
    ],
    ids=["version", "suite", "group", "signature", "alpn"],
)
def test_we_are_told_what_is_not_shared(
    pki: Pki, knobs: dict[str, Any], arguments: list[str], alert: AlertDescription
) -> None:
    with s_server(pki, "-rev", "-tls1_2", *arguments) as peer, pytest.raises(AlertReceived) as caught:
        connected(peer.port, pki.client(**knobs))
    assert caught.value.description == alert


def test_extended_master_secret_is_insisted_on_by_default(pki: Pki, tmp_path: Path) -> None:
    environment = options_off(tmp_path, "ExtendedMasterSecret")
    with openssl_s_server(*identity(pki), "-rev", "-tls1_2", environment=environment) as peer:
        with pytest.raises(PeerIncompatible) as caught:
            connected(peer.port, pki.client())
        peer.wait_for("alert handshake failure")
    assert caught.value.reason is Reason.EXTENDED_MASTER_SECRET_MISSING


@pytest.mark.parametrize("suite", ["ECDHE-ECDSA-AES128-GCM-SHA256", "AES128-SHA"])
def test_it_hears_that_we_do_not_trust_its_root(pki: Pki, suite: str) -> None:
    kind = "ecdsa" if "ECDSA" in suite else "rsa"
    with s_server(pki, "-tls1_2", "-cipher", suite, kind=kind) as peer:
        with pytest.raises(CertificateRejected) as caught:
            connected(peer.port, client12(pki, trust=pki.other_laboratory.trust))
        peer.wait_for("alert unknown ca")
    assert caught.value.reason is Reason.UNKNOWN_ROOT


def test_it_hears_that_it_has_another_name(pki: Pki) -> None:
    with s_server(pki, "-tls1_2") as peer:
        with pytest.raises(CertificateRejected) as caught:
            connected(peer.port, client12(pki), "elsewhere.test")
        peer.wait_for("alert bad certificate")
    assert caught.value.reason is Reason.HOSTNAME_MISMATCH


def test_a_key_that_may_only_sign_does_not_decrypt(pki: Pki, tmp_path: Path) -> None:
    theirs = OpensslPki.make(tmp_path, "RSA", "rsa_keygen_bits:2048")
    arguments = ["-cert", theirs.chain, "-key", theirs.key, "-rev", "-tls1_2"]
    config = client12(pki, trust=theirs.trust)
    with (
        openssl_s_server(*arguments, "-cipher", "AES128-GCM-SHA256") as peer,
        pytest.raises(CertificateRejected) as caught,
    ):
        connected(peer.port, config)
    assert caught.value.reason is Reason.WRONG_PURPOSE
    with openssl_s_server(*arguments) as peer:
        reversed_lines(peer.port, config)


# -- mutual authentication


@pytest.mark.parametrize("kind", ["ecdsa", "ecdsa_p384", "ecdsa_p521", "rsa", "ed25519", "ed448"])
@pytest.mark.parametrize("suite", ["ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384"])
def test_we_authenticate_ourselves(pki: Pki, kind: str, suite: str) -> None:
    config = client12(pki, credentials=[pki.client_credential(kind)])
    with s_server(pki, "-rev", "-tls1_2", "-cipher", suite, *VERIFY, "-CAfile", pki.root) as peer:
        negotiated = reversed_lines(peer.port, config)
        peer.wait_for(rf"^Peer certificate: CN = {CLIENT_NAME}$")
        assert_printed("Verification: OK", peer.output)
    assert negotiated.mutual


def test_we_authenticate_ourselves_where_the_server_only_decrypts(pki: Pki) -> None:
    config = client12(pki, credentials=[pki.client_credential()])
    arguments = ["-rev", "-tls1_2", "-cipher", "AES128-SHA", *VERIFY, "-CAfile", pki.root]
    with s_server(pki, *arguments, kind="rsa") as peer:
        assert reversed_lines(peer.port, config).mutual
        peer.wait_for(rf"^Peer certificate: CN = {CLIENT_NAME}$")


def test_we_show_the_certificate_that_it_can_verify(pki: Pki, foreign: Credential) -> None:
    config = client12(pki, credentials=[foreign, pki.client_credential("ed25519"), pki.client_credential()])
    verify = [*VERIFY, "-CAfile", pki.root, "-client_sigalgs", "ECDSA+SHA256"]
    with s_server(pki, "-rev", "-tls1_2", *verify) as peer:
        reversed_lines(peer.port, config)
        peer.wait_for(rf"^Peer certificate: CN = {CLIENT_NAME}$")
        assert_printed("Signature type: ECDSA", peer.output)


def test_we_hear_that_a_certificate_is_required(pki: Pki) -> None:
    trace = Trace()
    required = ["-rev", "-tls1_2", *VERIFY, "-CAfile", pki.root]
    with s_server(pki, *required) as peer, pytest.raises(AlertReceived) as caught:
        connected(peer.port, client12(pki, trace=trace))
    assert caught.value.description == AlertDescription.handshake_failure
    assert messages(trace).count("Certificate") == 2  # ours is empty
    assert not alerts(trace, "sent")


def test_without_a_certificate_we_are_welcome_where_it_is_optional(pki: Pki) -> None:
    with s_server(pki, "-rev", "-tls1_2", "-verify", "3", "-CAfile", pki.root) as peer:
        assert not reversed_lines(peer.port, client12(pki)).mutual
        peer.wait_for("^No peer certificate$")


def test_we_hear_that_it_does_not_trust_our_certificate(pki: Pki) -> None:
    config = client12(pki, credentials=[pki.client_credential()])
    # A root of the same name, so that the client believes its certificate to be what is wanted.
    required = ["-rev", "-tls1_2", *VERIFY, "-CAfile", pki.other_root]
    with s_server(pki, *required) as peer, pytest.raises(AlertReceived) as caught:
        connected(peer.port, config)
    assert caught.value.description == AlertDescription.unknown_ca
