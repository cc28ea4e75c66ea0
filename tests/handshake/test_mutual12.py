"""TLS 1.2: a client that is asked for its certificate: whether it shows one, which, and whose it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from loopback import NAME, NOW, client12, connect_pair, credential, laboratory, pump, server12
from rogue import edit, honest, replace, rogue_client, rogue_server, server_refuses

from pellucid import (
    AlertReceived,
    ClientConnection,
    ServerConnection,
    TLSError,
    Trace,
    TrustStore,
)
from pellucid.codes import AlertDescription, ClientCertificateType, SignatureScheme
from pellucid.errors import Reason
from pellucid.identity.lab import Laboratory
from pellucid.messages import tls12
from pellucid.result import Negotiated
from pellucid.trace.events import ChoiceEvent, MessageEvent

A, S, C = AlertDescription, SignatureScheme, ClientCertificateType
SHOWN = {"credentials": [credential(purpose="client")]}
REQUIRED, OPTIONAL = {"client_authentication": "required"}, {"client_authentication": "optional"}
RSA = {"cipher_suites": ["TLS_RSA_WITH_AES_128_GCM_SHA256"]}
ALL_KINDS = ("rsa", "ecdsa", "ed25519")
ALL = {"credentials": [credential(kind, "client") for kind in ALL_KINDS]}


def agree(client: dict[str, Any], server: dict[str, Any]) -> tuple[Negotiated, Negotiated]:
    pair = connect_pair(client12(**client), server12(**server))
    pump(*pair)
    assert pair[0].negotiated is not None
    assert pair[1].negotiated is not None
    return pair[0].negotiated, pair[1].negotiated


@pytest.mark.parametrize("exchange", [{}, RSA], ids=["ECDHE", "RSA"])
@pytest.mark.parametrize(
    "authentication, shown, mutual",
    [
        ("none", True, False),
        ("none", False, False),
        ("optional", True, True),
        ("optional", False, False),
        ("required", True, True),
    ],
)
def test_a_client_shows_its_certificate_when_it_is_asked(
    authentication: str, shown: bool, mutual: bool, exchange: dict[str, Any]
) -> None:
    server = exchange | {
        "client_authentication": authentication,
        "credentials": [credential(), credential("rsa")],
    }
    found = agree(exchange | (SHOWN if shown else {}), server)
    assert [one.mutual for one in found] == [mutual, mutual]
    assert found[1].peer_chain == (SHOWN["credentials"][0].chain if mutual else ())
    assert (found[1].peer_identity is not None) is mutual


def test_a_client_that_must_show_one_and_has_none() -> None:
    """RFC 5246 7.4.6: "a fatal handshake_failure alert": certificate_required is of TLS 1.3."""
    server = server12(**REQUIRED)
    error = server_refuses(
        honest, Reason.CLIENT_CERTIFICATE_MISSING, A.handshake_failure, client=client12(), server=server
    )
    assert error.blame == "both"


def test_a_client_learns_of_the_refusal_before_it_has_connected() -> None:
    """Unlike TLS 1.3, where the client is done by then."""
    client, server = connect_pair(client12(), server12(**REQUIRED))
    server.receive_data(client.data_to_send())
    client.receive_data(server.data_to_send())
    assert not client.handshake_complete
    with pytest.raises(TLSError):
        server.receive_data(client.data_to_send())
    with pytest.raises(AlertReceived) as caught:
        client.receive_data(server.data_to_send())
    assert caught.value.description == A.handshake_failure
    assert not client.handshake_complete


@pytest.mark.parametrize("asking", [OPTIONAL, REQUIRED], ids=["optional", "required"])
def test_an_untrusted_client_is_refused(asking: dict[str, Any]) -> None:
    """Also where none need be shown: a certificate that is shown is verified."""
    stranger = Laboratory(b"another", NOW).credential(purpose="client")
    client, server = client12(credentials=[stranger]), server12(**asking)
    server_refuses(honest, Reason.UNKNOWN_ROOT, A.unknown_ca, client=client, server=server)


def test_a_servers_certificate_does_not_do_for_a_client() -> None:
    client, server = client12(credentials=[credential()]), server12(**REQUIRED)
    server_refuses(honest, Reason.WRONG_PURPOSE, A.unsupported_certificate, client=client, server=server)


# -- the request


def request_of(server: dict[str, Any]) -> tls12.CertificateRequest:
    trace = Trace()
    agree(SHOWN, REQUIRED | server | {"trace": trace})
    messages = (event for event in trace.events if isinstance(event, MessageEvent))
    return tls12.CertificateRequest.decode(
        next(event.raw for event in messages if event.name == "CertificateRequest")
    )


def test_a_server_says_what_it_can_verify() -> None:
    """RFC 8422 5.5: ecdsa_sign stands for the keys of Ed25519 and Ed448, too."""
    request = request_of({"signature_schemes": ["ecdsa_secp256r1_sha256", "rsa_pss_rsae_sha256"]})
    assert request.certificate_types == [C.rsa_sign, C.ecdsa_sign]
    assert request.supported_signature_algorithms == [S.ecdsa_secp256r1_sha256, S.rsa_pss_rsae_sha256]


def test_a_server_says_whom_it_trusts() -> None:
    names = request_of({}).certificate_authorities
    assert names == [laboratory().root.subject.public_bytes()]


def test_a_server_asks_for_nothing_old() -> None:
    """SLOTH: no MD5 and no SHA-1; and nothing that signs no handshake of TLS 1.2."""
    algorithms = request_of({"signature_schemes": ["mldsa65", "ecdsa_secp256r1_sha256"]})
    assert algorithms.supported_signature_algorithms == [S.ecdsa_secp256r1_sha256]
    for scheme in request_of({}).supported_signature_algorithms:
        assert scheme & 0xFF00 not in (0x0100, 0x0200, 0x0300)


# -- what the client makes of it


def answer_to(
    change: Callable[[tls12.CertificateRequest], object], client: dict[str, Any]
) -> tuple[Any, Any]:
    """The chain that the client shows to such a request, and the scheme that it signs with."""
    server = rogue_server(edit(tls12.CertificateRequest, change), server12(**OPTIONAL))
    trace = Trace()
    victim = ClientConnection(client12(trace=trace, **client), NAME)
    pump(victim, server)
    messages = {e.name: e.raw for e in trace.events if isinstance(e, MessageEvent) and e.direction == "sent"}
    chain = tuple(tls12.Certificate.decode(messages["Certificate"]).certificate_list)
    if not chain:
        assert "CertificateVerify" not in messages
        return None, None
    return chain, tls12.CertificateVerify.decode(messages["CertificateVerify"]).algorithm


def chain_of(kind: str) -> tuple[bytes, ...]:
    return credential(kind, "client").chain


@pytest.mark.parametrize(
    "types, kind",
    [
        ([C.rsa_sign], "rsa"),
        ([C.ecdsa_sign], "ecdsa"),
        ([C.ecdsa_sign, C.rsa_sign], "rsa"),
        ([C.dss_sign, 0xEE, C.ecdsa_sign], "ecdsa"),
        ([C.rsa_fixed_dh, C.ecdsa_fixed_ecdh], None),
        ([C.dss_sign], None),
    ],
)
def test_the_kind_of_its_key_is_one_that_the_server_names(types: list[int], kind: str | None) -> None:
    """Of those that fit, the first of the configuration: a server's order means nothing."""
    chain, scheme = answer_to(lambda request: setattr(request, "certificate_types", types), ALL)
    assert chain == (chain_of(kind) if kind else None)
    assert scheme == (
        {"rsa": S.rsa_pss_rsae_sha256, "ecdsa": S.ecdsa_secp256r1_sha256}[kind] if kind else None
    )


