"""The key exchange of TLS 1.2: three ways for both to come to one premaster secret.

    RSA      the client makes it, and encrypts it with the key of the server's certificate (RFC 5246 7.4.7.1)
    DHE      both send a share; the server's is signed (RFC 5246 7.4.3, 7.4.7.2)
    ECDHE    the same on a curve (RFC 8422 5.4, 5.7)

With RSA the certificate's key is all that keeps the secret: who gets it later reads what was recorded
before. With the others that key only signs, and the shares' keys are gone when the handshake is.
"""

from collections.abc import Iterable

from pellucid.codes import ECCurveType, NamedGroup, ProtocolVersion, SignatureScheme, name_of
from pellucid.crypto.dh12 import dh_params, dh_secret, group_name, respond_dh
from pellucid.crypto.groups import PrivateShare, generate, respond
from pellucid.crypto.rsa import PREMASTER_LENGTH, encrypt_premaster
from pellucid.crypto.signatures import authentication_of
from pellucid.crypto.suites12 import Suite12
from pellucid.errors import PeerMisbehaved, Reason
from pellucid.handshake.effects import DecryptPremaster, Flow
from pellucid.handshake.flow import (
    AnyHandshake,
    ClientHandshake,
    ServerHandshake,
    exchange_inputs,
    receive,
    sign,
)
from pellucid.handshake.proofs import SignatureVerified, verify_signed
from pellucid.handshake.security12 import SecurityParameters
from pellucid.identity import Credential, VerifiedIdentity
from pellucid.messages import tls12
from pellucid.plain import plain


@plain
class Exchanged:
    """A client's part: what to send and what it gives. ``group`` None: RSA, or the server's own group."""

    message: tls12.ClientKeyExchange
    premaster_secret: bytes
    group: NamedGroup | None


# -- the client


def check_server_key_exchange(
    hs: ClientHandshake,
    security: SecurityParameters,
    message: tls12.ServerKeyExchange,
    identity: VerifiedIdentity,
) -> SignatureVerified:
    """RFC 5246 7.4.3: the share is the server's, and of this handshake: both randoms are signed with it."""
    content = security.client_random + security.server_random + message.signed_params
    scheme = message.algorithm
    wanted = security.suite.authentication
    if isinstance(scheme, SignatureScheme) and authentication_of(scheme) != wanted:
        raise PeerMisbehaved(
            Reason.SCHEME_NOT_OFFERED,
            f"the server signed with {scheme}, and {security.suite} is for {wanted} keys",
        )
    return verify_signed(hs, "server_key_exchange", message, identity, "server", content)


def exchange(
    hs: ClientHandshake,
    server_share: tls12.ServerKeyExchange | None,
    identity: VerifiedIdentity,
) -> Exchanged:
    """The premaster secret, and the message by which the server comes to it as well."""
    if isinstance(server_share, tls12.ServerKeyExchangeECDHE):
        return _on_curve(hs, server_share.params)
    if isinstance(server_share, tls12.ServerKeyExchangeDHE):
        return _in_finite_field(hs, server_share.params)
    return _encrypted(hs, identity)


def _encrypted(hs: ClientHandshake, identity: VerifiedIdentity) -> Exchanged:
    # RFC 5246 7.4.7.1: client_version is the one that was offered in the ClientHello, whatever was chosen, so
    # that a version rolled back by somebody on the path shows.
    version = ProtocolVersion.TLSv1_2.to_bytes(2, "big")
    premaster_secret = version + hs.entropy(PREMASTER_LENGTH - len(version))
    encrypted = encrypt_premaster(identity.public_key, premaster_secret, hs.key_entropy)
    _trace_premaster(hs, "client_version || random(46)", [("client_version", version)], premaster_secret)
    return Exchanged(tls12.ClientKeyExchangeRSA(encrypted), premaster_secret, None)


def _on_curve(hs: ClientHandshake, params: tls12.ServerECDHParams) -> Exchanged:
    group = params.named_curve
    if not isinstance(group, NamedGroup) or group not in hs.config.parameters.curves12:
        raise PeerMisbehaved(
            Reason.GROUP_NOT_OFFERED,
            f"the server's share is on {name_of(group, NamedGroup)}, which was not offered",
        )
    _trace_group(hs, group)
    share, premaster_secret = respond(group, params.public, hs.key_entropy)
    _trace_exchange(hs, group, [("our_share", share), ("peer_share", params.public)], premaster_secret)
    return Exchanged(tls12.ClientKeyExchangeECDHE(share), premaster_secret, group)


