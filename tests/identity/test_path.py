"""The strict path check for CAs with Ed25519, Ed448 and ML-DSA keys, and the attacks on it."""

from collections.abc import Callable
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID

from pellucid.errors import CertificateRejected, Reason
from pellucid.identity import Purpose, TrustStore, parse_server_name, verify_client, verify_server
from pellucid.identity.profile import MAX_INTERMEDIATES
from pellucid.identity.reasoning.case import Case
from pellucid.identity.reasoning.decide import strict_path
from pellucid.identity.reasoning.search import MAX_SIGNATURE_CHECKS
from pellucid.identity.reasoning.view import signed_by

NOW = 1_800_000_000.0
NAME = "leaf.example"
CLIENT_AUTH = ExtendedKeyUsageOID.CLIENT_AUTH
ANY = ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE
UNKNOWN = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")


@pytest.fixture(scope="module")
def root(forge: Any) -> Any:
    return forge.ca("Root", kind="ed25519")


@pytest.fixture(scope="module")
def intermediate(forge: Any, root: Any) -> Any:
    return forge.ca("Intermediate", root, kind="ed25519")


def reason(call: Callable[..., object], *arguments: Any) -> Reason:
    with pytest.raises(CertificateRejected) as error:
        call(*arguments)
    return error.value.reason


def check(leaf: Any, *intermediates: Any, root: Any, now: float = NOW, name: str | None = NAME) -> Any:
    """strict_path itself, without pyca's verdict before it."""
    parsed = None if name is None else parse_server_name(name)
    chain = tuple(one.certificate for one in (leaf, *intermediates))
    return strict_path(Case(chain, root.trust, Purpose.SERVER, parsed, now))


@pytest.mark.parametrize("kind", ["ed25519", "ed448", "mldsa44", "mldsa65", "mldsa87"])
def test_a_chain_of_cas_outside_pyca_s_set_is_verified(forge: Any, kind: str) -> None:
    root = forge.ca("Root", kind=kind)
    intermediate = forge.ca("Intermediate", root, kind=kind)
    leaf = forge.leaf(intermediate, kind)
    identity = verify_server([leaf.der, intermediate.der], NAME, root.trust, NOW)
    assert identity.path == (leaf.certificate, intermediate.certificate, root.certificate)


@pytest.mark.parametrize(
    "kinds",
    [
        ("ecdsa", "ed25519", "ecdsa"),
        ("ed25519", "rsa_2048", "ecdsa"),
        ("ecdsa", "rsa_2048", "ed448"),
        ("mldsa65", "ecdsa_p384", "ecdsa_p521"),
    ],
)
def test_a_chain_of_mixed_cas_is_verified(forge: Any, kinds: tuple[str, str, str]) -> None:
    root = forge.ca("Root", kind=kinds[0])
    upper = forge.ca("Upper", root, kind=kinds[1])
    lower = forge.ca("Lower", upper, kind=kinds[2])
    leaf = forge.leaf(lower)
    assert len(verify_server([leaf.der, lower.der, upper.der], NAME, root.trust, NOW).path) == 4


def test_a_client_of_such_a_ca_is_verified(forge: Any, root: Any) -> None:
    leaf = forge.leaf(root, names=None, purposes=[CLIENT_AUTH])
    assert verify_client([leaf.der], root.trust, NOW).path[-1] == root.certificate


def test_a_ca_for_any_purpose_may_issue_for_servers(forge: Any, root: Any) -> None:
    ca = forge.ca("Any", root, kind="ed25519", extensions=[(x509.ExtendedKeyUsage([ANY]), False)])
    assert verify_server([forge.leaf(ca).der, ca.der], NAME, root.trust, NOW)


def test_a_cross_signed_detour_is_left_for_the_way_to_a_trusted_root(forge: Any, root: Any) -> None:
    stranger = forge.ca("Stranger", kind="ed25519")
    wrong = forge.ca("Intermediate", stranger, kind="ed25519")
    right = forge.ca("Intermediate", root, kind="ed25519")
    leaf = forge.leaf(right)
    identity = verify_server([leaf.der, wrong.der, stranger.der, right.der], NAME, root.trust, NOW)
    assert identity.path[1] == right.certificate


