"""A server's first message: which version the client means.

ClientHello            -------->
"""

from pellucid.codes import CipherSuite, ProtocolVersion, name_of
from pellucid.errors import PeerIncompatible, Reason
from pellucid.handshake.choose import choose_version
from pellucid.handshake.effects import Flow
from pellucid.handshake.flow import ServerHandshake, receive
from pellucid.handshake.proofs import Connected
from pellucid.handshake.record_sizes import check_record_sizes
from pellucid.handshake.server12 import server12
from pellucid.handshake.server13 import server13
from pellucid.messages import ClientHello
from pellucid.messages import extensions as ext


def server(hs: ServerHandshake) -> Flow[Connected]:
    """RFC 9846 figure 1, as the server sees it, up to the version; ``server13`` or ``server12`` goes on."""
    hello = yield from receive(hs, "START", ClientHello, hashed=False)
    hs.client_random = hello.random
    versions = hello.extensions.find(ext.SupportedVersionsClientHello)
    # RFC 9846 4.3.1: without the extension it is TLS 1.2 or prior, whatever legacy_version says.
    offered = versions.versions if versions else [min(hello.legacy_version, ProtocolVersion.TLSv1_2)]
    _check_fallback(hs, hello, offered)
    check_record_sizes(hello.extensions)
    hs.version = choose_version(hs.config.parameters.protocols, offered, hs.trace)
    if hs.version is ProtocolVersion.TLSv1_2:
        return (yield from server12(hs, hello))
    return (yield from server13(hs, hello))


def _check_fallback(hs: ServerHandshake, hello: ClientHello, offered: list[ProtocolVersion | int]) -> None:
    """RFC 7507: a client that offers less than it could, because something went wrong before, says so."""
    if CipherSuite.TLS_FALLBACK_SCSV not in hello.cipher_suites:
        return
    ours = max(hs.config.parameters.protocols)
    # GREASE (RFC 8701) may stand among them, above all versions there are.
    theirs = max((version for version in offered if isinstance(version, ProtocolVersion)), default=0)
    ok = ours <= theirs
    if hs.trace:
        hs.trace.check(what="fallback", expected=str(ours), found=name_of(theirs, ProtocolVersion), ok=ok)
    if not ok:
        raise PeerIncompatible(
            Reason.INAPPROPRIATE_FALLBACK,
            f"the client falls back to {name_of(theirs, ProtocolVersion)}, and we speak {ours}:"
            " something has kept the two from it",
        )
