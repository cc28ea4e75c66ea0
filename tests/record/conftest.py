"""Every suite, with keys for it."""

from __future__ import annotations

import pytest

from pellucid.crypto.suites import SUITES, Suite
from pellucid.keys.key_schedule import TrafficKeys


@pytest.fixture(params=SUITES.values(), ids=str)
def suite(request: pytest.FixtureRequest) -> Suite:
    chosen: Suite = request.param
    return chosen


@pytest.fixture
def keys(suite: Suite) -> TrafficKeys:
    return TrafficKeys(bytes(range(suite.key_length)), bytes(range(0x80, 0x80 + suite.iv_length)))
