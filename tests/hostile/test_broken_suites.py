"""Suites that protect little or nothing: RC4, NULL, anonymous, static Diffie-Hellman, DSS.

RC4's stream is biased enough to read a cookie by (AlFardan and others, 2013; Bar Mitzvah and NOMORE, 2015).
NULL encrypts nothing; anonymous key exchange is with anybody; static Diffie-Hellman has no forward secrecy,
and with a client's certificate for it whoever gets hold of that client's key can play the server to it (Key
Compromise Impersonation: Hlauschek and others, 2015). None of them is known by more than its name.
"""

from __future__ import annotations

import pytest
from loopback import pump
from rogue import edit
from rogue12 import EXCHANGES, meeting, mutual_client_of, server_of
from unspoken import assert_not_accepted, assert_not_offered, assert_not_taken, named

from pellucid.codes import ClientCertificateType
from pellucid.crypto.suites12 import SUITES12
from pellucid.messages import tls12
from pellucid.policy import SUPPORTED_CIPHER_SUITES

BROKEN = {
    "RC4": named("RC4"),
    "NULL": named("NULL"),
    "anonymous": named("anon"),
    "static Diffie-Hellman": named("TLS_ECDH_"),
    "DSS": named("_DSS_"),
}
EACH = pytest.mark.parametrize("kind", BROKEN)
FIXED = [
    ClientCertificateType.rsa_fixed_dh,
    ClientCertificateType.dss_fixed_dh,
    ClientCertificateType.rsa_fixed_ecdh,
    ClientCertificateType.ecdsa_fixed_ecdh,
]


@EACH
def test_it_is_not_offered(kind: str) -> None:
    assert_not_offered(BROKEN[kind])


@EACH
def test_it_is_not_accepted_by_a_server(kind: str) -> None:
    assert_not_accepted(BROKEN[kind])


@EACH
def test_it_is_not_taken_by_a_client(kind: str) -> None:
    assert_not_taken(BROKEN[kind])


def test_what_is_spoken_encrypts_and_authenticates() -> None:
    """Every suite that can be asked for has AES or ChaCha20, and a server that shows a certificate."""
    for code in SUPPORTED_CIPHER_SUITES:
        assert "_AES_" in code.name or "_CHACHA20_" in code.name
        if code in SUITES12:
            assert SUITES12[code].authentication in {"RSA", "ECDSA"}
            assert SUITES12[code].key_length >= 16


@pytest.mark.parametrize("kinds", [FIXED, *([each] for each in FIXED), [0], [255]], ids=str)
@pytest.mark.parametrize("exchange", EXCHANGES)
def test_a_client_takes_no_part_in_static_diffie_hellman(
    exchange: str, kinds: list[ClientCertificateType | int]
) -> None:
    """KCI: asked for a certificate of such a kind, it shows none, though its key is on a curve."""
    tamper = edit(
        tls12.CertificateRequest, lambda message: setattr(message, "certificate_types", list(kinds))
    )
    asking = mutual_client_of(exchange).trust
    config = server_of(exchange, client_authentication="optional", trust=asking)
    client, server, victim, _ = meeting("client", mutual_client_of(exchange), config, tamper)
    pump(client, server)
    assert victim.negotiated is not None
    assert not victim.negotiated.mutual
