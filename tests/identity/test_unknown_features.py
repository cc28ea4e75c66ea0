"""A TLS feature (RFC 7633) without a name raises KeyError in the library: here it is what cannot be read."""

from __future__ import annotations

from typing import Any

import pytest
from chain_cases import NAME, NOW, Maker
from cryptography import x509

from pellucid.errors import CertificateRejected, Reason
from pellucid.identity import TrustStore, verify_server
from pellucid.identity.inspection import Wish, inspect, read_material
from pellucid.identity.revocation import must_staple

# SEQUENCE { INTEGER 6 }
FEATURE = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.5.5.7.1.24"), bytes.fromhex("3003020106"))


@pytest.fixture
def chain(forge: Any) -> list[Any]:
    maker = Maker(forge)
    root = maker.ca()
    return [maker.leaf(root, extensions=[(FEATURE, False)]), root]


def test_who_reads_all_extensions_refuses_it(chain: list[Any]) -> None:
    leaf, root = chain
    with pytest.raises(CertificateRejected) as caught:
        verify_server([leaf.der], NAME, root.trust, NOW, profile="private")
    assert caught.value.reason is Reason.BAD_CERTIFICATE


def test_the_web_does_not_look_at_it(chain: list[Any]) -> None:
    leaf, root = chain
    assert verify_server([leaf.der], NAME, root.trust, NOW).names == ()


def test_a_refusal_for_another_reason_stays_one(chain: list[Any]) -> None:
    leaf, root = chain
    with pytest.raises(CertificateRejected):
        verify_server([leaf.der], "other.example", root.trust, NOW)


def test_it_is_refused_where_nobody_is_trusted(chain: list[Any]) -> None:
    with pytest.raises(CertificateRejected):
        verify_server([chain[0].der], NAME, TrustStore.empty(), NOW)


def test_it_demands_no_staple(chain: list[Any]) -> None:
    assert not must_staple(chain[0].certificate)


TLS_FEATURE = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.24")


@pytest.mark.parametrize(
    "features, demanded",
    [
        ("3003020105", True),
        ("3006020105020163", True),
        ("3006020163020105", True),
        ("300702010502020163", True),
        ("30050203010005", False),
        ("3000", False),
        # What cannot be read may demand anything.
        ("", True),
        ("0500", True),
        ("30030201", True),
        ("300302010500", True),
        ("3003040105", True),
    ],
)
def test_what_stands_beside_it_does_not_hide_what_is_demanded(
    forge: Any, features: str, *, demanded: bool
) -> None:
    extension = x509.UnrecognizedExtension(TLS_FEATURE, bytes.fromhex(features))
    maker = Maker(forge)
    certificate = maker.leaf(maker.ca(), extensions=[(extension, False)]).certificate
    assert must_staple(certificate) is demanded


def test_a_fault_in_another_extension_does_not_hide_what_is_demanded(forge: Any) -> None:
    broken = x509.UnrecognizedExtension(x509.ObjectIdentifier("2.5.29.31"), b"\x30\x03abc")
    demands = x509.TLSFeature([x509.TLSFeatureType.status_request])
    maker = Maker(forge)
    leaf = maker.leaf(maker.ca(), extensions=[(broken, False), (demands, False)])
    with pytest.raises(ValueError, match="parsing"):
        leaf.certificate.extensions  # noqa: B018 - it is decoded when it is asked for
    assert must_staple(leaf.certificate)


def test_it_is_a_finding_in_a_file(chain: list[Any]) -> None:
    leaf, root = chain
    inspection = inspect(read_material(leaf.pem, "a"), Wish(trust=root.trust, now=NOW))
    assert "bad_certificate" in [finding.id for finding in inspection.everything]
