"""Allow rules over the names of clients: what they match, and what only looks like it."""

from __future__ import annotations

import os
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given, settings
from hypothesis import strategies as st
from loopback import NOW as LAB_NOW
from loopback import client_config, laboratory, server_config, shake_hands

from pellucid import SessionStore, TicketKeys
from pellucid.errors import CertificateRejected, Misuse, Reason
from pellucid.identity import TrustStore, verify_client
from pellucid.identity.allow import AllowedClients
from pellucid.identity.raw_keys import verify_raw_key

NOW = 1_800_000_000.0
CLIENT_AUTH = ExtendedKeyUsageOID.CLIENT_AUTH
DNS, URI, MAIL = x509.DNSName, x509.UniformResourceIdentifier, x509.RFC822Name


def allows(rule: AllowedClients, *names: x509.GeneralName) -> bool:
    return rule.match(names) is not None


@pytest.mark.parametrize(
    "rule,name,allowed",
    [
        ("worker.example", "worker.example", True),
        ("Worker.Example", "wORKER.example", True),
        ("worker.example", "a.worker.example", False),
        ("worker.example", "*.example", False),
        ("*.workers.example", "a.workers.example", True),
        ("*.workers.example", "a.b.workers.example", False),
        ("*.workers.example", "workers.example", False),
        ("*.workers.example", "*.workers.example", False),
        ("*.workers.example", "evil\x00.workers.example", False),
        ("*.workers.example", "a_b.workers.example", False),
        ("b\u00fccher.example", "xn--bcher-kva.example", True),
    ],
)
def test_a_host_name_is_allowed_as_a_whole_or_below_a_wildcard(rule: str, name: str, allowed: bool) -> None:
    assert allows(AllowedClients(dns=[rule]), DNS(name)) is allowed


@pytest.mark.parametrize(
    "rule,name,allowed",
    [
        ("spiffe://prod/sa/web", "spiffe://prod/sa/web", True),
        ("spiffe://prod/sa/web", "SPIFFE://PROD/sa/web", True),
        ("spiffe://prod/sa/web", "spiffe://prod/sa/Web", False),
        ("spiffe://prod/sa/web", "spiffe://prod/sa/web/", False),
        ("spiffe://prod/sa/web", "spiffe://prod/sa/web?x", False),
        ("spiffe://prod/sa/web", "spiffe://prod.evil/sa/web", False),
        ("spiffe://prod/*", "spiffe://prod/sa/web", True),
        ("spiffe://prod/sa/*", "spiffe://prod/sa/web", True),
        ("spiffe://prod/sa/*", "spiffe://prod/sa/web/1", True),
        ("spiffe://prod/sa/*", "spiffe://prod/sa/", False),
        ("spiffe://prod/sa/*", "spiffe://prod/sa", False),
        ("spiffe://prod/sa/*", "spiffe://prod/sandbox", False),
        ("spiffe://prod/sa/*", "spiffe://prod/sa/../admin", False),
        ("spiffe://prod/sa/*", "spiffe://prod/sa/..", False),
        ("spiffe://prod/sa/*", "spiffe://prod/sa/%2e%2e/admin", False),
        ("spiffe://prod/sa/*", "spiffe://prod//sa/web", False),
        ("spiffe://prod/sa/*", "spiffe://prod/sa/web#x", False),
        ("spiffe://prod/sa/*", "http://prod/sa/web", False),
        ("spiffe://prod/*", "spiffe://prod@evil/sa", False),
        ("spiffe://prod/*", "spiffe://prod/sa\x00", False),
        ("spiffe://prod/*", "spiffe://prod/sa\x1b", False),
        ("https://service.example/a", "https://service.example:443/a", False),
    ],
)
def test_a_uri_is_allowed_as_a_whole_or_below_a_path(rule: str, name: str, allowed: bool) -> None:
    assert allows(AllowedClients(uris=[rule]), URI(name)) is allowed


def test_a_spiffe_id_beside_another_uri_names_nobody() -> None:
    rule = AllowedClients(uris=["spiffe://prod/*"], dns=["worker.example"])
    assert allows(rule, URI("spiffe://prod/a"))
    assert not allows(rule, URI("spiffe://prod/a"), URI("spiffe://prod/b"))
    assert allows(rule, URI("spiffe://prod/a"), URI("spiffe://prod/b"), DNS("worker.example"))


@pytest.mark.parametrize(
    "rule,name,allowed",
    [
        ("alice@example.com", "alice@EXAMPLE.com", True),
        ("alice@example.com", "Alice@example.com", False),
        ("@example.com", "anybody@example.com", True),
        ("@example.com", "anybody@sub.example.com", False),
        ("alice@example.com", "bob@example.com", False),
        ("@example.com", "alice@evil.example@example.com", False),
        ("@example.com", '"alice@evil.example"@example.com', False),
        ("@example.com", "alice,bob@example.com", False),
        ("@example.com", "alice\n@example.com", False),
        ("@example.com", "@example.com", False),
    ],
)
def test_a_mailbox_is_allowed_as_a_whole_or_at_a_host(rule: str, name: str, allowed: bool) -> None:
    # As it is decoded from a certificate, where nothing is validated.
    assert allows(AllowedClients(emails=[rule]), MAIL._init_without_validation(name)) is allowed


