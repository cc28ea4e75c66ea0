"""pyOpenSSL in TLS 1.2, in memory: a newer OpenSSL than the system's, and more of it than `ssl` shows."""

from __future__ import annotations

import contextlib
import functools
from pathlib import Path
from typing import Any

import pytest

from in_memory import Theirs, assert_data_flows, close_both, exchange, our_client, our_server
from ours import CLIENT_NAME, KeyLines, OpensslPki, Pki, alerts, messages
from ours12 import (
    ABBREVIATED,
    ALL_CIPHERS,
    DATA,
    FULL,
    FULL_BY_ID,
    OAKLEY_1024,
    OWN_2048,
    agreed_on,
    client12,
    dh_file,
    each_group,
    each_suite,
    key_for,
    last_handshake,
    openssl_ciphers,
    openssl_name,
    server12,
    skip_without,
)
from pellucid import ClientConnection, ServerConnection
from pellucid.codes import AlertDescription, ExtensionType, NamedGroup
from pellucid.connection import Connection
from pellucid.crypto.dh12 import dh_params
from pellucid.crypto.suites12 import Suite12
from pellucid.errors import AlertReceived, Misuse, PeerIncompatible, Reason, TLSError
from pellucid.sessions import SessionStore
from pellucid.trace import MessageEvent, Trace

pytestmark = pytest.mark.peer("pyOpenSSL", "module:OpenSSL")

#: Options of OpenSSL's that the module has no names for.
NO_EXTENDED_MASTER_SECRET = 1 << 0
NO_ENCRYPT_THEN_MAC = 1 << 19

KINDS = ["ecdsa", "ecdsa_p384", "ecdsa_p521", "rsa", "ed25519", "ed448"]
each_kind = pytest.mark.parametrize("kind", KINDS)

#: RFC 6960 4.2.1: the OCSPResponse that is nothing but a status, tryLater(3).
TRY_LATER = bytes.fromhex("30 03 0a 01 03")

LABEL = b"EXPORTER-Pellucid"


def context(
    pki: Pki,
    certificate: tuple[Path, Path] | None = None,
    *,
    verify: bool = False,
    ciphers: str = "",
    groups: str = "",
    options: int = 0,
) -> Any:
    """Of TLS 1.2, with this chain and key; `verify`: the peer has to show a certificate of our laboratory."""
    from OpenSSL import SSL

    made = SSL.Context(SSL.TLS_METHOD)
    made.set_max_proto_version(SSL.TLS1_2_VERSION)
    made.set_session_id(b"pellucid")
    made.set_options(options)
    if certificate is not None:
        made.use_certificate_chain_file(str(certificate[0]))
        made.use_privatekey_file(str(certificate[1]))
    if verify:
        made.load_verify_locations(str(pki.root))
        made.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT)
    if ciphers:
        made.set_cipher_list(ciphers.encode())
    if groups:
        # It has no function of its own for this.
        assert SSL._lib.SSL_CTX_set1_curves_list(made._context, groups.encode()) == 1
    return made


def their_server(pki: Pki, kind: str = "ecdsa", **limits: Any) -> Any:
    return context(pki, pki.files(kind), **limits)


def their_client(pki: Pki, **limits: Any) -> Any:
    return context(pki, verify=True, **limits)


# -- suites, keys, groups


@functools.cache
def their_ciphers() -> frozenset[str]:
    from OpenSSL import SSL

    made = SSL.Context(SSL.TLS_METHOD)
    made.set_cipher_list(ALL_CIPHERS.encode())
    return frozenset(SSL.Connection(made).get_cipher_list())


@each_suite
def test_our_client_and_its_server_have_each_suite(pki: Pki, suite: Suite12, encrypt_then_mac: bool) -> None:
    skip_without(suite, their_ciphers(), "pyOpenSSL")
    trace = Trace()
    made = their_server(pki, key_for(suite), ciphers=openssl_ciphers(suite))
    made.load_tmp_dh(str(dh_file(pki, int.from_bytes(dh_params(NamedGroup.ffdhe2048)[0], "big"))))
    theirs = Theirs(made)
    config = client12(pki, cipher_suites=[suite.name], encrypt_then_mac=encrypt_then_mac, trace=trace)
    ours = our_client(config, theirs)
    assert_data_flows(ours, theirs, DATA, DATA[::-1])
    assert (theirs.version, theirs.suite) == ("TLSv1.2", openssl_name(suite))
    assert agreed_on(trace, ExtensionType.encrypt_then_mac) is (not suite.aead and encrypt_then_mac)


