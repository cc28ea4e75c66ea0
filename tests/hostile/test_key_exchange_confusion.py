"""One key exchange taken for another: the signature of a ServerKeyExchange does not say what it is of.

Mavrogiannopoulos, Vercauteren, Velichkov and Preneel (2012): in TLS 1.2 the signature covers both randoms
and the parameters, but not whether these are of ECDHE or of DHE, so a server's true signature of an elliptic
curve could be shown as one of a weak prime. Here the suite that was negotiated, and nothing in the message,
decides how the parameters are read; explicit curves, which the attack needs, are not read at all; and what is
of one form is refused in the other. So too for the client's message and for the certificate's kind of key.
"""

from __future__ import annotations

from typing import Any

import pytest
from loopback import connect_pair, credential, pump
from rogue import edit, framed
from rogue12 import EXCHANGES, client_of, meeting, messages_in, refused12, server_of, signing

from pellucid import TLSError
from pellucid.codes import AlertDescription, ECCurveType, HandshakeType, NamedGroup
from pellucid.crypto.dh12 import dh_params
from pellucid.crypto.groups import generate
from pellucid.crypto.groups_known import _of_size
from pellucid.errors import Reason
from pellucid.messages import HandshakeMessage, tls12

A = AlertDescription
G = NamedGroup
SKE = HandshakeType.server_key_exchange
EPHEMERAL = ["DHE_RSA", "ECDHE_RSA", "ECDHE_ECDSA"]


def refused(exchange: str, params: bytes, reason: Reason, alert: A) -> TLSError:
    return refused12(
        "client",
        reason,
        alert,
        signing(params),
        client=client_of(exchange, sessions=None),
        server=server_of(exchange),
    )


def curve_params(group: NamedGroup = G.x25519) -> bytes:
    params = tls12.ServerECDHParams(ECCurveType.named_curve, group, generate(group, None).share)
    return tls12.ServerECDHParams.codec.encode(params)


def field_params(p: bytes, g: bytes = b"\x02", share: bytes = b"\x04") -> bytes:
    return tls12.ServerDHParams.codec.encode(tls12.ServerDHParams(p, g, share))


# -- the server's parameters


@pytest.mark.parametrize("group", [G.x25519, G.x448, G.secp256r1, G.secp384r1, G.secp521r1], ids=str)
def test_parameters_of_a_curve_are_none_of_a_field(group: NamedGroup) -> None:
    """The curve's type and number would be the length of a prime of 768 bytes, and so many do not follow."""
    refused("DHE_RSA", curve_params(group), Reason.MALFORMED, A.decode_error)


@pytest.mark.parametrize("exchange", ["ECDHE_RSA", "ECDHE_ECDSA"])
def test_parameters_of_a_field_are_none_of_a_curve(exchange: str) -> None:
    """The length of a prime of 2048 bits begins like an explicit curve over a prime field."""
    p, g = dh_params(G.ffdhe2048)
    refused(exchange, field_params(p, g), Reason.ILLEGAL_PARAMETER, A.illegal_parameter)


@pytest.mark.parametrize("exchange", ["ECDHE_RSA", "ECDHE_ECDSA"])
def test_not_even_those_that_begin_like_a_named_curve(exchange: str) -> None:
    """A prime of 6144 bits has a length of 0x0300: "named_curve", and half of a number that is no curve's."""
    for prime, known in _of_size(6144).items():
        params = field_params(prime.to_bytes(768, "big"))
        assert params[0] == ECCurveType.named_curve
        error = refused(exchange, params, Reason.MALFORMED, A.decode_error)
        assert known.name not in str(error)


def test_a_prime_that_is_made_up_to_look_like_a_named_curve_is_no_share_of_it() -> None:
    """0x0300 1D 20: x25519 and a share of 32 bytes, and then the signature has to follow."""
    prime = bytes((G.x25519, 32)) + b"\x55" * 766
    refused("ECDHE_RSA", field_params(prime), Reason.MALFORMED, A.decode_error)


@pytest.mark.parametrize("curve_type", [1, 2, 0, 4, 248, 255], ids=["prime", "char2", "0", "4", "248", "255"])
@pytest.mark.parametrize("exchange", ["ECDHE_RSA", "ECDHE_ECDSA"])
def test_explicit_curves_are_not_read(exchange: str, curve_type: int) -> None:
    """RFC 8422 5.4 has removed them: who may choose the curve chooses one in which logarithms are easy."""
    params = bytes([curve_type]) + curve_params()[1:]
    refused(exchange, params, Reason.ILLEGAL_PARAMETER, A.illegal_parameter)


@pytest.mark.parametrize("share", EPHEMERAL)
@pytest.mark.parametrize("exchange", EPHEMERAL)
def test_a_true_message_of_another_suite_is_refused(exchange: str, share: str) -> None:
    """The attack as it was: what the server signed in a connection of its own, shown in one of another suite.

    The randoms are others, too; the tests above have the signature right, and refuse the parameters alone.
    """
    if EXCHANGES[exchange].server is EXCHANGES[share].server:
        return
    _, other = connect_pair(server=server_of(share))
    other.receive_data(connect_pair(client_of(share, sessions=None))[0].data_to_send())
    raw = next(raw for raw in messages_in(other.data_to_send()) if raw[0] == SKE)

    def tamper(_hs: object, message: HandshakeMessage) -> list[bytes]:
        return [raw if isinstance(message, tls12.ServerKeyExchange) else message.raw]

    client, server = client_of(exchange, sessions=None), server_of(exchange)
    one, two, victim, _ = meeting("client", client, server, tamper)
    two.receive_data(one.data_to_send())
    with pytest.raises(TLSError) as caught:
        one.receive_data(two.data_to_send())
    assert caught.value.reason in {Reason.MALFORMED, Reason.ILLEGAL_PARAMETER}
    assert not victim.handshake_complete


