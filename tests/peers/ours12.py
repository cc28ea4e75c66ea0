"""Our side of a test in TLS 1.2: every suite with its options, data for it, and what a trace says of it."""

from __future__ import annotations

import base64
from collections.abc import Callable, Container
from pathlib import Path
from typing import Any

import pytest

from ours import Pki
from pellucid.codes import ExtensionType
from pellucid.config import ClientConfig, ServerConfig
from pellucid.crypto.suites12 import SUITES12, Suite12
from pellucid.io.blocking import TLSSocket
from pellucid.messages import ServerHello
from pellucid.result import Negotiated
from pellucid.trace import MessageEvent, RecordEvent, Trace

#: 100 KB in lines, which every peer passes on, and no line of which is a command to one of them.
DATA = b"0123456789abcde\n" * 6400

#: Nothing newer, and all that is old: each test takes away what it is not about.
ONLY_12: dict[str, Any] = {"protocols": ["TLSv1.2"], "policy": "compatible"}

#: Primes for Diffie-Hellman, each of them safe. RFC 2409 6.2, as the servers had it that Logjam was about:
OAKLEY_1024 = int(
    "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DDEF9519B3"
    "CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7EDEE386BFB5A899FA5"
    "AE9F24117C4B1FE649286651ECE65381FFFFFFFFFFFFFFFF",
    16,
)
#: What a careful administrator makes: by `openssl dhparam 2048`, and known to nobody.
OWN_2048 = int(
    "83D5301D93FC8565A1A8B2144B7315DD194FA93C09EAFCB4C8547A73190D7E65B778AE3A3D6E56BD3772016AC5BAF1553373103A"
    "F07052E60E2ECC84739358A4DEE75921C9063D27AD43B21B40A124D4D1D4CE340CE39786833C817B56E9579DC75C0AB8CD9DCCFD"
    "AFE75C4587F5BDD8A7ED2F25FD6265482505B205C4FDCA359959DD5986ABC5942247B2F3057ADCDF81BEA3AA46D451515983EA7C"
    "45B9C69884869F6B774B9F9ECDA694F0A3E8847A0DE813894C72D412EEB0C8186FF4F91CB04B8F5567D84511B73345A8D7E42D7B"
    "E26EC83DD581CD7A527A6301046ABF875028F145355B23E9E3DBFBF0BB8DB028BF4483593D3722ADD584D9D85DD121E7",
    16,
)

#: The messages of a handshake by DHE or ECDHE that brings a ticket.
FULL = [
    *("ClientHello", "ServerHello", "Certificate", "ServerKeyExchange", "ServerHelloDone"),
    *("ClientKeyExchange", "ChangeCipherSpec", "Finished"),
    *("NewSessionTicket", "ChangeCipherSpec", "Finished"),
]
#: The same by a server that gives no tickets.
FULL_BY_ID = [name for name in FULL if name != "NewSessionTicket"]
#: With a new ticket only where the one that came is getting old; so do OpenSSL's servers.
ABBREVIATED = ["ClientHello", "ServerHello", *("ChangeCipherSpec", "Finished") * 2]


def _cases() -> list[Any]:
    cases = []
    for suite in SUITES12.values():
        name = suite.name.removeprefix("TLS_")
        cases.append(pytest.param(suite, True, id=name))
        if not suite.aead:
            cases.append(pytest.param(suite, False, id=f"{name}-MAC_then_encrypt"))
    return cases


#: Each suite that there is; those of CBC in both orders of encryption and MAC.
each_suite = pytest.mark.parametrize("suite, encrypt_then_mac", _cases())

each_group = pytest.mark.parametrize(
    "theirs, group",
    [
        ("X25519", "x25519"),
        ("P-256", "secp256r1"),
        ("P-384", "secp384r1"),
        ("P-521", "secp521r1"),
        ("X448", "x448"),
    ],
)


