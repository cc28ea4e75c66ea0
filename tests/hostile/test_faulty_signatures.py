"""Lenstra's attack (1996; found in devices of 2015): one faulty RSA signature tells the private key.

Who signs by the Chinese remainder theorem and errs modulo one prime gives s with s^e = m modulo the other:
gcd(s^e - m, n) is a prime of the key. With a deterministic padding anybody who connects knows m. So whatever
signs in the place of a key, what it gives is verified before it goes out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from math import gcd
from typing import Any

import pytest
from loopback import NAME, client_config, connect_pair, laboratory, pump, server_config

from pellucid import Credential, ServerConnection
from pellucid.codes import SignatureScheme
from pellucid.errors import Misuse, Reason

# RFC 8017 9.2, note 1: the DigestInfo of SHA-256 in front of the hash.
_DIGEST_INFO = bytes.fromhex("3031300d060960864801650304020105000420")
_SUITE = "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"


@cache
def key() -> Any:
    return laboratory().issue("rsa", (NAME,)).private_key.private_numbers()


def encoded(data: bytes) -> int:
    """RFC 8017 9.2: EMSA-PKCS1-v1_5."""
    info = _DIGEST_INFO + hashlib.sha256(data).digest()
    length = (key().public_numbers.n.bit_length() + 7) // 8
    return int.from_bytes(b"\0\1" + b"\xff" * (length - 3 - len(info)) + b"\0" + info)


def signature_of(data: bytes, *, error: int) -> bytes:
    """By the Chinese remainder theorem; ``error`` is added to the half modulo q."""
    numbers, m = key(), encoded(data)
    half_p = pow(m, numbers.dmp1, numbers.p)
    half_q = pow(m, numbers.dmq1, numbers.q) + error
    s = half_q + numbers.q * ((half_p - half_q) * numbers.iqmp % numbers.p)
    return int(s % (numbers.p * numbers.q)).to_bytes(256)


def signing(error: int, made: list[tuple[bytes, bytes]]) -> Callable[[SignatureScheme, bytes], bytes]:
    def sign(_: SignatureScheme, data: bytes) -> bytes:
        made.append((data, signature_of(data, error=error)))
        return made[-1][1]

    return sign


def server_of(sign: Any) -> ServerConnection:
    """Speaks TLS 1.2, where the padding may be deterministic."""
    chain = laboratory().issue("rsa", (NAME,)).chain_pem
    credential = Credential.from_signer(chain, sign, schemes=["rsa_pkcs1_sha256"])
    return ServerConnection(
        server_config(credentials=[credential], protocols=["TLSv1.2"], cipher_suites=[_SUITE])
    )


def test_a_sound_signer_of_this_kind_is_served() -> None:
    client, server = connect_pair(client_config())[0], server_of(signing(0, []))
    pump(client, server)
    assert server.handshake_complete


def test_a_faulty_signature_that_would_tell_the_key_does_not_go_out() -> None:
    made: list[tuple[bytes, bytes]] = []
    client, server = connect_pair(client_config())[0], server_of(signing(1, made))
    with pytest.raises(Misuse, match="gave a wrong rsa_pkcs1_sha256 signature") as caught:
        server.receive_data(client.data_to_send())
    assert caught.value.reason is Reason.SIGNING_FAILED
    ((data, faulty),) = made
    public = key().public_numbers
    told = gcd(pow(int.from_bytes(faulty), public.e, public.n) - encoded(data), public.n)
    assert told in (key().p, key().q)  # it is that bad
    sent = b"".join(iter(server.data_to_send, b""))
    assert sent  # an alert
    assert faulty not in sent
    assert faulty.hex() not in str(caught.value)
