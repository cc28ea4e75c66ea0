"""Verification of chains that pyca's verifier judges: what is accepted, what is refused, and why."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID

from pellucid.errors import CertificateRejected, Misuse, Reason, TLSError
from pellucid.identity import TrustStore, verify_client, verify_server
from pellucid.identity.verify import MAX_CERTIFICATE_BYTES, MAX_CHAIN_LENGTH

NOW = 1_800_000_000.0
DAY = 86_400
NAME = "leaf.example"
SERVER_AUTH, CLIENT_AUTH = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH
UNKNOWN = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")


@pytest.fixture(scope="module")
def root(forge: Any) -> Any:
    return forge.ca("Root")


@pytest.fixture(scope="module")
def intermediate(forge: Any, root: Any) -> Any:
    return forge.ca("Intermediate", root)


def rejection(call: Callable[..., object], *arguments: Any) -> CertificateRejected:
    with pytest.raises(CertificateRejected) as error:
        call(*arguments)
    return error.value


@pytest.mark.parametrize(
    "kind", ["ecdsa", "ecdsa_p384", "ecdsa_p521", "rsa_2048", "ed25519", "ed448", "mldsa44"]
)
def test_a_leaf_with_any_key_under_an_ecdsa_ca_is_verified(
    forge: Any, root: Any, intermediate: Any, kind: str
) -> None:
    leaf = forge.leaf(intermediate, kind)
    identity = verify_server([leaf.der, intermediate.der], NAME, root.trust, NOW)
    assert identity.path == (leaf.certificate, intermediate.certificate, root.certificate)
    assert identity.chain == (leaf.certificate, intermediate.certificate)
    assert identity.public_key == leaf.key.public_key()


def test_the_identity_tells_subject_names_and_the_kind_of_rsa_key(forge: Any, root: Any) -> None:
    leaf = forge.leaf(root, names=("leaf.example", "*.leaf.example", "192.0.2.1"))
    identity = verify_server([leaf.der], NAME, root.trust, NOW)
    assert identity.subject == "CN=leaf.example"
    assert identity.names == ("leaf.example", "*.leaf.example", "192.0.2.1")
    assert not identity.rsa_pss_oid


def test_an_rsa_pss_key_in_the_leaf_is_verified_and_told_apart(forge: Any) -> None:
    ca = forge.ca("RSA root", kind="rsa_2048")
    certificate = forge.with_pss_key(forge.leaf(ca, "rsa_2048"), ca)
    assert verify_server([certificate], NAME, ca.trust, NOW).rsa_pss_oid


def test_certificates_after_the_leaf_may_come_in_any_order_with_strangers_among_them(
    forge: Any, root: Any, intermediate: Any
) -> None:
    lower = forge.ca("Lower", intermediate)
    leaf, stranger, weak = forge.leaf(lower), forge.ca("Stranger"), forge.ca("Weak", kind="rsa_1024")
    chain = [leaf.der, intermediate.der, stranger.der, weak.der, root.der, lower.der]
    assert len(verify_server(chain, NAME, root.trust, NOW).path) == 4


def test_a_leaf_that_is_itself_trusted_needs_no_issuer(forge: Any) -> None:
    leaf = forge.leaf(None)
    assert verify_server([leaf.der], NAME, leaf.trust, NOW).path == (leaf.certificate,)


@pytest.mark.parametrize("name", ["192.0.2.1", "2001:db8::1", "www.leaf.example", "LEAF.example"])
def test_addresses_and_wildcards_in_subject_alternative_name_count(forge: Any, root: Any, name: str) -> None:
    leaf = forge.leaf(root, names=("leaf.example", "*.leaf.example", "192.0.2.1", "2001:db8::1"))
    assert verify_server([leaf.der], name, root.trust, NOW).public_key == leaf.key.public_key()


@pytest.mark.parametrize("name", ["other.example", "a.b.leaf.example", "192.0.2.2", "::1"])
def test_any_other_name_is_a_mismatch_that_lists_the_names(forge: Any, root: Any, name: str) -> None:
    leaf = forge.leaf(root, names=("leaf.example", "*.leaf.example", "192.0.2.1"))
    error = rejection(verify_server, [leaf.der], name, root.trust, NOW)
    assert error.reason is Reason.HOSTNAME_MISMATCH
    assert f"is for leaf.example, *.leaf.example, 192.0.2.1, not for {name}" in error.detail


def test_the_common_name_is_never_looked_at(forge: Any, root: Any) -> None:
    leaf = forge.leaf(root, name=NAME, names=None)
    error = rejection(verify_server, [leaf.der], NAME, root.trust, NOW)
    assert error.reason is Reason.NO_SUBJECT_ALTERNATIVE_NAME


def test_a_server_is_not_verified_without_a_name(forge: Any, root: Any) -> None:
    with pytest.raises(Misuse) as error:
        verify_server([forge.leaf(root).der], None, root.trust, NOW)
    assert error.value.reason is Reason.BAD_SERVER_NAME


@pytest.mark.parametrize("who", ["leaf", "intermediate", "root"])
@pytest.mark.parametrize(
    "days,reason,words",
    [
        (
            (-30, -3),
            Reason.CERTIFICATE_EXPIRED,
            "expired 3 days ago: it was valid until 2027-01-12 08:00:00 UTC",
        ),
        (
            (0.25, 30),
            Reason.CERTIFICATE_NOT_YET_VALID,
            "is not valid for another 6 hours: from 2027-01-15 14:00:00 UTC",
        ),
    ],
)
def test_dates_outside_of_the_validity_name_the_certificate_and_the_difference(
    forge: Any, who: str, days: tuple[float, float], reason: Reason, words: str
) -> None:
    validity = {who: {"days": days}}
    root = forge.ca("Root", **validity.get("root", {}))
    intermediate = forge.ca("Intermediate", root, **validity.get("intermediate", {}))
    leaf = forge.leaf(intermediate, **validity.get("leaf", {}))
    error = rejection(verify_server, [leaf.der, intermediate.der], NAME, root.trust, NOW)
    position = ["leaf", "intermediate", "root"].index(who)
    assert error.reason is reason
    assert error.detail.startswith(f"certificate {position} (")
    assert words in error.detail


@pytest.mark.parametrize(
    "offset,accepted",
    [(-DAY - 1, False), (-DAY, True), (30 * DAY, True), (30 * DAY + 0.9, True), (30 * DAY + 1, False)],
)
def test_both_ends_of_the_validity_belong_to_it(forge: Any, offset: float, accepted: bool) -> None:
    root = forge.ca("Root", days=(-100, 100))
    leaf = forge.leaf(root, days=(-1, 30))
    try:
        verify_server([leaf.der], NAME, root.trust, NOW + offset)
    except CertificateRejected:
        assert not accepted
    else:
        assert accepted


def test_a_leaf_without_its_intermediate(forge: Any, root: Any, intermediate: Any) -> None:
    error = rejection(verify_server, [forge.leaf(intermediate).der], NAME, root.trust, NOW)
    assert error.reason is Reason.MISSING_INTERMEDIATE
    assert 'was issued by "CN=Intermediate", which was not sent' in error.detail


def test_a_chain_up_to_a_root_that_is_not_trusted(forge: Any, root: Any, intermediate: Any) -> None:
    other = forge.ca("Other root").trust
    leaf = forge.leaf(intermediate)
    without_root = rejection(verify_server, [leaf.der, intermediate.der], NAME, other, NOW)
    with_root = rejection(verify_server, [leaf.der, intermediate.der, root.der], NAME, other, NOW)
    assert (without_root.reason, with_root.reason) == (Reason.UNKNOWN_ROOT, Reason.UNKNOWN_ROOT)
    assert 'its issuer "CN=Root" is not in the given trust store' in without_root.detail
    assert 'the path ends at the root certificate 2 ("CN=Root")' in with_root.detail


def test_a_root_of_the_right_name_with_another_key_is_another_root(forge: Any, root: Any) -> None:
    impostor = forge.ca("Root", key_label="another")
    error = rejection(verify_server, [forge.leaf(root).der], NAME, impostor.trust, NOW)
    assert error.reason is Reason.UNKNOWN_ROOT
    assert "has that name with another key" in error.detail


def test_a_self_signed_leaf(forge: Any, root: Any) -> None:
    error = rejection(verify_server, [forge.leaf(None).der], NAME, root.trust, NOW)
    assert error.reason is Reason.SELF_SIGNED


def test_an_empty_trust_store_gives_the_same_reasons(forge: Any, root: Any) -> None:
    error = rejection(verify_server, [forge.leaf(None).der], NAME, TrustStore.empty(), NOW)
    assert error.reason is Reason.SELF_SIGNED


@pytest.mark.parametrize("with_intermediate", [True, False])
def test_a_forged_signature(forge: Any, root: Any, intermediate: Any, with_intermediate: bool) -> None:
    issuer = intermediate if with_intermediate else root
    leaf = forge.leaf(issuer, signed_by=forge.key("ecdsa", "forger"))
    chain = [leaf.der, intermediate.der] if with_intermediate else [leaf.der]
    error = rejection(verify_server, chain, NAME, root.trust, NOW)
    assert error.reason is Reason.BAD_CERTIFICATE
    assert "altered or forged" in error.detail


def test_a_leaf_that_issues(forge: Any, root: Any) -> None:
    attacker = forge.leaf(root, name="attacker.example", names=("attacker.example",))
    victim = forge.leaf(attacker)
    error = rejection(verify_server, [victim.der, attacker.der], NAME, root.trust, NOW)
    assert error.reason is Reason.ISSUER_NOT_A_CA
    assert 'certificate 1 ("CN=attacker.example") issued the one below it and is no CA\'s' in error.detail


def test_a_ca_beyond_a_path_length_constraint(forge: Any, root: Any) -> None:
    upper = forge.ca("Upper", root, path_length=0)
    lower = forge.ca("Lower", upper)
    leaf = forge.leaf(lower)
    error = rejection(verify_server, [leaf.der, lower.der, upper.der], NAME, root.trust, NOW)
    assert error.reason is Reason.ISSUER_NOT_A_CA
    assert "allows 0 CA certificates below it (pathLenConstraint), and has 1" in error.detail


def test_a_ca_without_key_cert_sign(forge: Any, root: Any) -> None:
    ca = forge.ca("No signer", root, usage=forge.key_usage("digital_signature"))
    error = rejection(verify_server, [forge.leaf(ca).der, ca.der], NAME, root.trust, NOW)
    assert error.reason is Reason.ISSUER_NOT_A_CA
    assert "lacks keyCertSign" in error.detail


@pytest.mark.parametrize("purposes", [[CLIENT_AUTH], [ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE]])
def test_a_leaf_for_another_purpose(forge: Any, root: Any, purposes: Any) -> None:
    error = rejection(verify_server, [forge.leaf(root, purposes=purposes).der], NAME, root.trust, NOW)
    assert error.reason is Reason.WRONG_PURPOSE
    assert "not for serverAuth" in error.detail


def test_a_ca_for_another_purpose(forge: Any, root: Any) -> None:
    ca = forge.ca("Client CA", root, extensions=[(x509.ExtendedKeyUsage([CLIENT_AUTH]), False)])
    error = rejection(verify_server, [forge.leaf(ca).der, ca.der], NAME, root.trust, NOW)
    assert error.reason is Reason.WRONG_PURPOSE
    assert "certificate 1" in error.detail


def test_a_leaf_whose_key_may_not_sign(forge: Any, root: Any) -> None:
    leaf = forge.leaf(root, usage=forge.key_usage("key_encipherment"))
    error = rejection(verify_server, [leaf.der], NAME, root.trust, NOW)
    assert error.reason is Reason.WRONG_PURPOSE
    assert "lacks digitalSignature" in error.detail


def test_a_leaf_without_usages_is_for_all(forge: Any, root: Any) -> None:
    leaf = forge.leaf(root, usage=None, purposes=None)
    assert verify_server([leaf.der], NAME, root.trust, NOW)


@pytest.mark.parametrize("kind", ["rsa_1024", "brainpool"])
def test_a_key_too_weak_or_of_a_foreign_curve_in_the_leaf(forge: Any, root: Any, kind: str) -> None:
    error = rejection(verify_server, [forge.leaf(root, kind).der], NAME, root.trust, NOW)
    assert error.reason is (Reason.WEAK_KEY if kind == "rsa_1024" else Reason.UNSUPPORTED_CERTIFICATE)
    assert error.detail.startswith('certificate 0 ("CN=leaf.example") has')


def test_a_weak_key_in_a_ca(forge: Any, root: Any) -> None:
    ca = forge.ca("Weak", root, kind="rsa_1024")
    error = rejection(verify_server, [forge.leaf(ca).der, ca.der], NAME, root.trust, NOW)
    assert error.reason is Reason.WEAK_KEY
    assert "1024 bits" in error.detail


@pytest.mark.parametrize(
    "kind,words", [("rsa_16384", "16384 bits"), ("rsa_costly_exponent", "an exponent of 2048 bits")]
)
def test_a_key_whose_signatures_it_is_an_attack_to_check(
    forge: Any, root: Any, kind: str, words: str
) -> None:
    stranger = forge.ca("Huge", root, kind=kind)
    error = rejection(verify_server, [forge.leaf(root).der, stranger.der], NAME, root.trust, NOW)
    assert error.reason is Reason.UNSUPPORTED_CERTIFICATE
    assert words in error.detail


def test_a_refused_certificate_with_a_name_that_cannot_be_decoded(forge: Any, root: Any) -> None:
    """pyca's own words for the refusal describe the certificate, and fail to."""

    def not_utf_8(fields: list[bytes]) -> list[bytes]:
        return [field.replace(b"expired", b"\xff\xfe\xfd\xfc\xfb\xfa\xf9") for field in fields]

    leaf = forge.altered(forge.leaf(root, name="expired", days=(-9, -2)), root, not_utf_8)
    error = rejection(verify_server, [leaf], NAME, root.trust, NOW)
    assert error.reason is Reason.CERTIFICATE_EXPIRED
    assert error.detail.startswith('certificate 0 ("unreadable name") expired 2 days ago')


