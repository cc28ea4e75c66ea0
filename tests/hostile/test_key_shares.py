"""Invalid curve points, small subgroups and low order, and key_share confusion.

A share that is no element of its group, or of a tiny part of it, makes a secret that an attacker knows, or
that tells bits of a private key. RFC 9846 4.3.8.1, 4.3.8.2 and 7.4: such shares end the handshake. In TLS 1.2
it is so on curves, too (RFC 8422 5.10, 5.11); its finite fields are in test_logjam.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from loopback import NAME, client_config, credential, server_config
from rogue import client_refuses, connected_rogue, edit, replace, rogue_server, run, server_refuses
from rogue12 import Side, client_of, refused12, server_of, signing

from pellucid import ClientConnection
from pellucid.codes import AlertDescription, ECCurveType, ExtensionType, NamedGroup
from pellucid.crypto import groups_ff
from pellucid.errors import Reason
from pellucid.messages import ClientHello, ServerHello, tls12
from pellucid.messages import extensions as ext
from pellucid.policy import CURVES_12

ILLEGAL = AlertDescription.illegal_parameter
G = NamedGroup

P255 = 2**255 - 19
#: The seven u-coordinates whose order divides 8, and three of them in a second encoding
#: (https://cr.yp.to/ecdh.html#validate).
X25519_LOW_ORDER = [
    value.to_bytes(32, "little")
    for value in (
        0,
        1,
        325606250916557431795983626356110631294008115727848805560023387167927233504,
        39382357235489614581723060781553021112529911719440698176882885853963445705823,
        P255 - 1,
        P255,
        P255 + 1,
    )
]
P448 = 2**448 - 2**224 - 1
X448_LOW_ORDER = [value.to_bytes(56, "little") for value in (0, 1, P448 - 1, P448, P448 + 1)]


def uncompressed(x: int, y: int, size: int) -> bytes:
    return b"\x04" + x.to_bytes(size, "big") + y.to_bytes(size, "big")


#: Of secp256r1, from SEC 2.
P256_GENERATOR = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)

BAD_SHARES: dict[NamedGroup, dict[str, bytes]] = {
    G.x25519: {
        **{f"of low order {number}": share for number, share in enumerate(X25519_LOW_ORDER)},
        "short": bytes(range(31)),
        "long": bytes(range(33)),
    },
    G.x448: {
        **{f"of low order {number}": share for number, share in enumerate(X448_LOW_ORDER)},
        "short": bytes(range(55)),
        "long": bytes(range(57)),
    },
    G.secp256r1: {
        # Of another curve with the same a, where the order is smooth: the invalid curve attack.
        "off the curve": uncompressed(P256_GENERATOR[0], P256_GENERATOR[1] ^ 1, 32),
        "zero": uncompressed(0, 0, 32),
        "beyond the field": uncompressed(2**256 - 1, 2**256 - 1, 32),
        "infinity": b"\x00",
        "compressed": b"\x03" + P256_GENERATOR[0].to_bytes(32, "big"),
        "hybrid form": b"\x07" + uncompressed(*P256_GENERATOR, 32)[1:],
        "short": uncompressed(*P256_GENERATOR, 32)[:-1],
        "long": uncompressed(*P256_GENERATOR, 32) + b"\x00",
    },
    G.secp384r1: {
        "off the curve": uncompressed(5, 5, 48),
        "of a shorter curve": uncompressed(*P256_GENERATOR, 32),
    },
    G.secp521r1: {
        "off the curve": uncompressed(5, 5, 66),
        "of a shorter curve": uncompressed(*P256_GENERATOR, 32),
    },
    G.ffdhe2048: {
        "zero": bytes(256),
        "one": (1).to_bytes(256, "big"),
        "p - 1": (groups_ff.ffdhe2048.prime - 1).to_bytes(256, "big"),
        "p": groups_ff.ffdhe2048.prime.to_bytes(256, "big"),
        "beyond p": b"\xff" * 256,
        "short": (5).to_bytes(255, "big"),
        "long": (5).to_bytes(257, "big"),
    },
    G.ffdhe3072: {"one": (1).to_bytes(384, "big"), "of a shorter group": (5).to_bytes(256, "big")},
    G.ffdhe4096: {"p - 1": (groups_ff.ffdhe4096.prime - 1).to_bytes(512, "big")},
    G.X25519MLKEM768: {"of x25519 alone": b"\x09" + bytes(31), "empty halves": b"\x00"},
    G.SecP256r1MLKEM768: {"of secp256r1 alone": uncompressed(*P256_GENERATOR, 32)},
    G.SecP384r1MLKEM1024: {"short": bytes(97)},
}
CASES = [
    pytest.param(group, share, id=f"{group}-{fault}")
    for group, faults in BAD_SHARES.items()
    for fault, share in faults.items()
]


def client_share(change: Callable[[ext.KeyShareEntry], None]) -> Callable[[ClientHello], None]:
    def edit_hello(hello: ClientHello) -> None:
        shares = hello.extensions.find(ext.KeyShareClientHello)
        assert shares is not None
        change(shares.client_shares[0])

    return edit_hello


def server_share(change: Callable[[ext.KeyShareEntry], None]) -> Callable[[ServerHello], None]:
    def edit_hello(hello: ServerHello) -> None:
        share = hello.extensions.find(ext.KeyShareServerHello)
        assert share is not None
        change(share.server_share)

    return edit_hello


def becomes(share: bytes) -> Callable[[ext.KeyShareEntry], None]:
    return lambda entry: setattr(entry, "key_exchange", share)


@pytest.mark.parametrize("group, share", CASES)
def test_a_server_refuses_a_bad_share(group: NamedGroup, share: bytes) -> None:
    server_refuses(
        edit(ClientHello, client_share(becomes(share))),
        Reason.INVALID_KEY_SHARE,
        ILLEGAL,
        client=client_config(groups=[group]),
        server=server_config(groups=[group]),
    )


@pytest.mark.parametrize("group, share", CASES)
def test_a_client_refuses_a_bad_share(group: NamedGroup, share: bytes) -> None:
    client_refuses(
        edit(ServerHello, server_share(becomes(share))),
        Reason.INVALID_KEY_SHARE,
        ILLEGAL,
        client=client_config(groups=[group]),
        server=server_config(groups=[group]),
    )


HYBRIDS = {
    G.X25519MLKEM768: slice(-32, None),
    G.SecP256r1MLKEM768: slice(0, 65),
    G.SecP384r1MLKEM1024: slice(0, 97),
}


def with_zero_curve(group: NamedGroup) -> Callable[[ext.KeyShareEntry], None]:
    """The classical half alone is bad: a good ML-KEM half must not hide it."""

    def change(entry: ext.KeyShareEntry) -> None:
        share = bytearray(entry.key_exchange)
        half = HYBRIDS[group]
        share[half] = bytes(len(share[half]))
        entry.key_exchange = bytes(share)

    return change


@pytest.mark.parametrize("group", HYBRIDS, ids=str)
def test_a_server_refuses_a_hybrid_with_a_bad_classical_half(group: NamedGroup) -> None:
    server_refuses(
        edit(ClientHello, client_share(with_zero_curve(group))),
        Reason.INVALID_KEY_SHARE,
        ILLEGAL,
        client=client_config(groups=[group]),
        server=server_config(groups=[group]),
    )


@pytest.mark.parametrize("group", HYBRIDS, ids=str)
def test_a_client_refuses_a_hybrid_with_a_bad_classical_half(group: NamedGroup) -> None:
    client_refuses(
        edit(ServerHello, server_share(with_zero_curve(group))),
        Reason.INVALID_KEY_SHARE,
        ILLEGAL,
        client=client_config(groups=[group]),
        server=server_config(groups=[group]),
    )


def with_unreduced_kem_key(entry: ext.KeyShareEntry) -> None:
    entry.key_exchange = b"\xff" * 384 + entry.key_exchange[384:]


def test_a_server_refuses_an_encapsulation_key_that_fails_the_modulus_check() -> None:
    """FIPS 203 7.2: coefficients are below q; draft-ietf-tls-ecdhe-mlkem makes a server check that."""
    server_refuses(
        edit(ClientHello, client_share(with_unreduced_kem_key)),
        Reason.INVALID_KEY_SHARE,
        ILLEGAL,
        client=client_config(groups=[G.X25519MLKEM768]),
    )


def with_flipped_ciphertext(entry: ext.KeyShareEntry) -> None:
    entry.key_exchange = bytes([entry.key_exchange[0] ^ 1]) + entry.key_exchange[1:]


def test_a_tampered_kem_ciphertext_fails_as_a_wrong_key_does() -> None:
    """Implicit rejection: an attacker who watches learns nothing about the private key from how it fails."""
    client, server = client_config(groups=[G.X25519MLKEM768]), server_config()
    victim = ClientConnection(client, NAME)
    rogue = rogue_server(edit(ServerHello, server_share(with_flipped_ciphertext)), server)
    assert run(victim, rogue, victim).reason is Reason.BAD_RECORD_MAC


#: An entry of x25519 whose key_exchange is empty: ``opaque key_exchange<1..2^16-1>`` has one byte at least.
EMPTY = b"\x00\x1d\x00\x00"


def with_empty_share_in_hello(hello: ClientHello) -> None:
    hello.extensions[ExtensionType.key_share] = ext.UnknownExtension(b"\x00\x04" + EMPTY)


def with_empty_share_in_answer(hello: ServerHello) -> None:
    hello.extensions[ExtensionType.key_share] = ext.UnknownExtension(EMPTY)


def test_a_server_refuses_an_empty_share() -> None:
    server_refuses(
        edit(ClientHello, with_empty_share_in_hello), Reason.MALFORMED, AlertDescription.decode_error
    )


def test_a_client_refuses_an_empty_share() -> None:
    client_refuses(
        edit(ServerHello, with_empty_share_in_answer), Reason.MALFORMED, AlertDescription.decode_error
    )


# -- which groups


def two_of_a_kind(hello: ClientHello) -> None:
    shares = hello.extensions.find(ext.KeyShareClientHello)
    assert shares is not None
    shares.client_shares.append(shares.client_shares[0])


def test_two_shares_of_one_group_are_refused() -> None:
    server_refuses(edit(ClientHello, two_of_a_kind), Reason.DUPLICATE_KEY_SHARE, ILLEGAL)


@pytest.mark.parametrize("group", [G.x448, 0x1234, 0x1A1A], ids=["known", "unknown", "GREASE"])
def test_a_share_of_a_group_that_is_not_offered_is_refused(group: int) -> None:
    def add(hello: ClientHello) -> None:
        shares = hello.extensions.find(ext.KeyShareClientHello)
        assert shares is not None
        shares.client_shares.append(ext.KeyShareEntry(group, bytes(56)))

    server_refuses(edit(ClientHello, add), Reason.ILLEGAL_PARAMETER, ILLEGAL)


def test_grease_among_groups_and_shares_is_ignored() -> None:
    """RFC 8701: what chromium sends with every hello."""

    def grease(hello: ClientHello) -> None:
        shares, groups = (
            hello.extensions.find(ext.KeyShareClientHello),
            hello.extensions.find(ext.NamedGroupList),
        )
        assert shares is not None
        assert groups is not None
        groups.named_group_list.insert(0, 0x1A1A)
        shares.client_shares.insert(0, ext.KeyShareEntry(0x1A1A, b"\x00"))
        hello.cipher_suites.insert(0, 0x0A0A)

    victim, _ = connected_rogue("server", edit(ClientHello, grease))
    assert victim.negotiated is not None
    assert victim.negotiated.group is G.X25519MLKEM768


@pytest.mark.parametrize(
    "group",
    [G.secp384r1, G.x448, G.secp256r1, 0x1A1A],
    ids=["offered without a share", "not offered", "offered", "GREASE"],
)
def test_a_client_refuses_a_group_that_it_sent_no_share_of(group: int) -> None:
    client_refuses(
        edit(ServerHello, server_share(lambda entry: setattr(entry, "group", group))),
        Reason.GROUP_NOT_OFFERED,
        ILLEGAL,
    )


# -- TLS 1.2

CASES_12 = [
    pytest.param(group, share, id=f"{group}-{fault}")
    for group, faults in BAD_SHARES.items()
    for fault, share in faults.items()
    if group in CURVES_12
]


def on(group: NamedGroup) -> dict[str, Any]:
    """Both ends of a connection of TLS 1.2 on this curve; the server's own key is on none."""
    return {
        "client": client_of(groups=[group], sessions=None),
        "server": server_of(groups=[group], credentials=[credential("ed25519")]),
    }


