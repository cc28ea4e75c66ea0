"""What OpenSSL 3 says of a chain in its default, and CPython 3.13's default context, as rules of ours.

Both build *one* path and judge that: at each step the first certificate that could have issued the last one,
trusted ones before sent ones, by name and key identifiers, without a look at signatures. CPython sets
VERIFY_X509_STRICT, and VERIFY_X509_PARTIAL_CHAIN, by which any trusted certificate ends a path and not only
a self-signed one. Both have TLS's security level 2 (OpenSSL's default since 3.2; CPython's cipher string).

The functions of OpenSSL's crypto/x509 that say so are named beside the rules. Held against both in
tests/identity/test_profiles.py. Not modelled: certificate policies, proxy certificates, suite B,
and that it takes an address in a URI for a host name where URIs are constrained.
"""

from typing import Final, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtensionOID, NameOID
from cryptography.x509.oid import PublicKeyAlgorithmOID as Keys
from cryptography.x509.oid import SignatureAlgorithmOID as Signatures

from pellucid.errors import CertificateRejected, Reason
from pellucid.identity import rules
from pellucid.identity.der import UNDECODABLE
from pellucid.identity.names import DnsName, IpAddress, is_host_name
from pellucid.identity.profile import MAX_INTERMEDIATES
from pellucid.identity.reasoning import catalogue as c
from pellucid.identity.reasoning import shown
from pellucid.identity.reasoning.constraints import self_issued
from pellucid.identity.reasoning.view import EMPTY_NAME, Evidence, Position, Rule, View
from pellucid.identity.rules import Purpose, Seen

#: 112 bits, which level 2 asks for: RSA of 2048 bits, curves of 224.
_LEAST_RSA_BITS, _LEAST_EC_BITS = 2048, 224
_SHORT_HASHES = frozenset({"md5", "sha1"})

# X509_supported_extension (v3_purp.c), without those that TLS does not meet.
_SUPPORTED = rules.UNDERSTOOD | {
    ExtensionOID.CERTIFICATE_POLICIES,
    ExtensionOID.CRL_DISTRIBUTION_POINTS,
    ExtensionOID.POLICY_CONSTRAINTS,
    ExtensionOID.POLICY_MAPPINGS,
    ExtensionOID.INHIBIT_ANY_POLICY,
    ExtensionOID.AUTHORITY_KEY_IDENTIFIER,
    ExtensionOID.SUBJECT_KEY_IDENTIFIER,
}

# The keys that can have made a signature: a key for PSS alone makes no other.
_RSA, _EC = {Keys.RSAES_PKCS1_v1_5}, {Keys.EC_PUBLIC_KEY}
_KEYS_OF = {
    Signatures.RSA_WITH_SHA1: _RSA,
    Signatures.RSA_WITH_SHA224: _RSA,
    Signatures.RSA_WITH_SHA256: _RSA,
    Signatures.RSA_WITH_SHA384: _RSA,
    Signatures.RSA_WITH_SHA512: _RSA,
    Signatures.RSASSA_PSS: _RSA | {Keys.RSASSA_PSS},
    Signatures.ECDSA_WITH_SHA1: _EC,
    Signatures.ECDSA_WITH_SHA224: _EC,
    Signatures.ECDSA_WITH_SHA256: _EC,
    Signatures.ECDSA_WITH_SHA384: _EC,
    Signatures.ECDSA_WITH_SHA512: _EC,
    Signatures.ED25519: {Keys.ED25519},
    Signatures.ED448: {Keys.ED448},
}


class Built(NamedTuple):
    """The one path, and whether it ends at a trusted certificate."""

    path: tuple[x509.Certificate, ...]
    trusted: bool


def build(evidence: Evidence, *, partial_chain: bool) -> Built:
    """build_chain (x509_vfy.c): no way back from a wrong turn."""
    case = evidence.case
    path = [case.chain[0]]
    only_trusted = False
    while len(path) <= MAX_INTERMEDIATES + 2:
        last = path[-1]
        self_signed = _is_self_signed(evidence, last)
        if last in case.trust and (self_signed or (partial_chain and len(path) > 1)):
            return Built(tuple(path), trusted=True)
        if self_signed:
            break
        name = evidence.fields(last).issuer
        issuer = _best(evidence, last, [one for one in case.trust.named(name) if one not in path])
        if issuer is None and not only_trusted:
            issuer = _best(evidence, last, [one for one in evidence.sent.get(name, ()) if one not in path])
        elif issuer is not None:
            only_trusted = True
        if issuer is None:
            break
        path.append(issuer)
    # Whether the leaf is trusted by itself is asked last (check_trust), of a path that is as long as can be.
    trusts_leaf = partial_chain and not only_trusted and path[0] in case.trust
    return Built(tuple(path), trusted=trusts_leaf)


