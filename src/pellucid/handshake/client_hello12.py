"""What a server of TLS 1.2 reads from a ClientHello, checked: RFC 5246 7.4.1.2, and what mends it."""

from collections.abc import Sequence

from pellucid.codes import CipherSuite, ECPointFormat, ExtensionType
from pellucid.errors import PeerMisbehaved, Reason
from pellucid.handshake.client_hello import server_name_in
from pellucid.handshake.flow import ServerHandshake, schemes_in
from pellucid.messages import ClientHello
from pellucid.messages import extensions as ext
from pellucid.plain import plain


@plain
class Request12:
    """A ClientHello of TLS 1.2. ``groups``: None where the client does not say which it can do.

    ``extended``: whether the master secret will be bound to the handshake. ``ticket``: what it brought, b""
    for the wish for one; None where it takes none.
    """

    hello: ClientHello
    server_name: str | None
    groups: Sequence[int] | None
    schemes: Sequence[int]
    certificate_schemes: Sequence[int]
    authorities: Sequence[bytes]
    extended: bool
    ticket: bytes | None

    def has(self, extension_type: ExtensionType) -> bool:
        return extension_type in self.hello.extensions

    @property
    def knows_renegotiation_info(self) -> bool:
        """RFC 5746 3.6: by the extension, or by the suite that stands for it."""
        return (
            self.has(ExtensionType.renegotiation_info)
            or CipherSuite.TLS_EMPTY_RENEGOTIATION_INFO_SCSV in self.hello.cipher_suites
        )


def check_client_hello12(hs: ServerHandshake, hello: ClientHello) -> Request12:
    """The hello as a ``Request12``; raises what the RFCs tell to raise of one that cannot be."""
    extensions = hello.extensions
    # RFC 5246 7.4.1.2: the list "MUST contain, and all implementations MUST support,
    # CompressionMethod.null." What else it offers we never take: see CRIME in docs/vulnerabilities.md.
    if 0 not in hello.legacy_compression_methods:
        raise PeerMisbehaved(
            Reason.WRONG_COMPRESSION_METHOD,
            f"compression_methods is {hello.legacy_compression_methods.hex()}, without null",
        )
    info = extensions.find(ext.RenegotiationInfo)
    if info is not None and info.renegotiated_connection:
        # RFC 5746 3.6: where it is not empty, the server "MUST abort the handshake".
        raise PeerMisbehaved(
            Reason.BAD_RENEGOTIATION_INFO, "renegotiation_info is not empty in a first handshake"
        )
    formats = extensions.find(ext.ECPointFormatList)
    if formats is not None and ECPointFormat.uncompressed not in formats.ec_point_format_list:
        # RFC 8422 5.1.2: everybody has to know the uncompressed form.
        raise PeerMisbehaved(Reason.ILLEGAL_PARAMETER, "the client does not know uncompressed points")
    groups = extensions.find(ext.NamedGroupList)
    schemes, certificate_schemes = schemes_in(extensions)
    authorities = extensions.find(ext.CertificateAuthorities)
    ticket = extensions.find(ext.SessionTicket)
    wanted = hs.config.parameters.extended_master_secret != "never"
    return Request12(
        hello=hello,
        server_name=server_name_in(extensions),
        groups=groups.named_group_list if groups else None,
        schemes=schemes,
        certificate_schemes=certificate_schemes,
        authorities=authorities.authorities if authorities else [],
        extended=wanted and ExtensionType.extended_master_secret in extensions,
        ticket=ticket.ticket if ticket else None,
    )
