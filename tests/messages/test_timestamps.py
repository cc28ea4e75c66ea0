"""Signed certificate timestamps in a message: shown field by field, and never in the way (RFC 6962 3.3)."""

from __future__ import annotations

import pytest
from samples import SCT

from pellucid.messages import Certificate, CertificateEntry, Extensions, describe
from pellucid.messages import extensions as ext
from pellucid.wire import Field


def fields_of(*timestamps: bytes) -> list[Field]:
    """How a Certificate with these shows them."""
    entry = CertificateEntry(b"\x30\x00", Extensions.of(ext.SignedCertificateTimestampList(list(timestamps))))
    raw = Certificate(b"", [entry]).encode()
    found = [field for field in walk(describe(raw)) if field.name.startswith("sct_list[")]
    for field in walk(describe(raw)):
        assert 0 <= field.offset <= field.offset + field.length <= len(raw)
    for field, timestamp in zip(found, timestamps, strict=True):
        assert raw[field.offset : field.offset + field.length] == len(timestamp).to_bytes(2) + timestamp
    return found


def walk(fields: tuple[Field, ...]) -> list[Field]:
    return [one for field in fields for one in (field, *walk(field.fields))]


def test_a_timestamp_is_shown_field_by_field() -> None:
    (field,) = fields_of(SCT.codec.encode(SCT))
    parts = {part.name: part.meaning or part.value for part in field.fields}
    assert list(parts) == ["sct_version", "id", "timestamp", "extensions", "algorithm", "signature"]
    assert parts["timestamp"] == "2027-01-15 08:00:00 UTC"
    assert parts["algorithm"] == "ecdsa_secp256r1_sha256"
    assert field.meaning == "2027-01-15 08:00:00 UTC"


@pytest.mark.parametrize(
    "other",
    [b"\x01" + SCT.codec.encode(SCT)[1:], SCT.codec.encode(SCT) + b"!", SCT.codec.encode(SCT)[:-1], b"\x00"],
    ids=["of another version", "with a byte too many", "cut short", "all but nothing"],
)
def test_what_is_no_timestamp_of_version_1_is_shown_as_bytes(other: bytes) -> None:
    first, second = fields_of(other, SCT.codec.encode(SCT))
    assert first.fields == ()
    assert second.fields != ()


def test_a_moment_beyond_all_calendars_is_shown() -> None:
    raw = bytearray(SCT.codec.encode(SCT))
    raw[33:41] = b"\xff" * 8
    (field,) = fields_of(bytes(raw))
    assert field.fields[2].meaning == "beyond the year 9999"
