"""Timestamps that a certificate has in it (RFC 6962 3.3): shown as far as they can be read."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography import x509
from loopback import client_config, connect_pair, pump, server_config

from pellucid import Credential, Trace, TrustStore
from pellucid.identity import transparency
from pellucid.trace.events import CheckEvent

NOW = 1_800_000_000.0
OID = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")


def timestamp(log: int = 0x44, milliseconds: int = 1_799_999_000_000) -> bytes:
    return b"\0" + bytes([log]) * 32 + milliseconds.to_bytes(8) + b"\0\0" + b"\4\3" + b"\0\4abcd"


def listed(*timestamps: bytes) -> bytes:
    items = b"".join(len(one).to_bytes(2) + one for one in timestamps)
    content = len(items).to_bytes(2) + items
    size = len(content)
    longer = b"\x81" + bytes([size]) if size < 0x100 else b"\x82" + size.to_bytes(2)
    length = bytes([size]) if size < 0x80 else longer
    return b"\x04" + length + content


def leaf(forge: Any, content: bytes) -> Any:
    extension = x509.UnrecognizedExtension(OID, content)
    return forge.leaf(forge.ca(), names=("localhost",), extensions=[(extension, False)])


def test_each_log_is_named_with_its_moment(forge: Any) -> None:
    certificate = leaf(forge, listed(timestamp(), timestamp(0x55))).certificate
    assert transparency.timestamps_in(certificate) == (
        "log 4444444444444444 at 2027-01-15 07:43:20 UTC",
        "log 5555555555555555 at 2027-01-15 07:43:20 UTC",
    )


def test_of_many_the_first_are_shown(forge: Any) -> None:
    certificate = leaf(forge, listed(*[timestamp()] * 11)).certificate
    *shown, last = transparency.timestamps_in(certificate)
    assert (len(shown), last) == (transparency.MOST_SHOWN, "3 more")


@pytest.mark.parametrize(
    "content", [b"", b"\x04\x00", listed(b"short"), listed(timestamp(milliseconds=2**64 - 1))]
)
def test_what_cannot_be_read_is_not_shown(forge: Any, content: bytes) -> None:
    assert transparency.timestamps_in(leaf(forge, content).certificate) == ()


def test_a_client_tells_the_trace(forge: Any) -> None:
    one, ca = leaf(forge, listed(timestamp())), forge.ca()
    trace = Trace()
    client = client_config(trace=trace, trust=TrustStore.from_certificates([ca.certificate]))
    credential = Credential.from_objects([one.certificate], one.key)
    pump(*connect_pair(client, server_config(credentials=[credential])))
    (event,) = (e for e in trace.events if isinstance(e, CheckEvent) and e.what == "transparency")
    assert (event.expected, event.found) == (
        "shown, not verified",
        "log 4444444444444444 at 2027-01-15 07:43:20 UTC",
    )
