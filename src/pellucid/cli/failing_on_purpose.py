"""The commands behind ``serve --fault`` and ``demo --fault``."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import click

from pellucid.cli.exits import Exit, exit_code
from pellucid.cli.failing import record_failure
from pellucid.cli.faulty import Ends, FaultServer
from pellucid.cli.report import show_failure, show_summary
from pellucid.cli.serving import TRACES_KEPT, no_server, peer_of
from pellucid.cli.serving_settings import TraceEach, Wish, names_for, url, visible, write_root
from pellucid.config import ClientConfig
from pellucid.errors import TLSError
from pellucid.faults import Bench, Fault, Peer, find
from pellucid.io.blocking import TLSSocket, connect
from pellucid.io.waiting import Deadline
from pellucid.trace import Trace
from pellucid.trace.failure import tls_began
from pellucid.trace.narration import narrate
from pellucid.trace.summary import summarise

if TYPE_CHECKING:
    from pellucid.cli.output import Output

__all__ = ["demonstrate", "serve_faults"]

_SERVER_NAME = "localhost"
_REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
#: How long the demonstration's client waits, and how long for a server that is silent on purpose.
_DEMO_SECONDS, _SILENCE_SECONDS = 20.0, 2.0
_PIECE_BYTES = 65_536
_LAST_PORT = 65_535


def serve_faults(names: Sequence[str], wish: Wish, output: Output) -> int:
    """Serve each of these faults on its own port until interrupted; returns the exit code."""
    if wish.port and wish.port + len(names) - 1 > _LAST_PORT:
        raise click.UsageError(f"from --port {wish.port} on there are not {len(names)} ports any more")
    settings = {"trace": TraceEach(reveal_secrets=output.reveal_secrets), "key_log": output.key_log}
    bench = Bench(time.time(), names=names_for(wish.host), settings=settings)
    faults = [find(name) for name in names]
    log = _Log(output, wish)
    try:
        write_root(bench.laboratory.root_pem, wish.write_root, output)
        server = FaultServer([(each, each.prepare(bench)) for each in faults], wish.host, wish.port, log.add)
    except (TLSError, OSError) as error:
        return no_server(error, wish, output)
    for fault in faults:
        output.announce(f"{fault.id}: {url(wish.host, server.ports[fault.id])}")
    if len(faults) == 1:
        needs = f" Needs {faults[0].needs}." if faults[0].needs else ""
        output.story.paragraph(faults[0].what + needs)
    ports = "1 port" if len(faults) == 1 else f"{len(faults)} ports, with what --list-faults says"
    output.announce(f"listening on {ports}, to fail on purpose (Ctrl-C ends it)")
    try:
        with server:
            server.serve(wish.connections)
    except KeyboardInterrupt:
        output.warn("interrupted: no more connections")
    log.write_files()
    return 0


class _Log:
    """Tells each connection, one at a time, and keeps the latest for --json and --html."""

    def __init__(self, output: Output, wish: Wish) -> None:
        self._output = output
        self._wish = wish
        self._lock = threading.Lock()
        self._number = 0
        self._traces: deque[Trace] = deque(maxlen=TRACES_KEPT)

    def add(self, fault: Fault, ends: Ends, peer: Peer) -> None:
        # What asks for a TLSSocket's ends asks for nothing else of it.
        tls = cast("TLSSocket", ends)
        with self._lock:
            self._number += 1
            story, trace = self._output.story, peer.trace
            story.heading(f"connection {self._number}, from {peer_of(tls)}: {fault.id}")
            if trace is not None:
                self._traces.append(trace)
                captured = self._output.capture(trace)
                captured.between(tls, "server", visible(self._wish.host))
                captured.finish("server")
                if story.verbosity:
                    story.steps(narrate(trace.events))
            story.paragraph(peer.told() or fault.what, indent=0)
            story.line()
            story.console.file.flush()

    def write_files(self) -> None:
        if self._traces:
            *previous, last = self._traces
            self._output.write_json(last, previous)
            self._output.write_html([last], heading="The latest connection to a fault")


def demonstrate(name: str, output: Output) -> int:
    """A client meets one fault on this machine, and tells what it makes of it; returns its exit code."""
    fault = find(name)
    bench = Bench(time.time(), names=[_SERVER_NAME])
    trace = output.trace(laboratory=True)
    error: Exception | None = None
    with FaultServer([(fault, fault.prepare(bench))], "127.0.0.1", 0, lambda *_: None) as server:
        accepting = threading.Thread(target=server.serve, args=(1,), daemon=True)
        accepting.start()
        try:
            _meet(fault, bench, server.ports[fault.id], output, trace)
        except (TLSError, OSError) as failed:
            error = failed
    accepting.join()
    failure_id = "" if error is None else record_failure(trace, "client", error).id
    code = exit_code(error, tls_began=tls_began(trace.events), failure_id=failure_id)
    _tell(fault, output, output.told(trace), code)
    output.write_json(trace)
    output.write_html([trace], heading=fault.id, note=fault.what)
    return int(code)


def _meet(fault: Fault, bench: Bench, port: int, output: Output, trace: Trace) -> None:
    """A connection, a request, and all that comes back."""
    settings: dict[str, Any] = {"trust": bench.laboratory.trust, "trace": trace, "key_log": output.key_log}
    config = ClientConfig(**(settings | fault.client(bench)))
    captured = output.capture(trace)
    seconds = _SILENCE_SECONDS if fault.exit_code == Exit.TIMEOUT else _DEMO_SECONDS
    error: Exception | None = None
    try:
        with connect("127.0.0.1", port, config, _SERVER_NAME, seconds, handshake=False) as tls:
            captured.between(tls, "client", _SERVER_NAME)
            tls.handshake_until(Deadline(seconds))
            captured.advance()
            tls.sendall(_REQUEST)
            while tls.recv(_PIECE_BYTES):
                pass
    except (TLSError, OSError) as failed:
        error = failed
        raise
    finally:
        captured.finish("client", error)


def _tell(fault: Fault, output: Output, trace: Trace, code: Any) -> None:
    story = output.story
    story.heading(f"A server that fails on purpose: {fault.id}")
    story.paragraph(fault.what, indent=0)
    story.steps(narrate(trace.events))
    story.line()
    summary = summarise(trace.events)
    show_summary(story, summary)
    if summary.outcome and summary.outcome.failure:
        show_failure(story, summary.outcome.failure, code)
    story.line()
    story.paragraph(f"To see what another client makes of it: pellucid serve --fault {fault.id}", "dim", 0)
