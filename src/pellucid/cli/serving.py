"""The server behind ``pellucid serve``: it accepts, answers each visitor, and tells every connection."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Self

from pellucid.cli.exits import Exit, exit_code
from pellucid.cli.failing import record_failure
from pellucid.cli.http import read_request, response
from pellucid.cli.page import offer_of, page
from pellucid.cli.reloading import Files, on_hangup
from pellucid.cli.report import show_failure, show_summary
from pellucid.cli.serving_settings import Wish, configuration, url, visible
from pellucid.config import ReloadableConfig
from pellucid.errors import Reason, TLSError
from pellucid.io import blocking
from pellucid.trace import CertificateEvent, MessageEvent, Trace
from pellucid.trace.narration import narrate
from pellucid.trace.summary import summarise

if TYPE_CHECKING:
    from pellucid.cli.output import Output
    from pellucid.config import ServerConfig
    from pellucid.io.blocking import TLSSocket

__all__ = ["MOST_AT_A_TIME", "TRACES_KEPT", "Server", "no_server", "peer_of", "run"]

# A server to look at: so many at a time are plenty, and a flood of visitors cannot take more than this.
MOST_AT_A_TIME = 32
# Of a long run, so many traces are kept for --json.
TRACES_KEPT = 100
# A page with more than these few would take its time to open.
_TRACES_ON_PAGE = 8
_ACCEPT_ERROR_PAUSE_SECONDS = 0.1
# What `pellucid check` would tell of --cert and --key.
_OF_FILES = (Reason.BAD_CERTIFICATE_FILE, Reason.KEY_DOES_NOT_MATCH_CERTIFICATE)


def run(wish: Wish, output: Output) -> int:
    """Serve until interrupted, or until enough connections; returns the exit code."""
    try:
        server = Server(wish, output)
    except (TLSError, OSError) as error:
        return no_server(error, wish, output)
    try:
        with server, on_hangup(server.reload, server.stop):
            server.serve()
    except KeyboardInterrupt:
        output.warn("interrupted: no more connections")
    server.write_files()
    return 0


def no_server(error: TLSError | OSError, wish: Wish, output: Output) -> Exit:
    """Say why there is none; returns the exit code."""
    text = str(error)
    if isinstance(error, OSError) and error.filename is None:
        text = f"cannot listen on {wish.host} port {wish.port}: {error.strerror or error}"
    elif wish.cert and isinstance(error, TLSError) and error.reason in _OF_FILES:
        text = f"{error}; for more: pellucid check {wish.cert} {wish.key}"
    output.warn(text)
    return exit_code(error, tls_began=False)


class Server:
    """Accepts in the calling thread and gives each connection a thread, up to a bound."""

    def __init__(self, wish: Wish, output: Output) -> None:
        self.wish = wish
        self.output = output
        self._files = output.keep(Files(wish))
        self._config = ReloadableConfig(configuration(wish, output, self._files.read()))
        self.traces: deque[Trace] = deque(maxlen=TRACES_KEPT)
        self._room = threading.BoundedSemaphore(MOST_AT_A_TIME)
        self._telling = threading.Lock()
        self._stopped = False
        self._threads: set[threading.Thread] = set()
        self._listener = blocking.listen(wish.host, wish.port, self._config, timeout=wish.timeout_seconds)
        self.host, self.port = self._listener.address[:2]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        deadline = time.monotonic() + self.wish.timeout_seconds
        for thread in list(self._threads):
            thread.join(max(0.0, deadline - time.monotonic()))

    @property
    def config(self) -> ServerConfig:
        """What the next connection takes."""
        return self._config.current

    def reload(self) -> None:
        """Read the certificate, its key, --client-ca and --crl again; connections that are open go on."""
        with self._telling:
            self._files.read_again(self._config, self.output)

    def stop(self) -> None:
        """Accept nobody any more. From any thread; those who are here are served to the end."""
        self._stopped = True
        self._listener.close()

    @property
    def visitors(self) -> int:
        """How many connections are open now."""
        return len(self._threads)

    def serve(self) -> None:
        """Accept until told to stop. What a visitor does wrong ends its own connection only."""
        shown = f"[{self.host}]" if ":" in self.host else self.host
        address = url(self.wish.host, self.port)
        self.output.announce(f"listening on {shown} port {self.port}: {address} (Ctrl-C ends it)")
        number = 0
        while self.wish.connections is None or number < self.wish.connections:
            self._room.acquire()  # the next ones wait in the system's queue
            try:
                tls = self._listener.accept(handshake=False)
            except OSError as error:
                # Out of descriptors, for example: others will end and free some.
                self._room.release()
                if self._stopped:
                    return
                self.output.warn(f"accept: {error}")
                time.sleep(_ACCEPT_ERROR_PAUSE_SECONDS)
                continue
            number += 1
            thread = threading.Thread(target=self._visit, args=(tls, number), daemon=True)
            self._threads.add(thread)
            thread.start()

    def _visit(self, tls: TLSSocket, number: int) -> None:
        try:
            with tls:
                self._converse(tls, number)
        finally:
            self._threads.discard(threading.current_thread())
            self._room.release()

    def _converse(self, tls: TLSSocket, number: int) -> None:
        trace = _trace_of(tls)
        error: Exception | None = None
        note = ""
        peer = peer_of(tls)
        captured = self.output.capture(trace)
        captured.between(tls, "server", visible(self.wish.host))
        try:
            tls.handshake()
            captured.advance()
            note = _answer(tls, trace, self.wish.timeout_seconds)
            tls.close()
        except (TLSError, OSError) as failed:
            error = failed
            record_failure(trace, "server", failed)
        captured.finish("server", error)
        with self._telling:
            self.traces.append(trace)
            self._tell(trace, number, peer, note, exit_code(error))

    def _tell(self, trace: Trace, number: int, peer: str, note: str, code: Any) -> None:
        story = self.output.story
        story.heading(f"connection {number}, from {peer}")
        story.steps(narrate(trace.events))
        summary = summarise(trace.events)
        story.line()
        show_summary(story, summary)
        if note:
            story.row("request", note)
        if summary.outcome and summary.outcome.failure:
            show_failure(story, summary.outcome.failure, code)
        story.line()
        story.corrects = False

    def write_files(self) -> None:
        """The last connection's trace, with those before it, as JSON and, of the latest, as a page."""
        if self.traces:
            *previous, last = self.traces
            self.output.write_json(last, previous)
            latest = list(self.traces)[-_TRACES_ON_PAGE:]
            self.output.write_html(latest, heading=f"The latest connections to port {self.port}")


