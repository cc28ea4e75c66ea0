"""A TLS 1.3 connection from its ServerHello on, as an onlooker sees it (RFC 9846 figure 1).

                                             ServerHello
                                   {EncryptedExtensions}
                                   {CertificateRequest*}
                                          {Certificate*}
                                    {CertificateVerify*}
                       <--------              {Finished}
(EndOfEarlyData*)
{Certificate*}
{CertificateVerify*}
{Finished}             -------->
[Application Data]     <------->      [Application Data]
"""

from __future__ import annotations

from pellucid.codes import ExtensionType, NamedGroup, SignatureScheme, name_of
from pellucid.codes.names import names_of
from pellucid.crypto.suites import Suite
from pellucid.decode.certificates import Leaf
from pellucid.decode.checks import check_finished, check_signed
from pellucid.decode.compressed import CompressedCertificate, unpack
from pellucid.decode.early_data import hear_end_of_early_data, tell_early_data
from pellucid.decode.flow import Flow, Unheard, Watched, heard
from pellucid.decode.post13 import post_handshake
from pellucid.decode.raw_keys import judge_shown, read_types
from pellucid.decode.secrets13 import SIDES, given, install, no_secrets, tell_given, tell_keys_of
from pellucid.handshake.authenticate import CERTIFICATES
from pellucid.handshake.choose import protocol_text
from pellucid.handshake.proofs import certificate_verify_content
from pellucid.keys import finished_verify_data
from pellucid.messages import (
    Certificate,
    CertificateRawPublicKey,
    CertificateRequest,
    CertificateVerify,
    EncryptedExtensions,
    Extensions,
    Finished,
    ServerHello,
)
from pellucid.messages import extensions as ext
from pellucid.plain import plain
from pellucid.trace.events import Side, other_side

__all__ = ["flow13"]

_AnyCertificate = Certificate | CertificateRawPublicKey

#: The message in any form.
_CERTIFICATE = (Certificate, CertificateRawPublicKey, CompressedCertificate)


@plain(frozen=True)
class _Asked:
    """What the server's flight says of the client's: is there a Certificate in it, and early data before?"""

    certificate: bool = False
    early_data: bool = False


def flow13(w: Watched, suite: Suite, server_hello: ServerHello) -> Flow[None]:
    _tell_psk(w, server_hello)
    _tell_group(w, server_hello)
    _open_handshake(w, suite)
    asked = _Asked()
    try:
        asked = yield from _server_flight(w, suite, server_hello)
    except Unheard:
        if not w.is_sealed("server"):
            return  # it ended there
        w.whole = False
    _open_application(w, suite)
    try:
        yield from _client_flight(w, suite, asked)
    except Unheard:
        w.whole = False
    yield from post_handshake(w, suite)


def _server_flight(w: Watched, suite: Suite, server_hello: ServerHello) -> Flow[_Asked]:
    encrypted_extensions = yield from heard(w, "server", "WAIT_EE", EncryptedExtensions)
    _tell_alpn(w, encrypted_extensions.extensions)
    read_types(w, encrypted_extensions.extensions)
    early_data = tell_early_data(w, encrypted_extensions.extensions)
    if w.hears_early_data and not early_data:
        # What the server has refused nobody opens any more: it is passed over until the client's Finished.
        _open(w, suite, "client", skips=True)
    asked = False
    if ExtensionType.pre_shared_key not in server_hello.extensions:
        due = (CERTIFICATES[w.types.server], CompressedCertificate)
        message = yield from heard(w, "server", "WAIT_CERT_CR", *due, CertificateRequest)
        if isinstance(message, CertificateRequest):
            asked = True
            message = yield from heard(w, "server", "WAIT_CERT", *due)
        certificate = unpack(w, "server", message)
        leaf = None if certificate is None or w.skims else judge_shown(w, "server", _shown(certificate))
        scheme = yield from _verify(w, "server", leaf, is_read=certificate is not None)
        w.agreed["signature_scheme"] = name_of(scheme, SignatureScheme)
    yield from _finish(w, suite, "server")
    return _Asked(asked, early_data)


