"""Certificate revocation lists: which count for a certificate, and which are refused (RFC 5280 5 and 6.3)."""

from __future__ import annotations

import base64
import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from pellucid.errors import CertificateRejected, Misuse, Reason
from pellucid.identity.der import element
from pellucid.identity.lab_status import sign_crl
from pellucid.identity.revocation import MAX_CRL_BYTES, RevocationList, RevocationLists, crl

NOW = 1_800_000_000.0
HOUR, DAY = 3_600, 86_400
URL = "http://crl.example/1.crl"


@pytest.fixture(scope="module")
def ca(forge: Any) -> Any:
    return forge.ca("CRL Root")


@pytest.fixture(scope="module")
def leaf(forge: Any, ca: Any) -> Any:
    return forge.leaf(ca)


def listed(ca: Any, *revoked: Any, **how: Any) -> bytes:
    certificates = [one.certificate for one in revoked]
    return sign_crl(ca.certificate, ca.key, how.pop("this_update", NOW - HOUR), certificates, **how)


def refusal(der: bytes, leaf: Any, ca: Any, now: float = NOW) -> str:
    with pytest.raises(CertificateRejected) as caught:
        RevocationList(der).status_of(leaf.certificate, ca.certificate, now)
    assert caught.value.reason is Reason.BAD_CERTIFICATE_STATUS
    return caught.value.detail


def test_who_is_not_on_the_list_is_good(leaf: Any, ca: Any) -> None:
    status = RevocationList(listed(ca)).status_of(leaf.certificate, ca.certificate, NOW)
    assert (status.verdict, status.signer) == ("good", "the issuer")
    assert (status.this_update, status.good_until) == (NOW - HOUR, NOW - HOUR + 7 * DAY)


def test_who_is_on_the_list_is_revoked_with_time_and_reason(leaf: Any, ca: Any) -> None:
    status = RevocationList(listed(ca, leaf)).status_of(leaf.certificate, ca.certificate, NOW)
    assert (status.verdict, status.revoked_at, status.why_revoked) == ("revoked", NOW - HOUR, "keyCompromise")


@pytest.mark.parametrize("kind", ["rsa_2048", "ecdsa_p384", "ed25519", "ed448", "mldsa44"])
def test_an_issuer_with_any_kind_of_key_may_sign(forge: Any, kind: str) -> None:
    ca = forge.ca("Root", kind=kind)
    leaf = forge.leaf(ca)
    lists = RevocationList(listed(ca, leaf))
    for _ in range(2):  # the second time the signature is known to hold
        assert lists.status_of(leaf.certificate, ca.certificate, NOW).verdict == "revoked"


# -- whose it is


def test_a_list_of_another_issuer_says_nothing(forge: Any, leaf: Any, ca: Any) -> None:
    assert "is of another issuer" in refusal(listed(forge.ca("Other Root"), leaf), leaf, ca)


def test_a_list_by_a_namesake_says_nothing(forge: Any, leaf: Any, ca: Any) -> None:
    namesake = forge.ca("CRL Root", key_label="a namesake's key")
    assert 'is not signed by the key of "CN=CRL Root"' in refusal(listed(namesake, leaf), leaf, ca)
    lists = RevocationList(listed(namesake))
    lists.status_of(forge.leaf(namesake).certificate, namesake.certificate, NOW)
    with pytest.raises(CertificateRejected, match="is not signed by the key"):
        lists.status_of(leaf.certificate, ca.certificate, NOW)


def test_a_list_with_a_changed_byte_says_nothing(leaf: Any, ca: Any) -> None:
    der = bytearray(listed(ca, leaf))
    der[-1] ^= 1
    assert "is not signed by the key" in refusal(bytes(der), leaf, ca)


def test_an_issuer_that_may_not_sign_lists_does_not(forge: Any) -> None:
    ca = forge.ca("No Lists", usage=forge.key_usage("key_cert_sign"))
    assert "lacks cRLSign" in refusal(listed(ca), forge.leaf(ca), ca)
    ca = forge.ca("No Lists", usage=None)
    lists = RevocationList(listed(ca))
    assert lists.status_of(forge.leaf(ca).certificate, ca.certificate, NOW).verdict == "good"


