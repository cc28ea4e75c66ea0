"""Certificate revocation lists (RFC 5280 5): which serial numbers an authority has withdrawn."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from pellucid.errors import CertificateRejected, Misuse, Reason
from pellucid.identity import rules
from pellucid.identity.der import SEQUENCE, UNDECODABLE, certificate_fields, element
from pellucid.identity.pem import ders_of
from pellucid.identity.revocation.ocsp import http_urls
from pellucid.identity.revocation.signed import check_algorithm, issuer_key, signed_list
from pellucid.identity.revocation.status import (
    RevocationStatus,
    posix,
    reason_name,
    unusable,
)

#: 40 bytes an entry: some 400,000 revoked certificates. The largest lists of public CAs are split below that.
MAX_CRL_BYTES = 16 * 2**20

#: RFC 7468 6.
_CRL_LABELS = frozenset({b"X509 CRL"})


# What may be critical (RFC 5280 5.2, 5.3) besides the scope of a list: whose key has signed it is found out
# by the signature, and which of several lists is the latest need not be known.
_UNDERSTOOD = (x509.AuthorityKeyIdentifier, x509.CRLNumber)
# Neither changes that a certificate is revoked.
_UNDERSTOOD_OF_ENTRIES = (x509.CRLReason, x509.InvalidityDate)


class RevocationList:
    """One CRL, parsed. Whether it counts for a certificate is judged when it is asked.

    Raises CertificateRejected (``bad_certificate_status``) for what is no CRL, or one of a kind that is not
    understood: a delta, an indirect one, or one with an unknown critical extension. Its entries are read when
    its signature is known to hold: of a list that came by http, nothing before that is its issuer's.
    """

    __slots__ = (
        "_crl",
        "_not_signed_by",
        "_point",
        "_serials",
        "_signed_by",
        "issuer",
        "next_update",
        "this_update",
    )

    def __init__(self, der: bytes, what: str = "the CRL") -> None:
        if len(der) > MAX_CRL_BYTES:
            raise unusable(f"{what} of {len(der)} bytes: {MAX_CRL_BYTES} are accepted")
        try:
            self._crl = x509.load_der_x509_crl(der)
            self._point = _understood_scope(self._crl, what)
            #: The issuer's name, DER.
            self.issuer = _issuer_of(der)
            self.this_update = self._crl.last_update_utc.timestamp()
            self.next_update = posix(self._crl.next_update_utc)
        except UNDECODABLE as error:
            raise unusable(f"{what} cannot be read: {error}") from error
        if self.next_update is None:
            # RFC 5280 5.1.2.5 requires it: without, nobody could tell an old list from the latest.
            raise unusable(f"{what} does not say when the next is due")
        #: SubjectPublicKeyInfo of the key that is known to have signed it, and of the last that has not: to
        #: find out takes a tenth of a second where the list is long.
        self._signed_by = self._not_signed_by = b""
        self._serials: frozenset[int] | None = None

    @property
    def fingerprint(self) -> bytes:
        """SHA-256 of the list."""
        return self._crl.fingerprint(hashes.SHA256())

    def status_of(
        self, certificate: x509.Certificate, issuer: x509.Certificate, now: float, source: str = "a CRL"
    ) -> RevocationStatus:
        """What it says of ``certificate``, issued by ``issuer``, at ``now`` (POSIX seconds).

        Raises CertificateRejected (``bad_certificate_status``) where it says nothing.
        """
        fields = certificate_fields(certificate.public_bytes(Encoding.DER))
        if fields.issuer != self.issuer:
            raise unusable(f"{source} is of another issuer")
        self._check_signature(issuer, source)
        status = self._entry(certificate.serial_number, source)
        # RFC 5280 5.2.5: who does not go by the scope must "treat the status of any certificate not listed on
        # this CRL as unknown": who is listed is revoked, for the serial number is the issuer's.
        if status.verdict == "good" and (fault := self._why_out_of_scope(certificate)):
            raise unusable(f"{source} {fault}")
        if fault := status.why_not_current(now):
            raise unusable(fault)
        return status

    def read_entries(self, what: str = "the CRL") -> frozenset[int]:
        """The serial numbers on the list. Raises as the list itself, for entries that are not understood."""
        if self._serials is None:
            try:
                # The library looks an entry up from the first to the last.
                self._serials = _understood_entries(self._crl, what)
            except UNDECODABLE as error:
                raise unusable(f"{what} has an entry that cannot be read: {error}") from error
        return self._serials

    def _entry(self, serial_number: int, source: str) -> RevocationStatus:
        said = source, "the issuer", self.this_update, self.next_update
        if serial_number not in self.read_entries(source):
            return RevocationStatus("good", *said)
        try:
            return RevocationStatus("revoked", *said, *self._when_and_why(serial_number))
        except UNDECODABLE as error:
            raise unusable(f"{source} has an entry that cannot be read: {error}") from error

    def _when_and_why(self, serial_number: int) -> tuple[float | None, str]:
        entry = self._crl.get_revoked_certificate_by_serial_number(serial_number)
        if entry is None:
            return None, ""
        since = entry.revocation_date_utc.timestamp()
        try:
            reason = entry.extensions.get_extension_for_class(x509.CRLReason).value.reason
        except x509.ExtensionNotFound:
            return since, ""
        return since, reason_name(reason)

    def _check_signature(self, issuer: x509.Certificate, source: str) -> None:
        key_info = certificate_fields(issuer.public_bytes(Encoding.DER)).subject_public_key_info
        usage = rules.look_at(issuer, 1).find(x509.KeyUsage)
        # RFC 5280 6.3.3 (f): where there is a keyUsage, cRLSign has to be in it.
        if usage is not None and not usage.value.crl_sign:
            raise unusable(f"{source} is of an issuer that may sign none: its keyUsage lacks cRLSign")
        if key_info == self._signed_by:
            return
        check_algorithm(source, self._crl)
        if key_info == self._not_signed_by or not signed_list(self._crl, issuer_key(issuer, source)):
            self._not_signed_by = key_info
            raise unusable(f'{source} is not signed by the key of "{rules.subject_text(issuer)}"')
        self._signed_by = key_info

    def _why_out_of_scope(self, certificate: x509.Certificate) -> str:
        """Why this certificate would not stand on the list if it were revoked; "" if it would.

        RFC 5280 6.3.3 (b) (2) and (d).
        """
        point = self._point
        if point is None:
            return ""
        seen = rules.look_at(certificate, 0)
        is_ca = rules.is_ca(seen)
        if point.only_contains_user_certs and is_ca:
            return "is of certificates that are no CA's"
        if point.only_contains_ca_certs and not is_ca:
            return "is of CA certificates"
        if point.only_some_reasons:
            return "is of revocations for some reasons only"
        if point.relative_name is not None:
            return "is a part with a relative name, which is not compared"
        if not point.full_name or not set(point.full_name).isdisjoint(_distribution_names(seen)):
            return ""
        # RFC 5280 6.3.3: for a list that no distribution point names, assume one with "a distribution point
        # name of the certificate issuer".
        if x509.DirectoryName(certificate.issuer) in point.full_name:
            return ""
        return "is a part that the certificate does not name among its distribution points"


class RevocationLists:
    """CRLs of any number of authorities. Immutable, to be shared between configurations.

    What is given is parsed at once, and Misuse (``bad_certificate_file``) is raised for what is no CRL or of
    a kind that is not understood. Signatures are checked when a list is first needed, as its issuer is known
    only then. Each list counts until the date that it names for its successor: build a new configuration
    with the new lists before that.
    """

    __slots__ = ("_by_issuer", "_count")

    def __init__(self, lists: Iterable[RevocationList]) -> None:
        by_issuer: dict[bytes, list[RevocationList]] = {}
        for one in lists:
            by_issuer.setdefault(one.issuer, []).append(one)
        self._by_issuer = {issuer: tuple(group) for issuer, group in by_issuer.items()}
        self._count = sum(map(len, self._by_issuer.values()))

    @classmethod
    def from_der(cls, ders: Iterable[bytes]) -> RevocationLists:
        """From DER CRLs."""
        return cls(_own(der, f"CRL {number}") for number, der in enumerate(ders, 1))

    @classmethod
    def from_pem(cls, pem: bytes) -> RevocationLists:
        """From every block X509 CRL of ``pem``. Misuse where there is none."""
        return cls(_parse(pem, "the PEM"))

    @classmethod
    def from_files(cls, *paths: str | os.PathLike[str]) -> RevocationLists:
        """From files, PEM or DER. Misuse where one cannot be read or parsed."""
        from pathlib import Path  # noqa: PLC0415 - 3 ms, which those who read no file need not wait for

        found: list[RevocationList] = []
        for path in map(Path, paths):
            try:
                found += _parse(path.read_bytes(), str(path))
            except OSError as error:
                raise Misuse(Reason.BAD_CERTIFICATE_FILE, f"{path} cannot be read: {error}") from error
        return cls(found)

    def issued_by(self, issuer: bytes) -> tuple[RevocationList, ...]:
        """The lists of the authority with this DER name."""
        return self._by_issuer.get(issuer, ())

    @property
    def fingerprint(self) -> bytes:
        """SHA-256 over the lists: the same lists have the same."""
        digest = hashes.Hash(hashes.SHA256())
        for one in sorted(one.fingerprint for group in self._by_issuer.values() for one in group):
            digest.update(one)
        return digest.finalize()

    def __len__(self) -> int:
        return self._count

    def __bool__(self) -> bool:
        # Without this, no lists would be false, and `if lists:` mean two things.
        return True

    def __repr__(self) -> str:
        return f"RevocationLists({self._count} of {len(self._by_issuer)} authorities)"


def distribution_urls(certificate: x509.Certificate) -> tuple[str, ...]:
    """Where the certificate says that its CRL can be had (RFC 5280 4.2.1.13), http alone: it is signed."""
    try:
        return http_urls(iter(_distribution_names(rules.look_at(certificate, 0))))
    except CertificateRejected:
        return ()


def _distribution_names(seen: rules.Seen) -> Iterator[x509.GeneralName]:
    points = seen.find(x509.CRLDistributionPoints)
    for point in points.value if points is not None else ():
        # One with reasons or an issuer of its own leads to a list that is not understood here.
        if point.full_name and not point.reasons and not point.crl_issuer:
            yield from point.full_name


def _understood_scope(crl: x509.CertificateRevocationList, what: str) -> x509.IssuingDistributionPoint | None:
    """The list's scope, where it has one. Raises for an extension that changes what the list means."""
    point: x509.IssuingDistributionPoint | None = None
    for extension in crl.extensions:
        if isinstance(extension.value, x509.IssuingDistributionPoint):
            point = extension.value
        elif isinstance(extension.value, x509.DeltaCRLIndicator):
            # RFC 5280 5.2.4: it has only what changed since another list.
            raise unusable(f"{what} is a delta CRL, which tells nothing by itself")
        elif extension.critical and not isinstance(extension.value, _UNDERSTOOD):
            # RFC 5280 5.2: such a list must not be used to determine the status of certificates.
            raise unusable(f"{what} has the critical extension {extension.oid.dotted_string}")
    if point is not None and (point.indirect_crl or point.only_contains_attribute_certs):
        raise unusable(f"{what} has an issuingDistributionPoint that is not understood: {_scope(point)}")
    return point


