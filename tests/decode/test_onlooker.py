"""What is told of a capture is what shows in it: what either side has made of it, only if it does."""

from __future__ import annotations

import json
from typing import Any

import conversations
import pytest
from conversations import Conversation, converse
from jsonschema import Draft202012Validator
from loopback import NAME, credential, laboratory, pump
from watched import Wire, decode_one, turns_of
from watching12 import ECDHE, decode, talk12

from pellucid import ClientConnection, Credential, ServerConnection
from pellucid.decode import Decoded
from pellucid.identity import TrustStore
from pellucid.identity.lab import Laboratory
from pellucid.trace.details import details_of
from pellucid.trace.ending import summary_rows
from pellucid.trace.events import CertificateEvent, CheckEvent, Event, KeysEvent, SecretEvent
from pellucid.trace.failure import Diagnosis
from pellucid.trace.html import page
from pellucid.trace.json import dumps, schema
from pellucid.trace.narration import Step, narrate
from pellucid.trace.summary import summarise
from pellucid.trace.texts import texts

TRUST = laboratory().trust
BOTH = pytest.mark.parametrize("kind", ["full", "1.2 ecdhe", "1.2 rsa"])


def talk(
    kind: str, *, client: dict[str, Any] | None = None, server: dict[str, Any] | None = None
) -> Conversation:
    own = conversations.KINDS[kind]
    name = f"{kind}, changed"
    conversations.KINDS[name] = (own[0] | (client or {}), own[1] | (server or {}))
    try:
        return converse(name, ends_well=False)
    finally:
        del conversations.KINDS[name]


def refused(kind: str, *, trust: TrustStore | None = None, **changes: dict[str, Any]) -> Decoded:
    """A client that lacks the root refuses the certificate; ``trust``: what who looks on has."""
    changes["client"] = {"trust": TrustStore.empty()} | changes.get("client", {})
    said = talk(kind, **changes)
    return decode_one(Wire().say(*turns_of(said)).close().capture, said.key_log, trust=trust)


def events(found: Decoded) -> list[Event]:
    assert found.trace is not None
    return found.trace.events


def steps(found: Decoded) -> list[Step]:
    return narrate(events(found))


def failure(found: Decoded) -> Diagnosis:
    assert found.outcome is not None
    assert found.outcome.failure is not None
    return found.outcome.failure


def connected(found: Decoded) -> dict[str, str]:
    assert found.outcome is not None
    assert found.outcome.status == "connected"
    return {row.label: row.value for row in summary_rows(summarise(events(found)))}


# -- who has checked


@BOTH
def test_who_takes_part_checks_for_itself_and_who_looks_on_for_nobody_else(kind: str) -> None:
    said = converse(kind)
    found = decode_one(Wire().say(*turns_of(said)).close().capture, said.key_log, trust=TRUST)
    for told, by_onlooker in ((said.trace.events, False), (events(found), True)):
        checks = [e for e in told if isinstance(e, CheckEvent | CertificateEvent)]
        assert checks
        assert {e.by_onlooker for e in checks} == {by_onlooker}


def test_json_says_so_where_it_is_so() -> None:
    found = refused("full", trust=TRUST)
    assert found.trace is not None
    document = json.loads(dumps(found.trace))
    Draft202012Validator(schema()).validate(document)
    for event in document["events"]:
        assert event.get("by_onlooker", False) == (event["kind"] in ("check", "certificate"))
    assert "by_onlooker" not in dumps(converse("full").trace)


def test_the_page_has_it_in_words() -> None:
    found = refused("full", trust=TRUST)
    assert found.trace is not None
    shown = page([found.trace], heading="a capture")
    assert '"onlooker":true' in shown.replace(" ", "")
    assert '"judge":"onlooker"' in shown.replace(" ", "")


def test_a_check_that_fails_is_not_told_to_have_held() -> None:
    """Of the words for an onlooker all are true whether it holds or not."""
    for trust in (TRUST, TrustStore.empty(), None):
        for step in steps(refused("full", trust=trust)):
            if step.onlooker and step.id.startswith(("check", "certificate")):
                assert "here" in step.purpose
                assert " is signed by the next" not in step.purpose.replace("whether the certificate is", "")


# -- nothing of a side that has stopped


@BOTH
def test_a_client_that_refuses_the_certificate_has_done_nothing_more(kind: str) -> None:
    told = steps(refused(kind, trust=TRUST))
    assert told[-1].title == "unknown_ca"
    own = [step.id for step in told if step.side == "client" and step.kind == "action" and not step.onlooker]
    assert own == (["step:derive:handshake"] if kind == "full" else [])
    secrets = [
        e for e in events(refused(kind)) if isinstance(e, SecretEvent | KeysEvent) and e.side == "client"
    ]
    names = {e.name for e in secrets if isinstance(e, SecretEvent)}
    assert not {name for name in names if "application" in name or "master" in name or "exporter" in name}