def test_a_signature_by_sha_1_or_sha_224(forge: Any, root: Any) -> None:
    leaf = forge.leaf(root, hash_algorithm=hashes.SHA224())
    error = rejection(verify_server, [leaf.der], NAME, root.trust, NOW)
    assert error.reason is Reason.WEAK_KEY
    assert "sha224" in error.detail


def test_an_unknown_critical_extension(forge: Any, root: Any) -> None:
    leaf = forge.leaf(root, extensions=[(UNKNOWN, True)])
    error = rejection(verify_server, [leaf.der], NAME, root.trust, NOW)
    assert error.reason is Reason.UNSUPPORTED_CERTIFICATE
    assert "1.2.3.4" in error.detail


def test_an_unknown_extension_that_is_not_critical_is_passed_over(forge: Any, root: Any) -> None:
    leaf = forge.leaf(root, extensions=[(UNKNOWN, False)])
    assert verify_server([leaf.der], NAME, root.trust, NOW)


@pytest.mark.parametrize(
    "ca,leaf,words",
    [
        ({}, {"key_identifiers": False}, "has no authorityKeyIdentifier"),
        ({"basic_constraints": (x509.BasicConstraints(True, None), False)}, {}, "not marked critical"),
        ({"usage": None}, {}, "has no keyUsage"),
        ({}, {"basic_constraints": (x509.BasicConstraints(True, None), True)}, "is used as a leaf"),
        ({}, {"name": ""}, "does not mark subjectAltName critical"),
        ({}, {"usage": "leaf that issues"}, "its keyUsage has keyCertSign"),
    ],
)
def test_what_lenient_verifiers_accept_is_said_to_be_the_strict_profile(
    forge: Any, root: Any, ca: dict[str, Any], leaf: dict[str, Any], words: str
) -> None:
    issuer = forge.ca("Lenient", root, **ca)
    if "usage" in leaf:
        leaf = {"usage": forge.key_usage("digital_signature", "key_cert_sign")}
    chain = [forge.leaf(issuer, **leaf).der, issuer.der]
    error = rejection(verify_server, chain, NAME, root.trust, NOW)
    assert error.reason is Reason.STRICT_PROFILE_ONLY
    assert words in error.detail