def test_a_name_of_one_form_is_none_of_another() -> None:
    rule = AllowedClients(dns=["worker.example"], emails=["@worker.example"])
    assert not allows(rule, URI("https://worker.example/"), x509.RegisteredID(CLIENT_AUTH))


@pytest.mark.parametrize(
    "rule",
    [
        {},
        {"dns": "worker.example"},
        {"dns": ["*"]},
        {"dns": ["192.0.2.1"]},
        {"dns": ["a.*.example"]},
        {"dns": [b"worker.example"]},
        {"uris": ["worker.example"]},
        {"uris": ["spiffe://prod/../x"]},
        {"uris": ["spiffe://*/x"]},
        {"uris": ["urn:a:b"]},
        {"emails": ["alice"]},
        {"emails": ["*@example.com"]},
        {"emails": ["@"]},
    ],
)
def test_a_rule_that_could_match_nothing_is_refused(rule: dict[str, Any]) -> None:
    with pytest.raises(Misuse) as caught:
        AllowedClients(**rule)
    assert caught.value.reason is Reason.BAD_CONFIGURATION
    assert caught.value.detail.startswith("allowed_clients: ")


@settings(derandomize=True)
@given(st.text(max_size=60))
def test_any_text_is_a_uri_or_none(text: str) -> None:
    rule = AllowedClients(uris=["spiffe://prod/a/*"])
    assert not rule._allows_uri(text) or text.lower().startswith("spiffe://prod/a/")


def test_the_refusal_lists_the_names_that_the_client_has(forge: Any) -> None:
    root = forge.ca("Root")
    names = x509.SubjectAlternativeName([URI("spiffe://prod/other"), DNS("other.example")])
    leaf = forge.leaf(root, purposes=[CLIENT_AUTH], names=None, extensions=[(names, False)])
    identity = verify_client([leaf.der], root.trust, NOW)
    with pytest.raises(CertificateRejected) as caught:
        AllowedClients(uris=["spiffe://prod/web"]).check(identity)
    assert caught.value.reason is Reason.CLIENT_NOT_ALLOWED
    assert "has URI:spiffe://prod/other, DNS:other.example, and none of them" in caught.value.detail


def test_a_key_without_a_certificate_has_no_name_that_is_allowed(forge: Any) -> None:
    key = forge.key("ecdsa", "alone").public_key()
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    identity = verify_raw_key(der, TrustStore.from_keys([der]))
    with pytest.raises(CertificateRejected, match="has no names") as caught:
        AllowedClients(dns=["worker.example"]).check(identity)
    assert caught.value.reason is Reason.CLIENT_NOT_ALLOWED


@pytest.mark.parametrize("version", ["TLSv1.3", "TLSv1.2"])
@pytest.mark.parametrize("allowed", ["alice.example", "bob.example"])
def test_a_server_lets_in_whom_the_rule_is_for(version: str, allowed: str) -> None:
    alice = laboratory().credential("ecdsa", ("alice.example",), "client")
    server = server_config(
        client_authentication="required",
        trust=laboratory().trust,
        allowed_clients=AllowedClients(dns=[allowed]),
        protocols=[version],
    )
    client = client_config(credentials=[alice], protocols=[version])
    if allowed == "alice.example":
        shake_hands(client, server)
        return
    with pytest.raises(CertificateRejected) as caught:
        shake_hands(client, server)
    assert caught.value.reason is Reason.CLIENT_NOT_ALLOWED


def test_a_session_is_resumed_only_by_whom_the_rule_is_for() -> None:
    """The tickets are shared between two configurations, and the second lets in somebody else."""
    alice = laboratory().credential("ecdsa", ("alice.example",), "client")
    tickets = TicketKeys(os.urandom, lambda: LAB_NOW)

    def server(name: str) -> Any:
        return server_config(
            client_authentication="required",
            trust=laboratory().trust,
            allowed_clients=AllowedClients(dns=[name]),
            tickets=tickets,
        )

    client = client_config(credentials=[alice], sessions=SessionStore())
    shake_hands(client, server("alice.example"))
    again, _ = shake_hands(client, server("alice.example"))
    assert again.negotiated is not None
    assert again.negotiated.resumed
    with pytest.raises(CertificateRejected) as caught:
        shake_hands(client, server("bob.example"))
    assert caught.value.reason is Reason.CLIENT_NOT_ALLOWED


@pytest.mark.parametrize(
    "knobs", [{"allowed_clients": "alice"}, {"allowed_clients": AllowedClients(dns=["a.example"])}]
)
def test_the_knob_refuses_what_it_cannot_use(knobs: dict[str, Any]) -> None:
    """Neither a bare name, nor a rule where no client is asked for a certificate."""
    with pytest.raises(Misuse, match="allowed_clients"):
        server_config(**knobs)
