"""Which roots we trust: parsed once, kept ready for the verifier."""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sized
from typing import TYPE_CHECKING, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.verification import PolicyBuilder, Store

from pellucid.errors import CertificateRejected, Misuse, Reason
from pellucid.identity.der import certificate_fields
from pellucid.identity.pem import parse_certificate, parse_certificates, parse_what_parses
from pellucid.identity.pins import parse_pins, pin_of, pin_text
from pellucid.identity.profile import policy_for
from pellucid.identity.remembered import Remembered
from pellucid.identity.rules import OUTSIDE_PYCA_OIDS, Purpose

if TYPE_CHECKING:
    # It takes 3 ms to load, so it is loaded where a file is read.
    from pathlib import Path

# Where systems keep their roots in one file; the first that exists is read.
_SYSTEM_FILES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Arch, Gentoo
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  # Red Hat, Fedora
    "/etc/pki/tls/certs/ca-bundle.crt",  # older Red Hat
    "/etc/ssl/ca-bundle.pem",  # SUSE
    "/etc/ssl/cert.pem",  # Alpine, macOS, OpenBSD, FreeBSD
    "/usr/local/share/certs/ca-root-nss.crt",  # FreeBSD's package
    "/etc/openssl/certs/ca-certificates.crt",  # NetBSD
)
# Read where none of the files exists.
_SYSTEM_DIRECTORIES = ("/etc/ssl/certs", "/etc/pki/tls/certs", "/etc/openssl/certs")


class _Roots(NamedTuple):
    certificates: tuple[x509.Certificate, ...]
    skipped: int
    by_subject: dict[bytes, tuple[x509.Certificate, ...]]
    subjects: tuple[bytes, ...]
    policies: dict[Purpose, PolicyBuilder]
    outside_pyca: bool


