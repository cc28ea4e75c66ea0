"""The key log (RFC 9850): secrets in text lines, from which Wireshark and others decrypt a capture.

Whoever has the file can read the connections in it: a log is written only when asked for.
"""

from __future__ import annotations

from typing import Protocol

#: RFC 9850's label for each secret that is logged: those of RFC 9846 7.1, and TLS 1.2's one.
KEY_LOG_LABELS = {
    "master_secret": "CLIENT_RANDOM",
    "client_early_traffic_secret": "CLIENT_EARLY_TRAFFIC_SECRET",
    "early_exporter_secret": "EARLY_EXPORTER_SECRET",
    "client_handshake_traffic_secret": "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
    "server_handshake_traffic_secret": "SERVER_HANDSHAKE_TRAFFIC_SECRET",
    "client_application_traffic_secret_0": "CLIENT_TRAFFIC_SECRET_0",
    "server_application_traffic_secret_0": "SERVER_TRAFFIC_SECRET_0",
    "exporter_secret": "EXPORTER_SECRET",
}


class KeyLog(Protocol):
    """Is called with each secret as it is derived; `label` is one of `KEY_LOG_LABELS`."""

    def __call__(self, label: str, client_random: bytes, secret: bytes, /) -> None: ...


def key_log_line(label: str, client_random: bytes, secret: bytes) -> str:
    """One line of the log, without its end: label, ClientHello.random and secret; the latter two in hex."""
    return f"{label} {client_random.hex()} {secret.hex()}"
