"""TLS 1.3 from outside: what `decode` tells of a capture is what those told who took part."""

from __future__ import annotations

from functools import cache
from itertools import groupby

import pytest
from conversations import KINDS, Conversation, converse
from jsonschema import Draft202012Validator
from watching12 import checks, decode, events_of, messages, secrets

from pellucid.decode import Decoded
from pellucid.handshake.order import ORDERS
from pellucid.trace.carried import carried
from pellucid.trace.events import (
    CertificateEvent,
    ChoiceEvent,
    DataEvent,
    KeysEvent,
    MessageEvent,
    OutcomeEvent,
    RecordEvent,
    SecretEvent,
    StateEvent,
)
from pellucid.trace.json import dumps, schema, to_json
from pellucid.trace.narration import narrate
from pellucid.trace.pcapng import write_pcapng

NAMES = [name for name in KINDS if not name.startswith("1.2")]
each_kind = pytest.mark.parametrize("kind", NAMES)
#: Those of which every record is kept: "small records" has more of them than a trace takes.
each_whole_kind = pytest.mark.parametrize("kind", [name for name in NAMES if name != "small records"])


@cache
def live(kind: str) -> Conversation:
    return converse(kind, reveal_secrets=True)


@cache
def decoded(kind: str) -> Decoded:
    talk = live(kind)
    (found,) = decode(b"".join(write_pcapng([talk.trace], talk.key_log)))
    return found


@each_kind
def test_the_messages_are_those_of_the_live_trace(kind: str) -> None:
    assert messages(events_of(decoded(kind))) == messages(live(kind).trace.events)


@each_kind
def test_messages_have_the_same_fields_and_protection(kind: str) -> None:
    def told(events: list[object]) -> list[object]:
        return [(e.encrypted, e.epoch, e.fields) for e in events if isinstance(e, MessageEvent)]

    assert told([*events_of(decoded(kind))]) == told([*live(kind).trace.events])


@each_kind
def test_every_check_of_who_took_part_is_made_and_holds(kind: str) -> None:
    made = checks(events_of(decoded(kind)))
    assert all(check.ok for check in made)
    # What only the owner of a secret can check stays out: binders, and tickets that a server opens.
    own = {"psk_binder", "ticket", "hello_retry_request"}
    theirs = {(c.side, c.what) for c in checks(live(kind).trace.events) if c.what not in own}
    assert {(c.side, c.what) for c in made} == theirs


@each_kind
def test_secrets_that_both_have_are_the_same(kind: str) -> None:
    ours, theirs = secrets(events_of(decoded(kind))), secrets(live(kind).trace.events)
    assert ours.items() <= theirs.items()
    assert {name for _, name in ours} >= {
        "client_handshake_traffic_secret",
        "server_handshake_traffic_secret",
        "client_application_traffic_secret_0",
        "server_application_traffic_secret_0",
        "client_application_traffic_secret_1",
        "finished_key",
    }


@each_kind
def test_keys_change_on_both_sides_as_they_did(kind: str) -> None:
    def told(events: list[object], side: str) -> list[object]:
        keys = (e for e in events if isinstance(e, KeysEvent) and e.side == side)
        return [(e.direction, e.epoch, e.key, e.iv) for e in keys]

    for side in ("client", "server"):
        ours = told([*events_of(decoded(kind))], side)
        assert ours == told([*live(kind).trace.events], side)


@each_kind
def test_given_secrets_are_marked_and_what_follows_is_derived(kind: str) -> None:
    formulas = {e.name: e.formula for e in events_of(decoded(kind)) if isinstance(e, SecretEvent)}
    given = {name for name, formula in formulas.items() if formula.startswith("given: ")}
    assert given == {
        name for name in formulas if name.endswith(("traffic_secret", "secret_0", "exporter_secret"))
    }
    theirs = {e.name: e.formula for e in live(kind).trace.events if isinstance(e, SecretEvent)}
    assert all(formulas[name] == theirs[name] for name in formulas.keys() - given)


@each_kind
def test_states_are_told_as_they_were(kind: str) -> None:
    def told(events: list[object], side: str) -> list[str]:
        names = (e.name for e in events if isinstance(e, StateEvent) and e.side == side)
        return [name for name, _ in groupby(names)]

    for side in ("client", "server"):
        assert told([*events_of(decoded(kind))], side) == told([*live(kind).trace.events], side)


@each_kind
def test_the_outcome_is_the_same_on_both_sides(kind: str) -> None:
    def told(events: list[object]) -> list[object]:
        fields = (
            "side",
            "status",
            "protocol",
            "cipher_suite",
            "group",
            "alpn",
            "resumed",
            "server_name",
            "mutual",
        )
        return [
            (*(getattr(e, f) for f in fields), e.signature_scheme)
            for e in events
            if isinstance(e, OutcomeEvent)
        ]

    found = decoded(kind)
    assert told([*events_of(found)]) == told([*live(kind).trace.events])
    assert found.outcome in events_of(found)
    assert (found.tls, found.server_name, found.sealed) == (True, "localhost", ())


@each_kind
def test_certificates_are_judged_as_they_were(kind: str) -> None:
    def told(events: list[object]) -> list[object]:
        return [(e.side, e.whose, e.path, e.ok) for e in events if isinstance(e, CertificateEvent)]

    assert told([*events_of(decoded(kind))]) == told([*live(kind).trace.events])


