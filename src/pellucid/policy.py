"""Named sets of defaults: which versions, suites, groups and signatures are used unaskedly.

Each list is in order of preference. What stands in ``SUPPORTED_*`` only works when asked for by name.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NoReturn, TypeVar

from pellucid.checking import require
from pellucid.codes import CipherSuite as S
from pellucid.codes import NamedGroup as G
from pellucid.codes import ProtocolVersion as V
from pellucid.codes import Registry
from pellucid.codes import SignatureScheme as A
from pellucid.crypto.suites import SUITES
from pellucid.crypto.suites12 import SUITES12
from pellucid.errors import Misuse, Reason

#: Whether a TLS 1.2 handshake is to be bound to its master secret (RFC 7627).
ExtendedMasterSecret = Literal["required", "optional", "never"]


@dataclass(frozen=True, slots=True)
class Policy:
    """What is offered and accepted where the configuration says nothing else."""

    protocols: tuple[V, ...]
    cipher_suites: tuple[S, ...]
    groups: tuple[G, ...]
    signature_schemes: tuple[A, ...]
    extended_master_secret: ExtendedMasterSecret = "required"


#: AES-128 first: it is the fastest with AES instructions, and 128 bits are enough. CCM is for small
#: devices and slower than GCM; CCM_8 has a short tag. Both only when asked for by name.
_SUITES_13 = (S.TLS_AES_128_GCM_SHA256, S.TLS_AES_256_GCM_SHA384, S.TLS_CHACHA20_POLY1305_SHA256)

#: Of TLS 1.2 what is as good as TLS 1.3's: AEAD and forward secrecy.
_SUITES_12 = (
    S.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    S.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    S.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    S.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    S.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    S.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
)

#: For peers that have nothing better. First what keeps forward secrecy: finite fields are slow, and CBC has a
#: history of padding oracles; then RSA key exchange, with which who gets the server's key reads what was
#: recorded before.
_OLD_SUITES_12 = (
    S.TLS_DHE_RSA_WITH_AES_128_GCM_SHA256,
    S.TLS_DHE_RSA_WITH_AES_256_GCM_SHA384,
    S.TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    S.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256,
    S.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256,
    S.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384,
    S.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384,
    S.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA,
    S.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA,
    S.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA,
    S.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA,
    S.TLS_DHE_RSA_WITH_AES_128_CBC_SHA256,
    S.TLS_DHE_RSA_WITH_AES_256_CBC_SHA256,
    S.TLS_DHE_RSA_WITH_AES_128_CBC_SHA,
    S.TLS_DHE_RSA_WITH_AES_256_CBC_SHA,
    S.TLS_RSA_WITH_AES_128_GCM_SHA256,
    S.TLS_RSA_WITH_AES_256_GCM_SHA384,
    S.TLS_RSA_WITH_AES_128_CBC_SHA256,
    S.TLS_RSA_WITH_AES_256_CBC_SHA256,
    S.TLS_RSA_WITH_AES_128_CBC_SHA,
    S.TLS_RSA_WITH_AES_256_CBC_SHA,
)

#: The hybrid first: what is recorded today must not be readable by a quantum computer of tomorrow.
_GROUPS = (G.X25519MLKEM768, G.x25519, G.secp256r1, G.secp384r1)

#: Groups of finite fields, for DHE in TLS 1.2 where ``groups`` names none.
DH_GROUPS = (G.ffdhe2048, G.ffdhe3072)

#: What a CertificateVerify of TLS 1.3 may be made with. SHA-1, PKCS #1 v1.5 and DSA are not valid there.
_SCHEMES_13 = (
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

#: In TLS 1.3 only for certificates. RFC 9846 4.3.3: these "refer solely to signatures which appear in
#: certificates"; in TLS 1.2 for the handshake as well.
PKCS1_SCHEMES = (A.rsa_pkcs1_sha256, A.rsa_pkcs1_sha384, A.rsa_pkcs1_sha512)

_SCHEMES = (*_SCHEMES_13, *PKCS1_SCHEMES)

POLICIES: dict[str, Policy] = {
    "modern": Policy((V.TLSv1_3,), _SUITES_13, _GROUPS, _SCHEMES_13),
    "default": Policy((V.TLSv1_3, V.TLSv1_2), (*_SUITES_13, *_SUITES_12), _GROUPS, _SCHEMES),
    "compatible": Policy(
        (V.TLSv1_3, V.TLSv1_2),
        (*_SUITES_13, *_SUITES_12, *_OLD_SUITES_12),
        (*_GROUPS, G.secp521r1, *DH_GROUPS),
        _SCHEMES,
        "optional",
    ),
}

SUPPORTED_PROTOCOLS = (V.TLSv1_3, V.TLSv1_2)
SUPPORTED_CIPHER_SUITES = (
    *(suite.code for suite in SUITES.values()),
    *(suite.code for suite in SUITES12.values()),
)
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
#: Of them those that Diffie-Hellman on curves of TLS 1.2 can use: it has no hybrids.
CURVES_12 = frozenset({G.x25519, G.secp256r1, G.secp384r1, G.x448, G.secp521r1})
FINITE_FIELDS = frozenset({G.ffdhe2048, G.ffdhe3072, G.ffdhe4096})
_POST_QUANTUM_SCHEMES = (A.mldsa44, A.mldsa65, A.mldsa87)
SUPPORTED_SIGNATURE_SCHEMES = (*_SCHEMES_13, A.ed448, *_POST_QUANTUM_SCHEMES, *PKCS1_SCHEMES)

#: What signs a handshake of TLS 1.3 only, and what one of TLS 1.2 only.
TLS13_ONLY_SCHEMES = frozenset(_POST_QUANTUM_SCHEMES)
TLS12_ONLY_SCHEMES = frozenset(PKCS1_SCHEMES)

Code = TypeVar("Code", bound=Registry)


@dataclass(frozen=True, slots=True)
class Parameters:
    """What one configuration offers and accepts: its lists, and of each what either version can use.

    A version for which nothing is left is not among ``protocols``, and what no version among them can use is
    in none of the lists but ``signature_schemes``, which are for certificates as well.
    """

    protocols: tuple[V, ...]
    cipher_suites: tuple[S, ...]
    groups: tuple[G, ...]
    signature_schemes: tuple[A, ...]
    extended_master_secret: ExtendedMasterSecret
    #: What signature_algorithms says.
    offered_schemes: tuple[A, ...]
    #: Of TLS 1.3.
    suites13: tuple[S, ...]
    schemes13: tuple[A, ...]
    #: Of TLS 1.2.
    suites12: tuple[S, ...]
    curves12: tuple[G, ...]
    dh_groups12: tuple[G, ...]
    schemes12: tuple[A, ...]


def make_parameters(
    policy: Policy,
    *,
    protocols: Iterable[object],
    cipher_suites: Iterable[object],
    groups: Iterable[object],
    signature_schemes: Iterable[object],
    extended_master_secret: ExtendedMasterSecret | None,
) -> Parameters:
    """The lists that were given, the policy's where none was. Misuse where they leave nothing to agree on."""
    versions = resolve("protocols", protocols or policy.protocols, SUPPORTED_PROTOCOLS)
    suites = resolve("cipher_suites", cipher_suites or policy.cipher_suites, SUPPORTED_CIPHER_SUITES)
    all_groups = resolve("groups", groups or policy.groups, SUPPORTED_GROUPS)
    schemes = resolve(
        "signature_schemes", signature_schemes or policy.signature_schemes, SUPPORTED_SIGNATURE_SCHEMES
    )
    curves = tuple(group for group in all_groups if group in CURVES_12)
    suites13 = tuple(suite for suite in suites if suite in SUITES)
    suites12 = tuple(
        suite for suite in suites if suite in SUITES12 and (curves or SUITES12[suite].key_exchange != "ECDHE")
    )
    schemes13 = tuple(scheme for scheme in schemes if scheme not in TLS12_ONLY_SCHEMES)
    schemes12 = tuple(scheme for scheme in schemes if scheme not in TLS13_ONLY_SCHEMES)
    usable = {V.TLSv1_3: suites13 and schemes13, V.TLSv1_2: suites12 and schemes12}
    unusable = [version for version in versions if not usable[version]]
    if unusable and (protocols or len(unusable) == len(versions)):
        _refuse(unusable[0], suites, (*suites13, *suites12), chosen=bool(cipher_suites))
    versions = tuple(version for version in versions if usable[version])
    if V.TLSv1_3 not in versions:
        suites13 = ()
        all_groups = tuple(group for group in all_groups if group in _groups_of(suites12))
    if V.TLSv1_2 not in versions:
        suites12 = ()
    used = {*suites13, *suites12}
    # RFC 9846 4.3.3: without signature_algorithms_cert what is offered is for certificates too, most of which
    # are still signed with PKCS #1 v1.5. TLS 1.2 would take it as leave to sign the handshake so.
    for_certificates = () if suites12 else tuple(scheme for scheme in PKCS1_SCHEMES if scheme not in schemes)
    return Parameters(
        protocols=versions,
        cipher_suites=tuple(suite for suite in suites if suite in used),
        groups=all_groups,
        signature_schemes=schemes,
        extended_master_secret=extended_master_secret or policy.extended_master_secret,
        offered_schemes=(*schemes, *for_certificates),
        suites13=suites13,
        schemes13=schemes13,
        suites12=suites12,
        curves12=curves,
        dh_groups12=tuple(group for group in all_groups if group in FINITE_FIELDS) or DH_GROUPS,
        schemes12=schemes12,
    )


def _refuse(version: V, suites: Iterable[S], usable: Iterable[S], *, chosen: bool) -> NoReturn:
    """Say what keeps ``version`` from being spoken. ``usable``: of the suites those for which nothing is
    missing; ``chosen``: they were given, and are not the policy's.
    """
    known = SUITES if version is V.TLSv1_3 else SUITES12
    if any(suite in known for suite in usable):
        knob, why = "signature_schemes", "none signs in it"
    elif any(suite in known for suite in suites):
        knob, why = "groups", "none is a curve, which its cipher suites need"
    elif chosen:
        knob, why = "cipher_suites", "none is of it"
    else:
        knob, why = "protocols", "the policy has no cipher suites of it: give some, or another policy"
    raise Misuse(Reason.BAD_CONFIGURATION, f"{knob}: {version} cannot be spoken, as {why}")


def _groups_of(suites12: Iterable[S]) -> frozenset[G]:
    """What these suites have a use for. RFC 8422 4: without one on curves, curves MUST NOT be named."""
    kinds = {SUITES12[suite].key_exchange for suite in suites12}
    return (CURVES_12 if "ECDHE" in kinds else frozenset()) | (
        FINITE_FIELDS if "DHE" in kinds else frozenset()
    )


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
