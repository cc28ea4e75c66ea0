"""What a server reads from a ClientHello, checked: RFC 9846 4.2.2, 9.2 and 4.2.4."""

from pellucid.codes import ExtensionType, NamedGroup, NameType, ProtocolVersion, PskKeyExchangeMode, name_of
from pellucid.errors import PeerIncompatible, PeerMisbehaved, Reason
from pellucid.handshake.flow import ServerHandshake
from pellucid.messages import ClientHello, Extensions
from pellucid.messages import extensions as ext
from pellucid.plain import plain


@plain
class Request:
    """A ClientHello of TLS 1.3 that has everything it must have. ``shares``: group to public value."""

    hello: ClientHello
    groups: list[NamedGroup | int]
    shares: dict[int, bytes]
    schemes: tuple[int, ...]
    psks: ext.OfferedPsks | None
    server_name: str | None

    @property
    def accepts_psk_dhe_ke(self) -> bool:
        """Whether the client can use a PSK the way we do: with (EC)DHE (RFC 9846 4.3.9)."""
        modes = self.hello.extensions.find(ext.PskKeyExchangeModes)
        return modes is not None and PskKeyExchangeMode.psk_dhe_ke in modes.ke_modes

    @property
    def offers_early_data(self) -> bool:
        return ExtensionType.early_data in self.hello.extensions


def check_client_hello(hello: ClientHello) -> Request:
    """The hello as a ``Request``; raises what RFC 9846 tells to raise of one that cannot be."""
    if hello.legacy_version != ProtocolVersion.TLSv1_2:
        # RFC 9846 4.2.2: "MUST abort the handshake with a "protocol_version" alert"
        raise PeerMisbehaved(
            Reason.WRONG_LEGACY_VERSION, f"legacy_version is 0x{hello.legacy_version:04x} instead of 0x0303"
        )
    if hello.legacy_compression_methods != b"\x00":
        raise PeerMisbehaved(
            Reason.WRONG_COMPRESSION_METHOD,
            f"legacy_compression_methods is {hello.legacy_compression_methods.hex()}, and must be 00",
        )
    extensions = hello.extensions
    psks = extensions.find(ext.OfferedPsks)
    if psks is not None:
        _check_psks(hello, psks)
    elif ExtensionType.early_data in extensions:
        # RFC 9846 4.3.10: a client that sends early data "MUST supply both" extensions
        raise PeerMisbehaved(Reason.ILLEGAL_PARAMETER, "early_data without pre_shared_key")
    schemes = extensions.find(ext.SignatureSchemeList)
    groups = extensions.find(ext.NamedGroupList)
    key_share = extensions.find(ext.KeyShareClientHello)
    _check_mandatory(schemes, groups, key_share, psks)
    assert groups is not None
    assert key_share is not None
    return Request(
        hello,
        groups.named_group_list,
        _check_shares(groups.named_group_list, key_share),
        tuple(schemes.supported_signature_algorithms) if schemes else (),
        psks,
        server_name_in(extensions),
    )


def _check_mandatory(
    schemes: ext.SignatureSchemeList | None,
    groups: ext.NamedGroupList | None,
    key_share: ext.KeyShareClientHello | None,
    psks: ext.OfferedPsks | None,
) -> None:
    """RFC 9846 9.2: which extensions a ClientHello cannot do without."""
    if psks is not None and groups is None and key_share is None:
        # Allowed: this client wants a PSK without (EC)DHE, which we never do.
        raise PeerIncompatible(Reason.NO_SHARED_GROUP, "the client only offers PSKs without (EC)DHE")
    needed = (
        ("supported_groups", groups),
        ("key_share", key_share),
        ("signature_algorithms", schemes or psks),
    )
    missing = [name for name, found in needed if found is None]
    if missing:
        raise PeerMisbehaved(Reason.MISSING_EXTENSION, f"the ClientHello lacks {', '.join(missing)}")


