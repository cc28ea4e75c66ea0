"""TLS 1.2: a suite names key exchange and kind of certificate: what a server chooses of what it has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from loopback import NAME, client12, connect_pair, credential, laboratory, pump, server12
from rogue import edit, honest, rogue_client, server_refuses

from pellucid import ServerConnection, TLSError, Trace, TrustStore
from pellucid.codes import AlertDescription, CipherSuite, ExtensionType, NamedGroup, SignatureScheme
from pellucid.errors import Reason
from pellucid.messages import ClientHello
from pellucid.messages import extensions as ext
from pellucid.result import Negotiated
from pellucid.trace.events import ChoiceEvent

A, E, G, S = AlertDescription, ExtensionType, NamedGroup, SignatureScheme
ECDSA_128 = "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"
RSA_128 = "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"
RSA_256 = "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"
DHE = "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256"
RSA = "TLS_RSA_WITH_AES_128_GCM_SHA256"
RSA_256_CBC = "TLS_RSA_WITH_AES_256_CBC_SHA"
BOTH_KEYS = {"credentials": [credential(), credential("rsa")]}
COMPATIBLE = {"policy": "compatible"}


def agree(client: dict[str, Any], server: dict[str, Any], name: str = NAME) -> Negotiated:
    pair = connect_pair(client12(**client), server12(**server), name)
    pump(*pair)
    assert pair[0].negotiated is not None
    assert pair[1].negotiated is not None
    for name_ in ("cipher_suite", "group", "signature_scheme", "alpn"):
        assert getattr(pair[0].negotiated, name_) == getattr(pair[1].negotiated, name_)
    return pair[0].negotiated


def agree_with_rogue(
    change: Callable[[ClientHello], object], client: dict[str, Any], server: dict[str, Any]
) -> Negotiated:
    """What the server makes of a hello that is not quite ours; the client may go along, or not."""
    rogue = rogue_client(edit(ClientHello, change), client12(**client))
    victim = ServerConnection(server12(**server))
    pump(rogue, victim)
    assert victim.negotiated is not None
    return victim.negotiated


def refused(reason: Reason, client: dict[str, Any], server: dict[str, Any], change: Any = None) -> TLSError:
    return server_refuses(
        edit(ClientHello, change) if change else honest,
        reason,
        A.handshake_failure,
        client=client12(**client),
        server=server12(**server),
    )


# -- suites


@pytest.mark.parametrize(
    "order", [[ECDSA_128, RSA_128, RSA_256], [RSA_256, RSA_128, ECDSA_128], [RSA_128, ECDSA_128]]
)
def test_the_servers_order_of_suites_counts(order: list[str]) -> None:
    """And with the suite the kind of its certificate."""
    found = agree({"cipher_suites": [ECDSA_128, RSA_128, RSA_256]}, BOTH_KEYS | {"cipher_suites": order})
    assert str(found.cipher_suite) == order[0]
    kind = "ecdsa" if order[0] == ECDSA_128 else "rsa"
    assert found.peer_chain == credential(kind).chain


def test_by_default_a_certificate_with_an_ecdsa_key_comes_first() -> None:
    """It is the faster one, whatever the order of the certificates."""
    found = agree({}, {"credentials": [credential("rsa"), credential()]})
    assert (str(found.cipher_suite), found.group) == (ECDSA_128, G.x25519)


def test_what_the_keys_of_the_server_cannot_do_is_passed_over() -> None:
    assert str(agree({}, {"credentials": [credential("rsa")]}).cipher_suite) == RSA_128


def test_forward_secrecy_comes_before_a_faster_key_exchange() -> None:
    found = agree(COMPATIBLE, COMPATIBLE | {"credentials": [credential("rsa")]})
    assert str(found.cipher_suite) == RSA_128
    suites = {"cipher_suites": [RSA, DHE, RSA_256_CBC]}
    assert str(agree(suites, COMPATIBLE | {"credentials": [credential("rsa")]}).cipher_suite) == DHE


def test_nothing_old_is_spoken_unasked() -> None:
    """No CBC, no CCM, no DHE and no RSA key exchange: RFC 9325 4.2 recommends the rest."""
    for suite in client12().parameters.suites12:
        assert "ECDHE" in suite.name
        assert not any(old in suite.name for old in ("CBC", "CCM"))


def test_no_suite_in_common() -> None:
    error = refused(Reason.NO_SHARED_CIPHER_SUITE, {"cipher_suites": [RSA_256]}, {"cipher_suites": [RSA_128]})
    assert f"the client offers {RSA_256}; we accept {RSA_128} in TLS 1.2" in error.detail


def test_what_is_missing_is_said() -> None:
    server = {"cipher_suites": [ECDSA_128, RSA_128], "groups": ["secp384r1"]}
    trace = Trace()
    refused(
        Reason.NO_SUITABLE_CERTIFICATE,
        {"groups": ["secp256r1", "secp384r1"], "cipher_suites": [RSA_128]},
        server | {"trace": trace},
    )
    (choice,) = (e for e in trace.events if isinstance(e, ChoiceEvent) and e.what == "cipher_suite")
    assert choice.chosen == ""
    assert choice.theirs == (RSA_128,)
    assert f"not {RSA_128}: no RSA key of ours" in choice.rule


# -- curves


@pytest.mark.parametrize("group", ["x25519", "secp256r1", "secp384r1", "secp521r1", "x448"])
def test_the_servers_order_of_curves_counts(group: str) -> None:
    every = ["x25519", "secp256r1", "secp384r1", "secp521r1", "x448"]
    order = [group, *(other for other in every if other != group)]
    assert str(agree({"groups": every}, {"groups": order}).group) == group


def test_a_hybrid_is_not_for_tls_1_2() -> None:
    """It stands in the list of a client that has TLS 1.3 as well."""
    assert agree({"protocols": ["TLSv1.3", "TLSv1.2"]}, {}).group is G.x25519


def test_no_curve_in_common() -> None:
    refused(Reason.NO_SHARED_GROUP, {"groups": ["x25519", "secp256r1"]}, {"groups": ["x448"]})


def test_no_curve_in_common_leaves_other_key_exchanges() -> None:
    client = {"cipher_suites": [RSA_128, RSA], "groups": ["x25519"]}
    server = {"cipher_suites": [RSA_128, RSA], "groups": ["x448"], "credentials": [credential("rsa")]}
    assert str(agree(client, server).cipher_suite) == RSA


def test_a_client_that_names_no_curves_gets_p_256() -> None:
    """RFC 8422 4: "the server is free to choose any one"; who is old enough to be silent has this one."""
    found = agree_with_rogue(lambda hello: hello.extensions.pop(E.supported_groups), {}, {})
    assert found.group is G.secp256r1


def test_a_client_that_names_no_curves_is_refused_by_who_lacks_p_256() -> None:
    change = edit(ClientHello, lambda hello: hello.extensions.pop(E.supported_groups))
    server_refuses(
        change,
        Reason.NO_SHARED_GROUP,
        A.handshake_failure,
        client=client12(),
        server=server12(groups=["x448"]),
    )


@pytest.mark.parametrize(
    "kind, curve", [("ecdsa", "secp256r1"), ("ecdsa_p384", "secp384r1"), ("ecdsa_p521", "secp521r1")]
)
def test_the_curve_of_a_certificate_has_to_be_one_of_the_clients(kind: str, curve: str) -> None:
    """RFC 8422 5.1: supported_groups is for the keys of certificates as well."""
    server = {"credentials": [credential(kind), credential("rsa")]}
    assert str(agree({"groups": ["x25519", curve]}, server).cipher_suite) == ECDSA_128
    assert str(agree({"groups": ["x25519"]}, server).cipher_suite) == RSA_128
    refused(Reason.NO_SUITABLE_CERTIFICATE, {"groups": ["x25519"]}, {"credentials": [credential(kind)]})


@pytest.mark.parametrize("kind", ["ed25519", "ed448"])
def test_an_edwards_curve_is_named_by_its_scheme_alone(kind: str) -> None:
    """RFC 8422 5.1.1 has no group for it; its suites are those of ECDSA (5.10)."""
    both = {"signature_schemes": [kind, "ecdsa_secp256r1_sha256"]}
    found = agree(both | {"groups": ["x25519"]}, both | {"credentials": [credential(kind)]})
    assert (str(found.cipher_suite), str(found.signature_scheme)) == (ECDSA_128, kind)


# -- groups of finite fields


@pytest.mark.parametrize("group", ["ffdhe2048", "ffdhe3072", "ffdhe4096"])
def test_a_client_names_the_group_of_a_finite_field(group: str) -> None:
    suites = {"cipher_suites": [DHE]}
    server = suites | {"credentials": [credential("rsa")], "groups": [group]}
    assert str(agree(suites | {"groups": ["ffdhe2048", "ffdhe3072", "ffdhe4096"]}, server).group) == group


def test_a_client_that_names_none_gets_the_servers_first() -> None:
    """RFC 7919 4: it is of the time before the groups had names."""
    server = {"cipher_suites": [DHE], "credentials": [credential("rsa")]}
    assert agree({"cipher_suites": [DHE], "groups": ["x25519"]}, server).group is G.ffdhe2048
    found = agree_with_rogue(
        lambda hello: hello.extensions.pop(E.supported_groups, None), {"cipher_suites": [DHE]}, server
    )
    assert found.group is G.ffdhe2048


#: RFC 7919 4: "any codepoint between 256 and 511, inclusive, even if unknown to the server".
UNKNOWN_FIELDS = [0x0101 + 0x50, 0x01FC, 0x01FF]


@pytest.mark.parametrize("group", UNKNOWN_FIELDS, ids=hex)
def test_a_client_that_names_only_others_gets_another_key_exchange(group: int) -> None:
    """RFC 7919 4: the server "MUST NOT select an FFDHE cipher suite" then."""

    def change(hello: ClientHello) -> None:
        hello.extensions.add(ext.NamedGroupList([group]))

    suites = {"cipher_suites": [DHE, RSA]}
    found = agree_with_rogue(change, suites, suites | {"credentials": [credential("rsa")]})
    assert str(found.cipher_suite) == RSA


def test_a_client_that_names_only_others_and_has_nothing_else() -> None:
    """RFC 7919 4: "a fatal TLS alert of type insufficient_security(71)"."""
    suites = {"cipher_suites": [DHE]}
    server_refuses(
        honest,
        Reason.NO_SHARED_DH_GROUP,
        A.insufficient_security,
        client=client12(**suites, groups=["ffdhe2048"]),
        server=server12(**suites, groups=["ffdhe3072"], credentials=[credential("rsa")]),
    )


# -- signatures


def test_a_key_of_rsa_signs_by_pss_where_the_client_can() -> None:
    rsa = {"credentials": [credential("rsa")]}
    assert agree({}, rsa).signature_scheme is S.rsa_pss_rsae_sha256
    old = {"signature_schemes": ["rsa_pkcs1_sha512", "rsa_pkcs1_sha256", "ecdsa_secp256r1_sha256"]}
    assert agree(old, rsa).signature_scheme is S.rsa_pkcs1_sha256


def test_a_client_that_names_no_signatures_wants_sha_1() -> None:
    """RFC 5246 7.4.1.4.1 says so, and we sign with it never; RSA key exchange needs no signature."""

    def change(hello: ClientHello) -> None:
        del hello.extensions[E.signature_algorithms]

    rsa = {"credentials": [credential("rsa")]}
    refused(Reason.NO_SUITABLE_CERTIFICATE, {}, rsa, change)
    suites = {"cipher_suites": [RSA_128, RSA]}
    assert str(agree_with_rogue(change, suites, suites | rsa).cipher_suite) == RSA


@pytest.mark.parametrize(
    "schemes", [[0x0201, 0x0203], [0x0101], [0x0402, 0x0202]], ids=["SHA-1", "MD5", "DSA"]
)
def test_old_signatures_are_not_made(schemes: list[int]) -> None:
    """SLOTH: who could find a collision could have one handshake's signature serve another's."""
    change: Any = lambda hello: hello.extensions.add(ext.SignatureSchemeList(schemes))  # noqa: E731
    refused(Reason.NO_SUITABLE_CERTIFICATE, {}, BOTH_KEYS, change)


def test_schemes_of_tls_1_3_alone_sign_no_handshake_of_tls_1_2() -> None:
    both = {"signature_schemes": ["mldsa65", "ecdsa_secp256r1_sha256"]}
    server = both | {"credentials": [credential("mldsa65"), credential()]}
    assert str(agree(both, server).signature_scheme) == "ecdsa_secp256r1_sha256"
    refused(Reason.NO_SUITABLE_CERTIFICATE, both, both | {"credentials": [credential("mldsa65")]})


@pytest.mark.parametrize(
    "kind, scheme", [("ecdsa", "ecdsa_secp384r1_sha384"), ("ecdsa_p384", "ecdsa_secp256r1_sha256")]
)
def test_in_tls_1_2_a_scheme_names_no_curve(kind: str, scheme: str) -> None:
    """RFC 8446 4.2.3 gave the code points of a hash and ECDSA their curves; TLS 1.2 knows none."""
    client = {"signature_schemes": [scheme], "certificate_signature_schemes": ["ecdsa_secp256r1_sha256"]}
    assert str(agree(client, {"credentials": [credential(kind)]}).signature_scheme) == scheme


# -- names


def test_a_certificate_is_picked_by_the_server_name() -> None:
    server = {"credentials": [credential(names=("one.test",)), credential(names=("two.test",))]}
    for name, at in (("one.test", 0), ("two.test", 1)):
        assert agree({}, server, name).peer_chain == server["credentials"][at].chain


@pytest.mark.parametrize("name, suite", [("one.test", ECDSA_128), ("two.test", RSA_128)])
def test_the_name_comes_before_the_order_of_suites(name: str, suite: str) -> None:
    """With another certificate the client could do nothing."""
    server = {"credentials": [credential(names=("one.test",)), credential("rsa", names=("two.test",))]}
    found = agree({}, server, name)
    assert str(found.cipher_suite) == suite
    assert found.peer_chain == server["credentials"][name == "two.test"].chain


def test_of_a_kind_that_the_suite_wants() -> None:
    """Without the right key there is no suite, whatever the name."""
    server = {"credentials": [credential("rsa", names=("one.test",)), credential(names=("one.test",))]}
    assert (
        agree({"cipher_suites": [RSA_128]}, server, "one.test").peer_chain == server["credentials"][0].chain
    )


def test_a_strict_server_has_no_default() -> None:
    server = server12(credentials=[credential(names=("one.test",))], strict_server_name=True)
    server_refuses(honest, Reason.UNRECOGNIZED_NAME, A.unrecognized_name, client=client12(), server=server)


def test_a_certificate_is_picked_by_the_authorities_that_a_client_names() -> None:
    """certificate_authorities is of RFC 9846; a client of both versions sends it before it knows which."""
    by_root = laboratory().credential("ecdsa", [NAME], issuer="root")
    trust = TrustStore.from_certificates((laboratory().intermediate,), "the intermediate")
    client = {"trust": trust, "send_certificate_authorities": True}
    assert agree(client, {"credentials": [by_root, credential()]}).peer_chain == credential().chain


def test_scsvs_are_no_suites() -> None:
    """A client that offers nothing else offers nothing."""

    def change(hello: ClientHello) -> None:
        hello.cipher_suites = [CipherSuite.TLS_EMPTY_RENEGOTIATION_INFO_SCSV, 0x1A1A]

    refused(Reason.NO_SHARED_CIPHER_SUITE, {}, {}, change)
