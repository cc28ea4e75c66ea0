"""Stapled OCSP responses in both versions: asked for, given, judged, and told to the trace."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from loopback import NAME, NOW, client_config, connect_pair, credential, laboratory, pump, server_config
from meeting import Meeting
from rogue import client_refuses, edit

from pellucid import Credential, Trace
from pellucid.codes import AlertDescription as A
from pellucid.errors import AlertReceived, CertificateRejected, Misuse, Reason, TLSError
from pellucid.identity.lab import Issued
from pellucid.identity.lab_status import sign_ocsp_response
from pellucid.identity.revocation import Fetched, RevocationLists
from pellucid.messages import Certificate, ClientHello, ServerHello, tls12
from pellucid.messages import extensions as ext
from pellucid.trace.events import CheckEvent, ChoiceEvent, MessageEvent
from pellucid.trace.explanations import event_id, explain

DAY = 86_400
VERSIONS = ("TLSv1.3", "TLSv1.2")
LEVELS = ("staple", "soft", "hard")
both_versions = pytest.mark.parametrize("version", VERSIONS)


def issued(**how: Any) -> Issued:
    return laboratory().issue(names=(NAME,), **how)


LEAF = issued()
DEMANDING = issued(must_staple=True)


def response(verdict: Any = "good", of: Issued = LEAF, **how: Any) -> bytes:
    return laboratory().ocsp_response(of.certificate, verdict, **how)


def stapled(staple: Any, of: Issued = LEAF) -> Credential:
    return of.credential.with_staple(staple)


def meet(
    version: str, shown: Credential, client: dict[str, Any], server: dict[str, Any] | None = None
) -> Trace:
    """A handshake; the trace of both sides."""
    trace = Trace()
    common = {"protocols": [version], "trace": trace}
    pair = connect_pair(
        client_config(**common | client), server_config(**common | {"credentials": [shown]} | (server or {}))
    )
    pump(*pair)
    assert pair[0].handshake_complete
    assert pair[1].handshake_complete
    return trace


def refused(version: str, shown: Credential, client: dict[str, Any]) -> tuple[Reason, A | int]:
    """Why the client refuses, and the alert by which the server hears of it."""
    pair = connect_pair(
        client_config(protocols=[version], **client), server_config(protocols=[version], credentials=[shown])
    )
    with pytest.raises(CertificateRejected) as caught:
        pump(*pair)
    with pytest.raises(AlertReceived) as heard:
        pair[1].receive_data(pair[0].data_to_send())
    return caught.value.reason, A(heard.value.description)


def messages(trace: Trace, name: str, side: str = "client") -> list[bytes]:
    return [e.raw for e in trace.events if isinstance(e, MessageEvent) and (e.name, e.side) == (name, side)]


def sent_staple(trace: Trace, version: str) -> bytes | None:
    """What the client was given."""
    if version == "TLSv1.2":
        (hello,) = messages(trace, "ServerHello")
        found = messages(trace, "CertificateStatus")
        assert (
            ext.CertificateStatusRequested.extension_type in ServerHello.decode(hello).extensions
        ) is bool(found)
        return tls12.CertificateStatus.decode(found[0]).response if found else None
    (certificate,) = messages(trace, "Certificate")
    first, *others = Certificate.decode(certificate).certificate_list
    assert not any(entry.extensions for entry in others)
    status = first.extensions.find(ext.CertificateStatus)
    return status.response if status else None


def findings(trace: Trace, side: str = "client") -> list[CheckEvent]:
    return [e for e in trace.events if isinstance(e, CheckEvent) and (e.what, e.side) == ("revocation", side)]


# -- asking and giving


@both_versions
def test_a_server_staples_to_a_client_that_asks(version: str) -> None:
    staple = response()
    for knobs, expected in (
        ({}, None),
        ({"request_status": True}, staple),
        ({"revocation": "staple"}, staple),
    ):
        assert sent_staple(meet(version, stapled(staple), knobs), version) == expected


@both_versions
def test_a_server_without_a_response_staples_nothing(version: str) -> None:
    assert sent_staple(meet(version, LEAF.credential, {"revocation": "staple"}), version) is None


@both_versions
def test_a_response_that_is_out_of_date_is_not_given(version: str) -> None:
    old = stapled(response(validity=(NOW - 9 * DAY, NOW - 1)))
    trace = meet(version, old, {"revocation": "staple"})
    assert sent_staple(trace, version) is None
    (choice,) = (e for e in trace.events if isinstance(e, ChoiceEvent) and e.what == "stapled_status")
    assert (choice.chosen, choice.rule) == ("", "we have none that is current")


@both_versions
def test_a_function_gives_the_latest_response_or_none(version: str) -> None:
    latest: list[bytes | None] = [response(), None]
    shown = stapled(lambda: latest[0])
    knobs = {"revocation": "staple"}
    assert sent_staple(meet(version, shown, knobs), version) == latest.pop(0)
    assert sent_staple(meet(version, shown, knobs), version) is None


def test_a_server_has_no_use_for_a_request_of_another_type() -> None:
    """RFC 6066 8 has one type, OCSP."""
    client, server = connect_pair(
        client_config(request_status=True), server_config(credentials=[stapled(response())])
    )
    raw = client.data_to_send()
    hello = ClientHello.decode(raw[5:])
    request = hello.extensions.find(ext.CertificateStatusRequest)
    assert request is not None
    request.status_type = 2
    altered = hello.encode()
    trace = Trace()
    _, server = connect_pair(server=server_config(credentials=[stapled(response())], trace=trace))
    server.receive_data(raw[:3] + len(altered).to_bytes(2) + altered)
    (certificate,) = messages(trace, "Certificate", "server")
    assert not Certificate.decode(certificate).certificate_list[0].extensions


@both_versions
def test_a_status_of_another_type_is_refused(version: str) -> None:
    """RFC 6066 8 has one type, and OCSP was asked for."""

    def change(message: Any) -> None:
        if version == "TLSv1.2":
            message.status_type = 2
        else:
            message.certificate_list[0].extensions.find(ext.CertificateStatus).status_type = 2

    kind = tls12.CertificateStatus if version == "TLSv1.2" else Certificate
    client_refuses(
        edit(kind, change),
        Reason.ILLEGAL_PARAMETER,
        A.illegal_parameter,
        client=client_config(protocols=[version], revocation="staple"),
        server=server_config(protocols=[version], credentials=[stapled(response())]),
    )


@both_versions
def test_a_resumed_session_has_no_staple(version: str) -> None:
    shown = stapled(response())
    meeting = Meeting(
        "ticket",
        {"protocols": [version], "revocation": "hard"},
        {"protocols": [version], "credentials": [shown]},
    )
    assert not meeting.resumes()
    assert meeting.resumes()
    assert "CertificateStatus" not in meeting.messages()
    assert "Certificate" not in meeting.messages()


# -- judging


@both_versions
@pytest.mark.parametrize("level", LEVELS)
def test_a_good_response_passes_and_is_told(version: str, level: str) -> None:
    (finding, *_) = findings(meet(version, stapled(response()), {"revocation": level}))
    assert finding.ok
    assert "not revoked, by a stapled OCSP response of the issuer of 2027-01-15 07:00:00 UTC" in str(
        finding.found
    )
    assert "next update 2027-01-22 07:00:00 UTC" in str(finding.found)


@both_versions
def test_all_that_is_told_of_a_staple_is_explained(version: str) -> None:
    trace = meet(version, stapled(response()), {"revocation": "soft"})
    assert [event_id(event) for event in trace.events if explain(event) is None] == []


UNSATISFACTORY: dict[str, Callable[[], bytes]] = {
    "unknown": lambda: response("unknown"),
    "stale": lambda: response(validity=(NOW - 9 * DAY, NOW - DAY)),
    "of the future": lambda: response(validity=(NOW + DAY, NOW + 9 * DAY)),
    "of another certificate": lambda: response(of=DEMANDING),
    "of another authority": lambda: other_authority().ocsp_response(LEAF.certificate),
    "nonsense": lambda: b"nonsense",
}


def other_authority() -> Any:
    """With the same names and other keys."""
    return type(laboratory())(b"another", NOW)


@both_versions
@pytest.mark.parametrize("what", UNSATISFACTORY)
@pytest.mark.parametrize("level", LEVELS)
def test_a_response_that_proves_nothing_ends_the_handshake(version: str, what: str, level: str) -> None:
    """RFC 6066 8: "abort the handshake if the response is not satisfactory"."""
    shown = stapled(UNSATISFACTORY[what])
    refusal = refused(version, shown, {"revocation": level})
    assert refusal == (Reason.BAD_CERTIFICATE_STATUS, A.bad_certificate_status_response)


@both_versions
@pytest.mark.parametrize("level", LEVELS)
def test_a_revoked_certificate_ends_the_handshake(version: str, level: str) -> None:
    refusal = refused(version, stapled(response("revoked")), {"revocation": level})
    assert refusal == (Reason.CERTIFICATE_REVOKED, A.certificate_revoked)


@both_versions
def test_what_is_off_is_not_judged(version: str) -> None:
    shown = stapled(response("revoked"))
    assert findings(meet(version, shown, {"request_status": True})) == []


def test_a_revoked_certificate_ends_rsa_key_exchange_before_anything_is_encrypted() -> None:
    leaf = issued(kind="rsa")
    knobs: dict[str, Any] = {"policy": "compatible", "cipher_suites": ["TLS_RSA_WITH_AES_128_GCM_SHA256"]}
    trace = Trace()
    pair = connect_pair(
        client_config(revocation="staple", trace=trace, **knobs),
        server_config(credentials=[stapled(response("revoked", leaf), leaf)], **knobs),
    )
    with pytest.raises(CertificateRejected) as caught:
        pump(*pair)
    assert caught.value.reason is Reason.CERTIFICATE_REVOKED
    assert messages(trace, "ClientKeyExchange") == []


@both_versions
@pytest.mark.parametrize("level", LEVELS)
def test_a_missing_staple_that_must_be_there_ends_the_handshake(version: str, level: str) -> None:
    refusal = refused(version, DEMANDING.credential, {"revocation": level})
    assert refusal == (Reason.MUST_STAPLE_MISSING, A.bad_certificate_status_response)
    shown = stapled(response(of=DEMANDING), DEMANDING)
    assert findings(meet(version, shown, {"revocation": level}))[0].ok


@both_versions
def test_without_an_answer_hard_refuses_and_the_others_pass(version: str) -> None:
    for level in ("staple", "soft"):
        assert all(finding.ok for finding in findings(meet(version, LEAF.credential, {"revocation": level})))
    refusal = refused(version, LEAF.credential, {"revocation": "hard"})
    assert refusal == (Reason.REVOCATION_UNKNOWN, A.certificate_unknown)


@both_versions
def test_the_clients_lists_are_looked_into(version: str) -> None:
    def knobs(*revoked: Any) -> dict[str, Any]:
        lists = RevocationLists.from_der([laboratory().revocation_list(revoked)])
        return {"revocation": "hard", "revocation_lists": lists}

    (finding, *_) = findings(meet(version, LEAF.credential, knobs()))
    assert "not revoked, by a CRL" in str(finding.found)
    refusal = refused(version, stapled(response()), knobs(LEAF.certificate))
    assert refusal == (Reason.CERTIFICATE_REVOKED, A.certificate_revoked)


@both_versions
def test_a_refusal_is_told_with_what_was_found(version: str) -> None:
    trace = Trace()
    pair = connect_pair(
        client_config(protocols=[version], revocation="staple", trace=trace),
        server_config(protocols=[version], credentials=[stapled(response("revoked"))]),
    )
    with pytest.raises(CertificateRejected):
        pump(*pair)
    (finding,) = findings(trace)
    assert not finding.ok
    assert "(keyCompromise)" in str(finding.found)
    failure = trace.events[-1].failure  # type: ignore[attr-defined]
    assert (failure.id, failure.alert) == ("certificate_revoked", "certificate_revoked")
    last = "Certificate" if version == "TLSv1.3" else "CertificateStatus"
    assert f"The last message before was {last}, received" in failure.observed


# -- what follows


@both_versions
def test_a_session_lasts_no_longer_than_what_is_known(version: str) -> None:
    shown = stapled(response(validity=(NOW - 60, NOW + 600)))
    knobs = {"protocols": [version], "revocation": "hard"}
    meeting = Meeting("ticket", knobs, {"protocols": [version], "credentials": [shown]})
    meeting.meet()
    assert {session.certificate_expires_at for session in meeting.received} == {NOW + 600}
    meeting.now = NOW + 599
    assert meeting.resumes()
    meeting.now = NOW + 601
    with pytest.raises(TLSError):  # the staple is out of date as well, and is not given any more
        meeting.meet()


@both_versions
def test_a_session_is_not_resumed_by_who_asks_for_more(version: str) -> None:
    knobs = {"protocols": [version]}
    shown = stapled(response())
    meeting = Meeting("ticket", knobs, knobs | {"credentials": [shown]})
    assert not meeting.resumes()
    assert not meeting.resumes({"revocation": "hard"})
    assert meeting.resumes({"revocation": "hard"})


@both_versions
def test_a_session_is_not_resumed_by_who_has_got_new_lists(version: str) -> None:
    """They may say something else of the server, who shows no certificate when a session is resumed."""
    old, new = ([laboratory().revocation_list()] for _ in range(2))
    knobs = {"protocols": [version], "revocation": "hard"}
    meeting = Meeting("ticket", knobs, {"protocols": [version]})
    assert not meeting.resumes({"revocation_lists": RevocationLists.from_der(old)})
    assert meeting.resumes({"revocation_lists": RevocationLists.from_der(old)})
    assert not meeting.resumes({"revocation_lists": RevocationLists.from_der(new)})


@both_versions
def test_a_session_is_not_resumed_by_who_can_ask_others_now(version: str) -> None:
    def nobody(_query: object) -> list[Fetched]:
        return []

    knobs = {"protocols": [version], "revocation": "soft"}
    meeting = Meeting("ticket", knobs, {"protocols": [version]})
    assert not meeting.resumes()
    assert not meeting.resumes({"revocation_source": nobody})
    assert meeting.resumes({"revocation_source": nobody})


# -- clients' certificates


def client_lists(*, revoked: bool = False) -> RevocationLists:
    certificate = x509.load_der_x509_certificate(credential(purpose="client").chain[0])
    return RevocationLists.from_der([laboratory().revocation_list([certificate] if revoked else [])])


@both_versions
@pytest.mark.parametrize("level", ["soft", "hard"])
def test_a_server_looks_clients_up_in_its_lists(version: str, level: str) -> None:
    knobs = {"client_authentication": "required", "revocation": level, "protocols": [version]}
    shown = {"credentials": [credential(purpose="client")], "protocols": [version]}
    trace = Trace()
    server = server_config(**knobs, revocation_lists=client_lists(), trace=trace)
    pump(*connect_pair(client_config(**shown), server))
    assert "not revoked, by a CRL" in str(findings(trace, "server")[0].found)
    pair = connect_pair(
        client_config(**shown), server_config(**knobs, revocation_lists=client_lists(revoked=True))
    )
    with pytest.raises(CertificateRejected) as caught:
        pump(*pair)
    assert caught.value.reason is Reason.CERTIFICATE_REVOKED


CLIENT = laboratory().issue(purpose="client", names=("client.test",))


@pytest.mark.parametrize("level", LEVELS)
def test_a_client_staples_to_a_server_that_asks(level: str) -> None:
    """RFC 9846 4.5.1.1: in TLS 1.3 alone; of itself it does not."""
    shown = {"credentials": [stapled(response(of=CLIENT), CLIENT)]}
    asking = {"client_authentication": "required", "trust": laboratory().trust}
    found = findings(meet("TLSv1.3", LEAF.credential, shown, asking | {"revocation": level}), "server")
    assert "not revoked, by a stapled OCSP response" in str(found[0].found)
    (certificate,) = messages(meet("TLSv1.3", LEAF.credential, shown, asking), "Certificate", "server")[1:]
    assert not Certificate.decode(certificate).certificate_list[0].extensions


@pytest.mark.parametrize("level", LEVELS)
def test_a_client_that_staples_its_own_revocation_is_refused(level: str) -> None:
    pair = connect_pair(
        client_config(credentials=[stapled(response("revoked", CLIENT), CLIENT)]),
        server_config(client_authentication="required", revocation=level),
    )
    with pytest.raises(CertificateRejected) as caught:
        pump(*pair)
    assert caught.value.reason is Reason.CERTIFICATE_REVOKED


@both_versions
def test_a_client_need_not_staple(version: str) -> None:
    """Nor where its certificate says that a server would: RFC 7633 is about servers."""
    plain = laboratory().issue(purpose="client", names=("client.test",), must_staple=True).credential
    asking = {"client_authentication": "required", "trust": laboratory().trust, "revocation": "staple"}
    found = findings(meet(version, LEAF.credential, {"credentials": [plain]}, asking), "server")
    assert "comes without a stapled answer" in str(found[0].found)


@both_versions
def test_a_client_that_has_been_revoked_does_not_resume(version: str) -> None:
    meeting = Meeting(
        "ticket",
        {"protocols": [version], "credentials": [credential(purpose="client")]},
        {"protocols": [version], "client_authentication": "required", "trust": laboratory().trust},
    )
    now_and_then = {"revocation": "hard", "revocation_lists": client_lists()}
    assert not meeting.resumes(server=now_and_then)
    assert meeting.resumes(server=now_and_then)
    error = meeting.fails(server=now_and_then | {"revocation_lists": client_lists(revoked=True)})
    assert error.reason is Reason.CERTIFICATE_REVOKED


# -- our own


def test_a_response_comes_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "chain.pem").write_bytes(LEAF.chain_pem)
    (tmp_path / "key.pem").write_bytes(LEAF.key_pem)
    (tmp_path / "ocsp.der").write_bytes(response())
    read = Credential.from_files(tmp_path / "chain.pem", tmp_path / "key.pem", ocsp=tmp_path / "ocsp.der")
    assert read.staples
    assert read.ocsp_response(NOW) == (tmp_path / "ocsp.der").read_bytes()
    assert read.ocsp_response(NOW + 8 * DAY) is None
    assert not Credential.from_files(tmp_path / "chain.pem", tmp_path / "key.pem").staples


def test_a_response_without_a_next_update_is_given_for_a_day() -> None:
    """It is of no use for longer: a client that is as strict as ours then refuses the server with it."""
    issuer, key = laboratory()._issuer_of(LEAF.certificate)
    shown = stapled(sign_ocsp_response(LEAF.certificate, issuer, key, NOW))
    assert shown.ocsp_response(NOW + DAY) is not None
    assert shown.ocsp_response(NOW + DAY + 1) is None


@pytest.mark.parametrize(
    "staple, words",
    [
        (b"nonsense", "cannot be read"),
        (response(of=DEMANDING), "is about another certificate"),
        ("a path", "not a str"),
        (None, "not a NoneType"),
    ],
)
def test_what_cannot_be_stapled_is_a_misuse(staple: Any, words: str) -> None:
    with pytest.raises(Misuse, match=words) as caught:
        LEAF.credential.with_staple(staple)
    assert caught.value.reason is Reason.BAD_CERTIFICATE_FILE


@pytest.mark.parametrize(
    "make, knobs, words",
    [
        (client_config, {"revocation": "maybe"}, "'maybe' is not off, staple, soft or hard"),
        (client_config, {"revocation_lists": RevocationLists([])}, "give revocation="),
        (client_config, {"revocation": "soft", "revocation_lists": []}, "give RevocationLists"),
        (client_config, {"revocation": "staple", "revocation_source": print}, "give revocation="),
        (client_config, {"revocation": "soft", "revocation_source": 1}, "cannot be called"),
        (server_config, {"revocation_lists": RevocationLists([])}, "give revocation="),
    ],
)
def test_a_configuration_that_cannot_work_is_refused(make: Any, knobs: dict[str, Any], words: str) -> None:
    with pytest.raises(Misuse, match=words):
        make(**knobs)
