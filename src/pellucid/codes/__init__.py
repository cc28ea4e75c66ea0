"""IANA's numbers and their names. Imports nothing of the rest of pellucid."""

from pellucid.codes.algorithms import CipherSuite, NamedGroup, SignatureScheme
from pellucid.codes.extensions import ExtensionType
from pellucid.codes.names import Registry, is_grease, known, name_of, names_of
from pellucid.codes.protocol import (
    AlertDescription,
    AlertLevel,
    CertificateStatusType,
    CertificateType,
    ClientCertificateType,
    CompressionMethod,
    ContentType,
    ECCurveType,
    ECPointFormat,
    HandshakeType,
    KeyUpdateRequest,
    MaxFragmentLengthCode,
    NameType,
    ProtocolVersion,
    PskKeyExchangeMode,
)

__all__ = [
    "AlertDescription",
    "AlertLevel",
    "CertificateStatusType",
    "CertificateType",
    "CipherSuite",
    "ClientCertificateType",
    "CompressionMethod",
    "ContentType",
    "ECCurveType",
    "ECPointFormat",
    "ExtensionType",
    "HandshakeType",
    "KeyUpdateRequest",
    "MaxFragmentLengthCode",
    "NameType",
    "NamedGroup",
    "ProtocolVersion",
    "PskKeyExchangeMode",
    "Registry",
    "SignatureScheme",
    "is_grease",
    "known",
    "name_of",
    "names_of",
]
