"""Conversations of other stacks, each recorded once, as tshark reads it and as `pellucid.decode` does."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import TypeVar

import pytest
from captures import packets

from dissected import Dissected, dissect
from other_stacks import KINDS, Recording, Stage, recorder
from ours import Pki
from pellucid.capture import Packet
from pellucid.decode import Decoded, Decoder, KeyMaterial
from pellucid.identity import TrustStore, load_rsa_private_key
from pellucid.trace import AlertEvent, DataEvent, Event, MessageEvent, RecordEvent, Trace
from recorded import Side

SIDES: tuple[Side, ...] = ("client", "server")

#: What tshark follows and we do not, and the reason that is told.
NOT_FOLLOWED = {
    "1.2 renegotiated": "not_followed",
    "1.2 camellia": "unknown_cipher_suite",
    "1.2 PSK": "unknown_cipher_suite",
    "1.1": "unsupported_version",
}

#: What went wrong, by kind. All others end well.
FAILURES = {
    "1.3 without a certificate": "client_certificate_missing",
    "1.3 certificate refused": "client_certificate_untrusted",
    "1.3 server refused": "server_certificate_refused",
    "1.3 no shared suite": "handshake_failure",
    "1.2 without a certificate": "client_certificate_missing",
    "1.2 certificate refused": "client_certificate_untrusted",
    "1.2 server refused": "server_certificate_refused",
    "1.2 no shared suite": "handshake_failure",
    "gnutls 1.3 server refused": "server_certificate_refused",
}


def each(kinds: list[str]) -> pytest.MarkDecorator:
    """Parametrizes with `kind`, and needs the programs of each."""
    return pytest.mark.parametrize("kind", [pytest.param(kind, marks=_peers(kind)) for kind in kinds])


def _peers(kind: str) -> list[pytest.MarkDecorator]:
    return [pytest.mark.peer(need.partition("|")[0], need) for need in ("tshark", *KINDS[kind].needs)]


each_kind = each(list(KINDS))
each_followed_kind = each([kind for kind in KINDS if kind not in NOT_FOLLOWED])


@dataclass
class Capture:
    """One recording."""

    recording: Recording
    trust: TrustStore
    by_browser: bool = False

    @cached_property
    def dissected(self) -> list[Dissected]:
        return dissect(
            self.recording.capture, *self.recording.tshark_options, connections=self.recording.connections
        )

    @cached_property
    def decoded(self) -> list[Decoded]:
        return self.decode(self.keys())

    @property
    def pairs(self) -> list[tuple[Dissected, Decoded]]:
        return self.paired(self.decoded)

    def paired(self, decoded: list[Decoded]) -> list[tuple[Dissected, Decoded]]:
        """The connections. A browser may open more than it needs, and gives up those when it likes."""
        pairs = zip(self.dissected, decoded, strict=True)
        return [pair for pair in pairs if pair[0].data or not self.by_browser]

    @property
    def packets(self) -> list[Packet]:
        return packets(self.recording.capture.read_bytes())

    def keys(self) -> KeyMaterial:
        """All that opens it."""
        keys = KeyMaterial()
        keys.add_key_log(self.recording.key_log.read_text())
        if self.recording.server_key:
            keys.add_private_key(load_rsa_private_key(self.recording.server_key.read_bytes()))
        return keys

    def decode(self, keys: KeyMaterial) -> list[Decoded]:
        file = BytesIO(self.recording.capture.read_bytes())
        return sorted(Decoder(file, keys=keys, trust=self.trust).connections(), key=lambda one: one.number)


class Captures:
    """By kind, each made when it is first asked for."""

    def __init__(self, pki: Pki, folder: Path) -> None:
        self._pki, self._folder = pki, folder
        self._made: dict[str, Capture] = {}

    def __getitem__(self, kind: str) -> Capture:
        if kind not in self._made:
            folder = Path(tempfile.mkdtemp(dir=self._folder))
            recording = recorder(kind)(Stage(self._pki, folder, KINDS[kind]))
            self._made[kind] = Capture(recording, self._pki.laboratory.trust, kind.startswith("Chromium"))
        return self._made[kind]


def told(decoded: Decoded) -> list[Event]:
    """The events of its trace."""
    assert isinstance(decoded.trace, Trace)
    return list(decoded.trace.events)


#: What has a direction.
Sent = TypeVar("Sent", MessageEvent, AlertEvent, DataEvent, RecordEvent)


def sent(decoded: Decoded, side: Side, kind: type[Sent]) -> list[Sent]:
    """All of one kind that a side sent."""
    return [
        event
        for event in told(decoded)
        if isinstance(event, kind) and (event.side, event.direction) == (side, "sent")
    ]


def messages(decoded: Decoded, side: Side) -> list[MessageEvent]:
    """The handshake messages that a side sent: tshark has no fields of a ChangeCipherSpec."""
    return [event for event in sent(decoded, side, MessageEvent) if event.name != "ChangeCipherSpec"]
