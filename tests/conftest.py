"""What all tests share: real peers that may be missing, and the list of them at the end of the run.

A test that talks to a real peer says so, with the peer's name and the programs or modules that it needs:

    @pytest.mark.peer("openssl s_client", "openssl")
    def test_...

    def test_...(require_peer):
        require_peer("pyOpenSSL", "module:OpenSSL")

Where one is missing the test is skipped, and the peer is named at the end of the run. With
PELLUCID_REQUIRE_PEERS in the environment (as in CI) it fails instead, so that a machine that lacks a peer
cannot pass for one that has tested it.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from support import MODULE, missing

MISSING_PEER = "missing_peer"
REQUIRE_PEERS = "PELLUCID_REQUIRE_PEERS"


def _require(item: pytest.Item, name: str, needs: tuple[str, ...]) -> None:
    lacking = " and ".join(need.removeprefix(MODULE).replace("|", " or ") for need in missing(needs))
    if not lacking:
        return
    # A property of the report, and so it reaches the terminal from pytest-xdist's workers as well.
    item.user_properties.append((MISSING_PEER, f"{name} (needs {lacking})"))
    if os.environ.get(REQUIRE_PEERS):
        pytest.fail(f"the peer {name} is required here, and {lacking} is missing", pytrace=False)
    pytest.skip(f"the peer {name} needs {lacking}")


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker in item.iter_markers("peer"):
        name, *needs = marker.args
        _require(item, name, tuple(needs))


@pytest.fixture
def require_peer(request: pytest.FixtureRequest) -> Callable[..., None]:
    """`require_peer(name, *needs)`: the marker `peer`, for a test that learns while it runs whom it needs."""

    def require(name: str, *needs: str) -> None:
        _require(request.node, name, needs)

    return require


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skipped: dict[str, set[str]] = {}
    for outcome in ("skipped", "failed", "error"):
        for report in terminalreporter.getreports(outcome):
            # A report of a failed collection has no properties.
            for key, value in getattr(report, "user_properties", ()):
                if key == MISSING_PEER:
                    skipped.setdefault(value, set()).add(report.nodeid)
    if not skipped:
        return
    terminalreporter.section("real peers that are not on this machine")
    for peer, tests in sorted(skipped.items()):
        terminalreporter.line(f"{peer}: {len(tests)} test{'s' if len(tests) > 1 else ''} not run")
