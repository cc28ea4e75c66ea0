"""Where a connection's time went, step by step, from the times of its events alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pellucid.trace import Trace, TraceView
from pellucid.trace.json import to_json
from pellucid.trace.timing import Timing, timings


class Clock:
    """Time that goes on only when it is told to, in milliseconds."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now / 1000


class Told:
    """A trace in the making: each method takes the milliseconds that passed before it."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.trace = Trace(clock=self.clock)
        self.client = self.trace.view("client")

    def network(self, what: str, ms: float, *, ok: bool = True) -> None:
        _, began_us = self.trace.stamp()
        self.clock.now += ms
        self.client.network(what=what, detail="", began_us=began_us, ok=ok)  # type: ignore[arg-type]  # a step

    def record(self, ms: float = 0, direction: str = "sent") -> None:
        self.clock.now += ms
        self.client.record(
            direction=direction,  # type: ignore[arg-type]  # one of the two
            content_type=22,
            length=1,
            encrypted=False,
            header=bytes(5),
        )

    def message(self, name: str, ms: float, direction: str = "received") -> None:
        self.clock.now += ms
        self.client.message(
            direction=direction,  # type: ignore[arg-type]  # one of the two
            name=name,
            raw=bytes(4),
            encrypted=False,
            epoch="plaintext",
        )

    def check(self, ms: float, *, ok: bool = True, what: str = "certificate_verify") -> None:
        self.clock.now += ms
        self.client.check(what=what, expected="", found="", ok=ok)

    def outcome(self, ms: float, status: str = "connected") -> None:
        self.clock.now += ms
        self.client.outcome(status=status)  # type: ignore[arg-type]  # one of the two

    @property
    def steps(self) -> list[tuple[str, float, bool]]:
        return [(step.step, step.us / 1000, step.ok) for step in timings(self.trace.events)]


@pytest.fixture
def told() -> Told:
    """A client that has connected by TCP and sent its hello."""
    made = Told()
    made.network("name", 3)
    made.network("tcp", 20)
    made.clock.now += 5  # making the hello, which nobody waits for
    made.record()
    return made


REACHED = [("name", 3, True), ("tcp", 20, True)]


def flight(told: Told, last: str) -> None:
    told.message("ServerHello", 21)
    told.message("Certificate", 2)
    told.check(4)
    told.message("CertificateVerify", 1)
    told.check(0.5)
    told.message(last, 1)


def test_each_step_has_the_time_until_its_end(told: Told) -> None:
    flight(told, "Finished")
    told.message("Finished", 2, "sent")
    told.outcome(1)
    assert told.steps == [
        *REACHED, ("hello", 21, True), ("flight", 4, True), ("verify", 4.5, True), ("finished", 3, True)
    ]  # fmt: skip


def test_in_tls_12_the_servers_finished_is_waited_for_last(told: Told) -> None:
    flight(told, "ServerHelloDone")
    told.message("Finished", 1, "sent")
    told.message("Finished", 21)
    told.check(0.5)
    told.outcome(0.5)
    assert told.steps[-2:] == [("verify", 5, True), ("finished", 22.5, True)]


def test_a_hello_retry_is_part_of_the_hello(told: Told) -> None:
    told.message("HelloRetryRequest", 20)
    told.message("ClientHello", 1, "sent")
    told.message("ServerHello", 20)
    told.outcome(1)
    assert ("hello", 41, True) in told.steps


def test_a_wrong_finished_is_not_what_was_verified(told: Told) -> None:
    flight(told, "Finished")
    told.check(0.25, ok=False, what="finished")
    assert told.steps[-2:] == [("verify", 4.5, True), ("finished", 0.25, False)]


Fail = Callable[[Told], None]


def silent(told: Told) -> None:
    told.outcome(10_000, "failed")


def stalled(told: Told) -> None:
    told.message("ServerHello", 21)
    told.outcome(9_000, "failed")


def judged(told: Told) -> None:
    told.message("ServerHello", 21)
    told.message("Certificate", 2)
    told.check(4, ok=False)
    told.outcome(50, "failed")  # explaining it is not part of it


@pytest.mark.parametrize(
    "fail, step, ms", [(silent, "hello", 10_000), (stalled, "flight", 9_000), (judged, "verify", 4)]
)
def test_the_step_that_failed_is_the_last_one_and_marked(
    told: Told, fail: Fail, step: str, ms: float
) -> None:
    fail(told)
    assert told.steps[-1] == (step, ms, False)
    assert all(ok for _, _, ok in told.steps[:-1])


def test_what_fails_after_the_handshake_is_late(told: Told) -> None:
    flight(told, "Finished")
    told.outcome(1)
    told.message("NewSessionTicket", 5)
    told.outcome(20, "failed")
    assert told.steps[-1] == ("late", 25, False)


def test_what_comes_after_success_takes_no_time_of_it(told: Told) -> None:
    flight(told, "Finished")
    told.outcome(1)
    told.message("NewSessionTicket", 5)
    assert "late" not in [step for step, _, _ in told.steps]


def test_a_way_that_failed_has_no_handshake() -> None:
    told = Told()
    told.network("name", 3)
    told.network("tcp", 7, ok=False)
    told.outcome(1, "failed")
    assert told.steps == [("name", 3, True), ("tcp", 7, False)]


def test_who_saw_no_network_has_no_timing() -> None:
    told = Told()
    told.record()
    told.message("ServerHello", 21)
    told.outcome(1)
    assert told.steps == []
    assert "timing" not in to_json(told.trace)


def test_the_document_has_it(told: Told) -> None:
    silent(told)
    assert to_json(told.trace)["timing"] == [
        {"step": "name", "us": 3000, "ok": True},
        {"step": "tcp", "us": 20000, "ok": True},
        {"step": "hello", "us": 10000000, "ok": False},
    ]


def test_the_servers_own_events_do_not_count(told: Told) -> None:
    server: TraceView = told.trace.view("server")
    told.clock.now += 5
    server.state(name="START")
    told.message("ServerHello", 16)
    told.outcome(0)
    assert timings(told.trace.events)[2] == Timing("hello", 21000)
