"""What both flows of TLS 1.2 do alike: from the premaster secret to keys, ChangeCipherSpec and Finished.

premaster secret
       |  PRF with both randoms, or with the hash of the handshake (RFC 7627)
master secret  ------------------------>  verify_data of both Finished
       |  PRF with both randoms
key block:  MAC keys | write keys | IVs   ->  from ChangeCipherSpec on, records
"""

from functools import partial
from typing import Literal

from pellucid.crypto.kdf import Prf
from pellucid.crypto.suites12 import Suite12
from pellucid.errors import PeerIncompatible, Reason
from pellucid.handshake.effects import Flow, InstallCipher, SendChangeCipherSpec
from pellucid.handshake.flow import AnyHandshake, receive
from pellucid.handshake.proofs import FinishedVerified, compare_finished
from pellucid.keys import (
    CipherKeys,
    KeyBlock,
    export_keying_material12,
    extended_master_secret,
    finished_verify_data12,
    key_block,
    master_secret,
)
from pellucid.messages import ChangeCipherSpec, Finished
from pellucid.plain import plain

Side = Literal["client", "server"]


@plain
class SecurityParameters:
    """RFC 5246 6.1: what the record layer and the secrets of one connection are made with.

    ``extended``: the master secret is bound to the handshake (RFC 7627). ``encrypt_then_mac``: RFC 7366.
    ``max_fragment_length``: in bytes, 0 where none was agreed on (RFC 6066 4).
    """

    suite: Suite12
    client_random: bytes
    server_random: bytes
    extended: bool
    encrypt_then_mac: bool
    max_fragment_length: int = 0
    master_secret: bytes = b""
    #: Keyed once, for the key block and both Finished.
    prf: Prf | None = None
    keys: KeyBlock | None = None

    def write_keys(self, side: Side) -> CipherKeys:
        """What ``side`` protects its records with."""
        assert self.keys is not None
        return self.keys.client if side == "client" else self.keys.server


def take_premaster_secret(hs: AnyHandshake, security: SecurityParameters, premaster_secret: bytes) -> None:
    """RFC 5246 8.1 or RFC 7627 4: the master secret; then the keys.

    To be called behind the ClientKeyExchange, the last message that an extended master secret depends on.
    """
    hash_name = security.suite.hash_name
    if security.extended:
        secret = extended_master_secret(hash_name, premaster_secret, hs.transcript.digest(), trace=hs.trace)
    else:
        secret = master_secret(
            hash_name, premaster_secret, security.client_random, security.server_random, trace=hs.trace
        )
    take_master_secret(hs, security, secret)


def take_master_secret(hs: AnyHandshake, security: SecurityParameters, secret: bytes) -> None:
    """The master secret is known, by a key exchange or from the session that is resumed: make the keys."""
    security.master_secret = secret
    # The label of RFC 9850's predecessors, which Wireshark knows; nothing else tells a connection of TLS 1.2.
    hs.log_key("CLIENT_RANDOM", secret)
    security.prf = Prf(security.suite.hash_name, secret)
    security.keys = key_block(
        security.suite,
        secret,
        security.client_random,
        security.server_random,
        trace=hs.trace,
        keyed=security.prf,
    )
    if security.extended:
        hs.exporter = partial(
            export_keying_material12,
            security.suite.hash_name,
            secret,
            security.client_random,
            security.server_random,
        )


def send_finished(hs: AnyHandshake, security: SecurityParameters) -> Flow[None]:
    """[ChangeCipherSpec] Finished: from here on what we send is protected."""
    yield SendChangeCipherSpec(disguise=False)
    keys = security.write_keys(hs.side)
    yield InstallCipher("write", security.suite, keys, security.encrypt_then_mac)
    yield hs.send(Finished(_verify_data(hs, security, hs.side, hs.transcript.digest())))


def receive_finished(hs: AnyHandshake, security: SecurityParameters) -> Flow[FinishedVerified]:
    """[ChangeCipherSpec] Finished of the peer's, the first thing that it protects, verified."""
    yield from receive(hs, "WAIT_CCS", ChangeCipherSpec, hashed=False)
    peer = hs.peer
    yield InstallCipher("read", security.suite, security.write_keys(peer), security.encrypt_then_mac)
    transcript_hash = hs.transcript.digest()
    finished = yield from receive(hs, "WAIT_FINISHED", Finished)
    return compare_finished(hs, finished, _verify_data(hs, security, peer, transcript_hash))


def _verify_data(hs: AnyHandshake, security: SecurityParameters, side: Side, transcript_hash: bytes) -> bytes:
    return finished_verify_data12(
        security.suite.hash_name,
        security.master_secret,
        side,
        transcript_hash,
        trace=hs.trace,
        keyed=security.prf,
    )


def check_extended_master_secret(hs: AnyHandshake, *, agreed: bool) -> None:
    """RFC 7627 5.2: whether we go on without."""
    policy = hs.config.parameters.extended_master_secret
    ok = agreed or policy != "required"
    if hs.trace:
        found = "both sides have it" if agreed else "not agreed on"
        hs.trace.check(what="extended_master_secret", expected=policy, found=found, ok=ok)
    if not ok:
        raise PeerIncompatible(
            Reason.EXTENDED_MASTER_SECRET_MISSING,
            f"the {hs.peer} does not bind the master secret to the handshake (RFC 7627), which we require",
        )