def test_an_ed25519_key_is_one_of_ecdsa() -> None:
    types = [C.ecdsa_sign]
    client = {"credentials": [credential("ed25519", "client")]}
    found = answer_to(lambda request: setattr(request, "certificate_types", types), client)
    assert found == (chain_of("ed25519"), S.ed25519)


@pytest.mark.parametrize(
    "schemes, kind, scheme",
    [
        ([S.ed25519], "ed25519", S.ed25519),
        ([S.ecdsa_secp384r1_sha384, S.ed25519], "ecdsa", S.ecdsa_secp384r1_sha384),
        ([S.rsa_pkcs1_sha256], "rsa", S.rsa_pkcs1_sha256),
        ([S.rsa_pkcs1_sha512, S.rsa_pss_rsae_sha384], "rsa", S.rsa_pss_rsae_sha384),
        ([0x0201, 0x0203, 0x0101], None, None),
        ([0x0202, 0x0402], None, None),
    ],
    ids=["Ed25519", "ECDSA", "PKCS #1", "PSS before PKCS #1", "SHA-1 and MD5", "DSA"],
)
def test_its_signature_is_one_that_the_server_names(
    schemes: list[int], kind: str | None, scheme: int | None
) -> None:
    found = answer_to(lambda request: setattr(request, "supported_signature_algorithms", schemes), ALL)
    assert found == ((chain_of(kind), scheme) if kind else (None, None))


def test_its_certificate_is_issued_by_one_that_the_server_names() -> None:
    by_root = laboratory().credential("ecdsa", [NAME], "client", issuer="root")
    both = {"credentials": [by_root, credential(purpose="client")]}
    assert answer_to(lambda _: None, both)[0] == by_root.chain
    intermediate = laboratory().intermediate.subject.public_bytes()
    chain, _ = answer_to(lambda request: setattr(request, "certificate_authorities", [intermediate]), both)
    assert chain == chain_of("ecdsa")


