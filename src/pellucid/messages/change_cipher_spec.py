"""RFC 5246 7.1: one byte, of a protocol of its own, that says that the next record is under the new keys."""

from typing import Annotated, ClassVar, Self

from pellucid.errors import PeerMisbehaved, Reason
from pellucid.wire import Wire, struct, uint


@struct
class ChangeCipherSpec(Wire):
    """RFC 5246 7.1. No handshake message: it has no header and does not stand in the transcript."""

    name: ClassVar[str] = "ChangeCipherSpec"
    #: It has no number among the handshake messages, beside which a state of TLS 1.2 may wait for it.
    msg_type: ClassVar[None] = None
    type: Annotated[int, uint(1)] = 1

    @property
    def raw(self) -> bytes:
        """The content of its record."""
        return self.encode()

    def encode(self) -> bytes:
        return self.codec.encode(self)

    @classmethod
    def decode(cls, raw: bytes) -> Self:
        """What the content of one record of that type holds: the byte 1, or the peer is at fault."""
        if raw != b"\x01":
            raise PeerMisbehaved(
                Reason.BAD_CHANGE_CIPHER_SPEC, f"change_cipher_spec holds {raw[:8].hex()} instead of 01"
            )
        return cls()
