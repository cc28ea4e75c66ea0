"""What captured connections are opened with: lines of key logs, and private keys of servers.

keys = KeyMaterial()
keys.add_key_log(text)              # RFC 9850; a file's, or a Decryption Secrets Block's
keys.add_private_key(key)           # opens RSA key exchange (TLS 1.2), and nothing else
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from pellucid.keys import KEY_LOG_LABELS

__all__ = ["KeyMaterial"]

#: How many secrets are kept. Each takes up to 250 bytes here, where all are of different connections: 128 MiB
#: for a key log of 90 MB.
MAX_SECRETS: Final = 2**19

#: RFC 9850 2: the client's random, in hex.
_RANDOM_LENGTH = 32
# RFC 5246 8.1, RFC 9846 7.1: a master secret has 48 bytes; others are as long as the hash, SHA-256 or -384.
_LENGTHS = dict.fromkeys(KEY_LOG_LABELS.values(), (32, 48)) | {"CLIENT_RANDOM": (48,)}
# NSS's own, from before there was CLIENT_RANDOM: RSA key exchange, found by how the message begins.
_PREMASTER_LABEL, _PREMASTER_START, _PREMASTER_LENGTH = "RSA", 8, 48

_LINE = re.compile(r"[^\r\n]+")


class KeyMaterial:
    """Secrets of connections, by the random in their ClientHello, and RSA keys of servers.

    Lines that cannot be understood, or came when there was no room, are counted in ``ignored``. Where two
    lines say different things of the same, the later counts.
    """

    __slots__ = ("_connections", "_premasters", "_private_keys", "_secrets", "ignored")

    def __init__(self) -> None:
        # By client random: each secret behind its label's number and its length. As a dict for each
        # connection, they would take twice the memory.
        self._connections: dict[bytes, bytes] = {}
        self._premasters: dict[bytes, bytes] = {}
        self._private_keys: list[Any] = []
        self._secrets = 0
        self.ignored = 0

    def __repr__(self) -> str:
        return f"<KeyMaterial for {self.connections} connections, {len(self._private_keys)} private keys>"

    @property
    def connections(self) -> int:
        """For how many connections there are secrets; those found by a private key do not count."""
        return len(self._connections) + len(self._premasters)

    @property
    def private_keys(self) -> int:
        """How many private keys there are."""
        return len(self._private_keys)

    def add_key_log(self, text: str | bytes) -> int:
        """Take the lines of a key log: ``LABEL <client random> <secret>``, the latter two in hex.

        Gives how many lines were taken.
        """
        if isinstance(text, bytes):
            text = text.decode("ascii", "replace")
        taken = 0
        # One line after the other: as a list, millions of empty ones would take ten times the text's memory.
        for found in _LINE.finditer(text):
            line = found[0]
            # RFC 9850 2: lines that begin with "#", and empty ones, say nothing.
            if line.strip() and not line.startswith("#"):
                if self._take(line.split(maxsplit=3)):
                    taken += 1
                else:
                    self.ignored += 1
        return taken

    def add_private_key(self, key: Any) -> None:
        """Take a server's private key, as ``identity.load_rsa_private_key`` gives it."""
        self._private_keys.append(key)

    def secret(self, label: str, client_random: bytes) -> bytes | None:
        """The secret of this connection that a key log calls ``label``."""
        return self.secrets_of(client_random).get(label)

    def has(self, client_random: bytes) -> bool:
        """Whether a key log has any secret of this connection."""
        return client_random in self._connections

    def secrets_of(self, client_random: bytes) -> Mapping[str, bytes]:
        """All secrets of this connection, by their labels; empty where the key logs have none."""
        return dict(_unpack(self._connections.get(client_random, b"")))

    def premaster_secret(self, encrypted: bytes) -> bytes | None:
        """What this encrypted premaster secret holds, where a line of NSS's says so."""
        return self._premasters.get(encrypted[:_PREMASTER_START])

    def private_key_for(self, public_key: Any) -> Any | None:
        """The private key that belongs to the public key of a certificate."""
        return next((key for key in self._private_keys if key.public_key() == public_key), None)

    def _take(self, words: list[str]) -> bool:
        """Whether the line was one of a key log, and there was room for what it says."""
        if len(words) != 3 or self._secrets >= MAX_SECRETS:
            return False
        label = words[0]
        try:
            name, secret = bytes.fromhex(words[1]), bytes.fromhex(words[2])
        except ValueError:
            return False
        if label == _PREMASTER_LABEL:
            if len(name) != _PREMASTER_START or len(secret) != _PREMASTER_LENGTH:
                return False
            self._secrets += name not in self._premasters
            self._premasters[name] = secret
            return True
        if len(name) != _RANDOM_LENGTH or len(secret) not in _LENGTHS.get(label, ()):
            return False
        known = self.secrets_of(name)
        self._secrets += label not in known
        self._connections[name] = b"".join(
            bytes((_LABELS.index(each), len(value))) + value
            for each, value in {**known, label: secret}.items()
        )
        return True


def _unpack(packed: bytes) -> Iterator[tuple[str, bytes]]:
    place = 0
    while place < len(packed):
        end = place + 2 + packed[place + 1]
        yield _LABELS[packed[place]], packed[place + 2 : end]
        place = end


_LABELS = list(_LENGTHS)
