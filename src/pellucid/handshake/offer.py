"""The ClientHello: what a client offers, and what it has to remember of it (RFC 9846 4.2.2)."""

from pellucid.codes import (
    CertificateStatusType,
    CipherSuite,
    ECPointFormat,
    NamedGroup,
    NameType,
    ProtocolVersion,
    PskKeyExchangeMode,
)
from pellucid.crypto.groups import PrivateShare, generate
from pellucid.crypto.suites import SUITES, Suite
from pellucid.crypto.suites12 import SUITES12
from pellucid.handshake.authenticate import certificate_authorities
from pellucid.handshake.certificate_types import ask_for_types
from pellucid.handshake.effects import FindSession, Flow
from pellucid.handshake.flow import ClientHandshake
from pellucid.handshake.record_sizes import ask_for_record_sizes
from pellucid.identity import ServerName as Name
from pellucid.keys import KeySchedule, finished_verify_data
from pellucid.messages import ClientHello, Extensions
from pellucid.messages import extensions as ext
from pellucid.plain import plain
from pellucid.sessions import Session

#: RFC 9846 4.2.2: "this list MUST contain exactly one byte, set to zero"
NULL_COMPRESSION = b"\x00"


@plain
class Psk:
    """A key that we offer to use instead of the server's certificate."""

    identity: bytes
    suite: Suite
    session: Session | None
    schedule: KeySchedule

    @property
    def binder_length(self) -> int:
        return self.suite.hash_length

    def obfuscated_ticket_age(self, now: float) -> int:
        """RFC 9846 4.3.11.1: the age in milliseconds plus ticket_age_add; 0 for an external PSK."""
        return 0 if self.session is None else self.session.obfuscated_ticket_age(now)


@plain
class Offer:
    """A ClientHello and the secrets behind it. ``session12``: a session of TLS 1.2 that may be resumed."""

    hello: ClientHello
    shares: dict[NamedGroup, PrivateShare]
    psks: list[Psk]
    session12: Session | None
    server_name: Name | None


def make_offer(hs: ClientHandshake, server_name: Name | None) -> Flow[Offer]:
    """Everything that we support, shares for the groups we expect, and a session if we have one."""
    groups = hs.config.share_groups
    shares = make_shares(hs, groups) if groups else {}
    session = yield from _find_session(hs, server_name)
    psks = _psks(hs, session)
    session12 = session if session and session.protocol is ProtocolVersion.TLSv1_2 else None
    hs.client_random = hs.entropy(32)
    hello = ClientHello(
        legacy_version=ProtocolVersion.TLSv1_2,
        random=hs.client_random,
        legacy_session_id=_session_id(hs, session12),
        cipher_suites=list(hs.config.parameters.cipher_suites),
        legacy_compression_methods=NULL_COMPRESSION,
        extensions=_extensions(hs, server_name),
    )
    if ProtocolVersion.TLSv1_2 in hs.config.parameters.protocols:
        _offer_12(hs, hello, session12)
    if ProtocolVersion.TLSv1_3 in hs.config.parameters.protocols:
        _offer_13(hs, hello, shares)
    offer = Offer(hello, shares, psks, session12, server_name)
    finish_hello(hs, offer)
    return offer


def _session_id(hs: ClientHandshake, session12: Session | None) -> bytes:
    if session12 is not None and session12.session_id:
        return session12.session_id
    # RFC 5077 3.4: with a ticket, too, an ID of our own goes along; the server that takes it echoes that.
    # RFC 9846 E.4: in compatibility mode it is never empty, so that the handshake looks like a resumption of
    # TLS 1.2.
    compatible = hs.config.middlebox_compatibility
    if session12 is None and not (compatible and ProtocolVersion.TLSv1_3 in hs.config.parameters.protocols):
        return b""
    return hs.entropy(32)


