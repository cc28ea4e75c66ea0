"""The standard library's `ssl` in TLS 1.2, in memory, as client and as server."""

from __future__ import annotations

import functools
import ssl
from pathlib import Path
from typing import Any

import pytest

from in_memory import TheirsInSsl, assert_data_flows, close_both, exchange, our_client, our_server
from ours import CLIENT_NAME, KeyLines, Pki
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
    each_suite,
    key_for,
    last_handshake,
    openssl_ciphers,
    openssl_name,
    server12,
    server_hello,
    skip_without,
)
from pellucid import ClientConnection, ServerConnection
from pellucid.codes import ExtensionType, NamedGroup
from pellucid.crypto.dh12 import dh_params
from pellucid.crypto.suites12 import Suite12
from pellucid.errors import AlertReceived, PeerIncompatible, PeerMisbehaved, Reason, TLSError
from pellucid.events import PeerClosed
from pellucid.messages import DOWNGRADE_TLS12
from pellucid.sessions import SessionStore
from pellucid.trace import Trace

pytestmark = pytest.mark.peer("standard library ssl", "module:ssl")

#: Options of OpenSSL's that the module has no names for.
NO_EXTENDED_MASTER_SECRET = 1 << 0
NO_ENCRYPT_THEN_MAC = 1 << 19

FFDHE2048 = int.from_bytes(dh_params(NamedGroup.ffdhe2048)[0], "big")

#: The kinds of keys, and what signs in TLS 1.2 with each.
each_key = pytest.mark.parametrize(
    "kind, scheme",
    [
        ("ecdsa", "ecdsa_secp256r1_sha256"),
        ("ecdsa_p384", "ecdsa_secp384r1_sha384"),
        ("ecdsa_p521", "ecdsa_secp521r1_sha512"),
        ("rsa", "rsa_pss_rsae_sha256"),
        ("rsa", "rsa_pkcs1_sha256"),
        ("rsa", "rsa_pkcs1_sha512"),
        ("ed25519", "ed25519"),
    ],
)
by_ticket_or_id = pytest.mark.parametrize("tickets", [True, False], ids=["ticket", "session-ID"])


def their_server(pki: Pki, kind: str = "ecdsa", **limits: Any) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pki.files(kind))
    return limited(context, **limits)


def their_client(pki: Pki, **limits: Any) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(pki.root))
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    return limited(context, **limits)


def limited(context: ssl.SSLContext, ciphers: str = "", options: int = 0) -> ssl.SSLContext:
    """To TLS 1.2, these ciphers, and what the options leave."""
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.options |= options
    if ciphers:
        context.set_ciphers(ciphers)
    return context


def asking(context: ssl.SSLContext, pki: Pki) -> ssl.SSLContext:
    """A server that wants a certificate."""
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(pki.root)
    return context


# -- suites