def test_a_server_that_names_nobody_may_get_any() -> None:
    """RFC 5246 7.4.4: "the client MAY send any certificate of the appropriate ClientCertificateType"."""
    chain, _ = answer_to(lambda request: setattr(request, "certificate_authorities", []), SHOWN)
    assert chain == chain_of("ecdsa")


def test_the_choice_is_in_the_trace() -> None:
    trace = Trace()
    agree(ALL | {"trace": trace}, REQUIRED)
    found = {event.what: event.chosen for event in trace.events if isinstance(event, ChoiceEvent)}
    assert found["client_certificate"] == credential("rsa", "client").subject
    assert found["signature_scheme"] == "rsa_pss_rsae_sha256"


def test_a_trust_store_with_the_intermediate_alone_names_it() -> None:
    trust = TrustStore.from_certificates((laboratory().intermediate,), "the intermediate")
    by_root = laboratory().credential("ecdsa", [NAME], "client", issuer="root")
    both = {"credentials": [by_root, credential(purpose="client")]}
    assert agree(both, REQUIRED | {"trust": trust})[1].peer_chain == chain_of("ecdsa")


# -- the proof


def proof_is_refused(tamper: Any, reason: Reason, alert: A, client: dict[str, Any] = SHOWN) -> TLSError:
    return server_refuses(tamper, reason, alert, client=client12(**client), server=server12(**REQUIRED))


def test_a_client_has_to_hold_the_key_of_its_certificate() -> None:
    forge = replace(tls12.CertificateVerify, lambda body: body[:-1] + bytes([body[-1] ^ 1]))
    proof_is_refused(forge, Reason.BAD_SIGNATURE, A.decrypt_error)


@pytest.mark.parametrize("scheme", [0x0203, 0x0201, 0x0101, 0x0905, 0x3A3A], ids=hex)
def test_a_client_has_to_sign_as_the_server_asked(scheme: int) -> None:
    change = edit(tls12.CertificateVerify, lambda message: setattr(message, "algorithm", scheme))
    proof_is_refused(change, Reason.SCHEME_NOT_OFFERED, A.illegal_parameter)


@pytest.mark.parametrize(
    "kind, scheme", [("ecdsa", S.rsa_pss_rsae_sha256), ("rsa", S.ecdsa_secp256r1_sha256)]
)
def test_a_client_has_to_sign_as_its_key_can(kind: str, scheme: S) -> None:
    change = edit(tls12.CertificateVerify, lambda message: setattr(message, "algorithm", scheme))
    client = {"credentials": [credential(kind, "client")]}
    proof_is_refused(change, Reason.ILLEGAL_PARAMETER, A.illegal_parameter, client)


@pytest.mark.parametrize("authentication", [OPTIONAL, REQUIRED], ids=["optional", "required"])
def test_a_client_that_shows_a_certificate_has_to_prove_it(authentication: dict[str, Any]) -> None:
    """The ChangeCipherSpec comes where the CertificateVerify is due."""

    def keep_to_itself(_hs: object, message: Any) -> list[bytes]:
        return [] if isinstance(message, tls12.CertificateVerify) else [message.raw]

    client, server = client12(**SHOWN), server12(**authentication)
    server_refuses(
        keep_to_itself, Reason.UNEXPECTED_RECORD, A.unexpected_message, client=client, server=server
    )


def test_a_client_that_shows_nothing_proves_nothing() -> None:
    """A CertificateVerify without a certificate would be of nobody's key."""

    def prove(_hs: object, message: Any) -> list[bytes]:
        if not isinstance(message, tls12.ClientKeyExchange):
            return [message.raw]
        return [message.raw, tls12.CertificateVerify(S.ed25519, bytes(64)).encode()]

    client, server = client12(), server12(**OPTIONAL)
    server_refuses(prove, Reason.UNEXPECTED_MESSAGE, A.unexpected_message, client=client, server=server)


def test_a_certificate_that_nobody_asked_for_is_refused() -> None:
    def show(_hs: object, message: Any) -> list[bytes]:
        if not isinstance(message, tls12.ClientKeyExchange):
            return [message.raw]
        return [tls12.Certificate([*chain_of("ecdsa")]).encode(), message.raw]

    server_refuses(
        show, Reason.UNEXPECTED_MESSAGE, A.unexpected_message, client=client12(), server=server12()
    )


def test_a_proof_is_of_this_handshake() -> None:
    """The signature is of all messages so far, so that of another connection is of others."""
    seen: list[bytes] = []

    def keep(_hs: object, message: Any) -> list[bytes]:
        if isinstance(message, tls12.CertificateVerify):
            seen.append(message.raw)
        return [seen[0] if isinstance(message, tls12.CertificateVerify) else message.raw]

    first = rogue_client(keep, client12(**SHOWN, sessions=None)), ServerConnection(server12(**REQUIRED))
    pump(*first)
    assert first[1].handshake_complete
    proof_is_refused(keep, Reason.BAD_SIGNATURE, A.decrypt_error)
