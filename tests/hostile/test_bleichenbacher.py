"""Bleichenbacher (1998), ROBOT (2017), Marvin (2023): a server that shows whether padding was right decrypts.

Whoever can tell a ciphertext with proper PKCS #1 v1.5 padding from one without, by an alert, a closed
connection, a record more, or the time it takes, decrypts with the server's key by asking some ten thousand
times. So here every ciphertext that is wrong in some way is answered as one is that is right in all but the
secret in it: RFC 5246 7.4.7.1. What Python cannot promise about time is told in SECURITY.md.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NamedTuple

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from loopback import client_config, credential, laboratory, server_config
from rogue import RogueHandshake, run
from rogue12 import (
    CHANGE_CIPHER_SPEC,
    alerts_of,
    client_of,
    meeting,
    met12,
    records,
    refused12,
    server_of,
    switching,
)

from pellucid import ServerConnection, TLSError
from pellucid.codes import AlertDescription, ContentType
from pellucid.crypto import rsa as pellucid_rsa
from pellucid.crypto.rsa import encrypt_premaster
from pellucid.errors import Reason
from pellucid.handshake import exchange12
from pellucid.handshake.exchange12 import Exchanged
from pellucid.messages import HandshakeMessage, tls12
from pellucid.trace import Trace

VERSION = b"\x03\x03"


def public_key() -> rsa.RSAPublicKey:
    """The server's."""
    key = laboratory().issue("rsa").certificate.public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    return key


def encrypted(encoded: bytes) -> bytes:
    """RSA's power of an encoded message, whatever is in it: what nobody's library makes."""
    numbers = public_key().public_numbers()
    length = (numbers.n.bit_length() + 7) // 8
    return pow(int.from_bytes(encoded, "big"), numbers.e, numbers.n).to_bytes(length, "big")


def padded(
    message: bytes, *, start: bytes = b"\x00\x02", zero: bytes = b"\x00", at: int | None = None
) -> bytes:
    """EM = start || PS || zero || message; ``at``: an index of EM that is set to 0 beside it."""
    length = (public_key().key_size + 7) // 8
    filler = b"\xa5" * (length - len(start) - len(zero) - len(message))
    encoded = bytearray(start + filler + zero + message)
    if at is not None:
        encoded[at] = 0
    return bytes(encoded)


def premaster(length: int = 48, version: bytes = VERSION) -> bytes:
    return (version + os.urandom(length))[:length]


#: What a client may send in place of its premaster secret; the first is right, but for being another.
CIPHERTEXTS: dict[str, Callable[[], bytes]] = {
    "another secret": lambda: encrypted(padded(premaster())),
    # Versions: RFC 5246 7.4.7.1, Klima, Pokorny and Rosa (2003).
    "version 1.1": lambda: encrypted(padded(premaster(version=b"\x03\x02"))),
    "version SSL 3": lambda: encrypted(padded(premaster(version=b"\x03\x00"))),
    "version SSL 2": lambda: encrypted(padded(premaster(version=b"\x00\x02"))),
    "version 1.3": lambda: encrypted(padded(premaster(version=b"\x03\x04"))),
    "no version": lambda: encrypted(padded(premaster(version=b"\xff\xff"))),
    # Lengths.
    "empty secret": lambda: encrypted(padded(b"")),
    "1 byte": lambda: encrypted(padded(premaster(1))),
    "46 bytes": lambda: encrypted(padded(premaster(46))),
    "47 bytes": lambda: encrypted(padded(premaster(47))),
    "49 bytes": lambda: encrypted(padded(premaster(49))),
    "96 bytes": lambda: encrypted(padded(premaster(96))),
    "as long as fits": lambda: encrypted(padded(premaster(256 - 11))),
    "longer than fits": lambda: encrypted(padded(premaster(256 - 10))),
    # Padding: ROBOT's own five are among them.
    "block type 1": lambda: encrypted(padded(premaster(), start=b"\x00\x01")),
    "block type 0": lambda: encrypted(padded(premaster(), start=b"\x00\x00")),
    "block type 0xFF": lambda: encrypted(padded(premaster(), start=b"\x00\xff")),
    "starts with 0x41 0x17": lambda: encrypted(padded(premaster(), start=b"\x41\x17")),
    "starts with 2": lambda: encrypted(padded(premaster(), start=b"\x02\x00")),
    "no zero behind the padding": lambda: encrypted(padded(b"\xa5" * 48, zero=b"\xa5")),
    "a zero at the padding's start": lambda: encrypted(padded(premaster(), at=2)),
    "a zero in the padding's first eight": lambda: encrypted(padded(premaster(), at=9)),
    "a zero behind those": lambda: encrypted(padded(premaster(), at=10)),
    "a zero in the padding's midst": lambda: encrypted(padded(premaster(), at=100)),
    "all padding": lambda: encrypted(b"\x00\x02" + b"\xa5" * 254),
    "not encrypted": lambda: padded(premaster()),
    # No ciphertexts at all.
    "zero": lambda: bytes(256),
    "one": lambda: bytes(255) + b"\x01",
    "above the modulus": lambda: b"\xff" * 256,
    "the modulus": lambda: public_key().public_numbers().n.to_bytes(256, "big"),
    "empty": lambda: b"",
    "a byte": lambda: b"\x00",
    "a byte short": lambda: encrypted(padded(premaster()))[1:],
    "a byte long": lambda: b"\x00" + encrypted(padded(premaster())),
    "twice as long": lambda: encrypted(padded(premaster())) * 2,
    "of a key twice as long": lambda: os.urandom(512),
}
REFERENCE = "another secret"
WRONG = pytest.mark.parametrize("wrong", [name for name in CIPHERTEXTS if name != REFERENCE])


