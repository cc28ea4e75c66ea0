"""TLSTransport: the face of a TLS connection towards an asyncio application."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from pellucid.io.aio_protocol import TLSProtocol


class TLSTransport(asyncio.Transport):
    """An asyncio transport that carries plaintext; ``get_extra_info`` adds "negotiated" and "connection".

    What is written after ``close`` is dropped, as other asyncio transports do; ``drain`` tells.
    """

    def __init__(self, protocol: TLSProtocol) -> None:
        super().__init__()
        self._tls = protocol
        #: What has to live as long as the connection does.
        self.kept: object = None

    def __repr__(self) -> str:
        return f"<TLSTransport {self._tls.state.name.lower()} peername={self.get_extra_info('peername')}>"

    def get_extra_info(self, name: str, default: Any = None) -> Any:  # asyncio's shape
        if name in {"connection", "negotiated"} and hasattr(self._tls, "pump"):
            engine = self._tls.pump.engine
            return engine if name == "connection" else engine.negotiated
        return self._tls.raw.get_extra_info(name, default) if hasattr(self._tls, "raw") else default

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._tls.app = cast("asyncio.Protocol", protocol)

    def get_protocol(self) -> asyncio.BaseProtocol:
        assert self._tls.app is not None, "the application sees a transport once it has a protocol"
        return self._tls.app

    def is_closing(self) -> bool:
        return self._tls.closing

    def close(self) -> None:
        """Send what was written and a close_notify, then close. Does not wait for the peer's close_notify."""
        self._tls.close()

    def abort(self) -> None:
        """Close at once, without close_notify: the peer will see a truncation."""
        self._tls.abort()

    # -- receiving

    def is_reading(self) -> bool:
        return not self._tls.reading_paused and not self._tls.closing

    def pause_reading(self) -> None:
        if self.is_reading():
            self._tls.reading_paused = True
            self._tls.raw.pause_reading()

    def resume_reading(self) -> None:
        if self._tls.reading_paused and not self._tls.closing:
            self._tls.reading_paused = False
            # Later, as asyncio does it: the caller may be in the middle of its buffer.
            self._tls.endpoint.loop.call_soon(self._read_on)

    def _read_on(self) -> None:
        self._tls.deliver()
        if self.is_reading():
            self._tls.raw.resume_reading()

    # -- sending

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.writelines((data,))

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        """Write all, in records that are as full as they can be."""
        tls = self._tls
        if tls.closing:
            return
        pump = tls.pump
        if pump.closing:
            raise RuntimeError("Cannot call write() after write_eof()")
        mutable = False
        for data in list_of_data:
            if isinstance(data, bytes):
                pump.write(data)
            elif isinstance(data, (bytearray, memoryview)):
                mutable = True
                pump.write(memoryview(data).cast("B"))
            else:
                raise TypeError(f"data is bytes, bytearray or memoryview, not {type(data).__name__}")
        tls.flush()
        if mutable:
            pump.own_backlog()

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        """Send close_notify after what was written. Reading goes on (RFC 9846 6.1)."""
        if not self._tls.closing:
            self._tls.pump.close()
            self._tls.flush()

    def get_write_buffer_size(self) -> int:
        """Bytes that have not been given to the system, sealed or not."""
        return self._tls.pump.unsent_bytes + self._tls.raw.get_write_buffer_size()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._tls.raw.set_write_buffer_limits(high, low)

    def get_write_buffer_limits(self) -> tuple[int, int]:
        return self._tls.raw.get_write_buffer_limits()
