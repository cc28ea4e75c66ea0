"""TLS 1.2: what a client must not say, one broken rule at a time, and what a server makes of it.

Certificates of clients are in test_mutual12.py, versions in test_versions.py.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
from loopback import client12, connect_pair, credential, pump, server12
from rogue import (
    Tamper,
    edit,
    framed,
    plaintext,
    put,
    refuses_data,
    replace,
    rogue_client,
    run,
    server_refuses,
)

from pellucid import Reason, ServerConnection, TLSError, Trace
from pellucid.alerts import alert_for
from pellucid.codes import (
    AlertDescription,
    ContentType,
    ExtensionType,
    HandshakeType,
    NamedGroup,
    ProtocolVersion,
)
from pellucid.crypto.dh12 import dh_params
from pellucid.errors import BadMessage, PeerMisbehaved
from pellucid.handshake import exchange12
from pellucid.messages import ClientHello, Finished, tls12
from pellucid.messages import extensions as ext
from pellucid.trace.events import SecretEvent

E = ExtensionType
V12 = ProtocolVersion.TLSv1_2
X25519 = {"cipher_suites": ["TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"], "groups": ["x25519", "secp256r1"]}
P256 = {"cipher_suites": ["TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"], "groups": ["secp256r1"]}
DHE = {"cipher_suites": ["TLS_DHE_RSA_WITH_AES_128_GCM_SHA256"]}
RSA = {"cipher_suites": ["TLS_RSA_WITH_AES_128_GCM_SHA256"]}
KEYS = {"credentials": [credential(), credential("rsa")]}
P = int.from_bytes(dh_params(NamedGroup.ffdhe2048)[0], "big")


class Fault(NamedTuple):
    tamper: Tamper
    error: type[TLSError]
    reason: Reason
    suites: dict[str, Any] = X25519


def share(value: bytes) -> Tamper:
    return put(tls12.ClientKeyExchangeECDHE, ecdh_Yc=value)


def number(value: int) -> Tamper:
    length = max(1, (value.bit_length() + 7) // 8)
    return put(tls12.ClientKeyExchangeDHE, dh_Yc=value.to_bytes(length, "big"))


FAULTS: dict[str, Fault] = {
    # RFC 5246 7.4.1.2
    "compression without null": Fault(
        put(ClientHello, legacy_compression_methods=b"\x01"), PeerMisbehaved, Reason.WRONG_COMPRESSION_METHOD
    ),
    "no compression methods": Fault(
        # Behind version, random, an empty session ID and one suite.
        replace(ClientHello, lambda body: body[:39] + b"\x00" + body[41:]),
        BadMessage,
        Reason.MALFORMED,
    ),
    "a session ID of 33 bytes": Fault(
        replace(ClientHello, lambda body: body[:34] + b"\x21" + bytes(33) + body[35:]),
        BadMessage,
        Reason.MALFORMED,
    ),
    "no suites": Fault(
        replace(ClientHello, lambda body: body[:35] + b"\x00\x00\x01\x00"), BadMessage, Reason.MALFORMED
    ),
    "a suite of three bytes": Fault(
        replace(ClientHello, lambda body: body[:35] + b"\x00\x03\xc0\x2b\x00\x01\x00"),
        BadMessage,
        Reason.MALFORMED,
    ),
    "something behind the extensions": Fault(
        replace(ClientHello, lambda body: body + b"\x00"), BadMessage, Reason.MALFORMED
    ),
    "two names of one kind": Fault(
        edit(
            ClientHello,
            lambda hello: hello.extensions.add(
                ext.ServerNameList([ext.ServerName(0, b"a.test"), ext.ServerName(0, b"b.test")])
            ),
        ),
        PeerMisbehaved,
        Reason.ILLEGAL_PARAMETER,
    ),
    "extended_master_secret with something in it": Fault(
        edit(
            ClientHello,
            lambda hello: hello.extensions.update({E.extended_master_secret: ext.UnknownExtension(b"x")}),
        ),
        BadMessage,
        Reason.MALFORMED,
    ),
    "encrypt_then_mac with something in it": Fault(
        edit(
            ClientHello,
            lambda hello: hello.extensions.update({E.encrypt_then_mac: ext.UnknownExtension(b"x")}),
        ),
        BadMessage,
        Reason.MALFORMED,
    ),
    # RFC 8422 5.7 and 5.11
    "a share of zeros": Fault(share(bytes(32)), PeerMisbehaved, Reason.INVALID_KEY_SHARE),
    "a share that is short": Fault(share(bytes(31)), PeerMisbehaved, Reason.INVALID_KEY_SHARE),
    "a share that is long": Fault(share(b"\x09" * 33), PeerMisbehaved, Reason.INVALID_KEY_SHARE),
    "a point on no curve": Fault(share(b"\x04" + bytes(64)), PeerMisbehaved, Reason.INVALID_KEY_SHARE, P256),
    "a point in the compressed form": Fault(
        share(b"\x02" + bytes(32)), PeerMisbehaved, Reason.INVALID_KEY_SHARE, P256
    ),
    "the point at infinity": Fault(share(b"\x00"), PeerMisbehaved, Reason.INVALID_KEY_SHARE, P256),
    "no share": Fault(replace(tls12.ClientKeyExchangeECDHE, lambda _: b"\x00"), BadMessage, Reason.MALFORMED),
    "nothing at all": Fault(
        replace(tls12.ClientKeyExchangeECDHE, lambda _: b""), BadMessage, Reason.MALFORMED
    ),
    "something behind the share": Fault(
        replace(tls12.ClientKeyExchangeECDHE, lambda body: body + b"\x00"), BadMessage, Reason.MALFORMED
    ),
    # RFC 7919 4: "1 < dh_Yc < dh_p - 1"
    "a number of 0": Fault(number(0), PeerMisbehaved, Reason.INVALID_DH_SHARE, DHE),
    "a number of 1": Fault(number(1), PeerMisbehaved, Reason.INVALID_DH_SHARE, DHE),
    "a number of p - 1": Fault(number(P - 1), PeerMisbehaved, Reason.INVALID_DH_SHARE, DHE),
    "a number of p": Fault(number(P), PeerMisbehaved, Reason.INVALID_DH_SHARE, DHE),
    "a number beyond p": Fault(number(P + 2), PeerMisbehaved, Reason.INVALID_DH_SHARE, DHE),
    "a number that is far too long": Fault(number(2**9000), PeerMisbehaved, Reason.INVALID_DH_SHARE, DHE),
    # RFC 5246 7.4.7.1: the length that SSL 3.0 left out
    "no length before what is encrypted": Fault(
        replace(tls12.ClientKeyExchangeRSA, lambda body: body[2:]), BadMessage, Reason.MALFORMED, RSA
    ),
    # 7.4.9
    "a Finished of something else": Fault(
        replace(Finished, lambda body: bytes([body[0] ^ 1]) + body[1:]), PeerMisbehaved, Reason.BAD_FINISHED
    ),
    "a Finished that is short": Fault(
        replace(Finished, lambda body: body[:-1]), BadMessage, Reason.MALFORMED
    ),
    "a Finished that is empty": Fault(replace(Finished, lambda _: b""), BadMessage, Reason.MALFORMED),
    "no ClientKeyExchange": Fault(
        lambda _hs, message: [] if isinstance(message, tls12.ClientKeyExchange) else [message.raw],
        PeerMisbehaved,
        Reason.UNEXPECTED_RECORD,
    ),
    "two ClientKeyExchange": Fault(
        lambda _hs, message: [message.raw] * (1 + isinstance(message, tls12.ClientKeyExchange)),
        PeerMisbehaved,
        Reason.UNEXPECTED_MESSAGE,
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_broken_rule_is_found(name: str) -> None:
    """And told by the alert that goes with its reason."""
    fault = FAULTS[name]
    alert = alert_for(BadMessage("") if fault.error is BadMessage else fault.error(fault.reason), V12)
    error = server_refuses(
        fault.tamper,
        fault.reason,
        alert,
        client=client12(**fault.suites),
        server=server12(**fault.suites, **KEYS),
    )
    assert type(error) is fault.error


@pytest.mark.parametrize("methods", [b"\x00\x01", b"\x01\x00", b"\x40\x01\x00"], ids=bytes.hex)
def test_compression_may_be_offered_and_is_never_taken(methods: bytes) -> None:
    """CRIME. RFC 5246 6.1 left others possible; there is no answer but null."""
    rogue = rogue_client(put(ClientHello, legacy_compression_methods=methods), client12())
    victim = ServerConnection(server12())
    pump(rogue, victim)
    assert victim.handshake_complete


# -- RSA key exchange: one path, whatever comes (RFC 5246 7.4.7.1)


def encrypted(change: Any) -> Tamper:
    return edit(
        tls12.ClientKeyExchangeRSA,
        lambda message: setattr(
            message, "encrypted_pre_master_secret", change(message.encrypted_pre_master_secret)
        ),
    )


GARBLED = {
    "another number": lambda value: bytes([value[0] ^ 1]) + value[1:],
    "zeros": lambda value: bytes(len(value)),
    "the modulus and more": lambda value: b"\xff" * len(value),
    "a byte less": lambda value: value[:-1],
    "a byte more": lambda value: value + b"\x00",
    "nothing": lambda _: b"",
    "far too much": lambda value: value * 8,
}


@pytest.mark.parametrize("name", GARBLED)
def test_what_cannot_be_decrypted_is_found_by_the_finished_alone(name: str) -> None:
    """Whatever is wrong with it, the answer is the same at the same place: Bleichenbacher learns nothing."""
    trace = Trace()
    server = server12(**RSA, **KEYS, trace=trace)
    error = failing(encrypted(GARBLED[name]), server)
    assert (error.reason, str(error)) == (
        Reason.BAD_RECORD_MAC,
        str(failing(encrypted(GARBLED["zeros"]), server)),
    )
    secrets = [event.name for event in trace.events if isinstance(event, SecretEvent)]
    assert {"premaster_secret", "master_secret"} <= {*secrets}


def failing(tamper: Tamper, server: Any) -> TLSError:
    victim = ServerConnection(server)
    error = run(rogue_client(tamper, client12(**RSA)), victim, victim)
    alerts = victim.data_to_send()
    assert alerts[:5] == bytes((ContentType.alert, 3, 3, 0, 2))
    assert alerts[6] == AlertDescription.bad_record_mac
    return error


@pytest.mark.parametrize("version", [b"\x03\x01", b"\x03\x04", b"\x00\x00"], ids=bytes.hex)
def test_the_version_in_the_premaster_secret_is_the_servers_to_set(
    version: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 5246 7.4.7.1: the server takes what it saw in the ClientHello, and nobody learns if it differs."""
    encrypt = exchange12.encrypt_premaster

    def lie(key: object, premaster: bytes, entropy: Any) -> bytes:
        return encrypt(key, version + premaster[2:], entropy)

    monkeypatch.setattr(exchange12, "encrypt_premaster", lie)
    # The client goes on with the right one, and the server puts that there by itself: all is well.
    pair = connect_pair(client12(**RSA), server12(**RSA, **KEYS))
    pump(*pair)
    assert pair[1].handshake_complete