def test_who_may_sign_no_lists_does_not_by_another_certificate_of_the_same_key(forge: Any) -> None:
    """That the signature is known to hold does not mean that this issuer may have made it."""
    ca = forge.ca("Twice")
    twin = forge.ca("Twice", usage=forge.key_usage("key_cert_sign"))
    assert ca.key.public_key() == twin.key.public_key()
    lists, leaf = RevocationList(listed(ca)), forge.leaf(ca)
    assert lists.status_of(leaf.certificate, ca.certificate, NOW).verdict == "good"
    with pytest.raises(CertificateRejected, match="lacks cRLSign"):
        lists.status_of(leaf.certificate, twin.certificate, NOW)


def test_a_list_that_its_issuer_has_not_signed_is_not_read(
    leaf: Any, ca: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What comes by http may be anybody's, and have 800,000 entries; the signature is checked once."""
    der = bytearray(listed(ca, leaf))
    der[-1] ^= 1
    forged, checked = RevocationList(bytes(der)), []

    def entries(*_: Any) -> Any:
        raise AssertionError

    def signed(*_: Any) -> bool:
        checked.append(1)
        return False

    monkeypatch.setattr(crl, "_understood_entries", entries)
    monkeypatch.setattr(crl, "signed_list", signed)
    for _ in range(3):
        with pytest.raises(CertificateRejected, match="is not signed by the key"):
            forged.status_of(leaf.certificate, ca.certificate, NOW)
    assert checked == [1]


def test_a_list_signed_with_a_short_hash_says_nothing(forge: Any) -> None:
    ca = forge.ca("RSA Root", kind="rsa_2048")
    start, end = (dt.datetime.fromtimestamp(moment, dt.UTC) for moment in (NOW - HOUR, NOW + DAY))
    builder = x509.CertificateRevocationListBuilder().issuer_name(ca.certificate.subject)
    der = builder.last_update(start).next_update(end).sign(ca.key, hashes.SHA224()).public_bytes(Encoding.DER)
    assert "broken or short hash sha224" in refusal(der, forge.leaf(ca), ca)


# -- when it holds


@pytest.mark.parametrize(
    "this_update, next_update, words",
    [
        (NOW + 240, NOW + DAY, ""),
        (NOW + 360, NOW + DAY, "of the future"),
        (NOW - DAY, NOW - 240, ""),
        (NOW - DAY, NOW - 360, "out of date"),
    ],
)
def test_a_list_holds_from_its_update_to_the_next(
    leaf: Any, ca: Any, this_update: float, next_update: float, words: str
) -> None:
    der = listed(ca, this_update=this_update, next_update=next_update)
    if words:
        assert words in refusal(der, leaf, ca)
    else:
        assert RevocationList(der).status_of(leaf.certificate, ca.certificate, NOW).verdict == "good"


@pytest.mark.parametrize("reason, words", [("keyCompromise", ""), ("certificateHold", "out of date")])
def test_who_was_revoked_stays_so_when_the_list_is_old(leaf: Any, ca: Any, reason: str, words: str) -> None:
    """RFC 5280 3.3: an entry stays until the certificate has expired. Only a hold may be over."""
    entry = (x509.CRLReason(x509.ReasonFlags(reason)), False)
    der = with_entry(ca, leaf.certificate.serial_number, entry, days=(-9, -1))
    if words:
        assert words in refusal(der, leaf, ca)
    else:
        assert RevocationList(der).status_of(leaf.certificate, ca.certificate, NOW).verdict == "revoked"
    assert "of the future" in refusal(der, leaf, ca, NOW - 10 * DAY)
    other = with_entry(ca, 7, entry, days=(-9, -1))
    assert "out of date" in refusal(other, leaf, ca)


# -- what it is of


def scope(**knobs: Any) -> x509.IssuingDistributionPoint:
    names = {"full_name": None, "relative_name": None, "only_some_reasons": None}
    kinds = ("user_certs", "ca_certs", "attribute_certs")
    flags = {"indirect_crl": False} | {f"only_contains_{kind}": False for kind in kinds}
    return x509.IssuingDistributionPoint(**(names | flags | knobs))


def url(text: str) -> x509.UniformResourceIdentifier:
    return x509.UniformResourceIdentifier(text)


NOT_UNDERSTOOD: dict[str, tuple[x509.ExtensionType, str]] = {
    "delta": (x509.DeltaCRLIndicator(1), "is a delta CRL"),
    "indirect": (scope(indirect_crl=True), "it is an indirect CRL"),
    "attributes": (scope(only_contains_attribute_certs=True), "of attribute certificates"),
    "unknown": (
        x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\5\0"),
        "critical extension 1.2.3.4",
    ),
}


@pytest.mark.parametrize("what", NOT_UNDERSTOOD)
def test_a_list_of_a_kind_that_is_not_understood_is_refused(leaf: Any, ca: Any, what: str) -> None:
    extension, words = NOT_UNDERSTOOD[what]
    der = listed(ca, leaf, extensions=[(extension, True)])
    assert words in refusal(der, leaf, ca)
    with pytest.raises(Misuse, match=words):
        RevocationLists.from_der([der])


def test_a_delta_is_refused_even_if_it_does_not_call_that_critical(leaf: Any, ca: Any) -> None:
    der = listed(ca, extensions=[(x509.DeltaCRLIndicator(1), False)])
    assert "is a delta CRL" in refusal(der, leaf, ca)


def test_another_extension_is_passed_over(leaf: Any, ca: Any) -> None:
    der = listed(ca, leaf, extensions=[(NOT_UNDERSTOOD["unknown"][0], False)])
    assert RevocationList(der).status_of(leaf.certificate, ca.certificate, NOW).verdict == "revoked"


def with_entry(
    ca: Any, serial_number: int, *extensions: tuple[x509.ExtensionType, bool], days: tuple[int, int] = (-1, 1)
) -> bytes:
    """A list with one entry; ``days`` from now on it is of, and until."""
    start, end = (dt.datetime.fromtimestamp(NOW + count * DAY, dt.UTC) for count in days)
    entry = x509.RevokedCertificateBuilder().serial_number(serial_number).revocation_date(start)
    for extension, critical in extensions:
        entry = entry.add_extension(extension, critical=critical)
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(ca.certificate.subject)
        .last_update(start)
        .next_update(end)
        .add_revoked_certificate(entry.build())
    )
    return builder.sign(ca.key, hashes.SHA256()).public_bytes(Encoding.DER)


