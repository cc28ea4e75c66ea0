"""What the network knows of a connection: asked for when it has failed, and nothing is spent on it before."""

from __future__ import annotations

import socket
import struct
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pellucid.diagnosis import Circumstances

__all__ = ["Meter"]

# Linux' struct tcp_info (linux/tcp.h): eight bytes, and then numbers of four. Other systems have others.
_TCP_INFO_BYTES = 104
_SEND_MSS_AT, _ROUND_TRIP_US_AT = 16, 68


class Meter:
    """Counts what comes, and says what else there is to say.

    ``sock`` may be asyncio's stand-in for one, or None; ``address`` is the peer's, where it is known already.
    """

    __slots__ = ("_address", "_sock", "_started_at", "received_bytes")

    def __init__(self, sock: Any, address: Any = None) -> None:
        self._sock = sock
        self._address = address
        self._started_at: float | None = None
        self.received_bytes = 0

    def start(self) -> None:
        """The handshake begins."""
        self._started_at = time.monotonic()

    def __call__(self) -> Circumstances:
        from pellucid.diagnosis import Circumstances  # noqa: PLC0415 - for who has failed

        segment_bytes, round_trip_seconds = _tcp_info(self._sock) if self._sock else (None, None)
        return Circumstances(
            received_bytes=self.received_bytes,
            seconds=None if self._started_at is None else time.monotonic() - self._started_at,
            round_trip_seconds=round_trip_seconds,
            segment_bytes=segment_bytes,
            address=_place(self._address or self._peer()),
        )

    def _peer(self) -> Any:
        try:
            return self._sock.getpeername() if self._sock else None
        except OSError:  # it is gone
            return None


def _tcp_info(sock: Any) -> tuple[int | None, float | None]:
    """The bytes of one packet, and the seconds that one takes there and back."""
    if sys.platform != "linux":
        return None, None
    try:
        info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_BYTES)
    except OSError:  # no TCP, or closed
        return None, None
    if len(info) < _ROUND_TRIP_US_AT + 4:
        return None, None
    (segment,) = struct.unpack_from("=I", info, _SEND_MSS_AT)
    (microseconds,) = struct.unpack_from("=I", info, _ROUND_TRIP_US_AT)
    return segment or None, microseconds / 1e6 or None


def _place(address: Any) -> tuple[str, int | str] | None:
    """Host and port of an internet address; others have no port."""
    return (address[0], address[1]) if isinstance(address, tuple) and len(address) > 1 else None