def _in_finite_field(hs: ClientHandshake, params: tls12.ServerDHParams) -> Exchanged:
    """The server's own choice of a group is checked before it is used: that is what Logjam was about."""
    try:
        group, share, premaster_secret = respond_dh(params.dh_p, params.dh_g, params.dh_Ys, hs.key_entropy)
    except PeerMisbehaved as error:
        if hs.trace:
            hs.trace.check(what="dh_group", expected="a strong group", found=error.detail, ok=False)
        raise
    name = group_name(params.dh_p)
    if hs.trace:
        hs.trace.check(what="dh_group", expected="a strong group", found=name, ok=True)
    _trace_group(hs, name)
    _trace_exchange(hs, name, [("our_share", share), ("peer_share", params.dh_Ys)], premaster_secret)
    return Exchanged(tls12.ClientKeyExchangeDHE(share), premaster_secret, group)


# -- the server


def send_server_key_exchange(
    hs: ServerHandshake,
    security: SecurityParameters,
    group: NamedGroup,
    credential: Credential,
    scheme: SignatureScheme,
) -> Flow[PrivateShare]:
    """A fresh share, signed together with both randoms. Gives the private half."""
    ours = generate(group, hs.key_entropy)
    params: tls12.ServerECDHParams | tls12.ServerDHParams
    if security.suite.key_exchange == "ECDHE":
        params = tls12.ServerECDHParams(ECCurveType.named_curve, group, ours.share)
    else:
        params = _dh_params(group, ours.share)
    content = security.client_random + security.server_random + params.codec.encode(params)
    signature = yield from sign(credential, scheme, content, tls12=True)
    if isinstance(params, tls12.ServerECDHParams):
        yield hs.send(tls12.ServerKeyExchangeECDHE(params, scheme, signature))
    else:
        yield hs.send(tls12.ServerKeyExchangeDHE(params, scheme, signature))
    return ours


def _dh_params(group: NamedGroup, share: bytes) -> tls12.ServerDHParams:
    dh_p, dh_g = dh_params(group)
    return tls12.ServerDHParams(dh_p, dh_g, share)


def receive_client_key_exchange(
    hs: ServerHandshake, suite: Suite12, ours: PrivateShare | None
) -> Flow[bytes]:
    """The premaster secret that the client's share and ours make. ``ours`` is None with RSA only."""
    assert ours is not None
    if suite.key_exchange == "ECDHE":
        on_curve = yield from receive(hs, "WAIT_CKE", tls12.ClientKeyExchangeECDHE)
        theirs = on_curve.ecdh_Yc
        premaster_secret = ours.secret(theirs)
    else:
        in_field = yield from receive(hs, "WAIT_CKE", tls12.ClientKeyExchangeDHE)
        theirs = in_field.dh_Yc
        premaster_secret = dh_secret(ours, theirs)
    if hs.trace:
        _trace_exchange(hs, ours.group, exchange_inputs(hs, ours, theirs), premaster_secret)
    return premaster_secret


def receive_encrypted_premaster(
    hs: ServerHandshake, credential: Credential, client_version: int
) -> Flow[bytes]:
    """What the client encrypted, or random bytes where that is not what it must be: nothing tells which.

    RFC 5246 7.4.7.1: "In any case, a TLS server MUST NOT generate an alert if processing an RSA-encrypted
    premaster secret message fails, or the version number is not as expected. Instead, it MUST continue the
    handshake with a randomly generated premaster secret." The Finished then fails, as with a wrong guess.
    """
    message = yield from receive(hs, "WAIT_CKE", tls12.ClientKeyExchangeRSA)
    encrypted = message.encrypted_pre_master_secret
    otherwise = hs.entropy(PREMASTER_LENGTH)
    premaster_secret: bytes = yield DecryptPremaster(credential, encrypted, client_version, otherwise)
    _trace_premaster(
        hs,
        "RSA-Decrypt(our private key, encrypted_pre_master_secret)",
        [("encrypted_pre_master_secret", encrypted)],
        premaster_secret,
    )
    return premaster_secret


# -- the trace


def _trace_group(hs: AnyHandshake, chosen: NamedGroup | str) -> None:
    if hs.trace:
        ours = [str(group) for group in hs.config.parameters.groups]
        hs.trace.choice(what="group", ours=ours, chosen=str(chosen), rule="the server chose it")


def _trace_exchange(
    hs: AnyHandshake, group: NamedGroup | str, inputs: list[tuple[str, bytes]], secret: bytes
) -> None:
    if hs.trace:
        _trace_premaster(hs, f"{group}(our private key, the {hs.peer}'s share)", inputs, secret)


def _trace_premaster(
    hs: AnyHandshake, formula: str, inputs: Iterable[tuple[str, bytes]], value: bytes
) -> None:
    if hs.trace:
        hs.trace.secret(
            name="premaster_secret", formula=formula, inputs=inputs, value=value, used_for="the master secret"
        )
