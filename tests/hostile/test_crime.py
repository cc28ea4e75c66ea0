"""CRIME: compression before encryption tells secrets by the length of what is sent.

RFC 9846 4.2.2: legacy_compression_methods is null alone, or the handshake ends with illegal_parameter. In TLS
1.2 there is compression (RFC 3749): a client may offer it, and a server of ours never takes it.
"""

import pytest
from loopback import client_config, connect_pair, pump
from rogue import client_refuses, edit, server_refuses
from rogue12 import EXCHANGES, client_of, meeting, met12, refused12, server_of

from pellucid.codes import AlertDescription, ExtensionType
from pellucid.errors import Reason
from pellucid.messages import ClientHello, ServerHello, decode_handshake
from pellucid.policy import POLICIES

ILLEGAL = AlertDescription.illegal_parameter


@pytest.mark.parametrize("policy", POLICIES)
def test_a_client_offers_no_compression(policy: str) -> None:
    client, _ = connect_pair(client_config(policy=policy))
    hello = decode_handshake(client.data_to_send()[5:])
    assert isinstance(hello, ClientHello)
    assert hello.legacy_compression_methods == b"\x00"
    # Certificates are not compressed either: RFC 8879 is not spoken.
    assert ExtensionType.compress_certificate not in hello.extensions


@pytest.mark.parametrize("methods", [b"\x01", b"\x00\x01", b"\x01\x00", b"\x00\x00", bytes(255)], ids=len)
def test_a_server_refuses_a_client_that_offers_compression(methods: bytes) -> None:
    change = edit(ClientHello, lambda hello: setattr(hello, "legacy_compression_methods", methods))
    server_refuses(change, Reason.WRONG_COMPRESSION_METHOD, ILLEGAL)


@pytest.mark.parametrize("method", [1, 64, 255])
def test_a_client_refuses_a_server_that_compresses(method: int) -> None:
    change = edit(ServerHello, lambda hello: setattr(hello, "legacy_compression_method", method))
    client_refuses(change, Reason.WRONG_COMPRESSION_METHOD, ILLEGAL)


# -- TLS 1.2


@pytest.mark.parametrize("exchange", EXCHANGES)
@pytest.mark.parametrize("method", [1, 64, 255], ids=["DEFLATE", "LZS", "unknown"])
def test_a_client_refuses_compression_that_it_did_not_offer(exchange: str, method: int) -> None:
    change = edit(ServerHello, lambda hello: setattr(hello, "legacy_compression_method", method))
    client, server = client_of(exchange, sessions=None), server_of(exchange)
    refused12("client", Reason.WRONG_COMPRESSION_METHOD, ILLEGAL, change, client=client, server=server)


def test_a_client_refuses_compression_in_a_resumption() -> None:
    client, server = met12()
    change = edit(ServerHello, lambda hello: setattr(hello, "legacy_compression_method", 1))
    refused12("client", Reason.WRONG_COMPRESSION_METHOD, ILLEGAL, change, client=client, server=server)


@pytest.mark.parametrize("methods", [b"\x01", b"\x40\x01", b"\xff"], ids=bytes.hex)
def test_a_server_refuses_a_client_that_cannot_do_without(methods: bytes) -> None:
    """RFC 5246 7.4.1.2: the list "MUST contain [...] CompressionMethod.null"."""
    change = edit(ClientHello, lambda hello: setattr(hello, "legacy_compression_methods", methods))
    refused12("server", Reason.WRONG_COMPRESSION_METHOD, ILLEGAL, change)


@pytest.mark.parametrize("methods", [b"\x01\x00", b"\x00\x01", b"\x40\x01\x00", b"\x00\x00"], ids=bytes.hex)
def test_a_server_compresses_nothing_whatever_is_offered(methods: bytes) -> None:
    offering = edit(ClientHello, lambda hello: setattr(hello, "legacy_compression_methods", methods))
    client, server, victim, rogue = meeting("server", client_of(sessions=None), server_of(), offering)
    server.receive_data(client.data_to_send())
    flight = server.data_to_send()
    answer = decode_handshake(flight[5 : 9 + int.from_bytes(flight[6:9], "big")])
    assert isinstance(answer, ServerHello)
    assert answer.legacy_compression_method == 0
    client.receive_data(flight)
    pump(client, server)
    assert victim.handshake_complete
    # What is sent is as long as what it holds, be it ever so repetitive.
    victim.send_data(bytes(10_000))
    sent = victim.data_to_send()
    assert len(sent) > 10_000
    rogue.receive_data(sent)