@each_suite
def test_its_client_and_our_server_have_each_suite(pki: Pki, suite: Suite12, encrypt_then_mac: bool) -> None:
    skip_without(suite, their_ciphers(), "pyOpenSSL")
    trace = Trace()
    theirs = Theirs(their_client(pki, ciphers=openssl_ciphers(suite)), "localhost")
    config = server12(
        pki, key_for(suite), cipher_suites=[suite.name], encrypt_then_mac=encrypt_then_mac, trace=trace
    )
    ours = our_server(config, theirs)
    assert_data_flows(ours, theirs, DATA, DATA[::-1])
    assert (theirs.version, theirs.suite) == ("TLSv1.2", openssl_name(suite))
    assert agreed_on(trace, ExtensionType.encrypt_then_mac) is (not suite.aead and encrypt_then_mac)


@each_kind
def test_our_client_takes_each_kind_of_certificate(pki: Pki, kind: str) -> None:
    scheme = pki.credential(kind).schemes[0]
    ours = our_client(client12(pki, signature_schemes=[scheme]), Theirs(their_server(pki, kind)))
    assert ours.negotiated is not None
    assert ours.negotiated.signature_scheme is scheme


@each_kind
def test_its_client_takes_each_kind_of_certificate(pki: Pki, kind: str) -> None:
    theirs = Theirs(their_client(pki), "localhost")
    assert_data_flows(our_server(server12(pki, kind), theirs), theirs)


@pytest.mark.peer("openssl", "openssl")  # which makes the key
def test_our_client_takes_an_rsa_pss_key(pki: Pki, rsa_pss: OpensslPki) -> None:
    made = context(pki, (rsa_pss.chain, rsa_pss.key))
    ours = our_client(client12(pki, trust=rsa_pss.trust), Theirs(made))
    assert ours.negotiated is not None
    assert ours.negotiated.signature_scheme is not None
    assert ours.negotiated.signature_scheme.name == "rsa_pss_pss_sha256"


@each_group
def test_our_client_and_its_server_share_each_group(pki: Pki, theirs: str, group: str) -> None:
    peer = Theirs(their_server(pki, "rsa", groups=theirs))
    ours = our_client(client12(pki, groups=[group]), peer)
    assert_data_flows(ours, peer)
    assert ours.negotiated is not None
    assert ours.negotiated.group is NamedGroup[group]


@each_group
def test_its_client_and_our_server_share_each_group(pki: Pki, theirs: str, group: str) -> None:
    peer = Theirs(their_client(pki, groups=theirs), "localhost")
    ours = our_server(server12(pki, "rsa", groups=[group]), peer)
    assert_data_flows(ours, peer)
    assert ours.negotiated is not None
    assert ours.negotiated.group is NamedGroup[group]


def test_ml_kem_in_its_list_of_groups_is_no_obstacle(pki: Pki) -> None:
    peer = Theirs(their_client(pki, groups="X25519MLKEM768:X25519"), "localhost")
    ours = our_server(pki.server("rsa"), peer)
    assert ours.negotiated is not None
    assert ours.negotiated.group is NamedGroup.x25519


@pytest.mark.parametrize("group", ["ffdhe2048", "ffdhe3072", "ffdhe4096"])
def test_our_server_takes_the_finite_field_that_its_client_names(pki: Pki, group: str) -> None:
    peer = Theirs(their_client(pki, groups=group, ciphers="DHE-RSA-AES128-GCM-SHA256"), "localhost")
    ours = our_server(server12(pki, "rsa", groups=["ffdhe4096", "ffdhe3072", "ffdhe2048"]), peer)
    assert_data_flows(ours, peer)
    assert ours.negotiated is not None
    assert ours.negotiated.group is NamedGroup[group]


@pytest.mark.parametrize(
    "groups, group", [(["x25519"], None), (["x25519", "ffdhe3072"], NamedGroup.ffdhe3072)]
)
def test_our_client_takes_its_servers_own_group_where_it_names_none(
    pki: Pki, groups: list[str], group: NamedGroup | None
) -> None:
    made = their_server(pki, "rsa", ciphers="DHE-RSA-AES128-GCM-SHA256")
    made.load_tmp_dh(str(dh_file(pki, OWN_2048)))
    theirs = Theirs(made)
    ours = our_client(client12(pki, groups=groups), theirs)
    assert_data_flows(ours, theirs)
    assert ours.negotiated is not None
    assert ours.negotiated.group is group