def _check_psks(hello: ClientHello, psks: ext.OfferedPsks) -> None:
    # RFC 9846 4.3.11: servers "MUST check that it is the last extension"
    if next(reversed(hello.extensions)) != ExtensionType.pre_shared_key:
        raise PeerMisbehaved(Reason.ILLEGAL_PARAMETER, "pre_shared_key is not the last extension")
    if len(psks.identities) != len(psks.binders):
        raise PeerMisbehaved(
            Reason.ILLEGAL_PARAMETER, f"{len(psks.identities)} PSK identities and {len(psks.binders)} binders"
        )
    # RFC 9846 4.3.9: "If clients offer "pre_shared_key" without a "psk_key_exchange_modes" extension,
    # servers MUST abort the handshake."
    if ExtensionType.psk_key_exchange_modes not in hello.extensions:
        raise PeerMisbehaved(Reason.MISSING_EXTENSION, "pre_shared_key without psk_key_exchange_modes")


def _check_shares(groups: list[NamedGroup | int], key_share: ext.KeyShareClientHello) -> dict[int, bytes]:
    shares = {entry.group: entry.key_exchange for entry in key_share.client_shares}
    if len(shares) != len(key_share.client_shares):
        raise PeerMisbehaved(Reason.DUPLICATE_KEY_SHARE, "two key shares are of the same group")
    offered = set(groups)
    for group in shares:
        if group not in offered:
            raise PeerMisbehaved(
                Reason.ILLEGAL_PARAMETER,
                f"a key share is of {name_of(group, NamedGroup)}, which supported_groups does not name",
            )
    return shares


#: RFC 9846 4.2.2: what may differ between a ClientHello and the one after a HelloRetryRequest.
_MAY_CHANGE = frozenset(
    {
        ExtensionType.key_share,
        ExtensionType.early_data,
        ExtensionType.cookie,
        ExtensionType.pre_shared_key,
        ExtensionType.padding,
    }
)


def check_second_hello(
    hs: ServerHandshake, first: Request, second: Request, group: NamedGroup, cookie: ext.Cookie | None
) -> None:
    """RFC 9846 4.2.2: the second hello is the first with what was asked for; nothing else has changed."""
    fault = _second_hello_fault(first, second, group, cookie)
    if hs.trace:
        hs.trace.check(
            what="hello_retry_request",
            expected=f"the same ClientHello with one share, of {group}",
            found=fault or "that",
            ok=fault is None,
        )
    if fault is not None:
        raise PeerMisbehaved(Reason.HELLO_RETRY_CHANGED, f"the second ClientHello {fault}")


def _second_hello_fault(
    first: Request, second: Request, group: NamedGroup, cookie: ext.Cookie | None
) -> str | None:
    before, after = first.hello, second.hello
    if list(second.shares) != [group]:
        return f"does not have one share, of {group}"
    if after.extensions.find(ext.Cookie) != cookie:
        return "has another cookie than it was given"
    if second.offers_early_data:
        return "has early_data"
    if (before.random, before.legacy_session_id, before.cipher_suites) != (
        after.random,
        after.legacy_session_id,
        after.cipher_suites,
    ):
        return "has another random, session ID or list of suites"
    fixed_before = {code: body for code, body in before.extensions.items() if code not in _MAY_CHANGE}
    fixed_after = {code: body for code, body in after.extensions.items() if code not in _MAY_CHANGE}
    if fixed_before != fixed_after:
        return "has other extensions"
    return None


def server_name_in(extensions: Extensions) -> str | None:
    """The host name that the client asks for, None where it names none (RFC 6066 3)."""
    names = extensions.find(ext.ServerNameList)
    if names is None:
        return None
    # RFC 6066 3: "MUST NOT contain more than one name of the same name_type"
    hosts = [name.host_name for name in names.server_name_list if name.name_type == NameType.host_name]
    if len(hosts) > 1:
        raise PeerMisbehaved(Reason.ILLEGAL_PARAMETER, f"server_name holds {len(hosts)} host names")
    if not hosts:
        # RFC 9846 9.3: "unrecognized" parameters are ignored, and so are names of another type.
        return None
    host = hosts[0].decode("latin-1")
    if not (host.isascii() and host.isprintable() and " " not in host):
        # It goes into logs and error texts: control characters must not.
        raise PeerMisbehaved(Reason.ILLEGAL_PARAMETER, "server_name holds what no host name does")
    return host