@pytest.mark.parametrize(
    "group",
    [G.secp521r1, G.x448, G.X25519MLKEM768, G.ffdhe2048, G.secp256k1, 0x1A1A],
    ids=["not offered", "not offered, too", "a hybrid", "a field", "not spoken", "GREASE"],
)
def test_a_curve_that_was_not_offered_is_refused(group: int) -> None:
    params = bytes((ECCurveType.named_curve,)) + group.to_bytes(2, "big") + b"\x20" + bytes(range(32))
    refused("ECDHE_ECDSA", params, Reason.GROUP_NOT_OFFERED, A.illegal_parameter)


# -- the client's message


CLIENT_MESSAGES: dict[str, bytes] = {
    "of a curve": tls12.ClientKeyExchangeECDHE(generate(G.x25519, None).share).encode(),
    "of a point": tls12.ClientKeyExchangeECDHE(generate(G.secp256r1, None).share).encode(),
    "of a field": tls12.ClientKeyExchangeDHE(generate(G.ffdhe2048, None).share).encode(),
    "encrypted": tls12.ClientKeyExchangeRSA(b"\x7f" * 256).encode(),
    "empty": framed(HandshakeType.client_key_exchange),
}


@pytest.mark.parametrize("sent", CLIENT_MESSAGES)
@pytest.mark.parametrize("exchange", EXCHANGES)
def test_a_client_key_exchange_of_another_kind_leads_nowhere(exchange: str, sent: str) -> None:
    """DHE and RSA have the same form: then it is a number that nobody has the other half of."""
    right = {"ECDHE_RSA": "of a curve", "ECDHE_ECDSA": "of a curve", "DHE_RSA": "of a field"}
    if right.get(exchange) == sent:
        return

    def tamper(_hs: object, message: HandshakeMessage) -> list[bytes]:
        kind = EXCHANGES[exchange].client
        return [CLIENT_MESSAGES[sent] if isinstance(message, kind) else message.raw]

    client, server, victim, _ = meeting(
        "server", client_of(exchange, sessions=None), server_of(exchange), tamper
    )
    server.receive_data(client.data_to_send())
    client.receive_data(server.data_to_send())
    with pytest.raises(TLSError) as caught:
        server.receive_data(client.data_to_send())
    read = Reason.BAD_RECORD_MAC
    unreadable = {Reason.MALFORMED, Reason.INVALID_KEY_SHARE, Reason.INVALID_DH_SHARE}
    same_form = exchange in {"RSA", "DHE_RSA"} and sent in {"of a field", "encrypted"}
    assert caught.value.reason in ({read} if same_form else {read, *unreadable})
    assert not victim.handshake_complete


# -- the certificate


@pytest.mark.parametrize(
    "exchange, kind, reason, alert",
    [
        ("ECDHE_ECDSA", "rsa", Reason.SCHEME_NOT_OFFERED, A.illegal_parameter),
        ("ECDHE_RSA", "ecdsa", Reason.SCHEME_NOT_OFFERED, A.illegal_parameter),
        ("DHE_RSA", "ecdsa", Reason.SCHEME_NOT_OFFERED, A.illegal_parameter),
        ("RSA", "ecdsa", Reason.WRONG_PURPOSE, A.unsupported_certificate),
        ("RSA", "ed25519", Reason.WRONG_PURPOSE, A.unsupported_certificate),
    ],
)
def test_a_certificate_of_another_kind_than_the_suite_says_is_refused(
    exchange: str, kind: str, reason: Reason, alert: A
) -> None:
    """The suite names the kind of key, and so it is no choice of whoever shows the certificate."""
    other = credential(kind)

    def tamper(hs: Any, message: HandshakeMessage) -> list[bytes]:
        if isinstance(message, tls12.Certificate):
            return [tls12.Certificate(list(other.chain)).encode()]
        if isinstance(message, tls12.ServerKeyExchange):
            message.algorithm = other.schemes12[0]
            content = hs.client_random + bytes(32) + message.signed_params
            message.signature = other.sign(other.schemes12[0], content, tls12=True)
            message.encode()
        return [message.raw]

    client, server = client_of(exchange, sessions=None), server_of(exchange)
    refused12("client", reason, alert, tamper, client=client, server=server)


def test_a_server_does_not_pair_a_suite_with_another_kind_of_key() -> None:
    for exchange, kind in (("ECDHE_ECDSA", "rsa"), ("ECDHE_RSA", "ecdsa"), ("RSA", "ecdsa")):
        server = server_of(exchange, credentials=[credential(kind)])
        reason, alert = Reason.NO_SUITABLE_CERTIFICATE, A.handshake_failure
        refused12("server", reason, alert, client=client_of(exchange, sessions=None), server=server)


def test_each_key_exchange_works_untampered() -> None:
    for exchange in EXCHANGES:
        client, server = connect_pair(client_of(exchange, sessions=None), server_of(exchange))
        pump(client, server)
        assert client.handshake_complete


def test_a_share_that_was_signed_is_read_as_it_was_signed() -> None:
    """The bytes under the signature are those of the message, not what they would be when written again."""
    changed = edit(
        tls12.ServerKeyExchangeDHE,
        lambda message: setattr(message.params, "dh_Ys", b"\x00" + message.params.dh_Ys),
    )
    client, server = client_of("DHE_RSA", sessions=None), server_of("DHE_RSA")
    refused12("client", Reason.BAD_SIGNATURE, A.decrypt_error, changed, client=client, server=server)
