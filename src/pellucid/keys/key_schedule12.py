"""The secrets of TLS 1.2 (RFC 5246 5, 6.3, 8.1; RFC 7627): from a premaster secret to all the keys.

      pre_master_secret                     agreed on, or made by the client and encrypted to the server's key
              |
              |---> PRF("extended master secret", session_hash)                       RFC 7627
              |     or PRF("master secret", ClientHello.random + ServerHello.random)  RFC 5246
              v
        master_secret                       48 bytes; what a session that is resumed begins with
              |
              |---> PRF("key expansion", ServerHello.random + ClientHello.random)
              |         = key_block
              |               = client_write_MAC_key, server_write_MAC_key,
              |                 client_write_key, server_write_key, client_write_IV, server_write_IV
              |---> PRF("client finished", Hash(handshake_messages))
              |         = verify_data of the client's Finished
              |---> PRF("server finished", Hash(handshake_messages))
              |         = verify_data of the server's Finished
              '---> PRF(label, ClientHello.random + ServerHello.random [+ context])
                        = exported keying material                                    RFC 5705

The master secret encrypts nothing itself: it is expanded, into other keys for each connection and each
direction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from pellucid.crypto.kdf import HASH_LENGTHS, Prf, prf
from pellucid.errors import Misuse, Reason

if TYPE_CHECKING:
    from pellucid.crypto.suites12 import Suite12
    from pellucid.trace.recorder import TraceView

__all__ = [
    "CipherKeys",
    "KeyBlock",
    "export_keying_material12",
    "extended_master_secret",
    "finished_verify_data12",
    "key_block",
    "master_secret",
]

#: RFC 5246 8.1: "The master secret is always exactly 48 bytes in length."
MASTER_SECRET_LENGTH = 48

# RFC 5705 4: "exporter labels have the potential to collide with existing PRF labels": these.
_RESERVED_LABELS = frozenset(
    (b"client finished", b"server finished", b"master secret", b"extended master secret", b"key expansion")
)


class CipherKeys:
    """What protects the records of one direction: the keys of HMAC and cipher, and the fixed part of the IV.

    With an AEAD `mac_key` is empty, with CBC `iv`.
    """

    __slots__ = ("iv", "key", "mac_key")

    def __init__(self, mac_key: bytes, key: bytes, iv: bytes) -> None:
        self.mac_key = mac_key
        self.key = key
        self.iv = iv

    def __repr__(self) -> str:
        lengths = f"mac_key of {len(self.mac_key)} bytes, key of {len(self.key)}, iv of {len(self.iv)}"
        return f"<CipherKeys, {lengths}>"


class KeyBlock(NamedTuple):
    """The keys that the client writes with, and those that the server does."""

    client: CipherKeys
    server: CipherKeys


def master_secret(
    hash_name: str,
    pre_master_secret: bytes,
    client_random: bytes,
    server_random: bytes,
    trace: TraceView | None = None,
) -> bytes:
    """RFC 5246 8.1: the 48-byte master_secret of a peer that lacks the extended one.

    Nothing but the two randoms ties it to the handshake, so that a server in the middle can have the same
    secret with two peers (the triple handshake); `extended_master_secret` is what one wants.
    """
    secret = prf(
        hash_name, pre_master_secret, b"master secret", client_random + server_random, MASTER_SECRET_LENGTH
    )
    if trace:
        trace.secret(
            name="master_secret",
            formula='PRF(premaster_secret, "master secret", ClientHello.random + ServerHello.random)[0..47]',
            inputs=(
                ("premaster_secret", pre_master_secret),
                ("Label", "master secret"),
                ("ClientHello.random", client_random),
                ("ServerHello.random", server_random),
            ),
            value=secret,
            used_for="the key block, and both Finished",
        )
    return secret


def extended_master_secret(
    hash_name: str, pre_master_secret: bytes, session_hash: bytes, trace: TraceView | None = None
) -> bytes:
    """RFC 7627 4: the 48-byte master_secret, bound to all that was said to get there.

    `session_hash` (RFC 7627 3): the hash of all messages from the ClientHello to the ClientKeyExchange, both
    included.
    """
    secret = prf(hash_name, pre_master_secret, b"extended master secret", session_hash, MASTER_SECRET_LENGTH)
    if trace:
        trace.secret(
            name="master_secret",
            formula='PRF(premaster_secret, "extended master secret", session_hash)[0..47]',
            inputs=(
                ("premaster_secret", pre_master_secret),
                ("Label", "extended master secret"),
                ("session_hash", session_hash),
            ),
            value=secret,
            used_for="the key block, both Finished, and resuming this session",
        )
    return secret


def key_block(
    suite: Suite12,
    master_secret: bytes,
    client_random: bytes,
    server_random: bytes,
    trace: TraceView | None = None,
    *,
    keyed: Prf | None = None,
) -> KeyBlock:
    """RFC 5246 6.3: the master secret expanded, and cut into the keys of both directions.

    `keyed`: the PRF under `master_secret`, where there is one.
    """
    mac, key, iv = suite.mac_length, suite.key_length, suite.fixed_iv_length
    # RFC 5246 6.3: "SecurityParameters.server_random + SecurityParameters.client_random": the other way round
    # than for the master secret.
    keyed = keyed or Prf(suite.hash_name, master_secret)
    block = keyed(b"key expansion", server_random + client_random, 2 * (mac + key + iv))
    keys, ivs = 2 * mac, 2 * (mac + key)
    result = KeyBlock(
        CipherKeys(block[:mac], block[keys : keys + key], block[ivs : ivs + iv]),
        CipherKeys(block[mac:keys], block[keys + key : ivs], block[ivs + iv :]),
    )
    if trace:
        trace.secret(
            name="key_block",
            formula='PRF(master_secret, "key expansion", ServerHello.random + ClientHello.random)',
            inputs=(
                ("master_secret", master_secret),
                ("Label", "key expansion"),
                ("ServerHello.random", server_random),
                ("ClientHello.random", client_random),
            ),
            value=block,
            used_for="the keys of both directions, cut from it in order",
        )
        _trace_parts(trace, block, result)
    return result


def _trace_parts(trace: TraceView, block: bytes, keys: KeyBlock) -> None:
    """Tells each part of the block that is not empty, with its place in it."""
    offset = 0
    for part, attribute, use in (
        ("MAC_key", "mac_key", "the HMAC of each record that the {} sends"),
        ("key", "key", "encrypting what the {} sends"),
        ("IV", "iv", "the fixed part of the nonce of each record that the {} sends"),
    ):
        for sender, own in zip(("client", "server"), keys, strict=True):
            value: bytes = getattr(own, attribute)
            if value:
                trace.secret(
                    name=f"{sender}_write_{part}",
                    formula=f"key_block[{offset}..{offset + len(value) - 1}]",
                    inputs=(("key_block", block),),
                    value=value,
                    used_for=use.format(sender),
                )
            offset += len(value)


def finished_verify_data12(
    hash_name: str,
    master_secret: bytes,
    side: Literal["client", "server"],
    transcript_hash: bytes,
    trace: TraceView | None = None,
    *,
    keyed: Prf | None = None,
) -> bytes:
    """RFC 5246 7.4.9: the 12 bytes of verify_data in the Finished of `side`.

    `transcript_hash`: of all messages before that Finished, which for the second one includes the first.
    `keyed`: the PRF under `master_secret`, where there is one.
    """
    # RFC 5246 7.4.9: "In previous versions of TLS, the verify_data was always 12 octets long. In the current
    # version of TLS, it depends on the cipher suite." None of ours says otherwise than its default, 12.
    label = _FINISHED_LABELS[side]
    keyed = keyed or Prf(hash_name, master_secret)
    verify_data = keyed(label, transcript_hash, 12)
    if trace:
        text = label.decode()
        trace.secret(
            name=f"{side}_verify_data",
            formula=f'PRF(master_secret, "{text}", Hash(handshake_messages))[0..11]',
            inputs=(
                ("master_secret", master_secret),
                ("Label", text),
                ("transcript_hash", transcript_hash),
            ),
            value=verify_data,
            used_for=f"the {side}'s Finished",
        )
    return verify_data


_FINISHED_LABELS = {"client": b"client finished", "server": b"server finished"}


def export_keying_material12(
    hash_name: str,
    master_secret: bytes,
    client_random: bytes,
    server_random: bytes,
    label: bytes,
    context: bytes | None,
    length: int,
) -> bytes:
    """RFC 5705 4: `length` bytes for an application's own use, bound to `label` and `context`.

    No context and an empty one differ, unlike in TLS 1.3. RFC 7627 5.4: after a full handshake without an
    extended master secret, one "MUST disable [RFC5705]"; whoever calls this has seen to that. Raises
    Misuse(BAD_CONFIGURATION) for a label that is empty or that the handshake uses itself, a context above
    65535 bytes, and a length below 1 or above 255 hashes, the bound that TLS 1.3 has.
    """
    if not label:
        raise Misuse(Reason.BAD_CONFIGURATION, "an exporter's label is not empty")
    if label in _RESERVED_LABELS:
        raise Misuse(Reason.BAD_CONFIGURATION, f"{label!r} is a label of the handshake itself")
    longest = 255 * HASH_LENGTHS[hash_name]
    if not 1 <= length <= longest:
        raise Misuse(Reason.BAD_CONFIGURATION, f"an exporter gives 1 to {longest} bytes here, not {length}")
    seed = client_random + server_random
    if context is not None:
        if len(context) > 65535:
            raise Misuse(
                Reason.BAD_CONFIGURATION, f"an exporter's context has at most 65535 bytes, not {len(context)}"
            )
        seed += len(context).to_bytes(2, "big") + context
    return prf(hash_name, master_secret, label, seed, length)
