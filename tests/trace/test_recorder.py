from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator

import pytest

from pellucid.diagnosis import diagnosis_of
from pellucid.errors import PeerMisbehaved, Reason
from pellucid.trace import DataEvent, OutcomeEvent, RecordEvent, Redacted, SecretEvent, Trace


def test_events_are_numbered_from_one_over_both_sides(told: Trace) -> None:
    assert [event.n for event in told.events] == list(range(1, len(told.events) + 1))
    assert {event.side for event in told.events} == {"client", "server"}


def test_time_is_counted_in_microseconds_from_the_start_of_the_trace() -> None:
    ticks: Iterator[float] = iter([100.0, 100.25])
    trace = Trace(clock=lambda: next(ticks))
    trace.view("client").state(name="START")
    assert trace.events[0].time_us == 250_000


def test_a_view_is_true_even_before_anything_was_recorded() -> None:
    assert Trace().view("client")


def test_events_cannot_be_changed(told: Trace) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        told.events[0].n = 7  # type: ignore[misc]


def test_secrets_are_replaced_by_length_and_fingerprint(told: Trace) -> None:
    event = next(event for event in told.events if isinstance(event, SecretEvent))
    assert event.value == Redacted(32, "630dcd29")


def test_a_redacted_trace_does_not_hold_the_secret_anywhere(told: Trace, shared_secret: bytes) -> None:
    def values(event: object) -> Iterator[object]:
        return (getattr(event, field.name) for field in dataclasses.fields(event))  # type: ignore[arg-type]

    assert not any(shared_secret in str(value).encode() for event in told.events for value in values(event))
    assert not any(shared_secret == value for event in told.events for value in values(event))


def test_secrets_are_kept_when_they_are_asked_for(
    tell: Callable[[Trace], None], shared_secret: bytes
) -> None:
    trace = Trace(reveal_secrets=True)
    tell(trace)
    event = next(event for event in trace.events if isinstance(event, SecretEvent))
    assert event.value == shared_secret


@pytest.mark.parametrize("reveal", [False, True])
def test_repr_shows_no_secret_in_either_case(reveal: bool, shared_secret: bytes) -> None:
    trace = Trace(reveal_secrets=reveal)
    view = trace.view("client")
    view.secret(name="x", formula="f", inputs=[("IKM", shared_secret)], value=shared_secret)
    view.keys(direction="read", epoch="handshake", cipher_suite="S", key=shared_secret, iv=shared_secret)
    text = repr(trace.events) + repr(trace) + repr(view)
    assert shared_secret.hex() not in text
    assert repr(shared_secret)[2:-1] not in text


def test_an_input_that_is_an_earlier_secret_is_shown_by_its_name(told: Trace) -> None:
    event = next(e for e in told.events if isinstance(e, SecretEvent) and e.name == "handshake_secret")
    assert dict(event.inputs)["IKM"] == "shared_secret"


def test_an_input_of_unknown_bytes_is_taken_for_secret(told: Trace) -> None:
    event = next(e for e in told.events if isinstance(e, SecretEvent) and e.name == "handshake_secret")
    assert dict(event.inputs)["salt"] == Redacted.of(b"\x07" * 32)


def test_a_public_input_is_shown(told: Trace) -> None:
    event = next(e for e in told.events if isinstance(e, SecretEvent) and e.name.startswith("client_hand"))
    assert dict(event.inputs)["transcript_hash"] == b"\x09" * 32


def test_data_and_records_are_bounded_and_the_rest_is_counted() -> None:
    trace = Trace(limit=3)
    view = trace.view("client")
    for _ in range(5):
        view.data(direction="sent", length=1)
    view.record(direction="sent", content_type=23, length=1, encrypted=True, header=bytes(5))
    view.state(name="CLOSED")
    assert [type(event) for event in trace.events[:3]] == [DataEvent] * 3
    assert not any(isinstance(event, RecordEvent) for event in trace.events)
    assert trace.events[-1].kind == "state"
    assert trace.dropped == 3


def test_an_alert_gets_its_meaning_by_itself() -> None:
    trace = Trace()
    trace.view("server").alert(direction="received", level="fatal", description="unknown_ca")
    assert "no authority" in trace.events[0].meaning  # type: ignore[attr-defined]


def test_an_outcome_with_an_error_says_what_it_means() -> None:
    trace = Trace()
    error = PeerMisbehaved(Reason.BAD_FINISHED, "the MAC differs")
    trace.view("client").outcome(status="failed", failure=diagnosis_of(error))
    outcome = trace.events[0]
    assert isinstance(outcome, OutcomeEvent)
    assert outcome.failure is not None
    assert (outcome.failure.id, outcome.failure.blame) == ("bad_finished", "peer")