# -- out of turn

CHANGE_CIPHER_SPEC = plaintext(ContentType.change_cipher_spec, b"\x01")


def waiting(state: str) -> tuple[Any, Any]:
    """(victim, rogue): a server in that state."""
    client, server = connect_pair(client12(), server12())
    if state != "START":
        server.receive_data(client.data_to_send())
        client.receive_data(server.data_to_send())
    if state in ("WAIT_CCS", "WAIT_FINISHED"):
        flight = client.data_to_send()
        size = 5 + int.from_bytes(flight[3:5], "big")
        server.receive_data(flight[: size + (6 if state == "WAIT_FINISHED" else 0)])
    assert server.state == state
    return server, client


@pytest.mark.parametrize("state", ["START", "WAIT_CKE"])
def test_a_change_cipher_spec_before_there_are_keys_is_refused(state: str) -> None:
    """CVE-2014-0224: keys of nothing."""
    victim, rogue = waiting(state)
    refuses_data(
        victim, rogue, CHANGE_CIPHER_SPEC, Reason.UNEXPECTED_RECORD, AlertDescription.unexpected_message
    )


@pytest.mark.parametrize("content", [b"", b"\x00", b"\x02", b"\x01\x01"], ids=bytes.hex)
def test_a_change_cipher_spec_is_one_byte(content: bytes) -> None:
    victim, _ = waiting("WAIT_CCS")
    with pytest.raises(PeerMisbehaved) as caught:
        victim.receive_data(plaintext(ContentType.change_cipher_spec, content))
    assert caught.value.reason in {Reason.BAD_CHANGE_CIPHER_SPEC, Reason.UNEXPECTED_RECORD}
    assert alert_for(caught.value, V12) is AlertDescription.unexpected_message


