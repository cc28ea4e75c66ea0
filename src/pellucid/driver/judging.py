"""Who is it? The answer to ``VerifyIdentity``, told to the trace."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from pellucid.codes import CertificateType
from pellucid.errors import CertificateRejected, Misuse
from pellucid.events import StatusWanted
from pellucid.handshake.effects import CheckRevocation, VerifyIdentity
from pellucid.handshake.flow import AnyHandshake
from pellucid.identity import (
    MAX_CHAIN_LENGTH,
    CertificateProfile,
    Purpose,
    ServerName,
    TrustStore,
    VerifiedIdentity,
    verify_client,
    verify_server,
)
from pellucid.identity.der import UNDECODABLE
from pellucid.identity.pem import parse_certificate
from pellucid.identity.transparency import timestamps_in

if TYPE_CHECKING:
    from pellucid.trace import CertificateSummary, Side, TraceView

_EXPECTED = "a path to a trusted root"


def judge(hs: AnyHandshake, asked: VerifyIdentity) -> VerifiedIdentity:
    """The proof of the identity; raises ``CertificateRejected``."""
    trace = hs.trace
    if asked.certificate_type is CertificateType.RawPublicKey:
        return _judge_key(hs, asked)
    try:
        identity = _verify(hs, asked)
    except CertificateRejected as error:
        if trace:
            tell_refused(trace, asked.whose, refused(asked.chain, error), error.detail)
            _tell_paths(hs, asked, trace)
        raise
    if trace:
        tell_accepted(trace, asked.whose, identity)
    return identity


def _judge_key(hs: AnyHandshake, asked: VerifyIdentity) -> VerifiedIdentity:
    """The same of a key that comes without a certificate (RFC 7250)."""
    from pellucid.identity.raw_keys import verify_raw_key  # noqa: PLC0415 - few connections have one

    trace, expected = hs.trace, "a key that is trusted here"
    try:
        identity = verify_raw_key(asked.chain[0], hs.config.trust, key_exchange=asked.encrypts)
    except CertificateRejected as error:
        if trace:
            trace.check(what="raw_public_key", expected=expected, found=error.detail, ok=False)
        raise
    if trace:
        trace.check(what="raw_public_key", expected=expected, found=identity.subject, ok=True)
    return identity


def judge_revocation(hs: AnyHandshake, asked: CheckRevocation) -> float:
    """Until when the peer's certificates are known to be good, in POSIX seconds; raises likewise."""
    wanted = status_wanted(hs, asked)
    wanted.ask()
    return wanted.result()


def status_wanted(hs: AnyHandshake, asked: CheckRevocation) -> StatusWanted:
    """The same, to be asked by somebody else, in any thread: it changes nothing of the handshake."""
    # Loaded by who checks: it takes some milliseconds.
    from pellucid.identity.revocation import RevocationCheck  # noqa: PLC0415

    config = hs.config
    check = RevocationCheck(
        config.revocation,
        config.clock(),
        config.revocation_lists,
        config.revocation_source,
        tells=bool(hs.trace),
    )

    def tell() -> None:
        if hs.trace:
            for one in check.findings:
                hs.trace.check(what="revocation", expected=one.expected, found=one.found, ok=one.ok)

    # RFC 7633 is about servers, and clients of TLS 1.2 cannot staple.
    run = partial(check.run, asked.identity, asked.staples, staples_asked=hs.side == "client")
    return StatusWanted(run, tell)


def _verify(hs: AnyHandshake, asked: VerifyIdentity) -> VerifiedIdentity:
    config = hs.config
    trust, now = config.trust, config.clock()
    how = {"max_chain_length": config.max_chain_length, "profile": config.certificate_profile}
    if asked.whose == "client":
        identity = verify_client(asked.chain, trust, now, **how)
        if config.allowed_clients is not None:
            config.allowed_clients.check(identity)
        return identity
    return verify_server(asked.chain, asked.server_name, trust, now, key_exchange=asked.encrypts, **how)


def _tell_paths(hs: AnyHandshake, asked: VerifyIdentity, trace: TraceView) -> None:
    config = hs.config
    tell_paths(
        trace,
        asked.whose,
        asked.chain,
        config.trust,
        asked.server_name,
        config.clock(),
        key_exchange=asked.encrypts,
        profile=config.certificate_profile,
        max_chain_length=config.max_chain_length,
    )


def tell_paths(
    trace: TraceView,
    whose: Side,
    chain: Sequence[bytes],
    trust: TrustStore,
    name: ServerName | None,
    now: float,
    *,
    key_exchange: bool = False,
    profile: CertificateProfile = "web",
    max_chain_length: int = MAX_CHAIN_LENGTH,
    worded: Callable[[str], str] = str,
) -> None:
    """Of a refused chain, each path that it could have been, and what other verifiers would say of it."""
    from pellucid.identity.reasoning.explain import PROFILES, explain  # noqa: PLC0415 - as above
    from pellucid.trace.paths import path_parts  # noqa: PLC0415 - as above

    purpose = Purpose.CLIENT if whose == "client" else Purpose.SERVER
    if key_exchange:
        purpose = Purpose.KEY_EXCHANGE
    profiles = (profile, *(other for other in PROFILES if other != profile))
    try:
        report = explain(
            chain, trust, purpose, name, now, profiles=profiles, max_chain_length=max_chain_length
        )
    except CertificateRejected:
        return  # what cannot be parsed has no paths
    trace.paths(whose=whose, **path_parts(report, worded))


def tell_accepted(
    trace: TraceView, whose: Side, identity: VerifiedIdentity
) -> tuple[list[CertificateSummary], str]:
    """The path that holds; gives it, and what was found in words."""
    from pellucid.trace import summary_of  # noqa: PLC0415 - loaded only where something is traced

    path = [summary_of(one) for one in identity.path]
    trace.certificate(whose=whose, path=path, ok=True)
    found = f"{len(identity.path)} certificates, to a trusted root"
    trace.check(what="certificate_chain", expected=_EXPECTED, found=found, ok=True)
    timestamps = timestamps_in(identity.chain[0])
    if timestamps:
        said = "; ".join(timestamps)
        trace.check(what="transparency", expected="shown, not verified", found=said, ok=True)
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
