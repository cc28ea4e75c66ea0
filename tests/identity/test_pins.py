"""Pinned keys: as the only trust, and on top of authorities."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest
from chain_cases import NAME, NOW
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pellucid.errors import CertificateRejected, Misuse, Reason
from pellucid.identity import Purpose, TrustStore, parse_server_name, verify_server
from pellucid.identity.reasoning.explain import explain


def pin(forged: Any) -> bytes:
    spki = forged.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(spki).digest()


def refused(chain: list[Any], trust: TrustStore, name: str = NAME, now: float = NOW) -> Reason:
    with pytest.raises(CertificateRejected) as caught:
        verify_server([one.der for one in chain], name, trust, now)
    return caught.value.reason


@pytest.mark.parametrize("profile", ["web", "private"])
@pytest.mark.parametrize("issued", [True, False])
def test_a_pinned_key_is_trusted_whoever_issued_its_certificate(
    forge: Any, profile: Any, issued: bool
) -> None:
    leaf = forge.leaf(forge.ca("Root") if issued else None)
    trust = TrustStore.from_keys([pin(leaf)])
    assert verify_server([leaf.der], NAME, trust, NOW, profile=profile).path == (leaf.certificate,)


def test_another_key_is_not_trusted_and_the_reason_is_told(forge: Any) -> None:
    leaf, other = forge.leaf(None), forge.leaf(None, name="other", names=(NAME,))
    assert refused([other], TrustStore.from_keys([pin(leaf)])) is Reason.SELF_SIGNED


def test_name_dates_and_purpose_of_a_pinned_key_s_certificate_still_hold(forge: Any) -> None:
    leaf = forge.leaf(None)
    trust = TrustStore.from_keys([pin(leaf)])
    assert refused([leaf], trust, "other.example") is Reason.HOSTNAME_MISMATCH
    assert refused([leaf], trust, now=NOW + 40 * 86_400) is Reason.CERTIFICATE_EXPIRED
    client = forge.leaf(None, purposes=[Purpose.CLIENT.oid])
    assert refused([client], TrustStore.from_keys([pin(client)])) is Reason.WRONG_PURPOSE


@pytest.mark.parametrize("whose", ["leaf", "intermediate", "root"])
def test_a_path_with_a_pinned_key_anywhere_is_accepted(forge: Any, whose: str) -> None:
    root = forge.ca("Root")
    intermediate = forge.ca("Intermediate", root)
    leaf = forge.leaf(intermediate)
    keys = {"leaf": leaf, "intermediate": intermediate, "root": root}
    trust = root.trust.pinned_to([pin(keys[whose])])
    assert len(verify_server([leaf.der, intermediate.der], NAME, trust, NOW).path) == 3


def test_a_good_path_without_a_pinned_key_is_refused(forge: Any) -> None:
    root = forge.ca("Root")
    leaf, other = forge.leaf(root), forge.ca("Other")
    trust = root.trust.pinned_to([pin(other)])
    assert refused([leaf], trust) is Reason.KEY_NOT_PINNED
    report = explain([leaf.der], trust, Purpose.SERVER, parse_server_name(NAME), NOW)
    assert report.verdicts["web"].rule == "pins"
    assert report.verdicts["openssl"].accepted


@pytest.mark.parametrize("profile", ["web", "private"])
@pytest.mark.parametrize("pinned", [0, 1])
@pytest.mark.parametrize("kind", ["ecdsa", "ed25519"])
def test_of_two_ways_to_trusted_roots_the_one_with_the_pinned_key_counts(
    forge: Any, profile: Any, pinned: int, kind: str
) -> None:
    """A cross-signed intermediate: whichever way is found first, it is not the end of the search."""
    roots = [forge.ca(f"Root {number}", kind=kind) for number in range(2)]
    both = [forge.ca("Intermediate", root, kind) for root in roots]
    leaf = forge.leaf(both[0])
    trust = TrustStore.from_certificates([root.certificate for root in roots]).pinned_to([pin(roots[pinned])])
    identity = verify_server([leaf.der, *(one.der for one in both)], NAME, trust, NOW, profile=profile)
    assert identity.path == tuple(one.certificate for one in (leaf, both[pinned], roots[pinned]))


def test_a_pin_is_no_trust(forge: Any) -> None:
    leaf = forge.leaf(None)
    assert refused([leaf], forge.ca("Root").trust.pinned_to([pin(leaf)])) is Reason.SELF_SIGNED


def test_a_pin_may_be_written_as_curl_has_it(forge: Any) -> None:
    value = pin(forge.leaf(None))
    text = base64.b64encode(value).decode()
    for written in (value, text, f"sha256//{text}"):
        assert TrustStore.from_keys([written]).keys == {value}


@pytest.mark.parametrize("pins", [[], "sha256//x", ["sha256//x"], [b"short"], ["AAAA"], [7], ["\u00e9" * 44]])
def test_what_is_no_pin_is_refused(pins: Any) -> None:
    with pytest.raises(Misuse, match="pins: ") as caught:
        TrustStore.from_keys(pins)
    assert caught.value.reason is Reason.BAD_CONFIGURATION


def test_stores_with_other_pins_have_other_fingerprints(forge: Any) -> None:
    root = forge.ca("Root")
    one, two = pin(root), pin(forge.ca("Other"))
    stores = [
        root.trust,
        root.trust.pinned_to([one]),
        root.trust.pinned_to([two]),
        root.trust.pinned_to([one, two]),
        TrustStore.empty(),
        TrustStore.from_keys([one]),
        TrustStore.from_keys([two]),
        TrustStore.from_keys([one]).pinned_to([one]),
    ]
    assert len({store.fingerprint for store in stores}) == len(stores)


def test_an_acceptance_without_pins_is_not_remembered_for_the_store_with_pins(forge: Any) -> None:
    root = forge.ca("Root")
    leaf, trust = forge.leaf(root), root.trust
    assert verify_server([leaf.der], NAME, trust, NOW)
    assert refused([leaf], trust.pinned_to([pin(forge.ca("Other"))])) is Reason.KEY_NOT_PINNED
