"""``extension_data``, type by type, as RFC 9846 4.3 and the RFCs it names declare it."""

from typing import Annotated, ClassVar

from pellucid.codes import (
    CertificateStatusType,
    CertificateType,
    ECPointFormat,
    ExtensionType,
    MaxFragmentLengthCode,
    NamedGroup,
    NameType,
    ProtocolVersion,
    PskKeyExchangeMode,
    SignatureScheme,
)
from pellucid.messages.extensions.lists import ExtensionBody
from pellucid.messages.extensions.timestamps import SignedCertificateTimestamp
from pellucid.wire import Wire, opaque, rest, struct, uint, vector


@struct
class ServerName(Wire):
    """RFC 6066 3; the only name_type there is is host_name."""

    name_type: Annotated[NameType | int, uint(1, NameType)]
    host_name: Annotated[bytes, opaque(2, low=1, text=True)]


@struct
class ServerNameList(ExtensionBody):
    """RFC 6066 3: the name that the client wants to reach, so that a server may hold many."""

    extension_type: ClassVar[ExtensionType] = ExtensionType.server_name
    server_name_list: Annotated[list[ServerName], vector(ServerName, 2, low=1)]


@struct
class ServerNameAcknowledged(ExtensionBody):
    """RFC 6066 3: the server used the name; the body is empty."""

    extension_type: ClassVar[ExtensionType] = ExtensionType.server_name


@struct
class MaxFragmentLength(ExtensionBody):
    """RFC 6066 4: the longest plaintext of a record, either way; a server answers with the same."""

    extension_type: ClassVar[ExtensionType] = ExtensionType.max_fragment_length
    max_fragment_length: Annotated[MaxFragmentLengthCode | int, uint(1, MaxFragmentLengthCode)]


@struct
class CertificateStatusRequest(ExtensionBody):
    """RFC 6066 8: the client asks for a stapled OCSP response."""

    extension_type: ClassVar[ExtensionType] = ExtensionType.status_request
    status_type: Annotated[CertificateStatusType | int, uint(1, CertificateStatusType)]
    request: Annotated[bytes, rest("extension_data.length - 1")]


@struct
class CertificateStatusRequested(ExtensionBody):
    """RFC 9846 4.5.1.1, RFC 6066 8: in a CertificateRequest and in a ServerHello, the body is empty."""

    extension_type: ClassVar[ExtensionType] = ExtensionType.status_request


@struct
class CertificateStatus(ExtensionBody):
    """RFC 9846 4.5.1.1, RFC 6066 8: the OCSP response for the certificate beside it."""

    extension_type: ClassVar[ExtensionType] = ExtensionType.status_request
    status_type: Annotated[CertificateStatusType | int, uint(1, CertificateStatusType)]
    response: Annotated[bytes, opaque(3, low=1)]


@struct
class NamedGroupList(ExtensionBody):
    """RFC 9846 4.3.7: groups for key exchange, most preferred first."""

    extension_type: ClassVar[ExtensionType] = ExtensionType.supported_groups
    named_group_list: Annotated[list[NamedGroup | int], vector(uint(2, NamedGroup), 2, low=2)]


_SCHEMES = vector(uint(2, SignatureScheme), 2, low=2, high=2**16 - 2)


@struct
class SignatureSchemeList(ExtensionBody):
    """RFC 9846 4.3.3: what the sender can verify in a CertificateVerify."""

    extension_type: ClassVar[ExtensionType] = ExtensionType.signature_algorithms
    supported_signature_algorithms: Annotated[list[SignatureScheme | int], _SCHEMES]


@struct
class SignatureSchemeListCert(ExtensionBody):
    """RFC 9846 4.3.3: what the sender can verify in certificates, where that differs."""

    extension_type: ClassVar[ExtensionType] = ExtensionType.signature_algorithms_cert
    supported_signature_algorithms: Annotated[list[SignatureScheme | int], _SCHEMES]


@struct
class ProtocolNameList(ExtensionBody):
    """RFC 7301 3.1: application protocols; the server's answer holds exactly one."""

    extension_type: ClassVar[ExtensionType] = ExtensionType.application_layer_protocol_negotiation
    protocol_name_list: Annotated[
        list[bytes], vector(opaque(1, low=1, text=True), 2, low=2, name="ProtocolName")
    ]


@struct
class SignedCertificateTimestampRequest(ExtensionBody):
    """RFC 6962 3.3.1: the client asks for timestamps of certificate transparency."""

    extension_type: ClassVar[ExtensionType] = ExtensionType.signed_certificate_timestamp