def test_our_client_refuses_a_group_of_1024_bits(pki: Pki) -> None:
    made = their_server(pki, "rsa", ciphers="DHE-RSA-AES128-GCM-SHA256:@SECLEVEL=0")
    made.load_tmp_dh(str(dh_file(pki, OAKLEY_1024)))
    ours = ClientConnection(client12(pki, groups=["x25519"]), "localhost")
    with pytest.raises(TLSError) as caught:
        exchange(ours, Theirs(made))
    assert caught.value.reason is Reason.WEAK_DH_GROUP


def test_its_client_is_told_that_no_finite_field_is_shared(pki: Pki) -> None:
    from OpenSSL import SSL

    peer = Theirs(their_client(pki, groups="ffdhe4096", ciphers="DHE-RSA-AES128-GCM-SHA256"), "localhost")
    ours = ServerConnection(server12(pki, "rsa", groups=["ffdhe2048"]))
    with pytest.raises(PeerIncompatible) as caught:
        exchange(ours, peer)
    assert caught.value.reason is Reason.NO_SHARED_DH_GROUP
    # RFC 7919 4 names the alert.
    with pytest.raises(SSL.Error, match="insufficient security"):
        peer.take(ours.data_to_send())


def test_our_server_has_no_use_for_a_post_quantum_key(pki: Pki) -> None:
    ours = ServerConnection(pki.server("mldsa65"))
    with pytest.raises(PeerIncompatible) as caught:
        exchange(ours, Theirs(their_client(pki), "localhost"))
    assert caught.value.reason is Reason.NO_SUITABLE_CERTIFICATE


# -- client certificates


@each_kind
def test_our_client_authenticates_itself(pki: Pki, kind: str) -> None:
    theirs = Theirs(their_server(pki, verify=True))
    ours = our_client(client12(pki, credentials=[pki.client_credential(kind)]), theirs)
    assert_data_flows(ours, theirs)
    certificate = theirs.connection.get_peer_certificate(as_cryptography=True)
    assert certificate == pki.issued(kind, "client", CLIENT_NAME).certificate


@each_kind
def test_its_client_authenticates_itself(pki: Pki, kind: str) -> None:
    # Its own certificates are signed with ECDSA, and what may sign those is not told apart from the rest.
    schemes = {pki.client_credential(kind).schemes[0].name, "ecdsa_secp256r1_sha256"}
    config = pki.mutual_server(protocols=["TLSv1.2"], signature_schemes=sorted(schemes))
    theirs = Theirs(context(pki, pki.client_files(kind), verify=True), "localhost")
    ours = our_server(config, theirs)
    assert_data_flows(ours, theirs)
    assert ours.negotiated is not None
    assert ours.negotiated.peer_chain == pki.client_credential(kind).chain


# -- sessions


def told(ours: Connection, trace: Trace) -> tuple[bool, list[str]]:
    """Whether it was resumed, and by which messages."""
    assert ours.negotiated is not None
    return ours.negotiated.resumed, last_handshake(trace)


@pytest.mark.parametrize("tickets", [True, False], ids=["ticket", "session-ID"])
def test_our_client_resumes_its_sessions(pki: Pki, tickets: bool) -> None:
    from OpenSSL import SSL

    made = their_server(pki, options=0 if tickets else SSL.OP_NO_TICKET)
    trace = Trace()
    config = client12(pki, sessions=SessionStore(), trace=trace)
    outcomes = []
    for _ in range(3):
        theirs = Theirs(made)
        ours = our_client(config, theirs)
        assert_data_flows(ours, theirs)
        outcomes.append(told(ours, trace))
        close_both(ours, theirs)
    full = FULL if tickets else FULL_BY_ID
    assert outcomes == [(False, full), (True, ABBREVIATED), (True, ABBREVIATED)]


@pytest.mark.parametrize("tickets", [True, False], ids=["ticket", "session-ID"])
def test_its_client_resumes_our_sessions(pki: Pki, tickets: bool) -> None:
    trace = Trace()
    made, config = their_client(pki), server12(pki, tickets=tickets, trace=trace)
    session, outcomes = None, []
    for _ in range(3):
        theirs = Theirs(made, "localhost", session)
        ours = our_server(config, theirs)
        assert_data_flows(ours, theirs)
        session = theirs.connection.get_session()
        outcomes.append(told(ours, trace))
        close_both(ours, theirs)
    full = FULL if tickets else FULL_BY_ID
    assert outcomes == [(False, full), (True, ABBREVIATED), (True, ABBREVIATED)]


def test_a_session_with_our_clients_certificate_is_resumed_with_it(pki: Pki) -> None:
    made = their_server(pki, verify=True)
    config = client12(pki, sessions=SessionStore(), credentials=[pki.client_credential()])
    outcomes = []
    for _ in range(2):
        theirs = Theirs(made)
        ours = our_client(config, theirs)
        assert ours.negotiated is not None
        assert ours.negotiated.mutual
        assert theirs.connection.get_peer_certificate() is not None
        outcomes.append(ours.negotiated.resumed)
        close_both(ours, theirs)
    assert outcomes == [False, True]