def openssl_name(suite: Suite12) -> str:
    """As OpenSSL calls it: TLS_RSA_WITH_AES_128_CBC_SHA is AES128-SHA."""
    name = suite.name.removeprefix("TLS_").replace("_WITH_", "_").removeprefix("RSA_")
    for ours, theirs in ("AES_", "AES"), ("_CBC", ""), ("CCM_8", "CCM8"), ("POLY1305_SHA256", "POLY1305"):
        name = name.replace(ours, theirs)
    return name.replace("_", "-")


def openssl_ciphers(suite: Suite12) -> str:
    """Its cipher list with this suite alone; the level lets it have what it would not offer unasked."""
    return f"{openssl_name(suite)}:@SECLEVEL=0"


#: A cipher list of all that OpenSSL has.
ALL_CIPHERS = "ALL:COMPLEMENTOFALL:@SECLEVEL=0"


def skip_without(suite: Suite12, theirs: Container[str], peer: str) -> None:
    """Where the peer was built without it; `theirs` are OpenSSL's names."""
    if openssl_name(suite) not in theirs:
        pytest.skip(f"this {peer} has no {suite}")


def key_for(suite: Suite12) -> str:
    """The kind of key that a server needs for it."""
    return "rsa" if suite.authentication == "RSA" else "ecdsa"


def server12(pki: Pki, kind: str = "ecdsa", **options: Any) -> ServerConfig:
    return pki.server(kind, **(ONLY_12 | options))


def client12(pki: Pki, **options: Any) -> ClientConfig:
    return pki.client(**(ONLY_12 | options))


def dh_file(pki: Pki, prime: int) -> Path:
    """A server's own parameters (PKCS #3): this prime, and 2."""
    path = pki.folder / f"dh{prime.bit_length()}-{prime % 2**64:x}.pem"
    der = _der(0x30, _der(0x02, prime.to_bytes(prime.bit_length() // 8 + 1, "big")) + _der(0x02, b"\2"))
    text = base64.encodebytes(der).decode()
    path.write_text(f"-----BEGIN DH PARAMETERS-----\n{text}-----END DH PARAMETERS-----\n")
    return path


def _der(tag: int, content: bytes) -> bytes:
    length = len(content)
    head = bytes([length]) if length < 0x80 else b"\x82" + length.to_bytes(2, "big")
    return bytes([tag]) + head + content


def receive_exactly(tls: TLSSocket, size: int) -> bytes:
    with tls.makefile("rb") as file:
        return bytes(file.read(size))


def take_and_give(tls: TLSSocket) -> Negotiated:
    """A handler: DATA comes in, and goes back."""
    assert receive_exactly(tls, len(DATA)) == DATA
    tls.sendall(DATA)
    return tls.negotiated


def there_and_back(tls: TLSSocket, answer: Callable[[bytes], bytes] = bytes) -> None:
    """DATA to a server that sends back each line, or what `answer` says of it."""
    line = DATA[: DATA.index(b"\n") + 1]
    piece = line * 800
    with tls.makefile("rb") as file:
        for _ in range(0, len(DATA), len(piece)):
            tls.sendall(piece)
            assert file.read(len(piece)) == answer(line) * 800


def reverse(line: bytes) -> bytes:
    """What s_server sends with -rev."""
    return line[-2::-1] + b"\n"


# -- what a trace says


def server_hello(trace: Trace) -> ServerHello:
    """The last one."""
    return ServerHello.decode([event.raw for event in _messages(trace) if event.name == "ServerHello"][-1])


def agreed_on(trace: Trace, extension_type: ExtensionType) -> bool:
    """Whether the last ServerHello has this extension."""
    return extension_type in server_hello(trace).extensions


def last_handshake(trace: Trace) -> list[str]:
    """The names of the messages from the last ClientHello on."""
    names = [event.name for event in _messages(trace)]
    return names[len(names) - 1 - names[::-1].index("ClientHello") :]


def longest_record(trace: Trace, direction: str) -> int:
    """The longest fragment of the protected records "sent" or "received"."""
    records = [event for event in trace.events if isinstance(event, RecordEvent) and event.encrypted]
    return max(event.length for event in records if event.direction == direction)


def _messages(trace: Trace) -> list[MessageEvent]:
    return [event for event in trace.events if isinstance(event, MessageEvent)]
