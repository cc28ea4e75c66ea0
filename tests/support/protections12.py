"""Every way in which TLS 1.2 protects records: each cipher and MAC once, CBC in both orders."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

from pellucid.crypto.suites12 import SUITES12, Suite12
from pellucid.keys import CipherKeys
from pellucid.record import RecordOpener, RecordSealer, opener12, sealer12


def counting() -> Callable[[int], bytes]:
    """Entropy that is never the same twice and always the same again."""
    numbers = itertools.count(1)
    return lambda length: next(numbers).to_bytes(length, "big")


@dataclass(frozen=True)
class Protection:
    """A suite, the order of CBC and MAC where it has one, and keys."""

    suite: Suite12
    encrypt_then_mac: bool = False

    @property
    def keys(self) -> CipherKeys:
        suite = self.suite
        return CipherKeys(
            bytes(range(0x40, 0x40 + suite.mac_length)),
            bytes(range(suite.key_length)),
            bytes(range(0x80, 0x80 + suite.fixed_iv_length)),
        )

    def sealer(self, entropy: Callable[[int], bytes] | None = None) -> RecordSealer:
        return sealer12(
            self.suite, self.keys, encrypt_then_mac=self.encrypt_then_mac, entropy=entropy or counting()
        )

    def opener(self) -> RecordOpener:
        return opener12(self.suite, self.keys, encrypt_then_mac=self.encrypt_then_mac)

    def __str__(self) -> str:
        suite = self.suite
        order = "" if suite.aead else "-EtM" if self.encrypt_then_mac else "-MtE"
        return f"{suite.cipher}{'-' * bool(suite.mac_name)}{suite.mac_name}{order}"


_KINDS = {(suite.cipher, suite.mac_name): suite for suite in SUITES12.values()}
AEADS = [Protection(suite) for suite in _KINDS.values() if suite.aead]
CBC = [Protection(suite, order) for suite in _KINDS.values() if not suite.aead for order in (False, True)]
MAC_THEN_ENCRYPT = [protection for protection in CBC if not protection.encrypt_then_mac]
ENCRYPT_THEN_MAC = [protection for protection in CBC if protection.encrypt_then_mac]
PROTECTIONS = [*AEADS, *CBC]
