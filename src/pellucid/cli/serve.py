"""``pellucid serve``: a server that shows each visitor what it offered, and tells every connection."""

from __future__ import annotations

import os
import signal
import tempfile
import threading
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import click

from pellucid.cli.options import (
    CERTIFICATE_KINDS,
    OUTPUTS,
    common,
    crl_option,
    fault_options,
    group_option,
    only_with_faults,
    policy_option,
    protocols,
    readable_file,
    revocation_settings,
    suite_option,
    tls_option,
)
from pellucid.trace import Side, Trace, TraceView

if TYPE_CHECKING:
    from pellucid.cli.output import Output
    from pellucid.config import ServerConfig
    from pellucid.identity import Credential
    from pellucid.io.blocking import TLSSocket

__all__ = ["serve"]

_HELP = """Serve a small page over TLS that shows each client what it offered and what was chosen.

Without --cert the server makes a little PKI of its own: a root, an intermediate and a certificate for
localhost. The root is written to a file, whose name is printed, for the client to trust. Ctrl-C ends it.

\b
Examples:
  pellucid serve --port 4433 --write-root root.pem
      curl --cacert root.pem https://localhost:4433/
      pellucid connect localhost:4433 --cafile root.pem
  pellucid serve --cert fullchain.pem --key key.pem --host 0.0.0.0
  pellucid serve --client-ca clients.pem -v
  pellucid serve --tls 1.2 --policy compatible --certificate rsa
  pellucid serve --fault certificate_expired     what does your client say to that?
  pellucid serve --fault all --port 5000         every fault, each on its own port
"""

# A server to look at: so many at a time are plenty, and a flood of visitors cannot take more than this.
MOST_AT_A_TIME = 32
# Of a long run, so many traces are kept for --json.
TRACES_KEPT = 100
# A page with more than these few would take its time to open.
_TRACES_ON_PAGE = 8
_ACCEPT_ERROR_PAUSE_SECONDS = 0.1


@dataclass(frozen=True)
class Wish:
    """What was asked for."""

    host: str
    port: int
    cert: Path | None
    key: Path | None
    client_ca: Path | None
    certificate: str
    write_root: Path | None
    group: str | None
    suite: str | None
    timeout_seconds: float
    connections: int | None
    tls: str | None = None
    policy: str = "default"
    ocsp: Path | None = None
    fetch_ocsp: bool = False
    crls: tuple[Path, ...] = ()


@click.command(help=_HELP)
@tls_option("Accept this version alone. Default: both.")
@policy_option
@click.option("--host", default="localhost", show_default=True, help="Name or address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=4433,
    show_default=True,
    help="Port to listen on; 0 takes any free one, which is printed.",
)
@click.option("--cert", type=readable_file(), metavar="FILE", help="Certificate chain (PEM), leaf first.")
@click.option("--key", type=readable_file(), metavar="FILE", help="The private key of --cert (PEM).")
@click.option(
    "--ocsp",
    type=readable_file(),
    metavar="FILE",
    help="Staple this OCSP response (DER), such as one of openssl ocsp -respout, for --cert.",
)
@click.option(
    "--fetch-ocsp",
    is_flag=True,
    help="Ask the responder that --cert names, and staple its answers.",
)
@click.option(
    "--client-ca", type=readable_file(), metavar="FILE", help="Ask clients for a certificate of these (PEM)."
)
@crl_option("Refuse clients whose certificates are in this list.")
@click.option(
    "--certificate",
    type=click.Choice(CERTIFICATE_KINDS),
    default="ecdsa",
    show_default=True,
    metavar="KIND",
    help=f"Kind of the laboratory's certificate: {', '.join(CERTIFICATE_KINDS)}.",
)
@click.option(
    "--write-root",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    metavar="FILE",
    help="Where to write the laboratory's root; default: a new temporary file.",
)
@group_option("Accept only this group.")
@suite_option("Accept only this cipher suite.")
@click.option(
    "--timeout",
    "timeout_seconds",
    type=click.FloatRange(min=0, min_open=True),
    default=10.0,
    show_default=True,
    metavar="SECONDS",
    help="What a handshake, and then a request, may take.",
)
@click.option("--connections", type=click.IntRange(min=1), metavar="N", help="End after so many connections.")
@fault_options
@common
@click.pass_context
def serve(context: click.Context, /, **options: Any) -> None:
    """The command; its help is ``_HELP``."""
    from pellucid.cli.output import Output

    output = context.with_resource(Output(**{name: options.pop(name) for name in OUTPUTS}))
    faults = options.pop("faults")
    wish = Wish(**options)
    if bool(wish.cert) != bool(wish.key):
        raise click.UsageError("--cert and --key go together")
    if wish.ocsp and wish.fetch_ocsp:
        raise click.UsageError("--ocsp and --fetch-ocsp: one response is enough")
    if (wish.ocsp or wish.fetch_ocsp) and not wish.cert:
        raise click.UsageError("--ocsp and --fetch-ocsp are about the certificate that --cert gives")
    if wish.crls and not wish.client_ca:
        raise click.UsageError("--crl is about clients' certificates, which --client-ca asks for")
    if wish.cert and wish.write_root:
        raise click.UsageError("--write-root is for the laboratory's root, which --cert replaces")
    if threading.current_thread() is threading.main_thread():
        # A shell starts what runs in the background with SIGINT ignored; and SIGTERM ends in order, too.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.default_int_handler)
    if faults:
        from pellucid.cli.failing_on_purpose import serve_faults

        only_with_faults(context, "host", "port", "write_root", "connections")
        context.exit(serve_faults(faults, wish, output))
    context.exit(run(wish, output))


