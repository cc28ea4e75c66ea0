"""A server's first message: which version the client means.

ClientHello            -------->
"""

from pellucid.codes import ProtocolVersion, name_of
from pellucid.errors import PeerIncompatible, Reason
from pellucid.handshake.choose import choose_version, names
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
    if versions is None:
        # RFC 9846 4.3.1: without the extension it is TLS 1.2 or prior, whatever legacy_version says.
        label = name_of(hello.legacy_version, ProtocolVersion)
        choose_version_error(hs, label)
    else:
        choose_version(hs.config.parameters.protocols, versions.versions, hs.trace)
    return (yield from server13(hs, hello))


def choose_version_error(hs: ServerHandshake, label: str) -> None:
    ours = names(hs.config.parameters.protocols, ProtocolVersion)
    if hs.trace:
        hs.trace.choice(
            what="version", ours=ours, theirs=[label], chosen="", rule="the highest version that both have"
        )
    raise PeerIncompatible(
        Reason.NO_SHARED_VERSION, f"the client speaks {label} at most; we accept {', '.join(ours)}"
    )
