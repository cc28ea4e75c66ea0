"""A client that does not tell whom it means, and wants a certificate for that name all the same."""

from __future__ import annotations

import pytest
from loopback import client_config, connect_pair, credential, pump, server_config

from pellucid import CertificateRejected
from pellucid.errors import Reason
from pellucid.trace import MessageEvent, Trace

VERSIONS = pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])


def extensions_of_hello(trace: Trace) -> str:
    hello = next(event for event in trace.events if isinstance(event, MessageEvent))
    assert hello.name == "ClientHello"
    return str(hello.fields)


@VERSIONS
@pytest.mark.parametrize("sent", [True, False])
def test_the_name_goes_out_unless_it_is_switched_off(version: str, sent: bool) -> None:
    trace = Trace()
    config = client_config(protocols=[version], send_server_name=sent, trace=trace)
    client, server = connect_pair(config, server_config())
    pump(client, server)
    assert client.handshake_complete
    assert ("server_name" in extensions_of_hello(trace)) == sent
    assert server.negotiated.server_name == ("localhost" if sent else None)
    assert client.negotiated.server_name == "localhost"


@VERSIONS
def test_the_certificate_has_to_be_for_the_name_that_was_not_sent(version: str) -> None:
    config = client_config(protocols=[version], send_server_name=False)
    other = credential(names=("other.example",))
    client, server = connect_pair(config, server_config(credentials=[other]))
    with pytest.raises(CertificateRejected) as caught:
        pump(client, server)
    assert caught.value.reason is Reason.HOSTNAME_MISMATCH


@VERSIONS
def test_a_session_is_resumed_without_the_name(version: str) -> None:
    config, serving = client_config(protocols=[version], send_server_name=False), server_config()
    for resumed in (False, True):
        client, server = connect_pair(config, serving)
        pump(client, server)
        assert client.negotiated.resumed == resumed
