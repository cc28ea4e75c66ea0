"""Whether a server resumes a session that it knows: what holds in TLS 1.3 and in TLS 1.2."""

from pellucid.codes import CertificateType
from pellucid.errors import CertificateRejected
from pellucid.handshake.choose import has_certificate_for
from pellucid.handshake.effects import Flow
from pellucid.handshake.flow import ServerHandshake, check_revocation, verify_identity
from pellucid.identity import VerifiedIdentity
from pellucid.sessions import TicketState


def why_not_resume(
    hs: ServerHandshake, state: TicketState, server_name: str | None
) -> Flow[tuple[str, VerifiedIdentity | None]]:
    """Why the session is not resumed, "" if it may be; and who the client was, verified again."""
    if state.server_name != server_name:
        return "the session was with another server name", None
    if state.server_identity not in hs.config.fingerprints:
        return "the session was with a certificate that we no longer have", None
    if hs.config.strict_server_name and not has_certificate_for(hs.config.credentials, server_name):
        return "the session was with a name that we no longer have", None
    kind = CertificateType.RawPublicKey if state.client_key else CertificateType.X509
    shown = (state.client_key,) if state.client_key else state.client_chain
    if shown and hs.config.client_authentication == "none":
        return "the session has a client certificate, and none is asked for", None
    if not shown and hs.config.client_authentication == "required":
        return "the session has no client certificate", None
    if not shown:
        return "", None
    if kind not in hs.config.accepted_types:
        return f"the session's client has shown {kind}, which is not accepted any more", None
    # A session must not outlive its certificate, nor our trust in it.
    try:
        identity = yield from verify_identity(shown, "client", None, certificate_type=kind)
        yield from check_revocation(hs, identity, {})
    except CertificateRejected as error:
        return f"the session's client certificate is no longer accepted: {error.detail}", None
    return "", identity