def make_shares(hs: ClientHandshake, groups: tuple[NamedGroup, ...]) -> dict[NamedGroup, PrivateShare]:
    """A private share for each group; a hybrid's classical half serves for its own group too.

    RFC 9846 4.3.8 wants key_exchange values "generated independently"; draft-ietf-tls-hybrid-design 3.2
    lets the parts of a hybrid be shared within one ClientHello, with which they die.
    """
    shares: dict[NamedGroup, PrivateShare] = {}
    for group in sorted(groups, key=_is_classical):
        halves = (half for share in shares.values() if (half := share.half(group)) is not None)
        shares[group] = next(halves, None) or generate(group, hs.key_entropy)
    return {group: shares[group] for group in groups}


def _is_classical(group: NamedGroup) -> bool:
    return "MLKEM" not in group.name


def _extensions(hs: ClientHandshake, server_name: Name | None) -> Extensions:
    """What both versions know."""
    config = hs.config
    extensions = Extensions()
    # RFC 6066 3: "Literal IPv4 and IPv6 addresses are not permitted in "HostName"."
    host_name = server_name.server_name if server_name and config.send_server_name else None
    if host_name:
        extensions.add(ext.ServerNameList([ext.ServerName(NameType.host_name, host_name)]))
    if config.parameters.groups:
        extensions.add(ext.NamedGroupList(list(config.parameters.groups)))
    extensions.add(ext.SignatureSchemeList(list(config.parameters.offered_schemes)))
    if config.certificate_schemes:
        extensions.add(ext.SignatureSchemeListCert(list(config.certificate_schemes)))
    if config.alpn_protocols:
        extensions.add(ext.ProtocolNameList([name.encode() for name in config.alpn_protocols]))
    if config.asks_for_status:
        # RFC 6066 8: no responders preferred, no extensions: two empty lists.
        extensions.add(ext.CertificateStatusRequest(CertificateStatusType.ocsp, bytes(4)))
    if config.request_timestamps:
        extensions.add(ext.SignedCertificateTimestampRequest())
    if config.send_certificate_authorities:
        authorities = certificate_authorities(config.trust)
        if authorities is not None:
            extensions.add(authorities)
    ask_for_types(config, extensions)
    ask_for_record_sizes(hs, extensions)
    return extensions


def _offer_13(hs: ClientHandshake, hello: ClientHello, shares: dict[NamedGroup, PrivateShare]) -> None:
    hello.extensions.add(ext.SupportedVersionsClientHello(list(hs.config.parameters.protocols)))
    if hs.config.sessions is not None or hs.config.psks:
        # psk_ke, without Diffie-Hellman, would give up forward secrecy: it is never offered.
        hello.extensions.add(ext.PskKeyExchangeModes([PskKeyExchangeMode.psk_dhe_ke]))
    hello.extensions.add(key_share(shares))


def _offer_12(hs: ClientHandshake, hello: ClientHello, session: Session | None) -> None:
    """The extensions that mend TLS 1.2, and a ticket, or the wish for one."""
    parameters, extensions = hs.config.parameters, hello.extensions
    suites = [SUITES12[code] for code in parameters.suites12]
    if hs.config.fallback:
        hello.cipher_suites.append(CipherSuite.TLS_FALLBACK_SCSV)
    # RFC 5746 3.4: empty in a first handshake, and we shake hands once.
    extensions.add(ext.RenegotiationInfo(b""))
    if parameters.extended_master_secret != "never":
        extensions.add(ext.ExtendedMainSecret())
    if hs.config.encrypt_then_mac and any(not suite.aead for suite in suites):
        extensions.add(ext.EncryptThenMac())
    if any(suite.key_exchange == "ECDHE" for suite in suites):
        extensions.add(ext.ECPointFormatList([ECPointFormat.uncompressed]))
    if hs.config.sessions is not None:
        extensions.add(ext.SessionTicket(session.ticket if session else b""))


def key_share(shares: dict[NamedGroup, PrivateShare]) -> ext.KeyShareClientHello:
    return ext.KeyShareClientHello([ext.KeyShareEntry(group, share.share) for group, share in shares.items()])


