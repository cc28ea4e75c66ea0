"""RFC 8879: a certificate that was compressed on the way, in a handshake that is otherwise as any other."""

from __future__ import annotations

import zlib
from functools import cache

import pytest
from conversations import Conversation, converse
from loopback import credential, laboratory
from watched import Wire, decode_one, turns_of

from pellucid.codes import SignatureScheme
from pellucid.crypto.suites import SUITES
from pellucid.decode import Decoded
from pellucid.decode.compressed import MAX_UNPACKED, CompressedCertificate
from pellucid.handshake.proofs import certificate_verify_content
from pellucid.keys import Transcript, finished_verify_data, traffic_keys
from pellucid.messages import CertificateVerify, Finished
from pellucid.record import Sealer
from pellucid.trace.events import CertificateEvent, CheckEvent, ChoiceEvent, MessageEvent


@cache
def talk() -> Conversation:
    return converse("full")


def message(name: str) -> bytes:
    return next(e.raw for e in talk().trace.events if isinstance(e, MessageEvent) and e.name == name)


def secret(label: str) -> bytes:
    line = next(line for line in talk().key_log if line.startswith(label + " "))
    return bytes.fromhex(line.split()[2])


def shown(algorithm: int, packed: bytes, length: int | None = None) -> Decoded:
    """The handshake of ``talk`` up to the server's Finished, with this in place of its certificate."""
    suite, base_key = SUITES[0x1301], secret("SERVER_HANDSHAKE_TRAFFIC_SECRET")
    size = len(message("Certificate")) - 4 if length is None else length
    transcript = Transcript()
    transcript.start(suite.hash_name)
    certificate = CompressedCertificate(algorithm, size, packed).encode()
    flight = [message("EncryptedExtensions"), certificate]
    for raw in (message("ClientHello"), message("ServerHello"), *flight):
        transcript.add(raw)
    scheme = SignatureScheme.ecdsa_secp256r1_sha256
    signature = credential().sign(scheme, certificate_verify_content("server", transcript.digest()))
    flight.append(CertificateVerify(scheme, signature).encode())
    transcript.add(flight[-1])
    flight.append(Finished(finished_verify_data(suite.hash_name, base_key, transcript.digest())).encode())
    sealed = Sealer(suite, traffic_keys(suite, base_key)).seal(22, b"".join(flight))
    wire = Wire().say(*turns_of(talk())[:2], ("server", sealed))
    return decode_one(wire.capture, talk().key_log, trust=laboratory().trust)


def checks(found: Decoded) -> dict[str, bool]:
    assert found.trace is not None
    return {e.what: e.ok for e in found.trace.events if isinstance(e, CheckEvent)}


def compression(found: Decoded) -> ChoiceEvent:
    assert found.trace is not None
    (choice,) = (e for e in found.trace.events if isinstance(e, ChoiceEvent) and "compression" in e.what)
    return choice


def test_zlib_is_unpacked_and_judged() -> None:
    found = shown(1, zlib.compress(message("Certificate")[4:]))
    assert checks(found) == dict.fromkeys(
        ("session_id_echo", "certificate_chain", "certificate_verify", "finished"), True
    )
    assert found.trace is not None
    (certificate,) = (e for e in found.trace.events if isinstance(e, CertificateEvent))
    assert (certificate.whose, certificate.ok) == ("server", True)
    assert (compression(found).chosen, compression(found).rule) == ("zlib", "the server chose it")


@pytest.mark.parametrize(
    "algorithm, packed, name",
    [
        (2, b"\x0b\x02\x80", "brotli"),
        (3, b"\x28\xb5\x2f\xfd", "zstd"),
        (9, b"?", "unknown (9)"),
        (1, b"no zlib", "zlib"),
        (1, zlib.compress(b"no certificate"), "zlib"),
        (1, zlib.compress(bytes(2**22)), "zlib"),
    ],
)
def test_what_is_not_unpacked_leaves_the_rest_as_it_is(algorithm: int, packed: bytes, name: str) -> None:
    found = shown(algorithm, packed)
    assert checks(found) == {"session_id_echo": True, "finished": True}
    assert compression(found).chosen == name
    assert compression(found).rule.endswith("not unpacked here")
    assert found.sealed == ()
    assert found.trace is not None
    names = [e.name for e in found.trace.events if isinstance(e, MessageEvent) and e.direction == "sent"]
    assert names[3:] == ["CompressedCertificate", "CertificateVerify", "Finished"]


@pytest.mark.parametrize("length", [MAX_UNPACKED + 1, 100])
def test_what_is_not_as_long_as_it_says_is_not_unpacked(length: int) -> None:
    found = shown(1, zlib.compress(message("Certificate")[4:]), length)
    assert checks(found) == {"session_id_echo": True, "finished": True}
