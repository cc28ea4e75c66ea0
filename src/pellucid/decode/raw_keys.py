"""Raw public keys (RFC 7250) in a capture: where they were agreed on, and what can be said of one.

A key alone says neither whose it is nor until when it is good: whether it was the right one, those knew who
had it on a list, and a capture has no such list.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pellucid.codes import CertificateType, ExtensionType, name_of, names_of
from pellucid.decode.certificates import Leaf, judge, judge_client
from pellucid.handshake.certificate_types import CertificateTypes
from pellucid.identity.raw_keys import has_pss_key, raw_key_text, read_raw_key
from pellucid.messages import Extensions
from pellucid.messages import extensions as ext
from pellucid.trace.events import Side, other_side

if TYPE_CHECKING:
    from pellucid.decode.flow import Watched

__all__ = ["judge_shown", "read_types"]


def read_types(w: Watched, answers: Extensions) -> None:
    """What the server says, in its ServerHello or EncryptedExtensions, that both show."""
    server = answers.find(ext.ServerCertTypeAnswer)
    client = answers.find(ext.ClientCertTypeAnswer)
    hello = w.hello.extensions if w.hello else Extensions()
    takes, has = hello.find(ext.ServerCertTypeOffer), hello.find(ext.ClientCertTypeOffer)
    w.types = CertificateTypes(
        _told(
            w,
            ExtensionType.server_certificate_type,
            takes.server_certificate_types if takes else [],
            server.server_certificate_type if server else None,
        ),
        _told(
            w,
            ExtensionType.client_certificate_type,
            has.client_certificate_types if has else [],
            client.client_certificate_type if client else None,
        ),
    )


def _told(w: Watched, extension: ExtensionType, offered: list[Any], answer: int | None) -> CertificateType:
    """What is in the Certificate; of a kind that is not known here, bytes that are no certificate."""
    if answer is None:
        return CertificateType.X509
    w.view("client").choice(
        what=str(extension),
        ours=names_of(offered, CertificateType),
        chosen=name_of(answer, CertificateType),
        rule="the server chose it",
    )
    return CertificateType.RawPublicKey if answer == CertificateType.RawPublicKey else CertificateType.X509


def judge_shown(
    w: Watched, whose: Side, ders: tuple[bytes, ...], *, key_exchange: bool = False
) -> Leaf | None:
    """Tell what there is to say of what ``whose`` side has shown, certificates or a key, as agreed on."""
    kind = w.types.server if whose == "server" else w.types.client
    if kind is not CertificateType.RawPublicKey:
        return (
            judge_client(w, ders) if whose == "client" else judge(w, whose, ders, key_exchange=key_exchange)
        )
    if whose == "client":
        if not ders:
            return judge_client(w, ders)
        w.agreed["mutual"] = True
    return _judge_key(w, whose, ders[0]) if ders else None


def _judge_key(w: Watched, whose: Side, key: bytes) -> Leaf | None:
    public_key = read_raw_key(key)
    w.view(other_side(whose)).check(
        what="raw_public_key",
        expected="a key that its receiver knows; a capture does not show which it does",
        found=raw_key_text(key) if public_key is not None else "what cannot be read as a key",
        ok=public_key is not None,
    )
    return None if public_key is None else Leaf(public_key, has_pss_key(key))
