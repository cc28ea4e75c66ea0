"""A client's first two messages: what it offers, what the server answers, and which version that means.

ClientHello            -------->
                       <--------       HelloRetryRequest   (RFC 9846 2.1; once at most)
ClientHello            -------->
                       <--------             ServerHello
"""

from pellucid.codes import CipherSuite, ExtensionType, NamedGroup, ProtocolVersion, name_of
from pellucid.crypto.suites import SUITES, Suite
from pellucid.errors import Misuse, PeerIncompatible, PeerMisbehaved, Reason
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
    """RFC 9846 figure 1, as the client sees it, up to the version; ``client13`` goes on."""
    offer = yield from make_offer(hs, server_name)
    yield hs.send_encoded(offer.hello)
    answer = yield from receive(hs, "WAIT_SH", ServerHello, HelloRetryRequest, hashed=False)
    retried: HelloRetryRequest | None = None
    if isinstance(answer, HelloRetryRequest):
        retried = answer
        yield from _retry(hs, offer, retried)
        # RFC 9846 4.2.4: a second HelloRetryRequest is an unexpected message.
        answer = yield from receive(hs, "WAIT_SH", ServerHello, hashed=False)
        if answer.extensions.find(ext.SupportedVersionsServerHello) is None:
            # RFC 9846 4.2.4: selected_version "MUST be retained in the ServerHello"
            raise PeerMisbehaved(
                Reason.HELLO_RETRY_CHANGED,
                "the server speaks TLS 1.3 in its HelloRetryRequest and not any more",
            )
    suite = _check_hello(hs, offer, answer)
    if retried is not None:
        if answer.cipher_suite != retried.cipher_suite:
            raise PeerMisbehaved(
                Reason.HELLO_RETRY_CHANGED,
                f"the server chose {name_of(retried.cipher_suite, CipherSuite)} in its HelloRetryRequest"
                f" and {suite} in its ServerHello",
            )
    else:
        hs.transcript.start(suite.hash_name)
    hs.suite = suite
    hs.transcript.add(answer.raw)
    if offer.hello.legacy_session_id and retried is None:
        # RFC 9846 E.4: once, "immediately before its second flight"
        yield SendChangeCipherSpec()
    return (yield from client13(hs, offer, answer))


def _retry(hs: ClientHandshake, offer: Offer, request: HelloRetryRequest) -> Flow[None]:
    """RFC 9846 4.2.4: send the hello again with what the server asks for, and nothing else changed."""
    suite = _check_hello(hs, offer, request)
    hs.transcript.start(suite.hash_name)
    hs.transcript.replace_with_message_hash()
    hs.transcript.add(request.raw)
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
    # RFC 9846 4.2.4: PSKs of another hash than the server's suite are left out.
    offer.psks = [psk for psk in offer.psks if psk.suite.hash_name == suite.hash_name]
    hello.extensions.pop(ExtensionType.pre_shared_key, None)
    finish_hello(hs, offer)
    if hello.legacy_session_id:
        yield SendChangeCipherSpec()
    yield hs.send_encoded(offer.hello)


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


def _check_hello(hs: ClientHandshake, offer: Offer, answer: ServerHello | HelloRetryRequest) -> Suite:
    """What holds for both answers (RFC 9846 4.2.3): version, session ID, suite, compression, extensions."""
    _check_version(hs, answer)
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
    if answer.cipher_suite not in hs.config.parameters.cipher_suites:
        name = name_of(answer.cipher_suite, CipherSuite)
        raise PeerMisbehaved(Reason.SUITE_NOT_OFFERED, f"the server chose {name}, which was not offered")
    if answer.legacy_compression_method != 0:
        raise PeerMisbehaved(
            Reason.WRONG_COMPRESSION_METHOD,
            f"the server chose compression {answer.legacy_compression_method}",
        )
    for code in answer.extensions:
        if code not in offer.hello.extensions and not (
            code == ExtensionType.cookie and isinstance(answer, HelloRetryRequest)
        ):
            raise PeerMisbehaved(
                Reason.UNSOLICITED_EXTENSION,
                f"the server answers {name_of(code, ExtensionType)}, which was not asked",
            )
    suite = SUITES[answer.cipher_suite]
    if hs.trace:
        ours = [str(code) for code in hs.config.parameters.cipher_suites]
        hs.trace.choice(what="cipher_suite", ours=ours, chosen=str(suite), rule="the server chose it")
    return suite


def _check_version(hs: ClientHandshake, answer: ServerHello | HelloRetryRequest) -> None:
    selected = answer.extensions.find(ext.SupportedVersionsServerHello)
    if selected is None:
        if isinstance(answer, HelloRetryRequest):
            raise PeerMisbehaved(Reason.MISSING_EXTENSION, "the HelloRetryRequest has no supported_versions")
        _refuse_old_version(hs, answer)
    version = selected.selected_version if selected else 0
    ok = version in hs.config.parameters.protocols
    if hs.trace:
        ours = [str(protocol) for protocol in hs.config.parameters.protocols]
        hs.trace.choice(
            what="version", ours=ours, chosen=str(version) if ok else "", rule="the server chose it"
        )
    if not ok:
        label = name_of(version, ProtocolVersion)
        raise PeerMisbehaved(Reason.VERSION_NOT_OFFERED, f"the server chose {label}, which was not offered")


def _refuse_old_version(hs: ClientHandshake, answer: ServerHello) -> None:
    """A server without supported_versions speaks TLS 1.2 or less."""
    label = name_of(answer.legacy_version, ProtocolVersion)
    # RFC 9846 4.2.3: the end of the random tells that the server could do better, so that somebody on the
    # path has tampered with our hello.
    downgraded = answer.random.endswith((DOWNGRADE_TLS12, DOWNGRADE_TLS11))
    if hs.trace:
        hs.trace.check(
            what="downgrade_sentinel", expected="no sentinel", found=answer.random[-8:], ok=not downgraded
        )
    if downgraded:
        raise PeerMisbehaved(
            Reason.DOWNGRADE_DETECTED, f"the server could speak TLS 1.3 and was made to choose {label}"
        )
    if hs.trace:
        ours = [str(protocol) for protocol in hs.config.parameters.protocols]
        hs.trace.choice(
            what="version", ours=ours, theirs=[label], chosen="", rule="the server's highest version"
        )
    raise PeerIncompatible(Reason.NO_SHARED_VERSION, f"the server speaks {label}, which we do not accept")


def require_name(server_name: ServerName | None, hs: ClientHandshake) -> None:
    """A client needs to know whom it wants to reach, unless only a PSK can tell."""
    if server_name is None and not hs.config.psks:
        raise Misuse(Reason.BAD_SERVER_NAME, "say which server is meant: without a name none can be verified")
