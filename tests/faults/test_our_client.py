"""Our client against every fault: what it names, who says so, and how the command exits."""

from __future__ import annotations

import pytest
from faulty import PATIENCE_SECONDS, Running

from pellucid.cli.exits import exit_code
from pellucid.cli.failing import record_failure
from pellucid.config import ClientConfig
from pellucid.errors import TLSError
from pellucid.faults import FAULTS, Bench, Fault
from pellucid.io.blocking import connect
from pellucid.trace import Trace
from pellucid.trace.failure import Diagnosis, tls_began

EVERY_FAULT = pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"

ENOUGH_SECONDS = 20.0


def meet(server: Running, bench: Bench, fault: Fault) -> tuple[Diagnosis, int]:
    """Connect as the fault needs it, send a request, read to the end: the failure and the exit code."""
    trace = Trace()
    config = ClientConfig(trust=bench.laboratory.trust, trace=trace, **fault.client(bench))
    patience = PATIENCE_SECONDS.get(fault.id, ENOUGH_SECONDS)
    try:
        with connect("127.0.0.1", server.port(fault), config, "localhost", patience) as tls:
            if fault.needs == "a client that sends a request":
                tls.sendall(GET)
            while tls.recv(65536):
                pass
    except (TLSError, OSError) as error:
        failure = record_failure(trace, "client", error)
        began = tls_began(trace.events)
        return failure, int(exit_code(error, tls_began=began, failure_id=failure.id))
    raise AssertionError("the client has noticed nothing")


@EVERY_FAULT
def test_our_client_names_it(server: Running, bench: Bench, fault: Fault) -> None:
    failure, code = meet(server, bench, fault)
    assert (failure.id, failure.alert, failure.direction, code) == (
        fault.diagnosis,
        fault.alert,
        fault.direction,
        fault.exit_code,
    )
    assert failure.inferred
