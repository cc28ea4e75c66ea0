"""IANA's numbers: each has one name, and what older peers offer has one, too."""

from __future__ import annotations

import pytest

from pellucid import codes
from pellucid.codes import CipherSuite, ECPointFormat, MaxFragmentLengthCode, NamedGroup, Registry, name_of

REGISTRIES = [
    value for value in vars(codes).values() if isinstance(value, type) and issubclass(value, Registry)
]


@pytest.mark.parametrize("registry", REGISTRIES, ids=lambda registry: registry.__name__)
def test_no_number_has_two_names(registry: type[Registry]) -> None:
    assert [name for name, member in registry.__members__.items() if member.name != name] == []


@pytest.mark.parametrize("code, octets", [(1, 512), (2, 1024), (3, 2048), (4, 4096)])
def test_a_fragment_length_is_a_power_of_two(code: int, octets: int) -> None:
    """RFC 6066 4: "2^9(1), 2^10(2), 2^11(3), 2^12(4)"."""
    assert MaxFragmentLengthCode(code).octets == octets
    assert name_of(code, MaxFragmentLengthCode) == f"{octets} bytes"


@pytest.mark.parametrize(
    "suite, name",
    [
        # RFC 5246 A.5
        (0x0005, "TLS_RSA_WITH_RC4_128_SHA"),
        (0x0013, "TLS_DHE_DSS_WITH_3DES_EDE_CBC_SHA"),
        (0x0034, "TLS_DH_anon_WITH_AES_128_CBC_SHA"),
        (0x003B, "TLS_RSA_WITH_NULL_SHA256"),
        # Of exports, in the registry still: FREAK and Logjam live on such.
        (0x0003, "TLS_RSA_EXPORT_WITH_RC4_40_MD5"),
        (0x0014, "TLS_DHE_RSA_EXPORT_WITH_DES40_CBC_SHA"),
        # RFC 8422 6
        (0xC010, "TLS_ECDHE_RSA_WITH_NULL_SHA"),
    ],
)
def test_a_suite_that_nobody_should_offer_is_named(suite: int, name: str) -> None:
    assert name_of(suite, CipherSuite) == name


def test_the_curves_and_formats_of_rfc_4492_are_named() -> None:
    assert name_of(1, NamedGroup) == "sect163k1"
    assert name_of(22, NamedGroup) == "secp256k1"
    assert name_of(0xFF01, NamedGroup) == "arbitrary_explicit_prime_curves"
    assert name_of(2, ECPointFormat) == "ansiX962_compressed_char2"
