"""What each class says of itself, in the RFC's own presentation language, beside what the RFC says.

The expected declarations are those of RFC 9846 appendix B and, where they are of other RFCs, of the RFC
named beside them. Comments, spaces and constant values (``= 0x0303``) are dropped from both; bounds are
compared as numbers, since the RFC writes 255 here and 2^8-1 there. The messages of TLS 1.2 have their own
page: test_struct_texts_tls12.py.

Not declared by a class, and why:

- ``Handshake`` and ``select``: the class of a message is found by its number, and the class of an
  extension's body by its message in ``extensions.TABLE``. So each arm of a ``select`` is a class of its own,
  named as the RFC names the struct with a word more for the message.
- ``Extension``: a list of them is read in one go into typed bodies (``extensions.ExtensionList``).
- The record structs are read by ``pellucid.record``, which has tests of its own.
"""

from __future__ import annotations

import pytest
from samples import name_of_class, wire_classes
from structtexts import OF_TLS12, item_of, normalised

from pellucid import messages as m
from pellucid.messages import extensions as ext
from pellucid.wire import Wire, rfc_text

#: RFC 9846 appendix B, word for word.
SAME_IN_RFC_9846: dict[type[Wire], str] = {
    m.Alert: """
       struct {
           AlertLevel level;
           AlertDescription description;
       } Alert;
    """,
    m.ClientHello: """
       struct {
           ProtocolVersion legacy_version = 0x0303;    /* TLS v1.2 */
           Random random;
           opaque legacy_session_id<0..32>;
           CipherSuite cipher_suites<2..2^16-2>;
           opaque legacy_compression_methods<1..2^8-1>;
           Extension extensions<7..2^16-1>;
       } ClientHello;
    """,
    m.ServerHello: """
       struct {
           ProtocolVersion legacy_version = 0x0303;    /* TLS v1.2 */
           Random random;
           opaque legacy_session_id_echo<0..32>;
           CipherSuite cipher_suite;
           uint8 legacy_compression_method = 0;
           Extension extensions<6..2^16-1>;
       } ServerHello;
    """,
    ext.KeyShareEntry: """
       struct {
           NamedGroup group;
           opaque key_exchange<1..2^16-1>;
       } KeyShareEntry;
    """,
    ext.KeyShareClientHello: """
       struct {
           KeyShareEntry client_shares<0..2^16-1>;
       } KeyShareClientHello;
    """,
    ext.KeyShareHelloRetryRequest: """
       struct {
           NamedGroup selected_group;
       } KeyShareHelloRetryRequest;
    """,
    ext.KeyShareServerHello: """
       struct {
           KeyShareEntry server_share;
       } KeyShareServerHello;
    """,
    ext.PskKeyExchangeModes: """
       struct {
           PskKeyExchangeMode ke_modes<1..255>;
       } PskKeyExchangeModes;
    """,
    ext.PskIdentity: """
       struct {
           opaque identity<1..2^16-1>;
           uint32 obfuscated_ticket_age;
       } PskIdentity;
    """,
    ext.OfferedPsks: """
       struct {
           PskIdentity identities<7..2^16-1>;
           PskBinderEntry binders<33..2^16-1>;
       } OfferedPsks;
    """,
    ext.Cookie: """
       struct {
           opaque cookie<1..2^16-1>;
       } Cookie;
    """,
    ext.SignatureSchemeList: """
       struct {
           SignatureScheme supported_signature_algorithms<2..2^16-2>;
       } SignatureSchemeList;
    """,
    ext.NamedGroupList: """
       struct {
           NamedGroup named_group_list<2..2^16-1>;
       } NamedGroupList;
    """,
    ext.OIDFilter: """
       struct {
           opaque certificate_extension_oid<1..2^8-1>;
           opaque certificate_extension_values<0..2^16-1>;
       } OIDFilter;
    """,
    ext.OIDFilterExtension: """
       struct {
           OIDFilter filters<0..2^16-1>;
       } OIDFilterExtension;
    """,
    ext.PostHandshakeAuth: "struct {} PostHandshakeAuth;",
    m.EncryptedExtensions: """
       struct {
           Extension extensions<0..2^16-1>;
       } EncryptedExtensions;
    """,
    m.CertificateRequest: """
       struct {
           opaque certificate_request_context<0..2^8-1>;
           Extension extensions<0..2^16-1>;
       } CertificateRequest;
    """,
    m.Certificate: """
       struct {
           opaque certificate_request_context<0..2^8-1>;
           CertificateEntry certificate_list<0..2^24-1>;
       } Certificate;
    """,
    m.CertificateVerify: """
       struct {
           SignatureScheme algorithm;
           opaque signature<0..2^16-1>;
       } CertificateVerify;
    """,
    m.Finished: """
       struct {
           opaque verify_data[Hash.length];
       } Finished;
    """,
    m.NewSessionTicket: """
       struct {
           uint32 ticket_lifetime;
           uint32 ticket_age_add;
           opaque ticket_nonce<0..255>;
           opaque ticket<1..2^16-1>;
           Extension extensions<0..2^16-1>;
       } NewSessionTicket;
    """,
    m.EndOfEarlyData: "struct {} EndOfEarlyData;",
    m.KeyUpdate: """
       struct {
           KeyUpdateRequest request_update;
       } KeyUpdate;
    """,
}