def test_an_entry_with_a_critical_extension_spoils_the_list(leaf: Any, ca: Any) -> None:
    issuer = x509.CertificateIssuer([x509.DirectoryName(ca.certificate.subject)])
    der = with_entry(ca, 7, (issuer, True))
    assert "an entry with a critical extension" in refusal(der, leaf, ca)
    with pytest.raises(Misuse, match="an entry with a critical extension"):
        RevocationLists.from_der([der])


def test_what_is_understood_may_be_critical(leaf: Any, ca: Any) -> None:
    """RFC 5280 5.2 and 5.3 refuse what "the application cannot process", and that alone."""
    when = dt.datetime.fromtimestamp(NOW - DAY, dt.UTC)
    reason = x509.CRLReason(x509.ReasonFlags.key_compromise)
    der = with_entry(ca, leaf.certificate.serial_number, (reason, True), (x509.InvalidityDate(when), True))
    status = RevocationList(der).status_of(leaf.certificate, ca.certificate, NOW)
    assert (status.verdict, status.why_revoked) == ("revoked", "keyCompromise")
    key = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca.key.public_key())
    der = listed(ca, leaf, extensions=[(key, True)])
    assert RevocationList(der).status_of(leaf.certificate, ca.certificate, NOW).verdict == "revoked"


def test_a_list_of_authorities_says_nothing_of_a_leaf_and_the_reverse(forge: Any, leaf: Any, ca: Any) -> None:
    below = forge.ca("Below", ca)
    of_authorities = listed(ca, extensions=[(scope(only_contains_ca_certs=True), True)])
    of_leaves = listed(ca, extensions=[(scope(only_contains_user_certs=True), True)])
    assert "is of CA certificates" in refusal(of_authorities, leaf, ca)
    assert "certificates that are no CA's" in refusal(of_leaves, below, ca)
    for der, one in ((of_authorities, below), (of_leaves, leaf)):
        assert RevocationList(der).status_of(one.certificate, ca.certificate, NOW).verdict == "good"


