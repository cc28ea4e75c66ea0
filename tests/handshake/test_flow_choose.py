"""What is chosen of what both sides have, and that the trace tells the candidates of both and the rule."""

from __future__ import annotations

from typing import Any

import pytest
from loopback import NOW, credential, laboratory

from pellucid import Credential, Trace
from pellucid.codes import CipherSuite as S
from pellucid.codes import NamedGroup as G
from pellucid.codes import ProtocolVersion as V
from pellucid.codes import SignatureScheme as A
from pellucid.crypto.suites import SUITES
from pellucid.errors import PeerIncompatible, Reason
from pellucid.handshake.choose import (
    choose_alpn,
    choose_cipher_suite,
    choose_credential,
    choose_group,
    choose_version,
    first_shared,
)
from pellucid.handshake.effects import SelectCredential
from pellucid.identity.lab import Laboratory
from pellucid.trace import TraceView
from pellucid.trace.events import ChoiceEvent

GREASE = 0x1A1A
GCM, CHACHA, GCM_384 = S.TLS_AES_128_GCM_SHA256, S.TLS_CHACHA20_POLY1305_SHA256, S.TLS_AES_256_GCM_SHA384
EVERY_SCHEME = list(A)


@pytest.fixture
def view() -> TraceView:
    return Trace().view("server")


def choices(view: TraceView) -> list[ChoiceEvent]:
    return [event for event in view.trace.events if isinstance(event, ChoiceEvent)]


def test_our_order_counts() -> None:
    assert first_shared([GCM, CHACHA], [GREASE, CHACHA, GCM]) is GCM
    assert first_shared([CHACHA, GCM], [GCM, CHACHA]) is CHACHA


def test_nothing_shared_is_none() -> None:
    assert first_shared([GCM], [GREASE]) is None
    assert first_shared([], [GCM]) is None
    assert first_shared([GCM], []) is None


def test_the_highest_version_wins_whatever_the_order() -> None:
    assert choose_version([V.TLSv1_2, V.TLSv1_3], [V.TLSv1_2, GREASE, V.TLSv1_3], None) is V.TLSv1_3
    assert choose_version([V.TLSv1_3, V.TLSv1_2], [V.TLSv1_2], None) is V.TLSv1_2


def test_a_suite_by_the_servers_preference() -> None:
    assert choose_cipher_suite([CHACHA, GCM], [GCM, CHACHA], None, None) is SUITES[CHACHA]


def test_with_a_psk_only_suites_of_its_hash() -> None:
    assert choose_cipher_suite([GCM_384, CHACHA], [GCM_384, CHACHA], "sha256", None) is SUITES[CHACHA]
    assert choose_cipher_suite([GCM, GCM_384], [GCM_384, GCM], "sha384", None) is SUITES[GCM_384]


def test_a_group_by_the_servers_preference_even_without_a_share() -> None:
    """RFC 9846 4.3.8"""
    ours = [G.X25519MLKEM768, G.x25519]
    assert choose_group(ours, [G.x25519, G.X25519MLKEM768], [G.x25519], None) is G.X25519MLKEM768


def test_the_rule_says_that_a_share_has_to_be_asked_for(view: TraceView) -> None:
    choose_group([G.secp256r1], [G.x25519, G.secp256r1], [G.x25519], view)
    choose_group([G.x25519], [G.x25519, G.secp256r1], [G.x25519], view)
    without, with_share = choices(view)
    assert without.rule.endswith("its share has to be asked for")
    assert "asked" not in with_share.rule


def test_a_protocol_by_the_servers_preference() -> None:
    assert choose_alpn(["h2", "http/1.1"], [b"http/1.1", b"\xff", b"h2"], None) == "h2"


IMPOSSIBLE: dict[str, tuple[Any, Reason]] = {
    "version": (lambda t: choose_version([V.TLSv1_3], [V.TLSv1_2, GREASE], t), Reason.NO_SHARED_VERSION),
    "cipher_suite": (
        lambda t: choose_cipher_suite([GCM], [CHACHA, GREASE], None, t), Reason.NO_SHARED_CIPHER_SUITE
    ),
    "group": (lambda t: choose_group([G.x25519], [G.x448, GREASE], [], t), Reason.NO_SHARED_GROUP),
    "alpn": (lambda t: choose_alpn(["h2"], [b"h3", b"\xff"], t), Reason.NO_SHARED_APPLICATION_PROTOCOL),
}  # fmt: skip


@pytest.mark.parametrize("what", IMPOSSIBLE)
def test_nothing_in_common_is_nobodys_fault_and_names_both_lists(what: str, view: TraceView) -> None:
    choose, reason = IMPOSSIBLE[what]
    with pytest.raises(PeerIncompatible) as caught:
        choose(view)
    assert caught.value.reason is reason
    (choice,) = choices(view)
    assert (choice.what, choice.chosen) == (what, "")
    for name in (*choice.ours, *choice.theirs):
        assert name in caught.value.detail


def test_the_trace_names_what_nobody_knows(view: TraceView) -> None:
    choose_cipher_suite([GCM, CHACHA], [GREASE, 0x1399, CHACHA], None, view)
    (choice,) = choices(view)
    assert choice.ours == ("TLS_AES_128_GCM_SHA256", "TLS_CHACHA20_POLY1305_SHA256")
    assert choice.theirs == ("GREASE (0x1a1a)", "unknown (0x1399)", "TLS_CHACHA20_POLY1305_SHA256")
    assert choice.chosen == "TLS_CHACHA20_POLY1305_SHA256"


# -- credentials


@pytest.fixture(scope="module")
def several() -> dict[str, Credential]:
    return {
        "default": credential("ecdsa", names=("default.test",)),
        "rsa": credential("rsa", names=("www.example.org",)),
        "ecdsa": credential("ecdsa", names=("www.example.org",)),
        "wildcard": credential("ed25519", names=("*.example.net",)),
    }


