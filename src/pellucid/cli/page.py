"""The page that ``serve`` shows its visitors: what they offered, and what was chosen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from pellucid.codes import (
    CipherSuite,
    ExtensionType,
    NamedGroup,
    ProtocolVersion,
    Registry,
    SignatureScheme,
    name_of,
)

if TYPE_CHECKING:
    from pellucid.result import Negotiated

__all__ = ["Offer", "offer_of", "page"]


@dataclass(frozen=True)
class Offer:
    """What a ClientHello offers, by name and in the client's order."""

    server_name: str = ""
    versions: tuple[str, ...] = ()
    cipher_suites: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    key_shares: tuple[str, ...] = ()
    signature_schemes: tuple[str, ...] = ()
    alpn: tuple[str, ...] = ()
    extensions: tuple[str, ...] = ()


def offer_of(client_hello: bytes) -> Offer:
    """The offer in a ClientHello, header included. Raises what its decoding raises."""
    from pellucid.messages import ClientHello
    from pellucid.messages import extensions as ext

    hello = ClientHello.decode(client_hello)
    found = hello.extensions
    names = found.find(ext.ServerNameList)
    # Without the extension, the highest version that the client speaks stands where it always stood.
    supported = found.find(ext.SupportedVersionsClientHello)
    versions = supported.versions if supported else [hello.legacy_version]
    groups = found.find(ext.NamedGroupList)
    shares = found.find(ext.KeyShareClientHello)
    schemes = found.find(ext.SignatureSchemeList)
    protocols = found.find(ext.ProtocolNameList)
    return Offer(
        server_name=names.server_name_list[0].host_name.decode("ascii", "replace") if names else "",
        versions=_names(versions, ProtocolVersion),
        cipher_suites=_names(hello.cipher_suites, CipherSuite),
        groups=_names(groups.named_group_list if groups else [], NamedGroup),
        key_shares=_names((share.group for share in shares.client_shares) if shares else (), NamedGroup),
        signature_schemes=_names(schemes.supported_signature_algorithms if schemes else [], SignatureScheme),
        alpn=tuple(name.decode("utf-8", "replace") for name in protocols.protocol_name_list)
        if protocols
        else (),
        extensions=_names(found, ExtensionType),
    )


def _names(values: Iterable[int], registry: type[Registry]) -> tuple[str, ...]:
    return tuple(name_of(value, registry) for value in values)


_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem;color:#222}"
    "h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:2rem}table{border-collapse:collapse;width:100%}"
    "th{text-align:left;font-weight:normal;color:#666;width:11rem;vertical-align:top;"
    "padding:.2rem .8rem .2rem 0}"
    "td{padding:.2rem 0}code{font:14px ui-monospace,monospace}.chosen{background:#d8f5d8;border-radius:3px}"
    "@media(prefers-color-scheme:dark){body{background:#181818;color:#ddd}th{color:#999}"
    ".chosen{background:#1d4a1d}}"
)


def page(offer: Offer, negotiated: Negotiated, client_subject: str = "") -> str:
    """The page as HTML. All that came from the client is escaped; nothing is loaded from elsewhere."""
    by_rsa = negotiated.protocol is ProtocolVersion.TLSv1_2 and not negotiated.resumed
    otherwise = "the secret came encrypted (RSA)" if by_rsa else "the session was resumed"
    chosen = [
        ("version", str(negotiated.protocol)),
        ("cipher suite", str(negotiated.cipher_suite)),
        ("group", str(negotiated.group or f"none: {otherwise}")),
        ("signature", str(negotiated.signature_scheme or f"none: {otherwise}")),
        ("protocol inside", negotiated.alpn or "none"),
        ("server name", offer.server_name or "none was sent"),
        ("resumed", "yes" if negotiated.resumed else "no"),
        ("your certificate", client_subject or "none"),
    ]
    offered = [
        ("versions", offer.versions, str(negotiated.protocol)),
        ("cipher suites", offer.cipher_suites, str(negotiated.cipher_suite)),
        ("groups", offer.groups, str(negotiated.group)),
        ("key shares", offer.key_shares, str(negotiated.group)),
        ("signatures", offer.signature_schemes, str(negotiated.signature_scheme)),
        ("protocols inside", offer.alpn, negotiated.alpn or ""),
        ("extensions", offer.extensions, ""),
    ]
    rows = "".join(_row(label, _code(value)) for label, value in chosen)
    lists = "".join(_row(label, _list(values, taken)) for label, values, taken in offered)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>What you offered</title>'
        '<meta name="viewport" content="width=device-width">'
        f"<style>{_STYLE}</style></head><body><h1>You are connected, and this is how</h1>"
        "<p>This page came over the connection that it describes. It is served by pellucid.</p>"
        f"<h2>Chosen</h2><table>{rows}</table>"
        f"<h2>What your client offered, in its order</h2><table>{lists}</table></body></html>\n"
    )


def _row(label: str, cell: str) -> str:
    return f'<tr><th scope="row">{escape(label)}</th><td>{cell}</td></tr>'


def _code(value: str, *, chosen: bool = False) -> str:
    mark = ' class="chosen"' if chosen else ""
    return f"<code{mark}>{escape(value)}</code>"


def _list(values: Sequence[str], taken: str) -> str:
    return "<br>".join(_code(value, chosen=value == taken) for value in values) or "none"
