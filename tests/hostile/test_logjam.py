"""Logjam (2015): 512 bits of Diffie-Hellman were broken in minutes, and clients took them.

The server names the group, numbers and all, so whoever can have it name a weak one reads the connection:
export suites on the way, primes of 512 or 1024 bits that all servers share, numbers that are no primes,
primes with small subgroups (CVE-2016-0701). The client judges every group before it computes in it, the
server has RFC 7919's alone, and the signature over the parameters has both randoms in it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from loopback import NAME, client_config, connect_pair, credential, pump, server_config
from rogue import Tamper, edit, framed, honest, plaintext
from rogue12 import alerts_of, client_of, meeting, refused12, server_of
from unspoken import assert_not_accepted, assert_not_offered, assert_not_taken, named, offered

from pellucid import ClientConnection, ServerConnection, TLSError
from pellucid.codes import AlertDescription, ContentType, HandshakeType, NamedGroup
from pellucid.crypto import dh12
from pellucid.crypto.dh12 import dh_params
from pellucid.crypto.suites12 import SUITES12
from pellucid.errors import Reason
from pellucid.handshake import exchange12
from pellucid.messages import ClientHello, decode_handshake, tls12
from pellucid.messages.tls12 import ServerDHParams

A = AlertDescription
EXPORT = named("DHE_RSA_EXPORT", "DHE_DSS_EXPORT", "DH_anon")

P = int.from_bytes(dh_params(NamedGroup.ffdhe2048)[0], "big")
#: Of OpenSSL's and Apache's export group, which Logjam's authors took logarithms in.
APACHE_512 = int(
    "9FDB8B8A004544F0045F1737D0BA2E0B274CDF1A9F588218FB435316A16E3741"
    "71FD19D8D8F37C39BF863FD60E3E300680A3030C6E4C3757D08F70E6AA871033",
    16,
)
#: RFC 2409 6.2, the second Oakley group: 1024 bits, which most servers shared.
OAKLEY_1024 = int(
    "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74"
    "020BBEA63B139B22514A08798E3404DDEF9519B3CD3A431B302B0A6DF25F1437"
    "4FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED"
    "EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE65381FFFFFFFFFFFFFFFF",
    16,
)

#: Groups by what is wrong with them: the prime, and the generator.
WEAK: dict[str, tuple[int, int]] = {
    "512 bits": (APACHE_512, 2),
    "1024 bits": (OAKLEY_1024, 2),
    "2047 bits": (P >> 1, 2),
    "one": (1, 1),
    "zero": (0, 0),
    "even": (P + 1, 2),
    "composite": (2**2048 - 5, 2),
    "a known prime and 12": (P + 12, 2),
    "a product of two primes": (OAKLEY_1024 * (OAKLEY_1024 - 2**64), 2),
    # Its half is composite, so there are subgroups in which logarithms are easy.
    "a prime that is not safe": (2**2048 - 9509, 2),
    "8193 bits": (2**8193 - 1, 2),
    "65528 bits": (2**65528 - 1, 2),
    "4097 bits of its own": (2**4097 - 1, 2),
    "generator 0": (P, 0),
    "generator 1": (P, 1),
    "generator p-1": (P, P - 1),
    "generator p": (P, P),
    "generator p+1": (P, P + 1),
}


def number(value: int) -> bytes:
    return value.to_bytes((value.bit_length() + 7) // 8 or 1, "big")


def choosing(monkeypatch: pytest.MonkeyPatch, p: int, g: int, share: int | None = None) -> None:
    """A server names this group, and signs it: nothing is wrong but the group, or the share."""

    def params(_group: NamedGroup, ours: bytes) -> ServerDHParams:
        return ServerDHParams(number(p), number(g), ours if share is None else number(share))

    monkeypatch.setattr(exchange12, "_dh_params", params)


def refused(reason: Reason, alert: A, tamper: Tamper = honest) -> TLSError:
    client = client_of("DHE_RSA", sessions=None)
    return refused12("client", reason, alert, tamper, client=client, server=server_of("DHE_RSA"))


# -- groups


@pytest.mark.parametrize("p, g", WEAK.values(), ids=list(WEAK))
def test_a_client_refuses_a_weak_group(p: int, g: int, monkeypatch: pytest.MonkeyPatch) -> None:
    choosing(monkeypatch, p, g)
    refused(Reason.WEAK_DH_GROUP, A.insufficient_security)


@pytest.mark.parametrize("bits", [2047, 4097, 8193, 65528])
def test_a_hopeless_size_costs_no_time(bits: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is looked at first: to test a number of 65,528 bits would take minutes."""
    tested: list[int] = []
    monkeypatch.setattr(dh12, "_fault_of", tested.append)
    choosing(monkeypatch, 2**bits - 1, 2)
    refused(Reason.WEAK_DH_GROUP, A.insufficient_security)
    assert tested == []