@pytest.mark.parametrize("kind", ["ecdsa", "rsa_2048"])
def test_a_path_that_pyca_could_judge_is_never_accepted_here(forge: Any, root: Any, kind: str) -> None:
    """Not even a good one, and not when a stranger with an Ed25519 key is sent along or trusted."""
    own_root = forge.ca("Own root", kind=kind)
    own_ca = forge.ca("Own CA", own_root, kind=kind)
    trust = TrustStore.from_certificates([own_root.certificate, root.certificate])
    name = parse_server_name(NAME)
    for issuer in (own_root, own_ca):
        leaf = forge.leaf(issuer, "ed25519")
        chain = (leaf.certificate, own_ca.certificate, root.certificate)
        assert verify_server([leaf.der, own_ca.der], NAME, trust, NOW)
        assert strict_path(Case(chain, trust, Purpose.SERVER, name, NOW)) is None


def test_what_pyca_refuses_is_not_accepted_by_sending_an_ed25519_ca_along(forge: Any, root: Any) -> None:
    """The P-256 CA is name-constrained to another name."""
    constraints = x509.NameConstraints(None, [x509.DNSName("leaf.example")])
    own_root = forge.ca("Own root")
    ca = forge.ca("Constrained", own_root, extensions=[(constraints, True)])
    trust = TrustStore.from_certificates([own_root.certificate, root.certificate])
    assert (
        reason(verify_server, [forge.leaf(ca).der, ca.der, root.der], NAME, trust, NOW)
        is Reason.NAME_CONSTRAINT_VIOLATED
    )


def test_a_name_constrained_ca_cannot_escape_through_an_ed25519_ca_below_it(forge: Any) -> None:
    constraints = x509.NameConstraints(None, [x509.DNSName("leaf.example")])
    own_root = forge.ca("Own root")
    upper = forge.ca("Constrained", own_root, extensions=[(constraints, True)])
    lower = forge.ca("Lower", upper, kind="ed25519")
    chain = [forge.leaf(lower).der, lower.der, upper.der]
    with pytest.raises(CertificateRejected, match=r"the name constraints of .*Constrained.* exclude"):
        verify_server(chain, NAME, own_root.trust, NOW)


def test_attack_leaf_as_ca(forge: Any, root: Any) -> None:
    attacker = forge.leaf(root, "ed25519", name="attacker.example", names=("attacker.example",))
    victim = forge.leaf(attacker)
    assert check(victim, attacker, root=root) is None
    assert reason(verify_server, [victim.der, attacker.der], NAME, root.trust, NOW) is Reason.ISSUER_NOT_A_CA


def test_attack_ca_without_basic_constraints(forge: Any, root: Any) -> None:
    ca = forge.ca("CA", root, kind="ed25519", basic_constraints=None)
    leaf = forge.leaf(ca)
    assert check(leaf, ca, root=root) is None
    assert reason(verify_server, [leaf.der, ca.der], NAME, root.trust, NOW) is Reason.ISSUER_NOT_A_CA


@pytest.mark.parametrize("constrained", ["root", "intermediate"])
def test_attack_path_length_exceeded(forge: Any, constrained: str) -> None:
    root = forge.ca("Root", kind="ed25519", path_length=1 if constrained == "root" else None)
    upper = forge.ca("Upper", root, kind="ed25519", path_length=0 if constrained == "intermediate" else None)
    lower = forge.ca("Lower", upper, kind="ed25519")
    leaf = forge.leaf(lower)
    assert check(leaf, lower, upper, root=root) is None
    chain = [leaf.der, lower.der, upper.der]
    assert reason(verify_server, chain, NAME, root.trust, NOW) is Reason.ISSUER_NOT_A_CA


def test_attack_path_length_counts_self_issued_certificates_too(forge: Any) -> None:
    root = forge.ca("Root", kind="ed25519", path_length=0)
    renewed = forge.ca("Root", root, kind="ed25519", key_label="renewed")
    leaf = forge.leaf(renewed)
    assert check(leaf, renewed, root=root) is None