class Seen(NamedTuple):
    """All that a client, or somebody who reads over the server's shoulder, sees of one handshake."""

    reason: Reason
    detail: str
    state: str
    alerts: list[bytes]
    records: list[tuple[int, int]]
    trace: list[tuple[str, ...]]
    entropy: list[int]


def sending(ciphertext: bytes) -> Callable[[RogueHandshake, HandshakeMessage], Iterable[bytes]]:
    def tamper(_hs: RogueHandshake, message: HandshakeMessage) -> Iterable[bytes]:
        if isinstance(message, tls12.ClientKeyExchangeRSA):
            message.encrypted_pre_master_secret = ciphertext
            message.encode()
        return [message.raw]

    return tamper


@contextmanager
def watching_calls() -> Iterator[list[str]]:
    """The functions that are called meanwhile, by name; not those that only look at a message's length."""
    calls: list[str] = []

    def watch(frame: FrameType, event: str, _argument: object) -> None:
        name = frame.f_code.co_qualname
        if event == "call" and "pellucid" in frame.f_code.co_filename and "_check_length" not in name:
            calls.append(name)

    before = sys.getprofile()
    # Collecting a connection of another test's would close its flow, which is a call.
    gc.disable()
    sys.setprofile(watch)
    try:
        yield calls
    finally:
        sys.setprofile(before)
        gc.enable()


def shape(trace: Trace) -> list[tuple[str, ...]]:
    """What the server's trace tells, but for times and bytes."""
    names = ("kind", "name", "what", "direction", "ok", "encrypted", "description", "status")
    return [
        tuple(f"{name}={getattr(event, name)}" for name in names if hasattr(event, name))
        for event in trace.events
        if event.side == "server"
    ]


def seen(ciphertext: bytes, *, mutual: bool = False) -> Seen:
    """A client that sends this ciphertext, and goes on as if it were right."""
    drawn: list[int] = []

    def entropy(length: int) -> bytes:
        drawn.append(length)
        return os.urandom(length)

    trace = Trace()
    knobs: dict[str, Any] = {"entropy": entropy, "trace": trace.view("server"), "tickets": False}
    shows: dict[str, Any] = {"sessions": None}
    if mutual:
        knobs |= {"client_authentication": "required", "trust": laboratory().trust}
        shows |= {"credentials": [credential("ecdsa", "client")]}
    client, server, victim, _ = meeting(
        "server", client_of("RSA", **shows), server_of("RSA", **knobs), sending(ciphertext)
    )
    server.receive_data(client.data_to_send())
    client.receive_data(server.data_to_send())
    flight = client.data_to_send()
    with alerts_of(victim) as alerts, pytest.raises(TLSError) as caught:
        server.receive_data(flight)
    said = [(content_type, len(fragment)) for content_type, fragment in records(victim.data_to_send())]
    state = [event.name for event in trace.events if event.kind == "state" and event.side == "server"][-1]
    return Seen(caught.value.reason, caught.value.detail, state, alerts, said, shape(trace), drawn)


