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


def test_what_few_connections_need_is_not_loaded_with_the_engine() -> None:
    modules = modules_after("from pellucid import ClientConnection, ServerConnection")
    rare = {"allow", "raw_credentials", "raw_keys", "revocation", "inspection", "reasoning.explain"}
    assert modules.isdisjoint(f"pellucid.identity.{name}" for name in rare)
    assert modules.isdisjoint({"pellucid.diagnosis", "pellucid.driver.evidence", "pellucid.trace"})


def test_an_import_composes_nothing_that_reads_or_writes_structs() -> None:
    composed = "from pellucid.messages import tls13; print(*vars(tls13.Finished.codec))"
    attributes = modules_after(f"from pellucid import ClientConnection; {composed}")
    assert attributes.isdisjoint({"decode", "encode"})


def test_blocking_connections_do_not_need_asyncio() -> None:
    assert modules_after("from pellucid import connect, listen").isdisjoint({"asyncio", "ssl"})


def test_who_begins_with_tls_loads_nothing_of_what_may_come_before_it() -> None:
    modules = modules_after("from pellucid import aio, connect, wrap; aio.open_connection")
    assert modules.isdisjoint({"pellucid.preamble", "pellucid.io.way", "pellucid.io.aio_reaching"})


def test_asyncio_comes_with_aio() -> None:
    assert "asyncio" in modules_after("from pellucid import aio; aio.open_connection")