def test_attack_missing_key_cert_sign(forge: Any, root: Any) -> None:
    ca = forge.ca("CA", root, kind="ed25519", usage=forge.key_usage("digital_signature", "crl_sign"))
    leaf = forge.leaf(ca)
    assert check(leaf, ca, root=root) is None
    assert reason(verify_server, [leaf.der, ca.der], NAME, root.trust, NOW) is Reason.ISSUER_NOT_A_CA


@pytest.mark.parametrize("who", ["leaf", "intermediate", "root"])
def test_attack_wrong_extended_key_usage(forge: Any, who: str) -> None:
    wrong = [(x509.ExtendedKeyUsage([CLIENT_AUTH]), False)]
    root = forge.ca("Root", kind="ed25519", extensions=wrong if who == "root" else ())
    ca = forge.ca("CA", root, kind="ed25519", extensions=wrong if who == "intermediate" else ())
    leaf = forge.leaf(ca, **({"purposes": [CLIENT_AUTH]} if who == "leaf" else {}))
    assert check(leaf, ca, root=root) is None
    assert reason(verify_server, [leaf.der, ca.der], NAME, root.trust, NOW) is Reason.WRONG_PURPOSE


def test_attack_any_extended_key_usage_in_a_leaf(forge: Any, root: Any) -> None:
    leaf = forge.leaf(root, purposes=[ANY])
    assert check(leaf, root=root) is None
    assert reason(verify_server, [leaf.der], NAME, root.trust, NOW) is Reason.WRONG_PURPOSE


@pytest.mark.parametrize("who", ["leaf", "intermediate", "root"])
@pytest.mark.parametrize(
    "days,expected",
    [((-9, -1), Reason.CERTIFICATE_EXPIRED), ((1, 9), Reason.CERTIFICATE_NOT_YET_VALID)],
)
def test_attack_certificate_out_of_date(
    forge: Any, who: str, days: tuple[int, int], expected: Reason
) -> None:
    validity = {who: {"days": days}}
    root = forge.ca("Root", kind="ed25519", **validity.get("root", {}))
    ca = forge.ca("CA", root, kind="ed25519", **validity.get("intermediate", {}))
    leaf = forge.leaf(ca, **validity.get("leaf", {}))
    assert check(leaf, ca, root=root) is None
    assert reason(verify_server, [leaf.der, ca.der], NAME, root.trust, NOW) is expected


@pytest.mark.parametrize("who", ["leaf", "intermediate"])
def test_attack_forged_signature(forge: Any, root: Any, who: str) -> None:
    forger = {"signed_by": forge.key("ed25519", "forger")}
    ca = forge.ca("CA", root, kind="ed25519", **(forger if who == "intermediate" else {}))
    leaf = forge.leaf(ca, **(forger if who == "leaf" else {}))
    assert check(leaf, ca, root=root) is None
    assert reason(verify_server, [leaf.der, ca.der], NAME, root.trust, NOW) is Reason.BAD_CERTIFICATE


def test_attack_root_of_the_same_name_sent_by_the_peer(forge: Any, root: Any) -> None:
    impostor = forge.ca("Root", kind="ed25519", key_label="impostor")
    leaf = forge.leaf(impostor)
    assert check(leaf, impostor, root=root) is None
    assert reason(verify_server, [leaf.der, impostor.der], NAME, root.trust, NOW) is Reason.UNKNOWN_ROOT


def test_attack_self_signed_ca_of_the_peer(forge: Any, root: Any) -> None:
    own = forge.ca("Own", kind="ed25519")
    assert check(forge.leaf(own), own, root=root) is None


def test_attack_name_mismatch(forge: Any, root: Any) -> None:
    leaf = forge.leaf(root, names=("other.example",))
    assert check(leaf, root=root) is None
    assert reason(verify_server, [leaf.der], NAME, root.trust, NOW) is Reason.HOSTNAME_MISMATCH