def test_a_server_that_refuses_the_client_has_derived_nothing() -> None:
    said = talk("1.2 mutual", server={"trust": Laboratory(b"others", 1_800_000_000.0).trust})
    found = decode_one(Wire().say(*turns_of(said)).close().capture, said.key_log)
    told = steps(found)
    assert told[-1].side == "server"
    assert not told[-1].ok
    assert not [
        step.id for step in told if step.side == "server" and step.kind == "action" and not step.onlooker
    ]
    assert [step.id for step in told if step.side == "client" and step.id.startswith("step:derive")]


@pytest.mark.parametrize("kind", ["1.2 ecdhe", "1.2 dhe", "1.2 rsa"])
def test_the_premaster_secret_is_made_before_the_key_exchange_is_sent(kind: str) -> None:
    said = converse(kind)
    found = decode_one(Wire().say(*turns_of(said)).close().capture, said.key_log)
    told = [(step.side, step.id.partition(":tls12")[0]) for step in steps(found)]
    exchange = next(place for place, (_, name) in enumerate(told) if "ClientKeyExchange" in name)
    if kind != "1.2 rsa":
        assert told[exchange - 1][1].startswith("step:premaster")
    derived = [place for place, step in enumerate(told) if step == ("client", "step:derive:session")]
    assert len(derived) == 1
    assert derived[0] > exchange
    assert told[derived[0] + 1] == ("client", "message:ChangeCipherSpec")


def test_a_client_that_shows_no_certificate_is_not_said_to_have_none() -> None:
    said = talk("mutual", client={"credentials": []}, server={"client_authentication": "optional"})
    found = decode_one(Wire().say(*turns_of(said)).close().capture, said.key_log)
    assert not [step for step in steps(found) if step.id.startswith("choice:client_certificate")]


# -- what follows from what was found


@BOTH
def test_where_the_path_holds_the_client_lacks_the_root(kind: str) -> None:
    told = failure(refused(kind, trust=TRUST))
    assert told.id == "server_certificate_refused"
    assert told.inferred.endswith("With the roots given the path holds: this client does not have that root.")
    assert "name" not in told.possible
    assert told.fix == "Give the client that root: CN=Pellucid Laboratory Root."
    assert told.confirm == "pellucid connect {host}:{port} --cafile ROOT.pem"


def test_without_roots_what_the_alert_leaves_open_is_said_and_no_more() -> None:
    told = failure(refused("full"))
    assert (
        told.possible
        == "The client does not have the root, or the server leaves out an intermediate certificate."
    )
    assert told.confirm.startswith("pellucid decode FILE --cafile ROOT.pem")
    assert "path holds" not in told.inferred


def test_an_intermediate_that_was_left_out_is_named() -> None:
    leaf = laboratory().issue("ecdsa", (NAME,))
    server = {"credentials": [Credential.from_objects((leaf.certificate,), leaf.private_key)]}
    told = failure(refused("full", trust=TRUST, server=server))
    assert "With the roots given it does not pass either" in told.inferred
    assert "which was not sent" in told.inferred
    assert "the server leaves out an intermediate certificate" in told.inferred
    assert told.fix.startswith("Have the server send its whole chain")
    assert told.possible == ""
    blind = failure(refused("full", server=server))
    assert "the last was issued by CN=Pellucid Laboratory Intermediate, whose own was not" in blind.inferred


def test_a_name_that_the_certificate_lacks_is_told_without_roots() -> None:
    server = {"credentials": [credential(names=("other.example",))]}
    said = talk("full", server=server)
    found = decode_one(Wire().say(*turns_of(said)).close().capture, said.key_log)
    told = failure(found)
    assert told.alert == "bad_certificate"
    assert 'Certificate 0 ("CN=other.example") is for other.example, not for localhost.' in told.inferred
    assert told.fix.startswith("Connect by a name that the certificate has")


def test_a_client_certificate_that_was_refused_is_judged_as_well() -> None:
    stranger = Laboratory(b"others", 1_800_000_000.0)
    shown = {"credentials": [stranger.credential("ecdsa", ("client.test",), "client")]}
    said = talk("mutual", client=shown)
    capture = Wire().say(*turns_of(said)).close().capture
    told = failure(decode_one(capture, said.key_log, trust=stranger.trust))
    assert told.id == "client_certificate_untrusted"
    assert told.inferred.endswith("With the roots given the path holds: this server does not have that root.")
    other = failure(decode_one(capture, said.key_log, trust=TRUST))
    assert "With the roots given it does not pass either" in other.inferred


