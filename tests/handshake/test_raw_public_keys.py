"""Raw public keys (RFC 7250) between our own two sides: what is agreed on, shown, told and resumed."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from loopback import (
    NAME,
    NOW,
    client_config,
    connect_pair,
    credential,
    laboratory,
    pump,
    server_config,
    shake_hands,
)
from meeting import Meeting
from raw_keys import RAW, X509, asking, raw_client, raw_credential, raw_server, showing, spki, trusting
from rogue import client_refuses, honest, server_refuses

from pellucid import Credential, Trace, TrustStore
from pellucid.codes import AlertDescription, ExtensionType
from pellucid.codes import SignatureScheme as S
from pellucid.errors import CertificateRejected, PeerIncompatible, Reason
from pellucid.identity.raw_keys import VerifiedKey
from pellucid.messages import (
    Certificate,
    CertificateRawPublicKey,
    CertificateRequest,
    ClientHello,
    EncryptedExtensions,
    ServerHello,
    decode_handshake,
    tls12,
)
from pellucid.messages import extensions as ext
from pellucid.result import Negotiated
from pellucid.trace.events import CheckEvent, ChoiceEvent, MessageEvent
from pellucid.trace.narration import narrate
from pellucid.trace.summary import summarise

A = AlertDescription
V12, V13 = {"protocols": ["TLSv1.2"]}, {"protocols": ["TLSv1.3"]}
each_version = pytest.mark.parametrize("version", [V13, V12], ids=["1.3", "1.2"])
KINDS = ["ecdsa", "rsa", "ed25519", "ecdsa_p384"]
each_kind = pytest.mark.parametrize("kind", KINDS)


def agree(client: Any, server: Any, name: str | None = NAME) -> tuple[Negotiated, Negotiated]:
    pair = connect_pair(client, server, name)
    pump(*pair)
    assert pair[0].negotiated is not None
    assert pair[1].negotiated is not None
    return pair[0].negotiated, pair[1].negotiated


def messages(trace: Trace, side: str) -> dict[str, Any]:
    """The class of each message that ``side`` has sent, by its name."""
    sent = (
        e for e in trace.events if isinstance(e, MessageEvent) and (e.side, e.direction) == (side, "sent")
    )
    return {event.name: event for event in sent}


# -- the server


@each_version
@each_kind
def test_a_server_is_known_by_its_key(version: dict[str, Any], kind: str) -> None:
    client, server = agree(raw_client(kind, **version), raw_server(kind, **version))
    assert client.peer_raw_public_key == spki(kind)
    assert client.peer_chain == ()
    assert isinstance(client.peer_identity, VerifiedKey)
    assert (client.mutual, server.mutual) == (False, False)


@each_version
@each_kind
def test_a_client_is_known_by_its_key(version: dict[str, Any], kind: str) -> None:
    found = agree(client_config(**showing(kind), **version), server_config(**asking(kind), **version))
    assert [one.mutual for one in found] == [True, True]
    assert found[1].peer_raw_public_key == spki(kind, "client")
    assert found[1].peer_chain == ()
    assert found[0].peer_chain == credential().chain


@each_version
def test_both_may_do_without_certificates(version: dict[str, Any]) -> None:
    client, server = agree(
        raw_client(**showing("ed25519"), **version), raw_server(**asking("ed25519"), **version)
    )
    assert client.peer_raw_public_key == spki()
    assert server.peer_raw_public_key == spki("ed25519", "client")


@pytest.mark.parametrize("trusted", [False, True])
def test_a_key_serves_for_rsa_key_exchange(trusted: bool) -> None:
    suite = {"cipher_suites": ["TLS_RSA_WITH_AES_128_GCM_SHA256"]}
    trust = trusting(spki("rsa") if trusted else spki("ecdsa"))
    client, server = raw_client("rsa", trust=trust, **suite), raw_server("rsa", **suite)
    if trusted:
        assert agree(client, server)[0].peer_raw_public_key == spki("rsa")
    else:
        refused = Reason.RAW_KEY_NOT_TRUSTED, A.certificate_unknown
        client_refuses(honest, *refused, client=client, server=server)


@each_version
def test_a_client_that_knows_the_key_needs_no_name(version: dict[str, Any]) -> None:
    client, server = agree(raw_client(**version), raw_server(**version), None)
    assert client.server_name is None
    assert server.server_name is None


@each_version
def test_a_client_without_a_name_takes_no_certificate(version: dict[str, Any]) -> None:
    both = {"peer_certificate_types": [RAW, X509], "trust": trusting(spki(), roots=True)}
    pair = connect_pair(raw_client(**both, **version), server_config(**version), None)
    with pytest.raises(PeerIncompatible, match="no name to verify") as caught:
        pump(*pair)
    assert caught.value.reason is Reason.NO_SUITABLE_CERTIFICATE


@each_version
@each_kind
def test_a_key_may_be_elsewhere(version: dict[str, Any], kind: str) -> None:
    """An HSM that has a device's only key signs like any other."""
    key = raw_credential(kind)
    asked: list[S] = []

    def sign(scheme: S, data: bytes) -> bytes:
        asked.append(scheme)
        return key.sign(scheme, data, tls12=version is V12)

    public_pem = key._public_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    elsewhere = Credential.from_raw_key(public_pem, sign=sign)
    found, _ = agree(raw_client(kind, **version), raw_server(credentials=[elsewhere], **version))
    assert found.peer_raw_public_key == spki(kind)
    assert asked == [found.signature_scheme]
    assert not elsewhere.can_decrypt


