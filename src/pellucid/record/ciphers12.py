"""From a suite of TLS 1.2 to what protects its records."""

from __future__ import annotations

from collections.abc import Callable

from pellucid.crypto.suites12 import Suite12
from pellucid.keys.key_schedule12 import CipherKeys
from pellucid.record.cbc import (
    EncryptThenMacOpener,
    EncryptThenMacSealer,
    MacThenEncryptOpener,
    MacThenEncryptSealer,
)
from pellucid.record.protection import RecordOpener, RecordSealer
from pellucid.record.protection12 import AeadOpener12, AeadSealer12


def sealer12(
    suite: Suite12, keys: CipherKeys, *, encrypt_then_mac: bool, entropy: Callable[[int], bytes]
) -> RecordSealer:
    """What makes the records of `suite`.

    `encrypt_then_mac`: whether both sides have agreed on it (RFC 7366); an AEAD has no use for it.
    `entropy(16)` gives the IV of each CBC record.
    """
    if suite.aead:
        return AeadSealer12(suite, keys)
    if encrypt_then_mac:
        return EncryptThenMacSealer(suite, keys, entropy)
    return MacThenEncryptSealer(suite, keys, entropy)


def opener12(suite: Suite12, keys: CipherKeys, *, encrypt_then_mac: bool) -> RecordOpener:
    """What opens the records of `suite`; `encrypt_then_mac` as for `sealer12`."""
    if suite.aead:
        return AeadOpener12(suite, keys)
    return EncryptThenMacOpener(suite, keys) if encrypt_then_mac else MacThenEncryptOpener(suite, keys)
