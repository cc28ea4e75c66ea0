"""The knob certificate_profile: what a handshake takes with "private", and what it takes with neither."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from loopback import NOW, client_config, server_config, shake_hands

from pellucid import Credential, Misuse, SessionStore, Trace, TrustStore
from pellucid.errors import CertificateRejected, Reason
from pellucid.trace.paths import PathsEvent

USAGES = {"server": ExtendedKeyUsageOID.SERVER_AUTH, "client": ExtendedKeyUsageOID.CLIENT_AUTH}
BOTH_VERSIONS = pytest.mark.parametrize("version", ["TLSv1.3", "TLSv1.2"])


class InternalCa:
    """As they are made by hand: no key identifiers, no keyUsage, basicConstraints not critical."""

    def __init__(self, key: Any = None) -> None:
        self.key = key or ec.derive_private_key(4711, ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Internal CA")])
        builder = self._builder(name, name, self.key.public_key())
        self.root = self._sign(builder.add_extension(x509.BasicConstraints(True, None), critical=False))
        self.trust = TrustStore.from_certificates([self.root])

    def credential(self, purpose: str, name: str = "localhost", *, days: int = 30) -> Credential:
        key = ec.derive_private_key(4712, ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = (
            self._builder(subject, self.root.subject, key.public_key(), days)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
            .add_extension(x509.ExtendedKeyUsage([USAGES[purpose]]), critical=False)
        )
        return Credential.from_objects([self._sign(builder)], key)

    def _builder(self, subject: x509.Name, issuer: x509.Name, key: Any, days: int = 30) -> Any:
        import datetime as dt

        now = dt.datetime.fromtimestamp(NOW, dt.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key)
            .serial_number(1)
            .not_valid_before(now - dt.timedelta(days=60))
            .not_valid_after(now + dt.timedelta(days=days))
        )

    def _sign(self, builder: Any) -> x509.Certificate:
        algorithm = hashes.SHA256() if isinstance(self.key, ec.EllipticCurvePrivateKey) else None
        certificate: x509.Certificate = builder.sign(self.key, algorithm)
        return certificate


CAS = {
    "P-256": InternalCa(),
    "Ed25519": InternalCa(ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32)))),
    "brainpool": InternalCa(ec.derive_private_key(4713, ec.BrainpoolP256R1())),
}


def configs(ca: InternalCa, profile: Any, version: str, **more: Any) -> tuple[Any, Any]:
    both = {"trust": ca.trust, "certificate_profile": profile, "protocols": [version]}
    client = client_config(credentials=[ca.credential("client")], **{**both, **more})
    server = server_config(credentials=[ca.credential("server")], client_authentication="required", **both)
    return client, server


@BOTH_VERSIONS
@pytest.mark.parametrize("kind", CAS)
def test_an_internal_ca_is_taken_on_both_sides(kind: str, version: str) -> None:
    client, _ = shake_hands(*configs(CAS[kind], "private", version))
    assert client.negotiated is not None
    assert client.negotiated.mutual


@BOTH_VERSIONS
@pytest.mark.parametrize("kind", CAS)
def test_the_web_does_not_take_it(kind: str, version: str) -> None:
    with pytest.raises(CertificateRejected) as caught:
        shake_hands(*configs(CAS[kind], "web", version))
    assert caught.value.reason in (Reason.STRICT_PROFILE_ONLY, Reason.UNSUPPORTED_CERTIFICATE)


@pytest.mark.parametrize(
    "server,reason",
    [
        (lambda ca: ca.credential("server", days=-1), Reason.CERTIFICATE_EXPIRED),
        (lambda ca: ca.credential("server", "other.example"), Reason.HOSTNAME_MISMATCH),
        (lambda ca: ca.credential("client"), Reason.WRONG_PURPOSE),
        (
            lambda _: InternalCa(ec.derive_private_key(1, ec.SECP256R1())).credential("server"),
            Reason.UNKNOWN_ROOT,
        ),
    ],
)
def test_private_is_no_less_careful_with_what_counts(server: Any, reason: Reason) -> None:
    ca = CAS["P-256"]
    with pytest.raises(CertificateRejected) as caught:
        shake_hands(
            client_config(trust=ca.trust, certificate_profile="private"),
            server_config(credentials=[server(ca)]),
        )
    assert caught.value.reason is reason


def test_a_refusal_tells_the_trace_the_paths_and_what_others_would_say() -> None:
    trace = Trace()
    with pytest.raises(CertificateRejected):
        shake_hands(*configs(CAS["P-256"], "web", "TLSv1.3", trace=trace))
    (paths,) = [event for event in trace.events if isinstance(event, PathsEvent)]
    (path,) = paths.candidates
    assert path.certificates == ("CN=localhost", "CN=Internal CA")
    assert path.failed[0].found.startswith("certificate 1")
    assert [verdict.profile for verdict in paths.verdicts] == ["web", "private", "openssl", "python"]
    assert [verdict.accepted for verdict in paths.verdicts] == [False, True, True, False]
    assert not paths.ok


def test_what_was_accepted_as_private_is_not_remembered_for_the_web() -> None:
    ca = CAS["P-256"]
    shake_hands(*configs(ca, "private", "TLSv1.3"))
    with pytest.raises(CertificateRejected):
        shake_hands(*configs(ca, "web", "TLSv1.3"))


@BOTH_VERSIONS
def test_a_session_of_a_private_handshake_is_not_resumed_under_the_web(version: str) -> None:
    ca, sessions = CAS["P-256"], SessionStore()
    client, server = configs(ca, "private", version, sessions=sessions)
    shake_hands(client, server)
    again, _ = shake_hands(client, server)
    assert again.negotiated is not None
    assert again.negotiated.resumed
    strict, _ = configs(ca, "web", version, sessions=sessions)
    with pytest.raises(CertificateRejected):
        shake_hands(strict, server)


@pytest.mark.parametrize("make", [client_config, server_config])
@pytest.mark.parametrize("profile", ["browser", None, ["web"]])
def test_an_unknown_profile_is_refused(make: Any, profile: Any) -> None:
    with pytest.raises(Misuse, match="certificate_profile: ") as caught:
        make(certificate_profile=profile)
    assert caught.value.reason is Reason.BAD_CONFIGURATION