# -- which of the two


@each_version
@pytest.mark.parametrize(
    "offered, has, chosen",
    [
        ([RAW], [RAW, X509], RAW),
        ([RAW], [X509, RAW], RAW),
        ([X509], [RAW, X509], X509),
        ([RAW, X509], [RAW], RAW),
        ([RAW, X509], [X509], X509),
        ([RAW, X509], [X509, RAW], RAW),
        ([X509, RAW], [RAW, X509], X509),
    ],
)
def test_a_server_shows_what_the_client_likes_best(
    version: dict[str, Any], offered: list[str], has: list[str], chosen: str
) -> None:
    kinds = {RAW: raw_credential(), X509: credential()}
    client = raw_client(trust=trusting(spki(), roots=True), peer_certificate_types=offered, **version)
    server = server_config(credentials=[kinds[one] for one in has], **version)
    found, _ = agree(client, server)
    assert bool(found.peer_raw_public_key) is (chosen == RAW)
    assert bool(found.peer_chain) is (chosen == X509)


@each_version
@pytest.mark.parametrize("accepted", [[RAW, X509], [X509, RAW]])
def test_a_server_is_shown_what_it_likes_best(version: dict[str, Any], accepted: list[str]) -> None:
    has = {"credentials": [credential(purpose="client"), raw_credential(whose="client")]}
    trust = trusting(spki(whose="client"), roots=True)
    server = server_config(**asking(trust=trust, peer_certificate_types=accepted), **version)
    _, found = agree(client_config(**has, **version), server)
    assert bool(found.peer_raw_public_key) is (accepted[0] == RAW)


@each_version
def test_the_key_that_the_client_can_verify_is_shown(version: dict[str, Any]) -> None:
    """A key of the kind that it likes, but with no signature that it knows, gives way to a certificate."""
    client = raw_client(
        trust=trusting(spki("ed25519"), roots=True),
        peer_certificate_types=[RAW, X509],
        signature_schemes=["ecdsa_secp256r1_sha256"],
        **version,
    )
    server = server_config(credentials=[raw_credential("ed25519"), credential()], **version)
    assert agree(client, server)[0].peer_chain == credential().chain


def test_of_several_keys_the_one_for_the_name_is_shown() -> None:
    other = raw_credential("ed25519", names=("other.example",))
    named = raw_credential(names=(NAME,))
    server = server_config(credentials=[other, named], strict_server_name=True)
    client = raw_client(trust=trusting(spki(), spki("ed25519")))
    assert agree(client, server)[0].peer_raw_public_key == spki()


def test_a_strict_server_refuses_a_name_that_its_key_is_not_for() -> None:
    """RFC 9846 F.9: what helps against misbinding where the key itself is for no name."""
    server = raw_server(credentials=[raw_credential(names=("other.example",))], strict_server_name=True)
    client = raw_client()
    server_refuses(honest, Reason.UNRECOGNIZED_NAME, A.unrecognized_name, client=client, server=server)