class TrustStore:
    """A set of trusted certificates. Immutable, safe to share between threads and connections: build it once.

    What is given explicitly is parsed at once, and a malformed certificate raises Misuse
    (``bad_certificate_file``). ``system()`` is read at the first verification; what cannot be parsed there
    is skipped and counted.
    """

    __slots__ = ("_load", "_roots", "accepted", "description", "keys", "pins")

    def __init__(
        self,
        load: Callable[[], tuple[Iterable[x509.Certificate], int]],
        description: str,
        *,
        keys: frozenset[bytes] = frozenset(),
        pins: frozenset[bytes] = frozenset(),
    ) -> None:
        """``load`` gives the certificates and the count of those skipped; it is called when first needed."""
        self._load = load
        self._roots: _Roots | None = None
        #: Keys (``pins.pin_of``) whose certificates are trusted as leaves, whoever issued them.
        self.keys = keys
        #: Keys of which every accepted path must have one; none: any will do.
        self.pins = pins
        #: Paths to these roots that were accepted.
        self.accepted = Remembered()
        #: Where the roots came from, for messages.
        self.description = description

    @classmethod
    def from_certificates(
        cls, certificates: Iterable[x509.Certificate], description: str = "the given trust store"
    ) -> TrustStore:
        """Trusts exactly these certificates."""
        trusted = tuple(certificates)
        return cls(lambda: (trusted, 0), description)

    @classmethod
    def from_pem(cls, pem: bytes) -> TrustStore:
        """Trusts every certificate in ``pem``. Misuse where there is none or one is malformed."""
        return cls.from_certificates(parse_certificates(pem, "the trust store's PEM"))

    @classmethod
    def from_der(cls, ders: Iterable[bytes]) -> TrustStore:
        """Trusts these DER certificates."""
        return cls.from_certificates(
            parse_certificate(der, f"certificate {number} of the trust store")
            for number, der in enumerate(ders, 1)
        )

    @classmethod
    def from_files(cls, *paths: str | os.PathLike[str]) -> TrustStore:
        """Trusts every certificate in these files, PEM or DER. Misuse where one cannot be read or parsed."""
        from pathlib import Path  # noqa: PLC0415 - see above

        found: list[x509.Certificate] = []
        for path in map(Path, paths):
            try:
                data = path.read_bytes()
            except OSError as error:
                raise Misuse(Reason.BAD_CERTIFICATE_FILE, f"{path} cannot be read: {error}") from error
            found += parse_certificates(data, str(path))
        return cls.from_certificates(found, ", ".join(map(str, paths)))

    @classmethod
    def from_keys(cls, pins: Iterable[str | bytes]) -> TrustStore:
        """Trusts these keys alone, by the SHA-256 of their SubjectPublicKeyInfo (32 bytes, or base64 as in
        `curl --pinnedpubkey`) or given themselves (DER or PEM): a peer that holds one needs no authority.

        What its certificate says of name, dates and purpose still has to hold. Where the configuration's
        ``peer_certificate_types`` have "RawPublicKey", it needs no certificate at all.
        """
        keys = parse_pins(pins)
        return cls(lambda: ((), 0), _counted(keys), keys=keys)

    def with_keys(self, pins: Iterable[str | bytes]) -> TrustStore:
        """These roots, and besides whoever holds one of these keys, which are given as to ``from_keys``."""
        keys = parse_pins(pins)
        description = f"{self.description}, and {_counted(keys)}"
        return TrustStore(
            lambda: (self.certificates, self.skipped), description, keys=self.keys | keys, pins=self.pins
        )

    def pinned_to(self, pins: Iterable[str | bytes]) -> TrustStore:
        """These roots, and besides: every path has to have a certificate, leaf or CA, with one of these keys.

        So an authority that is trusted, and that is not the one expected, vouches for nobody. Pin a key in
        reserve as well: who pins one, and loses it, is locked out.
        """
        parsed = parse_pins(pins)
        description = f"{self.description}, pinned"
        return TrustStore(lambda: (self.certificates, self.skipped), description, keys=self.keys, pins=parsed)

    @classmethod
    def empty(cls) -> TrustStore:
        """Trusts nobody: every certificate is rejected."""
        return cls.from_certificates((), "an empty trust store")

    @classmethod
    def system(cls) -> TrustStore:
        """The roots that this system trusts; one store a process, read at the first verification.

        SSL_CERT_FILE (a file) and SSL_CERT_DIR (directories, separated as in PATH) replace the system's
        places: where one of them is set nothing else is read. Then come the usual files and directories of
        Linux, BSD and macOS, then the package certifi if it is installed. Windows' own store is not read.
        """
        return _system(os.environ.get("SSL_CERT_FILE", ""), os.environ.get("SSL_CERT_DIR", ""))

    @property
    def certificates(self) -> tuple[x509.Certificate, ...]:
        """All trusted certificates, each once."""
        return self._ready().certificates

    @property
    def skipped(self) -> int:
        """How many files or certificates of the system's store could not be read."""
        return self._ready().skipped

    @property
    def subjects(self) -> tuple[bytes, ...]:
        """The DER names of the trusted certificates, for certificate_authorities (RFC 9846 4.3.4)."""
        return self._ready().subjects

    @property
    def fingerprint(self) -> bytes:
        """SHA-256 over the trusted certificates: two stores that trust the same have the same."""
        digest = hashlib.sha256()
        for one in sorted(certificate.public_bytes(Encoding.DER) for certificate in self.certificates):
            digest.update(len(one).to_bytes(4, "big") + one)
        for kind, pins in ((b"keys", self.keys), (b"pins", self.pins)):
            if pins:
                digest.update(kind + b"".join(sorted(pins)))
        return digest.digest()

    @property
    def outside_pyca(self) -> bool:
        """Whether a root has a key that pyca's verifier refuses in a CA (Ed25519, Ed448, ML-DSA)."""
        return self._ready().outside_pyca

    def named(self, subject: bytes) -> tuple[x509.Certificate, ...]:
        """The trusted certificates with this DER subject."""
        return self._ready().by_subject.get(subject, ())

    def trusts_leaf(self, leaf: x509.Certificate) -> bool:
        """Whether it is itself trusted: the certificate, or its key."""
        return leaf in self or (bool(self.keys) and pin_of(leaf) in self.keys)

    def has_pin(self, path: Iterable[x509.Certificate]) -> bool:
        """Whether one of the keys in a path is pinned; True where none has to be."""
        return not self.pins or not self.pins.isdisjoint(map(pin_of, path))

    def check_pins(self, path: Iterable[x509.Certificate]) -> None:
        """Raises CertificateRejected (``key_not_pinned``) for a path without one of the pinned keys."""
        if self.pins:
            found = [pin_of(certificate) for certificate in path]
            if self.pins.isdisjoint(found):
                has = ", ".join(map(pin_text, found))
                detail = f"the path has the keys {has}, and none of them is pinned in {self.description}"
                raise CertificateRejected(Reason.KEY_NOT_PINNED, detail)

    def policy(self, purpose: Purpose) -> PolicyBuilder | None:
        """pyca's verifier over these roots, but for time and name; None where the store is empty."""
        return self._ready().policies.get(purpose)

    def __contains__(self, certificate: x509.Certificate) -> bool:
        return certificate in self._ready().certificates

    def __len__(self) -> int:
        return len(self._ready().certificates)

    def __bool__(self) -> bool:
        # Without this an empty store, or one not read yet, would be false or be read by `if trust:`.
        return True

    def __repr__(self) -> str:
        read = "not read yet" if self._roots is None else f"{len(self._roots.certificates)} certificates"
        return f"TrustStore({self.description}: {read})"

    def _ready(self) -> _Roots:
        roots = self._roots
        if roots is None:
            # Two threads that come first at once both read, and get the same: not worth a lock.
            roots = self._roots = _arrange(*self._load())
        return roots