def _client_flight(w: Watched, suite: Suite, asked: _Asked) -> Flow[None]:
    if asked.early_data:
        yield from hear_end_of_early_data(w)
        if w.hears_early_data:
            _open(w, suite, "client")
    if not w.whole:
        return (yield from _unchecked_flight(w, suite))
    if asked.certificate:
        due = (CERTIFICATES[w.types.client], CompressedCertificate)
        message = yield from heard(w, "client", "WAIT_CERT", *due)
        yield from _authenticate_client(w, unpack(w, "client", message))
    yield from _finish(w, suite, "client")
    _complete(w, suite, asked=asked.certificate)
    return None


def _unchecked_flight(w: Watched, suite: Suite) -> Flow[None]:
    """The client's flight where not all of the server's was seen, so that no MAC can be computed."""
    message: object = None
    shown = False
    while not isinstance(message, Finished):
        kinds = (CERTIFICATES[w.types.client], CompressedCertificate, CertificateVerify, Finished)
        message = yield from heard(w, "client", "", *kinds, hashed=False)
        shown = shown or isinstance(message, _CERTIFICATE)
        if isinstance(message, _CERTIFICATE) and (certificate := unpack(w, "client", message)):
            judge_shown(w, "client", _shown(certificate))
    _complete(w, suite, asked=shown)


def _authenticate_client(w: Watched, certificate: _AnyCertificate | None) -> Flow[None]:
    """RFC 9846 4.5.1: a client that was asked may show no certificate, and then there is nothing to sign."""
    if certificate is None:
        w.agreed["mutual"] = True
        yield from _verify(w, "client", None, is_read=False)
        return
    leaf = judge_shown(w, "client", _shown(certificate))
    if certificate.certificate_list:
        yield from _verify(w, "client", leaf)


def _verify(
    w: Watched, whose: Side, leaf: Leaf | None, *, is_read: bool = True
) -> Flow[SignatureScheme | int]:
    """The CertificateVerify of ``whose``, checked if the certificate could be read; gives the scheme."""
    content = certificate_verify_content(whose, w.transcript.digest())
    verify = yield from heard(w, whose, "WAIT_CV", CertificateVerify)
    if is_read and not w.skims:
        check_signed(w, "certificate_verify", verify, leaf, whose, content)
    return verify.algorithm


def _shown(certificate: _AnyCertificate) -> tuple[bytes, ...]:
    """What it holds, DER. (What was compressed is read as certificates, which look the same.)"""
    if isinstance(certificate, CertificateRawPublicKey):
        return tuple(entry.ASN1_subjectPublicKeyInfo for entry in certificate.certificate_list)
    return tuple(entry.cert_data for entry in certificate.certificate_list)


def _finish(w: Watched, suite: Suite, side: Side) -> Flow[None]:
    """RFC 9846 4.5.3: the Finished of ``side``, made by it and checked by the other."""
    secret = given(w, f"{side}_handshake_traffic_secret") if w.whole else None
    transcript_hash = w.transcript.digest()
    if secret is not None:
        finished_verify_data(suite.hash_name, secret, transcript_hash, trace=w.view(side))
    finished = yield from heard(w, side, "WAIT_FINISHED", Finished)
    if secret is not None:
        listener = w.view(other_side(side))
        expected = finished_verify_data(suite.hash_name, secret, transcript_hash, trace=listener)
        check_finished(w, side, expected, finished.verify_data)


# -- keys


def _open_handshake(w: Watched, suite: Suite) -> None:
    """Both sides have the handshake's keys: open with those that are given."""
    for side in SIDES:
        for whose in SIDES:
            tell_given(w, side, f"{whose}_handshake_traffic_secret")
    _open(w, suite, "server")
    # A client whose early data is being read goes on with that; its turn comes when the server has answered.
    if not w.hears_early_data:
        _open(w, suite, "client", skips=w.offers_early_data)


