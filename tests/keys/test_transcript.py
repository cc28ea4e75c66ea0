"""The transcript hash against RFC 8448, and its rules."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from pellucid.errors import Misuse, Reason
from pellucid.keys import Transcript

RFC8448 = json.loads((Path(__file__).parents[1] / "vectors" / "rfc8448.json").read_text())
TRACES = {trace["name"]: trace for trace in RFC8448["traces"]}


def context_of(trace: dict[str, Any], secret: str) -> str:
    context: str = next(entry["context"] for entry in trace["secrets"] if entry["name"] == secret)
    return context


def messages_to(trace: dict[str, Any], sender: str, name: str) -> list[bytes]:
    """The trace's messages up to and with one."""
    messages = trace["messages"]
    end = next(i for i, m in enumerate(messages) if (m["sender"], m["name"]) == (sender, name))
    return [bytes.fromhex(m["raw"]) for m in messages[: end + 1]]


@pytest.mark.parametrize("trace", TRACES.values(), ids=TRACES.keys())
@pytest.mark.parametrize(
    "sender, last, secret",
    [
        ("server", "ServerHello", "client_handshake_traffic_secret"),
        ("server", "Finished", "client_application_traffic_secret_0"),
        ("client", "Finished", "resumption_secret"),
    ],
)
def test_the_hash_is_the_context_in_rfc_8448(
    trace: dict[str, Any], sender: str, last: str, secret: str
) -> None:
    transcript = Transcript()
    first, *others = messages_to(trace, sender, last)
    transcript.add(first)
    transcript.start("sha256")
    if trace["name"] == "hello_retry_request":
        transcript.replace_with_message_hash()
    for message in others:
        transcript.add(message)
    assert transcript.digest().hex() == context_of(trace, secret)


def test_the_binder_s_hash_in_rfc_8448_is_made_before_the_suite_is_known() -> None:
    [binder] = TRACES["resumed_0rtt"]["binders"]
    digest = Transcript().digest_with(bytes.fromhex(binder["truncated_client_hello"]), "sha256")
    assert digest.hex() == binder["transcript_hash"]


@pytest.mark.parametrize("hash_name", ["sha256", "sha384"])
@pytest.mark.parametrize("started_after", [0, 1, 2])
def test_it_does_not_matter_when_it_was_started(hash_name: str, started_after: int) -> None:
    transcript = Transcript()
    for i, message in enumerate((b"one", b"two")):
        if i == started_after:
            transcript.start(hash_name)
        transcript.add(message)
    transcript.start(hash_name)
    assert transcript.digest() == hashlib.new(hash_name, b"onetwo").digest()


def test_a_digest_does_not_end_it() -> None:
    transcript = Transcript()
    transcript.start("sha256")
    transcript.add(b"one")
    transcript.digest()
    transcript.add(b"two")
    assert transcript.digest() == hashlib.sha256(b"onetwo").digest()


@pytest.mark.parametrize("started", [False, True])
def test_digest_with_adds_nothing(started: bool) -> None:
    transcript = Transcript()
    transcript.add(b"one")
    if started:
        transcript.start("sha256")
    assert transcript.digest_with(b"two", "sha256") == hashlib.sha256(b"onetwo").digest()
    transcript.start("sha256")
    assert transcript.digest() == hashlib.sha256(b"one").digest()


@pytest.mark.parametrize("hash_name, length", [("sha256", 32), ("sha384", 48)])
def test_the_message_hash_has_type_254_and_the_hash_s_length(hash_name: str, length: int) -> None:
    transcript = Transcript()
    transcript.add(b"hello")
    transcript.start(hash_name)
    transcript.replace_with_message_hash()
    message = bytes([254, 0, 0, length]) + hashlib.new(hash_name, b"hello").digest()
    assert transcript.digest() == hashlib.new(hash_name, message).digest()


@pytest.mark.parametrize("started", [False, True])
def test_a_copy_goes_its_own_way(started: bool) -> None:
    transcript = Transcript()
    transcript.add(b"one")
    if started:
        transcript.start("sha256")
    copy = transcript.copy()
    copy.add(b"two")
    for each in (transcript, copy):
        each.start("sha256")
    assert (transcript.digest(), copy.digest()) == (
        hashlib.sha256(b"one").digest(),
        hashlib.sha256(b"onetwo").digest(),
    )


@pytest.mark.parametrize(
    "call",
    [Transcript.digest, Transcript.replace_with_message_hash, lambda t: t.digest_with(b"x")],
    ids=["digest", "replace_with_message_hash", "digest_with"],
)
def test_without_a_hash_there_is_no_digest(call: Any) -> None:
    with pytest.raises(Misuse, match="no hash yet") as caught:
        call(Transcript())
    assert caught.value.reason is Reason.INTERNAL_ERROR


def test_the_hash_cannot_change() -> None:
    transcript = Transcript()
    transcript.start("sha256")
    with pytest.raises(Misuse, match="of sha256, not sha384"):
        transcript.start("sha384")


def test_the_repr_tells_the_state() -> None:
    transcript = Transcript()
    transcript.add(b"hello")
    assert repr(transcript) == "<Transcript, 5 bytes kept>"
    transcript.start("sha256")
    assert repr(transcript) == "<Transcript, running sha256>"
    transcript = Transcript()
    transcript.add(b"hello")
    transcript.start("sha256", keep=True)
    assert repr(transcript) == "<Transcript, running sha256, 5 bytes kept>"


def test_kept_messages_are_all_messages_in_order() -> None:
    transcript = Transcript()
    transcript.add(b"one")
    transcript.start("sha384", keep=True)
    transcript.add(b"two")
    assert transcript.messages == b"onetwo"
    assert transcript.digest() == hashlib.sha384(b"onetwo").digest()


def test_forgetting_messages_leaves_the_hash() -> None:
    transcript = Transcript()
    transcript.add(b"one")
    transcript.start("sha256", keep=True)
    transcript.forget_messages()
    transcript.add(b"two")
    assert transcript.digest() == hashlib.sha256(b"onetwo").digest()
    assert b"one" not in transcript._buffer


@pytest.mark.parametrize("how", ["start", "forget_messages", "replace_with_message_hash"])
def test_messages_that_were_not_kept_cannot_be_read(how: str) -> None:
    transcript = Transcript()
    transcript.add(b"one")
    transcript.start("sha256", keep=how != "start")
    if how != "start":
        getattr(transcript, how)()
    with pytest.raises(Misuse, match="were not kept"):
        assert transcript.messages


def test_messages_cannot_be_forgotten_before_they_are_hashed() -> None:
    transcript = Transcript()
    transcript.add(b"one")
    with pytest.raises(Misuse, match="no hash yet"):
        transcript.forget_messages()


@pytest.mark.parametrize("keep", [False, True])
def test_a_copy_keeps_messages_if_the_original_does(keep: bool) -> None:
    transcript = Transcript()
    transcript.start("sha256", keep=keep)
    transcript.add(b"one")
    copy = transcript.copy()
    copy.add(b"two")
    assert copy.digest() == hashlib.sha256(b"onetwo").digest()
    if keep:
        assert (transcript.messages, copy.messages) == (b"one", b"onetwo")
