"""What ``receive_data`` tells its caller: a small vocabulary, in the order in which things happened."""

from dataclasses import dataclass

from pellucid.result import Negotiated
from pellucid.sessions import Session


@dataclass(frozen=True, slots=True)
class HandshakeCompleted:
    """Both sides have proved who they are and that they saw the same handshake; data may flow."""

    negotiated: Negotiated


@dataclass(frozen=True, slots=True, init=False)
class DataReceived:
    """Application data, decrypted and authenticated; never empty."""

    data: bytes

    def __init__(self, data: bytes) -> None:
        _set_data(self, data)


# There may be one for every record. The slot's own setter takes two thirds of the time of the `__init__` that
# a frozen dataclass makes for itself.
_set_data = vars(DataReceived)["data"].__set__


@dataclass(frozen=True, slots=True)
class SessionReceived:
    """The server gave a ticket: the session store, if there is one, holds it already."""

    session: Session


@dataclass(frozen=True, slots=True)
class KeyUpdated:
    """The peer took its next key; ``answered`` if it asked for ours to change as well."""

    answered: bool


@dataclass(frozen=True, slots=True)
class PeerClosed:
    """The peer sent close_notify: all that it sent has arrived. Sending is still possible."""


Event = HandshakeCompleted | DataReceived | SessionReceived | KeyUpdated | PeerClosed