@pytest.mark.parametrize(
    "share", [0, 1, P - 1, P, P + 1, 2**4096], ids=["0", "1", "p-1", "p", "p+1", "2^4096"]
)
def test_a_client_refuses_a_share_that_is_none(share: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 7919 3: with these the secret is 0, 1 or p-1, whoever computes it."""
    choosing(monkeypatch, P, 2, share)
    refused(Reason.INVALID_DH_SHARE, A.handshake_failure)


@pytest.mark.parametrize("share", [0, 1, P - 1, P, 2**4096], ids=["0", "1", "p-1", "p", "2^4096"])
def test_a_server_refuses_a_share_that_is_none(share: int) -> None:
    change = edit(tls12.ClientKeyExchangeDHE, lambda message: setattr(message, "dh_Yc", number(share)))
    client, server = client_of("DHE_RSA", sessions=None), server_of("DHE_RSA")
    refused12("server", Reason.INVALID_DH_SHARE, A.handshake_failure, change, client=client, server=server)


@pytest.mark.parametrize("field", ["dh_p", "dh_g", "dh_Ys"])
def test_an_empty_number_is_malformed(field: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 5246 7.4.3: opaque dh_p<1..2^16-1>, and so the others."""
    full = tls12.ServerKeyExchangeDHE(ServerDHParams(number(P), b"\x02", b"\x04"), 0x0401, b"")
    raw = full.encode()[4:]
    at = {"dh_p": 0, "dh_g": 2 + 256, "dh_Ys": 2 + 256 + 2 + 1}[field]
    length = int.from_bytes(raw[at : at + 2], "big")
    body = raw[:at] + b"\x00\x00" + raw[at + 2 + length :]

    def tamper(_hs: Any, message: Any) -> list[bytes]:
        if isinstance(message, tls12.ServerKeyExchangeDHE):
            return [framed(HandshakeType.server_key_exchange, body)]
        return [message.raw]

    refused(Reason.MALFORMED, A.decode_error, tamper)


def test_a_known_group_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests above differ from this one in one number each."""
    choosing(monkeypatch, P, 2)
    client, server, victim, _ = meeting("client", client_of("DHE_RSA"), server_of("DHE_RSA"))
    pump(client, server)
    assert victim.negotiated is not None
    assert victim.negotiated.group is NamedGroup.ffdhe2048


# -- export suites, and what is asked for


def test_no_export_suite_of_diffie_hellman_is_offered() -> None:
    assert_not_offered(EXPORT)


def test_no_export_suite_of_diffie_hellman_is_accepted() -> None:
    assert_not_accepted(EXPORT)


def test_no_export_suite_of_diffie_hellman_is_taken() -> None:
    assert_not_taken(EXPORT)


def test_no_finite_field_is_used_unaskedly() -> None:
    """A client by default offers none of these suites: on curves there is nothing for a server to make up."""
    for policy in ("default", "modern"):
        suites = [SUITES12[code] for code in offered(client_config(policy=policy)) if code in SUITES12]
        assert all(suite.key_exchange == "ECDHE" for suite in suites)


def test_suites_are_not_taken_out_on_the_way() -> None:
    """A hello with the better suites taken out leads to a Finished that is another on each side."""
    knobs: dict[str, Any] = {"policy": "compatible", "protocols": ["TLSv1.2"]}
    client = ClientConnection(client_config(**knobs, sessions=None), NAME)
    server = ServerConnection(server_config(**knobs, credentials=[credential("rsa")]))
    hello = decode_handshake(client.data_to_send()[5:])
    assert isinstance(hello, ClientHello)
    hello.cipher_suites = [suite for suite in hello.cipher_suites if "_DHE_RSA_" in str(suite)]
    server.receive_data(plaintext(ContentType.handshake, hello.encode()))
    client.receive_data(server.data_to_send())
    with alerts_of(server) as alerts, pytest.raises(TLSError) as caught:
        server.receive_data(client.data_to_send())
    assert caught.value.reason in {Reason.BAD_FINISHED, Reason.BAD_RECORD_MAC}
    assert len(alerts) == 1
    assert not client.handshake_complete


# -- our own


@pytest.mark.parametrize("group", ["ffdhe2048", "ffdhe3072", "ffdhe4096"])
def test_a_server_of_ours_names_well_known_groups_alone(group: str) -> None:
    client, server = connect_pair(client_of("DHE_RSA", groups=[group]), server_of("DHE_RSA", groups=[group]))
    server.receive_data(client.data_to_send())
    flight = server.data_to_send()
    p, g = dh_params(NamedGroup[group])
    assert len(p) >= 256
    assert len(p).to_bytes(2, "big") + p + len(g).to_bytes(2, "big") + g in flight


# -- the signature


def changed(change: Callable[[Any], None]) -> Tamper:
    return edit(tls12.ServerKeyExchangeDHE, change)


CHANGES: dict[str, Callable[[Any], None]] = {
    "another prime": lambda message: setattr(message.params, "dh_p", number(APACHE_512)),
    "another generator": lambda message: setattr(message.params, "dh_g", b"\x03"),
    "another share": lambda message: setattr(message.params, "dh_Ys", b"\x04"),
    "a zero in front": lambda message: setattr(message.params, "dh_g", b"\x00\x02"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=list(CHANGES))
def test_the_parameters_are_signed(change: Callable[[Any], None]) -> None:
    """And the signature is looked at before the group: what is not the server's is not worth a test."""
    refused(Reason.BAD_SIGNATURE, A.decrypt_error, changed(change))


@pytest.mark.parametrize("exchange", ["DHE_RSA", "ECDHE_RSA", "ECDHE_ECDSA"])
def test_parameters_of_another_connection_are_refused(exchange: str) -> None:
    """A share whose logarithm somebody knows, with the server's true signature: the randoms are in it."""
    first = ServerConnection(server_of(exchange))
    first.receive_data(ClientConnection(client_of(exchange), NAME).data_to_send())
    flight = first.data_to_send()[5:]
    old = b""
    while flight:
        end = 4 + int.from_bytes(flight[1:4], "big")
        old = flight[:end] if flight[0] == HandshakeType.server_key_exchange else old
        flight = flight[end:]
    assert old

    def replay(_hs: Any, message: Any) -> list[bytes]:
        return [old if isinstance(message, tls12.ServerKeyExchange) else message.raw]

    client, server = client_of(exchange, sessions=None), server_of(exchange)
    refused12("client", Reason.BAD_SIGNATURE, A.decrypt_error, replay, client=client, server=server)
