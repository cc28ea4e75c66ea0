from __future__ import annotations

from collections.abc import Callable

import pytest

from pellucid.trace import CertificateSummary, Trace
from pellucid.trace.narration import Step, narrate


def titles(steps: list[Step]) -> list[str]:
    return [f"{step.side}: {step.title}" for step in steps]


def test_a_handshake_is_told_in_order(told: Trace) -> None:
    assert titles(narrate(told.events)) == [
        "client: ClientHello",
        "server: chooses",
        "server: ServerHello",
        "server: derives the handshake keys",
        "server: ChangeCipherSpec",
        "server: EncryptedExtensions",
        "server: Certificate",
        "server: CertificateVerify",
        "server: Finished",
        "client: reads the answer",
        "client: derives the handshake keys",
        "client: verifies the server's certificate path",
        "client: verifies the signature",
        "client: verifies Finished",
        "client: Finished",
        "server: verifies Finished",
        "server: NewSessionTicket (2 of them)",
        "client: derives the application keys",
        "client: application data",
        "client: close_notify",
    ]


def test_steps_are_numbered_from_one(told: Trace) -> None:
    steps = narrate(told.events)
    assert [step.number for step in steps] == list(range(1, len(steps) + 1))


def test_a_step_is_a_message_or_an_action(told: Trace) -> None:
    kinds = {step.title: step.kind for step in narrate(told.events)}
    assert kinds["ServerHello"] == "message"
    assert kinds["verifies Finished"] == "action"


def test_each_message_is_told_once_though_both_sides_saw_it(told: Trace) -> None:
    assert sum(step.title == "ServerHello" for step in narrate(told.events)) == 1


def test_one_side_alone_tells_what_it_received(told: Trace) -> None:
    steps = narrate([event for event in told.events if event.side == "client"])
    assert "server: Certificate" in titles(steps)
    assert "server: derives the handshake keys" not in titles(steps)


def test_what_the_server_chose_is_told_by_a_client_that_watches_alone(told: Trace) -> None:
    steps = narrate([event for event in told.events if event.side == "client"])
    step = next(step for step in steps if step.title == "reads the answer")
    assert ("cipher suite", "TLS_AES_128_GCM_SHA256") in [(d.label, d.value) for d in step.details]


def test_size_and_protection_of_a_message(told: Trace) -> None:
    steps = {(step.side, step.title): step for step in narrate(told.events)}
    assert steps["client", "ClientHello"].size == 200
    assert steps["client", "ClientHello"].protection == "in the clear"
    assert steps["server", "Certificate"].protection == "server's handshake key"
    assert steps["client", "application data"].protection == "client's application key"
    assert steps["server", "NewSessionTicket (2 of them)"].size == 200


def test_an_alert_goes_under_the_key_of_its_moment(told: Trace) -> None:
    assert narrate(told.events)[-1].protection == "client's application key"


def test_an_alert_before_any_keys_is_in_the_clear() -> None:
    trace = Trace()
    trace.view("server").alert(direction="sent", level="fatal", description="handshake_failure")
    assert narrate(trace.events)[0].protection == "in the clear"


def test_a_correction_of_the_textbook_is_given_once(told: Trace) -> None:
    corrections = [step.textbook for step in narrate(told.events) if step.textbook]
    assert len(corrections) >= 7
    assert len(set(corrections)) == len(corrections)


def test_the_key_exchange_brings_its_correction_along(told: Trace) -> None:
    step = next(step for step in narrate(told.events) if step.id == "step:derive:handshake")
    assert "No secret is sent" in step.textbook


def test_a_hybrid_key_exchange_has_words_of_its_own() -> None:
    trace = Trace()
    trace.view("client").secret(name="shared_secret", formula="X25519MLKEM768(ours, theirs)", value=b"x" * 64)
    assert "KEM" in narrate(trace.events)[0].textbook


def test_the_second_side_is_told_shorter(told: Trace) -> None:
    first, second = (step for step in narrate(told.events) if step.id == "step:derive:handshake")
    assert second.purpose != first.purpose
    assert second.purpose.startswith("The client comes to the same keys")


def test_every_step_says_what_it_is_for(told: Trace) -> None:
    assert all(step.purpose for step in narrate(told.events))