def _counted(keys: Sized) -> str:
    return f"{len(keys)} pinned key{'' if len(keys) == 1 else 's'}"


def _arrange(certificates: Iterable[x509.Certificate], skipped: int) -> _Roots:
    by_subject: dict[bytes, list[x509.Certificate]] = {}
    unique = tuple(dict.fromkeys(certificates))
    for certificate in unique:
        subject = certificate_fields(certificate.public_bytes(Encoding.DER)).subject
        by_subject.setdefault(subject, []).append(certificate)
    store = Store(list(unique)) if unique else None
    return _Roots(
        unique,
        skipped,
        {subject: tuple(group) for subject, group in by_subject.items()},
        tuple(by_subject),
        {purpose: policy_for(store, purpose) for purpose in Purpose} if store else {},
        any(certificate.public_key_algorithm_oid in OUTSIDE_PYCA_OIDS for certificate in unique),
    )


@functools.lru_cache(maxsize=8)
def _system(file: str, directories: str) -> TrustStore:
    """Keyed by the two variables, so that a process that changes them gets what they say."""
    named = [f"SSL_CERT_FILE={file}"] if file else []
    named += [f"SSL_CERT_DIR={directories}"] if directories else []
    place = "" if named else _usual_place()
    description = f"the system's trust store ({', '.join(named) or place or 'there is none'})"

    def load() -> tuple[list[x509.Certificate], int]:
        contents: list[bytes] = []
        unreadable = 0
        for path in _system_paths(file, directories, place):
            try:
                contents.append(path.read_bytes())
            except OSError:
                unreadable += 1
        certificates, malformed = parse_what_parses(contents)
        return certificates, unreadable + malformed

    return TrustStore(load, description)


def _usual_place() -> str:
    """The file or directory that this system has its roots in; "" where it has none."""
    import importlib.util  # noqa: PLC0415 - as pathlib

    for file in filter(os.path.isfile, _SYSTEM_FILES):
        return file
    for directory in filter(_has_files, _SYSTEM_DIRECTORIES):
        return directory
    if importlib.util.find_spec("certifi") is not None:
        return str(importlib.import_module("certifi").where())
    return ""


def _has_files(directory: str) -> bool:
    try:
        with os.scandir(directory) as entries:
            return any(entry.is_file() for entry in entries)
    except OSError:  # there is none, or it is not for us to read
        return False


def _system_paths(file: str, directories: str, place: str) -> Iterator[Path]:
    from pathlib import Path  # noqa: PLC0415 - as above

    if file:
        yield Path(file)
    for named in filter(None, directories.split(os.pathsep)):
        yield from _files_in(Path(named))
    if place:
        found = Path(place)
        yield from _files_in(found) if found.is_dir() else [found]


def _files_in(directory: Path) -> Iterator[Path]:
    """Every file of a certificate directory: under names of hashes (c_rehash) and of their own."""
    if directory.is_dir():
        yield from sorted(path for path in directory.iterdir() if path.is_file())
