"""Behind the handshake of TLS 1.3: tickets, new keys, and who the client is, asked late (RFC 9846 4.7)."""

from __future__ import annotations

from pellucid.crypto.suites import Suite
from pellucid.decode.flow import Flow, Kind, Watched, heard_any
from pellucid.decode.secrets13 import SIDES, given, install, tell_keys
from pellucid.decode.sessions import SeenSession
from pellucid.keys import next_traffic_secret
from pellucid.messages import (
    Certificate,
    CertificateRequest,
    CertificateVerify,
    Finished,
    KeyUpdate,
    NewSessionTicket,
)
from pellucid.trace.events import Side, other_side

__all__ = ["post_handshake"]

#: By who may send it. RFC 9846 4.7.2: a server may ask for a certificate now, which the client answers by a
#: flight as in the handshake.
_EXPECTED: dict[Side, tuple[Kind, ...]] = {
    "client": (KeyUpdate, Certificate, CertificateVerify, Finished),
    "server": (KeyUpdate, NewSessionTicket, CertificateRequest),
}


def post_handshake(w: Watched, suite: Suite) -> Flow[None]:
    """What either side may say while data flows, for as long as it does."""
    secrets = _Secrets(w, suite)
    for side in SIDES:
        if side in w.connected_sides:
            w.view(side).state(name="CONNECTED")
    while True:
        side, message = yield from heard_any(w, _EXPECTED, before=secrets.before)
        if isinstance(message, KeyUpdate):
            secrets.update(side)
        elif isinstance(message, NewSessionTicket):
            mutual = w.agreed.get("mutual", False)
            w.sessions.keep("PSK", message.ticket, SeenSession(b"", mutual))
        if w.is_connected:
            w.view(other_side(side)).state(name="CONNECTED")


class _Secrets:
    """The traffic secret of each side, and how many KeyUpdates led to it."""

    def __init__(self, w: Watched, suite: Suite) -> None:
        self._w = w
        self._suite = suite
        self._secrets = {side: given(w, f"{side}_application_traffic_secret_0") for side in SIDES}
        self._updates: dict[Side, int] = dict.fromkeys(SIDES, 0)

    def before(self, side: Side, message: object) -> None:
        """Who sends a KeyUpdate has made its next secret."""
        if isinstance(message, KeyUpdate):
            self._following(side, whose=side)

    def update(self, side: Side) -> None:
        """RFC 9846 4.7.3: what ``side`` sends next is under its next key."""
        following = self._following(other_side(side), whose=side)
        if following is None:
            return
        self._secrets[side] = following
        self._updates[side] += 1
        epoch = f"application {self._updates[side]}"
        tell_keys(self._w, side, epoch, self._suite, install(self._w, side, epoch, self._suite, following))

    def _following(self, side: Side, *, whose: Side) -> bytes | None:
        """The next secret of ``whose``, told to have been made by ``side``."""
        secret = self._secrets[whose]
        if secret is None:
            return None
        name = f"{whose}_application_traffic_secret_{self._updates[whose] + 1}"
        return next_traffic_secret(self._suite.hash_name, secret, trace=self._w.view(side), name=name)
