"""The rules of a path by their names: where each applies, what it wants, where it stands, how it is checked.

They stand in the order in which a person would mend what they find: is the path in date, are its keys and
signatures good, may its CAs issue, is it for this purpose and this name, and last what only strict profiles
ask. ``profiles.py`` says which rules each profile has.
"""

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from pellucid.errors import Reason
from pellucid.identity import rules
from pellucid.identity.der import UNDECODABLE
from pellucid.identity.reasoning import shown
from pellucid.identity.reasoning.constraints import self_issued
from pellucid.identity.reasoning.view import EMPTY_NAME, Position, Rule, View

_BRAINPOOL = (ec.BrainpoolP256R1, ec.BrainpoolP384R1, ec.BrainpoolP512R1)


def _signature(view: View, position: Position) -> None:
    if position + 1 == len(view.path):
        return
    child, issuer = view.path[position], view.path[position + 1]
    if not view.evidence.signed_by(child, issuer):
        issuer_text = rules.issuer_text(child)
        fault = f'is not signed by the key of its issuer "{issuer_text}": it was altered or forged'
        rules.refuse(child, position, Reason.BAD_CERTIFICATE, fault)


def _name(view: View, position: Position) -> None:
    if view.case.name is not None:
        rules.check_name(view.seen(position), view.case.name)


def _name_constraints(view: View, position: Position) -> None:
    """Of this certificate, upon all below it."""
    above = view.seen(position)
    if above.find(x509.NameConstraints) is not None:
        for below in range(position):
            view.evidence.constraints.check(view.seen(below), above)


def _issuer_name(view: View, position: Position) -> None:
    certificate = view.path[position]
    if view.evidence.fields(certificate).issuer == EMPTY_NAME:
        rules.refuse(certificate, position, Reason.BAD_CERTIFICATE, "names no issuer")


def _path_length(view: View, position: Position) -> None:
    # RFC 5280 4.2.1.9: "the maximum number of non-self-issued intermediate certificates that may follow"
    between = view.path[1:position]
    below = sum(not self_issued(certificate) for certificate in between)
    rules.check_path_length(view.seen(position), below)


def _check_ca_key(certificate: x509.Certificate, position: Position) -> None:
    """TLS signs nothing with a brainpool key here, but a private CA may: pyca verifies what it signed."""
    try:
        key = certificate.public_key()
    except UNDECODABLE:
        key = None
    if not (isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, _BRAINPOOL)):
        rules.check_key(certificate, position)


def _encryption_key(view: View, position: Position) -> None:
    if view.case.purpose is rules.Purpose.KEY_EXCHANGE:
        rules.check_encryption_key(view.path[position], position)


EXTENSIONS = Rule("extensions", "all", "RFC 5280 4.2", "extensions that can be read, each once",
                  View.seen, shown.extensions)  # fmt: skip
DATES = Rule("dates", "all", "RFC 5280 4.1.2.5", "now within its validity",
             lambda v, p: rules.check_dates(v.path[p], p, v.case.now), shown.dates)  # fmt: skip
KEY = Rule("key", "all", "RFC 9846 4.3.3", "RSA of 2048 to 8192 bits, P-256, P-384, P-521, EdDSA or ML-DSA",
           lambda v, p: rules.check_key(v.path[p], p), shown.key)  # fmt: skip
LEAF_KEY = KEY._replace(scope="leaf")
CA_KEY = KEY._replace(scope="issuers", check=lambda v, p: _check_ca_key(v.path[p], p),
                      expected="as in a leaf, or on a brainpool curve")  # fmt: skip
ENCRYPTION_KEY = Rule("encryption_key", "leaf", "RFC 5246 7.4.2", "rsaEncryption, for RSA key exchange",
                      _encryption_key, shown.key)  # fmt: skip
SIGNATURE_ALGORITHM = Rule(
    "signature_algorithm", "below anchor", "RFC 9846 4.5.1.3", "a signature by SHA-2, EdDSA or ML-DSA",
    lambda v, p: rules.check_signature_algorithm(v.path[p], p), shown.signature_algorithm)  # fmt: skip
