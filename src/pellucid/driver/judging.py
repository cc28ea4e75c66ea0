"""Who is it? The answer to ``VerifyIdentity``, told to the trace."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pellucid.errors import CertificateRejected, Misuse
from pellucid.handshake.effects import VerifyIdentity
from pellucid.handshake.flow import AnyHandshake
from pellucid.identity import VerifiedIdentity, verify_client, verify_server
from pellucid.identity.der import UNDECODABLE
from pellucid.identity.pem import parse_certificate

if TYPE_CHECKING:
    from pellucid.trace import CertificateSummary

_EXPECTED = "a path to a trusted root"


def judge(hs: AnyHandshake, asked: VerifyIdentity) -> VerifiedIdentity:
    """The proof of the identity; raises ``CertificateRejected``."""
    trace = hs.trace
    try:
        identity = _verify(hs, asked)
    except CertificateRejected as error:
        if trace:
            trace.certificate(whose=asked.whose, path=refused(asked.chain, error), ok=False)
            trace.check(what="certificate_chain", expected=_EXPECTED, found=error.detail, ok=False)
        raise
    if trace:
        from pellucid.trace import summary_of  # noqa: PLC0415 - loaded only where something is traced

        trace.certificate(whose=asked.whose, path=[summary_of(c) for c in identity.path], ok=True)
        found = f"{len(identity.path)} certificates, to a trusted root"
        trace.check(what="certificate_chain", expected=_EXPECTED, found=found, ok=True)
    return identity


def _verify(hs: AnyHandshake, asked: VerifyIdentity) -> VerifiedIdentity:
    config = hs.config
    trust, now, most = config.trust, config.clock(), config.max_chain_length
    if asked.whose == "client":
        return verify_client(asked.chain, trust, now, max_chain_length=most)
    return verify_server(
        asked.chain, asked.server_name, trust, now, max_chain_length=most, key_exchange=asked.encrypts
    )


def refused(chain: Sequence[bytes], error: CertificateRejected) -> list[CertificateSummary]:
    """What can be told of a refused chain: the fault at the certificate that has it, the leaf if none does.

    Of the others not everything was looked at. One that cannot be read is left out.
    """
    from pellucid.trace import summary_of  # noqa: PLC0415 - as above

    at_fault = error.certificate if error.certificate in chain else next(iter(chain), b"")
    found = []
    for number, der in enumerate(chain, 1):
        try:
            verdict = error.reason if der == at_fault else "not checked"
            found.append(summary_of(parse_certificate(der, f"certificate {number}"), verdict))
        except (Misuse, *UNDECODABLE):
            continue
    return found