def run(wish: Wish, output: Output) -> int:
    """Serve until interrupted, or until enough connections; returns the exit code."""
    from pellucid.cli.exits import exit_code
    from pellucid.errors import TLSError

    try:
        server = Server(wish, output)
    except (TLSError, OSError) as error:
        output.warn(str(error))
        return exit_code(error, tls_began=False)
    try:
        with server:
            server.serve()
    except KeyboardInterrupt:
        output.warn("interrupted: no more connections")
    server.write_files()
    return 0


class Server:
    """Accepts in the calling thread and gives each connection a thread, up to a bound."""

    def __init__(self, wish: Wish, output: Output) -> None:
        from pellucid.io import blocking

        self.wish = wish
        self.output = output
        self.config = configuration(wish, output)
        self.traces: deque[Trace] = deque(maxlen=TRACES_KEPT)
        self._room = threading.BoundedSemaphore(MOST_AT_A_TIME)
        self._telling = threading.Lock()
        self._threads: set[threading.Thread] = set()
        self._listener = blocking.listen(wish.host, wish.port, self.config, timeout=wish.timeout_seconds)
        self.host, self.port = self._listener.address[:2]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        deadline = time.monotonic() + self.wish.timeout_seconds
        for thread in list(self._threads):
            thread.join(max(0.0, deadline - time.monotonic()))

    @property
    def visitors(self) -> int:
        """How many connections are open now."""
        return len(self._threads)

    def serve(self) -> None:
        """Accept until told to stop. What a visitor does wrong ends its own connection only."""
        shown = f"[{self.host}]" if ":" in self.host else self.host
        address = f"https://{visible(self.wish.host)}:{self.port}/"
        self.output.announce(f"listening on {shown} port {self.port}: {address} (Ctrl-C ends it)")
        number = 0
        while self.wish.connections is None or number < self.wish.connections:
            self._room.acquire()  # the next ones wait in the system's queue
            try:
                tls = self._listener.accept(handshake=False)
            except OSError as error:
                # Out of descriptors, for example: others will end and free some.
                self._room.release()
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
        from pellucid.cli.exits import exit_code
        from pellucid.cli.failing import record_failure
        from pellucid.errors import TLSError

        trace = trace_of(tls)
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
        from pellucid.cli.report import show_failure, show_summary
        from pellucid.trace.narration import narrate
        from pellucid.trace.summary import summarise

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


