"""A client's first two messages: what it offers, what the server answers, and which version that means.

ClientHello            -------->
                       <--------       HelloRetryRequest   (RFC 9846 2.1; once at most)
ClientHello            -------->
                       <--------             ServerHello
"""

from pellucid.codes import CertificateType, CipherSuite, ExtensionType, NamedGroup, ProtocolVersion, name_of
from pellucid.crypto.suites import SUITES, Suite
from pellucid.errors import Misuse, PeerIncompatible, PeerMisbehaved, Reason
from pellucid.handshake.answers import check_answer
from pellucid.handshake.client12 import client12
from pellucid.handshake.client13 import client13
from pellucid.handshake.effects import Flow, SendChangeCipherSpec
from pellucid.handshake.flow import ClientHandshake, receive
from pellucid.handshake.offer import Offer, finish_hello, key_share, make_offer, make_shares
from pellucid.handshake.proofs import Connected
from pellucid.identity import ServerName
from pellucid.messages import DOWNGRADE_TLS11, DOWNGRADE_TLS12, HelloRetryRequest, ServerHello
from pellucid.messages import extensions as ext

#: It has to go into the second ClientHello beside everything else.
MAX_COOKIE_BYTES = 2**15


def client(hs: ClientHandshake, server_name: ServerName | None) -> Flow[Connected]:
    """RFC 9846 figure 1, as the client sees it, up to the version; ``client13`` or ``client12`` goes on."""
    offer = yield from make_offer(hs, server_name)
    yield hs.send_encoded(offer.hello)
    answer = yield from receive(hs, "WAIT_SH", ServerHello, HelloRetryRequest, hashed=False)
    hs.version = _selected_version(hs, answer)
    if isinstance(answer, HelloRetryRequest):
        answer, suite = yield from _retry(hs, offer, answer)
    elif hs.version is ProtocolVersion.TLSv1_2:
        return (yield from client12(hs, offer, answer))
    else:
        _refuse_hello_requests(hs)
        suite = _check_hello13(hs, offer, answer)
        hs.transcript.start(suite.hash_name)
        if offer.hello.legacy_session_id:
            # RFC 9846 E.4: once, "immediately before its second flight"
            yield SendChangeCipherSpec(disguise=True)
    hs.suite = suite
    hs.transcript.add(answer.raw)
    return (yield from client13(hs, offer, answer))


def _retry(hs: ClientHandshake, offer: Offer, request: HelloRetryRequest) -> Flow[tuple[ServerHello, Suite]]:
    """RFC 9846 4.2.4: send the hello again with what the server asks for, and nothing else changed."""
    _refuse_hello_requests(hs)
    suite = _check_hello13(hs, offer, request)
    hs.transcript.start(suite.hash_name)
    hs.transcript.replace_with_message_hash()
    hs.transcript.add(request.raw)
    _change_hello(hs, offer, request)
    # RFC 9846 4.2.4: PSKs of another hash than the server's suite are left out.
    offer.psks = [psk for psk in offer.psks if psk.suite.hash_name == suite.hash_name]
    offer.hello.extensions.pop(ExtensionType.pre_shared_key, None)
    finish_hello(hs, offer)
    if offer.hello.legacy_session_id:
        yield SendChangeCipherSpec(disguise=True)
    yield hs.send_encoded(offer.hello)
    # RFC 9846 4.2.4: a second HelloRetryRequest is an unexpected message.
    answer = yield from receive(hs, "WAIT_SH", ServerHello, hashed=False)
    if answer.extensions.find(ext.SupportedVersionsServerHello) is None:
        # RFC 9846 4.2.4: selected_version "MUST be retained in the ServerHello"
        raise PeerMisbehaved(
            Reason.HELLO_RETRY_CHANGED, "the server speaks TLS 1.3 in its HelloRetryRequest and not any more"
        )
    hs.version = _selected_version(hs, answer)
    if _check_hello13(hs, offer, answer) is not suite:
        raise PeerMisbehaved(
            Reason.HELLO_RETRY_CHANGED,
            f"the server chose {suite} in its HelloRetryRequest"
            f" and {name_of(answer.cipher_suite, CipherSuite)} in its ServerHello",
        )
    return answer, suite


def _change_hello(hs: ClientHandshake, offer: Offer, request: HelloRetryRequest) -> None:
    """Put into the hello what the HelloRetryRequest asks for: a share of another group, a cookie, or both."""
    hello = offer.hello
    cookie = request.extensions.find(ext.Cookie)
    wanted = request.extensions.find(ext.KeyShareHelloRetryRequest)
    if wanted is not None:
        group = _check_wanted_group(hs, offer, wanted.selected_group)
        offer.shares = make_shares(hs, (group,))
        hello.extensions.add(key_share(offer.shares))
    if cookie is not None:
        if len(cookie.cookie) > MAX_COOKIE_BYTES:
            raise PeerMisbehaved(
                Reason.ILLEGAL_PARAMETER, f"a cookie of {len(cookie.cookie)} bytes fits no ClientHello"
            )
        hello.extensions.add(cookie)
    if wanted is None and cookie is None:
        raise PeerMisbehaved(
            Reason.POINTLESS_HELLO_RETRY, "the HelloRetryRequest would change nothing in the ClientHello"
        )
    if hs.trace:
        found = f"group {wanted.selected_group}" if wanted else "cookie"
        hs.trace.check(what="hello_retry_request", expected="something to change", found=found, ok=True)


