"""How chains are judged: the names of the profiles, and the rules that pyca's path verifier is run with.

These are its own for the web's PKI, with two changes.

pyca's verifier judges chains (RFC 5280 with the CA/Browser Forum's profile). What it leaves open here is
closed by a callback; what it asks for and a TLS client's certificate need not have is let go.
"""

from typing import Final, Literal

from cryptography import x509
from cryptography.x509.verification import Criticality, ExtensionPolicy, Policy, PolicyBuilder, Store

from pellucid.identity.rules import Purpose

#: How a peer's certificates are judged: what a configuration can ask for.
CertificateProfile = Literal["web", "private"]
CERTIFICATE_PROFILES: Final = ("web", "private")

#: CA certificates between leaf and root. The longest paths of the web's PKI have three; pyca's own default
#: is the same.
MAX_INTERMEDIATES = 8


# Setting a validator replaces pyca's own, which asks that a leaf have no keyCertSign.
def _signing(_policy: Policy, _leaf: x509.Certificate, usage: x509.KeyUsage | None) -> None:
    # RFC 9846 4.5.1.2: "the digitalSignature bit MUST be set if the Key Usage extension is present".
    if usage is not None and (usage.key_cert_sign or not usage.digital_signature):
        raise ValueError("the leaf's keyUsage must have digitalSignature and must not have keyCertSign")


def _key_enciphering(_policy: Policy, _leaf: x509.Certificate, usage: x509.KeyUsage | None) -> None:
    # RFC 5246 7.4.2: "the keyEncipherment bit MUST be set if the key usage extension is present".
    if usage is not None and (usage.key_cert_sign or not usage.key_encipherment):
        raise ValueError("the leaf's keyUsage must have keyEncipherment and must not have keyCertSign")


def policy_for(store: Store, purpose: Purpose) -> PolicyBuilder:
    """Everything of a verifier but time and name, ready to be finished once a connection."""
    usage = _key_enciphering if purpose is Purpose.KEY_EXCHANGE else _signing
    leaf = ExtensionPolicy.webpki_defaults_ee().may_be_present(x509.KeyUsage, Criticality.AGNOSTIC, usage)
    if purpose is Purpose.CLIENT:
        # Nobody compares a client's names here; private PKIs issue client certificates that have only a
        # subject.
        leaf = leaf.may_be_present(x509.SubjectAlternativeName, Criticality.AGNOSTIC, None)
    return (
        PolicyBuilder()
        .store(store)
        .max_chain_depth(MAX_INTERMEDIATES)
        .extension_policies(ca_policy=ExtensionPolicy.webpki_defaults_ca(), ee_policy=leaf)
    )