def peer_of(tls: TLSSocket) -> str:
    """Who is at the other end, for people."""
    try:
        host, port = tls.getpeername()[:2]
    except OSError:  # gone already
        return "somebody who has left"
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _answer(tls: TLSSocket, trace: Trace, seconds: float) -> str:
    """Read one request and answer it with the page; what to say of it. A visitor may leave without a word."""
    try:
        request = read_request(tls, seconds)
    except TimeoutError:
        return "none came in time"
    if request is None:
        return "none: the client left again"
    tls.settimeout(seconds)
    if request.wants_html:
        content, policy = _own_page(trace)
        tls.sendall(response(request, content, policy))
    else:
        tls.sendall(response(request, _page(tls, trace)))
    return f"{request.method} {request.path}" if request.method else "not HTTP"


def _own_page(trace: Trace) -> tuple[str, str]:
    """The page of the very connection that it goes over, for a browser, and what may run in it."""
    from pellucid.trace import html

    text = html.page(
        [trace],
        heading="You are connected, and this is how",
        note="This page came over the connection that it describes. It is served by pellucid.",
    )
    return text, html.policy()


def _page(tls: TLSSocket, trace: Trace) -> str:
    """A short page, for curl and its kind: what was offered and what was chosen."""
    hellos = [e for e in trace.events if isinstance(e, MessageEvent) and e.name == "ClientHello"]
    shown = [e.path[0].subject for e in trace.events if isinstance(e, CertificateEvent) and e.path]
    client = summarise(trace.events).client_key or (shown[-1] if shown else "")
    return page(offer_of(hellos[-1].raw), tls.negotiated, client)


def _trace_of(tls: TLSSocket) -> Trace:
    """The trace of this connection."""
    trace = tls.connection.trace
    assert trace is not None  # the configuration has one
    return trace
