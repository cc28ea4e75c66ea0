"""Who is it? The answer to ``VerifyIdentity``, told to the trace."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from pellucid.errors import CertificateRejected, Misuse
from pellucid.handshake.effects import VerifyIdentity
from pellucid.handshake.flow import AnyHandshake
from pellucid.identity import VerifiedIdentity, verify_client, verify_server
from pellucid.identity.der import UNDECODABLE
from pellucid.identity.pem import parse_certificate

if TYPE_CHECKING:
    from pellucid.trace import CertificateSummary, Side, TraceView

_EXPECTED = "a path to a trusted root"


def judge(hs: AnyHandshake, asked: VerifyIdentity) -> VerifiedIdentity:
    """The proof of the identity; raises ``CertificateRejected``."""
    trace = hs.trace
    try:
        identity = _verify(hs, asked)
    except CertificateRejected as error:
        if trace:
            tell_refused(trace, asked.whose, refused(asked.chain, error), error.detail)
        raise
    if trace:
        tell_accepted(trace, asked.whose, identity)
    return identity


def _verify(hs: AnyHandshake, asked: VerifyIdentity) -> VerifiedIdentity:
    config = hs.config
    trust, now, most = config.trust, config.clock(), config.max_chain_length
    if asked.whose == "client":
        return verify_client(asked.chain, trust, now, max_chain_length=most)
    return verify_server(
        asked.chain, asked.server_name, trust, now, max_chain_length=most, key_exchange=asked.encrypts
    )


def tell_accepted(
    trace: TraceView, whose: Side, identity: VerifiedIdentity
) -> tuple[list[CertificateSummary], str]:
    """The path that holds; gives it, and what was found in words."""
    from pellucid.trace import summary_of  # noqa: PLC0415 - loaded only where something is traced

    path = [summary_of(one) for one in identity.path]
    trace.certificate(whose=whose, path=path, ok=True)
    found = f"{len(identity.path)} certificates, to a trusted root"
    trace.check(what="certificate_chain", expected=_EXPECTED, found=found, ok=True)
    return path, found


def tell_refused(trace: TraceView, whose: Side, path: Sequence[CertificateSummary], fault: str) -> None:
    trace.certificate(whose=whose, path=path, ok=False)
    trace.check(what="certificate_chain", expected=_EXPECTED, found=fault, ok=False)


def refused(chain: Sequence[bytes], error: CertificateRejected) -> list[CertificateSummary]:
    """What can be told of a refused chain: the fault at the certificate that has it, the leaf if none does.

    Of the others not everything was looked at.
    """
    at_fault = error.certificate if error.certificate in chain else next(iter(chain), b"")
    return summaries((der, error.reason if der == at_fault else "not checked") for der in chain)


def summaries(judged: Iterable[tuple[bytes, str]]) -> list[CertificateSummary]:
    """Of certificates (DER) with their verdicts; one that cannot be read is left out."""
    from pellucid.trace import summary_of  # noqa: PLC0415 - as above

    found = []
    for der, verdict in judged:
        try:
            found.append(summary_of(parse_certificate(der, "a certificate"), verdict))
        except (Misuse, *UNDECODABLE):
            continue
    return found
