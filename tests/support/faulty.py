"""Every fault, served on loopback by one process, as ``serve --fault all`` does."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pellucid.cli.faulty import FaultServer
from pellucid.faults import Bench, Fault, Peer

#: A client's patience with those who keep silent; in what stalls something is to come before that.
PATIENCE_SECONDS = {
    "silent_after_client_hello": 0.5,
    "silent_to_large_client_hello": 0.5,
    "stalled_mid_flight": 3.0,
    "stalled_mid_flight_packets": 3.0,
}


class Running:
    """A server of faults in a thread, and what it had to say of its visitors."""

    def __init__(self, bench: Bench, faults: dict[str, Fault]) -> None:
        self.told: list[tuple[str, str]] = []
        self._changed = threading.Condition()
        servers = [(fault, fault.prepare(bench)) for fault in faults.values()]
        self.server = FaultServer(servers, "127.0.0.1", 0, self._tell)
        self.thread = threading.Thread(target=self.server.serve, daemon=True)
        self.thread.start()

    def _tell(self, fault: Fault, _ends: Any, peer: Peer) -> None:
        with self._changed:
            self.told.append((fault.id, peer.told()))
            self._changed.notify_all()

    def port(self, fault: Fault) -> int:
        return self.server.ports[fault.id]

    def await_told(self, fault: Fault) -> str:
        """What it says of the first visitor that met this fault."""
        with self._changed:
            found = self._changed.wait_for(lambda: [text for name, text in self.told if name == fault.id], 20)
        assert found
        return found[0]


@contextmanager
def running(bench: Bench, faults: dict[str, Fault]) -> Iterator[Running]:
    started = Running(bench, faults)
    with started.server:
        yield started
    started.thread.join(20)
    assert not started.thread.is_alive()
