"""Files before they are put to use: which chain they make, what is wrong with it, and who would refuse it."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any

import pytest
from chain_cases import CLIENT, LONG, NAME, NOW, Maker
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs7, pkcs12
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from pellucid.cli.check_report import document, schema
from pellucid.errors import Misuse
from pellucid.identity import Purpose, TrustStore
from pellucid.identity.inspection import Inspection, Material, Wish, inspect, read_material
from pellucid.identity.lab import Laboratory
from pellucid.identity.reasoning.explain import PROFILES
from pellucid.identity.revocation import RevocationLists


class Site:
    """Root, two intermediates in a row and a leaf, and the files that somebody makes of them."""

    def __init__(self, forge: Any) -> None:
        self.maker = Maker(forge)
        self.root = self.maker.ca()
        self.upper = self.maker.ca("Upper", self.root)
        self.lower = self.maker.ca("Lower", self.upper)
        self.leaf = self.maker.leaf(self.lower)
        self.trust = TrustStore.from_certificates([self.root.certificate])

    @property
    def fullchain(self) -> bytes:
        return pem(self.leaf, self.lower, self.upper)

    def look(self, *files: bytes, **wish: Any) -> Inspection:
        """The files, named a, b, c, ..."""
        material = Material()
        for name, data in zip("abcdefgh", files, strict=False):
            material.add(read_material(data, name))
        return inspect(material, Wish(**{"trust": self.trust, "now": NOW, **wish}))


@pytest.fixture(scope="module")
def site(forge: Any) -> Site:
    return Site(forge)


def pem(*certificates: Any) -> bytes:
    return b"".join(one.pem for one in certificates)


def ids(inspection: Inspection, *, serious: bool = True) -> list[str]:
    return [str(one.id) for one in inspection.everything if one.serious == serious]


def subjects(found: Sequence[Any]) -> list[str]:
    return [one.subject.removeprefix("CN=") for one in found]


# -- what is well


def test_a_chain_with_its_key_has_nothing_to_be_said_of(site: Site) -> None:
    inspection = site.look(site.fullchain, site.leaf.key_pem)
    (chain,) = inspection.chains
    assert inspection.everything == ()
    assert subjects(chain.sent) == ["leaf.example", "Lower", "Upper"]
    assert chain.key_source == "b"
    assert chain.names == ("leaf.example",)
    assert chain.best is not None
    assert chain.best.trusted
    assert [verdict.accepted for verdict in chain.reports[NAME].verdicts.values()] == [True] * len(PROFILES)


def test_the_first_end_of_the_path_counts(forge: Any) -> None:
    maker = Maker(forge)
    root = maker.ca()
    middle = maker.ca("Short", root, days=(-1000, 100))
    site = Site(forge)
    inspection = site.look(pem(maker.leaf(middle), middle), trust=root.trust)
    assert inspection.chains[0].until == middle.certificate.not_valid_after_utc


def test_key_and_chain_may_be_in_one_file(site: Site) -> None:
    inspection = site.look(site.leaf.key_pem + site.fullchain)
    assert inspection.everything == ()
    assert inspection.chains[0].key_source == "a"


def test_der_is_read_as_pem_is(site: Site) -> None:
    key = site.leaf.key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    inspection = site.look(site.leaf.der, site.lower.der, site.upper.der, key)
    assert inspection.everything == ()
    assert inspection.chains[0].key_source == "d"


def test_a_leaf_by_itself_gets_the_chain_of_the_other_files(site: Site) -> None:
    inspection = site.look(site.leaf.pem, pem(site.lower, site.upper))
    assert inspection.everything == ()
    assert [one.where for one in inspection.chains[0].sent[1:]] == [
        'b, certificate 1 ("CN=Lower")',
        'b, certificate 2 ("CN=Upper")',
    ]


def test_all_files_of_a_renewal_are_one_chain(site: Site) -> None:
    inspection = site.look(
        site.leaf.pem, pem(site.lower, site.upper), site.fullchain, site.leaf.key_pem
    )  # cert.pem, chain.pem, fullchain.pem, privkey.pem
    assert inspection.everything == ()
    assert [one.source for one in inspection.chains[0].sent] == ["c", "c", "c"]


def test_a_file_with_a_chain_of_its_own_is_not_helped_by_others(site: Site) -> None:
    inspection = site.look(pem(site.leaf, site.lower), site.upper.pem)
    assert ids(inspection) == ["unknown_root"]


def test_two_sites_are_two_chains(site: Site) -> None:
    other = site.maker.leaf(site.lower, name="other.example", names=("other.example",))
    inspection = site.look(site.fullchain, pem(other, site.lower, site.upper), other.key_pem)
    assert [chain.key_source for chain in inspection.chains] == ["", "c"]
    assert ids(inspection) == []


def test_a_wildcard_is_judged_by_a_name_that_it_stands_for(site: Site) -> None:
    leaf = site.maker.leaf(site.lower, names=("*.wild.example",))
    inspection = site.look(pem(leaf, site.lower, site.upper))
    assert list(inspection.chains[0].reports) == ["any.wild.example"]
    assert inspection.everything == ()


def test_a_clients_certificate_needs_no_name(site: Site) -> None:
    leaf = site.maker.leaf(site.lower, names=("someone",), purposes=[CLIENT])
    inspection = site.look(pem(leaf, site.lower, site.upper), purpose=Purpose.CLIENT)
    assert list(inspection.chains[0].reports) == [""]
    assert inspection.everything == ()


def test_a_self_signed_certificate_that_is_trusted_is_a_leaf(site: Site) -> None:
    alone = site.maker.ca(
        "alone.example", extensions=[(x509.SubjectAlternativeName([x509.DNSName("alone.example")]), False)],
        usage=site.maker.usage("digital_signature", "key_cert_sign"),
    )  # fmt: skip
    inspection = site.look(alone.pem, alone.key_pem, trust=alone.trust, profiles=["web", "private"])
    assert ids(inspection) == []
    assert inspection.chains[0].key_source == "b"


# -- order


def test_the_leaf_stands_first(site: Site) -> None:
    inspection = site.look(pem(site.lower, site.upper, site.leaf))
    assert ids(inspection) == ["leaf_not_first"]


def test_each_is_certified_by_the_next(site: Site) -> None:
    inspection = site.look(pem(site.leaf, site.upper, site.lower))
    (finding,) = inspection.everything
    assert finding.id == "chain_out_of_order"
    assert '"CN=leaf.example", "CN=Lower", "CN=Upper"' in finding.sentence


def test_nothing_stands_there_twice(site: Site) -> None:
    assert ids(site.look(pem(site.leaf, site.lower, site.lower, site.upper))) == ["duplicate_certificate"]


def test_what_issued_none_of_the_others_is_told(site: Site) -> None:
    stranger = site.maker.ca("Stranger")
    assert ids(site.look(pem(site.leaf, site.lower, site.upper, stranger))) == ["unrelated_certificate"]


def test_a_root_that_is_sent_is_a_note(site: Site) -> None:
    inspection = site.look(site.fullchain + site.root.pem)
    assert ids(inspection) == []
    assert ids(inspection, serious=False) == ["root_sent"]


def test_a_second_way_up_is_no_disorder(site: Site) -> None:
    older = site.maker.ca("Older root")
    crossed = site.maker.ca("Upper", older)
    inspection = site.look(pem(site.leaf, site.lower, site.upper, crossed))
    assert inspection.everything == ()


# -- who refuses it


def test_a_missing_intermediate_is_found_by_all(site: Site) -> None:
    (finding,) = site.look(site.leaf.pem).everything
    assert (finding.id, finding.profiles) == ("missing_intermediate", PROFILES)
    assert finding.sentence.startswith('a, certificate 1 ("CN=leaf.example")')


def test_all_that_is_wrong_is_told_at_once(site: Site) -> None:
    leaf = site.maker.leaf(site.lower, days=(-100, -10), purposes=[CLIENT])
    inspection = site.look(pem(leaf, site.lower, site.upper), names=["elsewhere.example"])
    assert sorted(ids(inspection)) == ["certificate_expired", "hostname_mismatch", "wrong_purpose"]


def test_each_name_is_looked_for(site: Site) -> None:
    inspection = site.look(site.fullchain, names=[NAME, "one.example", "two.example"])
    assert ids(inspection) == ["hostname_mismatch"] * 2


def test_profiles_that_differ_are_named(site: Site) -> None:
    leaf = site.maker.leaf(site.lower, key_identifiers=False)
    (finding,) = site.look(pem(leaf, site.lower, site.upper)).everything
    assert (finding.id, finding.profiles) == ("strict_profile_only", ("web", "python"))


def test_only_those_that_are_asked_refuse(site: Site) -> None:
    leaf = site.maker.leaf(site.lower, key_identifiers=False)
    assert site.look(pem(leaf, site.lower, site.upper), profiles=["private", "openssl"]).everything == ()


def test_a_certificate_without_names_says_so(site: Site) -> None:
    leaf = site.maker.leaf(site.lower, names=None)
    assert "no_subject_alternative_name" in ids(site.look(pem(leaf, site.lower, site.upper)))


def test_a_certificate_without_a_servers_name_is_not_told_one_that_nobody_asked_for(site: Site) -> None:
    leaf = site.maker.leaf(site.lower, name="no name, either", names=("no name at all",))
    (found,) = [
        one
        for one in site.look(pem(leaf, site.lower, site.upper)).everything
        if one.id == "hostname_mismatch"
    ]
    assert found.sentence.endswith("is for no name at all, which is no name that a server can have")


@pytest.mark.parametrize(
    "days, within, found",
    [
        (LONG, None, []),
        ((-80, 10), None, ["expires_soon"]),
        # of a short life a third: nobody wants to hear of a certificate of six days every day
        ((-2, 4), None, []),
        ((-5, 1), None, ["expires_soon"]),
        # who says when is heard
        ((-80, 10), 11, ["expires_soon"]),
        ((-80, 10), 9, []),
        ((-2, 4), 5, ["expires_soon"]),
    ],
)
def test_what_ends_soon_is_a_finding(
    site: Site, days: tuple[int, int], within: float | None, found: list[str]
) -> None:
    leaf = site.maker.leaf(site.lower, days=days)
    inspection = site.look(pem(leaf, site.lower, site.upper), within_days=within)
    assert ids(inspection) == found
    assert all(one.sentence.startswith("a, certificate 1 ") for one in inspection.everything)


def test_what_a_list_has_is_revoked() -> None:
    laboratory = Laboratory(b"inspection", NOW)
    issued = laboratory.issue()
    files = Material()
    files.add(read_material(issued.chain_pem, "a"))
    for revoked, found in (([issued.certificate], ["certificate_revoked"]), ([], [])):
        lists = RevocationLists.from_der([laboratory.revocation_list(revoked)])
        inspection = inspect(files, Wish(trust=laboratory.trust, now=NOW, lists=lists))
        assert ids(inspection) == found
        assert all(one.sentence.startswith("a, certificate 1 ") for one in inspection.everything)


def test_what_must_be_stapled_is_a_note() -> None:
    laboratory = Laboratory(b"inspection", NOW)
    files = read_material(laboratory.issue(must_staple=True).chain_pem, "a")
    inspection = inspect(files, Wish(trust=laboratory.trust, now=NOW))
    assert ids(inspection, serious=False) == ["must_staple"]


# -- keys and files


def test_a_key_of_another_certificate_is_told_with_its_kind(site: Site) -> None:
    other = site.maker.leaf(site.lower, "ed25519", name="other")
    (finding,) = site.look(site.fullchain, other.key_pem).everything
    assert finding.id == "key_does_not_match_certificate"
    assert finding.sentence.startswith("b has an Ed25519 key")


def test_an_encrypted_key_is_a_note(site: Site) -> None:
    key = site.leaf.key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )
    inspection = site.look(site.fullchain, key)
    assert ids(inspection) == []
    assert ids(inspection, serious=False) == ["key_encrypted"]


def test_a_key_by_itself_is_no_fault(site: Site) -> None:
    inspection = site.look(site.leaf.key_pem)
    assert ids(inspection) == []
    assert ids(inspection, serious=False) == ["no_certificate"]


def test_authorities_alone_are_judged_by_their_dates(site: Site) -> None:
    over = site.maker.ca("Over", days=(-1000, -1))
    inspection = site.look(pem(site.root, over))
    assert inspection.chains == ()
    assert subjects(inspection.others) == ["Root", "Over"]
    assert ids(inspection) == ["certificate_expired"]
    assert ids(inspection, serious=False) == ["no_leaf"]


def test_one_authority_alone_is_no_leaf(site: Site) -> None:
    inspection = site.look(site.lower.pem)
    assert inspection.chains == ()
    assert subjects(inspection.others) == ["Lower"]
    assert ids(inspection) == []


def test_an_authority_that_names_a_host_or_has_a_key_beside_it_is_a_leaf(site: Site) -> None:
    alone = site.maker.ca("alone.example", usage=None)  # as `openssl req -x509` makes them
    assert [chain.leaf.subject for chain in site.look(alone.pem).chains] == ["CN=alone.example"]
    assert len(site.look(site.lower.pem, site.lower.key_pem).chains) == 1


BROKEN = {
    "nothing": b"",
    "text": b"this is no certificate\n",
    "der of something else": b"\x30\x03\x02\x01\x01",
    "der cut short": b"\x30\x82\x10\x00",
    "no base64": b"-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n",
    "base64 of nothing": b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    "a broken key": b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
    "a foreign key": b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n",
    "a block cut short": b"-----BEGIN CERTIFICATE-----\nAAAA\n",
    "too much": b"#" * (2**22 + 1),
    "utf-16": "-----BEGIN CERTIFICATE-----\n".encode("utf-16"),
    "an unknown block": b"-----BEGIN SOMETHING-----\nAAAA\n-----END SOMETHING-----\n",
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN)
def test_what_cannot_be_read_is_one_finding(site: Site, data: bytes) -> None:
    (finding,) = site.look(data).everything
    assert (finding.id, finding.serious) == ("bad_certificate_file", True)
    assert finding.sentence.startswith("a ")


def wrapped(site: Site) -> dict[str, tuple[bytes, str, str]]:
    """Files of other kinds, with what is to be said of them and what to be done."""
    encoding, secret = serialization.Encoding, serialization.BestAvailableEncryption(b"secret")
    both = [site.leaf.certificate, site.lower.certificate]
    twelve = pkcs12.serialize_key_and_certificates(None, site.leaf.key, both[0], both[1:], secret)
    public = site.leaf.key.public_key().public_bytes(
        encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return {
        "pkcs7 der": (pkcs7.serialize_certificates(both, encoding.DER), "is PKCS #7", "openssl pkcs7"),
        "pkcs7": (pkcs7.serialize_certificates(both, encoding.PEM), "is PKCS #7", "openssl pkcs7"),
        "pkcs12": (twelve, "is PKCS #12", "openssl pkcs12"),
        "request": (in_pem(b"0", "CERTIFICATE REQUEST"), "is a certificate request", "the authority"),
        "list": (in_pem(b"0", "X509 CRL"), "is a list", "--crl"),
        "public key": (public, "is a public key", "a private key"),
    }


@pytest.mark.parametrize("kind", ["pkcs7 der", "pkcs7", "pkcs12", "request", "list", "public key"])
def test_a_file_of_another_kind_is_a_finding_that_says_what_to_do(site: Site, kind: str) -> None:
    data, what, fix = wrapped(site)[kind]
    (finding,) = site.look(data).everything
    assert (finding.id, finding.serious) == ("bad_certificate_file", True)
    assert what in finding.sentence
    assert fix in finding.fix


def test_what_is_cut_short_behind_a_certificate_is_told(site: Site) -> None:
    assert ids(site.look(site.fullchain[:-40], trust=TrustStore.empty())) == [
        "bad_certificate_file",
        "unknown_root",
    ]


def test_blocks_without_a_line_break_between_them_are_told(site: Site) -> None:
    joined = site.leaf.pem.rstrip() + site.lower.pem + site.upper.pem
    (finding,) = site.look(joined).everything
    assert finding.id == "bad_certificate_file"
    assert "line" in finding.sentence


def test_what_is_neither_is_a_note(site: Site) -> None:
    request = b"-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n"
    inspection = site.look(site.fullchain + request)
    assert ids(inspection, serious=False) == ["block_not_read"]
    assert ids(inspection) == []


def test_parameters_of_a_key_are_passed_over(site: Site) -> None:
    parameters = b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
    assert site.look(site.fullchain, parameters + site.leaf.key_pem).everything == ()


# -- much of it


def test_more_chains_than_anybody_reads_are_not_all_explained(site: Site) -> None:
    leaves = [site.maker.leaf(site.lower, name=f"l{n}", names=(f"l{n}.example",)) for n in range(20)]
    inspection = site.look(b"".join(pem(leaf) for leaf in leaves))
    assert len(inspection.chains) == 16
    assert "too_many_chains" in ids(inspection)


def test_a_file_that_nobody_would_send_is_one_finding(site: Site) -> None:
    namesakes = [site.maker.ca("Lower", site.upper) for _ in range(101)]
    (finding,) = site.look(pem(site.leaf, *namesakes)).everything
    assert finding.id == "certificate_chain_too_long"
    assert "101 others" in finding.sentence


def test_a_chain_that_is_too_long_is_one_finding(site: Site) -> None:
    cas = [site.maker.ca("C0", site.root)]
    for number in range(1, 11):
        cas.append(site.maker.ca(f"C{number}", cas[-1]))
    inspection = site.look(pem(site.maker.leaf(cas[-1]), *reversed(cas)))
    assert ids(inspection) == ["certificate_chain_too_long"]


@pytest.mark.parametrize("wish", [{"names": ["no name"]}, {"profiles": ["safari"]}])
def test_a_wish_that_makes_no_sense_is_our_own_fault(site: Site, wish: dict[str, Any]) -> None:
    with pytest.raises(Misuse):
        site.look(site.fullchain, **wish)


def mangled(data: bytes, changes: Sequence[tuple[int, int]]) -> bytes:
    altered = bytearray(data)
    for place, value in changes:
        altered[place % len(altered)] = value
    return bytes(altered)


def in_pem(der: bytes, label: str = "CERTIFICATE") -> bytes:
    return f"-----BEGIN {label}-----\n{base64.b64encode(der).decode()}\n-----END {label}-----\n".encode()


CHANGES = st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), max_size=4)


@given(
    changes=st.lists(CHANGES, min_size=3, max_size=3),
    purpose=st.sampled_from([Purpose.SERVER, Purpose.CLIENT]),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
def test_whatever_stands_in_a_certificate_is_told_and_not_raised(
    site: Site, changes: list[list[tuple[int, int]]], purpose: Purpose
) -> None:
    chain = (site.leaf, site.lower, site.upper)
    data = b"".join(in_pem(mangled(one.der, each)) for one, each in zip(chain, changes, strict=True))
    wish = Wish(trust=site.trust, now=NOW, purpose=purpose)
    inspection = inspect(read_material(data, "a"), wish)
    Draft202012Validator(schema()).validate(json.loads(document(inspection, wish)))
    assert any(changes) or inspection.everything == () or purpose is not Purpose.SERVER


def test_a_name_that_the_library_warns_of_is_told_and_not_raised(site: Site) -> None:
    common_name, country = (bytes.fromhex("06035504") + last for last in (b"\x03", b"\x06"))
    (chain,) = site.look(in_pem(site.leaf.der.replace(common_name, country))).chains
    assert chain.findings


@given(data=st.binary(max_size=200), label=st.sampled_from(["CERTIFICATE", "PRIVATE KEY", "RSA PRIVATE KEY"]))
@settings(max_examples=150, deadline=None)
def test_whatever_a_file_holds_is_told_and_not_raised(data: bytes, label: str) -> None:
    for held in (data, b"\x30" + data, in_pem(data, label)):
        material = read_material(held, "a")
        assert material.findings or material.keys or material.certificates