def test_no_advice_is_in_options_that_decode_does_not_have() -> None:
    for name, entry in texts("onlooker.toml").items():
        for field in ("fix", "confirm"):
            text = entry.get(field, "")
            if "--" in text.replace("--cafile", ""):
                assert "pellucid connect " in text, name
            assert "{" not in text.replace("{host}", "").replace("{port}", "").replace(
                "{refuser}", ""
            ).replace("{owner}", "").replace("{root}", ""), name


# -- the last lines of a story


def test_a_server_whose_path_does_not_hold_is_not_as_it_claims() -> None:
    said = converse("full")
    capture = Wire().say(*turns_of(said)).close().capture
    wrong = connected(decode_one(capture, said.key_log, trust=Laboratory(b"others", 1_800_000_000.0).trust))
    assert wrong["server"].startswith("CN=localhost, which does not pass here: ")
    unjudged = connected(decode_one(capture, said.key_log))
    assert "(trust was not judged: no --cafile), signed with" in unjudged["server"]
    fine = connected(decode_one(capture, said.key_log, trust=TRUST))
    assert fine["server"].startswith("CN=localhost, vouched for by ")
    assert "judged" not in fine["server"]
    assert "perhaps" not in fine


@pytest.mark.parametrize(
    "kind, proof",
    [
        ("1.2 ecdhe", "signed with ecdsa_secp256r1_sha256"),
        ("1.2 rsa", "if it could decrypt the secret: that is in what stays closed"),
        (
            "1.2 resumed",
            "the one of the earlier session, if it knew that session's key: that is in what stays closed",
        ),
        ("full", "not seen: it is in what stays closed"),
    ],
)
def test_without_keys_the_server_is_what_was_seen(kind: str, proof: str) -> None:
    said = converse(kind)
    found = decode_one(Wire().say(*turns_of(said)).close().capture)
    assert connected(found)["server"].endswith(proof)


def test_a_client_that_leaves_without_a_word_may_have_refused() -> None:
    def leave(us: ClientConnection, them: ServerConnection) -> None:
        us.close()
        pump(us, them)

    [left] = decode(talk12(ECDHE, act=leave).capture())
    assert connected(left)["perhaps"].startswith("the client refused the server's certificate")
    [stayed] = decode(talk12(ECDHE).capture())
    assert "perhaps" not in connected(stayed)


# -- no TLS


@pytest.mark.parametrize(
    "answer, words",
    [
        (
            b"HTTP/1.0 400 Bad Request\r\n\r\n<html>",
            'an HTTP response: the port speaks plain HTTP: "HTTP/1.0 400',
        ),
        (b"<!DOCTYPE HTML>\n", 'markup: the port speaks plain HTTP, or something like it: "<!DOCTYPE HTML>"'),
        (b"SSH-2.0-OpenSSH_9.2\r\n", 'an SSH banner: "SSH-2.0-OpenSSH_9.2"'),
        (b"\x00\x01\x1b[31m\xff", "not a TLS record: 00 01 1b 5b 33 31 6d ff"),
    ],
)
def test_an_answer_that_is_no_tls_has_its_own_words(answer: bytes, words: str) -> None:
    [hello, *_] = turns_of(converse("full"))
    found = decode_one(Wire().say(hello, ("server", answer)).close("server").capture)
    [told] = found.sealed
    assert (told.side, told.reason) == ("server", "not_tls_records")
    assert told.detail.startswith(f"The server sends {words}")
    assert failure(found).id == "not_tls"
    [*_, step] = steps(found)
    assert step.title == "speaks no TLS from here"
    assert "encrypted" not in step.purpose
    assert [row.label for row in details_of([told])] == ["here"]


def test_a_hello_of_tls_1_2_alone_is_told_as_one_of_tls_1_2() -> None:
    hello, answer, *_ = turns_of(converse("1.2 ecdhe"))
    wire = Wire()
    wire.send("client", 0x18, hello[1][:40])
    wire.send("client", 0x18, hello[1][40:], lost=True)
    found = decode_one(wire.say(answer).close().capture)
    assert found.outcome is not None
    assert found.outcome.protocol == "TLSv1.2"
    assert [step.id for step in steps(found) if "ServerHello:" in step.id] == [
        "message:ServerHello:tls12:server"
    ]
