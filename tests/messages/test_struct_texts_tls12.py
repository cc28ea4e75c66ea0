"""What each class of TLS 1.2 says of itself, beside what RFC 5246 and its companions say.

As in test_struct_texts.py. Not declared by a class: the ``select`` by key exchange of ServerKeyExchange and
ClientKeyExchange, each of whose arms is a class of its own; and ``DigitallySigned`` (RFC 5246 4.7), which is
two fields of the messages that end with one.
"""

from __future__ import annotations

import re

import pytest
from samples import name_of_class, wire_classes
from structtexts import OF_TLS12, item_of, normalised

from pellucid import messages as m
from pellucid.messages import tls12
from pellucid.wire import Wire, rfc_text

#: RFC 5246 7.4 and RFC 5077 3.3, word for word.
SAME: dict[type[Wire], str] = {
    tls12.HelloRequest: "struct { } HelloRequest;",
    tls12.Certificate: """
      struct {
          ASN.1Cert certificate_list<0..2^24-1>;
      } Certificate;
    """,
    tls12.ServerDHParams: """
      struct {
          opaque dh_p<1..2^16-1>;
          opaque dh_g<1..2^16-1>;
          opaque dh_Ys<1..2^16-1>;
      } ServerDHParams;     /* Ephemeral DH parameters */
    """,
    tls12.ServerHelloDone: "struct { } ServerHelloDone;",
    tls12.NewSessionTicket: """
      struct {
          uint32 ticket_lifetime_hint;
          opaque ticket<0..2^16-1>;
      } NewSessionTicket;
    """,
}

#: Where ours cannot be the RFC's text: what ours says, and why.
DIFFERENT: dict[type[Wire], tuple[str, str]] = {
    m.ChangeCipherSpec: (
        "RFC 5246 7.1 declares the type of its field in place: `enum { change_cipher_spec(1), (255) } type;`",
        "struct { uint8 type = 1; } ChangeCipherSpec;",
    ),
    tls12.CertificateRawPublicKey: (
        "RFC 7250 3: the arm `case RawPublicKey` of Certificate; none at all is read as well, as of a client",
        "struct { opaque ASN1_subjectPublicKeyInfo<0..2^24-1>; } CertificateRawPublicKey;",
    ),
    tls12.CertificateStatus: (
        "RFC 6066 8 selects by status_type, of which one is in use; OCSPResponse is opaque<1..2^24-1>",
        "struct { CertificateStatusType status_type; opaque response<1..2^24-1>; } CertificateStatus;",
    ),
    tls12.ServerECDHParams: (
        "RFC 8422 5.4: ECParameters, of whose select one arm is left, and behind it ECPoint, in one struct",
        """struct { ECCurveType curve_type; NamedGroup named_curve; opaque public<1..2^8-1>;
        } ServerECDHParams;""",
    ),
    tls12.ServerKeyExchangeDHE: (
        "the arms `case dhe_dss: case dhe_rsa:` of a select by key exchange, digitally signed",
        """struct { ServerDHParams params; SignatureScheme algorithm; opaque signature<0..2^16-1>;
        } ServerKeyExchangeDHE;""",
    ),
    tls12.ServerKeyExchangeECDHE: (
        "RFC 8422 5.4: the arm `case ec_diffie_hellman` of that select, digitally signed",
        """struct { ServerECDHParams params; SignatureScheme algorithm; opaque signature<0..2^16-1>;
        } ServerKeyExchangeECDHE;""",
    ),
    tls12.CertificateRequest: (
        "SignatureAndHashAlgorithm is SignatureScheme now, and its list has the bounds of RFC 5246 7.4.1.4.1",
        """struct {
          ClientCertificateType certificate_types<1..2^8-1>;
          SignatureScheme supported_signature_algorithms<2..2^16-2>;
          DistinguishedName certificate_authorities<0..2^16-1>;
        } CertificateRequest;""",
    ),
    tls12.ClientKeyExchangeRSA: (
        "the arm `case rsa: EncryptedPreMasterSecret`; RFC 5246 4.7: what is encrypted is opaque<0..2^16-1>",
        "struct { opaque encrypted_pre_master_secret<0..2^16-1>; } ClientKeyExchangeRSA;",
    ),
    tls12.ClientKeyExchangeDHE: (
        "the arm `case dhe_rsa: ClientDiffieHellmanPublic`, and in it `case explicit`",
        "struct { opaque dh_Yc<1..2^16-1>; } ClientKeyExchangeDHE;",
    ),
    tls12.ClientKeyExchangeECDHE: (
        "RFC 8422 5.7: ClientECDiffieHellmanPublic, whose ECPoint is opaque<1..2^8-1>",
        "struct { opaque ecdh_Yc<1..2^8-1>; } ClientKeyExchangeECDHE;",
    ),
}

