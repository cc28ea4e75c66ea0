"""What is wrong with the server's Diffie-Hellman of finite fields (TLS 1.2): its group, or its share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pellucid.codes import NamedGroup
from pellucid.crypto.dh12 import dh_params
from pellucid.faults.bench import Bench
from pellucid.faults.fault import Fault, Prepare, detected
from pellucid.faults.pages import page
from pellucid.faults.peers import Peer, Speaker
from pellucid.faults.tampering import TamperedServer, edited
from pellucid.handshake.effects import Sign
from pellucid.messages import tls12

__all__ = ["DHE"]

# RFC 2409 6.2: "Second Oakley Group", a safe prime of 1,024 bits, which servers had by the million.
_OAKLEY_2 = bytes.fromhex(
    "ffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74020bbea63b139b22514a08798e3404dd"
    "ef9519b3cd3a431b302b0a6df25f14374fe1356d6d51c245e485b576625e7ec6f44c42e9a637ed6b0bff5cb6f406b7ed"
    "ee386bfb5a899fa5ae9f24117c4b1fe649286651ece65381ffffffffffffffff"
)
_WEAK = tls12.ServerDHParams(_OAKLEY_2, b"\x02", b"\x04")
#: With it the premaster secret is 1, whatever the client chooses.
_ONE = tls12.ServerDHParams(*dh_params(NamedGroup.ffdhe2048), b"\x01")

_SUITES = ("TLS_DHE_RSA_WITH_AES_128_GCM_SHA256", "TLS_DHE_RSA_WITH_AES_256_GCM_SHA384")
_NEEDS = "a client that speaks TLS 1.2 and offers DHE (pellucid: --policy compatible)"
# RFC 5246 7.4.3: in front of the parameters the client's and the server's random are signed.
_RANDOMS_LENGTH = 64


def _old(_bench: Bench) -> dict[str, Any]:
    return {"policy": "compatible"}


def _sending(params: tls12.ServerDHParams) -> Prepare:
    """A server that sends these parameters, with a signature that is good."""

    def say(message: tls12.ServerKeyExchangeDHE) -> None:
        message.params = params

    def sign(effect: Any) -> Any:
        if not isinstance(effect, Sign):
            return effect
        content = effect.content[:_RANDOMS_LENGTH] + params.codec.encode(params)
        return Sign(effect.credential, effect.scheme, content, tls12=True)

    def prepare(bench: Bench) -> Callable[[], Peer]:
        credential = bench.laboratory.credential("rsa", bench.names)
        config = bench.server(credential, policy="compatible", protocols=["TLSv1.2"], cipher_suites=_SUITES)
        edit = edited(tls12.ServerKeyExchangeDHE, say)
        return lambda: Speaker(TamperedServer(config, edit=edit, tamper=sign), page())

    return prepare


DHE: tuple[Fault, ...] = (
    detected(
        "weak_dh_group",
        "The server's Diffie-Hellman group has 1,024 bits; it goes no further with a client that takes it.",
        _sending(_WEAK),
        needs=_NEEDS,
        client=_old,
    ),
    detected(
        "invalid_dh_share",
        "The server's Diffie-Hellman share is 1, so that the secret is known to all; it goes no further with"
        " a client that takes it.",
        _sending(_ONE),
        needs=_NEEDS,
        client=_old,
    ),
)