#: Of other RFCs, word for word.
SAME_ELSEWHERE: dict[type[Wire], str] = {
    # RFC 6066 3
    ext.ServerNameList: """
      struct {
          ServerName server_name_list<1..2^16-1>
      } ServerNameList;
    """,
    # RFC 7301 3.1
    ext.ProtocolNameList: """
       struct {
           ProtocolName protocol_name_list<2..2^16-1>
       } ProtocolNameList;
    """,
    # RFC 5746 3.2
    ext.RenegotiationInfo: """
      struct {
          opaque renegotiated_connection<0..255>;
      } RenegotiationInfo;
    """,
    # RFC 8422 5.1.2
    ext.ECPointFormatList: """
           struct {
               ECPointFormat ec_point_format_list<1..2^8-1>
           } ECPointFormatList;
    """,
}

#: Where ours cannot be the RFC's text: what ours says, and why.
DIFFERENT: dict[type[Wire], tuple[str, str]] = {
    # RFC 9846 4.2.4 declares no struct: "the same as the ServerHello". Its extension list can be no shorter.
    m.HelloRetryRequest: (
        "the RFC says that it has the format of a ServerHello",
        """
        struct {
           ProtocolVersion legacy_version = 0x0303;
           Random random;
           opaque legacy_session_id_echo<0..32>;
           CipherSuite cipher_suite;
           uint8 legacy_compression_method = 0;
           Extension extensions<6..2^16-1>;
        } HelloRetryRequest;
        """,
    ),
    m.CertificateEntry: (
        "the arm `case X509` of a select by certificate_type",
        "struct { opaque cert_data<1..2^24-1>; Extension extensions<0..2^16-1>; } CertificateEntry;",
    ),
    m.RawPublicKeyEntry: (
        "CertificateEntry again: the arm `case RawPublicKey`",
        """struct { opaque ASN1_subjectPublicKeyInfo<1..2^24-1>; Extension extensions<0..2^16-1>;
        } RawPublicKeyEntry;""",
    ),
    m.CertificateRawPublicKey: (
        "Certificate again: its entries are declared with the same select",
        """struct { opaque certificate_request_context<0..2^8-1>;
        RawPublicKeyEntry certificate_list<0..2^24-1>; } CertificateRawPublicKey;""",
    ),
    ext.ClientCertTypeOffer: (
        "RFC 7250 3: the arm `case client` of ClientCertTypeExtension",
        "struct { CertificateType client_certificate_types<1..2^8-1>; } ClientCertTypeOffer;",
    ),
    ext.ClientCertTypeAnswer: (
        "RFC 7250 3: the arm `case server` of ClientCertTypeExtension",
        "struct { CertificateType client_certificate_type; } ClientCertTypeAnswer;",
    ),
    ext.ServerCertTypeOffer: (
        "RFC 7250 3: the arm `case client` of ServerCertTypeExtension",
        "struct { CertificateType server_certificate_types<1..2^8-1>; } ServerCertTypeOffer;",
    ),
    ext.ServerCertTypeAnswer: (
        "RFC 7250 3: the arm `case server` of ServerCertTypeExtension",
        "struct { CertificateType server_certificate_type; } ServerCertTypeAnswer;",
    ),
    ext.SupportedVersionsClientHello: (
        "the arm `case client_hello` of SupportedVersions",
        "struct { ProtocolVersion versions<2..254>; } SupportedVersionsClientHello;",
    ),
    ext.SupportedVersionsServerHello: (
        "the arm `case server_hello: /* and HelloRetryRequest */` of SupportedVersions",
        "struct { ProtocolVersion selected_version; } SupportedVersionsServerHello;",
    ),
    ext.SelectedPsk: (
        "the arm `case server_hello` of PreSharedKeyExtension; `case client_hello` is OfferedPsks itself",
        "struct { uint16 selected_identity; } SelectedPsk;",
    ),
    ext.EarlyDataIndication: (
        "the arms `case client_hello: Empty` and `case encrypted_extensions: Empty`",
        "struct {} EarlyDataIndication;",
    ),
    ext.EarlyDataLimit: (
        "the arm `case new_session_ticket` of EarlyDataIndication",
        "struct { uint32 max_early_data_size; } EarlyDataLimit;",
    ),
    ext.CertificateAuthorities: (
        "CertificateAuthoritiesExtension, without the word that all of these would have",
        "struct { DistinguishedName authorities<3..2^16-1>; } CertificateAuthorities;",
    ),
    ext.SignatureSchemeListCert: (
        "a SignatureSchemeList as well: two types of extension with one body are two classes",
        "struct { SignatureScheme supported_signature_algorithms<2..2^16-2>; } SignatureSchemeListCert;",
    ),
    ext.ServerName: (
        "RFC 6066 3 selects by name_type, of which there is one; HostName is opaque<1..2^16-1>",
        "struct { NameType name_type; opaque host_name<1..2^16-1>; } ServerName;",
    ),
    ext.ServerNameAcknowledged: (
        "RFC 6066 3: 'The \"extension_data\" field of this extension SHALL be empty'",
        "struct {} ServerNameAcknowledged;",
    ),
    ext.CertificateStatusRequest: (
        "RFC 6066 8 selects by status_type; what is asked for is sent on or ignored, not read",
        """struct { CertificateStatusType status_type; opaque request[extension_data.length - 1];
        } CertificateStatusRequest;""",
    ),
    ext.CertificateStatusRequested: (
        "RFC 9846 4.5.1.1: a server asks with an empty status_request",
        "struct {} CertificateStatusRequested;",
    ),
    ext.CertificateStatus: (
        "RFC 6066 8 selects by status_type, of which one is in use; OCSPResponse is opaque<1..2^24-1>",
        "struct { CertificateStatusType status_type; opaque response<1..2^24-1>; } CertificateStatus;",
    ),
    ext.SignedCertificateTimestampRequest: (
        "RFC 6962 3.3.1: the request has empty extension_data",
        "struct {} SignedCertificateTimestampRequest;",
    ),
    ext.SignedCertificateTimestampList: (
        "RFC 6962 3.3, whose SerializedSCT is opaque<1..2^16-1>",
        "struct { SerializedSCT sct_list<1..2^16-1>; } SignedCertificateTimestampList;",
    ),
    ext.Padding: (
        "RFC 7685 3: zero bytes, as many as there are",
        "struct { opaque zeros[extension_data.length]; } Padding;",
    ),
    ext.RecordSizeLimit: (
        "RFC 8449 4 declares `uint16 RecordSizeLimit;`, and every body here is a struct",
        "struct { uint16 record_size_limit; } RecordSizeLimit;",
    ),
    ext.MaxFragmentLength: (
        "RFC 6066 4 declares an enum of that name, and every body here is a struct",
        "struct { MaxFragmentLengthCode max_fragment_length; } MaxFragmentLength;",
    ),
    ext.EncryptThenMac: (
        "RFC 7366 2: extension_data is empty",
        "struct {} EncryptThenMac;",
    ),
    ext.ExtendedMainSecret: (
        "RFC 7627 5.1: extension_data is empty",
        "struct {} ExtendedMainSecret;",
    ),
    ext.SessionTicket: (
        "RFC 5077 3.2: the ticket is the whole extension_data",
        "struct { opaque ticket[extension_data.length]; } SessionTicket;",
    ),
    ext.SessionTicketAcknowledged: (
        "RFC 5077 3.2: 'The server uses a zero-length SessionTicket extension'",
        "struct {} SessionTicketAcknowledged;",
    ),
    ext.SignedCertificateTimestamp: (
        "RFC 6962 3.2 has a struct around the ID of the log, a typedef, and digitally-signed (RFC 5246 4.7)",
        """struct {
            Version sct_version; opaque id[32]; uint64 timestamp; opaque extensions<0..2^16-1>;
            SignatureScheme algorithm; opaque signature<0..2^16-1>;
        } SignedCertificateTimestamp;""",
    ),
    ext.UnknownExtension: (
        "what nobody reads is kept as it came",
        "struct { opaque extension_data[extension_data.length]; } UnknownExtension;",
    ),
}