RELATIVE = x509.RelativeDistinguishedName([x509.NameAttribute(x509.NameOID.COMMON_NAME, "part 1")])
NARROW = {
    "reasons": scope(only_some_reasons=frozenset({x509.ReasonFlags.key_compromise})),
    "authorities": scope(only_contains_ca_certs=True),
    "a relative name": scope(relative_name=RELATIVE),
    "another part": scope(full_name=[url("http://crl.example/2.crl")]),
}


@pytest.mark.parametrize("what", NARROW)
def test_who_is_on_a_list_of_its_issuer_is_revoked_whatever_the_list_is_of(
    leaf: Any, ca: Any, what: str
) -> None:
    """RFC 5280 5.2.5: for who does not go by the scope, only what is "not listed on this CRL" is unknown."""
    narrow = [(NARROW[what], True)]
    der = listed(ca, leaf, extensions=narrow)
    assert RevocationList(der).status_of(leaf.certificate, ca.certificate, NOW).verdict == "revoked"
    assert refusal(listed(ca, extensions=narrow), leaf, ca)


def test_a_list_for_some_reasons_clears_nobody(leaf: Any, ca: Any) -> None:
    der = listed(ca, extensions=[(NARROW["reasons"], True)])
    assert "is of revocations for some reasons only" in refusal(der, leaf, ca)


def points(*texts: str, **knobs: Any) -> x509.CRLDistributionPoints:
    parts = {"relative_name": None, "reasons": None, "crl_issuer": None} | knobs
    return x509.CRLDistributionPoints(
        [x509.DistributionPoint(full_name=[url(text)], **parts) for text in texts]
    )


def test_a_part_is_of_those_that_name_it(forge: Any, leaf: Any, ca: Any) -> None:
    """Public authorities split their lists: who is not on another's part may still be revoked."""
    der = listed(ca, extensions=[(scope(full_name=[url(URL)]), True)])
    named = forge.leaf(ca, extensions=[(points("http://crl.example/0.crl", URL), False)])
    assert RevocationList(der).status_of(named.certificate, ca.certificate, NOW).verdict == "good"
    of_another = forge.leaf(ca, extensions=[(points("http://crl.example/2.crl"), False)])
    for one in (leaf, of_another):
        assert "does not name among its distribution points" in refusal(der, one, ca)


def test_a_list_at_the_issuers_own_name_is_of_all_that_it_issued(forge: Any, leaf: Any, ca: Any) -> None:
    """RFC 5280 6.3.3: of a list that no point names, assume "a distribution point name of the certificate
    issuer".
    """
    own, another = (x509.DirectoryName(one.certificate.subject) for one in (ca, forge.ca("Another")))
    der = listed(ca, extensions=[(scope(full_name=[own]), True)])
    assert RevocationList(der).status_of(leaf.certificate, ca.certificate, NOW).verdict == "good"
    der = listed(ca, extensions=[(scope(full_name=[another]), True)])
    assert "does not name among its distribution points" in refusal(der, leaf, ca)


def test_where_the_list_is_said_to_be(forge: Any, leaf: Any, ca: Any) -> None:
    named = forge.leaf(ca, extensions=[(points(URL, "ldap://crl.example/"), False)])
    assert crl.distribution_urls(named.certificate) == (URL,)
    assert crl.distribution_urls(leaf.certificate) == ()
    indirect = points(URL, crl_issuer=[x509.DirectoryName(ca.certificate.subject)])
    assert crl.distribution_urls(forge.leaf(ca, extensions=[(indirect, False)]).certificate) == ()


# -- what is no list


@pytest.mark.parametrize("der", [b"", b"\x30", b"\x30\x00", b"no DER"])
def test_what_is_no_list_is_refused(der: bytes) -> None:
    with pytest.raises(CertificateRejected) as caught:
        RevocationList(der)
    assert caught.value.reason is Reason.BAD_CERTIFICATE_STATUS


def test_every_cut_of_a_list_is_refused(leaf: Any, ca: Any) -> None:
    der = listed(ca, leaf)
    for length in range(0, len(der), 5):
        assert refusal(der[:length], leaf, ca)


def sequence(content: bytes) -> bytes:
    """DER: of fewer than 256 bytes, with as short a length as can be."""
    return (b"\x30\x81" if len(content) > 0x7F else b"\x30") + bytes([len(content)]) + content


