"""Whether the peer is who it should be: its chain, dates, purpose and name, checked against our roots.

Two profiles say what is asked: "web", the default, where pyca's verifier judges, and "private", where
``reasoning/`` does, which also says why a chain was refused. On the way to success nothing is looked at
twice: of some 95 us for a P-256 leaf directly under a root, 80 are pyca's own. Nor is what was accepted
judged again as long as its dates hold (``remembered.py``).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from cryptography import x509

from pellucid.errors import CertificateRejected, Misuse, Reason
from pellucid.identity import rules
from pellucid.identity.der import UNDECODABLE
from pellucid.identity.keys import PublicKey
from pellucid.identity.names import DnsName, IpAddress, ServerName, parse_server_name
from pellucid.identity.profile import CertificateProfile
from pellucid.identity.reasoning.case import Case
from pellucid.identity.reasoning.decide import accept
from pellucid.identity.rules import Purpose
from pellucid.identity.trust import TrustStore

#: Leaf, MAX_INTERMEDIATES and a root that need not have been sent. No real chain comes near; what is longer
#: is an attack on the path search, or a whole trust store sent by mistake.
MAX_CHAIN_LENGTH = 10
#: The largest certificates in use (ML-DSA-87 with all that can be in one, or hundreds of names) stay under
#: 32 KiB.
MAX_CERTIFICATE_BYTES = 65_536


@dataclass(frozen=True, repr=False)
class VerifiedIdentity:
    """The proof that a chain was verified. Only ``verify_server`` and ``verify_client`` make one.

    And ``raw_keys.verify_raw_key``, for a peer that shows its key alone: then there are no certificates.
    """

    #: What the peer sent, leaf first.
    chain: tuple[x509.Certificate, ...]
    #: The path that was accepted: the leaf, its issuers, a trusted root last.
    path: tuple[x509.Certificate, ...]
    #: The leaf's key, which CertificateVerify is checked with.
    public_key: PublicKey
    #: The key in DER (SubjectPublicKeyInfo) where it came without a certificate (RFC 7250); b"" otherwise.
    raw_public_key: bytes = b""

    @cached_property
    def subject(self) -> str:
        """The leaf's subject for people, such as ``CN=localhost``. No name check ever looks at it."""
        return rules.subject_text(self.chain[0])

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Host names and addresses in the leaf's subjectAltName; () if it has none, or a malformed entry."""
        try:
            patterns = rules.patterns_in(rules.look_at(self.chain[0], 0))
        except CertificateRejected:
            # pyca found the name it was asked for without decoding the rest; that verdict stands.
            return ()
        return () if patterns is None else patterns.names

    @property
    def rsa_pss_oid(self) -> bool:
        """Whether the leaf's key is id-RSASSA-PSS, which may sign rsa_pss_pss_* only (RFC 9846 4.3.3)."""
        return rules.has_pss_key(self.chain[0])

    @cached_property
    def begins_at(self) -> float:
        """When the last certificate of the path begins, in POSIX seconds."""
        return max(certificate.not_valid_before_utc.timestamp() for certificate in self.path)

    @cached_property
    def expires_at(self) -> float:
        """When the first certificate of the path ends, in POSIX seconds."""
        return min(certificate.not_valid_after_utc.timestamp() for certificate in self.path)

    def __repr__(self) -> str:
        return f"VerifiedIdentity({self.subject!r}, {len(self.path)} certificates to the root)"


def verify_server(
    chain: Sequence[bytes],
    server_name: str | ServerName | None,
    trust: TrustStore,
    now: float,
    *,
    key_exchange: bool = False,
    max_chain_length: int = MAX_CHAIN_LENGTH,
    profile: CertificateProfile = "web",
) -> VerifiedIdentity:
    """Verifies a server's chain (DER, leaf first, as it was sent) for ``server_name`` at ``now`` (POSIX
    seconds).

    The name is a host name or an IP address and is compared with subjectAltName alone. Raises
    CertificateRejected with the rule that failed, and Misuse (``bad_server_name``) without a name: a chain
    for no name in particular proves only that somebody has a certificate. ``key_exchange``: the leaf's key is
    not to sign, but to have a secret encrypted to it (RSA key exchange of TLS 1.2). ``profile``: "web" for
    what browsers would accept, "private" for RFC 5280 without what the web asks besides it.
    """
    if server_name is None:
        raise Misuse(
            Reason.BAD_SERVER_NAME, "a server cannot be verified without the name that it should have"
        )
    name = server_name if isinstance(server_name, DnsName | IpAddress) else parse_server_name(server_name)
    purpose = Purpose.KEY_EXCHANGE if key_exchange else Purpose.SERVER
    return _verify(chain, max_chain_length, purpose, name, trust, now, profile)