def test_a_name_constraint_that_excludes_the_name(forge: Any, root: Any) -> None:
    constraints = x509.NameConstraints(
        permitted_subtrees=[x509.DNSName("other.example")], excluded_subtrees=None
    )
    ca = forge.ca("Constrained", root, extensions=[(constraints, True)])
    error = rejection(verify_server, [forge.leaf(ca).der, ca.der], NAME, root.trust, NOW)
    assert error.reason is Reason.NAME_CONSTRAINT_VIOLATED
    assert "name constraints" in error.detail


def test_a_chain_longer_than_the_limit_is_not_even_parsed(root: Any) -> None:
    chain = [b"no certificate"] * (MAX_CHAIN_LENGTH + 1)
    assert rejection(verify_server, chain, NAME, root.trust, NOW).reason is Reason.CERTIFICATE_CHAIN_TOO_LONG


def test_the_limit_of_the_chain_can_be_given(forge: Any, root: Any, intermediate: Any) -> None:
    chain = [forge.leaf(intermediate).der, intermediate.der]
    with pytest.raises(CertificateRejected) as error:
        verify_server(chain, NAME, root.trust, NOW, max_chain_length=1)
    assert error.value.reason is Reason.CERTIFICATE_CHAIN_TOO_LONG


def test_a_certificate_longer_than_the_limit_is_not_even_parsed(root: Any) -> None:
    chain = [bytes(MAX_CERTIFICATE_BYTES + 1)]
    assert rejection(verify_server, chain, NAME, root.trust, NOW).reason is Reason.CERTIFICATE_CHAIN_TOO_LONG