def chosen(
    credentials: dict[str, Credential],
    server_name: str | None,
    schemes: list[A | int] | None = None,
    authorities: tuple[bytes, ...] = (),
    in_certificates: list[A] = EVERY_SCHEME,
) -> tuple[str, A] | None:
    wanted = SelectCredential(
        server_name, EVERY_SCHEME if schemes is None else schemes, in_certificates, authorities
    )
    found = choose_credential(list(credentials.values()), wanted, None)
    if found is None:
        return None
    return next(name for name, known in credentials.items() if known is found[0]), found[1]


def test_the_first_without_a_name(several: dict[str, Credential]) -> None:
    assert chosen(several, None) == ("default", A.ecdsa_secp256r1_sha256)


def test_the_one_for_the_name(several: dict[str, Credential]) -> None:
    assert chosen(several, "www.example.org") == ("rsa", A.rsa_pss_rsae_sha256)
    assert chosen(several, "any.example.net") == ("wildcard", A.ed25519)


def test_of_two_for_the_name_the_one_that_can_sign(several: dict[str, Credential]) -> None:
    scheme = A.ecdsa_secp256r1_sha256
    assert chosen(several, "www.example.org", [scheme]) == ("ecdsa", scheme)


def test_another_where_none_is_for_the_name(several: dict[str, Credential]) -> None:
    assert chosen(several, "unknown.test") == ("default", A.ecdsa_secp256r1_sha256)


def test_one_that_can_sign_before_one_for_the_name(several: dict[str, Credential]) -> None:
    assert chosen(several, "www.example.org", [A.ed25519]) == ("wildcard", A.ed25519)


def test_none_where_no_key_signs_what_the_peer_verifies(several: dict[str, Credential]) -> None:
    assert chosen(several, "www.example.org", [A.mldsa65, GREASE]) is None
    assert chosen(several, "www.example.org", []) is None
    assert chosen({}, None) is None


def test_what_the_key_prefers_of_what_the_peer_verifies(several: dict[str, Credential]) -> None:
    rsa = {"rsa": several["rsa"]}
    assert chosen(rsa, None, [A.rsa_pss_rsae_sha512, A.rsa_pss_rsae_sha384]) == ("rsa", A.rsa_pss_rsae_sha384)


def test_one_whose_chain_the_peer_can_verify_before_others() -> None:
    """RFC 9846 4.3.3: signature_algorithms_cert is about the signatures in certificates."""
    by_rsa = Laboratory(b"an RSA CA", NOW, ca_kind="rsa").credential(names=("a.test",))
    both = {"signed with RSA": by_rsa, "signed with ECDSA": credential(names=("a.test",))}
    scheme = A.ecdsa_secp256r1_sha256
    assert chosen(both, "a.test") == ("signed with RSA", scheme)
    assert chosen(both, "a.test", in_certificates=[scheme]) == ("signed with ECDSA", scheme)
    # A chain that it cannot verify is better than none: it may trust the certificate itself.
    assert chosen({"signed with RSA": by_rsa}, "a.test", in_certificates=[scheme]) is not None


@pytest.fixture
def by_issuer() -> dict[str, Credential]:
    """Both for one name; the root issued the first itself, and the intermediate's issuer for the second."""
    lab = laboratory()
    return {name: lab.credential(names=("a.test",), issuer=name) for name in ("root", "intermediate")}


def test_one_of_a_named_authority_before_others(by_issuer: dict[str, Credential]) -> None:
    """RFC 9846 4.5.1.2"""
    (intermediate,) = by_issuer["intermediate"].issuers - by_issuer["root"].issuers
    assert chosen(by_issuer, "a.test") == ("root", A.ecdsa_secp256r1_sha256)
    found = chosen(by_issuer, "a.test", authorities=(intermediate,))
    assert found == ("intermediate", A.ecdsa_secp256r1_sha256)


def test_an_authority_that_nobody_has_excludes_nobody(by_issuer: dict[str, Credential]) -> None:
    """RFC 9846 4.3.4 lets it guide the choice; a chain of another may be verified all the same."""
    assert chosen(by_issuer, "a.test", authorities=(b"\x30\x00",)) == ("root", A.ecdsa_secp256r1_sha256)


def test_the_name_comes_before_the_authority(by_issuer: dict[str, Credential]) -> None:
    (intermediate,) = by_issuer["intermediate"].issuers - by_issuer["root"].issuers
    both = {"named": laboratory().credential("ed25519", ("b.test",), issuer="root"), **by_issuer}
    assert chosen(both, "b.test", authorities=(intermediate,)) == ("named", A.ed25519)


@pytest.mark.parametrize("side, what", [("server", "certificate"), ("client", "client_certificate")])
def test_the_choice_of_a_credential_is_traced(side: Any, what: str, several: dict[str, Credential]) -> None:
    view = Trace().view(side)
    wanted = SelectCredential("www.example.org", EVERY_SCHEME, EVERY_SCHEME, ())
    choose_credential(list(several.values()), wanted, view)
    certificate, scheme = choices(view)
    assert (certificate.what, certificate.theirs) == (what, ("www.example.org",))
    assert certificate.chosen == several["rsa"].subject
    assert set(certificate.ours) == {one.subject for one in several.values()}
    assert (scheme.what, scheme.chosen) == ("signature_scheme", "rsa_pss_rsae_sha256")


def test_that_there_is_no_credential_is_traced(view: TraceView) -> None:
    choose_credential([], SelectCredential(None, [A.ed25519], [A.ed25519], ()), view)
    assert [choice.chosen for choice in choices(view)] == ["", ""]
