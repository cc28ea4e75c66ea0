"""Our client against `gnutls-serv` in TLS 1.2."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ours import (
    KeyLines,
    Pki,
    alerts,
    connected,
    messages,
    printed_hex,
    receive_all,
)
from ours12 import (
    ABBREVIATED,
    OAKLEY_1024,
    OWN_2048,
    agreed_on,
    client12,
    dh_file,
    each_suite,
    key_for,
    last_handshake,
    longest_record,
    server_hello,
    there_and_back,
)
from pellucid.codes import AlertDescription, ExtensionType, NamedGroup
from pellucid.crypto.suites12 import Suite12
from pellucid.errors import (
    CertificateRejected,
    PeerIncompatible,
    PeerMisbehaved,
    Reason,
    TLSError,
)
from pellucid.messages import extensions as ext
from pellucid.sessions import SessionStore
from pellucid.trace import Trace
from support import gnutls_serv
from with_gnutls import (
    NO_CLIENT_CERTIFICATE,
    ONLY_TLS12,
    TLS12,
    each_group12,
    echoed,
    echoing,
    group_priority12,
    refusal,
    skip_without_suite12,
    suite_priority12,
    theirs_is_the_server,
)

pytestmark = theirs_is_the_server

KINDS = ["ecdsa", "ecdsa_p384", "ecdsa_p521", "rsa", "ed25519", "ed448"]
each_kind = pytest.mark.parametrize("kind", KINDS)
by_ticket_or_id = pytest.mark.parametrize("arguments", [[], ["--noticket"]], ids=["ticket", "session-ID"])


def echoing12(pki: Pki, *arguments: str | Path, **options: Any) -> Any:
    return echoing(pki, NO_CLIENT_CERTIFICATE, *arguments, **({"priority": TLS12} | options))


@each_suite
def test_we_take_each_suite(pki: Pki, suite: Suite12, encrypt_then_mac: bool) -> None:
    skip_without_suite12(suite, "gnutls-serv")
    trace = Trace()
    config = client12(pki, cipher_suites=[suite.name], trace=trace)
    priority = suite_priority12(suite, encrypt_then_mac)
    with (
        echoing12(pki, kind=key_for(suite), priority=priority) as peer,
        connected(peer.port, config) as tls,
    ):
        there_and_back(tls)
        assert tls.negotiated.cipher_suite is suite.code
    assert agreed_on(trace, ExtensionType.encrypt_then_mac) is (not suite.aead and encrypt_then_mac)
    assert agreed_on(trace, ExtensionType.extended_master_secret)


@each_kind
def test_we_take_each_kind_of_certificate(pki: Pki, kind: str) -> None:
    config = client12(pki, signature_schemes=[pki.credential(kind).schemes[0]])
    with echoing12(pki, kind=kind) as peer:
        assert echoed(peer.port, config).peer_chain == pki.credential(kind).chain


@each_group12
def test_we_take_each_group(pki: Pki, theirs: str, group: str) -> None:
    with echoing12(pki, kind="rsa", priority=group_priority12(theirs)) as peer:
        assert echoed(peer.port, client12(pki, groups=[group])).group is NamedGroup[group]


def test_we_take_a_strong_group_of_its_own(pki: Pki) -> None:
    arguments = ["--dhparams", dh_file(pki, OWN_2048)]
    # It prefers a group of RFC 7919 that the client names.
    config = client12(pki, groups=["x25519"])
    with echoing12(pki, *arguments, kind="rsa", priority=f"{TLS12}:-KX-ALL:+DHE-RSA") as peer:
        assert echoed(peer.port, config).group is None


def test_we_refuse_a_group_of_1024_bits(pki: Pki) -> None:
    arguments = ["--dhparams", dh_file(pki, OAKLEY_1024)]
    priority = f"{TLS12}:-KX-ALL:+DHE-RSA:%PROFILE_VERY_WEAK"
    with echoing12(pki, *arguments, kind="rsa", priority=priority) as peer, pytest.raises(TLSError) as caught:
        connected(peer.port, client12(pki, groups=["x25519"]))
    assert caught.value.reason is Reason.WEAK_DH_GROUP


@pytest.mark.parametrize("kind", ["ecdsa", "rsa", "ed25519"])
def test_we_authenticate_ourselves(pki: Pki, kind: str) -> None:
    config = client12(pki, credentials=[pki.client_credential(kind)])
    required = ["--require-client-cert", "--verify-client-cert", "--x509cafile", pki.root]
    with echoing(pki, *required, priority=TLS12) as peer:
        assert echoed(peer.port, config).mutual
        peer.wait_for("The certificate is trusted")


def test_we_hear_that_a_certificate_is_required(pki: Pki) -> None:
    required = ["--require-client-cert", "--x509cafile", pki.root]
    with echoing(pki, *required, priority=TLS12) as peer:
        # That is what it tells its own client as well, of a list that is empty as RFC 5246 7.4.6 wants it.
        assert refusal(peer.port, client12(pki)) == AlertDescription.decode_error


def test_it_hears_that_we_do_not_trust_its_root(pki: Pki) -> None:
    with echoing12(pki) as peer:
        with pytest.raises(CertificateRejected):
            connected(peer.port, client12(pki, trust=pki.other_laboratory.trust))
        peer.wait_for("A TLS fatal alert has been received")  # it does not say which


@by_ticket_or_id
@pytest.mark.parametrize("cipher", ["AES-128-GCM", "AES-256-CBC", "AES-128-CCM"])
def test_we_resume_its_sessions(pki: Pki, arguments: list[str], cipher: str) -> None:
    trace = Trace()
    ours = ["TLS_ECDHE_ECDSA_WITH_AES_128_CCM", *client12(pki).cipher_suites]
    config = client12(pki, sessions=SessionStore(), cipher_suites=ours, trace=trace)
    with echoing12(pki, *arguments, priority=f"{TLS12}:-CIPHER-ALL:+{cipher}") as peer:
        outcomes = [echoed(peer.port, config) for _ in range(3)]
    assert [outcome.resumed for outcome in outcomes] == [False, True, True]
    assert last_handshake(trace) == ABBREVIATED


def test_its_wish_for_another_handshake_is_refused(pki: Pki) -> None:
    trace = Trace()
    with echoing12(pki) as peer, connected(peer.port, client12(pki, trace=trace)) as tls:
        tls.sendall(b"**REHANDSHAKE**\n")  # a command to it
        # It takes our no for an error of its own, and hangs up.
        with pytest.raises(PeerMisbehaved) as caught:
            receive_all(tls)
        peer.wait_for("A TLS warning alert has been received")
    assert caught.value.reason is Reason.TRUNCATED
    assert messages(trace)[-1] == "HelloRequest"
    assert alerts(trace, "sent")[0] == "no_renegotiation"


def test_it_and_our_client_agree_on_alpn(pki: Pki) -> None:
    with echoing12(pki, "--alpn", "h2") as peer:
        assert echoed(peer.port, client12(pki, alpn_protocols=["http/1.1", "h2"])).alpn == "h2"


@pytest.mark.parametrize("size", [64, 700, 4096])
def test_it_keeps_to_the_records_that_our_client_asks_for(pki: Pki, size: int) -> None:
    trace = Trace()
    config = client12(pki, record_size_limit=size, trace=trace)
    priority = f"{TLS12}:%ALLOW_SMALL_RECORDS"
    with echoing12(pki, priority=priority) as peer, connected(peer.port, config) as tls:
        there_and_back(tls)
    assert agreed_on(trace, ExtensionType.record_size_limit)
    assert longest_record(trace, "received") == size + 24  # nonce and tag


def test_our_client_keeps_to_the_records_that_it_asks_for(pki: Pki) -> None:
    trace = Trace()
    config = client12(pki, record_size_limit=16384, trace=trace)
    with echoing12(pki, "--recordsize", "512") as peer, connected(peer.port, config) as tls:
        there_and_back(tls)
    assert server_hello(trace).extensions.find(ext.RecordSizeLimit) == ext.RecordSizeLimit(512)
    assert longest_record(trace, "sent") == 512 + 24


@pytest.mark.parametrize("length", [512, 4096])
def test_both_keep_to_the_fragments_that_our_client_asks_for(pki: Pki, length: int) -> None:
    trace = Trace()
    config = client12(pki, max_fragment_length=length, trace=trace)
    with echoing12(pki) as peer, connected(peer.port, config) as tls:
        there_and_back(tls)
    assert agreed_on(trace, ExtensionType.max_fragment_length)
    assert longest_record(trace, "sent") == longest_record(trace, "received") == length + 24


def test_a_server_without_extended_master_secret_is_followed_where_it_may_be(pki: Pki) -> None:
    with echoing12(pki, priority=f"{TLS12}:%NO_SESSION_HASH") as peer:
        echoed(peer.port, client12(pki))
        with pytest.raises(PeerIncompatible) as caught:
            connected(peer.port, pki.client())
    assert caught.value.reason is Reason.EXTENDED_MASTER_SECRET_MISSING


def test_a_server_that_may_take_us_for_another_is_refused(pki: Pki) -> None:
    with echoing12(pki, priority=f"{TLS12}:%DISABLE_SAFE_RENEGOTIATION") as peer:
        with pytest.raises(PeerIncompatible) as caught:
            connected(peer.port, client12(pki))
        peer.wait_for("A TLS fatal alert has been received")
    assert caught.value.reason is Reason.NO_SECURE_RENEGOTIATION


def test_a_server_may_be_older_than_we(pki: Pki) -> None:
    with echoing12(pki) as peer:
        assert echoed(peer.port, pki.client()).protocol.label == "TLSv1.2"


def test_we_may_be_older_than_a_server(pki: Pki) -> None:
    with echoing12(pki, priority="NORMAL") as peer:
        assert echoed(peer.port, client12(pki)).protocol.label == "TLSv1.2"


def test_it_refuses_our_fallback_from_what_it_has(pki: Pki) -> None:
    with echoing12(pki, priority="NORMAL") as peer:
        told = refusal(peer.port, client12(pki, fallback=True))
        assert told == AlertDescription.inappropriate_fallback


def test_we_see_the_close_notify_of_a_server(pki: Pki) -> None:
    trace = Trace()
    chain, key = pki.files()
    certificate = ["--x509certfile", chain, "--x509keyfile", key]
    with gnutls_serv("--http", *ONLY_TLS12, NO_CLIENT_CERTIFICATE, *certificate) as peer:
        with connected(peer.port, client12(pki, trace=trace)) as tls:
            tls.sendall(b"GET / HTTP/1.0\r\n\r\n")
            assert receive_all(tls).startswith(b"HTTP/1.0 200 OK")
        assert alerts(trace, "received") == ["close_notify"]


def test_it_and_our_client_log_the_same_secret(pki: Pki, tmp_path: Path) -> None:
    lines = KeyLines()
    environment = {"SSLKEYLOGFILE": str(tmp_path / "keys")}
    with echoing12(pki, environment=environment) as peer:
        echoed(peer.port, client12(pki, key_log=lines))
    lines.assert_all_in(tmp_path / "keys", least=1)


def test_it_and_our_client_export_the_same_keying_material(pki: Pki) -> None:
    arguments = ["--keymatexport", "EXPORTER-Pellucid", "--keymatexportsize", "48"]
    with echoing12(pki, *arguments) as peer, connected(peer.port, client12(pki)) as tls:
        peer.wait_for(r"Key material: \w+\n")
        ours = tls.connection.export_keying_material(b"EXPORTER-Pellucid", None, 48)
        assert printed_hex(peer.output, "Key material:") == ours.hex()
