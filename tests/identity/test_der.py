"""Cutting names and keys out of certificates."""

from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pellucid.identity.der import certificate_fields, element, pss_hash

SHA384 = bytes.fromhex("608648016503040202")
# RSASSA-PSS-params { hashAlgorithm [0] sha384, maskGenAlgorithm [1] MGF1 with sha384, saltLength [2] 48 }
SHA384_PARAMETERS = bytes.fromhex(
    "3034a00f300d06096086480165030402020500a11c301a06092a864886f70d010108300d06096086480165030402020500a203020130"
)


def test_the_fields_are_those_that_pyca_reads(lab: Any) -> None:
    certificate = lab.issue("rsa").certificate
    fields = certificate_fields(certificate.public_bytes(Encoding.DER))
    assert fields.issuer == certificate.issuer.public_bytes()
    assert fields.subject == certificate.subject.public_bytes()
    key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert fields.subject_public_key_info == key


@pytest.mark.parametrize(
    "data", [b"", b"\x30", b"\x30\x01", b"\x30\x82\xff", b"\x30\x84\xff\xff\xff\xff", b"\x30\x03\x30\x05\x00"]
)
def test_an_element_that_ends_outside_of_the_data_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="DER"):
        certificate_fields(data)


def test_an_element_says_where_its_content_and_the_next_one_start() -> None:
    assert element(b"\xff\x04\x81\x02ab\x05\x00", 1) == (0x04, 1, 4, 6)


@pytest.mark.parametrize(
    "parameters,expected", [(b"", None), (b"\x05\x00", None), (b"\x30\x00", b""), (SHA384_PARAMETERS, SHA384)]
)
def test_the_hash_of_a_pss_key_is_read_from_its_parameters(
    forge: Any, parameters: bytes, expected: Any
) -> None:
    ca = forge.ca(kind="rsa_2048")
    certificate = forge.with_pss_key(forge.leaf(ca, "rsa_2048"), ca, parameters)
    assert pss_hash(certificate_fields(certificate).subject_public_key_info) == expected