def test_attack_common_name_only(forge: Any, root: Any) -> None:
    leaf = forge.leaf(root, name=NAME, names=None)
    assert check(leaf, root=root) is None
    assert reason(verify_server, [leaf.der], NAME, root.trust, NOW) is Reason.NO_SUBJECT_ALTERNATIVE_NAME


@pytest.mark.parametrize("who", ["leaf", "intermediate", "root"])
def test_attack_unknown_critical_extension(forge: Any, who: str) -> None:
    unknown = {"extensions": [(UNKNOWN, True)]}
    root = forge.ca("Root", kind="ed25519", **(unknown if who == "root" else {}))
    ca = forge.ca("CA", root, kind="ed25519", **(unknown if who == "intermediate" else {}))
    leaf = forge.leaf(ca, **(unknown if who == "leaf" else {}))
    assert check(leaf, ca, root=root) is None
    assert reason(verify_server, [leaf.der, ca.der], NAME, root.trust, NOW) is Reason.UNSUPPORTED_CERTIFICATE


@pytest.mark.parametrize("critical", [True, False])
@pytest.mark.parametrize("who", ["intermediate", "root"])
@pytest.mark.parametrize("permitted", ["leaf.example", "other.example"])
def test_name_constraints_are_evaluated(forge: Any, who: str, critical: bool, permitted: str) -> None:
    constraints = {"extensions": [(x509.NameConstraints([x509.DNSName(permitted)], None), critical)]}
    root = forge.ca("Root", kind="ed25519", **(constraints if who == "root" else {}))
    ca = forge.ca("CA", root, kind="ed25519", **(constraints if who == "intermediate" else {}))
    leaf = forge.leaf(ca)
    if permitted == NAME:
        assert verify_server([leaf.der, ca.der], NAME, root.trust, NOW)
        return
    assert check(leaf, ca, root=root) is None
    assert reason(verify_server, [leaf.der, ca.der], NAME, root.trust, NOW) is Reason.NAME_CONSTRAINT_VIOLATED


@pytest.mark.parametrize(
    "ca",
    [{"usage": None}, {"basic_constraints": (x509.BasicConstraints(True, None), False)}],
)
def test_attack_ca_outside_of_the_strict_profile(forge: Any, root: Any, ca: dict[str, Any]) -> None:
    issuer = forge.ca("CA", root, kind="ed25519", **ca)
    leaf = forge.leaf(issuer)
    assert check(leaf, issuer, root=root) is None
    assert reason(verify_server, [leaf.der, issuer.der], NAME, root.trust, NOW) is Reason.STRICT_PROFILE_ONLY


@pytest.mark.parametrize(
    "leaf",
    [
        {"basic_constraints": (x509.BasicConstraints(True, None), True)},
        {"usage": "digital_signature key_cert_sign"},
        {"usage": "key_agreement"},
    ],
)
def test_attack_leaf_that_is_a_ca_or_may_not_sign(forge: Any, root: Any, leaf: dict[str, Any]) -> None:
    if "usage" in leaf:
        leaf = {"usage": forge.key_usage(*leaf["usage"].split())}
    assert check(forge.leaf(root, **leaf), root=root) is None


@pytest.mark.parametrize("kind", ["rsa_1024", "brainpool"])
@pytest.mark.parametrize("who", ["leaf", "intermediate"])
def test_attack_weak_key(forge: Any, root: Any, who: str, kind: str) -> None:
    ca = forge.ca("CA", root, kind=kind if who == "intermediate" else "ed25519")
    leaf = forge.leaf(ca, kind if who == "leaf" else "ecdsa")
    assert check(leaf, ca, root=root) is None
    expected = Reason.WEAK_KEY if kind == "rsa_1024" else Reason.UNSUPPORTED_CERTIFICATE
    assert reason(verify_server, [leaf.der, ca.der], NAME, root.trust, NOW) is expected


def test_attack_weak_hash_under_an_rsa_ca_of_a_mixed_path(forge: Any, root: Any) -> None:
    ca = forge.ca("CA", root, kind="rsa_2048")
    leaf = forge.leaf(ca, hash_algorithm=hashes.SHA224())
    assert check(leaf, ca, root=root) is None
    assert reason(verify_server, [leaf.der, ca.der], NAME, root.trust, NOW) is Reason.WEAK_KEY