def _check_wanted_group(hs: ClientHandshake, offer: Offer, group: NamedGroup | int) -> NamedGroup:
    # RFC 9846 4.3.8: the group was in supported_groups and no share of it was sent.
    name = name_of(group, NamedGroup)
    if not isinstance(group, NamedGroup) or group not in hs.config.parameters.groups:
        raise PeerMisbehaved(
            Reason.GROUP_NOT_OFFERED, f"the HelloRetryRequest asks for {name}, which was not offered"
        )
    if group in offer.shares:
        raise PeerMisbehaved(
            Reason.POINTLESS_HELLO_RETRY, f"the HelloRetryRequest asks for {name}, whose share was sent"
        )
    return group


def _refuse_hello_requests(hs: ClientHandshake) -> None:
    if hs.hello_requests:
        raise PeerMisbehaved(Reason.UNEXPECTED_MESSAGE, "a HelloRequest came, which TLS 1.3 does not have")


def _check_hello13(hs: ClientHandshake, offer: Offer, answer: ServerHello | HelloRetryRequest) -> Suite:
    """What holds for both answers of TLS 1.3 (RFC 9846 4.2.3)."""
    if answer.legacy_version != ProtocolVersion.TLSv1_2:
        raise PeerMisbehaved(
            Reason.WRONG_LEGACY_VERSION, f"legacy_version is 0x{answer.legacy_version:04x} instead of 0x0303"
        )
    echo = answer.legacy_session_id_echo
    ok = echo == offer.hello.legacy_session_id
    if hs.trace:
        hs.trace.check(what="session_id_echo", expected=offer.hello.legacy_session_id, found=echo, ok=ok)
    if not ok:
        raise PeerMisbehaved(Reason.WRONG_SESSION_ID_ECHO, "the server does not echo our legacy_session_id")
    check_answer(hs, offer, answer)
    return SUITES[answer.cipher_suite]


def _selected_version(hs: ClientHandshake, answer: ServerHello | HelloRetryRequest) -> ProtocolVersion:
    """The version that the server chose, if we offered it."""
    selected = answer.extensions.find(ext.SupportedVersionsServerHello)
    if selected is None:
        if isinstance(answer, HelloRetryRequest):
            raise PeerMisbehaved(Reason.MISSING_EXTENSION, "the HelloRetryRequest has no supported_versions")
        return _older_version(hs, answer)
    # RFC 9846 4.3.1: of a version "prior to TLS 1.3" the extension does not speak.
    version = selected.selected_version
    ok = version is ProtocolVersion.TLSv1_3 and version in hs.config.parameters.protocols
    _trace_version(hs, str(version) if ok else "", "the server chose it")
    if not ok or not isinstance(version, ProtocolVersion):
        label = name_of(version, ProtocolVersion)
        raise PeerMisbehaved(Reason.VERSION_NOT_OFFERED, f"the server chose {label}, which was not offered")
    return version


def _older_version(hs: ClientHandshake, answer: ServerHello) -> ProtocolVersion:
    """A server without supported_versions speaks TLS 1.2 or less."""
    version = answer.legacy_version
    label = name_of(version, ProtocolVersion)
    offered = hs.config.parameters.protocols
    if ProtocolVersion.TLSv1_3 in offered or version != ProtocolVersion.TLSv1_2:
        # RFC 9846 4.2.3: the end of the random tells that the server could do better, so that somebody on
        # the path has tampered with our hello.
        downgraded = answer.random.endswith((DOWNGRADE_TLS12, DOWNGRADE_TLS11))
        if hs.trace:
            hs.trace.check(
                what="downgrade_sentinel", expected="no sentinel", found=answer.random[-8:], ok=not downgraded
            )
        if downgraded:
            raise PeerMisbehaved(
                Reason.DOWNGRADE_DETECTED, f"the server could do better and was made to choose {label}"
            )
    if version is not ProtocolVersion.TLSv1_2 or version not in offered:
        _trace_version(hs, "", "the server's highest version", label)
        raise PeerIncompatible(Reason.NO_SHARED_VERSION, f"the server speaks {label}, which we do not accept")
    _trace_version(hs, label, "the server chose it")
    return version


def _trace_version(hs: ClientHandshake, chosen: str, rule: str, *theirs: str) -> None:
    if hs.trace:
        ours = [str(protocol) for protocol in hs.config.parameters.protocols]
        hs.trace.choice(what="version", ours=ours, theirs=theirs, chosen=chosen, rule=rule)


def require_name(server_name: ServerName | None, hs: ClientHandshake) -> None:
    """A client needs to know whom it wants to reach, unless a PSK or a raw public key will tell."""
    by_key = CertificateType.RawPublicKey in hs.config.accepted_types
    if server_name is None and not hs.config.psks and not by_key:
        raise Misuse(Reason.BAD_SERVER_NAME, "say which server is meant: without a name none can be verified")