_SERIALIZED_SCT = opaque(2, low=1, holds=SignedCertificateTimestamp.codec)


@struct
class SignedCertificateTimestampList(ExtensionBody):
    """RFC 6962 3.3: the timestamps, each an opaque SerializedSCT: those of a later version pass through."""

    extension_type: ClassVar[ExtensionType] = ExtensionType.signed_certificate_timestamp
    sct_list: Annotated[list[bytes], vector(_SERIALIZED_SCT, 2, low=1, name="SerializedSCT")]


_CERTIFICATE_TYPES = vector(uint(1, CertificateType), 1, low=1)


@struct
class ClientCertTypeOffer(ExtensionBody):
    """RFC 7250 3: what the client can show, if it is asked who it is; most preferred first."""

    extension_type: ClassVar[ExtensionType] = ExtensionType.client_certificate_type
    client_certificate_types: Annotated[list[CertificateType | int], _CERTIFICATE_TYPES]


@struct
class ClientCertTypeAnswer(ExtensionBody):
    """RFC 7250 3: what the server wants the client to show."""

    extension_type: ClassVar[ExtensionType] = ExtensionType.client_certificate_type
    client_certificate_type: Annotated[CertificateType | int, uint(1, CertificateType)]


@struct
class ServerCertTypeOffer(ExtensionBody):
    """RFC 7250 3: what the client takes from a server; most preferred first."""

    extension_type: ClassVar[ExtensionType] = ExtensionType.server_certificate_type
    server_certificate_types: Annotated[list[CertificateType | int], _CERTIFICATE_TYPES]


@struct
class ServerCertTypeAnswer(ExtensionBody):
    """RFC 7250 3: what the server's Certificate holds."""

    extension_type: ClassVar[ExtensionType] = ExtensionType.server_certificate_type
    server_certificate_type: Annotated[CertificateType | int, uint(1, CertificateType)]


@struct
class Padding(ExtensionBody):
    """RFC 7685: bytes that make a ClientHello longer."""

    extension_type: ClassVar[ExtensionType] = ExtensionType.padding
    zeros: Annotated[bytes, rest("extension_data.length")]


@struct
class RecordSizeLimit(ExtensionBody):
    """RFC 8449 4: the longest plaintext that the sender wants to receive, in bytes."""

    extension_type: ClassVar[ExtensionType] = ExtensionType.record_size_limit
    record_size_limit: Annotated[int, uint(2)]


@struct
class SupportedVersionsClientHello(ExtensionBody):
    """RFC 9846 4.3.1: the versions that the client speaks, most preferred first."""

    extension_type: ClassVar[ExtensionType] = ExtensionType.supported_versions
    versions: Annotated[list[ProtocolVersion | int], vector(uint(2, ProtocolVersion), 1, low=2, high=254)]


@struct
class SupportedVersionsServerHello(ExtensionBody):
    """RFC 9846 4.3.1: the version that the server chose."""

    extension_type: ClassVar[ExtensionType] = ExtensionType.supported_versions
    selected_version: Annotated[ProtocolVersion | int, uint(2, ProtocolVersion)]


@struct
class Cookie(ExtensionBody):
    """RFC 9846 4.3.2: what the server wants to see again in the second ClientHello."""

    extension_type: ClassVar[ExtensionType] = ExtensionType.cookie
    cookie: Annotated[bytes, opaque(2, low=1)]


@struct
class PskKeyExchangeModes(ExtensionBody):
    """RFC 9846 4.3.9: how the client is willing to use a PSK."""

    extension_type: ClassVar[ExtensionType] = ExtensionType.psk_key_exchange_modes
    ke_modes: Annotated[list[PskKeyExchangeMode | int], vector(uint(1, PskKeyExchangeMode), 1, low=1)]


@struct
class CertificateAuthorities(ExtensionBody):
    """RFC 9846 4.3.4: names of authorities, DER, that should have issued the certificate."""

    extension_type: ClassVar[ExtensionType] = ExtensionType.certificate_authorities
    authorities: Annotated[list[bytes], vector(opaque(2, low=1), 2, low=3, name="DistinguishedName")]


@struct
class OIDFilter(Wire):
    """RFC 9846 4.3.5."""

    certificate_extension_oid: Annotated[bytes, opaque(1, low=1)]
    certificate_extension_values: Annotated[bytes, opaque(2)]


@struct
class OIDFilterExtension(ExtensionBody):
    """RFC 9846 4.3.5: what the client's certificate has to hold."""

    extension_type: ClassVar[ExtensionType] = ExtensionType.oid_filters
    filters: Annotated[list[OIDFilter], vector(OIDFilter, 2)]


