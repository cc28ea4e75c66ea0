"""A client of ours that meets a server which fails: what it makes of it, and how a command would exit."""

from __future__ import annotations

from pellucid.cli.exits import exit_code
from pellucid.cli.failing import record_failure
from pellucid.config import ClientConfig
from pellucid.diagnosis import Diagnosis
from pellucid.errors import TLSError
from pellucid.io.blocking import connect
from pellucid.trace import Trace
from pellucid.trace.failure import tls_began


def met(
    config: ClientConfig, port: int, name: str = "localhost", seconds: float = 15.0, request: bytes = b""
) -> tuple[Diagnosis, int]:
    """Connect, send ``request`` and read to the end, all of it traced; it has to fail."""
    trace = config.trace
    assert isinstance(trace, Trace)
    try:
        with connect("127.0.0.1", port, config, name, seconds) as tls:
            if request:
                tls.sendall(request)
            while tls.recv(65536):
                pass
    except (TLSError, OSError) as error:
        failure = record_failure(trace, "client", error)
        began = tls_began(trace.events)
        return failure, int(exit_code(error, tls_began=began, failure_id=failure.id))
    raise AssertionError("the client has noticed nothing")
