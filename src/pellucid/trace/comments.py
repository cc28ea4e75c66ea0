"""What the narration says about each record: the text beside a packet."""

from __future__ import annotations

from collections.abc import Sequence

from pellucid.printable import escaped
from pellucid.trace.carried import Content, carried
from pellucid.trace.events import Event, RecordEvent, Side, UnreadEvent
from pellucid.trace.explanations import explain
from pellucid.trace.narration import Step, narrate

__all__ = ["Comments"]


class Comments:
    """Comments on the records of one trace, of one side or both.

    Each step is told once: with the first record of its message, and an action with the next record of who
    did it. ``told`` holds the numbers of those that were told before, and grows.
    """

    def __init__(self, events: Sequence[Event], told: set[int]) -> None:
        self._steps = narrate(events)
        self._carried = carried(events)
        self._told = told
        self._step_of = {
            event.n: step
            for step in self._steps
            if step.kind == "message"
            for event in step.events
            if isinstance(event, Content | RecordEvent)
        }

    def of(self, event: RecordEvent | UnreadEvent) -> list[str]:
        """What there is to say of it, in the order of the steps."""
        steps = [self._step_of.get(n) for n in (event.n, *(e.n for e in self._carried.get(event.n, ())))]
        texts: list[str] = []
        for step in dict.fromkeys(step for step in steps if step):
            if step.number in self._told:
                texts.append(escaped(f"step {step.number}, going on: {step.side} {step.title}"))
                continue
            before = [action for action in self._untold_actions(step.side) if action.number < step.number]
            texts += [self._tell(each) for each in (*before, step)]
        found = None if texts else explain(event)
        return [f"no step: {found.text}"] if found else texts

    def left(self, side: Side) -> list[str]:
        """The actions of ``side`` after which it sent nothing more."""
        return [self._tell(action) for action in self._untold_actions(side)]

    def _untold_actions(self, side: Side) -> list[Step]:
        actions = (step for step in self._steps if step.kind == "action" and step.side == side)
        return [action for action in actions if action.number not in self._told]

    def _tell(self, step: Step) -> str:
        self._told.add(step.number)
        fails = "" if step.ok else ": this fails"
        text = f"step {step.number}: {step.actor} {step.title}{fails}. {step.purpose}"
        faults = (f" {detail.label}: {detail.value}." for detail in step.details if not detail.ok)
        return escaped("".join((text, *faults)))
