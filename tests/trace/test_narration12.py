from __future__ import annotations

import itertools

import pytest
from telling12 import LEAF, Telling, told12

from pellucid.crypto.suites12 import SUITES12, Suite12
from pellucid.trace import Trace
from pellucid.trace.agreed import agreed_in
from pellucid.trace.details import details_of
from pellucid.trace.explanations import event_id, explain, explanations
from pellucid.trace.narration import Step, narrate
from pellucid.trace.ordering import as_delivered
from pellucid.trace.suites import anatomy
from pellucid.trace.summary import summarise

ECDHE = "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"
DHE_CBC = "TLS_DHE_RSA_WITH_AES_256_CBC_SHA256"


def titles(trace: Trace) -> list[str]:
    return [f"{step.side}: {step.title}" for step in narrate(trace.events)]


def step_of(trace: Trace, title: str, side: str = "") -> Step:
    found = (step for step in narrate(trace.events) if step.title == title)
    return next(step for step in found if side in ("", step.side))


def test_rsa_key_exchange_is_told_in_the_steps_in_which_it_is_taught() -> None:
    assert titles(told12()) == [
        "client: ClientHello",
        "server: chooses",
        "server: ServerHello",
        "client: reads the answer",
        "server: Certificate",
        "client: verifies the server's certificate path",
        "server: ServerHelloDone",
        "client: makes the premaster secret and encrypts it",
        "client: ClientKeyExchange",
        "client: computes the master secret",
        "client: derives the session keys",
        "server: decrypts the premaster secret",
        "server: computes the master secret",
        "server: derives the session keys",
        "client: ChangeCipherSpec",
        "client: Finished",
        "server: verifies Finished",
        "server: NewSessionTicket",
        "server: ChangeCipherSpec",
        "server: Finished",
        "client: verifies Finished",
        "client: application data",
        "server: application data",
        "client: close_notify",
    ]


def test_an_ephemeral_exchange_is_signed_and_both_make_the_secret() -> None:
    told = titles(told12(suite=ECDHE))
    signed = told.index("server: ServerKeyExchange")
    assert told[signed + 1] == "client: verifies the signature on the server's key"
    assert "client: makes the premaster secret" in told
    assert "server: makes the premaster secret" in told


def test_mutual_tls_shows_the_client_chosen_verified_and_proved() -> None:
    told = titles(told12(mutual=True))
    wanted = [
        "server: CertificateRequest",
        "client: chooses its certificate",
        "client: Certificate",
        "server: verifies the client's certificate path",
        "client: CertificateVerify",
        "server: verifies the client's signature",
    ]
    assert [title for title in told if title in wanted] == wanted


def test_an_abbreviated_handshake_has_no_key_exchange_and_the_server_finishes_first() -> None:
    told = titles(told12(resumed=True))
    assert told.index("server: Finished") < told.index("client: Finished")
    assert not any("premaster" in title or "master secret" in title for title in told)
    assert "Certificate" not in " ".join(told)


def test_why_a_session_was_or_was_not_resumed_is_told() -> None:
    for trace, expected in (
        (told12(), ("none, so everything anew", "the client brings no session")),
        (told12(resumed=True), ("session ID", "the cache has it")),
    ):
        rows = step_of(trace, "chooses").details
        assert expected in [(row.value, row.note) for row in rows if row.label == "resumption"]


def test_one_side_alone_tells_the_same_messages() -> None:
    trace = told12(suite=ECDHE, mutual=True)
    messages = [title for title in titles(trace) if title.split(": ")[1][0].isupper()]
    for side in ("client", "server"):
        own = Trace()
        own.events += [event for event in trace.events if event.side == side]
        assert [title for title in titles(own) if title.split(": ")[1][0].isupper()] == messages


def test_a_message_is_told_where_it_is_sent_and_its_consequences_before_the_next() -> None:
    events = as_delivered(told12().events)
    assert sorted(event.n for event in events) == [event.n for event in told12().events]
    for side in ("client", "server"):
        numbers = [event.n for event in events if event.side == side]
        assert numbers == sorted(numbers)


def test_events_that_do_not_fit_together_are_told_all_the_same() -> None:
    trace = told12()
    for missing in range(len(trace.events)):
        rest = [*trace.events[:missing], *trace.events[missing + 1 :]]
        assert sorted(event.n for event in as_delivered(rest)) == [event.n for event in rest]


def test_change_cipher_spec_is_told_once_though_it_is_a_record_as_well() -> None:
    assert titles(told12()).count("client: ChangeCipherSpec") == 1


def test_what_is_encrypted_is_so_under_the_senders_session_key() -> None:
    steps = {(step.side, step.title): step.protection for step in narrate(told12().events)}
    assert steps["client", "ChangeCipherSpec"] == "in the clear"
    assert steps["client", "Finished"] == "client's session key"
    assert steps["server", "application data"] == "server's session key"
    assert steps["client", "close_notify"] == "client's session key"


def test_verify_data_is_told_with_the_finished_that_it_is() -> None:
    trace = told12()
    for side in ("client", "server"):
        row = step_of(trace, "Finished", side).details[0]
        assert (row.label, row.value) == ("makes", f"{side}_verify_data")


@pytest.mark.parametrize("extended", [True, False])
def test_what_goes_into_the_master_secret_is_told(extended: bool) -> None:
    purpose = step_of(told12(extended=extended), "computes the master secret").purpose
    assert ("hash of all messages" in purpose) == extended


def test_the_key_block_is_cut_and_not_a_chain() -> None:
    row = step_of(told12(), "derives the session keys").details[0]
    assert row.value == "key_block → client_ and server_write_key, client_ and server_write_IV"