@pytest.mark.parametrize("chain", [[], [b""], [b"\x30\x03\x02\x01\x00"]])
def test_no_certificate_and_no_x509_are_bad_certificates(root: Any, chain: list[bytes]) -> None:
    assert rejection(verify_server, chain, NAME, root.trust, NOW).reason is Reason.BAD_CERTIFICATE


def test_words_of_the_peer_cannot_write_to_a_terminal(forge: Any, root: Any) -> None:
    leaf = forge.leaf(None, name="evil\x1b[2J\n\u202egood")
    detail = rejection(verify_server, [leaf.der], NAME, root.trust, NOW).detail
    assert detail.isprintable()


def test_a_client_is_verified_for_its_purpose_with_no_name_compared(forge: Any, root: Any) -> None:
    leaf = forge.leaf(root, name="alice", names=("alice.example",), purposes=[CLIENT_AUTH])
    identity = verify_client([leaf.der], root.trust, NOW)
    assert (identity.subject, identity.names) == ("CN=alice", ("alice.example",))


def test_a_client_needs_no_subject_alternative_name(forge: Any, root: Any) -> None:
    leaf = forge.leaf(root, name="alice", names=None, purposes=[CLIENT_AUTH])
    assert verify_client([leaf.der], root.trust, NOW).names == ()


def test_a_server_s_certificate_is_no_client_s(forge: Any, root: Any) -> None:
    error = rejection(verify_client, [forge.leaf(root).der], root.trust, NOW)
    assert error.reason is Reason.WRONG_PURPOSE
    assert "is for serverAuth, not for clientAuth" in error.detail


def test_any_altered_byte_of_a_leaf_is_refused_by_a_tls_error(forge: Any, root: Any) -> None:
    """One byte at a time; whatever pyca raises for it, late or early, comes out as CertificateRejected.

    Left out is the octet that counts the signature's unused bits, which pyca does not look at.
    """
    leaf = forge.leaf(root, names=("leaf.example", "192.0.2.1"))
    unused_bits = len(leaf.der) - len(leaf.certificate.signature) - 1
    bits = itertools.cycle((1, 64, 4, 128, 16, 2, 32, 8))
    for position in set(range(len(leaf.der))) - {unused_bits}:
        altered = bytearray(leaf.der)
        altered[position] ^= next(bits)
        with pytest.raises(TLSError) as error:
            verify_server([bytes(altered)], NAME, root.trust, NOW)
        assert isinstance(error.value, CertificateRejected), position
