"""pyOpenSSL, which brings a recent OpenSSL with post-quantum algorithms, in memory against pellucid."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from in_memory import Theirs, assert_data_flows, exchange
from ours import CLIENT_NAME, KeyLines, OpensslPki, Pki, messages
from pellucid import ClientConnection, ServerConnection
from pellucid.codes import AlertDescription
from pellucid.config import ServerConfig
from pellucid.errors import AlertReceived, CertificateRejected, PeerIncompatible, Reason
from pellucid.events import DataReceived, PeerClosed
from pellucid.identity.lab import Laboratory
from pellucid.identity.lab_keys import KINDS
from pellucid.sessions import SessionStore
from pellucid.trace import Trace

pytestmark = pytest.mark.peer("pyOpenSSL", "module:OpenSSL")

HYBRIDS = ["X25519MLKEM768", "SecP256r1MLKEM768", "SecP384r1MLKEM1024"]

#: As it names them, and as we do.
GROUPS = [
    *((hybrid, hybrid) for hybrid in HYBRIDS),
    ("x25519", "x25519"),
    ("P-256", "secp256r1"),
    ("P-384", "secp384r1"),
    ("P-521", "secp521r1"),
    ("x448", "x448"),
    ("ffdhe2048", "ffdhe2048"),
    ("ffdhe3072", "ffdhe3072"),
    ("ffdhe4096", "ffdhe4096"),
]


def context(groups: str = "", **files: Path) -> Any:
    """`trust`: a file of roots that the peer is verified against; `chain` and `key`: its identity."""
    from OpenSSL import SSL

    made = SSL.Context(SSL.TLS_METHOD)
    made.set_min_proto_version(SSL.TLS1_3_VERSION)
    if trust := files.get("trust"):
        made.load_verify_locations(str(trust))
        made.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT)
    if chain := files.get("chain"):
        made.use_certificate_chain_file(str(chain))
        made.use_privatekey_file(str(files["key"]))
    if groups:
        # It has no function of its own for this.
        assert SSL._lib.SSL_CTX_set1_curves_list(made._context, groups.encode()) == 1
    return made


def their_server(pki: Pki, kind: str = "ecdsa", groups: str = "", **options: Path) -> Any:
    chain, key = pki.files(kind)
    return context(groups, chain=chain, key=key, **options)


def their_client(pki: Pki, groups: str = "") -> Any:
    return context(groups, trust=pki.root)


def our_client(config: Any, theirs: Any) -> tuple[ClientConnection, Theirs]:
    """Connected to a server of theirs that has this context."""
    ours, peer = ClientConnection(config, "localhost"), Theirs(theirs)
    exchange(ours, peer)
    return ours, peer


def our_server(config: ServerConfig, theirs: Any, session: Any = None) -> tuple[ServerConnection, Theirs]:
    """Connected to a client of theirs that has this context."""
    ours, peer = ServerConnection(config), Theirs(theirs, "localhost", session)
    exchange(ours, peer)
    return ours, peer


# -- groups


def test_our_client_and_its_server_agree_on_ml_kem_by_default(pki: Pki) -> None:
    trace = Trace()
    ours, theirs = our_client(pki.client(trace=trace), their_server(pki))
    assert_data_flows(ours, theirs)
    assert theirs.connection.get_group_name() == "X25519MLKEM768"
    assert ours.negotiated is not None
    assert ours.negotiated.group.name == "X25519MLKEM768"
    assert "HelloRetryRequest" not in messages(trace)


def test_its_client_and_our_server_agree_on_ml_kem_by_default(pki: Pki) -> None:
    trace = Trace()
    ours, theirs = our_server(pki.server(trace=trace), their_client(pki))
    assert_data_flows(ours, theirs)
    assert theirs.connection.get_group_name() == "X25519MLKEM768"
    assert ours.negotiated is not None
    assert ours.negotiated.group.name == "X25519MLKEM768"
    assert "HelloRetryRequest" not in messages(trace)


@pytest.mark.parametrize("theirs, group", GROUPS)
def test_our_client_and_its_server_share_each_group(pki: Pki, theirs: str, group: str) -> None:
    ours, peer = our_client(pki.client(groups=[group]), their_server(pki, groups=theirs))
    assert_data_flows(ours, peer)
    assert ours.negotiated is not None
    assert ours.negotiated.group.name == group


@pytest.mark.parametrize("theirs, group", GROUPS)
def test_its_client_and_our_server_share_each_group(pki: Pki, theirs: str, group: str) -> None:
    ours, peer = our_server(pki.server(groups=[group]), their_client(pki, groups=theirs))
    assert_data_flows(ours, peer)
    assert ours.negotiated is not None
    assert ours.negotiated.group.name == group


@pytest.mark.parametrize("group", HYBRIDS)
def test_our_client_retries_with_a_hybrid(pki: Pki, group: str) -> None:
    trace = Trace()
    config = pki.client(groups=["x25519", group], key_shares=["x25519"], trace=trace)
    ours, peer = our_client(config, their_server(pki, groups=group))
    assert_data_flows(ours, peer)
    assert messages(trace)[:4] == ["ClientHello", "HelloRetryRequest", "ClientHello", "ServerHello"]


@pytest.mark.parametrize("group", HYBRIDS)
def test_its_client_retries_with_a_hybrid(pki: Pki, group: str) -> None:
    trace = Trace()
    config = pki.server(groups=[group], cookie=True, trace=trace)
    ours, peer = our_server(config, their_client(pki, groups=f"*x25519:{group}"))
    assert_data_flows(ours, peer)
    assert messages(trace)[:4] == ["ClientHello", "HelloRetryRequest", "ClientHello", "ServerHello"]


def test_it_is_told_that_no_group_is_shared(pki: Pki) -> None:
    from OpenSSL import SSL

    ours, theirs = (
        ServerConnection(pki.server(groups=["SecP384r1MLKEM1024"])),
        Theirs(their_client(pki, "x25519"), "localhost"),
    )
    with pytest.raises(PeerIncompatible) as caught:
        exchange(ours, theirs)
    assert caught.value.reason is Reason.NO_SHARED_GROUP
    with pytest.raises(SSL.Error, match="handshake failure"):
        theirs.take(ours.data_to_send())


# -- certificates


@pytest.mark.parametrize("kind", KINDS)
def test_our_client_takes_each_kind_of_certificate(pki: Pki, kind: str) -> None:
    scheme = pki.credential(kind).schemes[0]
    ours, peer = our_client(pki.client(signature_schemes=[scheme]), their_server(pki, kind))
    assert_data_flows(ours, peer)
    assert ours.negotiated is not None
    assert ours.negotiated.signature_scheme is scheme


@pytest.mark.parametrize("kind", KINDS)
def test_its_client_takes_each_kind_of_certificate(pki: Pki, kind: str) -> None:
    ours, peer = our_server(pki.server(kind), their_client(pki))
    assert_data_flows(ours, peer)
    assert ours.negotiated is not None
    assert ours.negotiated.signature_scheme is pki.credential(kind).schemes[0]


@pytest.mark.peer("openssl", "openssl")  # which makes the key
def test_our_client_takes_an_rsa_pss_key(pki: Pki, rsa_pss: OpensslPki) -> None:
    ours, peer = our_client(pki.client(trust=rsa_pss.trust), context(chain=rsa_pss.chain, key=rsa_pss.key))
    assert_data_flows(ours, peer)


@pytest.fixture(scope="module")
def post_quantum(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    """ML-DSA from the root to the leaf."""
    laboratory = Laboratory(None, time.time(), ca_kind="mldsa65")
    return Pki(tmp_path_factory.mktemp("post_quantum"), laboratory)


def test_our_client_takes_a_chain_that_is_ml_dsa_throughout(post_quantum: Pki) -> None:
    config = post_quantum.client(signature_schemes=["mldsa65"])
    ours, peer = our_client(config, their_server(post_quantum, "mldsa65"))
    assert_data_flows(ours, peer)


def test_its_client_takes_a_chain_that_is_ml_dsa_throughout(post_quantum: Pki) -> None:
    ours, peer = our_server(post_quantum.server("mldsa65"), their_client(post_quantum))
    assert_data_flows(ours, peer)


@pytest.mark.parametrize("kind", KINDS)
def test_our_client_authenticates_itself(pki: Pki, kind: str) -> None:
    config = pki.client(credentials=[pki.client_credential(kind)])
    ours, theirs = our_client(config, their_server(pki, trust=pki.root))
    assert_data_flows(ours, theirs)
    certificate = theirs.connection.get_peer_certificate(as_cryptography=True)
    assert certificate == pki.issued(kind, "client", CLIENT_NAME).certificate


@pytest.mark.parametrize("kind", KINDS)
def test_its_client_authenticates_itself(pki: Pki, kind: str) -> None:
    chain, key = pki.client_files(kind)
    config = pki.mutual_server(signature_schemes=[pki.client_credential(kind).schemes[0]])
    ours, theirs = our_server(config, context(trust=pki.root, chain=chain, key=key))
    assert_data_flows(ours, theirs)
    assert ours.negotiated is not None
    assert ours.negotiated.peer_chain == pki.client_credential(kind).chain


def test_our_client_is_told_that_a_certificate_is_required(pki: Pki) -> None:
    from OpenSSL import SSL

    ours, theirs = ClientConnection(pki.client(), "localhost"), Theirs(their_server(pki, trust=pki.root))
    with pytest.raises(SSL.Error, match="peer did not return a certificate"):
        exchange(ours, theirs)
    with pytest.raises(AlertReceived) as caught:
        ours.receive_data(theirs.give())
    assert caught.value.description == AlertDescription.certificate_required


def test_its_client_hears_that_we_do_not_trust_it(pki: Pki) -> None:
    from OpenSSL import SSL

    chain, key = pki.client_files()
    config = pki.mutual_server(trust=pki.other_laboratory.trust)
    ours = ServerConnection(config)
    theirs = Theirs(context(trust=pki.root, chain=chain, key=key), "localhost")
    with pytest.raises(CertificateRejected) as caught:
        exchange(ours, theirs)
    assert caught.value.reason in {Reason.UNKNOWN_ROOT, Reason.MISSING_INTERMEDIATE}
    with pytest.raises(SSL.Error, match="unknown ca"):
        theirs.take(b"".join(iter(ours.data_to_send, b"")))


# -- resumption


def test_our_client_resumes_its_sessions(pki: Pki) -> None:
    from OpenSSL import SSL

    theirs = their_server(pki)
    theirs.set_session_id(b"pellucid")
    theirs.set_session_cache_mode(SSL.SESS_CACHE_SERVER)
    config = pki.client(sessions=SessionStore())
    outcomes = [our_client(config, theirs)[0].negotiated for _ in range(3)]
    assert [outcome is not None and outcome.resumed for outcome in outcomes] == [False, True, True]


def test_its_client_resumes_our_sessions(pki: Pki) -> None:
    theirs, config = their_client(pki), pki.server()
    session = None
    outcomes = []
    for _ in range(3):
        ours, peer = our_server(config, theirs, session)
        session = peer.connection.get_session()
        outcomes.append(ours.negotiated is not None and ours.negotiated.resumed)
    assert outcomes == [False, True, True]


# -- data


def test_every_split_of_what_it_sends_is_the_same_to_us(pki: Pki) -> None:
    ours, theirs = ClientConnection(pki.client(), "localhost"), Theirs(their_server(pki))
    exchange(ours, theirs, piece=1)
    assert_data_flows(ours, theirs)


def test_bulk_goes_both_ways(pki: Pki) -> None:
    ours, theirs = our_client(pki.client(), their_server(pki))
    bulk = os.urandom(4096) * 256
    ours.send_data(bulk)
    events = exchange(ours, theirs)
    assert theirs.received == bulk
    theirs.send(bulk[::-1])
    events += exchange(ours, theirs)
    assert b"".join(event.data for event in events if isinstance(event, DataReceived)) == bulk[::-1]


@pytest.mark.parametrize("request_theirs", [False, True])
def test_its_client_follows_our_key_updates(pki: Pki, request_theirs: bool) -> None:
    trace = Trace()
    ours, theirs = our_server(pki.server(trace=trace), their_client(pki))
    for _ in range(3):
        theirs.received = b""
        ours.key_update(request=request_theirs)
        ours.send_data(b"")
        exchange(ours, theirs)
        assert_data_flows(ours, theirs)
    assert messages(trace).count("KeyUpdate") == 3 * (1 + request_theirs)


def test_each_side_sees_the_others_close_notify(pki: Pki) -> None:
    ours, theirs = our_client(pki.client(), their_server(pki))
    ours.close()
    exchange(ours, theirs)
    assert theirs.closed
    theirs.connection.shutdown()
    assert any(isinstance(event, PeerClosed) for event in exchange(ours, theirs))
    assert ours.state == "CLOSED"


# -- what both sides know


def test_our_client_and_its_server_log_the_same_secrets(pki: Pki) -> None:
    lines = KeyLines()
    theirs = their_server(pki)
    logged: list[bytes] = []
    theirs.set_keylog_callback(lambda _, line: logged.append(line))
    our_client(pki.client(key_log=lines), theirs)
    lines.assert_all_among(line.decode() for line in logged)


def test_its_client_and_our_server_export_the_same_keying_material(pki: Pki) -> None:
    ours, theirs = our_server(pki.server(), their_client(pki))
    for length, material in (16, None), (48, b"context"), (300, b""):
        exported = theirs.connection.export_keying_material(b"EXPORTER-Pellucid", length, material)
        assert ours.export_keying_material(b"EXPORTER-Pellucid", material, length) == exported


def test_they_agree_on_alpn(pki: Pki) -> None:
    theirs = their_client(pki)
    theirs.set_alpn_protos([b"http/1.1", b"h2"])
    ours, peer = our_server(pki.server(alpn_protocols=["h2", "http/1.1"]), theirs)
    assert peer.connection.get_alpn_proto_negotiated() == b"h2"
    assert ours.negotiated is not None
    assert ours.negotiated.alpn == "h2"
