"""DER as the page shows it: a known value reads as it is, and no bytes at all do any harm."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from loopback import credential
from pages import assert_owned, every

from pellucid.trace.html.x509 import CERTIFICATE, ECDSA_SIGNATURE, NAME, OTHER, der_nodes

LEAF = credential().chain[0]
shapes = st.sampled_from([CERTIFICATE, ECDSA_SIGNATURE, NAME, OTHER])


@given(st.binary(max_size=200), shapes)
@example(b"\x30\x80\x00\x00", OTHER)  # an indefinite length, which is BER
@example(b"\x30\x84\xff\xff\xff\xff", OTHER)
@example(b"\x1f\x81\x01\x00", OTHER)  # a tag of several bytes
@example(b"\x06\x00", OTHER)
def test_any_bytes_are_owned_whole_or_left_alone(raw: bytes, shape: str) -> None:
    nodes = der_nodes(raw, 0, len(raw), shape)
    if nodes:
        assert_owned(nodes, len(raw))


@given(st.data())
def test_a_damaged_certificate_is_owned_whole_or_left_alone(data: st.DataObject) -> None:
    raw = bytearray(LEAF)
    for place in data.draw(st.lists(st.integers(0, len(raw) - 1), min_size=1, max_size=3)):
        raw[place] = data.draw(st.integers(0, 255))
    nodes = der_nodes(bytes(raw), 0, len(raw), CERTIFICATE)
    if nodes:
        assert_owned(nodes, len(raw))


def wrapped(depth: int, inner: bytes = b"") -> bytes:
    """SEQUENCE in SEQUENCE in ..."""
    for _ in range(depth):
        length = len(inner)
        inner = b"\x30" + (bytes([length]) if length < 128 else b"\x82" + length.to_bytes(2, "big")) + inner
    return inner


def test_what_nests_too_deep_is_left_alone() -> None:
    assert der_nodes(wrapped(20), 0, len(wrapped(20)), OTHER)
    assert der_nodes(wrapped(200), 0, len(wrapped(200)), OTHER) == []


@pytest.mark.parametrize("inner", [b"\x05\x00" * 30_000, wrapped(1) * 30_000], ids=["flat", "nested"])
def test_what_has_too_many_elements_is_left_alone_soon(inner: bytes) -> None:
    raw = b"\x30\x83" + len(inner).to_bytes(3, "big") + inner
    began = time.process_time()
    assert der_nodes(raw, 0, len(raw), OTHER) == []
    assert time.process_time() - began < 2.0


def test_an_optional_member_that_is_missing_names_no_other() -> None:
    """A certificate of version 1 has neither a version nor extensions."""
    nodes = der_nodes(LEAF, 0, len(LEAF), CERTIFICATE)
    body = next(node for node in every(nodes) if node["name"] == "tbsCertificate")
    version, rest = body["parts"][1], body["parts"][2:-1]
    first = LEAF[rest[0]["at"] : body["parts"][-1]["at"]]
    tbs = b"\x30\x82" + len(first).to_bytes(2, "big") + first
    tail = LEAF[body["at"] + body["size"] :]
    old = b"\x30\x82" + (len(tbs) + len(tail)).to_bytes(2, "big") + tbs + tail
    names = [node["name"] for node in der_nodes(old, 0, len(old), CERTIFICATE)[0]["parts"][1]["parts"]]
    assert version["name"] == "version"
    assert names == [
        *("tag and length", "serialNumber", "signature", "issuer", "validity", "subject"),
        "subjectPublicKeyInfo",
    ]


@pytest.mark.parametrize(
    "text, moment",
    [
        (b"491231235959Z", "2049-12-31 23:59:59 UTC"),
        (b"500101000000Z", "1950-01-01 00:00:00 UTC"),
        (b"20510203040506Z", "2051-02-03 04:05:06 UTC"),
        (b"yesterday", None),
    ],
)
def test_a_time_reads_as_one(text: bytes, moment: str | None) -> None:
    tag = 0x17 if len(text) == 13 else 0x18
    raw = bytes([tag, len(text)]) + text
    assert der_nodes(raw, 0, len(raw), OTHER)[0].get("meaning") == moment


def test_controls_in_a_name_are_written_out() -> None:
    text = "a\u202eb\x1b[2J".encode()
    raw = bytes([0x0C, len(text)]) + text
    assert der_nodes(raw, 0, len(raw), OTHER)[0]["value"] == "a\\u202eb\\u001b[2J"
