"""From an error and a trace to the id: what is named, and what is not."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

import pytest

from pellucid.alerts import ALERTS
from pellucid.codes import AlertDescription
from pellucid.diagnosis import Diagnosis, Evidence, diagnosis_of, from_events, identify
from pellucid.diagnosis.catalogue import CATALOGUE
from pellucid.diagnosis.evidence import Spoken
from pellucid.errors import (
    AlertReceived,
    BadMessage,
    CertificateRejected,
    Misuse,
    PeerIncompatible,
    PeerMisbehaved,
    Reason,
    TLSError,
)
from pellucid.trace import Event, Side, Trace, TraceView
from pellucid.trace.failure import CERTIFICATE_ALERTS
from pellucid.trace.texts import texts

# The ids that programs rely on: those of the catalogue, and these.
OTHERS = (
    *("truncated", "downgrade_detected", "inappropriate_fallback", "weak_dh_group", "bad_renegotiation_info"),
    *("too_many_renegotiations", "renegotiation_refused", "extended_master_secret_missing"),
    *("extended_master_secret_changed", "session_mismatch", "handshake_failure", "alert_received"),
    *("our_certificate_refused", "closed_during_handshake", "name_not_found", "connection_failed", "timeout"),
)
HEADER = bytes.fromhex("1603030000")


def client_view(*received: str, on_the_wire: bool = True) -> TraceView:
    """A client that sent its hello and received these messages."""
    view = Trace().view("client")
    view.message(direction="sent", name="ClientHello", raw=bytes(4), encrypted=False, epoch="plaintext")
    if on_the_wire:
        view.record(direction="sent", content_type=22, length=4, encrypted=False, header=HEADER)
    for name in received:
        view.message(direction="received", name=name, raw=bytes(4), encrypted=False, epoch="plaintext")
    return view


def asked_view() -> TraceView:
    """One that was asked for a certificate, and has answered."""
    view = client_view("ServerHello", "CertificateRequest")
    view.message(direction="sent", name="Certificate", raw=bytes(4), encrypted=True, epoch="handshake")
    return view


def failure_of(error: TLSError, events: Sequence[Event] = (), side: Side = "client") -> Diagnosis:
    return diagnosis_of(error, from_events(events, side))


def failure_id(error: TLSError, view: TraceView) -> str:
    return identify(error, from_events(view.trace.events, view.side))


@pytest.mark.parametrize("identifier", [*dict.fromkeys(row.id for row in CATALOGUE), *OTHERS])
def test_the_catalogue_is_explained(identifier: str) -> None:
    text = texts("failures.toml")[identifier]
    assert text["inferred"]
    assert text["rfc"]


@pytest.mark.parametrize("identifier", sorted(texts("failures.toml")))
def test_each_text_is_made_of_sentences(identifier: str) -> None:
    entry = texts("failures.toml")[identifier]
    assert set(entry) <= {"inferred", "possible", "fix", "confirm", "rfc"}
    for key in ("inferred", "possible", "fix"):
        assert re.fullmatch(r"([A-Z*].*\.)?", entry.get(key, ""))
    assert set(re.findall(r"\{(\w+)\}", "".join(entry.values()))) <= {"host", "port"}


@pytest.mark.parametrize("reason", list(ALERTS))
def test_every_reason_comes_to_a_failure(reason: Reason) -> None:
    failure = failure_of(PeerMisbehaved(reason, "this is what was seen"))
    assert failure.observed.startswith("This is what was seen.")
    assert failure.inferred
    assert failure.rfc


@pytest.mark.parametrize(
    "error, blame",
    [
        (PeerMisbehaved(Reason.BAD_FINISHED), "peer"),
        (BadMessage("too short"), "peer"),
        (PeerIncompatible(Reason.NO_SHARED_GROUP), "both"),
        (CertificateRejected(Reason.UNKNOWN_ROOT), "peer"),
        (Misuse(Reason.BAD_CONFIGURATION), "us"),
        (TLSError(Reason.TIMEOUT), "unknown"),
    ],
)
def test_blame_is_that_of_the_error(error: TLSError, blame: str) -> None:
    assert failure_of(error).blame == blame


@pytest.mark.parametrize(
    "description, identifier",
    [
        (AlertDescription.certificate_required, "client_certificate_missing"),
        (AlertDescription.protocol_version, "no_shared_version"),
        (AlertDescription.no_application_protocol, "alpn_mismatch"),
        (AlertDescription.unrecognized_name, "unrecognized_name"),
        (AlertDescription.handshake_failure, "handshake_failure"),
        (AlertDescription.inappropriate_fallback, "inappropriate_fallback"),
        (AlertDescription.internal_error, "alert_received"),
        (200, "alert_received"),
    ],
)
def test_a_received_alert_is_the_peers_finding(description: int, identifier: str) -> None:
    failure = failure_of(AlertReceived(description, "an alert came"))
    assert (failure.id, failure.direction) == (identifier, "received")


@pytest.mark.parametrize("description", sorted(CERTIFICATE_ALERTS - {AlertDescription.certificate_required}))
def test_an_alert_about_a_certificate_is_about_ours_if_we_were_asked_for_one(description: int) -> None:
    assert failure_id(AlertReceived(description, ""), asked_view()) == "client_certificate_untrusted"


@pytest.mark.parametrize("description", ["handshake_failure", "bad_certificate", "certificate_required"])
def test_who_was_asked_for_a_certificate_and_had_none_lacks_that(description: str) -> None:
    """RFC 5246 7.4.6: a TLS 1.2 server may end it by handshake_failure; others say it otherwise."""
    view = client_view("ServerHello", "CertificateRequest")
    view.choice(what="client_certificate", chosen="", rule="")
    error = AlertReceived(AlertDescription[description], "")
    assert failure_id(error, view) == "client_certificate_missing"


def test_who_showed_a_certificate_does_not_lack_one() -> None:
    view = asked_view()
    view.choice(what="client_certificate", ours=["CN=me"], chosen="CN=me", rule="")
    for description, expected in (
        (AlertDescription.handshake_failure, "alert_received"),
        (AlertDescription.bad_certificate, "client_certificate_untrusted"),
    ):
        assert failure_id(AlertReceived(description, ""), view) == expected


@pytest.mark.parametrize(
    "ours, words",
    [
        ([], "The client has no certificate to show."),
        (["CN=a", "CN=b"], "Of the certificates that the client has (CN=a, CN=b) none was shown."),
    ],
)
def test_that_no_certificate_was_shown_is_observed(ours: list[str], words: str) -> None:
    view = Trace().view("client")
    view.choice(what="client_certificate", ours=ours, chosen="", rule="")
    error = AlertReceived(AlertDescription.handshake_failure, "it ended")
    assert words in failure_of(error, view.trace.events).observed


@pytest.mark.parametrize("way", ["sent", "received"])
def test_after_a_server_hello_suite_and_group_are_not_what_was_missing(
    way: Literal["sent", "received"],
) -> None:
    view = Trace().view("client" if way == "received" else "server")
    view.message(direction=way, name="ServerHello", raw=bytes(4), encrypted=False, epoch="plaintext")
    failure = failure_of(AlertReceived(AlertDescription.handshake_failure, ""), view.trace.events, view.side)
    assert failure.id == "alert_received"
    assert "suite" not in failure.inferred + failure.possible


def test_a_handshake_failure_after_our_no_renegotiation_is_about_that() -> None:
    view = client_view("ServerHello")
    view.alert(direction="sent", level="warning", description="no_renegotiation")
    error = AlertReceived(AlertDescription.handshake_failure, "")
    assert failure_id(error, view) == "renegotiation_refused"
    assert failure_id(AlertReceived(AlertDescription.internal_error, ""), view) == "alert_received"


def test_what_the_error_says_already_is_not_said_again() -> None:
    view = Trace().view("server")
    view.choice(what="group", ours=("x25519",), theirs=("x448",), chosen="", rule="")
    error = PeerIncompatible(Reason.NO_SHARED_GROUP, "the client offers x448; we accept x25519")
    assert "For group" not in failure_of(error, view.trace.events, "server").observed


def test_what_to_do_begins_with_what_was_asked_for_here() -> None:
    assert re.match(
        r"Leave out --tls and --policy modern", texts("failures.toml")["no_shared_version"]["fix"]
    )


def test_a_handshake_failure_may_be_about_the_curve_of_a_certificate() -> None:
    """RFC 8422 5.1: in TLS 1.2 supported_groups also says which curves a certificate may have."""
    assert "RFC 8422" in texts("failures.toml")["handshake_failure"]["possible"]


def test_an_alert_about_a_certificate_is_no_accusation_if_we_were_not_asked() -> None:
    assert failure_id(AlertReceived(AlertDescription.unknown_ca, ""), client_view()) == "alert_received"


def test_a_server_learns_that_its_certificate_was_refused() -> None:
    view = Trace().view("server")
    view.message(direction="sent", name="Certificate", raw=bytes(4), encrypted=True, epoch="handshake")
    assert failure_id(AlertReceived(AlertDescription.unknown_ca, ""), view) == "our_certificate_refused"


@pytest.mark.parametrize(
    "reason, received, identifier",
    [
        (Reason.CLOSED_DURING_HANDSHAKE, [], "closed_after_client_hello"),
        (Reason.CLOSED_DURING_HANDSHAKE, ["ServerHello"], "closed_during_handshake"),
        (Reason.CONNECTION_FAILED, [], "reset_after_client_hello"),
        (Reason.CONNECTION_FAILED, ["ServerHello"], "closed_during_handshake"),
        (Reason.TIMEOUT, [], "silent_after_client_hello"),
        (Reason.TIMEOUT, ["ServerHello"], "stalled_mid_flight"),
        (Reason.NO_SHARED_APPLICATION_PROTOCOL, ["ServerHello"], "alpn_mismatch"),
    ],
)
def test_what_had_come_makes_the_id_precise(reason: Reason, received: list[str], identifier: str) -> None:
    assert failure_id(TLSError(reason), client_view(*received)) == identifier


@pytest.mark.parametrize("reason", [Reason.CONNECTION_FAILED, Reason.TIMEOUT])
def test_a_hello_that_never_left_is_not_to_blame(reason: Reason) -> None:
    view = client_view(on_the_wire=False)
    failure = failure_of(TLSError(reason, "no route"), view.trace.events, "client")
    assert failure.id == reason
    assert failure.observed == "No route."


def test_the_alert_is_the_one_that_was_sent() -> None:
    view = client_view("ServerHello")
    view.alert(direction="sent", level="fatal", description="illegal_parameter")
    failure = failure_of(PeerMisbehaved(Reason.BAD_SIGNATURE), view.trace.events, "client")
    assert (failure.alert, failure.direction) == ("illegal_parameter", "sent")


def test_an_alert_that_nobody_sent_is_not_claimed() -> None:
    failure = failure_of(TLSError(Reason.TIMEOUT), client_view().trace.events, "client")
    assert (failure.alert, failure.direction) == (None, None)


def test_where_there_is_nothing_in_common_both_lists_are_evidence() -> None:
    view = Trace().view("server")
    view.choice(what="group", ours=("x25519", "secp256r1"), theirs=("x448",), chosen="", rule="")
    failure = failure_of(PeerIncompatible(Reason.NO_SHARED_GROUP, "none"), view.trace.events, "server")
    assert "the server has x25519, secp256r1; the client has x448" in failure.observed


def test_of_several_choices_about_one_thing_the_last_is_evidence() -> None:
    view = Trace().view("server")
    for chosen in ("", "CN=localhost"):
        view.choice(what="certificate", ours=("CN=localhost",), theirs=(), chosen=chosen, rule="")
    failure = failure_of(PeerMisbehaved(Reason.BAD_FINISHED, "differs"), view.trace.events, "server")
    assert failure.observed == "Differs."


def test_the_step_before_the_failure_is_named() -> None:
    failure = failure_of(
        PeerMisbehaved(Reason.BAD_SIGNATURE, "wrong"),
        client_view("CertificateVerify").trace.events,
        "client",
    )
    assert failure.observed.endswith("The last message before was CertificateVerify, received by the client.")


def test_the_other_sides_events_are_no_evidence_of_ours() -> None:
    view = client_view()
    view.trace.view("server").message(
        direction="received", name="ClientHello", raw=bytes(4), encrypted=False, epoch="plaintext"
    )
    assert failure_id(TLSError(Reason.TIMEOUT), view) == "silent_after_client_hello"


@pytest.mark.parametrize("detail", ["k.pem holds nothing", "x25519 share is short"])
def test_names_are_not_capitalised(detail: str) -> None:
    assert failure_of(TLSError(Reason.BAD_CERTIFICATE_FILE, detail)).observed == detail + "."


@pytest.mark.parametrize(
    "reason, identifier", [(Reason.TIMEOUT, "timeout"), (Reason.CONNECTION_FAILED, "truncated")]
)
def test_what_happens_after_the_handshake_is_not_of_the_handshake(reason: Reason, identifier: str) -> None:
    view = client_view("ServerHello", "Finished")
    view.outcome(status="connected")
    failure = failure_of(TLSError(reason), view.trace.events)
    assert failure.id == identifier
    assert failure.step == "After the handshake, which was complete for this side."


def test_a_reset_where_a_client_certificate_was_asked_may_be_about_that() -> None:
    view = client_view("ServerHello", "CertificateRequest", "Finished")
    view.outcome(status="connected")
    failure = failure_of(TLSError(Reason.CONNECTION_FAILED), view.trace.events)
    assert "asked for a client certificate" in failure.possible


@pytest.mark.parametrize(
    "received, words",
    [
        ([], "the ClientHello had been sent, and nothing was agreed on"),
        (["HelloRetryRequest"], "a second ClientHello had been asked for"),
        (["ServerHello"], "version and cipher suite were agreed on."),
        (["ServerHello", "Certificate"], "the server had sent its certificate"),
        (["ServerHello", "Certificate", "Finished"], "its Finished had been received"),
    ],
)
def test_the_step_says_what_had_been_achieved(received: list[str], words: str) -> None:
    failure = failure_of(TLSError(Reason.TIMEOUT), client_view(*received).trace.events)
    assert words in failure.step


@pytest.mark.parametrize(
    "messages, words",
    [
        ([], "no ClientHello had been received"),
        ([("received", "ClientHello")], "the ClientHello had been received, and nothing was agreed on"),
        ([("received", "ClientHello"), ("sent", "HelloRetryRequest")], "a second ClientHello was asked for"),
        ([("received", "ClientHello"), ("sent", "ServerHello")], "this side had answered"),
        ([("sent", "ServerHello"), ("received", "Certificate")], "the client had gone on"),
    ],
)
def test_the_step_of_a_server(messages: list[tuple[Literal["sent", "received"], str]], words: str) -> None:
    view = Trace().view("server")
    view.record(direction="received", content_type=22, length=4, encrypted=False, header=HEADER)
    for direction, name in messages:
        view.message(direction=direction, name=name, raw=bytes(4), encrypted=False, epoch="plaintext")
    assert words in failure_of(TLSError(Reason.TIMEOUT), view.trace.events, "server").step


def test_before_a_server_hello_an_unsupported_certificate_is_the_servers() -> None:
    """RFC 7250: it has no kind of certificate that the client takes, and has seen none of the client's."""
    error = AlertReceived(AlertDescription.unsupported_certificate, "")
    assert failure_id(error, client_view()) == "no_shared_certificate_type"
    assert failure_id(error, asked_view()) == "client_certificate_untrusted"


