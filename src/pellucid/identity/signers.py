"""Keys that are elsewhere, in an HSM, an agent, on another machine: a function signs, and is not believed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any, TypeAlias

from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from pellucid.codes import SignatureScheme
from pellucid.crypto import signatures
from pellucid.crypto.kdf import hash_digest
from pellucid.errors import Misuse, Reason
from pellucid.identity.private_keys import bad_file

if TYPE_CHECKING:
    from pellucid.identity.credentials import Credential

#: Gives the signature of the data (which is not hashed yet) by the scheme, as TLS carries it. A function, or
#: a coroutine function.
SignFunction: TypeAlias = Callable[[SignatureScheme, bytes], bytes | Awaitable[bytes]]

# What is in a failure of PSS besides the key and the data.
_PSS_ADVICE = "; PSS is with MGF1 of the same hash, and a salt as long as the hash"


class Signer:
    """A function where a private key would be. Its public key is the certificate's."""

    __slots__ = ("function", "waits")

    def __init__(self, function: SignFunction) -> None:
        if not callable(function):
            raise bad_file(f"what signs is a function, not a {type(function).__name__}")
        self.function = function
        #: Whether it is a coroutine function, whose answer has to be waited for.
        self.waits = iscoroutinefunction(function) or iscoroutinefunction(type(function).__call__)


def narrowed(
    able: Sequence[SignatureScheme], wanted: Sequence[SignatureScheme | str]
) -> tuple[SignatureScheme, ...]:
    """Of ``able``, what a signer says that it can do, in its order; all where it says nothing."""
    names = [str(one) for one in wanted]
    return tuple(sorted((one for one in able if str(one) in names), key=lambda one: names.index(str(one))))


def ask(credential: Credential, signer: Signer, scheme: SignatureScheme, data: bytes) -> Any:
    """What a function gives that need not be waited for; Misuse (``signing_failed``) where it fails."""
    if signer.waits:
        detail = f"{_whose(credential)} is a coroutine function, and nobody waits for it here"
        raise Misuse(Reason.SIGNING_FAILED, detail)
    try:
        return signer.function(scheme, data)
    except Exception as error:
        raise failed(credential, scheme, error) from error


def failed(credential: Credential, scheme: SignatureScheme, error: BaseException | str) -> Misuse:
    """What a signer's failure is told as: ``signing_failed``, with its own words."""
    said = error if isinstance(error, str) else f"{type(error).__name__}: {error}".rstrip(": ")
    return Misuse(Reason.SIGNING_FAILED, f"{_whose(credential)} gave no {scheme} signature: {said}")


def checked(
    credential: Credential,
    public_key: Any,
    scheme: SignatureScheme,
    data: bytes,
    signature: object,
    *,
    tls12: bool,
) -> bytes:
    """``signature``, if it is one of ``data`` by the key. Misuse (``signing_failed``), which says what it is
    instead where that can be told: a wrong one goes to no peer.
    """
    if not isinstance(signature, bytes):
        given = type(signature).__name__
        hint = " (a function that gives a coroutine is to be a coroutine function)" * (given == "coroutine")
        if given == "coroutine":
            signature.close()  # type: ignore[attr-defined]  # or Python warns that nobody awaited it
        raise failed(credential, scheme, f"a {given} instead of bytes{hint}")
    if not signatures.is_signature(public_key, scheme, signature, data, tls12=tls12):
        instead = _what_it_is(public_key, scheme, signature, data, tls12=tls12)
        detail = f"{_whose(credential)} gave a wrong {scheme} signature: {instead}"
        raise Misuse(Reason.SIGNING_FAILED, detail)
    return signature


def _whose(credential: Credential) -> str:
    return f'the signer of "{credential.subject}"'


def _what_it_is(
    public_key: Any, scheme: SignatureScheme, signature: bytes, data: bytes, *, tls12: bool
) -> str:
    """The mistakes that are made with signers, each tried: what fits is certain, and nothing is guessed."""
    half = len(signature) // 2
    der = encode_dss_signature(int.from_bytes(signature[:half]), int.from_bytes(signature[half:]))
    if signatures.is_signature(public_key, scheme, der, data, tls12=tls12):
        return "it is r and s side by side; TLS has them as a DER ECDSA-Sig-Value (RFC 3279 2.2.3)"
    hash_name = scheme.name.rpartition("_")[2]
    if hash_name in {"sha256", "sha384", "sha512"}:
        digest = hash_digest(hash_name, data)
        if signatures.is_signature(public_key, scheme, signature, digest, tls12=tls12):
            return f"the data was hashed twice: what hashes by itself is given the data, not its {hash_name}"
    for other in signatures.SCHEMES:
        if other is not scheme and signatures.is_signature(public_key, other, signature, data, tls12=tls12):
            return f"it is one by {other}"
    advice = _PSS_ADVICE * scheme.name.startswith("rsa_pss")
    return f"it is not of what was to be signed, or not by the certificate's key{advice}"
