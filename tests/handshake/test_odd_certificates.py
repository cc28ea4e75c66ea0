"""Certificates as they are found: made in a hurry and trusted by name, or with parts that nobody can read."""

from __future__ import annotations

import datetime as dt
from functools import cache
from ipaddress import ip_address
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtensionOID, NameOID
from loopback import NAME, NOW, client_config, connect_pair, pump, server_config

from pellucid import CertificateRejected, Credential, Reason, TLSError, Trace, TrustStore
from pellucid.codes import AlertDescription
from pellucid.errors import AlertReceived

KEY = ec.derive_private_key(0x5EED, ec.SECP256R1())
CA_KEY = ec.derive_private_key(0xCA5EED, ec.SECP256R1())
DAYS = 30


def name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def builder(subject: str | x509.Name, issuer: str, key: Any) -> x509.CertificateBuilder:
    start = dt.datetime.fromtimestamp(NOW - 3600, dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name(subject) if isinstance(subject, str) else subject)
        .issuer_name(name(issuer))
        .public_key(key.public_key())
        .serial_number(4711)
        .not_valid_before(start)
        .not_valid_after(start + dt.timedelta(days=DAYS))
    )


# -- `openssl req -x509`


@cache
def made_in_a_hurry() -> Credential:
    """As `openssl req -x509 -addext subjectAltName=...` makes it: a CA, with no word about its use."""
    identifier = x509.SubjectKeyIdentifier.from_public_key(KEY.public_key())
    authority = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)
    names = x509.SubjectAlternativeName([x509.DNSName(NAME), x509.IPAddress(ip_address("127.0.0.1"))])
    certificate = (
        builder("made in a hurry", "made in a hurry", KEY)
        .add_extension(identifier, critical=False)
        .add_extension(authority, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(names, critical=False)
        .sign(KEY, hashes.SHA256())
    )
    return Credential.from_objects([certificate], KEY)


def result(
    server: Credential, trust: TrustStore, server_name: str = NAME, now: float = NOW, **knobs: Any
) -> tuple[Reason | None, AlertDescription | int | None]:
    """How a handshake ends: the client's reason to refuse, and the alert that the server got."""
    client, peer = connect_pair(
        client_config(trust=trust, clock=lambda: now, **knobs),
        server_config(credentials=[server]),
        server_name,
    )
    try:
        pump(client, peer)
    except CertificateRejected as error:
        with pytest.raises(AlertReceived) as told:
            peer.receive_data(client.data_to_send())
        return error.reason, told.value.description
    assert client.handshake_complete
    assert peer.handshake_complete
    return None, None


@pytest.fixture
def itself() -> TrustStore:
    return TrustStore.from_der(made_in_a_hurry().chain)


@pytest.mark.parametrize("server_name", [NAME, "127.0.0.1"])
def test_a_self_signed_certificate_that_is_trusted_itself_is_accepted(
    itself: TrustStore, server_name: str
) -> None:
    assert result(made_in_a_hurry(), itself, server_name) == (None, None)


def test_it_is_trusted_for_its_names_only(itself: TrustStore) -> None:
    found = result(made_in_a_hurry(), itself, "other.test")
    assert found == (Reason.HOSTNAME_MISMATCH, AlertDescription.bad_certificate)


@pytest.mark.parametrize(
    "days, reason", [(DAYS + 1, Reason.CERTIFICATE_EXPIRED), (-1, Reason.CERTIFICATE_NOT_YET_VALID)]
)
def test_it_is_trusted_for_its_time_only(itself: TrustStore, days: int, reason: Reason) -> None:
    found = result(made_in_a_hurry(), itself, now=NOW + days * 86_400)
    assert found == (reason, AlertDescription.certificate_expired)


def test_it_is_not_trusted_by_anybody_else() -> None:
    other = TrustStore.from_certificates(
        [builder("another", "another", CA_KEY).sign(CA_KEY, hashes.SHA256())]
    )
    for trust in (other, TrustStore.empty()):
        assert result(made_in_a_hurry(), trust) == (Reason.SELF_SIGNED, AlertDescription.unknown_ca)


def test_it_is_not_trusted_for_another_key_of_the_same_name() -> None:
    key = ec.derive_private_key(0xBAD, ec.SECP256R1())
    impostor = builder("made in a hurry", "made in a hurry", key).sign(key, hashes.SHA256())
    reason, _ = result(made_in_a_hurry(), TrustStore.from_certificates([impostor]))
    assert reason is not None


# -- names that cannot be decoded


def der(tag: int, *content: bytes) -> bytes:
    joined = b"".join(content)
    assert len(joined) < 0x80
    return bytes([tag, len(joined)]) + joined


DNS = der(0x82, NAME.encode())
#: GeneralName's x400Address [3] and ediPartyName [5], which pyca does not decode.
X400, EDI = der(0xA3, der(0x30)), der(0xA5, der(0xA1, der(0x0C, b"party")))
BROKEN = {
    "x400Address": der(0x30, X400),
    "x400Address behind the name": der(0x30, DNS, X400),
    "x400Address before the name": der(0x30, X400, DNS),
    "ediPartyName behind the name": der(0x30, DNS, EDI),
    "an address of five bytes": der(0x30, DNS, der(0x87, b"\x7f\x00\x00\x01\x02")),
    "no DER": b"\x30\x05\x82",
}


def chain_with(
    alternative_names: bytes, *others: x509.UnrecognizedExtension
) -> tuple[Credential, TrustStore]:
    ca_identifier = x509.SubjectKeyIdentifier.from_public_key(CA_KEY.public_key())
    root = (
        builder("an authority", "an authority", CA_KEY)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(key_usage("key_cert_sign"), critical=True)
        .add_extension(ca_identifier, critical=False)
        .sign(CA_KEY, hashes.SHA256())
    )
    authority = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(ca_identifier)
    leaf = (
        builder("a leaf", "an authority", KEY)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(key_usage("digital_signature"), critical=True)
        .add_extension(x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(authority, critical=False)
        .add_extension(
            x509.UnrecognizedExtension(ExtensionOID.SUBJECT_ALTERNATIVE_NAME, alternative_names),
            critical=False,
        )
    )
    for other in others:
        leaf = leaf.add_extension(other, critical=False)
    return Unchecked(leaf.sign(CA_KEY, hashes.SHA256())), TrustStore.from_certificates([root])


class Unchecked(Credential):
    """Shows a certificate that we would not make a ``Credential`` of."""

    def __init__(self, leaf: x509.Certificate) -> None:
        proper = made_in_a_hurry()
        for attribute in Credential.__slots__:
            setattr(self, attribute, getattr(proper, attribute))
        self.chain = (leaf.public_bytes(Encoding.DER),)


def key_usage(*names: str) -> x509.KeyUsage:
    usages = (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
        "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    )  # fmt: skip
    return x509.KeyUsage(**{usage: usage in names for usage in usages})


@pytest.mark.parametrize("which", BROKEN)
def test_watching_does_not_change_what_is_made_of_a_name(which: str) -> None:
    """The trace describes certificates; one that it cannot describe is accepted or refused all the same."""
    server, trust = chain_with(BROKEN[which])
    unwatched = result(server, trust)
    trace = Trace()
    assert result(server, trust, trace=trace) == unwatched
    assert trace.events


def test_a_name_behind_one_that_cannot_be_decoded_is_refused_or_found_and_never_an_internal_error() -> None:
    for names in BROKEN.values():
        server, trust = chain_with(names)
        reason, alert = result(server, trust)
        assert reason is not Reason.INTERNAL_ERROR
        assert (reason is None) == (alert is None)


def test_a_refused_certificate_with_control_characters_in_its_name_is_told_in_one_line() -> None:
    leaf = builder("a\x1b[2Jb\nc\x00d", "e\rf", KEY).sign(CA_KEY, hashes.SHA256())
    trace = Trace()
    client, server = connect_pair(client_config(trace=trace), server_config(credentials=[Unchecked(leaf)]))
    with pytest.raises(TLSError) as caught:
        pump(client, server)
    assert isinstance(caught.value, CertificateRejected)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("server_name, refused", [(NAME, False), ("other.test", True)])
def test_a_tls_feature_without_a_name_makes_no_internal_error(server_name: str, refused: bool) -> None:
    """RFC 7633: the library raises KeyError for one, where a refusal is explained."""
    six = x509.UnrecognizedExtension(ExtensionOID.TLS_FEATURE, der(0x30, der(0x02, b"\x06")))
    reason, alert = result(*chain_with(der(0x30, DNS), six), server_name)
    assert reason is not Reason.INTERNAL_ERROR
    assert (reason is not None, alert is not None) == (refused, refused)


def test_a_name_that_the_library_warns_of_is_told_and_not_raised() -> None:
    """As in an application whose warnings are errors, which those of the tests are."""
    with pytest.warns(UserWarning, match="length"):
        country = x509.NameAttribute(NameOID.COUNTRY_NAME, "not of two letters", _validate=False)
    leaf = builder(x509.Name([country]), "an authority", KEY).sign(CA_KEY, hashes.SHA256())
    for trace in (None, Trace()):
        reason, alert = result(Unchecked(leaf), TrustStore.empty(), trace=trace)
        assert (reason, alert) == (Reason.MISSING_INTERMEDIATE, AlertDescription.unknown_ca)
