"""What a trace is told of the key schedule: each secret once, with what it came from, and the same values."""

import pytest

from pellucid.crypto.suites import SUITES
from pellucid.keys import KeySchedule, finished_verify_data, next_traffic_secret, resumption_psk
from pellucid.trace import SecretEvent, Trace

SUITE = SUITES[0x1301]
HASH = bytes(range(32))


def walk(schedule: KeySchedule, psk: bytes | None) -> list[bytes]:
    schedule.early(psk)
    binder_key = [schedule.binder_key(external=True)] if psk else []
    schedule.handshake(b"s" * 32)
    handshake = schedule.handshake_traffic_secrets(HASH)
    schedule.main()
    application = schedule.application_traffic_secrets(HASH)
    return [
        *binder_key,
        *handshake,
        *application,
        schedule.exporter_secret(HASH),
        schedule.resumption_secret(HASH),
    ]


def events_of(psk: bytes | None) -> dict[str, SecretEvent]:
    trace = Trace(reveal_secrets=True)
    walk(KeySchedule(SUITE, trace.view("client")), psk)
    events = [event for event in trace.events if isinstance(event, SecretEvent)]
    by_name = {event.name: event for event in events}
    assert len(by_name) == len(events) == len(trace.events)
    return by_name


@pytest.mark.parametrize("psk", [None, b"p" * 32], ids=["no psk", "psk"])
def test_a_trace_changes_no_value(psk: bytes | None) -> None:
    traced = KeySchedule(SUITE, Trace().view("client"))
    assert walk(traced, psk) == walk(KeySchedule(SUITE), psk)


def test_all_secrets_are_told_in_the_order_of_the_diagram() -> None:
    assert list(events_of(b"p" * 32)) == [
        "early_secret",
        "binder_key",
        "derived_early_secret",
        "handshake_secret",
        "client_handshake_traffic_secret",
        "server_handshake_traffic_secret",
        "derived_handshake_secret",
        "main_secret",
        "client_application_traffic_secret_0",
        "server_application_traffic_secret_0",
        "exporter_secret",
        "resumption_secret",
    ]


@pytest.mark.parametrize(
    "name, formula",
    [
        ("early_secret", "HKDF-Extract(0, PSK)"),
        ("binder_key", 'Derive-Secret(early_secret, "ext binder", "")'),
        ("handshake_secret", 'HKDF-Extract(Derive-Secret(early_secret, "derived", ""), shared_secret)'),
        (
            "client_handshake_traffic_secret",
            'Derive-Secret(handshake_secret, "c hs traffic", ClientHello...ServerHello)',
        ),
        ("main_secret", 'HKDF-Extract(Derive-Secret(handshake_secret, "derived", ""), 0)'),
        ("resumption_secret", 'Derive-Secret(main_secret, "res master", ClientHello...client Finished)'),
    ],
)
def test_the_formula_is_told(name: str, formula: str) -> None:
    assert events_of(b"p" * 32)[name].formula == formula


def test_an_input_that_is_a_secret_told_before_has_its_name() -> None:
    inputs = dict(events_of(None)["client_handshake_traffic_secret"].inputs)
    assert inputs == {"Secret": "handshake_secret", "Label": "c hs traffic", "transcript_hash": HASH}


def test_the_shared_secret_is_told_as_an_input() -> None:
    assert dict(events_of(None)["handshake_secret"].inputs)["shared_secret"] == b"s" * 32


def test_every_secret_has_a_use() -> None:
    assert all(event.used_for for event in events_of(b"p" * 32).values())


def test_a_finished_key_is_told_under_the_name_given() -> None:
    trace = Trace(reveal_secrets=True)
    with_trace = finished_verify_data(
        "sha256", b"b" * 32, HASH, trace=trace.view("server"), name="server_finished_key"
    )
    [event] = trace.events
    assert isinstance(event, SecretEvent)
    assert event.name == "server_finished_key"
    assert with_trace == finished_verify_data("sha256", b"b" * 32, HASH)


def test_a_key_update_is_told() -> None:
    trace = Trace(reveal_secrets=True)
    secret = next_traffic_secret(
        "sha256", b"s" * 32, trace=trace.view("client"), name="client_application_traffic_secret_1"
    )
    [event] = trace.events
    assert isinstance(event, SecretEvent)
    assert (event.name, event.value) == ("client_application_traffic_secret_1", secret)


def test_a_ticket_s_psk_is_told() -> None:
    trace = Trace(reveal_secrets=True)
    psk = resumption_psk("sha256", b"r" * 32, b"\0", trace=trace.view("client"))
    [event] = trace.events
    assert isinstance(event, SecretEvent)
    assert (event.name, event.value) == ("resumption_psk", psk)


def test_a_trace_that_hides_secrets_holds_none() -> None:
    trace = Trace()
    secrets = walk(KeySchedule(SUITE, trace.view("client")), b"p" * 32)
    shown = repr(trace.events)
    assert not any(repr(secret)[2:-1] in shown or secret.hex() in shown for secret in secrets)
