"""What a client sends unasked, and which of several certificates is shown to whom."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from functools import cache
from itertools import permutations
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import NameOID
from loopback import NAME, NOW, client_config, connect_pair, credential, laboratory, pump, server_config
from tampering import lying

from pellucid import ClientConnection, Credential, Trace, TrustStore
from pellucid.codes import ExtensionType, NamedGroup
from pellucid.codes import SignatureScheme as S
from pellucid.config import ClientConfig
from pellucid.handshake.choose import choose_credential
from pellucid.handshake.effects import SelectCredential
from pellucid.identity.lab import Laboratory
from pellucid.identity.lab_keys import KINDS
from pellucid.messages import ClientHello, decode_handshake
from pellucid.messages import extensions as ext
from pellucid.trace.events import MessageEvent

HYBRID, CLASSICAL = NamedGroup.X25519MLKEM768, NamedGroup.x25519


def hello_of(config: ClientConfig) -> ClientHello:
    """What a client of this configuration says first."""
    client = ClientConnection(config, NAME)
    assert client.trace is not None
    message = next(event for event in client.trace.events if isinstance(event, MessageEvent))
    hello = ClientHello.decode(message.raw)
    assert isinstance(hello, ClientHello)
    return hello


def shares_of(config: ClientConfig) -> list[ext.KeyShareEntry]:
    found = hello_of(config).extensions.find(ext.KeyShareClientHello)
    assert found is not None
    return found.client_shares


# -- key shares


@pytest.mark.parametrize("order", list(permutations(["X25519MLKEM768", "secp256r1", "x25519"])), ids="-".join)
def test_shares_follow_the_order_of_the_groups(order: Sequence[str]) -> None:
    """RFC 9846 4.3.8: they "MUST appear in the same order" as in supported_groups, the default's too."""
    shares = [entry.group for entry in shares_of(client_config(groups=order, trace=True))]
    assert [str(group) for group in shares] == [name for name in order if name != "secp256r1"]


@pytest.mark.parametrize("order", [[HYBRID, CLASSICAL], [CLASSICAL, HYBRID]], ids=["hybrid", "classical"])
def test_one_x25519_key_serves_the_hybrid_and_x25519(order: list[NamedGroup]) -> None:
    """Whichever comes first: the client's second key would cost time and win nothing."""
    shares = {entry.group: entry.key_exchange for entry in shares_of(client_config(groups=order, trace=True))}
    assert list(shares) == order
    assert shares[HYBRID].endswith(shares[CLASSICAL])
    for server_groups in ([HYBRID], [CLASSICAL]):
        client, server = connect_pair(client_config(groups=order), server_config(groups=server_groups))
        pump(client, server)
        assert client.negotiated is not None
        assert [client.negotiated.group] == server_groups


def test_each_hello_has_keys_of_its_own() -> None:
    config = client_config(trace=True)
    first, second = shares_of(config), shares_of(config)
    assert len(first) == len(second) == 2
    assert {entry.key_exchange for entry in first}.isdisjoint(entry.key_exchange for entry in second)


# -- what the certificates of a chain are signed with


@cache
def laboratory_of(ca_kind: str) -> Laboratory:
    return Laboratory(b"pellucid tests", NOW, ca_kind=ca_kind)


#: By the kind of the CA's key.
SIGNED_WITH = {
    "ecdsa": {S.ecdsa_secp256r1_sha256},
    "ecdsa_p384": {S.ecdsa_secp384r1_sha384},
    "ecdsa_p521": {S.ecdsa_secp521r1_sha512},
    "rsa": {S.rsa_pkcs1_sha256},
    "ed25519": {S.ed25519},
    "ed448": {S.ed448},
    "mldsa44": {S.mldsa44},
    "mldsa65": {S.mldsa65},
    "mldsa87": {S.mldsa87},
}


@pytest.mark.parametrize("ca_kind", KINDS)
def test_a_chain_is_signed_with_what_its_authorities_sign_with(ca_kind: str) -> None:
    ours = laboratory_of(ca_kind).credential()
    # The leaf's signature and the intermediate's.
    assert ours.chain_schemes == (frozenset(SIGNED_WITH[ca_kind]),) * 2


@pytest.mark.parametrize("kind", KINDS)
def test_the_kind_of_the_leafs_own_key_does_not_matter_to_that(kind: str) -> None:
    assert credential(kind).chain_schemes == (frozenset({S.ecdsa_secp256r1_sha256}),) * 2


def test_a_root_that_is_sent_along_does_not_count() -> None:
    """RFC 9846 4.3.3: signatures on trust anchors "are not validated"."""
    lab = laboratory_of("ed25519")
    issued = lab.issue()
    with_root = Credential.from_objects((issued.certificate, lab.intermediate, lab.root), issued.private_key)
    assert len(with_root.chain) == 3
    assert with_root.chain_schemes == issued.credential.chain_schemes
    assert Credential.from_objects((signed_by_itself(),), KEY).chain_schemes == ()


# -- which chain


ECDSA_ONLY = [S.ecdsa_secp256r1_sha256, S.ecdsa_secp384r1_sha384, S.ecdsa_secp521r1_sha512]
RSA_ONLY = [S.rsa_pkcs1_sha256, S.rsa_pkcs1_sha384]


def by_rsa(*names: str) -> Credential:
    """An ECDSA key, certified by an RSA authority."""
    return laboratory_of("rsa").credential("ecdsa", names or (NAME,))


