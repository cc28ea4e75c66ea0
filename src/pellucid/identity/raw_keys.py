"""Raw public keys (RFC 7250): who the peer is by its key alone.

A key says neither whose it is nor until when it is good. RFC 7250 4.3 and 4.4 leave that to "an out-of-band
method", which is here the list of keys in a trust store; who takes a key off the list has revoked it.
"""

from dataclasses import dataclass
from functools import cached_property
from math import inf

from cryptography.hazmat.primitives.serialization import load_der_public_key

from pellucid.crypto.signatures import is_too_costly
from pellucid.errors import CertificateRejected, Reason
from pellucid.identity.der import UNDECODABLE, key_algorithm
from pellucid.identity.keys import PublicKey, check_public_key
from pellucid.identity.pins import pin_of_key, pin_text
from pellucid.identity.trust import TrustStore
from pellucid.identity.verify import VerifiedIdentity

# OIDs of RFC 8017 appendix C, as encoded.
_RSA_ENCRYPTION = bytes.fromhex("2a864886f70d010101")
_RSASSA_PSS = bytes.fromhex("2a864886f70d01010a")


@dataclass(frozen=True, repr=False)
class VerifiedKey(VerifiedIdentity):
    """The proof that a peer's key is a trusted one. Only ``verify_raw_key`` makes one."""

    @cached_property
    def subject(self) -> str:
        """The key's pin, for people."""
        return raw_key_text(self.raw_public_key)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """None: a key is for no name."""
        return ()

    @property
    def rsa_pss_oid(self) -> bool:
        """Whether the key is id-RSASSA-PSS, which may sign rsa_pss_pss_* only (RFC 9846 4.3.3)."""
        return has_pss_key(self.raw_public_key)

    @cached_property
    def begins_at(self) -> float:
        """Always good."""
        return -inf

    @cached_property
    def expires_at(self) -> float:
        """Good without end."""
        return inf

    def __repr__(self) -> str:
        return f"VerifiedKey({self.subject})"


def raw_key_text(subject_public_key_info: bytes) -> str:
    """How a raw public key is named: ``raw public key sha256//...``."""
    return f"raw public key {pin_text(pin_of_key(subject_public_key_info))}"


def has_pss_key(subject_public_key_info: bytes) -> bool:
    return key_algorithm(subject_public_key_info) == _RSASSA_PSS


def read_raw_key(subject_public_key_info: bytes) -> object | None:
    """The public key, of whatever kind and however short, for who looks on; None where it cannot be read, or
    where to check a signature by it would take long.
    """
    try:
        key = load_der_public_key(subject_public_key_info)
    except UNDECODABLE:
        return None
    return None if is_too_costly(key) else key


def verify_raw_key(
    subject_public_key_info: bytes, trust: TrustStore, *, key_exchange: bool = False
) -> VerifiedKey:
    """The peer's key (DER), if the trust store has it among its keys, and it can be used.

    Raises CertificateRejected: ``raw_key_not_trusted``, ``key_not_pinned``, ``unsupported_certificate`` or
    ``weak_key``. ``key_exchange``: the key is not to sign, but to have a secret encrypted to it (RSA key
    exchange of TLS 1.2). What is not on the list is not parsed.
    """
    pin = pin_of_key(subject_public_key_info)
    if pin not in trust.keys:
        listed = f"the list of trusted keys ({trust.description})"
        detail = f"the peer shows the key {pin_text(pin)}, which is not on {listed}"
        raise CertificateRejected(Reason.RAW_KEY_NOT_TRUSTED, detail)
    if trust.pins and pin not in trust.pins:
        detail = f"the peer shows the key {pin_text(pin)}, which is not pinned in {trust.description}"
        raise CertificateRejected(Reason.KEY_NOT_PINNED, detail)
    key = _usable(subject_public_key_info)
    if key_exchange and key_algorithm(subject_public_key_info) != _RSA_ENCRYPTION:
        detail = "the raw public key is not of the kind rsaEncryption, and a secret is to be encrypted to it"
        raise CertificateRejected(Reason.UNSUPPORTED_CERTIFICATE, detail)
    return VerifiedKey((), (), key, subject_public_key_info)


def _usable(subject_public_key_info: bytes) -> PublicKey:
    try:
        key = load_der_public_key(subject_public_key_info)
    except UNDECODABLE as error:
        detail = f"the raw public key cannot be used: {error}"
        raise CertificateRejected(Reason.UNSUPPORTED_CERTIFICATE, detail) from error
    try:
        return check_public_key(key)
    except CertificateRejected as error:
        raise CertificateRejected(error.reason, f"the raw public key is {error.detail}") from error
