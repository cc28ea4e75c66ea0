"""Raw public keys (RFC 7250) where they must not be: unasked, in the place of certificates, two, or garbled.

A key says neither whose it is nor until when it is good, so that whoever takes one by mistake has checked
nothing. It is taken only by a configuration that asks for it, only if the extension was agreed on, and only
if it is on the list.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from loopback import NOW, client_config, credential, laboratory, server_config
from raw_keys import RAW, X509, asking, raw_client, raw_credential, raw_server, showing, spki, trusting
from rogue import client_refuses, edit, honest, replace, server_refuses
from rogue12 import client_of, refused12

from pellucid import ClientConfig, ServerConfig
from pellucid.codes import AlertDescription, CertificateType, ExtensionType
from pellucid.errors import CertificateRejected, Misuse, Reason
from pellucid.identity.raw_keys import verify_raw_key
from pellucid.messages import (
    Certificate,
    CertificateRawPublicKey,
    ClientHello,
    EncryptedExtensions,
    Extensions,
    RawPublicKeyEntry,
    ServerHello,
    tls12,
)
from pellucid.messages import extensions as ext

A, T = AlertDescription, CertificateType
V12, V13 = {"protocols": ["TLSv1.2"]}, {"protocols": ["TLSv1.3"]}
each_version = pytest.mark.parametrize("version", [V13, V12], ids=["1.3", "1.2"])
UNASKED = Reason.UNSOLICITED_EXTENSION, A.unsupported_extension
ILLEGAL = Reason.ILLEGAL_PARAMETER, A.illegal_parameter


def answering(body: ext.ExtensionBody) -> Callable[[Any], object]:
    return lambda message: message.extensions.add(body)


# -- unasked


@pytest.mark.parametrize(
    "answer", [ext.ServerCertTypeAnswer(T.RawPublicKey), ext.ClientCertTypeAnswer(T.RawPublicKey)]
)
def test_a_client_that_did_not_speak_of_it_takes_no_answer(answer: ext.ExtensionBody) -> None:
    client_refuses(edit(EncryptedExtensions, answering(answer)), *UNASKED)
    refused12("client", *UNASKED, edit(ServerHello, answering(answer)), client=client_of(sessions=None))


def test_a_key_in_the_place_of_a_certificate_is_no_certificate() -> None:
    """Also where the key is one that the trust store has: without the extension it was not agreed on."""
    trust = trusting(spki(), roots=True)
    body = CertificateRawPublicKey(b"", [RawPublicKeyEntry(spki(), Extensions())]).encode()[4:]
    refused = Reason.BAD_CERTIFICATE, A.bad_certificate
    client_refuses(
        replace(Certificate, lambda _: body),
        *refused,
        client=client_config(trust=trust),
        server=server_config(credentials=[credential()]),
    )


def test_a_key_in_the_place_of_a_certificate_of_tls_1_2_cannot_be_read() -> None:
    body = len(spki()).to_bytes(3, "big") + spki()
    refused = Reason.MALFORMED, A.decode_error
    client = client_of(sessions=None, trust=trusting(spki(), roots=True))
    refused12("client", *refused, replace(tls12.Certificate, lambda _: body), client=client)


def test_a_certificate_in_the_place_of_a_key_is_no_key() -> None:
    """Not even if its own key is on the list: what was agreed on is the key alone."""
    leaf = credential()
    body = Certificate.decode(_certificate_of(leaf.chain[0])).encode()[4:]
    client_refuses(
        replace(CertificateRawPublicKey, lambda _: body),
        Reason.RAW_KEY_NOT_TRUSTED,
        A.certificate_unknown,
        client=raw_client(),
        server=raw_server(),
    )


def _certificate_of(der: bytes) -> bytes:
    entry = len(der).to_bytes(3, "big") + der + bytes(2)
    body = b"\x00" + len(entry).to_bytes(3, "big") + entry
    return b"\x0b" + len(body).to_bytes(3, "big") + body


# -- not what was offered


@pytest.mark.parametrize("wrong", [T.X509, T.OpenPGP, 0xE0])
def test_an_answer_that_was_not_offered_is_refused(wrong: int) -> None:
    def change(message: Any) -> None:
        message.extensions.add(ext.ServerCertTypeAnswer(wrong))

    client_refuses(edit(EncryptedExtensions, change), *ILLEGAL, client=raw_client(), server=raw_server())
    refused12(
        "client", *ILLEGAL, edit(ServerHello, change), client=raw_client(**V12), server=raw_server(**V12)
    )


def test_a_server_may_not_want_what_the_client_cannot_show() -> None:
    change = answering(ext.ClientCertTypeAnswer(T.X509))
    config = {"client": client_config(**showing()), "server": server_config(**asking())}
    client_refuses(edit(EncryptedExtensions, change), *ILLEGAL, **config)


def test_a_server_that_does_not_answer_shows_certificates() -> None:
    def forget(message: Any) -> None:
        message.extensions.pop(ExtensionType.server_certificate_type)

    client_refuses(
        edit(EncryptedExtensions, forget),
        Reason.NO_SHARED_CERTIFICATE_TYPE,
        A.unsupported_certificate,
        client=raw_client(),
        server=raw_server(),
    )


@pytest.mark.parametrize("offer", [[T.OpenPGP], [0x1A, 0xE0], [T.OpenPGP, 3, 255]])
def test_kinds_that_we_do_not_have_are_nothing_in_common(offer: list[int]) -> None:
    def change(message: Any) -> None:
        message.extensions.add(ext.ServerCertTypeOffer(offer))

    refused = Reason.NO_SHARED_CERTIFICATE_TYPE, A.unsupported_certificate
    server_refuses(edit(ClientHello, change), *refused, server=server_config())


def test_a_list_of_no_kinds_cannot_be_read() -> None:
    def change(message: Any) -> None:
        message.extensions[ExtensionType.server_certificate_type] = ext.UnknownExtension(b"\x00")

    server_refuses(edit(ClientHello, change), Reason.MALFORMED, A.decode_error, server=raw_server())


# -- keys that are none, or too many


def test_two_keys_are_refused() -> None:
    """RFC 9846 4.5.1: "no more than one CertificateEntry"."""

    def twice(message: CertificateRawPublicKey) -> None:
        message.certificate_list.append(message.certificate_list[0])

    client_refuses(edit(CertificateRawPublicKey, twice), *ILLEGAL, client=raw_client(), server=raw_server())


def test_a_server_that_shows_no_key_is_refused() -> None:
    refused = Reason.EMPTY_CERTIFICATE, A.decode_error
    client_refuses(
        edit(CertificateRawPublicKey, lambda message: message.certificate_list.clear()),
        *refused,
        client=raw_client(),
        server=raw_server(),
    )
    tamper = replace(tls12.CertificateRawPublicKey, lambda _: bytes(3))
    refused12("client", *refused, tamper, client=raw_client(**V12), server=raw_server(**V12))


@each_version
def test_a_client_that_has_to_show_a_key_and_shows_none(version: dict[str, Any]) -> None:
    client, server = client_config(**showing(), **version), server_config(**asking(), **version)
    reason = Reason.CLIENT_CERTIFICATE_MISSING
    if version is V12:
        tamper = replace(tls12.CertificateRawPublicKey, lambda _: bytes(3))
        refused12("server", reason, A.handshake_failure, tamper, client=client, server=server)
    else:
        empty = edit(CertificateRawPublicKey, lambda message: message.certificate_list.clear())
        server_refuses(empty, reason, A.certificate_required, client=client, server=server)


@each_version
def test_another_s_key_does_not_help_who_lacks_its_private_half(version: dict[str, Any]) -> None:
    """Anybody can send a key that is on the list: what counts is the signature."""
    other = spki(whose="other")
    trusted = {"client": raw_client(trust=trusting(other), **version), "server": raw_server(**version)}
    refused = Reason.BAD_SIGNATURE, A.decrypt_error
    if version is V12:
        tamper = replace(tls12.CertificateRawPublicKey, lambda _: len(other).to_bytes(3, "big") + other)
        refused12("client", *refused, tamper, **trusted)
        return

    def change(message: CertificateRawPublicKey) -> None:
        message.certificate_list[0].ASN1_subjectPublicKeyInfo = other

    client_refuses(edit(CertificateRawPublicKey, change), *refused, **trusted)


# -- the list


@pytest.mark.parametrize("junk", [b"\x30", b"\x30\x80", b"\x04\x01\x00", bytes(100), b"\x30\x03\x02\x01\x00"])
def test_what_is_not_on_the_list_is_not_even_parsed(junk: bytes) -> None:
    with pytest.raises(CertificateRejected) as caught:
        verify_raw_key(junk, trusting(spki()))
    assert caught.value.reason is Reason.RAW_KEY_NOT_TRUSTED


def test_a_pinned_authority_does_not_vouch_for_a_key() -> None:
    """Pins are for paths; a key has none, so it has to be pinned itself."""
    trust = trusting(spki(), roots=True).pinned_to([spki(whose="other")])
    with pytest.raises(CertificateRejected) as caught:
        verify_raw_key(spki(), trust)
    assert caught.value.reason is Reason.KEY_NOT_PINNED
    assert verify_raw_key(spki(), trusting(spki()).pinned_to([spki()])).raw_public_key == spki()


@pytest.mark.parametrize(
    "build, knob",
    [
        (lambda: ClientConfig(peer_certificate_types=[RAW]), "trust"),
        (lambda: ClientConfig(peer_certificate_types=[RAW], trust=laboratory().trust), "trust"),
        (lambda: server_config(**asking(trust=None)), "trust"),
        (lambda: server_config(**asking(trust=laboratory().trust)), "trust"),
        (lambda: server_config(**asking(), allowed_clients=_allowed()), "allowed_clients"),
        (lambda: raw_client(peer_certificate_types=["OpenPGP"]), "peer_certificate_types"),
        (lambda: raw_client(peer_certificate_types=[]), "peer_certificate_types"),
        (lambda: raw_client(peer_certificate_types=[RAW, RAW]), "peer_certificate_types"),
    ],
)
def test_a_configuration_that_would_check_nothing_is_refused(build: Callable[[], Any], knob: str) -> None:
    with pytest.raises(Misuse) as caught:
        build()
    assert caught.value.reason is Reason.BAD_CONFIGURATION
    assert caught.value.detail.startswith(f"{knob}: ")


def _allowed() -> Any:
    from pellucid.identity.allow import AllowedClients

    return AllowedClients(dns=["client.example"])


def test_a_list_of_keys_alone_is_no_wish_for_raw_keys() -> None:
    """Who pins the key of a certificate still wants the certificate, with its name and its dates."""
    trust = trusting(spki())
    config = ClientConfig(trust=trust, clock=lambda: NOW)
    assert [str(one) for one in config.accepted_types] == [X509]
    server = ServerConfig(credentials=[raw_credential()])
    refused = Reason.NO_SHARED_CERTIFICATE_TYPE, A.unsupported_certificate
    server_refuses(honest, *refused, client=config, server=server)


def test_nobody_staples_for_a_key() -> None:
    with pytest.raises(Misuse, match="no issuer"):
        raw_credential().with_staple(b"\x30\x00")