@pytest.mark.parametrize("description", ["bad_certificate", "unknown_ca"])
def test_an_alert_before_our_certificate_is_not_about_it(description: str) -> None:
    alert = AlertReceived(AlertDescription[description], "it ended")
    asked = client_view("ServerHello", "CertificateRequest")
    assert failure_of(alert, asked.trace.events).id == "alert_received"
    server = Trace().view("server")
    server.record(direction="received", content_type=22, length=4, encrypted=False, header=HEADER)
    assert failure_of(alert, server.trace.events, "server").id == "alert_received"


def test_a_version_that_was_agreed_on_is_not_what_is_missing() -> None:
    alert = AlertReceived(AlertDescription.protocol_version, "it ended")
    assert failure_of(alert, client_view().trace.events).id == "no_shared_version"
    assert failure_of(alert, client_view("ServerHello").trace.events).id == "alert_received"


def test_a_network_that_fails_is_no_reset() -> None:
    evidence = Evidence(messages=(Spoken("sent", "ClientHello"),), began=True)
    error = TLSError(Reason.CONNECTION_FAILED, "no route to host")
    assert diagnosis_of(error, evidence, cause="ECONNRESET").id == "reset_after_client_hello"
    assert diagnosis_of(error, evidence, cause="EHOSTUNREACH").id == "closed_during_handshake"


@pytest.mark.parametrize(
    "state, received, words",
    [
        ("WAIT_SH", ["ServerHello"], "nothing was agreed on by it"),
        ("WAIT_EE", ["ServerHello"], "version and cipher suite were agreed on."),
        ("WAIT_CV", ["ServerHello", "Certificate", "Finished"], "had sent its certificate."),
        ("WAIT_FINISHED", ["ServerHello", "Finished"], ": the server's Finished had been received."),
    ],
)
def test_what_was_refused_is_no_achievement(state: str, received: list[str], words: str) -> None:
    messages = tuple(Spoken("received", name) for name in received)
    evidence = Evidence(messages=messages, began=True, state=state)
    assert words in diagnosis_of(PeerMisbehaved(Reason.UNEXPECTED_MESSAGE), evidence).step


def test_each_refusal_of_a_certificate_has_a_text_of_its_own() -> None:
    """None is the fault of those who made the peer."""
    known = texts("failures.toml")
    first, last = Reason.MISSING_INTERMEDIATE, Reason.CERTIFICATE_REJECTED
    reasons = list(Reason)
    assert [r for r in reasons[reasons.index(first) : reasons.index(last) + 1] if r not in known] == []
