"""One bench for all: its certificates take time to make."""

from __future__ import annotations

import time

import pytest

from pellucid.faults import Bench


@pytest.fixture(scope="session")
def bench() -> Bench:
    return Bench(time.time())