#: The hellos of TLS 1.2, word for word; RFC 9846 gave some of their fields and types other names.
HELLOS_IN_RFC_5246: dict[type[Wire], str] = {
    m.ClientHello: """
      struct {
          ProtocolVersion client_version;
          Random random;
          SessionID session_id;
          CipherSuite cipher_suites<2..2^16-2>;
          CompressionMethod compression_methods<1..2^8-1>;
          select (extensions_present) {
              case false:
                  struct {};
              case true:
                  Extension extensions<0..2^16-1>;
          };
      } ClientHello;
    """,
    m.ServerHello: """
      struct {
          ProtocolVersion server_version;
          Random random;
          SessionID session_id;
          CipherSuite cipher_suite;
          CompressionMethod compression_method;
          select (extensions_present) {
              case false:
                  struct {};
              case true:
                  Extension extensions<0..2^16-1>;
          };
      } ServerHello;
    """,
}

#: From RFC 5246's words to RFC 9846's, in this order. RFC 9846 does not have the types SessionID, which is
#: opaque<0..32>, and CompressionMethod, which is one byte.
RENAMED = {
    r"select \(extensions_present\) { case false: struct {}; case true: (.*?;) }": r"\1",
    r";;": ";",
    r"(client|server)_version": "legacy_version",
    r"(SessionID session_id)(?=.*ClientHello;)": "opaque legacy_session_id<0..32>",
    r"SessionID session_id": "opaque legacy_session_id_echo<0..32>",
    r"CompressionMethod compression_methods": "opaque legacy_compression_methods",
    r"CompressionMethod compression_method": "uint8 legacy_compression_method",
    # RFC 9846 says how few bytes its own hellos need; the list of an older one may be empty, and is read.
    r"extensions<0\.\.65535>(?=.*ClientHello;)": "extensions<7..65535>",
    r"extensions<0\.\.65535>": "extensions<6..65535>",
}


def test_every_class_is_compared() -> None:
    assert set(SAME) | set(DIFFERENT) == {cls for cls in wire_classes() if cls.__module__ in OF_TLS12}
    assert not set(SAME) & set(DIFFERENT)


@pytest.mark.parametrize("cls", SAME, ids=name_of_class)
def test_a_struct_is_declared_as_in_the_rfc(cls: type[Wire]) -> None:
    assert normalised(rfc_text(cls)) == normalised(SAME[cls])


@pytest.mark.parametrize("cls", HELLOS_IN_RFC_5246, ids=name_of_class)
def test_a_hello_of_tls_1_2_has_the_same_fields_under_other_names(cls: type[Wire]) -> None:
    text = normalised(HELLOS_IN_RFC_5246[cls])
    for old, new in RENAMED.items():
        text = re.sub(old, new, text)
    assert text == normalised(rfc_text(cls))


@pytest.mark.parametrize("cls", DIFFERENT, ids=name_of_class)
def test_a_struct_that_differs_from_the_rfc_differs_as_said(cls: type[Wire]) -> None:
    _, text = DIFFERENT[cls]
    assert normalised(rfc_text(cls)) == normalised(text)


def test_a_certificate_and_a_name_are_what_the_rfc_says_they_are() -> None:
    """RFC 5246 7.4.2: opaque ASN.1Cert<1..2^24-1>; 7.4.4: opaque DistinguishedName<1..2^16-1>."""
    assert item_of(tls12.Certificate, "certificate_list") == "opaque ASN.1Cert<1..16777215>;"
    assert (
        item_of(tls12.CertificateRequest, "certificate_authorities") == "opaque DistinguishedName<1..65535>;"
    )
