from __future__ import annotations

import re

import pytest

from pellucid.codes import AlertDescription
from pellucid.trace import Trace
from pellucid.trace.explanations import event_id, explain, explanation, explanations

MESSAGES = [
    "ClientHello",
    "ServerHello",
    "HelloRetryRequest",
    "EncryptedExtensions",
    "CertificateRequest",
    "Certificate",
    "CertificateVerify",
    "Finished",
    "NewSessionTicket",
    "KeyUpdate",
    "EndOfEarlyData",
    "ChangeCipherSpec",
]
CHOICES = [
    "version",
    "cipher_suite",
    "group",
    "key_share",
    "signature_scheme",
    "certificate",
    "client_certificate",
    "alpn",
    "psk",
    "hello_retry_request",
    "stapled_status",
]
CHECKS = [
    "certificate_chain",
    "revocation",
    "transparency",
    "own_signature",
    "certificate_verify",
    "finished",
    "psk_binder",
    "session_id_echo",
    "downgrade_sentinel",
    "hello_retry_request",
    "ticket",
    "cookie",
    "version",
    "cipher_suite",
    "group",
    "alpn",
    "compression_method",
]
SECRETS = [
    "shared_secret",
    "early_secret",
    "binder_key",
    "derived_early_secret",
    "handshake_secret",
    "client_handshake_traffic_secret",
    "server_handshake_traffic_secret",
    "derived_handshake_secret",
    "main_secret",
    "client_application_traffic_secret",
    "server_application_traffic_secret",
    "exporter_secret",
    "resumption_secret",
    "resumption_psk",
    "finished_key",
    "client_early_traffic_secret",
    "early_exporter_secret",
]
STATES = [
    "START",
    "WAIT_SH",
    "WAIT_EE",
    "WAIT_CERT_CR",
    "WAIT_CERT",
    "WAIT_CV",
    "WAIT_FINISHED",
    "CONNECTED",
    "RECVD_CH",
    "NEGOTIATED",
    "WAIT_EOED",
    "WAIT_FLIGHT2",
]


TLS12 = [
    *(
        f"message:{name}:tls12"
        for name in ("ClientHello", "ServerHello", "Certificate", "CertificateRequest")
    ),
    *(f"message:{name}:tls12" for name in ("CertificateVerify", "ChangeCipherSpec", "Finished", "data")),
    *(f"message:{name}" for name in ("ServerHelloDone", "HelloRequest", "CertificateStatus")),
    *(f"message:ServerKeyExchange:{name}" for name in ("DHE", "ECDHE")),
    *(f"message:ClientKeyExchange:{name}" for name in ("RSA", "DHE", "ECDHE")),
    *(f"secret:premaster_secret:{name}" for name in ("RSA", "DHE", "ECDHE")),
    *("secret:master_secret", "secret:master_secret:extended", "secret:key_block", "secret:exporter"),
    *(f"secret:{side}_write_{part}" for side in ("client", "server") for part in ("MAC_key", "key", "IV")),
    *("secret:client_verify_data", "secret:server_verify_data", "keys:session", "choice:session"),
    *(f"check:{name}" for name in ("server_key_exchange", "dh_group", "renegotiation_info", "session")),
    *(f"check:{name}" for name in ("extended_master_secret", "fallback", "finished:tls12", "ticket:tls12")),
    *(f"state:WAIT_{name}" for name in ("STATUS", "SKE", "CR", "SHD", "CKE", "TICKET", "CCS")),
]


@pytest.mark.parametrize("identifier", TLS12)
def test_what_tls_12_has_is_explained(identifier: str) -> None:
    assert identifier in explanations()


@pytest.mark.parametrize(
    "identifier",
    [
        *(f"message:{name}" for name in MESSAGES),
        *(f"choice:{name}" for name in CHOICES),
        *(f"check:{name}" for name in CHECKS),
        *(f"secret:{name}" for name in SECRETS),
        *(f"state:{name}" for name in STATES),
        *(f"alert:{alert}" for alert in AlertDescription),
    ],
)
def test_what_tls_13_has_is_explained(identifier: str) -> None:
    assert identifier in explanations()


@pytest.mark.parametrize("identifier", sorted(explanations()))
def test_an_explanation_is_a_sentence_or_a_few(identifier: str) -> None:
    found = explanations()[identifier]
    assert found.title
    for text in filter(None, (found.text, found.textbook)):
        assert re.fullmatch(r"[A-Z].*[.?]", text)
        assert len(text) <= 220


@pytest.mark.parametrize("identifier", sorted(i for i in explanations() if not i.startswith("again:")))
def test_an_explanation_says_where_to_read_on(identifier: str) -> None:
    assert re.match(r"(RFC \d+ [A-F\d]|RFC \d+$|draft-)", explanations()[identifier].rfc)


@pytest.mark.parametrize(
    "identifier, attribute, words",
    [
        ("certificate:server", "textbook", "where the configuration asks it"),
        ("certificate:server:tls12", "textbook", "where the configuration asks it"),
        ("check:certificate_chain", "textbook", "where the configuration asks it"),
        # A client may well offer DEFLATE.
        ("message:ClientHello:tls12", "textbook", "null is all that is ever taken"),
        # RFC 7627 4: the session hash covers the ClientKeyExchange.
        ("secret:master_secret:extended", "textbook", "ClientKeyExchange too, so it is made after that"),
        # Of its peer nobody can know what else it uses its key for.
        ("forward_secrecy:ephemeral", "text", "meant for this connection alone"),
        ("alert:handshake_failure", "text", "client certificate"),
    ],
)
def test_an_explanation_says_no_more_than_is_so(identifier: str, attribute: str, words: str) -> None:
    assert words in getattr(explanations()[identifier], attribute)


def test_every_recorded_event_is_explained(told: Trace) -> None:
    assert [event_id(event) for event in told.events if explain(event) is None] == []


def test_a_precise_id_falls_back_to_the_general_one() -> None:
    assert explanation("message:ServerHello:server") is explanations()["message:ServerHello"]


def test_the_side_with_words_of_its_own_gets_them() -> None:
    assert explanation("message:Finished:client") is not explanations()["message:Finished"]


def test_what_nobody_wrote_about_has_no_explanation() -> None:
    assert explanation("message:NoSuchMessage:client") is None


def test_later_secrets_of_a_chain_are_explained_as_the_first() -> None:
    trace = Trace()
    trace.view("client").secret(
        name="client_application_traffic_secret_12", formula="", value=b"x", used_for=""
    )
    assert explain(trace.events[0]) is explanations()["secret:client_application_traffic_secret"]