def _is_self_signed(evidence: Evidence, certificate: x509.Certificate) -> bool:
    """EXFLAG_SS: by name, identifiers and algorithm. A CA that certifies its new key is self-issued only."""
    fields = evidence.fields(certificate)
    return fields.issuer == fields.subject and _likely_issued(certificate, certificate)


def _best(
    evidence: Evidence, child: x509.Certificate, issuers: list[x509.Certificate]
) -> x509.Certificate | None:
    """find_issuer: the first that is in date; of those that are not, the one that ends last."""
    moment = rules.moment_of(evidence.case.now)
    fitting = [one for one in issuers if _may_sign(one) and _likely_issued(child, one)]
    in_date = (one for one in fitting if one.not_valid_before_utc <= moment <= one.not_valid_after_utc)
    return next(in_date, max(fitting, key=lambda one: one.not_valid_after_utc, default=None))


def _likely_issued(child: x509.Certificate, issuer: x509.Certificate) -> bool:
    """ossl_x509_likely_issued: besides the names, identifiers and the kind of key (check_sig_alg_match)."""
    kinds = _KEYS_OF.get(child.signature_algorithm_oid)
    fits = kinds is None or issuer.public_key_algorithm_oid in kinds
    return fits and _identifiers_agree(child, issuer)


def _identifiers_agree(child: x509.Certificate, issuer: x509.Certificate) -> bool:
    """X509_check_akid: keyIdentifier, issuer and serial number, where they are there, are the issuer's."""
    try:
        below, above = rules.look_at(child, 0), rules.look_at(issuer, 1)
    except CertificateRejected:
        return True
    authority = below.find(x509.AuthorityKeyIdentifier)
    if authority is None:
        return True
    wanted, own = authority.value.key_identifier, above.find(x509.SubjectKeyIdentifier)
    if wanted is not None and own is not None and wanted != own.value.digest:
        return False
    serial = authority.value.authority_cert_serial_number
    if serial is not None and serial != issuer.serial_number:
        return False
    names = authority.value.authority_cert_issuer or ()
    directory = next((one.value for one in names if isinstance(one, x509.DirectoryName)), None)
    return directory is None or directory == issuer.issuer


def _may_sign(issuer: x509.Certificate) -> bool:
    """ossl_x509_signing_allowed: keyUsage with keyCertSign, where there is one."""
    try:
        usage = rules.look_at(issuer, 1).find(x509.KeyUsage)
    except CertificateRejected:
        return True
    return usage is None or usage.value.key_cert_sign


def passed_over(evidence: Evidence, built: Built) -> CertificateRejected | None:
    """Where a path ends for want of an issuer that may sign: what one lacks that was passed over."""
    name, position = evidence.fields(built.path[-1]).issuer, len(built.path)
    for issuer in (*evidence.case.trust.named(name), *evidence.sent.get(name, ())):
        try:
            rules.check_signs_certificates(rules.look_at(issuer, position))
        except CertificateRejected as error:
            return error
    return None


def _key_level(view: View, position: Position) -> None:
    """check_key_level."""
    certificate = view.path[position]
    try:
        key = certificate.public_key()
    except UNDECODABLE as error:
        rules.refuse(certificate, position, Reason.UNSUPPORTED_CERTIFICATE, f"has an unusable key: {error}")
    if isinstance(key, rsa.RSAPublicKey):
        short = key.key_size < _LEAST_RSA_BITS
    else:
        short = isinstance(key, ec.EllipticCurvePublicKey) and key.key_size < _LEAST_EC_BITS
    if short:
        fault = f"has a key of {shown.key(view, position)}, too short for security level 2"
        rules.refuse(certificate, position, Reason.WEAK_KEY, fault)


