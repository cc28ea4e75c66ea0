"""What a trace is told of TLS 1.2's secrets: each once, with formula, inputs and use, and the same values."""

import pytest

from pellucid.crypto.suites12 import SUITES12, Suite12
from pellucid.keys import extended_master_secret, finished_verify_data12, key_block, master_secret
from pellucid.trace import SecretEvent, Trace
from pellucid.trace.recorder import TraceView

GCM = SUITES12[0xC02F]
CBC = SUITES12[0xC027]
PREMASTER = bytes(range(48))
CLIENT_RANDOM, SERVER_RANDOM = b"c" * 32, b"s" * 32


def derive(suite: Suite12, trace: TraceView | None, *, extended: bool = True) -> list[object]:
    if extended:
        secret = extended_master_secret(suite.hash_name, PREMASTER, b"h" * 32, trace)
    else:
        secret = master_secret(suite.hash_name, PREMASTER, CLIENT_RANDOM, SERVER_RANDOM, trace)
    keys = key_block(suite, secret, CLIENT_RANDOM, SERVER_RANDOM, trace)
    parts = [part for own in keys for part in (own.mac_key, own.key, own.iv)]
    finished = [
        finished_verify_data12(suite.hash_name, secret, "client", b"1" * 32, trace),
        finished_verify_data12(suite.hash_name, secret, "server", b"2" * 32, trace),
    ]
    return [secret, *parts, *finished]


def events_of(suite: Suite12, *, extended: bool = True, reveal: bool = True) -> dict[str, SecretEvent]:
    trace = Trace(reveal_secrets=reveal)
    trace.view("client").secret(name="premaster_secret", formula="", value=PREMASTER)
    derive(suite, trace.view("client"), extended=extended)
    events = [event for event in trace.events if isinstance(event, SecretEvent)][1:]
    by_name = {event.name: event for event in events}
    assert len(by_name) == len(events)
    return by_name


@pytest.mark.parametrize("suite", [GCM, CBC], ids=str)
@pytest.mark.parametrize("extended", [True, False])
def test_a_trace_changes_no_value(suite: Suite12, extended: bool) -> None:
    assert derive(suite, Trace().view("client"), extended=extended) == derive(suite, None, extended=extended)


def test_the_secrets_of_an_aead_are_told_in_order() -> None:
    assert list(events_of(GCM)) == [
        "master_secret",
        "key_block",
        "client_write_key",
        "server_write_key",
        "client_write_IV",
        "server_write_IV",
        "client_verify_data",
        "server_verify_data",
    ]


def test_the_secrets_of_cbc_have_mac_keys_and_no_iv() -> None:
    assert list(events_of(CBC)) == [
        "master_secret",
        "key_block",
        "client_write_MAC_key",
        "server_write_MAC_key",
        "client_write_key",
        "server_write_key",
        "client_verify_data",
        "server_verify_data",
    ]


@pytest.mark.parametrize(
    "name, formula",
    [
        ("master_secret", 'PRF(premaster_secret, "extended master secret", session_hash)[0..47]'),
        ("key_block", 'PRF(master_secret, "key expansion", ServerHello.random + ClientHello.random)'),
        ("client_write_key", "key_block[0..15]"),
        ("server_write_key", "key_block[16..31]"),
        ("client_write_IV", "key_block[32..35]"),
        ("server_write_IV", "key_block[36..39]"),
        ("client_verify_data", 'PRF(master_secret, "client finished", Hash(handshake_messages))[0..11]'),
        ("server_verify_data", 'PRF(master_secret, "server finished", Hash(handshake_messages))[0..11]'),
    ],
)
def test_the_formula_is_told(name: str, formula: str) -> None:
    assert events_of(GCM)[name].formula == formula


def test_the_formula_of_a_master_secret_that_is_not_extended_has_the_randoms() -> None:
    event = events_of(GCM, extended=False)["master_secret"]
    assert event.formula == (
        'PRF(premaster_secret, "master secret", ClientHello.random + ServerHello.random)[0..47]'
    )
    assert dict(event.inputs)["ClientHello.random"] == CLIENT_RANDOM


@pytest.mark.parametrize("suite", [GCM, CBC], ids=str)
def test_each_part_is_where_its_formula_says(suite: Suite12) -> None:
    events = events_of(suite)
    block = events["key_block"].value
    assert isinstance(block, bytes)
    end = 0
    for name, event in events.items():
        if "_write_" in name:
            first, last = map(int, event.formula.removeprefix("key_block[").removesuffix("]").split(".."))
            assert first == end
            assert event.value == block[first : last + 1]
            end = last + 1
    assert end == len(block)


def test_inputs_that_were_told_before_have_their_names() -> None:
    events = events_of(GCM)
    assert dict(events["master_secret"].inputs)["premaster_secret"] == "premaster_secret"
    assert dict(events["key_block"].inputs)["master_secret"] == "master_secret"
    assert dict(events["client_write_key"].inputs)["key_block"] == "key_block"


@pytest.mark.parametrize("extended", [True, False])
def test_only_a_session_with_an_extended_master_secret_is_said_to_be_resumed(extended: bool) -> None:
    trace = Trace()
    view = trace.view("client")
    if extended:
        extended_master_secret("sha256", PREMASTER, bytes(32), trace=view)
    else:
        master_secret("sha256", PREMASTER, bytes(32), bytes(32), trace=view)
    (event,) = trace.events
    assert isinstance(event, SecretEvent)
    assert ("resuming" in event.used_for) == extended


def test_every_secret_has_a_use() -> None:
    assert all(event.used_for for suite in (GCM, CBC) for event in events_of(suite).values())


def test_a_trace_that_hides_secrets_holds_none() -> None:
    trace = Trace()
    secrets = derive(CBC, trace.view("client"))
    shown = repr(trace.events)
    found = [
        secret
        for secret in secrets
        if isinstance(secret, bytes) and secret and (repr(secret)[2:-1] in shown or secret.hex() in shown)
    ]
    assert not found
