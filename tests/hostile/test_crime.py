"""CRIME: compression before encryption tells secrets by the length of what is sent.

RFC 9846 4.2.2: legacy_compression_methods is null alone, or the handshake ends with illegal_parameter.
"""

import pytest
from loopback import connect_pair
from rogue import client_refuses, edit, server_refuses

from pellucid.codes import AlertDescription
from pellucid.errors import Reason
from pellucid.messages import ClientHello, ServerHello, decode_handshake

ILLEGAL = AlertDescription.illegal_parameter


def test_a_client_offers_no_compression() -> None:
    client, _ = connect_pair()
    hello = decode_handshake(client.data_to_send()[5:])
    assert isinstance(hello, ClientHello)
    assert hello.legacy_compression_methods == b"\x00"


@pytest.mark.parametrize("methods", [b"\x01", b"\x00\x01", b"\x01\x00", b"\x00\x00", bytes(255)], ids=len)
def test_a_server_refuses_a_client_that_offers_compression(methods: bytes) -> None:
    change = edit(ClientHello, lambda hello: setattr(hello, "legacy_compression_methods", methods))
    server_refuses(change, Reason.WRONG_COMPRESSION_METHOD, ILLEGAL)


@pytest.mark.parametrize("method", [1, 64, 255])
def test_a_client_refuses_a_server_that_compresses(method: int) -> None:
    change = edit(ServerHello, lambda hello: setattr(hello, "legacy_compression_method", method))
    client_refuses(change, Reason.WRONG_COMPRESSION_METHOD, ILLEGAL)