def _find_session(hs: ClientHandshake, server_name: Name | None) -> Flow[Session | None]:
    """A session with this server, if it can be offered."""
    if server_name is None or hs.config.sessions is None:
        return None
    session: Session | None = yield FindSession(str(server_name))
    if session is None:
        return None
    parameters = hs.config.parameters
    if session.protocol is ProtocolVersion.TLSv1_3:
        # RFC 9846 4.7.1: a ticket is only good with a suite of the same hash.
        usable = any(SUITES[code].hash_name == session.hash_name for code in parameters.suites13)
    else:
        usable = _usable12(hs, session)
    if hs.trace and not usable:
        rule = "we do not offer its suite, or not on its terms, any more"
        hs.trace.choice(what="kept_session", ours=[str(session.cipher_suite)], chosen="", rule=rule)
    return session if usable else None


def _usable12(hs: ClientHandshake, session: Session) -> bool:
    return (
        # RFC 5246 7.4.1.2: the list of suites "MUST include at least the cipher_suite from that session."
        session.cipher_suite in hs.config.parameters.suites12
        # RFC 7627 5.3: whoever resumes has it in both handshakes.
        and session.extended_master_secret
        and hs.config.parameters.extended_master_secret != "never"
        # RFC 6066 4: it "applies for the duration of the session including session resumptions."
        and session.max_fragment_length == (hs.config.max_fragment_length or 0)
    )


def _psks(hs: ClientHandshake, session: Session | None) -> list[Psk]:
    psks: list[Psk] = []
    if session is not None and session.protocol is ProtocolVersion.TLSv1_3:
        psks.append(_psk(hs, session.ticket, session.secret, SUITES[session.cipher_suite], session))
    suites = [SUITES[code] for code in hs.config.parameters.suites13]
    for external in hs.config.psks:
        suite = next((suite for suite in suites if suite.hash_name == external.hash_name), None)
        if suite is not None:
            psks.append(_psk(hs, external.identity, external.key, suite, None))
    return psks


def _psk(hs: ClientHandshake, identity: bytes, key: bytes, suite: Suite, session: Session | None) -> Psk:
    return Psk(identity, suite, session, hs.key_schedule(suite, key))


def finish_hello(hs: ClientHandshake, offer: Offer) -> None:
    """Encode the hello; where it offers PSKs, put them at its end with a binder for each.

    RFC 9846 4.3.11: pre_shared_key "MUST be the last extension in the ClientHello", because a binder is
    a MAC over everything before the binders: the hello is encoded with zeros in their place first.
    """
    hello = offer.hello
    if not offer.psks:
        hello.encode()
        return
    now = hs.now()
    identities = [ext.PskIdentity(psk.identity, psk.obfuscated_ticket_age(now)) for psk in offer.psks]
    offered = ext.OfferedPsks(identities, [bytes(psk.binder_length) for psk in offer.psks])
    hello.extensions.pop(offered.extension_type, None)
    hello.extensions.add(offered)
    truncated = truncate(hello.encode(), offered)
    offered.binders = [binder(hs, psk, truncated) for psk in offer.psks]
    hello.encode()


def truncate(raw: bytes, offered: ext.OfferedPsks) -> bytes:
    """RFC 9846 4.3.11.2: the ClientHello without its list of binders."""
    return raw[: -(2 + sum(1 + len(binder) for binder in offered.binders))]


def binder(hs: ClientHandshake, psk: Psk, truncated: bytes) -> bytes:
    """RFC 9846 4.3.11.2: a Finished over the hello so far, keyed by the PSK."""
    binder_key = psk.schedule.binder_key(external=psk.session is None)
    # After a HelloRetryRequest the transcript has a past, and its hash is that of the server's suite.
    transcript_hash = hs.transcript.digest_with(truncated, psk.suite.hash_name)
    return finished_verify_data(psk.suite.hash_name, binder_key, transcript_hash, trace=hs.trace)
