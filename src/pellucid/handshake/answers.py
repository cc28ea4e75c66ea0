"""What a client holds the server's answers against, in either version: nothing not asked or offered."""

from collections.abc import Container

from pellucid.codes import CipherSuite, CompressionMethod, ExtensionType, name_of
from pellucid.errors import PeerMisbehaved, Reason
from pellucid.handshake.flow import ClientHandshake
from pellucid.handshake.offer import Offer
from pellucid.messages import Extensions, HelloRetryRequest, ServerHello
from pellucid.messages import extensions as ext


def check_answer(hs: ClientHandshake, offer: Offer, answer: ServerHello | HelloRetryRequest) -> None:
    """What holds for the server's hello in both versions: suite, compression, extensions."""
    suites = hs.config.parameters.suites12 if hs.speaks12 else hs.config.parameters.suites13
    if answer.cipher_suite not in suites:
        name = name_of(answer.cipher_suite, CipherSuite)
        raise PeerMisbehaved(
            Reason.SUITE_NOT_OFFERED, f"the server chose {name}, which was not offered for {hs.version}"
        )
    null = answer.legacy_compression_method == 0
    if hs.trace and hs.speaks12:
        found = name_of(answer.legacy_compression_method, CompressionMethod)
        hs.trace.check(what="compression_method", expected="null", found=found, ok=null)
    if not null:
        raise PeerMisbehaved(
            Reason.WRONG_COMPRESSION_METHOD,
            f"the server chose compression {answer.legacy_compression_method}",
        )
    unasked = (ExtensionType.cookie,) if isinstance(answer, HelloRetryRequest) else ()
    check_unsolicited(offer, answer.extensions, unasked)
    if hs.trace:
        ours = [str(code) for code in hs.config.parameters.cipher_suites]
        hs.trace.choice(
            what="cipher_suite", ours=ours, chosen=str(answer.cipher_suite), rule="the server chose it"
        )


def check_unsolicited(offer: Offer, extensions: Extensions, unasked: Container[int] = ()) -> None:
    """RFC 9846 4.3, RFC 5246 7.4.1.4: answers to what the ClientHello asked, and those ``unasked``."""
    for code in extensions:
        if code not in offer.hello.extensions and code not in unasked:
            raise PeerMisbehaved(
                Reason.UNSOLICITED_EXTENSION,
                f"the server answers {name_of(code, ExtensionType)}, which was not asked",
            )


def agreed_protocol(hs: ClientHandshake, extensions: Extensions) -> str | None:
    """The application protocol that the server chose, if any."""
    answer = extensions.find(ext.ProtocolNameList)
    if answer is None:
        return None
    names = answer.protocol_name_list
    offered = [name.encode() for name in hs.config.alpn_protocols]
    # RFC 7301 3.1: the list "MUST contain exactly one "ProtocolName""
    if len(names) != 1 or names[0] not in offered:
        raise PeerMisbehaved(
            Reason.ALPN_NOT_OFFERED, f"the server chose the protocols {names[:3]}, offered were {offered}"
        )
    alpn = names[0].decode()
    if hs.trace:
        hs.trace.choice(what="alpn", ours=hs.config.alpn_protocols, chosen=alpn, rule="the server chose it")
    return alpn