# -- renegotiation


def assert_refused(ours: Connection, theirs: Theirs, trace: Trace) -> None:
    """It asks for another handshake, is told no, and does not bear it; we do."""
    from OpenSSL import SSL

    theirs.connection.renegotiate()
    with contextlib.suppress(SSL.WantReadError):
        theirs.connection.do_handshake()
    with pytest.raises(SSL.Error, match="no renegotiation"):
        exchange(ours, theirs)
    assert alerts(trace, "sent") == ["no_renegotiation"]
    assert ours.state == "CONNECTED"
    with pytest.raises(AlertReceived) as caught:
        ours.receive_data(theirs.give())
    assert caught.value.description == AlertDescription.handshake_failure


def test_our_server_does_not_renegotiate_with_its_client(pki: Pki) -> None:
    trace = Trace()
    theirs = Theirs(their_client(pki), "localhost")
    assert_refused(our_server(server12(pki, trace=trace), theirs), theirs, trace)


def test_our_client_does_not_renegotiate_with_its_server(pki: Pki) -> None:
    trace = Trace()
    theirs = Theirs(their_server(pki))
    assert_refused(our_client(client12(pki, trace=trace), theirs), theirs, trace)
    assert messages(trace)[-1] == "HelloRequest"


# -- what both know


@pytest.mark.parametrize("ciphers", ["ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384"])
def test_its_client_and_our_server_export_the_same_keying_material(pki: Pki, ciphers: str) -> None:
    theirs = Theirs(their_client(pki, ciphers=ciphers), "localhost")
    ours = our_server(server12(pki), theirs)
    for length, material in (16, None), (48, b"context"), (300, b""):
        exported = theirs.connection.export_keying_material(LABEL, length, material)
        assert ours.export_keying_material(LABEL, material, length) == exported


def test_our_client_and_its_server_export_the_same_keying_material(pki: Pki) -> None:
    theirs = Theirs(their_server(pki))
    ours = our_client(client12(pki), theirs)
    exported = theirs.connection.export_keying_material(LABEL, 48, b"context")
    assert ours.export_keying_material(LABEL, b"context", 48) == exported


def test_nothing_is_exported_from_a_secret_that_is_not_extended(pki: Pki) -> None:
    theirs = Theirs(their_server(pki, options=NO_EXTENDED_MASTER_SECRET))
    ours = our_client(client12(pki), theirs)
    # RFC 7627 5.4: somebody in the middle may have made two connections export the same.
    with pytest.raises(Misuse):
        ours.export_keying_material(LABEL, None, 48)


def test_our_client_and_its_server_log_the_same_secret(pki: Pki) -> None:
    lines, logged = KeyLines(), []
    made = their_server(pki)
    made.set_keylog_callback(lambda _, line: logged.append(line.decode()))
    theirs = Theirs(made)
    our_client(client12(pki, key_log=lines), theirs)
    lines.assert_all_among(logged, least=1)
    connection = theirs.connection
    assert lines.lines == [
        f"CLIENT_RANDOM {connection.client_random().hex()} {connection.master_key().hex()}"
    ]


# -- the rest


def test_a_stapled_response_is_shown(pki: Pki) -> None:
    made = their_server(pki)
    made.set_ocsp_server_callback(lambda *_: TRY_LATER)
    trace = Trace()
    our_client(client12(pki, request_status=True, trace=trace), Theirs(made))
    [status] = [
        event
        for event in trace.events
        if isinstance(event, MessageEvent) and event.name == "CertificateStatus"
    ]
    assert status.raw.endswith(b"\0\0\5" + TRY_LATER)


def test_its_client_may_ask_for_a_status_that_our_server_has_not(pki: Pki) -> None:
    made = their_client(pki)
    stapled: list[bytes] = []
    made.set_ocsp_client_callback(lambda _, response, __: stapled.append(response) is None)
    theirs = Theirs(made, "localhost")
    theirs.connection.request_ocsp()
    assert_data_flows(our_server(server12(pki), theirs), theirs)
    assert stapled == [b""]


def test_every_split_of_what_its_client_sends_is_the_same_to_us(pki: Pki) -> None:
    theirs = Theirs(their_client(pki), "localhost")
    ours = ServerConnection(server12(pki))
    exchange(ours, theirs, piece=1)
    assert_data_flows(ours, theirs)