def _signature_level(view: View, position: Position) -> None:
    """check_sig_level."""
    certificate = view.path[position]
    try:
        hashed = certificate.signature_hash_algorithm
    except UNDECODABLE as error:
        fault = f"is signed with an unknown algorithm: {error}"
        rules.refuse(certificate, position, Reason.UNSUPPORTED_CERTIFICATE, fault)
    if hashed is not None and hashed.name in _SHORT_HASHES:
        fault = f"is signed with {hashed.name}, too weak for security level 2"
        rules.refuse(certificate, position, Reason.WEAK_KEY, fault)


def _critical(view: View, position: Position) -> None:
    rules.check_critical_extensions(view.seen(position), _SUPPORTED)


def _is_ca(view: View, position: Position) -> None:
    """check_ca: of the last one also an old sign will do, version 1 or keyUsage without basicConstraints."""
    seen = view.seen(position)
    if seen.find(x509.BasicConstraints) is None and view.is_anchor(position):
        version_1 = seen.certificate.version is x509.Version.v1 and self_issued(seen.certificate)
        if version_1 or seen.find(x509.KeyUsage) is not None:
            return
    rules.check_is_ca(seen)


def _purpose(view: View, position: Position) -> None:
    """xku_reject: anyExtendedKeyUsage stands for no purpose, in a CA neither."""
    seen = view.seen(position)
    rules.check_purpose(seen._replace(position=0), view.case.purpose)


def _key_usage(view: View, position: Position) -> None:
    """check_purpose_ssl_server, check_purpose_ssl_client: any usage that some TLS handshake has."""
    seen = view.seen(position)
    usage = seen.find(x509.KeyUsage)
    if usage is None or usage.value.digital_signature or usage.value.key_agreement:
        return
    if view.case.purpose is Purpose.CLIENT or not usage.value.key_encipherment:
        seen.refuse(Reason.WRONG_PURPOSE, "has a keyUsage that fits no handshake of TLS")


def _openssl_name(view: View, position: Position) -> None:
    _host(view.seen(position), view, partial_wildcards=True)


def _python_name(view: View, position: Position) -> None:
    _host(view.seen(position), view, partial_wildcards=False)


def _host(seen: Seen, view: View, *, partial_wildcards: bool) -> None:
    """do_x509_check (v3_utl.c): the common name counts where subjectAltName has no host name."""
    wanted = view.case.name
    if wanted is None:
        return
    if isinstance(wanted, IpAddress):
        rules.check_name(seen, wanted)
        return
    patterns = _dns_names(seen) or _common_names(seen.certificate)
    if not any(_matches(pattern.lower(), wanted, partial_wildcards) for pattern in patterns):
        rules.check_name(seen, wanted)
        seen.refuse(Reason.HOSTNAME_MISMATCH, f"has a wildcard that does not stand for {wanted}")


def _dns_names(seen: Seen) -> list[str]:
    found = seen.find(x509.SubjectAlternativeName)
    return [] if found is None else found.value.get_values_for_type(x509.DNSName)


def _common_names(certificate: x509.Certificate) -> list[str]:
    try:
        found = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    except UNDECODABLE:
        return []
    return [attribute.value for attribute in found if isinstance(attribute.value, str)]


def _matches(pattern: str, wanted: DnsName, partial_wildcards: bool) -> bool:
    """equal_wildcard and valid_star: one star in the first label, and two labels behind it."""
    if pattern == wanted.text:
        return True
    label, _, rest = pattern.partition(".")
    first, _, parent = wanted.text.partition(".")
    if pattern.count("*") != 1 or "*" not in label or "." not in rest or rest != parent:
        return False
    if label == "*":
        return True
    before, _, after = label.partition("*")
    fits = len(first) >= len(label) and first.startswith(before) and first.endswith(after)
    return partial_wildcards and fits and not (before and after) and not first.startswith("xn--")


def _name_constraints(view: View, position: Position) -> None:
    """check_name_constraints: a wildcard is compared as it is written, so it may stand for excluded names;
    and a common name that would count as a host name has to be permitted as one.
    """
    above = view.seen(position)
    if above.find(x509.NameConstraints) is None:
        return
    for below in range(position):
        seen = view.seen(below)
        common = () if below or _dns_names(seen) else _common_names(seen.certificate)
        also = [x509.DNSName(name) for name in common if is_host_name(name.lower())]
        view.evidence.constraints.check(seen, above, wildcards=False, also=also)


