"""A server's first message: which version the client means.

ClientHello            -------->
"""

from pellucid.codes import ProtocolVersion
from pellucid.handshake.choose import choose_version
from pellucid.handshake.effects import Flow
from pellucid.handshake.flow import ServerHandshake, receive
from pellucid.handshake.proofs import Connected
from pellucid.handshake.server13 import server13
from pellucid.messages import ClientHello
from pellucid.messages import extensions as ext


def server(hs: ServerHandshake) -> Flow[Connected]:
    """RFC 9846 figure 1, as the server sees it, up to the version; ``server13`` goes on."""
    hello = yield from receive(hs, "START", ClientHello, hashed=False)
    hs.client_random = hello.random
    versions = hello.extensions.find(ext.SupportedVersionsClientHello)
    # RFC 9846 4.3.1: without the extension it is TLS 1.2 or prior, whatever legacy_version says.
    offered = versions.versions if versions else [min(hello.legacy_version, ProtocolVersion.TLSv1_2)]
    choose_version(hs.config.parameters.protocols, offered, hs.trace)
    return (yield from server13(hs, hello))
