from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from pellucid.diagnosis import diagnosis_of
from pellucid.errors import PeerMisbehaved, Reason
from pellucid.messages import ChangeCipherSpec, tls12
from pellucid.trace import Trace
from pellucid.trace.json import dumps, schema, to_json
from pellucid.trace.texts import Place, filled


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    Draft202012Validator.check_schema(schema())
    return Draft202012Validator(schema())


def test_the_document_follows_its_schema(told: Trace, validator: Draft202012Validator) -> None:
    validator.validate(to_json(told))


@pytest.mark.parametrize("reveal", [False, True])
def test_revealed_or_not_it_follows_the_schema(
    tell: Callable[[Trace], None], validator: Draft202012Validator, reveal: bool
) -> None:
    trace = Trace(reveal_secrets=reveal)
    tell(trace)
    validator.validate(to_json(trace))


def test_a_failure_follows_the_schema(validator: Draft202012Validator) -> None:
    trace = Trace()
    error = PeerMisbehaved(Reason.BAD_FINISHED, "the MAC differs")
    trace.view("client").outcome(status="failed", failure=diagnosis_of(error))
    document = to_json(trace)
    validator.validate(document)
    assert document["outcome"]["status"] == "failed"
    assert document["outcome"]["failure"]["id"] == "bad_finished"


def test_an_unfinished_trace_is_not_a_connection(validator: Draft202012Validator) -> None:
    document = to_json(Trace())
    validator.validate(document)
    assert document["outcome"]["status"] == "failed"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda d: d.pop("schema"),
        lambda d: d.update(schema="pellucid.trace/2"),
        lambda d: d["outcome"].pop("failure"),
        lambda d: d["outcome"].update(status="maybe"),
        lambda d: d["events"][0].update(side="middle"),
        lambda d: d["events"][0].update(n=0),
        lambda d: d["events"][1].update(raw="xyz"),
        lambda d: d["events"][1].pop("fields"),
        lambda d: d["events"][0].update(kind="unheard_of"),
    ],
)
def test_the_schema_notices_what_is_wrong(
    told: Trace, validator: Draft202012Validator, spoil: Callable[[dict[str, Any]], object]
) -> None:
    document = to_json(told)
    spoil(document)
    with pytest.raises(ValidationError):
        validator.validate(document)


def test_the_outcome_is_what_was_agreed(told: Trace) -> None:
    assert to_json(told)["outcome"] == {
        "status": "connected",
        "protocol": "TLSv1.3",
        "cipher_suite": "TLS_AES_128_GCM_SHA256",
        "group": "x25519",
        "signature_scheme": None,
        "alpn": None,
        "resumed": False,
        "server_name": None,
        "mutual": False,
        "failure": None,
    }


def test_the_finder_of_a_fault_tells_the_outcome_not_who_was_told() -> None:
    trace = Trace()
    from pellucid.errors import AlertReceived

    trace.view("client").outcome(
        status="failed", failure=diagnosis_of(AlertReceived(51, "decrypt_error came"))
    )
    trace.view("server").outcome(status="failed", failure=diagnosis_of(PeerMisbehaved(Reason.BAD_FINISHED)))
    assert to_json(trace)["outcome"]["failure"]["id"] == "bad_finished"


def test_a_message_has_its_bytes_and_fields(told: Trace) -> None:
    message = next(event for event in to_json(told)["events"] if event["kind"] == "message")
    assert message["direction"] == "sent"
    assert message["name"] == "ClientHello"
    assert message["encrypted"] is False
    assert len(bytes.fromhex(message["raw"])) == 200


def test_fields_lie_within_the_message(told: Trace) -> None:
    def spans(fields: list[dict[str, Any]]) -> Iterator[tuple[int, int]]:
        for field in fields:
            yield field["offset"], field["length"]
            yield from spans(field.get("fields", []))

    for event in to_json(told)["events"]:
        if event["kind"] == "message":
            size = len(event["raw"]) // 2
            assert event["fields"]
            assert all(offset + length <= size for offset, length in spans(event["fields"]))


