"""What an import costs: no driver, and above all no asyncio, before a connection is wanted."""

from __future__ import annotations

import subprocess
import sys


def modules_after(statement: str) -> set[str]:
    show = "import sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", f"{statement}\n{show}"], capture_output=True, text=True, check=True, timeout=60
    )
    return set(done.stdout.split())


def test_the_engine_needs_no_driver() -> None:
    modules = modules_after("from pellucid import ClientConnection, ServerConnection")
    # `socket` itself may come with cryptography, which uses `email.utils`
    assert modules.isdisjoint({"asyncio", "ssl", "pellucid.io"})


def test_blocking_connections_do_not_need_asyncio() -> None:
    assert modules_after("from pellucid import connect, listen").isdisjoint({"asyncio", "ssl"})


def test_who_begins_with_tls_loads_nothing_of_what_may_come_before_it() -> None:
    modules = modules_after("from pellucid import aio, connect, wrap; aio.open_connection")
    assert modules.isdisjoint({"pellucid.preamble", "pellucid.io.way", "pellucid.io.aio_reaching"})


def test_asyncio_comes_with_aio() -> None:
    assert "asyncio" in modules_after("from pellucid import aio; aio.open_connection")
