"""The extended key usages (RFC 5280 4.2.1.12) by their names."""

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

_USAGES = {
    ExtendedKeyUsageOID.SERVER_AUTH: "serverAuth",
    ExtendedKeyUsageOID.CLIENT_AUTH: "clientAuth",
    ExtendedKeyUsageOID.CODE_SIGNING: "codeSigning",
    ExtendedKeyUsageOID.EMAIL_PROTECTION: "emailProtection",
    ExtendedKeyUsageOID.TIME_STAMPING: "timeStamping",
    ExtendedKeyUsageOID.OCSP_SIGNING: "OCSPSigning",
    ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE: "anyExtendedKeyUsage",
}


def usage_name(oid: x509.ObjectIdentifier) -> str:
    """``serverAuth``, or the dotted number of a usage without a name here."""
    return _USAGES.get(oid, oid.dotted_string)