def test_a_list_without_a_date_for_the_next_is_refused(leaf: Any, ca: Any) -> None:
    """RFC 5280 5.1.2.5. The library writes none, so the field is cut out; the signature is not looked at."""
    der = listed(ca, next_update=NOW + DAY)
    field = b"\x17\x0d" + f"{dt.datetime.fromtimestamp(NOW + DAY, dt.UTC):%y%m%d%H%M%SZ}".encode()
    assert field in der
    whole = element(der, 0)
    tbs = element(der, whole.content)
    shorter = sequence(der[tbs.content : tbs.end].replace(field, b""))
    cut = sequence(shorter + der[tbs.end :])
    assert "does not say when the next is due" in refusal(cut, leaf, ca)


def test_a_list_that_is_too_long_is_not_read() -> None:
    with pytest.raises(CertificateRejected, match=f"{MAX_CRL_BYTES} are accepted"):
        RevocationList(bytes(MAX_CRL_BYTES + 1))


# -- many of them


def pem(der: bytes) -> bytes:
    return b"-----BEGIN X509 CRL-----\n" + base64.encodebytes(der) + b"-----END X509 CRL-----\n"


def test_lists_come_from_files_in_either_form(forge: Any, leaf: Any, ca: Any, tmp_path: Path) -> None:
    other = forge.ca("Other Root")
    (tmp_path / "one.crl").write_bytes(listed(ca, leaf))
    (tmp_path / "two.pem").write_bytes(pem(listed(ca)) + pem(listed(other)))
    lists = RevocationLists.from_files(tmp_path / "one.crl", str(tmp_path / "two.pem"))
    assert len(lists) == 3
    assert repr(lists) == "RevocationLists(3 of 2 authorities)"
    issuer = RevocationList(listed(ca)).issuer
    verdicts = [
        one.status_of(leaf.certificate, ca.certificate, NOW).verdict for one in lists.issued_by(issuer)
    ]
    assert verdicts == ["revoked", "good"]
    assert lists.issued_by(b"\x30\x00") == ()


@pytest.mark.parametrize(
    "content, words",
    [
        (b"", "holds no PEM CRL"),
        (b"\x30\x00", "cannot be read"),
        (b"-----BEGIN X509 CRL-----\n*\n-----END X509 CRL-----\n", "CRL 1 is not base64"),
        (pem(b"no DER"), "CRL 1 of .* cannot be read"),
    ],
)
def test_what_is_no_list_is_a_misuse(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(Misuse, match=words) as caught:
        RevocationLists.from_files(tmp_path / "file")
    assert caught.value.reason is Reason.BAD_CERTIFICATE_FILE


def test_a_file_that_is_not_there_is_a_misuse(tmp_path: Path) -> None:
    with pytest.raises(Misuse, match="cannot be read"):
        RevocationLists.from_files(tmp_path / "none")


def test_the_same_lists_have_the_same_fingerprint(leaf: Any, ca: Any) -> None:
    one, other = listed(ca), listed(ca, leaf)
    assert (
        RevocationLists.from_der([one, other]).fingerprint
        == RevocationLists.from_der([other, one]).fingerprint
    )
    assert RevocationLists.from_der([one]).fingerprint != RevocationLists.from_der([other]).fingerprint


def test_no_lists_are_lists_too() -> None:
    assert RevocationLists([])
    assert len(RevocationLists([])) == 0


@pytest.mark.parametrize("flip", [0x01, 0x20, 0x80, 0xFF])
def test_a_changed_byte_never_makes_another_list(leaf: Any, ca: Any, flip: int) -> None:
    """Whatever is changed, the list is refused, or it says what its issuer has signed."""
    der = listed(ca, leaf)
    honest = RevocationList(der).status_of(leaf.certificate, ca.certificate, NOW)
    said, reasons = [], set()
    for position in range(len(der)):
        changed = der[:position] + bytes([der[position] ^ flip]) + der[position + 1 :]
        try:
            said.append(RevocationList(changed).status_of(leaf.certificate, ca.certificate, NOW))
        except CertificateRejected as error:
            reasons.add(error.reason)
    assert reasons == {Reason.BAD_CERTIFICATE_STATUS}
    assert all(status == honest for status in said)
