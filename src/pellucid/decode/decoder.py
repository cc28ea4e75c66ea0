"""From a capture to its TLS connections, each with the story of both sides."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import BinaryIO

from pellucid.capture import (
    Bytes,
    CaptureReader,
    Closed,
    Connection,
    HalfClosed,
    How,
    Missing,
    Opened,
    Secrets,
    StreamEvent,
)
from pellucid.decode.ahead import secrets_ahead
from pellucid.decode.following import Decoded, Following
from pellucid.decode.key_material import KeyMaterial
from pellucid.decode.sessions import Sessions
from pellucid.decode.telling import MAX_KEPT_BYTES, Budget
from pellucid.identity import TrustStore

__all__ = ["MAX_FOLLOWED", "Decoder"]

#: Connections followed at once. Each takes some 100 KiB until it ends. Where there are more, the one that has
#: been idle for longest is told as far as it went: its handshake was over long before.
MAX_FOLLOWED = 1000


class Decoder:
    """Reads a capture once and tells its connections.

        keys = KeyMaterial()
        keys.add_key_log(text)
        for decoded in Decoder(file, keys=keys).connections():
            ...

    ``source``: a binary file, pcap or pcapng; read from where it is, and where it can be sought, looked
    through for secrets before. ``keys`` takes those in as well. ``trust``: None where certificates are not to
    be judged by roots. ``wanted``: asked for each connection's number when it begins. False: only what a list
    needs is found out of it; None: not even that, and it is not given. ``packets``, ``segments`` and
    ``skipped``: as of `CaptureReader`.
    """

    def __init__(
        self,
        source: BinaryIO,
        *,
        keys: KeyMaterial | None = None,
        trust: TrustStore | None = None,
        wanted: Callable[[int], bool | None] = lambda _number: True,
        reveal_secrets: bool = False,
    ) -> None:
        self.keys = KeyMaterial() if keys is None else keys
        self._source = source
        self._reader = CaptureReader(source)
        self._trust = trust
        self._wanted = wanted
        self._reveal_secrets = reveal_secrets
        self._sessions = Sessions()
        self._budget = Budget(MAX_KEPT_BYTES)
        self._followed: OrderedDict[Connection, Following] = OrderedDict()

    @property
    def packets(self) -> int:
        return self._reader.packets

    @property
    def segments(self) -> int:
        return self._reader.segments

    @property
    def skipped(self) -> dict[str, int]:
        return self._reader.skipped

    def connections(self) -> Iterator[Decoded]:
        """Each connection when it has ended.

        Raises ``CaptureError`` for a file that is no capture or not a whole one, behind all that can be told.
        """
        ahead = self._source.seekable()
        if ahead:
            for text in secrets_ahead(self._source):
                self.keys.add_key_log(text)
        for event in self._reader.events():
            if isinstance(event, Secrets):
                if not ahead:
                    self.keys.add_key_log(event.text)
            else:
                yield from self._take(event)

    def _take(self, event: StreamEvent) -> Iterator[Decoded]:
        connection = event.connection
        if isinstance(event, Opened):
            wanted = self._wanted(connection.number)
            # What one connection agrees on by a private key, another one may resume.
            if wanted is None and not self.keys.private_keys:
                connection.wanted = False
                return
            if len(self._followed) >= MAX_FOLLOWED:
                yield from self._crowd_out()
            self._followed[connection] = self._follow(event, wanted=wanted)
            return
        following = self._followed.get(connection)
        if following is None:
            return
        self._followed.move_to_end(connection)
        match event:
            case Bytes():
                following.feed(event.direction, event.data, event.time_ns)
            case Missing():
                following.miss(event.direction, event.length, event.time_ns)
            case HalfClosed():
                following.end(event.direction, event.time_ns)
            case Closed():
                del self._followed[connection]
                decoded = following.finish(event.how, event.side, event.time_ns, event.lost)
                if decoded is not None:
                    yield decoded

    def _follow(self, event: Opened, *, wanted: bool | None) -> Following:
        return Following(
            event.connection,
            event.time_ns,
            keys=self.keys,
            sessions=self._sessions,
            trust=self._trust,
            budget=self._budget,
            wanted=wanted,
            reveal_secrets=self._reveal_secrets,
        )

    def _crowd_out(self) -> Iterator[Decoded]:
        connection, following = self._followed.popitem(last=False)
        connection.wanted = False  # nothing more of it is asked for
        decoded = following.finish(How.CROWDED_OUT, None, following.now_ns)
        if decoded is not None:
            yield decoded