def _open(w: Watched, suite: Suite, side: Side, *, skips: bool = False) -> None:
    name = f"{side}_handshake_traffic_secret"
    secret = given(w, name)
    if secret is None:
        w.seal_from_next(side, "no_secrets", no_secrets(w, name))
        return
    keys = install(w, side, "handshake", suite, secret, skips=skips)
    tell_keys_of(w, "server", "write" if side == "server" else "read", "handshake", suite, keys)
    tell_keys_of(w, "client", "write" if side == "client" else "read", "handshake", suite, keys)


def _open_application(w: Watched, suite: Suite) -> None:
    """Behind the server's Finished: it uses its keys of the application; a client that goes on has them."""
    _tell_application_secrets(w, "server")
    w.tell_when_heard("client", lambda: _tell_application_secrets(w, "client"))
    if w.is_sealed("server"):
        return
    name = "server_application_traffic_secret_0"
    secret = given(w, name)
    if secret is None:
        w.seal_from_next("server", "no_secrets", no_secrets(w, name))
        return
    keys = install(w, "server", "application", suite, secret)
    tell_keys_of(w, "server", "write", "application", suite, keys)
    w.tell_when_heard("client", lambda: tell_keys_of(w, "client", "read", "application", suite, keys))
    w.let_run("server")


def _tell_application_secrets(w: Watched, side: Side) -> None:
    for name in ("client_application_traffic_secret_0", "server_application_traffic_secret_0"):
        tell_given(w, side, name)
    tell_given(w, side, "exporter_secret")


def _complete(w: Watched, suite: Suite, *, asked: bool) -> None:
    """Behind the client's Finished: its own keys of the application, and both sides are connected.

    But for one to whom the other's Finished does not fit. A server that has asked who the client is has still
    to judge the certificate: what it sends next shows how it did.
    """
    w.is_heard_out = True
    name = "client_application_traffic_secret_0"
    secret = given(w, name)
    keys = None if secret is None else install(w, "client", "application", suite, secret)
    for side in SIDES:
        if keys is not None:
            tell_keys_of(w, side, "write" if side == "client" else "read", "application", suite, keys)
        if other_side(side) not in w.refuted and not (asked and side == "server"):
            w.connected(side)
    if keys is None:
        w.seal_from_next("client", "no_secrets", no_secrets(w, name))


# -- what was chosen


def _tell_psk(w: Watched, server_hello: ServerHello) -> None:
    offered = w.hello.extensions.find(ext.OfferedPsks) if w.hello else None
    selected = server_hello.extensions.find(ext.SelectedPsk)
    if offered is None:
        return
    # A ticket and an external PSK look alike from outside, and nearly all are tickets.
    w.agreed["resumed"] = selected is not None
    if selected is not None and selected.selected_identity < len(offered.identities):
        seen = w.sessions.find("PSK", offered.identities[selected.selected_identity].identity)
        w.agreed["mutual"] = seen is not None and seen.mutual
    w.view("client").choice(
        what="psk",
        ours=[f"PSK {index}" for index in range(len(offered.identities))],
        chosen=f"PSK {selected.selected_identity}" if selected else "none",
        rule="the server chose it",
    )


def _tell_group(w: Watched, server_hello: ServerHello) -> None:
    share = server_hello.extensions.find(ext.KeyShareServerHello)
    if share is None:
        return  # a PSK alone
    offered = w.hello.extensions.find(ext.NamedGroupList) if w.hello else None
    w.agreed["group"] = name_of(share.server_share.group, NamedGroup)
    w.view("client").choice(
        what="group",
        ours=names_of(offered.named_group_list if offered else [], NamedGroup),
        chosen=w.agreed["group"],
        rule="the server chose it",
    )


def _tell_alpn(w: Watched, extensions: Extensions) -> None:
    answer = extensions.find(ext.ProtocolNameList)
    if answer is None:
        return
    offered = w.hello.extensions.find(ext.ProtocolNameList) if w.hello else None
    w.agreed["alpn"] = ", ".join(protocol_text(name) for name in answer.protocol_name_list)
    w.view("client").choice(
        what="alpn",
        ours=[protocol_text(name) for name in (offered.protocol_name_list if offered else [])],
        chosen=w.agreed["alpn"],
        rule="the server chose it",
    )
