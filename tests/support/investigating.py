"""An investigation without sockets: each further connection meets a peer in memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from pellucid.cli.failing import record_failure
from pellucid.config import ClientConfig
from pellucid.connection import ClientConnection
from pellucid.errors import TLSError
from pellucid.faults import Ending, Peer
from pellucid.identity import parse_server_name
from pellucid.trace import Trace
from pellucid.why import Finding, Probe, Seen, investigate, look

#: Gives a peer for one more connection; peers of several kinds make what comes and goes.
Peers = Callable[[], Peer]


def meet(peers: Peers, config: ClientConfig, name: str = "localhost") -> Seen:
    """One connection, as far as it goes: a peer that is silent is waited for no time at all."""
    trace = Trace()
    try:
        client = ClientConnection(replace(config, trace=trace), name)
        _carry(client, peers())
    except (TLSError, OSError) as error:
        record_failure(trace, "client", error)
    return look(trace.events)


def _carry(client: ClientConnection, peer: Peer) -> None:
    try:
        while True:
            out, back = client.data_to_send(), peer.data_to_send()
            if not out and not back:
                break
            peer.receive_data(out)
            client.receive_data(back)
        if peer.ending is Ending.RESET:
            raise ConnectionResetError(104, "Connection reset by peer")
        if peer.ending:
            client.receive_eof()
        elif not client.handshake_complete:
            raise TimeoutError("the peer is silent")
    except TLSError:
        client.data_to_send()  # the alert, if there is one
        raise


def found(
    peers: Peers,
    config: ClientConfig,
    name: str = "localhost",
    *,
    most: int = 8,
    probes: list[Probe] | None = None,
) -> Finding:
    """The first connection, all further ones, and what follows. There is time for ``most``; ``probes`` is
    filled with what was asked for.
    """
    first = meet(peers, config, name)
    investigation = investigate(config, parse_server_name(name), first)
    seen: Seen | None = None
    made = 0
    while True:
        try:
            probe = investigation.send(seen)
        except StopIteration as end:
            finding: Finding = end.value
            return finding
        if probes is not None:
            probes.append(probe)
        seen = meet(peers, replace(config, **probe.settings), name) if made < most else None
        made += 1