def verify_client(
    chain: Sequence[bytes],
    trust: TrustStore,
    now: float,
    *,
    max_chain_length: int = MAX_CHAIN_LENGTH,
    profile: CertificateProfile = "web",
) -> VerifiedIdentity:
    """Verifies a client's chain (DER, leaf first) at ``now`` (POSIX seconds). Raises CertificateRejected.

    No name is compared: which clients are welcome is for the application, from ``subject`` and ``names``.
    """
    return _verify(chain, max_chain_length, Purpose.CLIENT, None, trust, now, profile)


def _verify(
    chain: Sequence[bytes],
    max_chain_length: int,
    purpose: Purpose,
    name: ServerName | None,
    trust: TrustStore,
    now: float,
    profile: CertificateProfile,
) -> VerifiedIdentity:
    key = (tuple(chain), purpose, name, profile)
    if len(chain) <= max_chain_length:
        identity = trust.accepted.find(key, now)
        if identity is not None:
            return identity
    identity = _accept(Case(parse_chain(chain, max_chain_length), trust, purpose, name, now), profile)
    trust.accepted.keep(key, identity)
    return identity


def _accept(case: Case, profile: CertificateProfile) -> VerifiedIdentity:
    return VerifiedIdentity(case.chain, *judge(case, profile))


def judge(case: Case, profile: str) -> tuple[tuple[x509.Certificate, ...], PublicKey]:
    """The path that the profile accepts, and the leaf's key. Raises CertificateRejected."""
    _bound_signature_cost(case.chain[1:])
    path = accept(case, profile)
    # pyca looks at the keys of issuers only: the leaf's size and curve are checked here.
    public_key = rules.check_key(case.chain[0], 0)
    if case.purpose is Purpose.KEY_EXCHANGE:
        rules.check_encryption_key(case.chain[0], 0)
    return path, public_key


def parse_chain(chain: Sequence[bytes], max_chain_length: int) -> tuple[x509.Certificate, ...]:
    """The peer's certificates, parsed. Raises CertificateRejected for one that is none, or for too many."""
    if not chain:
        raise CertificateRejected(Reason.BAD_CERTIFICATE, "the peer sent no certificate")
    if len(chain) > max_chain_length:
        detail = f"the peer sent {len(chain)} certificates; {max_chain_length} are accepted"
        raise CertificateRejected(Reason.CERTIFICATE_CHAIN_TOO_LONG, detail)
    parsed = []
    for position, der in enumerate(chain):
        if len(der) > MAX_CERTIFICATE_BYTES:
            detail = f"certificate {position} has {len(der)} bytes; {MAX_CERTIFICATE_BYTES} are accepted"
            raise CertificateRejected(Reason.CERTIFICATE_CHAIN_TOO_LONG, detail)
        try:
            parsed.append(_certificate(der))
        # The warning is an error only where the application asked for that; the certificate is no good
        # either way.
        except UNDECODABLE as error:
            detail = f"certificate {position} is not an X.509 certificate: {error}"
            raise CertificateRejected(Reason.BAD_CERTIFICATE, detail) from error
    return tuple(parsed)


@lru_cache(maxsize=64)
def _certificate(der: bytes) -> x509.Certificate:
    """The certificate parsed. Who comes back shows the same, and reading it and its key takes 15 us.

    That is all that is kept: whether to accept it is judged anew each time. Peers choose what is in here,
    which is bounded in number and by ``MAX_CERTIFICATE_BYTES``.
    """
    return x509.load_der_x509_certificate(der)


def _bound_signature_cost(intermediates: Sequence[x509.Certificate]) -> None:
    """Keys in the peer's chain are the peer's choice, and pyca bounds RSA keys from below only.

    Whether a certificate that nobody needs has a weak key does not matter, so that is not asked here.
    """
    for position, certificate in enumerate(intermediates, 1):
        if certificate.public_key_algorithm_oid in rules.RSA_OIDS and rules.is_too_costly(certificate):
            rules.check_key(certificate, position)
