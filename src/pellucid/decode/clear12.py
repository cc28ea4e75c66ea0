"""What is in the clear of a handshake that cannot be opened: of TLS 1.1 and older, or with a suite not known.

Until each side's ChangeCipherSpec everybody can read it, the certificates above all. Whether its messages
come in the order that they should is not looked at.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pellucid.codes import HandshakeType
from pellucid.decode.flow import Flow, Watched, heard_any
from pellucid.decode.raw_keys import judge_shown
from pellucid.handshake.authenticate12 import CERTIFICATES, shown_in
from pellucid.messages import CertificateVerify, ChangeCipherSpec, HandshakeMessage, tls12
from pellucid.trace.events import Side
from pellucid.wire import rest, struct

__all__ = ["hear_in_clear"]


@struct
class _ServerKeyExchange(tls12.ServerKeyExchange):
    """In whatever form the key exchange and the version give it."""

    name: ClassVar[str] = "ServerKeyExchange"
    body: Annotated[bytes, rest("length")]


@struct
class _ClientKeyExchange(tls12.ClientKeyExchange):
    name: ClassVar[str] = "ClientKeyExchange"
    body: Annotated[bytes, rest("length")]


@struct
class _CertificateRequest(HandshakeMessage):
    """Up to TLS 1.1 there were no signature algorithms in it (RFC 4346 7.4.4)."""

    msg_type: ClassVar[HandshakeType] = HandshakeType.certificate_request
    name: ClassVar[str] = "CertificateRequest"
    body: Annotated[bytes, rest("length")]


@struct
class _CertificateVerify(HandshakeMessage):
    """Likewise the signature's algorithm (RFC 4346 7.4.8)."""

    msg_type: ClassVar[HandshakeType] = HandshakeType.certificate_verify
    name: ClassVar[str] = "CertificateVerify"
    body: Annotated[bytes, rest("length")]


_OF_SERVER = (tls12.CertificateStatus, tls12.ServerHelloDone, tls12.NewSessionTicket)


def hear_in_clear(w: Watched, reason: str, detail: str, *, tls12_forms: bool) -> Flow[None]:
    """Behind the ServerHello: all messages of each side up to its ChangeCipherSpec, where it is sealed.

    ``tls12_forms``: messages that TLS 1.2 has changed look as they do there.
    """
    request = tls12.CertificateRequest if tls12_forms else _CertificateRequest
    proof = CertificateVerify if tls12_forms else _CertificateVerify
    due: dict[Side, tuple[type[Any], ...]] = {
        "server": (CERTIFICATES[w.types.server], *_OF_SERVER, _ServerKeyExchange, request, ChangeCipherSpec),
        "client": (CERTIFICATES[w.types.client], _ClientKeyExchange, proof, ChangeCipherSpec),
    }
    w.agreed.update(resumed=False, mutual=False)
    shown = False
    while due:
        side, message = yield from heard_any(w, due)
        if isinstance(message, ChangeCipherSpec):
            w.agreed["resumed"] |= side == "server" and not shown
            w.seal(side, reason, detail)
            del due[side]
        elif isinstance(message, tls12.Certificate | tls12.CertificateRawPublicKey):
            shown |= side == "server"
            encrypts = w.agreed["cipher_suite"].startswith("TLS_RSA_")
            judge_shown(w, side, shown_in(message).ders, key_exchange=encrypts)
