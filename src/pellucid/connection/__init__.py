"""A TLS connection without IO: bytes from the network in, events and bytes for the network out.

    client = ClientConnection(ClientConfig(trust=trust), server_name="localhost")
    network.send(client.data_to_send())
    for event in client.receive_data(network.recv()): ...

``Connection`` drives a flow (``pellucid.handshake``): it feeds it messages, does what it asks for, and is
the only place that reads the clock and entropy of the configuration. The first fault is final: it is
raised, the alert that tells the peer is left to be sent, and nothing is decrypted or sent any more.
"""

from pellucid.connection.base import (
    MAX_CHANGE_CIPHER_SPECS,
    MAX_IDLE_MESSAGES,
    MAX_WARNINGS,
    Connection,
)
from pellucid.connection.sides import ClientConnection, ServerConnection

__all__ = [
    "MAX_CHANGE_CIPHER_SPECS",
    "MAX_IDLE_MESSAGES",
    "MAX_WARNINGS",
    "ClientConnection",
    "Connection",
    "ServerConnection",
]