# -- nothing in common


@each_version
def test_a_server_without_a_certificate_for_a_client_that_takes_nothing_else(version: dict[str, Any]) -> None:
    error = server_refuses(
        honest,
        Reason.NO_SHARED_CERTIFICATE_TYPE,
        A.unsupported_certificate,
        client=client_config(**version),
        server=raw_server(**version),
    )
    assert error.detail == "server_certificate_type: the client takes X509; we have RawPublicKey"


@each_version
def test_a_server_without_a_key_for_a_client_that_takes_nothing_else(version: dict[str, Any]) -> None:
    refused = Reason.NO_SHARED_CERTIFICATE_TYPE, A.unsupported_certificate
    server_refuses(honest, *refused, client=raw_client(**version), server=server_config(**version))


def test_nothing_in_common_is_found_before_another_round_trip() -> None:
    trace = Trace()
    server_refuses(
        honest,
        Reason.NO_SHARED_CERTIFICATE_TYPE,
        A.unsupported_certificate,
        client=client_config(key_shares=["x25519"], groups=["x25519", "secp256r1"]),
        server=raw_server(groups=["secp256r1"], trace=trace),
    )
    assert messages(trace, "server") == {}


@each_version
@pytest.mark.parametrize("shown", [{}, {"credentials": [credential(purpose="client")]}], ids=["none", "X509"])
def test_a_client_without_the_key_that_it_must_show(version: dict[str, Any], shown: dict[str, Any]) -> None:
    error = server_refuses(
        honest,
        Reason.NO_SHARED_CERTIFICATE_TYPE,
        A.unsupported_certificate,
        client=client_config(**shown, **version),
        server=server_config(**asking(), **version),
    )
    assert error.detail == "client_certificate_type: the client has X509; we accept RawPublicKey"


@each_version
def test_a_client_that_need_not_show_a_key_is_not_asked(version: dict[str, Any]) -> None:
    """RFC 7250 4.2: where no type "match[es]" the extension and the request are left out."""
    trace = Trace()
    server = server_config(**asking(client_authentication="optional"), **version, trace=trace)
    _, found = agree(client_config(**version), server)
    assert not found.mutual
    assert "CertificateRequest" not in messages(trace, "server")


@each_version
def test_a_client_whose_key_is_not_wanted_shows_none(version: dict[str, Any]) -> None:
    trust = laboratory().trust
    server = server_config(client_authentication="optional", trust=trust, **version)
    client = client_config(credentials=[raw_credential(whose="client")], **version)
    found = agree(client, server)
    assert [one.mutual for one in found] == [False, False]


@each_version
def test_a_key_that_is_not_on_the_list_is_refused(version: dict[str, Any]) -> None:
    refused = Reason.RAW_KEY_NOT_TRUSTED, A.certificate_unknown
    other = trusting(spki("ed25519"))
    error = client_refuses(
        honest, *refused, client=raw_client(trust=other, **version), server=raw_server(**version)
    )
    assert "1 pinned key" in error.detail
    client = client_config(**showing(), **version)
    server_refuses(honest, *refused, client=client, server=server_config(**asking(trust=other), **version))


# -- on the wire


@each_version
def test_nobody_speaks_of_it_unless_it_is_wanted(version: dict[str, Any]) -> None:
    trace = Trace()
    server = server_config(client_authentication="optional", **version)
    shake_hands(client_config(credentials=[credential(purpose="client")], trace=trace, **version), server)
    hello = decode_handshake(messages(trace, "client")["ClientHello"].raw)
    assert isinstance(hello, ClientHello)
    types = {ExtensionType.client_certificate_type, ExtensionType.server_certificate_type}
    assert types.isdisjoint(hello.extensions)