def _strictly_identified(view: View, position: Position) -> None:
    """check_extensions, under X509_V_FLAG_X509_STRICT: RFC 5280 4.2.1.1 and 4.2.1.2."""
    seen = view.seen(position)
    authority = seen.find(x509.AuthorityKeyIdentifier)
    if position + 1 < len(view.path) and (authority is None or authority.value.key_identifier is None):
        seen.refuse_strictly("has no authorityKeyIdentifier with a keyIdentifier")
    if rules.is_ca(seen) and seen.find(x509.SubjectKeyIdentifier) is None:
        seen.refuse_strictly("is a CA's, and has no subjectKeyIdentifier")


def _strict_constraints(view: View, position: Position) -> None:
    seen = view.seen(position)
    constraints = seen.find(x509.BasicConstraints)
    if constraints is not None and constraints.value.ca:
        rules.check_constraints_critical(seen)
        rules.check_ca_has_key_usage(seen)
    elif position:
        rules.check_is_ca(seen)
    else:
        rules.check_leaf_signs_no_certificates(seen)
    if constraints is not None and constraints.value.path_length is not None:
        rules.check_signs_certificates(seen)


def _strict_names(view: View, position: Position) -> None:
    seen, fields = view.seen(position), view.evidence.fields(view.path[position])
    alternative = seen.find(x509.SubjectAlternativeName)
    if fields.issuer == EMPTY_NAME:
        seen.refuse_strictly("names no issuer")
    if fields.subject != EMPTY_NAME:
        return
    if alternative is None or rules.is_ca(seen):
        seen.refuse_strictly("has no subject")
    if not alternative.critical:
        seen.refuse_strictly("does not mark subjectAltName critical, though it has no subject")


def _strict_criticality(view: View, position: Position) -> None:
    seen = view.seen(position)
    for kind in (x509.AuthorityKeyIdentifier, x509.SubjectKeyIdentifier):
        found = seen.find(kind)
        if found is not None and found.critical:
            seen.refuse_strictly(f"marks {shown.extension_name(found.oid)} critical")


_KEY_LEVEL = Rule("key", "all", "SSL_CTX_set_security_level(3)", "112 bits of security",
                  _key_level, shown.key)  # fmt: skip
_SIGNATURE_LEVEL = Rule(
    "signature_algorithm", "below anchor", "SSL_CTX_set_security_level(3)", "a hash of 112 bits of security",
    _signature_level, shown.signature_algorithm)  # fmt: skip

#: In the order in which a person would mend them, like those of the other profiles.
OPENSSL: Final = (
    c.EXTENSIONS, c.DATES, _KEY_LEVEL, _SIGNATURE_LEVEL, c.SIGNATURE, c.IS_CA._replace(check=_is_ca),
    c.PATH_LENGTH, c.KEY_CERT_SIGN, c.KEY_USAGE._replace(check=_key_usage),
    c.PURPOSE._replace(check=_purpose), c.NAME._replace(check=_openssl_name),
    c.NAME_CONSTRAINTS._replace(check=_name_constraints), c.CRITICAL_EXTENSIONS._replace(check=_critical),
)  # fmt: skip

#: X509_V_FLAG_X509_STRICT. A path of one certificate is not looked at so.
STRICT: Final = (
    c.CONSTRAINTS_CRITICAL._replace(name="strict_constraints", scope="all", check=_strict_constraints),
    c.ISSUER_NAME._replace(name="strict_names", check=_strict_names),
    Rule("key_identifiers", "all", "RFC 5280 4.2.1.1", "identifiers of its key and of its issuer's",
         _strictly_identified, shown.key_identifiers),
    Rule("criticality", "all", "RFC 5280 4.2.1", "identifiers not marked critical",
         _strict_criticality, shown.critical),
)  # fmt: skip


def openssl_rules(profile: str, length: int) -> tuple[Rule, ...]:
    """The rules of ``openssl`` or ``python`` for a path of ``length`` certificates."""
    if profile == "openssl":
        return OPENSSL
    python = tuple(c.NAME._replace(check=_python_name) if rule.name == "name" else rule for rule in OPENSSL)
    return python + STRICT if length > 1 else python