@each_kind
def test_the_client_is_told_what_the_server_chose(kind: str) -> None:
    def told(events: list[object]) -> dict[str, tuple[object, str]]:
        choices = (e for e in events if isinstance(e, ChoiceEvent) and e.side == "client")
        return {e.what: (e.chosen, e.rule) for e in choices if e.rule == "the server chose it"}

    assert told([*events_of(decoded(kind))]) == told([*live(kind).trace.events])


@each_whole_kind
def test_records_are_told_on_both_sides_with_what_they_carried(kind: str) -> None:
    def told(events: list[object]) -> dict[tuple[str, str], list[object]]:
        by_record = carried(events)  # type: ignore[arg-type]
        lanes: dict[tuple[str, str], list[object]] = {}
        for e in events:
            if isinstance(e, RecordEvent):
                names = [getattr(c, "name", c.kind) for c in by_record[e.n]]
                facts = (e.raw, e.content_type, e.encrypted, e.content_length, names)
                lanes.setdefault((e.side, e.direction), []).append(facts)
        return lanes

    assert told([*events_of(decoded(kind))]) == told([*live(kind).trace.events])


def test_records_beyond_the_limit_are_counted_and_the_rest_is_told() -> None:
    found = decoded("small records")
    records = [e for e in events_of(found) if isinstance(e, RecordEvent | DataEvent)]
    assert found.trace is not None
    assert (len(records), found.trace.dropped > 500) == (1000, True)
    assert events_of(found)[-1].kind == "alert"


@each_whole_kind
def test_as_much_data_went(kind: str) -> None:
    def told(events: list[object]) -> dict[tuple[str, str], int]:
        amounts: dict[tuple[str, str], int] = {}
        for e in events:
            if isinstance(e, DataEvent):
                amounts[e.side, e.direction] = amounts.get((e.side, e.direction), 0) + e.length
        return amounts

    assert told([*events_of(decoded(kind))]) == told([*live(kind).trace.events])


@pytest.mark.parametrize("reveal", [True, False])
@each_kind
def test_the_story_follows_the_schema_and_shows_secrets_only_if_asked(kind: str, reveal: bool) -> None:
    talk = live(kind)
    (found,) = decode(b"".join(write_pcapng([talk.trace], talk.key_log)), reveal_secrets=reveal)
    assert found.trace is not None
    document = to_json(found.trace)
    Draft202012Validator(schema()).validate(document)
    shown = [line.split()[2] in dumps(found.trace) for line in talk.key_log]
    assert shown == [reveal] * len(shown)


@each_kind
def test_time_is_the_captures_and_goes_forward(kind: str) -> None:
    found = decoded(kind)
    assert found.trace is not None
    assert found.started_at == found.trace.started_at
    times = [event.time_us for event in found.trace.events]
    assert times == sorted(times)
    assert 0 < times[-1] <= found.duration_us
    assert [event.n for event in found.trace.events] == list(range(1, len(times) + 1))


@each_whole_kind
def test_the_messages_of_the_story_are_told_in_the_same_order(kind: str) -> None:
    def told(events: list[object]) -> list[object]:
        steps = (s for s in narrate(events) if s.kind == "message" and s.id != "data")  # type: ignore[arg-type]
        return [(s.side, s.title, s.size, s.protection) for s in steps]

    assert told([*events_of(decoded(kind))]) == told([*live(kind).trace.events])


#: What only who takes part can tell: what the server could have chosen, private keys, and what stands in the
#: middle of the key schedule, which no key log has.
INSIDE = {
    *("step:choose", "step:exchange", "step:derive:psk", "step:derive:resumption", "step:verify"),
    *("check:ticket", "check:psk_binder", "choice:client_certificate"),
}

#: How the ids of steps begin that are a check.
CHECKED = ("certificate:", "check:")


@each_whole_kind
def test_the_story_is_the_same_as_far_as_an_onlooker_can_know_it(kind: str) -> None:
    def told(events: list[object]) -> list[object]:
        steps = [s for s in narrate(events) if s.id not in INSIDE]  # type: ignore[arg-type]
        # A check has other words: it is not told what the side found whom it was for.
        return [(s.side, s.kind, s.id.replace(":seen", ""), s.title, s.ok) for s in steps] + [
            (s.side, s.id, s.purpose) for s in steps if not s.id.startswith(CHECKED)
        ]

    theirs = told([*live(kind).trace.events])
    assert told([*events_of(decoded(kind))]) == theirs
    assert len(theirs) > 40


@each_kind
def test_checks_are_told_as_those_of_who_looks_on(kind: str) -> None:
    for step in narrate(events_of(decoded(kind))):
        assert step.onlooker == step.id.startswith((*CHECKED, "step:answer"))
        if step.onlooker and not step.id.startswith("step:answer"):
            assert step.id.endswith(":seen")
            assert "here" in step.purpose
    assert not any(step.onlooker for step in narrate(live(kind).trace.events))


@each_kind
def test_the_order_of_messages_is_legal_on_both_sides(kind: str) -> None:
    for side in ("client", "server"):
        state = "START"
        for event in events_of(decoded(kind)):
            if isinstance(event, MessageEvent) and event.side == side:
                state = ORDERS["TLSv1.3", side][state][event.direction, event.name]
        assert state == "CONNECTED"