SIGNATURE = Rule("signature", "below anchor", "RFC 5280 6.1.3 (a)", "signed by its issuer's key",
                 _signature, shown.signature)  # fmt: skip
VERSION = Rule("version", "all", "RFC 9846 4.5.1.2", "X.509 version 3",
               lambda v, p: rules.check_version(v.seen(p)), shown.version)  # fmt: skip
IS_CA = Rule("basic_constraints", "issuers", "RFC 5280 4.2.1.9", "basicConstraints with cA",
             lambda v, p: rules.check_is_ca(v.seen(p)), shown.basic_constraints)  # fmt: skip
PATH_LENGTH = Rule("path_length", "issuers", "RFC 5280 4.2.1.9", "no more CAs below it than it allows",
                   _path_length, shown.path_length)  # fmt: skip
# pyca counts every CA certificate, and so did we before there were profiles.
PATH_LENGTH_ALL = PATH_LENGTH._replace(
    check=lambda v, p: rules.check_path_length(v.seen(p), p - 1),
    expected="no more CA certificates below it than it allows, self-issued ones counted")  # fmt: skip
KEY_CERT_SIGN = Rule("key_cert_sign", "issuers", "RFC 5280 4.2.1.3", "keyUsage, if any, with keyCertSign",
                     lambda v, p: rules.check_signs_certificates(v.seen(p)), shown.key_usage)  # fmt: skip
KEY_USAGE = Rule("key_usage", "leaf", "RFC 9846 4.5.1.2", "keyUsage, if any, that fits the handshake",
                 lambda v, p: rules.check_leaf_usage(v.seen(p), v.case.purpose), shown.key_usage)  # fmt: skip
PURPOSE = Rule("purpose", "all", "RFC 5280 4.2.1.12", "extendedKeyUsage, if any, for this purpose",
               lambda v, p: rules.check_purpose(v.seen(p), v.case.purpose), shown.purposes)  # fmt: skip
NAME = Rule("name", "leaf", "RFC 9525 6", "the name asked for among its subjectAltName",
            _name, shown.names)  # fmt: skip
NAME_CONSTRAINTS = Rule(
    "name_constraints", "issuers", "RFC 5280 4.2.1.10", "the names of those below it within its constraints",
    _name_constraints, shown.name_constraints)  # fmt: skip
LEAF_NO_CA = Rule("leaf_is_no_ca", "leaf", "CA/Browser Forum BR 7.1.2", "no CA's certificate",
                  lambda v, p: rules.check_leaf_is_no_ca(v.seen(p)), shown.basic_constraints)  # fmt: skip
LEAF_SIGNS_NOTHING = Rule(
    "leaf_signs_no_certificates", "leaf", "RFC 5280 4.2.1.9", "keyUsage without keyCertSign",
    lambda v, p: rules.check_leaf_signs_no_certificates(v.seen(p)), shown.key_usage)  # fmt: skip
CONSTRAINTS_CRITICAL = Rule(
    "basic_constraints_critical", "issuers", "RFC 5280 4.2.1.9", "basicConstraints marked critical",
    lambda v, p: rules.check_constraints_critical(v.seen(p)), shown.basic_constraints)  # fmt: skip
CA_KEY_USAGE = Rule("ca_key_usage", "issuers", "RFC 5280 4.2.1.3", "keyUsage",
                    lambda v, p: rules.check_ca_has_key_usage(v.seen(p)), shown.key_usage)  # fmt: skip
ISSUER_NAME = Rule("issuer_name", "all", "RFC 5280 4.1.2.4", "an issuer that has a name",
                   _issuer_name, shown.issuer)  # fmt: skip
CRITICAL_EXTENSIONS = Rule(
    "critical_extensions", "all", "RFC 5280 4.2", "no critical extension that is not understood",
    lambda v, p: rules.check_critical_extensions(v.seen(p)), shown.critical)  # fmt: skip
