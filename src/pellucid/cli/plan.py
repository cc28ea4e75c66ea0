"""What a demonstration is to show: the options, made to fit each other, or the reason why they do not."""

from __future__ import annotations

from dataclasses import dataclass, replace

import click

from pellucid import policy
from pellucid.codes import CipherSuite, NamedGroup, ProtocolVersion
from pellucid.crypto.suites12 import SUITES12

__all__ = ["KEY_EXCHANGES", "Plan"]

KEY_EXCHANGES = ("ecdhe", "dhe", "rsa")

# Kinds of certificates by what a suite of TLS 1.2 calls their keys. ML-DSA is of TLS 1.3 alone.
_KINDS = {
    "RSA": ("rsa",),
    "ECDSA": ("ecdsa", "ecdsa_p384", "ecdsa_p521", "ed25519", "ed448"),
}


@dataclass(frozen=True)
class Plan:
    """What was asked for; ``settled`` fills in the rest, namely the kind of the certificates.

    ``suites`` are those that the server accepts, none for its own choice.
    """

    tls: str = "1.3"
    key_exchange: str | None = None
    group: str | None = None
    suite: str | None = None
    certificate: str | None = None
    mutual: bool = False
    resume: bool = False
    seed: int | None = None
    kind: str = ""
    suites: tuple[CipherSuite, ...] = ()

    @property
    def tls12(self) -> bool:
        return self.tls == "1.2"

    @property
    def version(self) -> ProtocolVersion:
        return ProtocolVersion.TLSv1_2 if self.tls12 else ProtocolVersion.TLSv1_3

    def settled(self) -> Plan:
        """All of it decided. Raises ``click.UsageError`` where the wishes contradict each other."""
        return self._settled12() if self.tls12 else self._settled13()

    def _settled13(self) -> Plan:
        _require(
            self.key_exchange != "rsa",
            "TLS 1.3 has no RSA key exchange, for it lacks forward secrecy; see it with --tls 1.2",
        )
        suite = _suite(self.suite)
        _require(suite not in SUITES12, f"{suite} is a suite of TLS 1.2; see it with --tls 1.2")
        group = self.group or ("ffdhe2048" if self.key_exchange == "dhe" else None)
        _require_family(group, self.key_exchange)
        suites = (suite,) if suite is not None else ()
        return replace(self, group=group, kind=self.certificate or "ecdsa", suites=suites)

    def _settled12(self) -> Plan:
        suite = _suite(self.suite)
        exchange = self.key_exchange or _implied(suite, self.group)
        kind = self.certificate or _fitting(suite, exchange)
        if suite is not None:
            _require_suite12(suite, exchange, kind)
        self._require_group12(exchange)
        candidates = [found.code for found in SUITES12.values()] if suite is None else [suite]
        fitting = [code for code in candidates if _fits(code, exchange, kind)]
        needed = ": the certificate has to be rsa" if exchange != "ecdhe" else ""
        _require(
            fitting, f"TLS 1.2 has no suite with {exchange} key exchange and {kind} certificates{needed}"
        )
        # In the policy's order, AEAD first, unless it does not name them at all.
        preferred = [code for code in policy.POLICIES["compatible"].cipher_suites if code in fitting]
        return replace(self, key_exchange=exchange, kind=kind, suites=tuple(preferred or fitting))

    def _require_group12(self, exchange: str) -> None:
        if self.group is None:
            return
        _require(exchange != "rsa", "RSA key exchange happens in no group")
        known = policy.CURVES_12 | policy.FINITE_FIELDS
        _require(_group(self.group) in known, f"{self.group} is a group of TLS 1.3 alone")
        _require_family(self.group, exchange)


def _require_suite12(suite: CipherSuite, exchange: str, kind: str) -> None:
    found = SUITES12.get(suite)
    if found is None:
        raise click.UsageError(
            f"{suite} is a suite of TLS 1.3; those of TLS 1.2 have names such as "
            "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"
        )
    own = found.key_exchange.lower()
    _require(own == exchange, f"the key exchange of {suite} is {own}, not {exchange}")
    kinds = _KINDS[found.authentication]
    _require(kind in kinds, f"{suite} needs a certificate of another kind: {' or '.join(kinds)}")


def _require(fine: object, otherwise: str) -> None:
    if not fine:
        raise click.UsageError(otherwise)


def _suite(name: str | None) -> CipherSuite | None:
    return None if name is None else policy.resolve("--suite", [name], policy.SUPPORTED_CIPHER_SUITES)[0]


def _group(name: str) -> NamedGroup:
    return policy.resolve("--group", [name], policy.SUPPORTED_GROUPS)[0]


def _require_family(group: str | None, exchange: str | None) -> None:
    """Groups of finite fields are for dhe, all others for ecdhe."""
    if group is None or exchange is None:
        return
    finite = _group(group) in policy.FINITE_FIELDS
    _require(finite == (exchange == "dhe"), f"{group} is no group for {exchange} key exchange")


def _implied(suite: CipherSuite | None, group: str | None) -> str:
    """The key exchange that is taken when none was asked for."""
    if suite is not None and suite in SUITES12:
        return SUITES12[suite].key_exchange.lower()
    return "dhe" if group is not None and _group(group) in policy.FINITE_FIELDS else "ecdhe"


def _fitting(suite: CipherSuite | None, exchange: str) -> str:
    """The kind of certificate that is taken when none was asked for."""
    if suite is not None and suite in SUITES12:
        return _KINDS[SUITES12[suite].authentication][0]
    return "ecdsa" if exchange == "ecdhe" else "rsa"


def _fits(code: CipherSuite, exchange: str, kind: str) -> bool:
    suite = SUITES12[code]
    return suite.key_exchange.lower() == exchange and kind in _KINDS[suite.authentication]
