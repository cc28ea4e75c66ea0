"""The key schedule of TLS 1.3 (RFC 9846 7): from a PSK and a shared secret to every key of a connection.

Its functions have the RFC's names, and take and give bytes. `KeySchedule` walks the RFC's diagram; what
needs no place in it (traffic keys, Finished, KeyUpdate, exporters, tickets) stands beside it as a function.

Written to be quick: a handshake derives about twenty values. The HkdfLabels are built once, when this is
imported; a secret from which several values come keys an HMAC once, which is then copied; what is the same
for every connection without a PSK is computed once for each hash; and nothing is derived before it is asked
for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pellucid.crypto.kdf import HASH_LENGTHS, hash_digest, hkdf_extract, hmac_digest, keyed_hmac
from pellucid.errors import Misuse, Reason
from pellucid.keys.labels import (
    CONSTANTS,
    FIRST_BLOCK,
    LEAVES,
    Leaf,
    derive_secret,
    hkdf_expand_label,
    hkdf_label,
)

if TYPE_CHECKING:
    from pellucid.crypto.kdf import KeyedHmac
    from pellucid.crypto.suites import Suite
    from pellucid.trace.recorder import TraceView

__all__ = [
    "KeySchedule",
    "TrafficKeys",
    "derive_secret",
    "export_keying_material",
    "finished_verify_data",
    "hkdf_expand_label",
    "next_traffic_secret",
    "resumption_psk",
    "traffic_keys",
]

_KEY_INFO = {length: hkdf_label(length, b"key", b"") + FIRST_BLOCK for length in (16, 32)}
_IV_INFO = hkdf_label(12, b"iv", b"") + FIRST_BLOCK


class KeySchedule:
    """One connection's way down the diagram of RFC 9846 7.1. Time runs downwards.

                    0
                    |
        PSK -> HKDF-Extract                                       early()
        (or 0)      = Early Secret
                    |---> Derive-Secret("ext binder" or "res binder", "")
                    |         = binder_key
                    |---> Derive-Secret("c e traffic", ClientHello)
                    |         = client_early_traffic_secret
                    |---> Derive-Secret("e exp master", ClientHello)
                    |         = early_exporter_secret
               Derive-Secret("derived", "")
                    |
        shared -> HKDF-Extract                                    handshake()
        secret      = Handshake Secret
                    |---> Derive-Secret("c hs traffic", ClientHello...ServerHello)
                    |         = client_handshake_traffic_secret
                    |---> Derive-Secret("s hs traffic", ClientHello...ServerHello)
                    |         = server_handshake_traffic_secret
               Derive-Secret("derived", "")
                    |
          0 -> HKDF-Extract                                       main()
                    = Main Secret
                    |---> Derive-Secret("c ap traffic", ClientHello...server Finished)
                    |         = client_application_traffic_secret_0
                    |---> Derive-Secret("s ap traffic", ClientHello...server Finished)
                    |         = server_application_traffic_secret_0
                    |---> Derive-Secret("exp master", ClientHello...server Finished)
                    |         = exporter_secret
                    '---> Derive-Secret("res master", ClientHello...client Finished)
                              = resumption_secret

    HKDF-Extract takes its salt from above and new entropy from the left. What leaves to the right depends
    on the messages as well, and keys come only from there. Call `early`, `handshake` and `main` in this
    order; each forgets the secret above it, as the RFC asks. The other methods give what leaves to the
    right, each in its stage. A client that offered a PSK starts over with `early(None)` if the server
    declines it. Calls out of order raise Misuse(INTERNAL_ERROR).
    """

    __slots__ = ("_constants", "_keyed", "_psk_in_use", "_secret", "_stage", "_trace", "suite")

    def __init__(self, suite: Suite, trace: TraceView | None = None) -> None:
        self.suite = suite
        self._trace = trace
        self._constants = CONSTANTS[suite.hash_name]
        self._stage = ""
        self._secret = b""
        self._keyed: KeyedHmac | None = None
        self._psk_in_use = False

    def __repr__(self) -> str:
        return f"<KeySchedule of {self.suite.name}, stage {self._stage or 'none'}>"

    def early(self, psk: bytes | None = None) -> None:
        """Enters the stage of the Early Secret. `psk` None: there is no PSK, and zeros stand for it."""
        zeros = self._constants.zeros
        self._psk_in_use = psk is not None
        if psk is None:
            secret = self._constants.early_secret_without_psk
        else:
            secret = hkdf_extract(self.suite.hash_name, zeros, psk)
        self._enter("early", secret)
        if self._trace:
            # RFC 9846 7.1: without a PSK it is "HKDF-Extract(0, 0)"
            name, ikm = ("0", zeros) if psk is None else ("PSK", psk)
            self._trace_extracted(f"HKDF-Extract(0, {name})", ("Salt", zeros), (name, ikm))

    def binder_key(self, *, external: bool) -> bytes:
        """The base key of a PSK's binder. `external`: the PSK was agreed on otherwise than by a ticket."""
        name = "external_binder_key" if external else "resumption_binder_key"
        return self._leaf(name, self._constants.empty_hash)

    def client_early_traffic_secret(self, transcript_hash: bytes) -> bytes:
        """For the keys of 0-RTT data. `transcript_hash`: of the ClientHello."""
        return self._leaf("client_early_traffic_secret", transcript_hash)

    def early_exporter_secret(self, transcript_hash: bytes) -> bytes:
        """For exporters in 0-RTT. `transcript_hash`: of the ClientHello."""
        return self._leaf("early_exporter_secret", transcript_hash)

    def handshake(self, shared_secret: bytes | None) -> None:
        """Enters the stage of the Handshake Secret. `shared_secret` None: no key exchange, a PSK alone."""
        ikm = self._constants.zeros if shared_secret is None else shared_secret
        if self._psk_in_use:
            salt = self._expand("early", self._constants.derived_info)
            secret = hkdf_extract(self.suite.hash_name, salt, ikm)
        else:
            self._require("early")
            salt = self._constants.salt_without_psk
            extract = self._constants.extract_without_psk.copy()
            extract.update(ikm)
            secret = extract.finalize()
        self._next_stage("handshake", secret, salt, "shared_secret", ikm)

    def handshake_traffic_secrets(self, transcript_hash: bytes) -> tuple[bytes, bytes]:
        """(client's, server's), for the rest of the handshake. `transcript_hash`: up to the ServerHello."""
        return (
            self._leaf("client_handshake_traffic_secret", transcript_hash),
            self._leaf("server_handshake_traffic_secret", transcript_hash),
        )

    def main(self) -> None:
        """Enters the stage of the Main Secret, which older texts call the master secret."""
        salt = self._expand("handshake", self._constants.derived_info)
        zeros = self._constants.zeros
        self._next_stage("main", hkdf_extract(self.suite.hash_name, salt, zeros), salt, "0", zeros)

    def application_traffic_secrets(self, transcript_hash: bytes) -> tuple[bytes, bytes]:
        """(client's, server's), generation 0. `transcript_hash`: up to the server's Finished."""
        return (
            self._leaf("client_application_traffic_secret_0", transcript_hash),
            self._leaf("server_application_traffic_secret_0", transcript_hash),
        )

    def exporter_secret(self, transcript_hash: bytes) -> bytes:
        """For `export_keying_material`. `transcript_hash`: up to the server's Finished."""
        return self._leaf("exporter_secret", transcript_hash)

    def resumption_secret(self, transcript_hash: bytes) -> bytes:
        """For `resumption_psk`. `transcript_hash`: up to the client's Finished."""
        return self._leaf("resumption_secret", transcript_hash)

    def _enter(self, stage: str, secret: bytes) -> None:
        # RFC 9846 7.1: "Once all the values which are to be derived from a given secret have been computed,
        # that secret SHOULD be erased." Python cannot overwrite bytes; the last reference to them goes
        # here.
        self._stage = stage
        self._secret = secret
        self._keyed = None

    def _require(self, stage: str) -> None:
        if self._stage != stage:
            raise Misuse(
                Reason.INTERNAL_ERROR,
                f"the key schedule is at {self._stage or 'its start'}, and {stage} is needed",
            )

    def _expand(self, stage: str, info: bytes) -> bytes:
        """HKDF-Expand of this stage's secret to Hash.length bytes, by a copy of an HMAC that has its key."""
        if self._stage != stage:
            self._require(stage)
        keyed = self._keyed
        if keyed is None:
            keyed = self._keyed = keyed_hmac(self.suite.hash_name, self._secret)
        mac = keyed.copy()
        mac.update(info)
        return mac.finalize()

    def _leaf(self, name: str, transcript_hash: bytes) -> bytes:
        leaf = LEAVES[name]
        secret = self._expand(leaf.stage, self._constants.leaf_prefixes[name] + transcript_hash + FIRST_BLOCK)
        if self._trace:
            self._trace_derived(leaf, transcript_hash, secret)
        return secret

    def _next_stage(self, stage: str, secret: bytes, salt: bytes, ikm_name: str, ikm: bytes) -> None:
        above = self._stage
        if self._trace:
            use = f"the salt of the {stage}_secret"
            derived = Leaf(f"derived_{above}_secret", above, "derived", '""', use)
            self._trace_derived(derived, self._constants.empty_hash, salt)
        self._enter(stage, secret)
        if self._trace:
            formula = f'HKDF-Extract(Derive-Secret({above}_secret, "derived", ""), {ikm_name})'
            self._trace_extracted(formula, ("Salt", salt), (ikm_name, ikm))

    def _trace_extracted(self, formula: str, *inputs: tuple[str, bytes]) -> None:
        assert self._trace
        self._trace.secret(
            name=f"{self._stage}_secret",
            formula=formula,
            inputs=inputs,
            value=self._secret,
            used_for="the secrets below it and to its right",
        )

    def _trace_derived(self, leaf: Leaf, transcript_hash: bytes, value: bytes) -> None:
        assert self._trace
        self._trace.secret(
            name=leaf.name,
            formula=f'Derive-Secret({leaf.stage}_secret, "{leaf.label}", {leaf.messages})',
            inputs=(("Secret", self._secret), ("Label", leaf.label), ("transcript_hash", transcript_hash)),
            value=value,
            used_for=leaf.used_for,
        )