def configuration(wish: Wish, output: Output) -> ServerConfig:
    """The server's configuration; says where the root is if it made one. Raises ``TLSError``, ``OSError``."""
    from pellucid.config import ServerConfig
    from pellucid.identity import Credential, TrustStore

    settings: dict[str, Any] = {
        "policy": wish.policy,
        "protocols": protocols(wish.tls),
        "trace": TraceEach(reveal_secrets=output.reveal_secrets),
        "key_log": output.key_log,
        "alpn_protocols": ["http/1.1"],
        "groups": [wish.group] if wish.group else (),
        "cipher_suites": [wish.suite] if wish.suite else (),
    }
    if wish.cert and wish.key:
        credential = Credential.from_files(wish.cert, wish.key, ocsp=wish.ocsp)
        settings["credentials"] = [_fetching(credential, output) if wish.fetch_ocsp else credential]
    else:
        settings["credentials"] = [_laboratory_credential(wish, output)]
    if wish.client_ca:
        settings |= {"trust": TrustStore.from_files(wish.client_ca), "client_authentication": "required"}
        settings |= revocation_settings(None, wish.crls, fetches=False)
    return ServerConfig(**settings)


def _fetching(credential: Credential, output: Output) -> Credential:
    from pellucid.io.stapling import StapleFetcher

    return credential.with_staple(output.keep(StapleFetcher(credential)))


def _laboratory_credential(wish: Wish, output: Output) -> Credential:
    from pellucid.identity.lab import Laboratory

    laboratory = Laboratory(None, time.time())
    write_root(laboratory.root_pem, wish.write_root, output)
    return laboratory.credential(wish.certificate, names_for(wish.host))


def names_for(host: str) -> list[str]:
    """What a laboratory's certificate is for, of a server that listens on ``host``."""
    names = ["localhost", "127.0.0.1", "::1"]
    return names if visible(host) in names else [*names, visible(host)]


def write_root(pem: bytes, path: Path | None, output: Output) -> None:
    """Write a laboratory's root, to a new file if no other is given, and say where it is."""
    if path:
        path.write_bytes(pem)
    else:
        descriptor, name = tempfile.mkstemp(prefix="pellucid-root-", suffix=".pem")
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
        path = Path(name)
    output.announce(f"a laboratory's root, for clients to trust: {path}")


def visible(host: str) -> str:
    """The name under which a browser on this machine reaches a server on ``host``."""
    return "localhost" if host in ("0.0.0.0", "::", "") else host  # noqa: S104 - compared, not bound


def peer_of(tls: TLSSocket) -> str:
    """Who is at the other end, for people."""
    try:
        host, port = tls.getpeername()[:2]
    except OSError:  # gone already
        return "somebody who has left"
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _answer(tls: TLSSocket, trace: Trace, seconds: float) -> str:
    """Read one request and answer it with the page; what to say of it. A visitor may leave without a word."""
    from pellucid.cli.http import read_request, response

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
    from pellucid.trace.html import page, policy

    text = page(
        [trace],
        heading="You are connected, and this is how",
        note="This page came over the connection that it describes. It is served by pellucid.",
    )
    return text, policy()


def _page(tls: TLSSocket, trace: Trace) -> str:
    """A short page, for curl and its kind: what was offered and what was chosen."""
    from pellucid.cli.page import offer_of, page
    from pellucid.trace import CertificateEvent, MessageEvent

    hellos = [e for e in trace.events if isinstance(e, MessageEvent) and e.name == "ClientHello"]
    shown = [e.path[0].subject for e in trace.events if isinstance(e, CertificateEvent) and e.path]
    return page(offer_of(hellos[-1].raw), tls.negotiated, shown[-1] if shown else "")


class TraceEach(Trace):
    """Given to a configuration that many connections share: each gets a trace of its own."""

    def view(self, side: Side) -> TraceView:
        return Trace(reveal_secrets=self.reveal_secrets).view(side)


def trace_of(tls: TLSSocket) -> Trace:
    """The trace of this connection."""
    trace = tls.connection.trace
    assert trace is not None  # the configuration has one
    return trace