@pytest.mark.parametrize("settings", [{}, {"suite": ECDHE}, {"suite": DHE_CBC, "mutual": True}])
def test_every_event_and_step_is_explained(settings: dict[str, str | bool]) -> None:
    for resumed in (False, True):
        trace = told12(resumed=resumed, **settings)
        agreed = agreed_in(trace.events)
        assert {event_id(event, agreed) for event in trace.events if explain(event, agreed) is None} == set()
        assert all(step.title and step.purpose for step in narrate(trace.events))


def test_each_correction_of_the_textbook_is_given_once() -> None:
    corrections = [step.textbook for step in narrate(told12(mutual=True).events) if step.textbook]
    assert len(corrections) >= 7
    assert len(set(corrections)) == len(corrections)


def test_with_rsa_nobody_says_that_the_key_only_signs() -> None:
    assert not any("only signs" in step.textbook for step in narrate(told12().events))
    assert any("only signs" in step.textbook for step in narrate(told12(suite=ECDHE).events))


# -- suites


@pytest.mark.parametrize("suite", SUITES12.values(), ids=str)
def test_a_suite_is_taken_apart_as_it_is_made(suite: Suite12) -> None:
    found = anatomy(suite.name)
    assert found is not None
    assert (found.key_exchange, found.authentication) == (suite.key_exchange, suite.authentication)
    assert found.cipher == suite.cipher
    assert found.forward_secrecy == suite.forward_secrecy
    parts = list(found.parts())
    assert len(parts) == 4
    assert len([part for part in parts if part.lacks]) == len(suite.lacks)
    assert all(part.why for part in parts if part.lacks)


@pytest.mark.parametrize("name", ["TLS_AES_128_GCM_SHA256", "", "unknown (0x1234)"])
def test_what_is_no_suite_of_tls_12_is_not_taken_apart(name: str) -> None:
    assert anatomy(name) is None


def rows(trace: Trace) -> dict[str, str]:
    return {row.label: row.value for row in step_of(trace, "chooses").details}


def test_what_a_suite_lacks_is_told_with_the_choice() -> None:
    assert "forward secrecy" in rows(told12())["· lacks"]
    assert "Lucky 13" in rows(told12(suite=DHE_CBC))["· lacks"]
    assert "· lacks" not in rows(told12(suite=ECDHE))


def test_encrypt_then_mac_takes_the_sting_out_of_cbc() -> None:
    found = anatomy(DHE_CBC)
    assert found is not None
    (lacking,) = (part for part in found.parts(encrypt_then_mac=True) if part.lacks)
    assert "refused unread" in lacking.why


def test_a_resumed_session_has_no_use_for_the_suites_key_exchange() -> None:
    assert "· key exchange" not in rows(told12(resumed=True))
    assert "· encryption" in rows(told12(resumed=True))


@pytest.mark.parametrize("exchange", ["DHE", "ECDHE"])
def test_what_the_peer_does_with_its_key_is_not_vouched_for(exchange: str) -> None:
    found = anatomy(f"TLS_{exchange}_RSA_WITH_AES_128_GCM_SHA256")
    assert found is not None
    assert "meant for this connection alone" in next(found.parts()).text


@pytest.mark.parametrize("what, kept", [("certificate", ""), ("session", "the rule"), ("psk", "the rule")])
def test_by_which_rule_something_was_chosen_is_not_said_where_nothing_was(what: str, kept: str) -> None:
    """Of a session the rule is why there is none."""
    trace = Trace()
    trace.view("server").choice(what=what, chosen="", rule="the rule")
    assert details_of(trace.events)[0].note == kept


# -- forward secrecy


def test_the_summary_knows_about_forward_secrecy() -> None:
    assert summarise(told12().events).forward_secrecy == "forward_secrecy:RSA"
    assert summarise(told12(suite=ECDHE).events).forward_secrecy == "forward_secrecy:ticket"
    assert summarise(told12(suite=ECDHE, resumed=True).events).forward_secrecy == "forward_secrecy:session"


def test_tls_13_has_forward_secrecy_by_its_key_exchange() -> None:
    for group, expected in (("x25519", "ephemeral"), ("", "psk")):
        trace = Trace()
        trace.view("client").outcome(status="connected", protocol="TLSv1.3", group=group)
        assert summarise(trace.events).forward_secrecy == f"forward_secrecy:{expected}"


def test_a_connection_that_failed_has_nothing_to_say_of_it() -> None:
    trace = Trace()
    trace.view("client").outcome(status="failed")
    assert summarise(trace.events).forward_secrecy == ""


def test_each_answer_is_explained() -> None:
    answers = ("ephemeral", "ticket", "RSA", "session", "session:ticket", "psk")
    assert all(f"forward_secrecy:{answer}" in explanations() for answer in answers)


# -- the rest


def test_a_handshake_that_breaks_off_is_told_to_its_end() -> None:
    trace = Trace(clock=itertools.count().__next__)
    telling = Telling(trace)
    telling.hello()
    telling.flight(telling.server, "ServerHello", "Certificate", "ServerHelloDone")
    telling.answer()
    telling.arrive(telling.client, "Certificate")
    telling.client.certificate(whose="server", path=[LEAF], ok=False)
    telling.client.alert(direction="sent", level="fatal", description="unknown_ca")
    telling.server.alert(direction="received", level="fatal", description="unknown_ca")
    assert [(step.title, step.ok) for step in narrate(trace.events)[-3:]] == [
        ("verifies the server's certificate path", False),
        ("ServerHelloDone", True),  # on its way already
        ("unknown_ca", False),
    ]