def test_secrets_are_redacted(told: Trace, shared_secret: bytes) -> None:
    text = dumps(told)
    assert shared_secret.hex() not in text
    secret = next(event for event in json.loads(text)["events"] if event["kind"] == "secret")
    assert secret["value"] == {"length": 32, "fingerprint": "630dcd29"}


def test_inputs_are_a_list_of_names_and_values(told: Trace) -> None:
    events = to_json(told)["events"]
    secret = next(event for event in events if event.get("name") == "handshake_secret")
    assert secret["inputs"][1] == {"name": "IKM", "value": "shared_secret"}


def test_a_record_tells_its_type_by_name(told: Trace) -> None:
    records = [event["content_type"] for event in to_json(told)["events"] if event["kind"] == "record"]
    assert records == ["handshake", "handshake", "change_cipher_spec", "handshake"]


def test_earlier_connections_stand_in_a_list(
    told: Trace, tell: Callable[[Trace], None], validator: Draft202012Validator
) -> None:
    last = Trace()
    tell(last)
    document = to_json(last, [told])
    validator.validate(document)
    assert [earlier["schema"] for earlier in document["previous"]] == ["pellucid.trace/1"]


def test_what_was_dropped_is_counted(validator: Draft202012Validator) -> None:
    trace = Trace(limit=0)
    trace.view("client").data(direction="sent", length=1)
    document = to_json(trace)
    validator.validate(document)
    assert document["dropped"] == 1


def test_a_mac_key_is_written_only_where_there_is_one(validator: Draft202012Validator) -> None:
    trace = Trace()
    for suite, keys in (("AEAD", {"iv": b"i" * 4}), ("CBC", {"iv": b"", "mac_key": b"m" * 20})):
        trace.view("client").keys(
            direction="write", epoch="session", cipher_suite=suite, key=b"k" * 16, **keys
        )
    document = to_json(trace)
    validator.validate(document)
    aead, cbc = document["events"]
    assert "mac_key" not in aead
    assert cbc["mac_key"]["length"] == 20
    assert cbc["iv"] == ""


def test_a_message_is_read_as_the_class_that_it_was_recorded_with(validator: Draft202012Validator) -> None:
    trace = Trace()
    view = trace.view("server")
    raw = tls12.Certificate([b"one", b"another"]).encode()
    for cls in (tls12.Certificate, None):
        view.message(
            direction="sent", name="Certificate", raw=raw, encrypted=False, epoch="plaintext", cls=cls
        )
    view.message(
        direction="sent", name="ChangeCipherSpec", raw=b"\x01", encrypted=False, epoch="plaintext",
        cls=ChangeCipherSpec,
    )  # fmt: skip
    document = to_json(trace)
    validator.validate(document)
    names = [[field["name"] for field in event["fields"]] for event in document["events"]]
    assert names == [["msg_type", "length", "certificate_list"], ["msg_type", "length", "body"], ["type"]]
    assert all("cls" not in event for event in document["events"])


def test_the_advice_in_a_failure_names_the_place() -> None:
    trace = Trace()
    trace.place = Place("www.example.org", 8443)
    error = PeerMisbehaved(Reason.NOT_TLS, "it says hello")
    trace.view("client").outcome(status="failed", failure=diagnosis_of(error))
    document = to_json(trace)
    for outcome in (document["outcome"], document["events"][-1]):
        assert "www.example.org:8443" in outcome["failure"]["confirm"]
        assert "{" not in "".join(filter(None, outcome["failure"].values()))


def test_the_commands_in_advice_go_the_same_way() -> None:
    mail = Place("mail.example", 587, (("--starttls", "smtp"), ("--cafile", "ca.pem")))
    ours = "pellucid connect mail.example:587 --starttls smtp"
    assert filled("pellucid connect {host}:{port} --why", mail) == f"{ours} --cafile ca.pem --why"
    assert filled("pellucid connect {host}:{port} --cafile ROOT.pem", mail) == f"{ours} --cafile ROOT.pem"
    openssls = "openssl s_client -connect mail.example:587 -starttls smtp -showcerts"
    assert filled("openssl s_client -connect {host}:{port} -showcerts", mail) == openssls
    assert filled("nothing at {host}:{port}", mail) == "nothing at mail.example:587"
