"""Named sets of defaults: which versions, suites, groups and signatures are used unaskedly.

Each list is in order of preference. What stands in ``SUPPORTED_*`` only works when asked for by name.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from pellucid.checking import require
from pellucid.codes import CipherSuite as S
from pellucid.codes import NamedGroup as G
from pellucid.codes import ProtocolVersion as V
from pellucid.codes import Registry
from pellucid.codes import SignatureScheme as A
from pellucid.errors import Misuse, Reason


@dataclass(frozen=True, slots=True)
class Policy:
    """What is offered and accepted where the configuration says nothing else."""

    protocols: tuple[V, ...]
    cipher_suites: tuple[S, ...]
    groups: tuple[G, ...]
    signature_schemes: tuple[A, ...]


#: AES-128 first: it is the fastest with AES instructions, and 128 bits are enough. CCM is for small
#: devices and slower than GCM; CCM_8 has a short tag. Both only when asked for by name.
_SUITES = (S.TLS_AES_128_GCM_SHA256, S.TLS_AES_256_GCM_SHA384, S.TLS_CHACHA20_POLY1305_SHA256)

#: The hybrid first: what is recorded today must not be readable by a quantum computer of tomorrow.
_GROUPS = (G.X25519MLKEM768, G.x25519, G.secp256r1, G.secp384r1)

#: What a CertificateVerify may be made with. SHA-1, PKCS #1 v1.5 and DSA are not valid in TLS 1.3.
_HANDSHAKE_SCHEMES = (
    A.ecdsa_secp256r1_sha256,
    A.ed25519,
    A.rsa_pss_rsae_sha256,
    A.ecdsa_secp384r1_sha384,
    A.ecdsa_secp521r1_sha512,
    A.rsa_pss_rsae_sha384,
    A.rsa_pss_rsae_sha512,
    A.rsa_pss_pss_sha256,
    A.rsa_pss_pss_sha384,
    A.rsa_pss_pss_sha512,
)

#: RFC 9846 4.3.3: these "refer solely to signatures which appear in certificates".
CERTIFICATE_ONLY_SCHEMES = (A.rsa_pkcs1_sha256, A.rsa_pkcs1_sha384, A.rsa_pkcs1_sha512)

_TODAY = Policy((V.TLSv1_3,), _SUITES, _GROUPS, _HANDSHAKE_SCHEMES)

POLICIES: dict[str, Policy] = {"modern": _TODAY, "default": _TODAY}

SUPPORTED_PROTOCOLS = (V.TLSv1_3,)
SUPPORTED_CIPHER_SUITES = (*_SUITES, S.TLS_AES_128_CCM_SHA256, S.TLS_AES_128_CCM_8_SHA256)
SUPPORTED_GROUPS = (
    *_GROUPS,
    G.SecP256r1MLKEM768,
    G.SecP384r1MLKEM1024,
    G.x448,
    G.secp521r1,
    G.ffdhe2048,
    G.ffdhe3072,
    G.ffdhe4096,
)
SUPPORTED_SIGNATURE_SCHEMES = (*_HANDSHAKE_SCHEMES, A.ed448, A.mldsa44, A.mldsa65, A.mldsa87)

Code = TypeVar("Code", bound=Registry)


def resolve(what: str, given: Iterable[object], supported: Sequence[Code]) -> tuple[Code, ...]:
    """Code points given by name, label or member, as members; what is not supported is refused.

    Raises ``Misuse`` that names the faulty value and lists what there is.
    """
    if isinstance(given, str):
        given = [given]
    require(isinstance(given, Iterable), what, "give a list of names")
    by_name: dict[object, Code] = {}
    for code in supported:
        by_name |= {code: code, code.name: code, str(code): code}
    chosen = []
    for value in given:
        if not isinstance(value, str | int) or value not in by_name:
            names = ", ".join(str(code) for code in supported)
            raise Misuse(Reason.BAD_CONFIGURATION, f"{what}: {value!r} is not supported; there are {names}")
        chosen.append(by_name[value])
    if not chosen:
        raise Misuse(Reason.BAD_CONFIGURATION, f"{what}: the list is empty")
    if len(set(chosen)) != len(chosen):
        raise Misuse(Reason.BAD_CONFIGURATION, f"{what}: a value stands twice in {[str(c) for c in chosen]}")
    return tuple(chosen)