def by_ecdsa(*names: str) -> Credential:
    return laboratory_of("ecdsa").credential("ecdsa", names or (NAME,))


BOTH_ORDERS = pytest.mark.parametrize("reverse", [False, True], ids=["RSA first", "ECDSA first"])


def both(reverse: bool) -> list[Credential]:
    pair = [by_rsa(), by_ecdsa()]
    return pair[::-1] if reverse else pair


def shown(credentials: list[Credential], client: dict[str, Any]) -> tuple[bytes, ...]:
    """The chain that a client of this configuration is shown."""
    trust = TrustStore.from_certificates([laboratory_of("rsa").root, laboratory_of("ecdsa").root])
    pair = connect_pair(client_config(trust=trust, **client), server_config(credentials=credentials))
    pump(*pair)
    assert pair[0].negotiated is not None
    return pair[0].negotiated.peer_chain


@BOTH_ORDERS
def test_signature_algorithms_cert_decides_between_chains(reverse: bool) -> None:
    """RFC 9846 4.5.1.2"""
    ecdsa = {"certificate_signature_schemes": ECDSA_ONLY}
    rsa = {"certificate_signature_schemes": RSA_ONLY}
    assert shown(both(reverse), ecdsa) == by_ecdsa().chain
    assert shown(both(reverse), rsa) == by_rsa().chain


@BOTH_ORDERS
def test_without_it_signature_algorithms_decides(reverse: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_pkcs1(hello: ClientHello) -> None:
        assert ExtensionType.signature_algorithms_cert not in hello.extensions
        hello.extensions.add(ext.SignatureSchemeList(list(ECDSA_ONLY)))

    lying(monkeypatch, "client", {ClientHello: no_pkcs1})
    assert shown(both(reverse), {}) == by_ecdsa().chain


@BOTH_ORDERS
def test_where_both_chains_can_be_verified_our_order_counts(reverse: bool) -> None:
    assert shown(both(reverse), {}) == both(reverse)[0].chain


def wanted(name: str | None, certificate_schemes: Sequence[int]) -> SelectCredential:
    return SelectCredential(name, list(S), certificate_schemes, [])


def chosen(credentials: list[Credential], effect: SelectCredential) -> Credential:
    found = choose_credential(credentials, effect, None)
    assert found is not None
    return found[0]


def test_the_name_comes_before_what_can_be_verified() -> None:
    """A wrong name is refused for certain; an algorithm that was not listed may be known nevertheless."""
    named, other = by_rsa("a.test"), by_ecdsa("b.test")
    assert chosen([other, named], wanted("a.test", ECDSA_ONLY)) is named
    assert chosen([other, named], wanted("b.test", RSA_ONLY)) is other


def test_the_name_alone_is_not_enough_where_both_have_it() -> None:
    assert chosen([by_rsa("a.test"), by_ecdsa("a.test")], wanted("a.test", ECDSA_ONLY)).chain == (
        by_ecdsa("a.test").chain
    )


def test_a_chain_that_cannot_be_verified_is_shown_rather_than_none() -> None:
    """RFC 9846 4.5.1.2: a server without a better one "SHOULD continue the handshake"."""
    assert chosen([by_rsa()], wanted(NAME, [S.ed25519])).chain == by_rsa().chain


# -- certificate_authorities


KEY: Any = laboratory().issue().private_key


def signed_by_itself(name: str = "itself.test") -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    start = dt.datetime.fromtimestamp(NOW - 3600, dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(KEY.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + dt.timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(KEY, hashes.SHA256())
    )


@pytest.fixture(scope="module")
def many_roots() -> TrustStore:
    """The laboratory's and 999 others: more names than fit any message."""
    others = [
        signed_by_itself(f"{number:04} authority with a name of a usual length") for number in range(999)
    ]
    return TrustStore.from_certificates([*others, laboratory().root])


def names_sent(trace: Trace, message: str) -> bool:
    (raw,) = (e.raw for e in trace.events if isinstance(e, MessageEvent) and e.name == message)
    decoded: Any = decode_handshake(raw)
    return ExtensionType.certificate_authorities in decoded.extensions


@pytest.mark.parametrize("many", [True, False], ids=["1,000 roots", "one root"])
def test_a_server_tells_whom_it_trusts_where_that_fits(many_roots: TrustStore, many: bool) -> None:
    trust = many_roots if many else laboratory().trust
    assert len(trust) == (1_000 if many else 1)
    trace = Trace()
    client, server = connect_pair(
        client_config(credentials=[credential(purpose="client")], trust=many_roots),
        server_config(client_authentication="required", trust=trust, trace=trace),
    )
    pump(client, server)
    assert client.handshake_complete
    assert server.negotiated is not None
    assert server.negotiated.mutual
    assert names_sent(trace, "CertificateRequest") is not many


@pytest.mark.parametrize("many", [True, False], ids=["1,000 roots", "one root"])
def test_a_client_tells_whom_it_trusts_where_that_fits(many_roots: TrustStore, many: bool) -> None:
    trust = many_roots if many else laboratory().trust
    trace = Trace()
    client, server = connect_pair(
        client_config(trust=trust, send_certificate_authorities=True, trace=trace), server_config()
    )
    pump(client, server)
    assert client.handshake_complete
    assert names_sent(trace, "ClientHello") is not many
