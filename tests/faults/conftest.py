"""One bench for all, and one server with every fault."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from faulty import Running, running

from pellucid.faults import FAULTS, Bench


@pytest.fixture(scope="session")
def bench() -> Bench:
    return Bench(time.time())


@pytest.fixture(scope="session")
def server(bench: Bench) -> Iterator[Running]:
    with running(bench, FAULTS) as started:
        yield started
