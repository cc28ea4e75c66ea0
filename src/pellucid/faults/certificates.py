"""What is wrong with the server's certificate, or with what it says of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pellucid.connection import ServerConnection
from pellucid.faults.bench import Bench
from pellucid.faults.fault import Fault, Prepare, rejected
from pellucid.faults.pages import page
from pellucid.faults.peers import Peer, Speaker
from pellucid.identity import Credential
from pellucid.identity.lab_defects import Extension

__all__ = ["CERTIFICATES"]

_DAY = 86_400
#: Long past and far ahead, so that no clock that is a little wrong makes a difference.
_PAST = (-100 * _DAY, -10 * _DAY)
_FUTURE = (10 * _DAY, 100 * _DAY)

_ASKS = "a client that asks for the certificate's status (pellucid: --revocation staple)"


def _with(make: Callable[[Bench], Credential], **settings: Any) -> Prepare:
    """A server that is sound but for its credential."""

    def prepare(bench: Bench) -> Callable[[], Peer]:
        config = bench.server(make(bench), **settings)
        return lambda: Speaker(ServerConnection(config), page())

    return prepare


def _asking(_bench: Bench) -> dict[str, Any]:
    return {"revocation": "staple"}


def _at(bench: Bench, days: tuple[float, float]) -> tuple[float, float]:
    return bench.now + days[0], bench.now + days[1]


def _leaf_valid(days: tuple[float, float]) -> Prepare:
    return _with(lambda b: b.laboratory.issue("ecdsa", b.names, validity=_at(b, days)).credential)


def _without(extension: Extension) -> Prepare:
    return _with(lambda b: b.laboratory.without(b.issued, extension).credential)


def _missing_intermediate(bench: Bench) -> Credential:
    return Credential.from_objects((bench.issued.certificate,), bench.issued.private_key)


def _unknown_root(bench: Bench) -> Credential:
    issued = bench.stranger.issue("ecdsa", bench.names)
    chain = (issued.certificate, *issued.issuers, bench.stranger.root)
    return Credential.from_objects(chain, issued.private_key)


def _expired_intermediate(bench: Bench) -> Credential:
    return bench.laboratory.under_intermediate_valid(bench.issued, _at(bench, _PAST)).credential


def _issued_by_leaf(bench: Bench) -> Credential:
    return bench.laboratory.issued_by_leaf(bench.issued).credential


def _uncritical_intermediate(bench: Bench) -> Credential:
    return bench.laboratory.under_uncritical_intermediate(bench.issued).credential


def _constrained_intermediate(bench: Bench) -> Credential:
    return bench.laboratory.under_constrained_intermediate(bench.issued).credential


def _revoked(bench: Bench) -> Credential:
    response = bench.laboratory.ocsp_response(bench.issued.certificate, "revoked")
    return bench.issued.credential.with_staple(response)


def _stale(bench: Bench) -> Credential:
    certificate, validity = bench.issued.certificate, _at(bench, _PAST)
    response = bench.laboratory.ocsp_response(certificate, "good", validity=validity)
    # As a function: a credential does not give bytes that are out of date, and this server is to.
    return bench.issued.credential.with_staple(lambda: response)


CERTIFICATES: tuple[Fault, ...] = (
    rejected("certificate_expired", "The certificate ended ten days ago.", _leaf_valid(_PAST)),
    rejected(
        "certificate_expired_intermediate",
        "The certificate is good, that of the intermediate authority ended ten days ago.",
        _with(_expired_intermediate),
        diagnosis="certificate_expired",
    ),
    rejected("certificate_not_yet_valid", "The certificate begins in ten days.", _leaf_valid(_FUTURE)),
    rejected(
        "hostname_mismatch",
        "The certificate is for other.example.",
        _with(lambda b: b.laboratory.issue("ecdsa", ("other.example",)).credential),
    ),
    rejected(
        "no_subject_alternative_name",
        "The certificate has the name in its subject alone, where it does not count any more.",
        _without("subjectAltName"),
    ),
    rejected(
        "self_signed",
        "The certificate is signed by its own key.",
        _with(lambda b: b.laboratory.self_signed(b.issued).credential),
    ),
    rejected(
        "unknown_root",
        "The chain is whole, and ends at a root that the client does not know.",
        _with(_unknown_root),
    ),
    rejected(
        "missing_intermediate",
        "The server sends its own certificate and not that of the intermediate authority.",
        _with(_missing_intermediate),
    ),
    rejected(
        "wrong_purpose",
        "The certificate is for clients.",
        _with(lambda b: b.laboratory.issue("ecdsa", b.names, "client").credential),
    ),
    rejected(
        "weak_key",
        "The certificate's key is RSA of 1,024 bits.",
        _with(lambda b: b.laboratory.issue("rsa1024", b.names).credential),
    ),
    rejected(
        "weak_key_sha1",
        "The certificate is signed over a SHA-1 digest, which can be had for another certificate as well.",
        _with(lambda b: b.laboratory.weakly_signed(b.issued).credential),
        diagnosis="weak_key",
    ),
    rejected(
        "issuer_not_a_ca",
        "The certificate is signed with the key of another one, which is no authority's: so everybody who has"
        " one could issue more, for any name.",
        _with(_issued_by_leaf),
    ),
    rejected(
        "name_constraint_violated",
        "The intermediate authority may issue for names below other.example alone, and has issued this.",
        _with(_constrained_intermediate),
    ),
    rejected(
        "unsupported_certificate",
        "The certificate has a critical extension that nobody knows, and so nobody may accept.",
        _with(lambda b: b.laboratory.demanding(b.issued).credential),
    ),
    rejected(
        "bad_certificate",
        "The certificate's signature is not by the authority that it names.",
        _with(lambda b: b.laboratory.forged(b.issued).credential),
    ),
    rejected(
        "strict_profile_only",
        "The certificate lacks authorityKeyIdentifier: strict verifiers refuse it, lax ones do not.",
        _without("authorityKeyIdentifier"),
    ),
    rejected(
        "strict_profile_only_basic_constraints",
        "The intermediate authority's basicConstraints are not marked critical: strict verifiers refuse that,"
        " lax ones do not.",
        _with(_uncritical_intermediate),
        diagnosis="strict_profile_only",
    ),
    rejected(
        "certificate_revoked",
        "The stapled OCSP response says that the certificate is revoked.",
        _with(_revoked),
        needs=_ASKS,
        client=_asking,
    ),
    rejected(
        "bad_certificate_status",
        "The stapled OCSP response ended ten days ago.",
        _with(_stale),
        needs=_ASKS,
        client=_asking,
    ),
    rejected(
        "must_staple_missing",
        "The certificate says that its server staples (must-staple), and it does not.",
        _with(lambda b: b.laboratory.issue("ecdsa", b.names, must_staple=True).credential),
        needs=_ASKS,
        client=_asking,
    ),
)
