"""What every handshake message has: a type, a body, and the bytes that it came from."""

from typing import ClassVar, Self

from pellucid.codes import HandshakeType
from pellucid.errors import BadMessage
from pellucid.wire import Wire

#: RFC 9846 4, RFC 5246 7.4: one byte of msg_type and a uint24 of length stand before each body.
HEADER_LENGTH = 4


class HandshakeMessage(Wire):
    """A message of RFC 9846 section 4 or RFC 5246 7.4; subclasses are ``@struct`` classes.

    ``raw`` is the whole message, header included, exactly as received or sent. The transcript
    hashes it, so that what is hashed is what was on the wire, never an encoding made again.
    ``name`` is what the RFC calls the message: the class's name, unless one message is several classes.
    """

    __slots__ = ("raw",)
    msg_type: ClassVar[HandshakeType]
    name: ClassVar[str]
    raw: bytes

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "name" not in vars(cls):
            cls.name = cls.__name__

    def encode(self) -> bytes:
        """The message with its header; remembered as ``raw``."""
        body = self.codec.encode(self)
        self.raw = self.msg_type.to_bytes(1, "big") + len(body).to_bytes(3, "big") + body
        return self.raw

    @classmethod
    def decode(cls, raw: bytes) -> Self:
        """The message that ``raw`` (header included) holds; trailing bytes are refused."""
        end = len(raw)
        message, position = cls.codec.decode(raw, HEADER_LENGTH, end)
        if position != end:
            raise BadMessage(f"{cls.name} has {end - position} bytes too many", offset=position)
        message.raw = raw
        result: Self = message
        return result
