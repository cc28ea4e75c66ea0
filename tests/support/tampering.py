"""One side of a handshake that says something else than it should.

    lying(monkeypatch, "server", {EncryptedExtensions: lambda message: message.extensions.add(...)})

The message is changed before it is sent and hashed: signatures, Finished and keys are of what was really
sent, so that nothing but the rule that was broken can give the liar away.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import pytest

from pellucid.handshake.effects import Send
from pellucid.handshake.flow import Handshake
from pellucid.messages import HandshakeMessage

Lie = Callable[[Any], object]


def lying(
    monkeypatch: pytest.MonkeyPatch,
    side: Literal["client", "server"],
    lies: Mapping[type[HandshakeMessage], Lie],
) -> None:
    """What ``side`` sends of a class in ``lies`` is changed in place first."""
    truly = Handshake.send_encoded

    def send_encoded(hs: Handshake[Any], message: HandshakeMessage) -> Send:
        lie = lies.get(type(message))
        if hs.side == side and lie is not None:
            message = type(message).decode(message.raw)
            lie(message)
            message.encode()
        return truly(hs, message)

    monkeypatch.setattr(Handshake, "send_encoded", send_encoded)
