"""What a ClientHello offers and a CertificateRequest asks for, read from their bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pellucid.codes import CipherSuite, NamedGroup, ProtocolVersion, SignatureScheme, names_of
from pellucid.errors import TLSError
from pellucid.identity.der import name_text
from pellucid.messages import ClientHello, Extensions, tls12, tls13
from pellucid.messages import extensions as ext
from pellucid.printable import printable

__all__ = ["Offer", "Request", "offer_in", "request_in"]

#: The record that carries a ClientHello begins with five bytes more.
RECORD_HEADER = 5

#: A server may name thousands of authorities; so many are read for people.
MOST_AUTHORITIES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """By name, in the client's order. ``record_bytes`` is the length of its record, header included."""

    versions: tuple[str, ...]
    cipher_suites: tuple[str, ...]
    groups: tuple[str, ...]
    shares: tuple[str, ...]
    signature_schemes: tuple[str, ...]
    protocols: tuple[str, ...]
    server_name: str
    record_bytes: int


@dataclass(frozen=True, slots=True)
class Request:
    """What a server takes: authorities by their names (DER; the first for people), signature schemes."""

    authorities: tuple[bytes, ...]
    names: tuple[str, ...]
    signature_schemes: tuple[str, ...]


def offer_in(raw: bytes) -> Offer | None:
    """The offer of a ClientHello (header included); None where it cannot be read."""
    try:
        hello = ClientHello.decode(raw)
    except TLSError:  # it has been refused for that, and said so
        return None
    found = hello.extensions
    versions = found.find(ext.SupportedVersionsClientHello)
    shares = found.find(ext.KeyShareClientHello)
    protocols = found.find(ext.ProtocolNameList)
    names = found.find(ext.ServerNameList)
    return Offer(
        versions=_names(versions.versions if versions else [hello.legacy_version], ProtocolVersion),
        cipher_suites=_names(hello.cipher_suites, CipherSuite),
        groups=_names(_values(found, ext.NamedGroupList, "named_group_list"), NamedGroup),
        shares=_names([share.group for share in shares.client_shares] if shares else [], NamedGroup),
        signature_schemes=_names(
            _values(found, ext.SignatureSchemeList, "supported_signature_algorithms"), SignatureScheme
        ),
        protocols=tuple(_text(name) for name in protocols.protocol_name_list) if protocols else (),
        server_name=_text(names.server_name_list[0].host_name) if names else "",
        record_bytes=len(raw) + RECORD_HEADER,
    )


def request_in(raw: bytes) -> Request | None:
    """What a CertificateRequest (header included) of either version asks for; None if it cannot be read."""
    # In a handshake of TLS 1.3 the context is empty (RFC 9846 4.4.2), and TLS 1.2 begins with the number of
    # certificate types, of which there is one at least (RFC 5246 7.4.4).
    header = 4
    try:
        if raw[header : header + 1] == b"\0":
            found = tls13.CertificateRequest.decode(raw).extensions
            named = found.find(ext.CertificateAuthorities)
            authorities: Sequence[bytes] = named.authorities if named else ()
            schemes = _values(found, ext.SignatureSchemeList, "supported_signature_algorithms")
        else:
            request = tls12.CertificateRequest.decode(raw)
            authorities, schemes = request.certificate_authorities, request.supported_signature_algorithms
    except TLSError:  # as above
        return None
    shown = tuple(map(name_text, authorities[:MOST_AUTHORITIES]))
    return Request(tuple(authorities), shown, _names(schemes, SignatureScheme))


def _values(found: Extensions, body: type[Any], name: str) -> Sequence[int]:
    extension = found.find(body)
    return getattr(extension, name) if extension else ()


def _names(values: Sequence[int], registry: type[Any]) -> tuple[str, ...]:
    return tuple(names_of(values, registry))


def _text(name: bytes) -> str:
    return printable(name.decode("utf-8", "replace"))
