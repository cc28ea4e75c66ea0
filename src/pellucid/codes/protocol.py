"""Record, handshake, version and alert numbers (RFC 9846 sections 4, 5, 6 and appendix B)."""

from pellucid.codes.names import Registry


class ContentType(Registry):
    """What a record carries (RFC 9846 5.1)."""

    change_cipher_spec = 20
    alert = 21
    handshake = 22
    application_data = 23


class ProtocolVersion(Registry):
    """Versions as they stand on the wire; SSL 2 had another form and is not among them."""

    SSLv3 = 0x0300
    TLSv1 = 0x0301
    TLSv1_1 = 0x0302
    TLSv1_2 = 0x0303
    TLSv1_3 = 0x0304

    @property
    def label(self) -> str:
        """The name that people and OpenSSL use: ``TLSv1.3``."""
        return self.name.replace("_", ".")

    def __str__(self) -> str:
        return self.label


class HandshakeType(Registry):
    """Handshake messages of TLS 1.2 and 1.3 (RFC 9846 4, RFC 5246 7.4)."""

    hello_request = 0
    client_hello = 1
    server_hello = 2
    new_session_ticket = 4
    end_of_early_data = 5
    encrypted_extensions = 8
    certificate = 11
    server_key_exchange = 12
    certificate_request = 13
    server_hello_done = 14
    certificate_verify = 15
    client_key_exchange = 16
    finished = 20
    certificate_url = 21
    certificate_status = 22
    key_update = 24
    compressed_certificate = 25
    message_hash = 254


class AlertLevel(Registry):
    """RFC 9846 6: in TLS 1.3 the level may be ignored; the description tells the severity."""

    warning = 1
    fatal = 2


class AlertDescription(Registry):
    """RFC 9846 6 and, for what only older versions send, RFC 5246 7.2 and IANA's registry."""

    close_notify = 0
    unexpected_message = 10
    bad_record_mac = 20
    decryption_failed = 21
    record_overflow = 22
    decompression_failure = 30
    handshake_failure = 40
    no_certificate = 41
    bad_certificate = 42
    unsupported_certificate = 43
    certificate_revoked = 44
    certificate_expired = 45
    certificate_unknown = 46
    illegal_parameter = 47
    unknown_ca = 48
    access_denied = 49
    decode_error = 50
    decrypt_error = 51
    export_restriction = 60
    too_many_cids_requested = 52
    protocol_version = 70
    insufficient_security = 71
    internal_error = 80
    inappropriate_fallback = 86
    user_canceled = 90
    no_renegotiation = 100
    missing_extension = 109
    unsupported_extension = 110
    certificate_unobtainable = 111
    unrecognized_name = 112
    bad_certificate_status_response = 113
    bad_certificate_hash_value = 114
    unknown_psk_identity = 115
    certificate_required = 116
    general_error = 117
    no_application_protocol = 120
    ech_required = 121


class PskKeyExchangeMode(Registry):
    """RFC 9846 4.3.9."""

    psk_ke = 0
    psk_dhe_ke = 1


class KeyUpdateRequest(Registry):
    """RFC 9846 4.7.3."""

    update_not_requested = 0
    update_requested = 1


class NameType(Registry):
    """RFC 6066 3."""

    host_name = 0


class CertificateStatusType(Registry):
    """RFC 6066 8 and RFC 6961."""

    ocsp = 1
    ocsp_multi = 2


class ClientCertificateType(Registry):
    """RFC 5246 7.4.4 and RFC 8422 5.5: the keys that a client of TLS 1.2 may have in its certificate."""

    rsa_sign = 1
    dss_sign = 2
    rsa_fixed_dh = 3
    dss_fixed_dh = 4
    rsa_ephemeral_dh_RESERVED = 5
    dss_ephemeral_dh_RESERVED = 6
    fortezza_dms_RESERVED = 20
    ecdsa_sign = 64
    rsa_fixed_ecdh = 65
    ecdsa_fixed_ecdh = 66


class ECCurveType(Registry):
    """RFC 8422 5.4; the first two are of RFC 4492 and deprecated."""

    explicit_prime = 1
    explicit_char2 = 2
    named_curve = 3


class ECPointFormat(Registry):
    """RFC 8422 5.1.2; all but the first are of RFC 4492 and deprecated."""

    uncompressed = 0
    ansiX962_compressed_prime = 1
    ansiX962_compressed_char2 = 2


class MaxFragmentLengthCode(Registry):
    """RFC 6066 4, which writes 2^9 and so on: the longest plaintext of a record, by its code."""

    octets_512 = 1
    octets_1024 = 2
    octets_2048 = 3
    octets_4096 = 4

    @property
    def octets(self) -> int:
        """The length in bytes."""
        return 1 << 8 + self

    def __str__(self) -> str:
        return f"{self.octets} bytes"


class CertificateType(Registry):
    """RFC 7250 and IANA's registry."""

    X509 = 0
    OpenPGP = 1
    RawPublicKey = 2


class CompressionMethod(Registry):
    """RFC 3749: only null is ever offered here; see CRIME in docs/vulnerabilities.md."""

    null = 0
    DEFLATE = 1
    LZS = 64