@pytest.mark.parametrize("group, share", CASES_12)
def test_a_client_of_tls_12_refuses_a_bad_share(group: NamedGroup, share: bytes) -> None:
    """Signed by the server itself: it is the share that is wrong, and nothing else."""
    params = tls12.ServerECDHParams(ECCurveType.named_curve, group, share)
    tamper = signing(tls12.ServerECDHParams.codec.encode(params))
    refused12("client", Reason.INVALID_KEY_SHARE, ILLEGAL, tamper, **on(group))


@pytest.mark.parametrize("group, share", CASES_12)
def test_a_server_of_tls_12_refuses_a_bad_share(group: NamedGroup, share: bytes) -> None:
    change = edit(tls12.ClientKeyExchangeECDHE, lambda message: setattr(message, "ecdh_Yc", share))
    refused12("server", Reason.INVALID_KEY_SHARE, ILLEGAL, change, **on(group))


@pytest.mark.parametrize("group", sorted(CURVES_12), ids=str)
def test_an_empty_share_of_tls_12_is_malformed(group: NamedGroup) -> None:
    """RFC 8422 5.4: opaque point <1..2^8-1>."""
    tamper = signing(b"\x03" + group.to_bytes(2, "big") + b"\x00")
    decode_error = AlertDescription.decode_error
    refused12("client", Reason.MALFORMED, decode_error, tamper, **on(group))
    empty = replace(tls12.ClientKeyExchangeECDHE, lambda _: b"\x00")
    refused12("server", Reason.MALFORMED, decode_error, empty, **on(group))


@pytest.mark.parametrize("formats", [[1], [1, 2], [2]], ids=str)
@pytest.mark.parametrize("kind, side", [(ClientHello, "server"), (ServerHello, "client")])
def test_who_knows_no_uncompressed_points_is_refused(kind: Any, side: Side, formats: list[int]) -> None:
    """RFC 8422 5.1.2: the others are deprecated, and so the list without this one is of no use."""
    change = edit(kind, lambda hello: hello.extensions.add(ext.ECPointFormatList(formats)))
    refused12(side, Reason.ILLEGAL_PARAMETER, ILLEGAL, change)