def test_a_client_says_what_it_can_show_and_what_it_takes() -> None:
    both = [raw_credential(whose="client"), credential(purpose="client")]
    trace = Trace()
    shake_hands(raw_client(credentials=both, trace=trace), raw_server())
    hello = decode_handshake(messages(trace, "client")["ClientHello"].raw)
    assert isinstance(hello, ClientHello)
    shown = hello.extensions.find(ext.ClientCertTypeOffer)
    taken = hello.extensions.find(ext.ServerCertTypeOffer)
    assert shown == ext.ClientCertTypeOffer([2, 0])
    assert taken == ext.ServerCertTypeOffer([2])


def test_the_server_answers_in_encrypted_extensions() -> None:
    trace = Trace()
    shake_hands(raw_client(**showing()), raw_server(**asking(), trace=trace))
    sent = messages(trace, "server")
    answers = decode_handshake(sent["EncryptedExtensions"].raw)
    assert isinstance(answers, EncryptedExtensions)
    assert answers.extensions.find(ext.ServerCertTypeAnswer) == ext.ServerCertTypeAnswer(2)
    assert answers.extensions.find(ext.ClientCertTypeAnswer) == ext.ClientCertTypeAnswer(2)
    request = decode_handshake(sent["CertificateRequest"].raw)
    assert isinstance(request, CertificateRequest)
    assert ExtensionType.certificate_authorities not in request.extensions
    certificate = CertificateRawPublicKey.decode(sent["Certificate"].raw)
    assert [entry.ASN1_subjectPublicKeyInfo for entry in certificate.certificate_list] == [spki()]


def test_the_server_of_tls_1_2_answers_in_its_hello() -> None:
    trace = Trace()
    shake_hands(raw_client(**showing(), **V12), raw_server(**asking(), **V12, trace=trace))
    sent = messages(trace, "server")
    answers = decode_handshake(sent["ServerHello"].raw)
    assert isinstance(answers, ServerHello)
    assert answers.extensions.find(ext.ServerCertTypeAnswer) == ext.ServerCertTypeAnswer(2)
    assert answers.extensions.find(ext.ClientCertTypeAnswer) == ext.ClientCertTypeAnswer(2)
    # RFC 7250 3: no list, as there is with certificates.
    assert sent["Certificate"].raw[4:] == len(spki()).to_bytes(3, "big") + spki()
    assert tls12.CertificateRequest.decode(sent["CertificateRequest"].raw).certificate_authorities == []


@each_version
def test_a_server_that_asks_nobody_says_nothing_of_the_client(version: dict[str, Any]) -> None:
    """RFC 7250 4.2: "the client_certificate_type payload in the server hello MUST be omitted"."""
    trace = Trace()
    shake_hands(raw_client(**showing(), **version), raw_server(**version, trace=trace))
    name = "EncryptedExtensions" if version is V13 else "ServerHello"
    message = decode_handshake(messages(trace, "server")[name].raw)
    assert ExtensionType.client_certificate_type not in message.extensions  # type: ignore[attr-defined]


def test_a_raw_key_leaves_the_names_of_authorities_alone() -> None:
    """A credential of another kind that does not fit the authorities named is still no worse for that."""
    trace = Trace()
    trust = trusting(spki(), roots=True)
    client = raw_client(trust=trust, send_certificate_authorities=True, trace=trace)
    assert agree(client, raw_server())[0].peer_raw_public_key == spki()


# -- sessions


@each_version
@pytest.mark.parametrize("kind", ["ticket", "session ID"])
def test_a_session_remembers_both_keys(version: dict[str, Any], kind: Any) -> None:
    if version is V13 and kind != "ticket":
        return  # TLS 1.3 has tickets alone
    client = {"trust": trusting(spki()), "peer_certificate_types": [RAW], **showing("ed25519"), **version}
    server = {"credentials": [raw_credential()], **asking("ed25519"), **version}
    meeting = Meeting(kind, client, server)
    assert not meeting.resumes()
    pair = meeting.meet()
    found = pair[0].negotiated, pair[1].negotiated
    assert found[0] is not None
    assert found[1] is not None
    assert (found[0].resumed, found[1].resumed) == (True, True)
    assert found[0].peer_raw_public_key == spki()
    assert found[1].peer_raw_public_key == spki("ed25519", "client")
    assert (found[0].mutual, found[1].mutual) == (True, True)