@pytest.mark.parametrize("mutual", [False, True], ids=["", "mutual"])
@WRONG
def test_every_wrong_ciphertext_is_answered_as_one_of_another_secret(wrong: str, mutual: bool) -> None:
    """The same alert behind the same message, the same number of records, the same trace."""
    reference = seen(CIPHERTEXTS[REFERENCE](), mutual=mutual)
    assert seen(CIPHERTEXTS[wrong](), mutual=mutual) == reference
    assert reference.alerts == [bytes((2, AlertDescription.bad_record_mac))]
    assert reference.records == [(ContentType.alert, 2)]
    assert reference.state == "WAIT_FINISHED"


def functions_called(ciphertext: bytes) -> list[str]:
    client, server, _, _ = meeting(
        "server", client_of("RSA", sessions=None), server_of("RSA"), sending(ciphertext)
    )
    server.receive_data(client.data_to_send())
    client.receive_data(server.data_to_send())
    flight = client.data_to_send()
    with watching_calls() as calls, pytest.raises(TLSError):
        server.receive_data(flight)
    return calls


def test_every_wrong_ciphertext_takes_the_same_path() -> None:
    """Function by function: nothing is done for one that is not done for another."""
    # The first decryption of a process finds out what the library can do.
    functions_called(CIPHERTEXTS[REFERENCE]())
    reference = functions_called(CIPHERTEXTS[REFERENCE]())
    assert reference.count("decrypt_premaster") == 1
    for name, ciphertext in CIPHERTEXTS.items():
        assert functions_called(ciphertext()) == reference, name


def after_key_exchange(ciphertext: bytes, *more: bytes) -> tuple[ServerConnection, list[bytes]]:
    """A server that was sent this ClientKeyExchange, then ``more``; and what it said to each."""
    client, server, victim, _ = meeting(
        "server",
        client_of("RSA", sessions=None),
        server_of("RSA"),
        sending(ciphertext),
        switching(),
        protects=False,
    )
    assert isinstance(victim, ServerConnection)
    server.receive_data(client.data_to_send())
    client.receive_data(server.data_to_send())
    flight = client.data_to_send()
    # The Finished of the rogue, unprotected, is the last message: 16 bytes of the same record.
    length = int.from_bytes(flight[3:5], "big") - 16
    said = []
    for data in (flight[:3] + length.to_bytes(2, "big") + flight[5 : 5 + length], *more):
        try:
            server.receive_data(data)
        except TLSError as error:
            said.append(str(error.reason).encode())
        said.append(victim.data_to_send())
    return victim, said


@pytest.mark.parametrize("wrong", CIPHERTEXTS)
def test_without_more_the_server_waits_and_says_nothing(wrong: str) -> None:
    """ROBOT's second way to ask: the ClientKeyExchange alone. Some servers closed at once, others did not."""
    victim, said = after_key_exchange(CIPHERTEXTS[wrong]())
    assert said == [b""]
    assert victim.state == "WAIT_CCS"
    assert victim.failure is None


@pytest.mark.parametrize("rest", [b"", b"\x14\x03\x03\x00\x01\x01"], ids=["Finished", "both"])
@WRONG
def test_what_comes_behind_is_judged_alike(wrong: str, rest: bytes) -> None:
    """A ChangeCipherSpec left out, a Finished of any bytes: neither says more of the secret."""
    finished = b"\x16\x03\x03\x00\x28" + bytes(40)
    reference = after_key_exchange(CIPHERTEXTS[REFERENCE](), rest + finished)[1]
    assert after_key_exchange(CIPHERTEXTS[wrong](), rest + finished)[1] == reference
    assert reference[-1]


