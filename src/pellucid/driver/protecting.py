"""Keys into use: from what a flow installs to what the record layer seals and opens with."""

from __future__ import annotations

from pellucid.codes import KeyUpdateRequest
from pellucid.crypto.suites import Suite
from pellucid.handshake.effects import InstallCipher, InstallKeys
from pellucid.handshake.flow import AnyHandshake
from pellucid.handshake.post import next_write_keys
from pellucid.keys import traffic_keys
from pellucid.record import Opener, RecordOpener, RecordSealer, Sealer, opener12, sealer12

#: Of the keys of TLS 1.2, of which there is one set.
SESSION_EPOCH = "session"


def opener(hs: AnyHandshake, effect: InstallKeys) -> Opener:
    """TLS 1.3: for the records behind this one."""
    keys = traffic_keys(effect.suite, effect.secret)
    if hs.trace:
        hs.trace.keys(
            direction="read", epoch=effect.epoch, cipher_suite=effect.suite.name, key=keys.key, iv=keys.iv
        )
    return Opener(effect.suite, keys)


def cipher_opener(hs: AnyHandshake, effect: InstallCipher) -> RecordOpener:
    """TLS 1.2: for the records behind the peer's ChangeCipherSpec."""
    _trace_cipher(hs, effect)
    return opener12(effect.suite, effect.keys, encrypt_then_mac=effect.encrypt_then_mac)


def cipher_sealer(hs: AnyHandshake, effect: InstallCipher) -> RecordSealer:
    """TLS 1.2: for what is queued behind our ChangeCipherSpec."""
    _trace_cipher(hs, effect)
    return sealer12(effect.suite, effect.keys, encrypt_then_mac=effect.encrypt_then_mac, entropy=hs.entropy)


def _trace_cipher(hs: AnyHandshake, effect: InstallCipher) -> None:
    if hs.trace:
        keys = effect.keys
        hs.trace.keys(
            direction=effect.direction,
            epoch=SESSION_EPOCH,
            cipher_suite=effect.suite.name,
            key=keys.key,
            iv=keys.iv,
            mac_key=keys.mac_key,
        )


class WriteKeys:
    """The keys that we send under: which epoch they are of, and what comes after them.

    Apart from the driver, whose writer holds on to it: in one object they would be a cycle, and every
    connection would have to wait for the garbage collector.
    """

    __slots__ = ("_hs", "_trace", "answers", "epoch", "request")

    def __init__(self, hs: AnyHandshake) -> None:
        self._hs = hs
        self._trace = hs.trace
        self.epoch = "plaintext"
        #: What our next KeyUpdate asks of the peer.
        self.request = KeyUpdateRequest.update_not_requested
        #: Whether it answers a request of the peer's.
        self.answers = False

    def sealer(self, suite: Suite, secret: bytes, epoch: str) -> Sealer:
        """The protection for what is queued from here on."""
        self.epoch = epoch
        keys = traffic_keys(suite, secret)
        if self._trace:
            self._trace.keys(
                direction="write", epoch=epoch, cipher_suite=suite.name, key=keys.key, iv=keys.iv
            )
        sealer = Sealer(suite, keys)
        if self._hs.config.key_update_after is not None:
            sealer.limit = min(sealer.limit, self._hs.config.key_update_after)
        return sealer

    def make_key_update(self) -> tuple[bytes, Sealer]:
        """What the writer asks for when its turn has come, or when a key is near its limit."""
        message, next_epoch = next_write_keys(self._hs, self.request)
        self.request, self.answers = KeyUpdateRequest.update_not_requested, False
        if self._trace:
            self._trace.message(
                direction="sent", name="KeyUpdate", raw=message.raw, encrypted=True, epoch=self.epoch
            )
        return message.raw, self.sealer(self._hs.suite, self._hs.write_secret, next_epoch)