def test_a_hello_retry_request_makes_the_second_hello_another_step() -> None:
    trace = Trace()
    client, server = trace.view("client"), trace.view("server")
    for view, name in ((client, "ClientHello"), (server, "HelloRetryRequest"), (client, "ClientHello")):
        view.message(direction="sent", name=name, raw=bytes(8), encrypted=False, epoch="plaintext")
    assert [step.id for step in narrate(trace.events)] == [
        "message:ClientHello:client",
        "message:HelloRetryRequest:server",
        "message:ClientHello:second",
    ]


def test_an_unknown_message_is_a_step_all_the_same() -> None:
    trace = Trace()
    trace.view("client").message(
        direction="received", name="unknown (0x63)", raw=b"\x63\0\0\0", encrypted=False, epoch="plaintext"
    )
    assert narrate(trace.events)[0].title == "unknown (0x63)"


def test_a_choice_shows_what_was_chosen_and_why(told: Trace) -> None:
    step = narrate(told.events)[1]
    assert [(d.label, d.value, d.note) for d in step.details if d.level == 0] == [
        ("cipher suite", "TLS_AES_128_GCM_SHA256", "the server's first that the client has")
    ]


def test_nothing_in_common_is_a_step_that_fails_and_shows_both_lists() -> None:
    trace = Trace()
    trace.view("server").choice(what="group", ours=("x25519",), theirs=("secp256r1",), chosen="", rule="r")
    step = narrate(trace.events)[0]
    assert not step.ok
    assert ("client has", "secp256r1") in [(d.label, d.value) for d in step.details if d.level == 0]


@pytest.mark.parametrize("what", ["finished", "certificate_verify", "session_id_echo"])
def test_a_failed_check_shows_both_values(what: str) -> None:
    trace = Trace()
    trace.view("client").check(what=what, expected=b"\x01", found=b"\x02", ok=False)
    step = narrate(trace.events)[0]
    assert not step.ok
    assert {("expected", "01"), ("found", "02")} <= {(d.label, d.value) for d in step.details if d.level == 0}


def test_a_ticket_that_is_not_taken_is_no_failure() -> None:
    trace = Trace()
    trace.view("server").check(what="ticket", expected="ours", found="expired", ok=False)
    assert narrate(trace.events)[0].ok


def test_a_rejected_certificate_names_the_fault() -> None:
    trace = Trace()
    leaf = CertificateSummary(subject="CN=a", issuer="CN=b", verdict="expired 3 days ago")
    trace.view("client").certificate(whose="server", path=[leaf], ok=False)
    step = narrate(trace.events)[0]
    assert not step.ok
    assert "expired 3 days ago" in [detail.note for detail in step.details]


def test_secrets_appear_with_the_fields_and_not_before(told: Trace) -> None:
    step = next(step for step in narrate(told.events) if step.id == "step:derive:handshake")
    assert all(detail.level >= 1 for detail in step.details if "fingerprint" in detail.value)


def test_a_fatal_alert_is_a_step_that_failed() -> None:
    trace = Trace()
    trace.view("client").alert(direction="received", level="fatal", description="unknown_ca")
    step = narrate(trace.events)[0]
    assert (step.side, step.ok) == ("server", False)


def test_a_key_update_moves_to_the_next_key() -> None:
    trace = Trace()
    view = trace.view("client")
    view.message(direction="sent", name="KeyUpdate", raw=bytes(5), encrypted=True, epoch="application")
    view.secret(name="client_application_traffic_secret_1", formula="f", value=b"x", used_for="")
    view.keys(direction="write", epoch="application 1", cipher_suite="S", key=b"k", iv=b"i")
    view.message(direction="sent", name="KeyUpdate", raw=bytes(5), encrypted=True, epoch="application 1")
    steps = narrate(trace.events)
    assert [step.id for step in steps][1] == "step:derive:updated"
    assert steps[2].protection == "client's application key 1"


def test_nothing_recorded_is_nothing_told() -> None:
    assert narrate([]) == []


def test_the_story_is_the_same_each_time(told: Trace, tell: Callable[[Trace], None]) -> None:
    again = Trace(clock=lambda: 0.0)
    tell(again)
    assert narrate(again.events) == narrate(told.events)