class TrafficKeys:
    """What protects the records of one direction in one epoch: the AEAD's key, and the IV of RFC 9846 5.3."""

    __slots__ = ("iv", "key")

    def __init__(self, key: bytes, iv: bytes) -> None:
        self.key = key
        self.iv = iv

    def __repr__(self) -> str:
        return f"<TrafficKeys, key of {len(self.key)} bytes, iv of {len(self.iv)}>"


def traffic_keys(suite: Suite, secret: bytes) -> TrafficKeys:
    """RFC 9846 7.3: [sender]_write_key and [sender]_write_iv from a traffic secret."""
    keyed = keyed_hmac(suite.hash_name, secret)
    key = keyed.copy()
    key.update(_KEY_INFO[suite.key_length])
    keyed.update(_IV_INFO)
    return TrafficKeys(key.finalize()[: suite.key_length], keyed.finalize()[:12])


def finished_verify_data(
    hash_name: str,
    base_key: bytes,
    transcript_hash: bytes,
    *,
    trace: TraceView | None = None,
    name: str = "finished_key",
) -> bytes:
    """RFC 9846 4.5.3: verify_data of a Finished, from the sender's handshake traffic secret.

    A PSK's binder is the same computation with the binder_key (RFC 9846 4.3.11.2). `name` is what the trace
    calls the key in between, such as "server_finished_key".
    """
    finished_key = hmac_digest(hash_name, base_key, CONSTANTS[hash_name].finished_info)
    if trace:
        trace.secret(
            name=name,
            formula='HKDF-Expand-Label(BaseKey, "finished", "", Hash.length)',
            inputs=(("BaseKey", base_key), ("Label", "finished")),
            value=finished_key,
            used_for="HMAC over the transcript: verify_data",
        )
    return hmac_digest(hash_name, finished_key, transcript_hash)