@struct
class PostHandshakeAuth(ExtensionBody):
    """RFC 9846 4.3.6: the client may be asked for a certificate after the handshake."""

    extension_type: ClassVar[ExtensionType] = ExtensionType.post_handshake_auth


@struct
class KeyShareEntry(Wire):
    """RFC 9846 4.3.8"""

    group: Annotated[NamedGroup | int, uint(2, NamedGroup)]
    key_exchange: Annotated[bytes, opaque(2, low=1)]


@struct
class KeyShareClientHello(ExtensionBody):
    """RFC 9846 4.3.8: one public value for each group that the client guesses the server will take."""

    extension_type: ClassVar[ExtensionType] = ExtensionType.key_share
    client_shares: Annotated[list[KeyShareEntry], vector(KeyShareEntry, 2)]


@struct
class KeyShareHelloRetryRequest(ExtensionBody):
    """RFC 9846 4.3.8: the group that the server wants a share for."""

    extension_type: ClassVar[ExtensionType] = ExtensionType.key_share
    selected_group: Annotated[NamedGroup | int, uint(2, NamedGroup)]


@struct
class KeyShareServerHello(ExtensionBody):
    """RFC 9846 4.3.8: the server's public value, of a group that the client sent a share for."""

    extension_type: ClassVar[ExtensionType] = ExtensionType.key_share
    server_share: KeyShareEntry


@struct
class PskIdentity(Wire):
    """RFC 9846 4.3.11"""

    identity: Annotated[bytes, opaque(2, low=1)]
    obfuscated_ticket_age: Annotated[int, uint(4)]


@struct
class OfferedPsks(ExtensionBody):
    """RFC 9846 4.3.11: keys that the client already shares with the server, and proof of each."""

    extension_type: ClassVar[ExtensionType] = ExtensionType.pre_shared_key
    identities: Annotated[list[PskIdentity], vector(PskIdentity, 2, low=7)]
    binders: Annotated[list[bytes], vector(opaque(1, low=32), 2, low=33, name="PskBinderEntry")]


@struct
class SelectedPsk(ExtensionBody):
    """RFC 9846 4.3.11: which of the client's identities the server took, counted from 0."""

    extension_type: ClassVar[ExtensionType] = ExtensionType.pre_shared_key
    selected_identity: Annotated[int, uint(2)]


@struct
class EarlyDataIndication(ExtensionBody):
    """RFC 9846 4.3.10: in hellos the body is empty."""

    extension_type: ClassVar[ExtensionType] = ExtensionType.early_data


@struct
class EarlyDataLimit(ExtensionBody):
    """RFC 9846 4.3.10, 4.7.1: in a NewSessionTicket, how much early data it is good for, in bytes."""

    extension_type: ClassVar[ExtensionType] = ExtensionType.early_data
    max_early_data_size: Annotated[int, uint(4)]


@struct
class ECPointFormatList(ExtensionBody):
    """RFC 8422 5.1.2: of TLS 1.2; only uncompressed(0) is left."""

    extension_type: ClassVar[ExtensionType] = ExtensionType.ec_point_formats
    ec_point_format_list: Annotated[list[ECPointFormat | int], vector(uint(1, ECPointFormat), 1, low=1)]


@struct
class EncryptThenMac(ExtensionBody):
    """RFC 7366 2: of TLS 1.2, for its CBC suites; the body is empty."""

    extension_type: ClassVar[ExtensionType] = ExtensionType.encrypt_then_mac


@struct
class ExtendedMainSecret(ExtensionBody):
    """RFC 7627 5.1: of TLS 1.2; the body is empty. (RFC 9846 calls the master secret main secret.)"""

    extension_type: ClassVar[ExtensionType] = ExtensionType.extended_master_secret


@struct
class RenegotiationInfo(ExtensionBody):
    """RFC 5746 3.2: of TLS 1.2; empty in the first handshake of a connection, which is the only one here."""

    extension_type: ClassVar[ExtensionType] = ExtensionType.renegotiation_info
    renegotiated_connection: Annotated[bytes, opaque(1)]


@struct
class SessionTicket(ExtensionBody):
    """RFC 5077 3.2: of TLS 1.2; a ticket, or nothing to ask for one."""

    extension_type: ClassVar[ExtensionType] = ExtensionType.session_ticket
    ticket: Annotated[bytes, rest("extension_data.length")]


@struct
class SessionTicketAcknowledged(ExtensionBody):
    """RFC 5077 3.2: a NewSessionTicket will follow; in a ServerHello the body is empty."""

    extension_type: ClassVar[ExtensionType] = ExtensionType.session_ticket
