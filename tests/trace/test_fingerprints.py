"""JA3 and JA4 as they are published, and for hellos that nobody sends in earnest."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from pellucid.trace import Trace
from pellucid.trace.fingerprints import Fingerprints, fingerprints
from pellucid.trace.json import schema, to_json
from pellucid.trace.narration import Detail, narrate

SERVER_NAME, GROUPS, FORMATS, SCHEMES, ALPN, VERSIONS = 0, 10, 11, 13, 16, 43
Extension = tuple[int, bytes]


def numbers(values: Sequence[int], prefix: int = 2, size: int = 2) -> bytes:
    body = b"".join(value.to_bytes(size, "big") for value in values)
    return len(body).to_bytes(prefix, "big") + body


def names(*values: bytes) -> bytes:
    body = b"".join(bytes([len(value)]) + value for value in values)
    return len(body).to_bytes(2, "big") + body


def hello(
    suites: Sequence[int] = (0x1301,), extensions: Iterable[Extension] | None = (), version: int = 0x0303
) -> bytes:
    """A ClientHello; ``extensions`` None: without even the length of their list."""
    body = version.to_bytes(2, "big") + bytes(32) + b"\0" + numbers(suites) + b"\1\0"
    if extensions is not None:
        listed = b"".join(code.to_bytes(2, "big") + len(e).to_bytes(2, "big") + e for code, e in extensions)
        body += len(listed).to_bytes(2, "big") + listed
    return b"\1" + len(body).to_bytes(3, "big") + body


def found(raw: bytes) -> Fingerprints:
    result = fingerprints(raw)
    assert result is not None
    return result


def with_extensions(*extensions: Extension) -> Fingerprints:
    return found(hello(extensions=extensions))


# -- published: the README of salesforce/ja3, and technical_details/JA4.md of FoxIO-LLC/ja4


def test_ja3_of_a_hello_with_extensions_is_as_published() -> None:
    extensions = [(SERVER_NAME, b""), (GROUPS, numbers([23, 24, 25])), (FORMATS, numbers([0], 1, 1))]
    suites = [47, 53, 5, 10, 49161, 49162, 49171, 49172, 50, 56, 19, 4]
    result = found(hello(suites, extensions, 0x0301))
    assert result.ja3_text == "769,47-53-5-10-49161-49162-49171-49172-50-56-19-4,0-10-11,23-24-25,0"
    assert result.ja3 == "ada70206e40642a3e4461f35503241d5"


@pytest.mark.parametrize("extensions", [None, ()], ids=["absent", "empty"])
def test_ja3_of_a_hello_without_extensions_is_as_published(extensions: Iterable[Extension] | None) -> None:
    result = found(hello([4, 5, 10, 9, 100, 98, 3, 6, 19, 18, 99], extensions, 0x0301))
    assert result.ja3_text == "769,4-5-10-9-100-98-3-6-19-18-99,,,"
    assert result.ja3 == "de350869b8c85de67a350c8d186f11e6"


PUBLISHED_SUITES = (
    *(0x1301, 0x1302, 0x1303, 0xC02B, 0xC02F, 0xC02C, 0xC030, 0xCCA9, 0xCCA8),
    *(0xC013, 0xC014, 0x009C, 0x009D, 0x002F, 0x0035),
)
PUBLISHED_TYPES = (
    *(0x001B, 0x0000, 0x0033, 0x0010, 0x4469, 0x0017, 0x002D, 0x000D),
    *(0x0005, 0x0023, 0x0012, 0x002B, 0xFF01, 0x000B, 0x000A, 0x0015),
)
PUBLISHED_SCHEMES = (0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601)
GREASE = 0x1A1A


def published(schemes: Sequence[int] = PUBLISHED_SCHEMES, *, grease: bool = False) -> bytes:
    extra = [GREASE] if grease else []
    bodies = {
        ALPN: names(b"h2", b"http/1.1"),
        SCHEMES: numbers([*schemes, *extra]) if schemes else b"",
        VERSIONS: numbers([*extra, 0x0304, 0x0303], 1),
        GROUPS: numbers([*extra, 29]),
    }
    types = [*extra, *PUBLISHED_TYPES, *([0xFAFA] if grease else [])]
    return hello([*extra, *PUBLISHED_SUITES], [(code, bodies.get(code, b"")) for code in types])


def test_ja4_is_as_published() -> None:
    result = found(published())
    assert result.ja4 == "t13d1516h2_8daaf6152771_e5627efa2ab1"
    assert result.ja4_raw == (
        "t13d1516h2_002f,0035,009c,009d,1301,1302,1303,c013,c014,c02b,c02c,c02f,c030,cca8,cca9"
        "_0005,000a,000b,000d,0012,0015,0017,001b,0023,002b,002d,0033,4469,ff01"
        "_0403,0804,0401,0503,0805,0501,0806,0601"
    )


def test_ja4_without_signature_schemes_is_as_published() -> None:
    result = found(published(()))
    assert result.ja4 == "t13d1516h2_8daaf6152771_6d807ffa2a79"
    assert result.ja4_raw.endswith(",4469,ff01")


def test_grease_changes_nothing() -> None:
    assert found(published(grease=True)) == found(published())


@pytest.mark.parametrize(
    "name, ends",
    [
        (b"h2", "h2"),
        (b"http/1.1", "h1"),
        (b"h", "hh"),
        (b"\xab", "ab"),
        (b"\x20", "20"),
        (b"\xab\xcd", "ad"),
        (b"\x20\x61", "21"),
        (b"\x30\xab", "3b"),
        (b"\x61\x20", "60"),
        (b"\x30\x31\xab\xcd", "3d"),
        (b"\x30\xab\xcd\x31", "01"),
        (b"", "00"),
    ],
)
def test_the_ends_of_the_first_protocol_are_as_published(name: bytes, ends: str) -> None:
    assert with_extensions((ALPN, names(name, b"h3"))).ja4.startswith(f"t12i0101{ends}_")


# -- each part of JA4's beginning


@pytest.mark.parametrize(
    "version, told",
    [(0x0303, "12"), (0x0302, "11"), (0x0301, "10"), (0x0300, "s3"), (0x0002, "s2"), (0x0305, "00")],
)
def test_without_supported_versions_the_hello_s_own_version_counts(version: int, told: str) -> None:
    assert found(hello(version=version)).ja4[1:3] == told


@pytest.mark.parametrize(
    "versions, told",
    [
        (numbers([0x0303, 0x0304, 0x0302], 1), "13"),
        (numbers([0x0302, 0x0301], 1), "11"),
        (numbers([0x7F1C, 0x0304], 1), "00"),  # a draft's number is the highest, and has no name
        (b"", "00"),
    ],
)
def test_of_supported_versions_the_highest_counts(versions: bytes, told: str) -> None:
    assert with_extensions((VERSIONS, versions)).ja4[1:3] == told


def test_a_server_name_counts_by_being_there() -> None:
    assert with_extensions((SERVER_NAME, b"")).ja4.startswith("t12d0101")
    assert with_extensions((GROUPS, numbers([29]))).ja4.startswith("t12i0101")


def test_name_and_protocol_are_not_hashed_again() -> None:
    result = with_extensions((SERVER_NAME, b""), (ALPN, names(b"h2")))
    assert result.ja4 == "t12d0102h2_0f2cb44170f4_000000000000"
    assert result.ja4_raw == "t12d0102h2_1301_"


def test_a_hello_without_suites_has_zeros_for_their_hash() -> None:
    assert found(hello([])).ja4 == "t12i000000_000000000000_000000000000"


def test_more_than_ninety_nine_are_ninety_nine() -> None:
    raw = hello(range(1, 121), [(60 + number, b"") for number in range(150)])
    assert found(raw).ja4.startswith("t12i9999")


# -- what is no ClientHello, or hardly one


@pytest.mark.parametrize("extension", [GROUPS, FORMATS, SCHEMES, ALPN, VERSIONS])
def test_an_extension_that_cannot_be_read_says_nothing(extension: int) -> None:
    result = with_extensions((extension, b"\xff\xff\x01"))
    assert result.ja3_text == f"771,4865,{extension},,"
    assert result.ja4_raw.endswith("_" if extension == ALPN else f"_{extension:04x}")


@pytest.mark.parametrize(
    "raw", [b"", b"\1", b"\2" + published()[1:], published()[:-1], published() + b"\0", b"\1\0\0\2\3\3"]
)
def test_what_is_no_hello_has_no_fingerprints(raw: bytes) -> None:
    assert fingerprints(raw) is None


@given(st.binary(max_size=400))
def test_no_body_of_a_hello_raises(body: bytes) -> None:
    fingerprints(b"\1" + len(body).to_bytes(3, "big") + body)


@given(st.data())
def test_no_change_of_a_hello_raises(data: st.DataObject) -> None:
    raw = bytearray(published(grease=True))
    for position in data.draw(st.lists(st.integers(4, len(raw) - 1), min_size=1, max_size=8)):
        raw[position] = data.draw(st.integers(0, 255))
    fingerprints(bytes(raw))


# -- where they are shown


def told_of(raw: bytes) -> Trace:
    trace = Trace()
    trace.view("client").message(
        direction="sent", name="ClientHello", raw=raw, encrypted=False, epoch="plaintext"
    )
    return trace


def test_the_json_of_a_hello_has_them() -> None:
    document = to_json(told_of(published()))
    Draft202012Validator(schema()).validate(document)
    (event,) = document["events"]
    assert event["ja3"] == found(published()).ja3
    assert event["ja4"] == found(published()).ja4


def test_the_json_of_what_cannot_be_read_has_none() -> None:
    document = to_json(told_of(b"\1\0\0\1\3"))
    Draft202012Validator(schema()).validate(document)
    assert not {"ja3", "ja4"} & document["events"][0].keys()


def test_the_story_has_them_beside_the_fields() -> None:
    (step,) = narrate(told_of(published()).events)
    result = found(published())
    assert step.details == (Detail("JA3", result.ja3, level=1), Detail("JA4", result.ja4, level=1))