@functools.cache
def their_ciphers() -> frozenset[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_ciphers(ALL_CIPHERS)
    return frozenset(cipher["name"] for cipher in context.get_ciphers())


@each_suite
def test_our_client_and_its_server_have_each_suite(pki: Pki, suite: Suite12, encrypt_then_mac: bool) -> None:
    skip_without(suite, their_ciphers(), "ssl")
    trace = Trace()
    options = 0 if encrypt_then_mac else NO_ENCRYPT_THEN_MAC
    context = their_server(pki, key_for(suite), ciphers=openssl_ciphers(suite), options=options)
    context.load_dh_params(dh_file(pki, FFDHE2048))
    theirs = TheirsInSsl(context)
    ours = our_client(client12(pki, cipher_suites=[suite.name], trace=trace), theirs)
    assert_data_flows(ours, theirs, DATA, DATA[::-1])
    assert (theirs.version, theirs.suite) == ("TLSv1.2", openssl_name(suite))
    assert agreed_on(trace, ExtensionType.encrypt_then_mac) is (not suite.aead and encrypt_then_mac)


@each_suite
def test_its_client_and_our_server_have_each_suite(pki: Pki, suite: Suite12, encrypt_then_mac: bool) -> None:
    skip_without(suite, their_ciphers(), "ssl")
    trace = Trace()
    options = 0 if encrypt_then_mac else NO_ENCRYPT_THEN_MAC
    theirs = TheirsInSsl(their_client(pki, ciphers=openssl_ciphers(suite), options=options), "localhost")
    config = server12(pki, key_for(suite), cipher_suites=[suite.name], trace=trace)
    ours = our_server(config, theirs)
    assert_data_flows(ours, theirs, DATA, DATA[::-1])
    assert (theirs.version, theirs.suite) == ("TLSv1.2", openssl_name(suite))
    assert agreed_on(trace, ExtensionType.encrypt_then_mac) is (not suite.aead and encrypt_then_mac)


def test_its_client_gets_what_our_server_prefers(pki: Pki) -> None:
    theirs = TheirsInSsl(
        their_client(pki, ciphers="ECDHE-RSA-AES128-SHA:ECDHE-RSA-AES256-GCM-SHA384"), "localhost"
    )
    our_server(server12(pki, "rsa"), theirs)
    assert theirs.suite == "ECDHE-RSA-AES256-GCM-SHA384"


@pytest.mark.parametrize(
    "ciphers", ["AES128-GCM-SHA256", "ECDHE-RSA-AES128-SHA256", "DHE-RSA-AES128-GCM-SHA256"]
)
def test_what_is_old_is_not_taken_by_default(pki: Pki, ciphers: str) -> None:
    ours = ServerConnection(pki.server("rsa"))
    theirs = TheirsInSsl(their_client(pki, ciphers=ciphers), "localhost")
    with pytest.raises(PeerIncompatible) as caught:
        exchange(ours, theirs)
    assert caught.value.reason is Reason.NO_SHARED_CIPHER_SUITE
    with pytest.raises(ssl.SSLError, match="HANDSHAKE_FAILURE"):
        theirs.take(ours.data_to_send())


# -- keys and groups


@each_key
def test_our_client_takes_each_key_and_signature_of_its_server(pki: Pki, kind: str, scheme: str) -> None:
    ours = our_client(client12(pki, signature_schemes=[scheme]), TheirsInSsl(their_server(pki, kind)))
    assert ours.negotiated is not None
    assert ours.negotiated.signature_scheme is not None
    assert ours.negotiated.signature_scheme.name == scheme


@pytest.mark.parametrize("kind", ["ecdsa", "rsa", "ed25519"])
def test_its_client_takes_each_key_of_our_server(pki: Pki, kind: str) -> None:
    theirs = TheirsInSsl(their_client(pki), "localhost")
    assert_data_flows(our_server(server12(pki, kind), theirs), theirs)


@pytest.mark.parametrize(
    "curve, group", [("prime256v1", "secp256r1"), ("secp384r1",) * 2, ("secp521r1",) * 2]
)
def test_our_client_follows_it_to_each_curve(pki: Pki, curve: str, group: str) -> None:
    context = their_server(pki, "rsa")
    context.set_ecdh_curve(curve)
    ours = our_client(client12(pki), TheirsInSsl(context))
    assert ours.negotiated is not None
    assert ours.negotiated.group is NamedGroup[group]


@pytest.mark.parametrize(
    "prime, group", [(FFDHE2048, NamedGroup.ffdhe2048), (OWN_2048, None)], ids=["ffdhe2048", "own"]
)
def test_our_client_takes_a_strong_group_of_its_server(
    pki: Pki, prime: int, group: NamedGroup | None
) -> None:
    context = their_server(pki, "rsa", ciphers="DHE-RSA-AES128-GCM-SHA256")
    context.load_dh_params(dh_file(pki, prime))
    theirs = TheirsInSsl(context)
    ours = our_client(client12(pki), theirs)
    assert_data_flows(ours, theirs)
    assert ours.negotiated is not None
    assert ours.negotiated.group is group


def test_our_client_refuses_a_group_of_1024_bits(pki: Pki) -> None:
    context = their_server(pki, "rsa", ciphers="DHE-RSA-AES128-GCM-SHA256:@SECLEVEL=0")
    context.load_dh_params(dh_file(pki, OAKLEY_1024))
    ours, theirs = ClientConnection(client12(pki), "localhost"), TheirsInSsl(context)
    with pytest.raises(TLSError) as caught:
        exchange(ours, theirs)
    assert caught.value.reason is Reason.WEAK_DH_GROUP
    with pytest.raises(ssl.SSLError, match="INSUFFICIENT_SECURITY"):
        theirs.take(ours.data_to_send())


# -- client certificates


@each_key
def test_our_client_authenticates_itself(pki: Pki, kind: str, scheme: str) -> None:
    config = client12(pki, credentials=[pki.client_credential(kind)])
    theirs = TheirsInSsl(asking(their_server(pki), pki))
    ours = our_client(config, theirs)
    assert_data_flows(ours, theirs)
    assert ours.negotiated is not None
    assert ours.negotiated.mutual
    assert theirs.connection.getpeercert(binary_form=True) == pki.client_credential(kind).chain[0]


@each_key
def test_its_client_authenticates_itself(pki: Pki, kind: str, scheme: str) -> None:
    context = their_client(pki)
    context.load_cert_chain(*pki.client_files(kind))
    theirs = TheirsInSsl(context, "localhost")
    # Its own certificates are signed with ECDSA, and what may sign those is not told apart from the rest.
    schemes = {scheme, "ecdsa_secp256r1_sha256"}
    config = pki.mutual_server(protocols=["TLSv1.2"], signature_schemes=sorted(schemes))
    ours = our_server(config, theirs)
    assert_data_flows(ours, theirs)
    assert ours.negotiated is not None
    assert ours.negotiated.peer_chain == pki.client_credential(kind).chain
    assert ours.negotiated.peer_identity is not None
    assert CLIENT_NAME in ours.negotiated.peer_identity.names


def test_its_client_is_told_that_a_certificate_is_required(pki: Pki) -> None:
    ours = ServerConnection(pki.mutual_server(protocols=["TLSv1.2"]))
    theirs = TheirsInSsl(their_client(pki), "localhost")
    with pytest.raises(PeerIncompatible) as caught:
        exchange(ours, theirs)
    assert caught.value.reason is Reason.CLIENT_CERTIFICATE_MISSING
    # RFC 5246 7.4.6 names the alert; certificate_required is of TLS 1.3.
    with pytest.raises(ssl.SSLError, match="HANDSHAKE_FAILURE"):
        theirs.take(ours.data_to_send())


def test_our_client_is_told_that_a_certificate_is_required(pki: Pki) -> None:
    ours, theirs = ClientConnection(client12(pki), "localhost"), TheirsInSsl(asking(their_server(pki), pki))
    with pytest.raises(ssl.SSLError, match="PEER_DID_NOT_RETURN_A_CERTIFICATE"):
        exchange(ours, theirs)
    with pytest.raises(AlertReceived, match="handshake_failure"):
        ours.receive_data(theirs.give())


# -- sessions


@by_ticket_or_id
def test_our_client_resumes_sessions_of_its_server(pki: Pki, tickets: bool) -> None:
    context = their_server(pki, options=0 if tickets else ssl.OP_NO_TICKET)
    trace = Trace()
    config = client12(pki, sessions=SessionStore(), trace=trace)
    told = []
    for _ in range(3):
        theirs = TheirsInSsl(context)
        ours = our_client(config, theirs)
        assert_data_flows(ours, theirs)
        assert ours.negotiated is not None
        assert theirs.connection.session_reused is ours.negotiated.resumed
        told.append((ours.negotiated.resumed, last_handshake(trace)))
        close_both(ours, theirs)
    full = FULL if tickets else FULL_BY_ID
    assert told == [(False, full), (True, ABBREVIATED), (True, ABBREVIATED)]


@by_ticket_or_id
def test_its_client_resumes_sessions_of_our_server(pki: Pki, tickets: bool) -> None:
    trace = Trace()
    config, context = server12(pki, tickets=tickets, trace=trace), their_client(pki)
    told, session = [], None
    for _ in range(3):
        theirs = TheirsInSsl(context, "localhost", session)
        ours = our_server(config, theirs)
        assert_data_flows(ours, theirs)
        session = theirs.connection.session
        assert ours.negotiated is not None
        assert theirs.connection.session_reused is ours.negotiated.resumed
        told.append((ours.negotiated.resumed, last_handshake(trace)))
        close_both(ours, theirs)
    full = FULL if tickets else FULL_BY_ID
    assert told == [(False, full), (True, ABBREVIATED), (True, ABBREVIATED)]


# -- extended_master_secret


def test_our_client_does_without_it_where_it_may(pki: Pki) -> None:
    trace = Trace()
    theirs = TheirsInSsl(their_server(pki, options=NO_EXTENDED_MASTER_SECRET))
    ours = our_client(client12(pki, trace=trace), theirs)
    assert_data_flows(ours, theirs)
    assert not agreed_on(trace, ExtensionType.extended_master_secret)


def test_our_client_insists_on_it_by_default(pki: Pki) -> None:
    theirs = TheirsInSsl(their_server(pki, options=NO_EXTENDED_MASTER_SECRET))
    ours = ClientConnection(pki.client(), "localhost")
    with pytest.raises(PeerIncompatible) as caught:
        exchange(ours, theirs)
    assert caught.value.reason is Reason.EXTENDED_MASTER_SECRET_MISSING
    with pytest.raises(ssl.SSLError, match="HANDSHAKE_FAILURE"):
        theirs.take(ours.data_to_send())


def test_our_server_insists_on_it_by_default(pki: Pki) -> None:
    theirs = TheirsInSsl(their_client(pki, options=NO_EXTENDED_MASTER_SECRET), "localhost")
    ours = ServerConnection(pki.server())
    with pytest.raises(PeerIncompatible) as caught:
        exchange(ours, theirs)
    assert caught.value.reason is Reason.EXTENDED_MASTER_SECRET_MISSING
    with pytest.raises(ssl.SSLError, match="HANDSHAKE_FAILURE"):
        theirs.take(ours.data_to_send())


@by_ticket_or_id
def test_a_session_that_had_it_is_not_resumed_without(pki: Pki, tickets: bool) -> None:
    config, context = server12(pki, tickets=tickets), their_client(pki)
    first = TheirsInSsl(context, "localhost")
    our_server(config, first)
    context.options |= NO_EXTENDED_MASTER_SECRET
    ours = ServerConnection(config)
    second = TheirsInSsl(context, "localhost", first.connection.session)
    # RFC 7627 5.3: in this case "the server MUST abort the abbreviated handshake."
    with pytest.raises(PeerMisbehaved) as caught:
        exchange(ours, second)
    assert caught.value.reason is Reason.EXTENDED_MASTER_SECRET_CHANGED
    with pytest.raises(ssl.SSLError, match="HANDSHAKE_FAILURE"):
        second.take(ours.data_to_send())


@by_ticket_or_id
@pytest.mark.parametrize("later", [0, NO_EXTENDED_MASTER_SECRET], ids=["with", "without"])
def test_a_session_that_had_it_not_is_not_resumed(pki: Pki, tickets: bool, later: int) -> None:
    config, context = server12(pki, tickets=tickets), their_client(pki, options=NO_EXTENDED_MASTER_SECRET)
    first = TheirsInSsl(context, "localhost")
    our_server(config, first)
    context.options = context.options & ~NO_EXTENDED_MASTER_SECRET | later
    second = TheirsInSsl(context, "localhost", first.connection.session)
    assert_data_flows(our_server(config, second), second)
    assert not second.connection.session_reused


# -- versions


def test_our_client_goes_down_to_the_version_of_its_server(pki: Pki) -> None:
    theirs = TheirsInSsl(their_server(pki))
    assert_data_flows(our_client(pki.client(), theirs), theirs)
    assert theirs.version == "TLSv1.2"


def test_our_server_goes_down_to_the_version_of_its_client_and_says_that_it_need_not(pki: Pki) -> None:
    trace = Trace()
    theirs = TheirsInSsl(their_client(pki), "localhost")
    assert_data_flows(our_server(pki.server(trace=trace), theirs), theirs)
    assert theirs.version == "TLSv1.2"
    # RFC 9846 4.2.3: a client that had offered TLS 1.3 would know by this that somebody has cut that out.
    assert server_hello(trace).random.endswith(DOWNGRADE_TLS12)


def test_it_goes_down_to_our_clients_version(pki: Pki) -> None:
    context = their_server(pki)
    context.maximum_version = ssl.TLSVersion.MAXIMUM_SUPPORTED
    theirs = TheirsInSsl(context)
    assert_data_flows(our_client(client12(pki), theirs), theirs)
    assert theirs.version == "TLSv1.2"


def test_it_goes_down_to_our_servers_version(pki: Pki) -> None:
    context = their_client(pki)
    context.maximum_version = ssl.TLSVersion.MAXIMUM_SUPPORTED
    theirs = TheirsInSsl(context, "localhost")
    assert_data_flows(our_server(server12(pki), theirs), theirs)
    assert theirs.version == "TLSv1.2"


def test_without_limits_both_take_the_newer(pki: Pki) -> None:
    context = their_client(pki)
    context.maximum_version = ssl.TLSVersion.MAXIMUM_SUPPORTED
    theirs = TheirsInSsl(context, "localhost")
    our_server(pki.server(), theirs)
    assert theirs.version == "TLSv1.3"


# -- the rest


def test_our_client_and_its_server_agree_on_alpn(pki: Pki) -> None:
    context = their_server(pki)
    context.set_alpn_protocols(["h2", "http/1.1"])
    theirs = TheirsInSsl(context)
    ours = our_client(client12(pki, alpn_protocols=["http/1.1", "h2"]), theirs)
    assert ours.negotiated is not None
    assert ours.negotiated.alpn == theirs.connection.selected_alpn_protocol() == "h2"


def test_its_client_and_our_server_agree_on_alpn(pki: Pki) -> None:
    context = their_client(pki)
    context.set_alpn_protocols(["http/1.1", "h2"])
    theirs = TheirsInSsl(context, "localhost")
    ours = our_server(server12(pki, alpn_protocols=["h2", "http/1.1"]), theirs)
    assert ours.negotiated is not None
    assert ours.negotiated.alpn == theirs.connection.selected_alpn_protocol() == "h2"


def test_each_side_sees_the_others_close_notify(pki: Pki) -> None:
    theirs = TheirsInSsl(their_server(pki))
    events = close_both(our_client(client12(pki), theirs), theirs)
    assert theirs.closed
    assert any(isinstance(event, PeerClosed) for event in events)


def test_every_split_of_what_its_server_sends_is_the_same_to_us(pki: Pki) -> None:
    theirs = TheirsInSsl(their_server(pki))
    ours = ClientConnection(client12(pki), "localhost")
    exchange(ours, theirs, piece=1)
    assert_data_flows(ours, theirs)


def test_both_log_the_same_secret(pki: Pki, tmp_path: Path) -> None:
    context, lines = their_server(pki), KeyLines()
    context.keylog_filename = str(tmp_path / "keys")
    our_client(client12(pki, key_log=lines), TheirsInSsl(context))
    lines.assert_all_in(tmp_path / "keys", least=1)
