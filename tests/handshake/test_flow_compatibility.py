"""Looking like TLS 1.2 to a middlebox: RFC 9846 E.4."""

from __future__ import annotations

from typing import Any

import pytest
from loopback import client_config, server_config, shake_hands

from pellucid import Trace
from pellucid.codes import ContentType
from pellucid.messages import ClientHello, ServerHello
from pellucid.trace.events import MessageEvent, RecordEvent

RETRY_CLIENT = {"groups": ["x25519", "secp256r1"], "key_shares": ["x25519"]}
RETRY_SERVER = {"groups": ["secp256r1"]}

#: What a side sends, c for change_cipher_spec, p for a plaintext record, e for an encrypted one.
FLIGHTS: dict[str, tuple[dict[str, Any], dict[str, Any], str, str]] = {
    # The client: "immediately before its second flight"; the server: "immediately after its first message".
    "compatible": ({}, {}, "pce", "pcee"),
    "compatible, HelloRetryRequest": (RETRY_CLIENT, RETRY_SERVER, "pcpe", "pcpee"),
    "plain": ({"middlebox_compatibility": False}, {}, "pe", "pee"),
    "plain, HelloRetryRequest": (
        RETRY_CLIENT | {"middlebox_compatibility": False}, RETRY_SERVER, "ppe", "ppee"
    ),
}  # fmt: skip


def sent(trace: Trace, side: str) -> str:
    kinds = ""
    for event in trace.events:
        if isinstance(event, RecordEvent) and (event.side, event.direction) == (side, "sent"):
            is_ccs = event.content_type == ContentType.change_cipher_spec
            kinds += "c" if is_ccs else "e" if event.encrypted else "p"
    return kinds


@pytest.mark.parametrize("name", FLIGHTS)
def test_each_side_sends_one_change_cipher_spec_where_the_rfc_has_it(name: str) -> None:
    client_knobs, server_knobs, of_client, of_server = FLIGHTS[name]
    trace = Trace()
    shake_hands(client_config(trace=trace, **client_knobs), server_config(trace=trace, **server_knobs))
    assert (sent(trace, "client"), sent(trace, "server")) == (of_client, of_server)


@pytest.mark.parametrize("compatible, length", [(True, 32), (False, 0)])
def test_the_session_id_is_echoed(compatible: bool, length: int) -> None:
    trace = Trace()
    shake_hands(client_config(trace=trace, middlebox_compatibility=compatible))
    messages = {event.name: event.raw for event in trace.events if isinstance(event, MessageEvent)}
    session_id = ClientHello.decode(messages["ClientHello"]).legacy_session_id
    assert len(session_id) == length
    assert ServerHello.decode(messages["ServerHello"]).legacy_session_id_echo == session_id


def test_the_first_record_says_tls_1_0_and_all_others_1_2() -> None:
    """RFC 9846 5.1: but for an initial ClientHello, legacy_record_version "MUST be set to 0x0303"."""
    trace = Trace()
    shake_hands(client_config(trace=trace, **RETRY_CLIENT), server_config(trace=trace, **RETRY_SERVER))
    versions: dict[str, list[str]] = {"client": [], "server": []}
    for event in trace.events:
        if isinstance(event, RecordEvent) and event.direction == "sent":
            versions[event.side].append(event.header[1:3].hex())
    first, *others = versions["client"]
    assert first == "0301"
    assert {*others, *versions["server"]} == {"0303"}
