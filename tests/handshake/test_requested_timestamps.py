"""Timestamps of certificate transparency that a client asks for (RFC 6962 3.3.1): shown, not judged."""

from __future__ import annotations

from typing import Any

import pytest
from loopback import NAME, client_config, pump, server_config
from rogue import client_refuses, edit, rogue_server
from samples import SCT

from pellucid import ClientConnection, Trace
from pellucid.codes import AlertDescription as A
from pellucid.codes import ExtensionType as E
from pellucid.errors import Reason
from pellucid.messages import Certificate, ClientHello, ServerHello
from pellucid.messages import extensions as ext
from pellucid.trace.events import MessageEvent

VERSIONS = ("TLSv1.3", "TLSv1.2")
LIST = ext.SignedCertificateTimestampList([SCT.codec.encode(SCT)])


def timestamping(version: str) -> Any:
    """A server that gives some: beside its certificate, or in the ServerHello of TLS 1.2."""
    if version == "TLSv1.2":
        return edit(ServerHello, lambda hello: hello.extensions.add(LIST))
    return edit(Certificate, lambda message: message.certificate_list[0].extensions.add(LIST))


@pytest.mark.parametrize("asked", [True, False])
def test_a_client_asks_for_timestamps_when_it_is_told_to(asked: bool) -> None:
    client = ClientConnection(client_config(request_timestamps=asked), NAME)
    hello = ClientHello.decode(client.data_to_send()[5:])
    assert (E.signed_certificate_timestamp in hello.extensions) is asked


@pytest.mark.parametrize("version", VERSIONS)
def test_what_was_asked_for_is_shown(version: str) -> None:
    trace = Trace()
    config = client_config(protocols=[version], request_timestamps=True, trace=trace)
    client = ClientConnection(config, NAME)
    pump(client, rogue_server(timestamping(version), server_config(protocols=[version])))
    assert client.handshake_complete
    name = "ServerHello" if version == "TLSv1.2" else "Certificate"
    (event,) = (e for e in trace.events if isinstance(e, MessageEvent) and e.name == name)
    assert "2027-01-15 08:00:00 UTC" in {field.meaning for field in walk(event.fields)}


def walk(fields: Any) -> list[Any]:
    return [one for field in fields for one in (field, *walk(field.fields))]


@pytest.mark.parametrize("version", VERSIONS)
def test_what_was_not_asked_for_is_refused(version: str) -> None:
    client_refuses(
        timestamping(version),
        Reason.UNSOLICITED_EXTENSION,
        A.unsupported_extension,
        client=client_config(protocols=[version]),
        server=server_config(protocols=[version]),
    )
