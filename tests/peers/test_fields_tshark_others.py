"""Of what other stacks have said our fields are tshark's, too, and so are the records and the alerts."""

from __future__ import annotations

from compared import NOT_FOLLOWED, SIDES, Captures, each_kind, messages, sent
from pellucid.messages import Alert, describe
from pellucid.trace import MessageEvent, RecordEvent
from tshark_fields import assert_same_fields, assert_same_record


@each_kind
def test_the_fields_of_every_message_are_tsharks(captures: Captures, kind: str) -> None:
    for dissected, decoded in captures[kind].pairs:
        for side in SIDES:
            theirs = [message for message in dissected.messages if message.side == side]
            # What we do not follow is longer there.
            for ours, message in zip(messages(decoded, side), theirs, strict=False):
                assert ours.raw == message.raw
                if has_fields(ours):
                    assert_same_fields(ours.raw, message.fields, ours.fields)
                else:
                    assert kind in NOT_FOLLOWED


def has_fields(message: MessageEvent) -> bool:
    """Whether we know the form of it, which for some depends on the cipher suite and on the version."""
    return all(field.name != "body" for field in message.fields)


@each_kind
def test_the_fields_of_every_alert_are_tsharks(captures: Captures, kind: str) -> None:
    for dissected in captures[kind].dissected:
        for alert in dissected.alerts:
            assert_same_fields(alert.raw, alert.fields, describe(alert.raw, Alert))


@each_kind
def test_the_records_are_tsharks(captures: Captures, kind: str) -> None:
    for dissected, decoded in captures[kind].pairs:
        for side in SIDES:
            ours = sent(decoded, side, RecordEvent)
            theirs = [record for record in dissected.records if record.side == side]
            assert [record.raw for record in ours] == [record.raw for record in theirs]
            for event, record in zip(ours, theirs, strict=True):
                assert_same_record(event, record)
