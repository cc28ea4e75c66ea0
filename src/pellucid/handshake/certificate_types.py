"""What each side shows of itself, certificates or a key alone: RFC 7250, in either version.

ClientHello      client_certificate_type   what the client can show, if it is asked
                 server_certificate_type   what it takes from the server
EncryptedExtensions, or ServerHello in TLS 1.2
                 client_certificate_type   what the server asks the client for
                 server_certificate_type   what is in the server's Certificate

Who verifies prefers: the server goes by the client's order for its own, and by ours for the client's. What
is not spoken of is certificates.
"""

from collections.abc import Sequence

from pellucid.codes import CertificateType, ExtensionType, name_of, names_of
from pellucid.config import ClientConfig
from pellucid.errors import PeerIncompatible, PeerMisbehaved, Reason
from pellucid.handshake.choose import first_shared
from pellucid.handshake.flow import AnyHandshake, ClientHandshake, ServerHandshake
from pellucid.messages import Extensions
from pellucid.messages import extensions as ext
from pellucid.plain import plain

X509 = CertificateType.X509
ONLY_X509 = (X509,)


@plain(frozen=True)
class CertificateTypes:
    """What the server shows, and what the client does if it is asked."""

    server: CertificateType = X509
    client: CertificateType = X509


_CERTIFICATES = CertificateTypes()


# -- the client


def ask_for_types(config: ClientConfig, extensions: Extensions) -> None:
    """RFC 7250 4.1: what can be shown and what is taken, each where it is not certificates alone."""
    if config.certificates_alone:
        return
    shown = config.shown_certificate_types
    if shown and shown != ONLY_X509:
        extensions.add(ext.ClientCertTypeOffer(list(shown)))
    if config.accepted_types != ONLY_X509:
        extensions.add(ext.ServerCertTypeOffer(list(config.accepted_types)))


def agreed_types(hs: ClientHandshake, answers: Extensions, *, resumed: bool) -> CertificateTypes:
    """What the server says of both. ``resumed``: it will show nothing, so that it need not say."""
    if hs.config.certificates_alone:
        return _CERTIFICATES  # it was not asked, and what answers no question is refused before
    of_server = answers.find(ext.ServerCertTypeAnswer)
    of_client = answers.find(ext.ClientCertTypeAnswer)
    accepted = hs.config.accepted_types
    if of_server is None and of_client is None and X509 in accepted:
        return _CERTIFICATES
    server = of_server.server_certificate_type if of_server else None
    client = of_client.client_certificate_type if of_client else None
    types = CertificateTypes(
        _answered(hs, ExtensionType.server_certificate_type, accepted, server),
        _answered(hs, ExtensionType.client_certificate_type, hs.config.shown_certificate_types, client),
    )
    if not resumed and types.server not in accepted:
        raise PeerIncompatible(
            Reason.NO_SHARED_CERTIFICATE_TYPE,
            "the server shows certificates, as it does not know raw public keys; we accept those alone",
        )
    return types


def _answered(
    hs: ClientHandshake, extension: ExtensionType, offered: Sequence[CertificateType], answer: int | None
) -> CertificateType:
    if answer is None:
        return X509
    if not isinstance(answer, CertificateType) or answer not in offered:
        raise PeerMisbehaved(
            Reason.ILLEGAL_PARAMETER,
            f"the server answers {extension} with {name_of(answer, CertificateType)}, which was not offered",
        )
    if hs.trace:
        ours = names_of(offered, CertificateType)
        hs.trace.choice(what=str(extension), ours=ours, chosen=str(answer), rule="the server chose it")
    return answer


# -- the server


def require_shared_type(hs: ServerHandshake, asked: Extensions) -> Sequence[int]:
    """What the client takes from us, preferred first. RFC 7250 4.2: it has to be something that we have."""
    offer = asked.find(ext.ServerCertTypeOffer)
    accepted = offer.server_certificate_types if offer else ONLY_X509
    ours = hs.config.shown_certificate_types
    if ours and set(ours).isdisjoint(accepted):
        raise _nothing_in_common("server_certificate_type", "takes", accepted, "have", ours)
    return accepted


def type_to_ask_for(hs: ServerHandshake, asked: Extensions) -> CertificateType | None:
    """What the client is to show; None where it is not asked.

    One that has nothing that we accept is not asked either, unless it has to show something.
    """
    if hs.config.client_authentication == "none":
        return None
    offer = asked.find(ext.ClientCertTypeOffer)
    theirs = offer.client_certificate_types if offer else ONLY_X509
    ours = hs.config.accepted_types
    chosen = first_shared(ours, theirs)
    if hs.trace and (offer or ours != ONLY_X509):
        _tell(hs, "client_certificate_type", ours, theirs, chosen, "our most preferred that the client has")
    if chosen is None and hs.config.client_authentication == "required":
        raise _nothing_in_common("client_certificate_type", "has", theirs, "accept", ours)
    return chosen


def tell_type(hs: ServerHandshake, asked: Extensions, chosen: CertificateType) -> None:
    """To the trace, where the client has spoken of it: what we show."""
    if hs.trace and (offer := asked.find(ext.ServerCertTypeOffer)) is not None:
        rule = "the client's most preferred for which there is a key that fits"
        theirs = offer.server_certificate_types
        ours = hs.config.shown_certificate_types
        _tell(hs, "server_certificate_type", ours, theirs, chosen, rule)


def answer_types(
    asked: Extensions, answers: Extensions, server: CertificateType, client: CertificateType | None
) -> None:
    """RFC 7250 4.2: say what is shown, and what is asked for; each to who has spoken of it."""
    if client is not None and ExtensionType.client_certificate_type in asked:
        answers.add(ext.ClientCertTypeAnswer(client))
    if ExtensionType.server_certificate_type in asked:
        answers.add(ext.ServerCertTypeAnswer(server))


def _tell(
    hs: AnyHandshake,
    what: str,
    ours: Sequence[CertificateType],
    theirs: Sequence[int],
    chosen: CertificateType | None,
    rule: str,
) -> None:
    assert hs.trace is not None
    hs.trace.choice(
        what=what,
        ours=names_of(ours, CertificateType),
        theirs=names_of(theirs, CertificateType),
        chosen="" if chosen is None else str(chosen),
        rule=rule,
    )


def _nothing_in_common(
    what: str, does: str, theirs: Sequence[int], we: str, ours: Sequence[CertificateType]
) -> PeerIncompatible:
    has, want = (", ".join(names_of(types, CertificateType)) for types in (theirs, ours))
    return PeerIncompatible(
        Reason.NO_SHARED_CERTIFICATE_TYPE, f"{what}: the client {does} {has}; we {we} {want}"
    )