def _understood_entries(crl: x509.CertificateRevocationList, what: str) -> frozenset[int]:
    """The serial numbers on the list. RFC 5280 5.3: it is not used if an entry has what is not understood."""
    serials = set()
    for entry in crl:
        for extension in entry.extensions:
            if extension.critical and not isinstance(extension.value, _UNDERSTOOD_OF_ENTRIES):
                raise unusable(f"{what} has an entry with a critical extension")
        serials.add(entry.serial_number)
    return frozenset(serials)


def _scope(point: x509.IssuingDistributionPoint) -> str:
    named = {
        "it is an indirect CRL": point.indirect_crl,
        "it is of attribute certificates": point.only_contains_attribute_certs,
    }
    return ", ".join(text for text, so in named.items() if so)


def _issuer_of(crl: bytes) -> bytes:
    """RFC 5280 5.1: TBSCertList begins with version (optional), signature, issuer.

    Cut out of what was given: the library would encode all of the list anew.
    """
    tbs = element(crl, element(crl, 0).content)
    first = element(crl, tbs.content)
    signature = first if first.tag == SEQUENCE else element(crl, first.end)
    issuer = element(crl, signature.end)
    return crl[issuer.start : issuer.end]


def _own(der: bytes, what: str) -> RevocationList:
    try:
        one = RevocationList(der, what)
        one.read_entries(what)
    except CertificateRejected as error:
        raise Misuse(Reason.BAD_CERTIFICATE_FILE, error.detail) from error
    return one


def _parse(data: bytes, what: str) -> list[RevocationList]:
    if data.startswith(b"\x30"):
        return [_own(data, what)]
    try:
        ders = ders_of(data, _CRL_LABELS, "CRL")
    except ValueError as error:
        raise Misuse(Reason.BAD_CERTIFICATE_FILE, f"{what}: {error}") from error
    if not ders:
        raise Misuse(Reason.BAD_CERTIFICATE_FILE, f"{what} holds no PEM CRL")
    return [_own(der, f"CRL {number} of {what}") for number, der in enumerate(ders, 1)]