def next_traffic_secret(
    hash_name: str,
    secret: bytes,
    *,
    trace: TraceView | None = None,
    name: str = "application_traffic_secret_N+1",
) -> bytes:
    """RFC 9846 7.2: application_traffic_secret_N+1 from application_traffic_secret_N, for a KeyUpdate."""
    following = hmac_digest(hash_name, secret, CONSTANTS[hash_name].traffic_update_info)
    if trace:
        trace.secret(
            name=name,
            formula='HKDF-Expand-Label(application_traffic_secret_N, "traffic upd", "", Hash.length)',
            inputs=(("Secret", secret), ("Label", "traffic upd")),
            value=following,
            used_for="the next keys of this direction",
        )
    return following


def resumption_psk(
    hash_name: str, resumption_secret: bytes, ticket_nonce: bytes, *, trace: TraceView | None = None
) -> bytes:
    """RFC 9846 4.7.1: the PSK of a ticket. `ticket_nonce`: its NewSessionTicket's, up to 255 bytes."""
    psk = hkdf_expand_label(
        hash_name, resumption_secret, b"resumption", ticket_nonce, HASH_LENGTHS[hash_name]
    )
    if trace:
        trace.secret(
            name="resumption_psk",
            formula='HKDF-Expand-Label(resumption_secret, "resumption", ticket_nonce, Hash.length)',
            inputs=(("Secret", resumption_secret), ("Label", "resumption"), ("ticket_nonce", ticket_nonce)),
            value=psk,
            used_for="resuming this session",
        )
    return psk


def export_keying_material(
    hash_name: str, exporter_secret: bytes, label: bytes, context: bytes | None, length: int
) -> bytes:
    """RFC 9846 7.5: TLS-Exporter(label, context_value, key_length), `length` in bytes.

    No context and an empty one give the same, unlike in TLS 1.2. Raises Misuse(BAD_CONFIGURATION) for a
    label that is empty or longer than 249 bytes, and for a length that is not in 1 to 255 times
    Hash.length.
    """
    if not 1 <= len(label) <= 249:
        raise Misuse(Reason.BAD_CONFIGURATION, f"an exporter's label has 1 to 249 bytes, not {len(label)}")
    longest = 255 * HASH_LENGTHS[hash_name]
    if not 1 <= length <= longest:
        raise Misuse(Reason.BAD_CONFIGURATION, f"an exporter gives 1 to {longest} bytes here, not {length}")
    empty_hash = CONSTANTS[hash_name].empty_hash
    secret = derive_secret(hash_name, exporter_secret, label, empty_hash)
    context_hash = hash_digest(hash_name, context or b"")
    return hkdf_expand_label(hash_name, secret, b"exporter", context_hash, length)