@each_version
def test_a_session_does_not_outlive_our_trust_in_the_key(version: dict[str, Any]) -> None:
    knobs = {**asking("ed25519", client_authentication="optional"), **version}
    meeting = Meeting("ticket", {**showing("ed25519"), **version}, knobs)
    assert not meeting.resumes()
    assert meeting.resumes()
    client, server = meeting.pair(server={"trust": trusting(spki("rsa", "client"))})
    with pytest.raises(CertificateRejected) as caught:
        pump(client, server)
    # Not resumed: the key was asked for anew, and is not on the list any more.
    assert caught.value.reason is Reason.RAW_KEY_NOT_TRUSTED


@each_version
def test_a_session_with_a_key_is_not_resumed_where_only_certificates_are_taken(
    version: dict[str, Any],
) -> None:
    knobs = {**asking("ed25519", client_authentication="optional"), **version}
    meeting = Meeting("ticket", {**showing("ed25519"), **version}, knobs)
    assert not meeting.resumes()
    trust = trusting(spki("ed25519", "client"), roots=True)
    assert not meeting.resumes(server={"peer_certificate_types": [X509], "trust": trust})


def test_a_client_resumes_no_session_with_a_key_that_it_does_not_take_any_more() -> None:
    meeting = Meeting("ticket", {"trust": trusting(spki(), roots=True)}, {})
    server = {"credentials": [raw_credential(), credential()]}
    raw = {"peer_certificate_types": [RAW]}
    assert not meeting.resumes(raw, server)
    assert meeting.resumes(raw, server)
    assert not meeting.resumes({"peer_certificate_types": [X509]}, server)


# -- told


@each_version
def test_it_is_told_as_it_is(version: dict[str, Any]) -> None:
    trace = Trace()
    shake_hands(
        raw_client(**showing("ed25519"), **version, trace=trace),
        raw_server(**asking("ed25519"), **version, trace=trace),
    )
    choices = {(e.side, e.what): e.chosen for e in trace.events if isinstance(e, ChoiceEvent)}
    for side in ("client", "server"):
        assert choices[side, "server_certificate_type"] == RAW
        assert choices[side, "client_certificate_type"] == RAW
    checks = {e.side: e for e in trace.events if isinstance(e, CheckEvent) and e.what == "raw_public_key"}
    assert checks["client"].found == raw_credential().subject
    assert checks["server"].found == raw_credential("ed25519", "client").subject
    steps = [step.id for step in narrate(trace.events)]
    assert "message:Certificate:raw:server" in steps
    assert "message:Certificate:raw:client" in steps
    assert sum(step.startswith("check:raw_public_key") for step in steps) == 2
    assert not any(step.startswith("certificate:") for step in steps)
    summary = summarise(trace.events)
    assert summary.server_key == raw_credential().subject
    assert summary.client_key == raw_credential("ed25519", "client").subject


def test_a_refused_key_is_told_with_its_pin() -> None:
    trace = Trace()
    client = raw_client(trust=trusting(spki("ed25519")), trace=trace)
    error = client_refuses(
        honest, Reason.RAW_KEY_NOT_TRUSTED, A.certificate_unknown, client=client, server=raw_server()
    )
    pin = raw_credential().subject.removeprefix("raw public key ")
    assert pin in error.detail
    (check,) = [e for e in trace.events if isinstance(e, CheckEvent) and e.what == "raw_public_key"]
    assert (check.ok, check.found) == (False, error.detail)


def test_the_message_of_a_key_reads_as_one() -> None:
    trace = Trace()
    shake_hands(raw_client(trace=trace), raw_server())
    (received,) = [e for e in trace.events if isinstance(e, MessageEvent) and e.name == "Certificate"]
    assert received.cls is CertificateRawPublicKey
    assert received.cls is not Certificate
    names = [field.name for field in received.fields]
    assert "certificate_list" in names


def test_what_trusts_a_key_trusts_it_at_any_time() -> None:
    client = raw_client(clock=lambda: NOW + 10 * 365 * 86_400)
    identity = agree(client, raw_server())[0].peer_identity
    assert identity is not None
    assert (identity.begins_at, identity.expires_at) == (float("-inf"), float("inf"))
    assert identity.names == ()
    assert isinstance(client.trust, TrustStore)
