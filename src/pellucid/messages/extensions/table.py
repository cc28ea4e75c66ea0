"""Which extension may stand in which message: RFC 9846 4.3's table, the only one there is.

A row an extension, a column a message, the cell says how its body is read there. What is known and
has no cell for a message is refused in it with illegal_parameter. ``None`` in a cell: it may stand
there, and nobody here reads it. What has no row at all is unknown and is kept as it came.
"""

from pellucid.codes import ExtensionType as E
from pellucid.messages.extensions import bodies as b
from pellucid.messages.extensions.lists import Context, Table

CH, SH, SH12, HRR = Context.CH, Context.SH, Context.SH12, Context.HRR
EE, CR, CT, NST = Context.EE, Context.CR, Context.CT, Context.NST

TABLE: Table = {
    E.server_name: {
        CH: b.ServerNameList,
        EE: b.ServerNameAcknowledged,
        SH12: b.ServerNameAcknowledged,
        CR: None,
    },
    E.max_fragment_length: {CH: b.MaxFragmentLength, EE: b.MaxFragmentLength, SH12: b.MaxFragmentLength},
    E.status_request: {
        CH: b.CertificateStatusRequest,
        CR: b.CertificateStatusRequested,
        CT: b.CertificateStatus,
        SH12: b.CertificateStatusRequested,
    },
    # No RFC has it in a ServerHello. Some load balancers send it there all the same, and so OpenSSL lets it
    # pass (openssl/openssl#4463), as others do; nobody acts on it.
    E.supported_groups: {CH: b.NamedGroupList, EE: b.NamedGroupList, SH12: b.NamedGroupList},
    # RFC 8422 5.2: a server of TLS 1.2 answers with its own list.
    E.ec_point_formats: {CH: b.ECPointFormatList, SH12: b.ECPointFormatList},
    E.signature_algorithms: {CH: b.SignatureSchemeList, CR: b.SignatureSchemeList},
    E.use_srtp: {CH: None, EE: None, SH12: None},
    E.heartbeat: {CH: None, EE: None, SH12: None},
    E.application_layer_protocol_negotiation: {
        CH: b.ProtocolNameList,
        EE: b.ProtocolNameList,
        SH12: b.ProtocolNameList,
    },
    E.signed_certificate_timestamp: {
        CH: b.SignedCertificateTimestampRequest,
        CR: b.SignedCertificateTimestampRequest,
        CT: b.SignedCertificateTimestampList,
        SH12: b.SignedCertificateTimestampList,
    },
    E.client_certificate_type: {
        CH: b.ClientCertTypeOffer,
        EE: b.ClientCertTypeAnswer,
        SH12: b.ClientCertTypeAnswer,
    },
    E.server_certificate_type: {
        CH: b.ServerCertTypeOffer,
        EE: b.ServerCertTypeAnswer,
        SH12: b.ServerCertTypeAnswer,
    },
    E.padding: {CH: b.Padding},
    E.encrypt_then_mac: {CH: b.EncryptThenMac, SH12: b.EncryptThenMac},
    E.extended_master_secret: {CH: b.ExtendedMainSecret, SH12: b.ExtendedMainSecret},
    E.compress_certificate: {CH: None, CR: None},
    E.record_size_limit: {CH: b.RecordSizeLimit, EE: b.RecordSizeLimit, SH12: b.RecordSizeLimit},
    E.delegated_credential: {CH: None, CR: None, CT: None},
    E.session_ticket: {CH: b.SessionTicket, SH12: b.SessionTicketAcknowledged},
    E.supported_ekt_ciphers: {CH: None, EE: None},
    E.pre_shared_key: {CH: b.OfferedPsks, SH: b.SelectedPsk},
    E.early_data: {CH: b.EarlyDataIndication, EE: b.EarlyDataIndication, NST: b.EarlyDataLimit},
    E.supported_versions: {
        CH: b.SupportedVersionsClientHello,
        SH: b.SupportedVersionsServerHello,
        HRR: b.SupportedVersionsServerHello,
    },
    E.cookie: {CH: b.Cookie, HRR: b.Cookie},
    E.psk_key_exchange_modes: {CH: b.PskKeyExchangeModes},
    E.certificate_authorities: {CH: b.CertificateAuthorities, CR: b.CertificateAuthorities},
    E.oid_filters: {CR: b.OIDFilterExtension},
    E.post_handshake_auth: {CH: b.PostHandshakeAuth},
    E.signature_algorithms_cert: {CH: b.SignatureSchemeListCert, CR: b.SignatureSchemeListCert},
    E.key_share: {
        CH: b.KeyShareClientHello,
        SH: b.KeyShareServerHello,
        HRR: b.KeyShareHelloRetryRequest,
    },
    E.transparency_info: {CH: None, CR: None, CT: None},
    E.external_id_hash: {CH: None, EE: None},
    E.external_session_id: {CH: None, EE: None},
    E.quic_transport_parameters: {CH: None, EE: None},
    E.ticket_request: {CH: None, EE: None},
    E.ech_outer_extensions: {CH: None},
    E.encrypted_client_hello: {CH: None, HRR: None, EE: None},
    E.renegotiation_info: {CH: b.RenegotiationInfo, SH12: b.RenegotiationInfo},
}