def test_every_class_is_compared() -> None:
    tables = [set(SAME_IN_RFC_9846), set(SAME_ELSEWHERE), set(DIFFERENT)]
    assert set.union(*tables) == {cls for cls in wire_classes() if cls.__module__ not in OF_TLS12}
    assert sum(map(len, tables)) == len(set.union(*tables))


@pytest.mark.parametrize("cls", SAME_IN_RFC_9846, ids=name_of_class)
def test_a_struct_of_rfc_9846_is_declared_as_there(cls: type[Wire]) -> None:
    assert normalised(rfc_text(cls)) == normalised(SAME_IN_RFC_9846[cls])


@pytest.mark.parametrize("cls", SAME_ELSEWHERE, ids=name_of_class)
def test_a_struct_of_another_rfc_is_declared_as_there(cls: type[Wire]) -> None:
    assert normalised(rfc_text(cls)) == normalised(SAME_ELSEWHERE[cls])


@pytest.mark.parametrize("cls", DIFFERENT, ids=name_of_class)
def test_a_struct_that_differs_from_the_rfc_differs_as_said(cls: type[Wire]) -> None:
    _, text = DIFFERENT[cls]
    assert normalised(rfc_text(cls)) == normalised(text)


def test_hello_retry_request_has_the_fields_of_server_hello() -> None:
    """RFC 9846 4.2.4: it "has the same format as a ServerHello"."""
    assert normalised(rfc_text(m.HelloRetryRequest, "ServerHello")) == normalised(rfc_text(m.ServerHello))


def test_a_binder_and_a_name_are_what_the_rfc_says_they_are() -> None:
    """RFC 9846: opaque PskBinderEntry<32..255>, opaque DistinguishedName<1..2^16-1>."""
    assert item_of(ext.OfferedPsks, "binders") == "opaque PskBinderEntry<32..255>;"
    assert item_of(ext.CertificateAuthorities, "authorities") == "opaque DistinguishedName<1..65535>;"
