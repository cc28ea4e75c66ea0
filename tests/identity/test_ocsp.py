"""OCSP responses: which of them say something about a certificate, and which prove nothing (RFC 6960)."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID
from ocsp_forgery import repeated, signed_with_pss, with_extension

from pellucid.errors import CertificateRejected, Reason
from pellucid.identity.lab_status import sign_ocsp_response
from pellucid.identity.revocation import MAX_OCSP_RESPONSE_BYTES, ocsp_request, read_ocsp
from pellucid.identity.revocation import ocsp as ocsp_module
from pellucid.identity.revocation.ocsp import responder_urls

NOW = 1_800_000_000.0
HOUR, DAY = 3_600, 86_400
SHA1 = hashes.SHA1()  # noqa: S303 - in a CertID, where it proves nothing
OCSP_SIGNING = ExtendedKeyUsageOID.OCSP_SIGNING


@pytest.fixture(scope="module")
def ca(forge: Any) -> Any:
    return forge.ca("OCSP Root")


@pytest.fixture(scope="module")
def leaf(forge: Any, ca: Any) -> Any:
    return forge.leaf(ca)


@pytest.fixture(scope="module")
def responder(forge: Any, ca: Any) -> Any:
    return forge.leaf(ca, name="Responder", names=None, purposes=(OCSP_SIGNING,))


def answer(leaf: Any, ca: Any, signer: Any = None, verdict: Any = "good", **how: Any) -> bytes:
    """A response of an hour ago, good for a day; signed by ``ca``, or by ``signer``, which it appointed."""
    how = {"this_update": NOW - HOUR, "next_update": NOW + DAY} | how
    key, responder = (ca.key, None) if signer is None else (signer.key, signer.certificate)
    return sign_ocsp_response(
        leaf.certificate, ca.certificate, key, verdict=verdict, responder=responder, **how
    )


def refusal(response: bytes, leaf: Any, ca: Any, now: float = NOW) -> str:
    with pytest.raises(CertificateRejected) as caught:
        read_ocsp(response, leaf.certificate, ca.certificate, now)
    assert caught.value.reason is Reason.BAD_CERTIFICATE_STATUS
    return caught.value.detail


@pytest.mark.parametrize("verdict", ["good", "revoked", "unknown"])
def test_the_issuers_word_counts(leaf: Any, ca: Any, verdict: str) -> None:
    status = read_ocsp(answer(leaf, ca, verdict=verdict), leaf.certificate, ca.certificate, NOW)
    assert (status.verdict, status.signer) == (verdict, "the issuer")
    assert (status.this_update, status.next_update, status.good_until) == (NOW - HOUR, NOW + DAY, NOW + DAY)


def test_a_revoked_certificate_comes_with_time_and_reason(leaf: Any, ca: Any) -> None:
    status = read_ocsp(answer(leaf, ca, verdict="revoked"), leaf.certificate, ca.certificate, NOW)
    assert (status.revoked_at, status.why_revoked) == (NOW - HOUR, "keyCompromise")
    assert str(status).startswith(
        "revoked since 2027-01-15 07:00:00 UTC (keyCompromise), by an OCSP response"
    )


@pytest.mark.parametrize("kind", ["rsa_2048", "ecdsa_p384", "ecdsa_p521", "ed25519", "ed448", "mldsa44"])
def test_an_issuer_with_any_kind_of_key_may_answer(forge: Any, kind: str) -> None:
    ca = forge.ca("Root", kind=kind)
    leaf = forge.leaf(ca)
    assert read_ocsp(answer(leaf, ca), leaf.certificate, ca.certificate, NOW).verdict == "good"


@pytest.mark.parametrize("by_key", [True, False])
@pytest.mark.parametrize("hash_algorithm", [SHA1, hashes.SHA256(), hashes.SHA384(), hashes.SHA512()])
def test_names_by_key_or_by_name_and_any_hash_find_the_issuer(
    leaf: Any, ca: Any, by_key: bool, hash_algorithm: hashes.HashAlgorithm
) -> None:
    response = answer(leaf, ca, by_key=by_key, hash_algorithm=hash_algorithm)
    assert read_ocsp(response, leaf.certificate, ca.certificate, NOW).verdict == "good"


@pytest.mark.parametrize("by_key", [True, False])
def test_a_responder_that_the_issuer_has_appointed_may_answer(
    leaf: Any, ca: Any, responder: Any, by_key: bool
) -> None:
    status = read_ocsp(answer(leaf, ca, responder, by_key=by_key), leaf.certificate, ca.certificate, NOW)
    assert status.verdict == "good"
    assert status.signer == 'the issuer\'s responder "CN=Responder"'


# -- who may not answer


def test_a_response_by_another_key_is_refused(forge: Any, leaf: Any, ca: Any) -> None:
    impostor = forge.ca("OCSP Root", key_label="another key")
    detail = refusal(answer(leaf, ca, impostor, by_key=False), leaf, ca)
    assert 'not signed by the issuer "CN=OCSP Root"; "CN=OCSP Root" is not for OCSPSigning' in detail


def test_a_response_with_a_changed_byte_is_refused(leaf: Any, ca: Any) -> None:
    response = bytearray(answer(leaf, ca))
    response[-1] ^= 1
    assert "signed by nobody who may" in refusal(bytes(response), leaf, ca)


def test_a_server_may_not_answer_for_itself(forge: Any, leaf: Any, ca: Any) -> None:
    """The attack that the purpose is for: whoever has any certificate of the same issuer."""
    assert "is not for OCSPSigning" in refusal(answer(leaf, ca, leaf), leaf, ca)
    anything = forge.leaf(ca, purposes=(ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,))
    assert "is not for OCSPSigning" in refusal(answer(leaf, ca, anything), leaf, ca)
    without = forge.leaf(ca, purposes=None)
    assert "is not for OCSPSigning" in refusal(answer(leaf, ca, without), leaf, ca)


def test_a_responder_of_another_issuer_is_refused(forge: Any, leaf: Any, ca: Any) -> None:
    stranger = forge.leaf(forge.ca("Other Root"), name="Responder", names=None, purposes=(OCSP_SIGNING,))
    assert "was not issued by the certificate's issuer" in refusal(answer(leaf, ca, stranger), leaf, ca)


def test_a_responder_that_was_appointed_by_a_namesake_is_refused(forge: Any, leaf: Any, ca: Any) -> None:
    namesake = forge.ca("OCSP Root", key_label="a namesake's key")
    stranger = forge.leaf(namesake, name="Responder", names=None, purposes=(OCSP_SIGNING,))
    assert "was not issued by the certificate's issuer" in refusal(answer(leaf, ca, stranger), leaf, ca)


def test_a_responder_below_an_intermediate_is_not_issued_directly(forge: Any, leaf: Any, ca: Any) -> None:
    below = forge.leaf(forge.ca("Below", ca), name="Responder", names=None, purposes=(OCSP_SIGNING,))
    assert "was not issued by the certificate's issuer" in refusal(answer(leaf, ca, below), leaf, ca)


FAULTY_RESPONDERS: dict[str, tuple[dict[str, Any], str]] = {
    "expired": ({"days": (-10, -1)}, "expired 1 day ago"),
    "of the future": ({"days": (1, 10)}, "not valid for another 1 day"),
    "one that may not sign": ({"usage": "key_encipherment"}, "lacks digitalSignature"),
    "one with a critical extension": (
        {"extensions": [(x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\5\0"), True)]},
        "critical extension 1.2.3.4",
    ),
    "one with a weak key": ({"kind": "rsa_1024"}, "1024"),
    "one with a key on another curve": ({"kind": "brainpool"}, "brainpoolP256r1"),
}


@pytest.mark.parametrize("what", FAULTY_RESPONDERS)
def test_a_responder_that_is_not_sound_is_refused(forge: Any, leaf: Any, ca: Any, what: str) -> None:
    knobs, words = FAULTY_RESPONDERS[what]
    if isinstance(knobs.get("usage"), str):
        knobs = knobs | {"usage": forge.key_usage(knobs["usage"])}
    faulty = forge.leaf(ca, name="Responder", names=None, purposes=(OCSP_SIGNING,), **knobs)
    assert words in refusal(answer(leaf, ca, faulty), leaf, ca)


def test_a_responder_is_judged_anew_each_time(leaf: Any, ca: Any, responder: Any) -> None:
    """What is remembered of a response is its signature, and not that it was current."""
    response = answer(leaf, ca, responder, next_update=NOW + 90 * DAY)
    assert read_ocsp(response, leaf.certificate, ca.certificate, NOW).verdict == "good"
    assert "may not any more" in refusal(response, leaf, ca, NOW + 31 * DAY)


def test_a_response_signed_with_a_broken_or_short_hash_is_refused(forge: Any) -> None:
    ca = forge.ca("RSA Root", kind="rsa_2048")
    leaf = forge.leaf(ca)
    short = built(leaf, ca).sign(ca.key, hashes.SHA224()).public_bytes(Encoding.DER)
    assert "broken or short hash sha224" in refusal(short, leaf, ca)
    # The library does not sign with SHA-1; that a response says so is enough.
    of_sha256, of_sha1 = (bytes.fromhex("2a864886f70d0101") + last for last in (b"\x0b", b"\x05"))
    broken = answer(leaf, ca).replace(of_sha256, of_sha1)
    assert "broken or short hash sha1" in refusal(broken, leaf, ca)


@pytest.mark.parametrize("critical", [True, False])
def test_a_responder_that_need_not_be_asked_after_itself_may_answer(
    forge: Any, leaf: Any, ca: Any, critical: bool
) -> None:
    """RFC 6960 4.2.2.2.1: id-pkix-ocsp-nocheck "SHOULD be a non-critical extension"; it need not."""
    extensions = [(x509.OCSPNoCheck(), critical)]
    one = forge.leaf(ca, name="Responder", names=None, purposes=(OCSP_SIGNING,), extensions=extensions)
    assert read_ocsp(answer(leaf, ca, one), leaf.certificate, ca.certificate, NOW).verdict == "good"


@pytest.mark.parametrize("used", [hashes.SHA256(), hashes.SHA384(), hashes.SHA512()])
def test_an_issuer_may_sign_with_pss(forge: Any, used: hashes.HashAlgorithm) -> None:
    ca = forge.ca("RSA Root", kind="rsa_2048")
    leaf = forge.leaf(ca)
    response = signed_with_pss(answer(leaf, ca), ca.key, used)
    assert read_ocsp(response, leaf.certificate, ca.certificate, NOW).verdict == "good"
    assert "signed by nobody who may" in refusal(response[:-1] + bytes([response[-1] ^ 1]), leaf, ca)


def test_pss_with_a_hash_that_is_broken_or_short_or_not_named_is_refused(forge: Any) -> None:
    ca = forge.ca("RSA Root", kind="rsa_2048")
    leaf = forge.leaf(ca)
    for used, named in ((hashes.SHA224(), None), (SHA1, b"")):
        response = signed_with_pss(answer(leaf, ca), ca.key, used, named)
        assert "is signed with RSASSA-PSS" in refusal(response, leaf, ca)


# -- what it is about


def built(
    leaf: Any, ca: Any, *extensions: tuple[x509.ExtensionType, bool], responder: Any = None
) -> ocsp.OCSPResponseBuilder:
    start, end = (dt.datetime.fromtimestamp(moment, dt.UTC) for moment in (NOW - HOUR, NOW + DAY))
    builder = (
        ocsp.OCSPResponseBuilder()
        .add_response(
            leaf.certificate, ca.certificate, SHA1, ocsp.OCSPCertStatus.GOOD, start, end, None, None
        )
        .responder_id(ocsp.OCSPResponderEncoding.HASH, (responder or ca).certificate)
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder


def test_a_response_for_another_serial_is_refused(lab: Any) -> None:
    one, other = lab.issue("ecdsa"), lab.issue("rsa")
    response = lab.ocsp_response(other.certificate)
    with pytest.raises(CertificateRejected, match="about another certificate"):
        read_ocsp(response, one.certificate, lab.intermediate, NOW)


def test_the_same_serial_of_another_issuer_is_another_certificate(forge: Any, leaf: Any, ca: Any) -> None:
    """Serial numbers are unique for an issuer only: all that the forge makes have the same."""
    namesake = forge.ca("OCSP Root", key_label="a namesake's key")
    theirs = forge.leaf(namesake)
    builder = built(theirs, namesake, responder=ca)
    response = builder.sign(ca.key, hashes.SHA256()).public_bytes(Encoding.DER)
    assert "about another certificate" in refusal(response, leaf, ca)


def test_a_critical_extension_is_refused_and_another_ignored(leaf: Any, ca: Any) -> None:
    unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
    ignored = built(leaf, ca, (unknown, False), (x509.OCSPNonce(b"12345678"), False))
    response = ignored.sign(ca.key, hashes.SHA256()).public_bytes(Encoding.DER)
    assert read_ocsp(response, leaf.certificate, ca.certificate, NOW).verdict == "good"
    critical = built(leaf, ca, (unknown, True)).sign(ca.key, hashes.SHA256()).public_bytes(Encoding.DER)
    assert "critical extension 1.2.3.4" in refusal(critical, leaf, ca)


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("critical", [False, True])
def test_a_critical_extension_of_the_answer_is_refused_beside_others_too(
    leaf: Any, ca: Any, several: bool, critical: bool
) -> None:
    """The library shows the extensions of an answer only where it is alone."""
    one = with_extension(answer(leaf, ca), ca.key, critical=critical, several=several)
    if critical:
        assert "critical extension" in refusal(one, leaf, ca)
    else:
        assert read_ocsp(one, leaf.certificate, ca.certificate, NOW).verdict == "good"


def test_a_response_full_of_answers_is_read_in_no_time(leaf: Any, ca: Any, monkeypatch: Any) -> None:
    """A peer chooses how many there are; each costs a comparison, and the hashes are made once."""
    made: list[bytes] = []
    digest = ocsp_module._digest

    def counted(algorithm: hashes.HashAlgorithm, data: bytes) -> bytes:
        made.append(data)
        return digest(algorithm, data)

    monkeypatch.setattr(ocsp_module, "_digest", counted)
    assert read_ocsp(repeated(answer(leaf, ca), ca.key, 500), leaf.certificate, ca.certificate, NOW)
    assert len(made) <= 3


# -- when it holds

MINUTE = 60


@pytest.mark.parametrize(
    "this_update, next_update, words",
    [
        (NOW + 4 * MINUTE, NOW + DAY, ""),
        (NOW + 6 * MINUTE, NOW + DAY, "of the future"),
        (NOW - DAY, NOW - 4 * MINUTE, ""),
        (NOW - DAY, NOW - 6 * MINUTE, "out of date: the next was due by"),
        (NOW - 60 * DAY, NOW + MINUTE, ""),
        (NOW - 23 * HOUR, None, ""),
        (NOW - 25 * HOUR, None, "names no next update"),
    ],
)
def test_a_response_holds_from_its_update_to_the_next(
    leaf: Any, ca: Any, this_update: float, next_update: float | None, words: str
) -> None:
    response = answer(leaf, ca, this_update=this_update, next_update=next_update)
    if words:
        assert words in refusal(response, leaf, ca)
    else:
        assert read_ocsp(response, leaf.certificate, ca.certificate, NOW).verdict == "good"


@pytest.mark.parametrize(
    "reason, words", [("keyCompromise", ""), ("unspecified", ""), ("certificateHold", "out of date")]
)
def test_who_was_revoked_stays_so_when_the_answer_is_old(leaf: Any, ca: Any, reason: str, words: str) -> None:
    """RFC 6960 2.2: "either temporarily (the revocation reason is certificateHold) or permanently"."""
    start, end = (dt.datetime.fromtimestamp(moment, dt.UTC) for moment in (NOW - 9 * DAY, NOW - DAY))
    builder = ocsp.OCSPResponseBuilder().add_response(
        leaf.certificate, ca.certificate, SHA1, ocsp.OCSPCertStatus.REVOKED, start, end, start,
        x509.ReasonFlags(reason),
    )  # fmt: skip
    signed = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, ca.certificate).sign(
        ca.key, hashes.SHA256()
    )
    response = signed.public_bytes(Encoding.DER)
    if words:
        assert words in refusal(response, leaf, ca)
    else:
        assert read_ocsp(response, leaf.certificate, ca.certificate, NOW).verdict == "revoked"
    early = NOW - 10 * DAY
    assert "of the future" in refusal(response, leaf, ca, early)


# -- what is no answer


@pytest.mark.parametrize(
    "status", [one for one in ocsp.OCSPResponseStatus if one is not ocsp.OCSPResponseStatus.SUCCESSFUL]
)
def test_an_excuse_is_no_answer(leaf: Any, ca: Any, status: ocsp.OCSPResponseStatus) -> None:
    response = ocsp.OCSPResponseBuilder.build_unsuccessful(status).public_bytes(Encoding.DER)
    assert f"the responder's excuse {status.name.lower()}" in refusal(response, leaf, ca)


@pytest.mark.parametrize("response", [b"", b"\x30", b"\x30\x00", b"no DER", b"\x30\x03\x0a\x01\x00"])
def test_what_is_no_response_is_refused(leaf: Any, ca: Any, response: bytes) -> None:
    assert refusal(response, leaf, ca)


def test_every_cut_of_a_response_is_refused(leaf: Any, ca: Any, responder: Any) -> None:
    response = answer(leaf, ca, responder)
    for length in range(0, len(response), 7):
        assert refusal(response[:length], leaf, ca)


def test_a_response_that_is_too_long_is_not_read(leaf: Any, ca: Any) -> None:
    assert f"{MAX_OCSP_RESPONSE_BYTES} are accepted" in refusal(bytes(MAX_OCSP_RESPONSE_BYTES + 1), leaf, ca)


def test_only_the_first_responders_are_looked_at(forge: Any, leaf: Any, ca: Any, responder: Any) -> None:
    """A response full of certificates costs no more than a few signatures."""
    many = [leaf.certificate] * 4
    builder = built(leaf, ca, responder=responder)
    signed = builder.certificates([*many, responder.certificate]).sign(responder.key, hashes.SHA256())
    response = signed.public_bytes(Encoding.DER)
    assert "signed by nobody who may" in refusal(response, leaf, ca)


# -- asking


def test_a_request_names_the_certificate(leaf: Any, ca: Any) -> None:
    request = ocsp.load_der_ocsp_request(ocsp_request(leaf.certificate, ca.certificate))
    assert request.serial_number == leaf.certificate.serial_number
    assert not list(request.extensions)


def test_responders_are_those_of_the_certificate_by_http(lab: Any, leaf: Any) -> None:
    url = "http://ocsp.example/"
    assert responder_urls(lab.issue(ocsp_url=url).certificate) == (url,)
    assert responder_urls(lab.issue(ocsp_url="ldap://ocsp.example/").certificate) == ()
    assert responder_urls(leaf.certificate) == ()


@pytest.mark.parametrize("flip", [0x01, 0x20, 0x80, 0xFF])
def test_a_changed_byte_never_makes_another_answer(leaf: Any, ca: Any, responder: Any, flip: int) -> None:
    """Whatever is changed, the response is refused, or it says what its signer has signed."""
    response = answer(leaf, ca, responder, verdict="revoked")
    honest = read_ocsp(response, leaf.certificate, ca.certificate, NOW)
    said, reasons = [], set()
    for position in range(len(response)):
        changed = response[:position] + bytes([response[position] ^ flip]) + response[position + 1 :]
        try:
            said.append(read_ocsp(changed, leaf.certificate, ca.certificate, NOW))
        except CertificateRejected as error:
            reasons.add(error.reason)
    assert reasons == {Reason.BAD_CERTIFICATE_STATUS}
    assert all(status == honest for status in said)


def test_an_issuer_whose_key_only_a_private_profile_takes_may_answer(forge: Any) -> None:
    """Whether its key is good enough was decided with the path, of which it is a part."""
    ca = forge.ca("Private Root", kind="brainpool")
    leaf = forge.leaf(ca)
    assert read_ocsp(answer(leaf, ca), leaf.certificate, ca.certificate, NOW).verdict == "good"