def test_a_finished_that_is_not_protected_is_refused() -> None:
    """The ChangeCipherSpec is due; without it nothing would be protected, ever."""
    victim, _ = waiting("WAIT_CCS")
    with pytest.raises(PeerMisbehaved) as caught:
        victim.receive_data(plaintext(ContentType.handshake, framed(HandshakeType.finished, bytes(12))))
    assert caught.value.reason is Reason.UNEXPECTED_MESSAGE


@pytest.mark.parametrize(
    "record",
    [
        plaintext(ContentType.handshake, framed(HandshakeType.finished, bytes(12))),
        plaintext(ContentType.alert, b"\x02\x28"),
        plaintext(ContentType.application_data, b"data"),
        CHANGE_CIPHER_SPEC,
    ],
    ids=["Finished", "alert", "data", "ChangeCipherSpec"],
)
def test_behind_the_change_cipher_spec_everything_is_protected(record: bytes) -> None:
    victim, _ = waiting("WAIT_FINISHED")
    with pytest.raises(PeerMisbehaved) as caught:
        victim.receive_data(record)
    assert caught.value.reason in {Reason.BAD_RECORD_MAC, Reason.RECORD_OVERFLOW}


@pytest.mark.parametrize("state", ["WAIT_CKE", "WAIT_CCS"])
def test_data_before_the_finished_is_refused(state: str) -> None:
    victim, _ = waiting(state)
    with pytest.raises(PeerMisbehaved) as caught:
        victim.receive_data(plaintext(ContentType.application_data, b"data"))
    assert caught.value.reason is Reason.UNEXPECTED_RECORD


def test_a_message_does_not_reach_across_the_change_cipher_spec() -> None:
    """Half of it in clear, half of it protected: whose would it be?"""
    victim, rogue = waiting("WAIT_CKE")
    share = framed(HandshakeType.client_key_exchange, b"\x20" + b"\x09" * 32)
    victim.receive_data(plaintext(ContentType.handshake, share[:-1]))
    reason, alert = Reason.MESSAGE_ACROSS_KEY_CHANGE, AlertDescription.unexpected_message
    refuses_data(victim, rogue, CHANGE_CIPHER_SPEC, reason, alert)
