"""RSA key exchange of TLS 1.2: a server's leaf whose key is encrypted to, and need not sign."""

from typing import Any

import pytest

from pellucid.errors import CertificateRejected, Reason
from pellucid.identity import verify_client, verify_server

NAME = "leaf.example"
NOW = 1_800_000_000.0

# keyUsage of the leaf; whether it may sign, and be encrypted to
USAGES = [
    pytest.param(None, True, True, id="none"),
    pytest.param(("digital_signature",), True, False, id="digitalSignature"),
    pytest.param(("key_encipherment",), False, True, id="keyEncipherment"),
    pytest.param(("digital_signature", "key_encipherment"), True, True, id="both"),
    pytest.param(("key_agreement",), False, False, id="neither"),
]
each_usage = pytest.mark.parametrize("usage, signs, enciphers", USAGES)
CAS = ["ecdsa", "ed25519"]


def chain_of(forge: Any, root: Any, usage: tuple[str, ...] | None, kind: str = "rsa_2048") -> list[bytes]:
    usages = None if usage is None else forge.key_usage(*usage)
    return [forge.leaf(root, kind, usage=usages).der]


# pyca judges the paths of the one, and our own search those of the other.
@pytest.mark.parametrize("ca", CAS)
@each_usage
def test_key_usage_must_allow_what_the_key_is_to_do(
    forge: Any, ca: str, usage: tuple[str, ...] | None, signs: bool, enciphers: bool
) -> None:
    root = forge.ca(kind=ca)
    chain = chain_of(forge, root, usage)
    for key_exchange, may, missing in (
        (False, signs, "lacks digitalSignature"),
        (True, enciphers, "lacks keyEncipherment"),
    ):
        if may:
            assert verify_server(chain, NAME, root.trust, NOW, key_exchange=key_exchange)
        else:
            with pytest.raises(CertificateRejected, match=missing) as caught:
                verify_server(chain, NAME, root.trust, NOW, key_exchange=key_exchange)
            assert caught.value.reason is Reason.WRONG_PURPOSE


@each_usage
def test_a_trusted_leaf_is_held_to_the_same(
    forge: Any, usage: tuple[str, ...] | None, signs: bool, enciphers: bool
) -> None:
    usages = None if usage is None else forge.key_usage(*usage)
    leaf = forge.leaf(None, "rsa_2048", usage=usages)
    if enciphers:
        assert verify_server([leaf.der], NAME, leaf.trust, NOW, key_exchange=True)
        return
    with pytest.raises(CertificateRejected, match="lacks keyEncipherment"):
        verify_server([leaf.der], NAME, leaf.trust, NOW, key_exchange=True)


@pytest.mark.parametrize("kind", ["ecdsa", "ed25519"])
def test_a_key_that_nothing_can_be_encrypted_to_is_refused(forge: Any, kind: str) -> None:
    root = forge.ca()
    with pytest.raises(CertificateRejected, match="no key of the kind rsaEncryption") as caught:
        verify_server(chain_of(forge, root, None, kind), NAME, root.trust, NOW, key_exchange=True)
    assert caught.value.reason is Reason.UNSUPPORTED_CERTIFICATE


def test_an_id_rsassa_pss_key_is_for_signatures_alone(forge: Any) -> None:
    root = forge.ca(kind="rsa_2048")
    leaf = forge.leaf(root, "rsa_2048", usage=None)
    chain = [forge.with_pss_key(leaf, root, b"")]
    with pytest.raises(CertificateRejected, match="no key of the kind rsaEncryption") as caught:
        verify_server(chain, NAME, root.trust, NOW, key_exchange=True)
    assert caught.value.reason is Reason.UNSUPPORTED_CERTIFICATE


@pytest.mark.parametrize(
    "change, reason",
    [
        ({"name": "other.example"}, Reason.HOSTNAME_MISMATCH),
        ({"now": NOW + 1e9}, Reason.CERTIFICATE_EXPIRED),
    ],
)
def test_the_other_rules_hold_as_ever(forge: Any, change: dict[str, Any], reason: Reason) -> None:
    root = forge.ca()
    chain = chain_of(forge, root, ("key_encipherment",))
    name, now = change.get("name", NAME), change.get("now", NOW)
    with pytest.raises(CertificateRejected) as caught:
        verify_server(chain, name, root.trust, now, key_exchange=True)
    assert caught.value.reason is reason


def test_a_leaf_that_issues_is_refused(forge: Any) -> None:
    root = forge.ca()
    chain = chain_of(forge, root, ("key_encipherment", "key_cert_sign"))
    with pytest.raises(CertificateRejected) as caught:
        verify_server(chain, NAME, root.trust, NOW, key_exchange=True)
    assert caught.value.reason is Reason.STRICT_PROFILE_ONLY


def test_a_client_s_key_always_signs(forge: Any) -> None:
    root = forge.ca()
    client_auth = forge.leaf(root, "rsa_2048", usage=forge.key_usage("key_encipherment"), purposes=None)
    with pytest.raises(CertificateRejected, match="lacks digitalSignature"):
        verify_client([client_auth.der], root.trust, NOW)