def test_attack_nameless_issuer(forge: Any) -> None:
    root = forge.ca("", kind="ed25519")
    assert check(forge.leaf(root), root=root) is None


def chain_of(forge: Any, root: Any, length: int) -> list[Any]:
    cas = [root]
    for number in range(length):
        cas.append(forge.ca(f"CA {number}", cas[-1], kind="ed25519"))
    return cas[:0:-1]


def test_a_path_as_deep_as_the_limit_is_accepted_and_a_deeper_one_is_not(forge: Any, root: Any) -> None:
    deepest = chain_of(forge, root, MAX_INTERMEDIATES)
    too_deep = chain_of(forge, root, MAX_INTERMEDIATES + 1)
    assert len(check(forge.leaf(deepest[0]), *deepest, root=root)) == MAX_INTERMEDIATES + 2
    assert check(forge.leaf(too_deep[0]), *too_deep, root=root) is None


def test_attack_path_explosion_by_cross_signed_namesakes_ends_at_a_limit(
    forge: Any, root: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nine CAs of one name and one key: each signed each, and there are 9! orders to try. No signature is
    checked twice, so that the limit of steps comes first.
    """
    checked = []

    def counted(child: x509.Certificate, issuer: x509.Certificate) -> bool:
        checked.append(issuer)
        return signed_by(child, issuer)

    monkeypatch.setattr("pellucid.identity.reasoning.view.signed_by", counted)
    ca = forge.ca("CA", kind="ed25519", key_label="shared")
    clones = [forge.ca("CA", ca, kind="ed25519", key_label="shared", days=(-1, 30 + n)) for n in range(9)]
    leaf = forge.leaf(ca)
    with pytest.raises(CertificateRejected) as error:
        check(leaf, *clones, root=root)
    assert error.value.reason is Reason.CERTIFICATE_CHAIN_TOO_LONG
    assert 9 < len(checked) <= MAX_SIGNATURE_CHECKS


def test_attack_thicket_of_issuers_ends_at_the_signature_limit(
    forge: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forty CAs of one name, and none of them has signed."""
    checked = []
    monkeypatch.setattr(
        "pellucid.identity.reasoning.view.signed_by", lambda _, issuer: checked.append(issuer)
    )
    thicket = [forge.ca("CA", kind="ed25519", days=(-1, 30 + n)) for n in range(40)]
    with pytest.raises(CertificateRejected) as error:
        check(forge.leaf(thicket[0]), *thicket, root=forge.ca("Root", kind="ed25519"))
    assert error.value.reason is Reason.CERTIFICATE_CHAIN_TOO_LONG
    assert len(checked) == MAX_SIGNATURE_CHECKS


def test_attack_version_1_certificate_which_has_no_extensions_to_break_a_rule(forge: Any, root: Any) -> None:
    leaf = forge.as_version_1(forge.leaf(root), root)
    assert reason(verify_client, [leaf], root.trust, NOW) is Reason.UNSUPPORTED_CERTIFICATE
    parsed = x509.load_der_x509_certificate(leaf)
    assert strict_path(Case((parsed,), root.trust, Purpose.CLIENT, None, NOW)) is None


@pytest.mark.parametrize(
    "offset,accepted", [(-86_401, False), (-86_400, True), (2_592_000.9, True), (2_592_001, False)]
)
def test_both_ends_of_the_validity_belong_to_it(forge: Any, offset: float, accepted: bool) -> None:
    """The forge's certificates begin a day before NOW and end 30 days after it."""
    root = forge.ca("Root", kind="ed25519", days=(-100, 100))
    assert (check(forge.leaf(root), root=root, now=NOW + offset) is not None) is accepted


def test_a_loop_of_two_cas_ends(forge: Any, root: Any) -> None:
    one = forge.ca("One", kind="ed25519")
    two = forge.ca("Two", one, kind="ed25519")
    back = forge.ca("One", two, kind="ed25519")
    assert check(forge.leaf(two), two, back, root=root) is None