def test_a_wrong_version_gives_another_secret_and_no_other_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that means the wrong version, and computes with it: the version is not compared, but replaced.

    RFC 5246 7.4.7.1: that "produces an invalid master_secret if the client has sent the wrong version".
    """

    def encrypt(hs: object, identity: Any) -> Exchanged:
        secret = premaster(version=b"\x03\x01")
        message = tls12.ClientKeyExchangeRSA(encrypt_premaster(identity.public_key, secret))
        return Exchanged(message, secret, None)

    monkeypatch.setattr(exchange12, "_encrypted", encrypt)
    client, server, victim, _ = meeting("server", client_of("RSA", sessions=None), server_of("RSA"))
    with alerts_of(victim) as alerts:
        error = run(client, server, victim)
    assert error.reason is Reason.BAD_RECORD_MAC
    assert alerts == [bytes((2, AlertDescription.bad_record_mac))]


def test_the_same_wrong_ciphertext_gives_another_secret_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the length is wrong too: a secret that came back would be known to whoever has once learnt it."""
    secrets = []
    monkeypatch.setattr(
        exchange12,
        "_trace_premaster",
        lambda hs, _formula, _inputs, value: secrets.append(value) if hs.side == "server" else None,
    )
    for _ in range(3):
        after_key_exchange(b"\xff" * 256)
    assert len(set(secrets)) == 3
    assert {(len(secret), secret[:2]) for secret in secrets} == {(48, VERSION)}


def test_the_random_secret_is_drawn_before_it_is_known_whether_it_is_needed() -> None:
    for name in (REFERENCE, "block type 1", "empty"):
        drawn = seen(CIPHERTEXTS[name]()).entropy
        assert drawn.count(48) == 1


@pytest.mark.parametrize("name", [REFERENCE, "block type 1", "empty"])
def test_a_library_that_shows_the_padding_does_not_decrypt(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before OpenSSL 3.2 a wrong padding raised. Then the right one is refused as well."""
    monkeypatch.setattr(pellucid_rsa._IMPLICIT_REJECTION, "_present", False)
    found = seen(CIPHERTEXTS[name]())
    assert found.reason is Reason.BAD_CONFIGURATION
    assert found.alerts == [bytes((2, AlertDescription.internal_error))]
    assert found.state == "WAIT_CKE"


@pytest.mark.parametrize("policy", ["default", "modern"])
def test_nobody_decrypts_who_was_not_asked_to(policy: str) -> None:
    """The surest way: RSA key exchange is in no policy but "compatible", and there it comes last."""
    server = server_config(credentials=[credential("rsa")], policy=policy)
    reason = Reason.NO_SHARED_CIPHER_SUITE if policy == "default" else Reason.NO_SHARED_VERSION
    alert = AlertDescription.handshake_failure if policy == "default" else AlertDescription.protocol_version
    refused12("server", reason, alert, client=client_of("RSA"), server=server)
    assert not any("TLS_RSA" in str(suite) for suite in client_config(policy=policy).cipher_suites)


def test_a_server_of_the_compatible_policy_decrypts_when_nothing_else_is_left() -> None:
    server = server_config(credentials=[credential("rsa")], policy="compatible")
    suites = [str(suite) for suite in server.parameters.suites12]
    first = min(number for number, suite in enumerate(suites) if suite.startswith("TLS_RSA"))
    assert all(suite.startswith("TLS_RSA") for suite in suites[first:])


def test_a_resumption_decrypts_nothing() -> None:
    client, server = met12("RSA")
    with watching_calls() as calls:
        one, other, victim, _ = meeting("server", client, server)
        for _ in range(3):
            other.receive_data(one.data_to_send())
            one.receive_data(other.data_to_send())
    assert victim.negotiated is not None
    assert victim.negotiated.resumed
    assert "decrypt_premaster" not in calls


def test_the_switch_of_the_rogue_is_the_usual_one() -> None:
    """What is compared above differs in the ciphertext alone: with the right one the handshake completes."""
    client, server, victim, _ = meeting(
        "server", client_of("RSA"), server_of("RSA"), switch=switching(CHANGE_CIPHER_SPEC)
    )
    for _ in range(3):
        server.receive_data(client.data_to_send())
        client.receive_data(server.data_to_send())
    assert victim.handshake_complete
