"""From a name to a TCP connection: every address gets its chance, within one deadline."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from pellucid.io import dial as dialling
from pellucid.io.dial import Address, dial, resolve
from pellucid.io.waiting import Deadline


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield sock


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that is bound, so that nobody else takes it, and refuses connections."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock.getsockname()[1]


@pytest.fixture
def silent_address() -> Iterator[Address]:
    """An address that neither accepts nor refuses: a listener whose queue is full."""
    with contextlib.ExitStack() as stack:
        full = stack.enter_context(socket.socket())
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(8):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        yield Address(socket.AF_INET, full.getsockname())


def use_addresses(monkeypatch: pytest.MonkeyPatch, *addresses: Address) -> None:
    monkeypatch.setattr(dialling, "resolve", lambda *_: list(addresses))


def here(port: int) -> Address:
    return Address(socket.AF_INET, ("127.0.0.1", port))


def test_connects_to_a_listener(listener: socket.socket) -> None:
    with dial("127.0.0.1", listener.getsockname()[1], Deadline(5.0)) as sock:
        assert sock.getpeername() == listener.getsockname()


def test_the_socket_does_not_block(listener: socket.socket) -> None:
    with dial("127.0.0.1", listener.getsockname()[1], Deadline(5.0)) as sock:
        assert sock.gettimeout() == 0.0


def test_a_refusal_keeps_its_class_and_names_the_address(closed_port: int) -> None:
    with pytest.raises(ConnectionRefusedError, match=rf"127\.0\.0\.1:{closed_port}: Connection refused"):
        dial("127.0.0.1", closed_port, Deadline(5.0))


def test_an_error_lists_every_address(monkeypatch: pytest.MonkeyPatch, closed_port: int) -> None:
    use_addresses(monkeypatch, here(closed_port), Address(socket.AF_INET6, ("::1", closed_port, 0, 0)))
    with pytest.raises(OSError, match=rf"127\.0\.0\.1:{closed_port}: .*; \[::1\]:{closed_port}: "):
        dial("both.test", closed_port, Deadline(5.0))


def test_an_address_that_refuses_gives_way_to_the_next(
    monkeypatch: pytest.MonkeyPatch, closed_port: int, listener: socket.socket
) -> None:
    use_addresses(monkeypatch, here(closed_port), here(listener.getsockname()[1]))
    with dial("both.test", 0, Deadline(5.0)) as sock:
        assert sock.getpeername() == listener.getsockname()


def test_an_address_that_says_nothing_does_not_keep_the_next_waiting(
    monkeypatch: pytest.MonkeyPatch, silent_address: Address, listener: socket.socket
) -> None:
    monkeypatch.setattr(dialling, "ATTEMPT_DELAY_SECONDS", 0.01)
    use_addresses(monkeypatch, silent_address, here(listener.getsockname()[1]))
    began = time.monotonic()
    with dial("both.test", 0, Deadline(30.0)) as sock:
        assert sock.getpeername() == listener.getsockname()
    assert time.monotonic() - began < 10


def test_the_deadline_ends_an_attempt_and_says_who_did_not_answer(
    monkeypatch: pytest.MonkeyPatch, silent_address: Address
) -> None:
    use_addresses(monkeypatch, silent_address)
    with pytest.raises(TimeoutError, match=r"127\.0\.0\.1:\d+: no answer \(within 0\.05 s\)"):
        dial("silent.test", 1, Deadline(0.05))


def test_addresses_that_time_left_out_are_listed_as_not_tried(
    monkeypatch: pytest.MonkeyPatch, silent_address: Address
) -> None:
    use_addresses(monkeypatch, silent_address, here(9))
    with pytest.raises(TimeoutError, match=r"no answer; 127\.0\.0\.1:9: not tried"):
        dial("silent.test", 1, Deadline(0.05))


def test_families_alternate(monkeypatch: pytest.MonkeyPatch) -> None:
    def found(*_: Any, **__: Any) -> list[Any]:
        four = [(socket.AF_INET, 1, 6, "", (f"192.0.2.{n}", 443)) for n in (1, 2)]
        six = [(socket.AF_INET6, 1, 6, "", (f"2001:db8::{n}", 443, 0, 0)) for n in (1, 2, 3)]
        return six + four

    monkeypatch.setattr(socket, "getaddrinfo", found)
    order = [str(address) for address in resolve("both.test", 443, Deadline(1.0))]
    assert order == [
        "[2001:db8::1]:443",
        "192.0.2.1:443",
        "[2001:db8::2]:443",
        "192.0.2.2:443",
        "[2001:db8::3]:443",
    ]


def test_the_deadline_covers_a_resolver_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = threading.Event()

    def slow(*_: Any, **options: Any) -> list[Any]:
        if options.get("flags"):
            raise socket.gaierror(socket.EAI_NONAME, "not an address")
        answer.wait(10)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    try:
        with pytest.raises(TimeoutError, match=r"looking up the name 'slow\.test'"):
            resolve("slow.test", 443, Deadline(0.05))
    finally:
        answer.set()


def test_what_the_resolver_says_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: Any, **__: Any) -> list[Any]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(socket.gaierror) as caught:
        resolve("nowhere.test", 443, Deadline(5.0))
    assert caught.value.errno == socket.EAI_NONAME


def test_a_name_that_cannot_be_one_is_a_resolver_error() -> None:
    with pytest.raises(socket.gaierror, match="is not a host name"):
        resolve("a" * 64 + ".test", 443, Deadline(5.0))


def test_a_family_that_this_machine_lacks_is_one_more_failure(
    monkeypatch: pytest.MonkeyPatch, listener: socket.socket
) -> None:
    use_addresses(monkeypatch, Address(0x7FFF, ("nowhere", 1)), here(listener.getsockname()[1]))
    with dial("both.test", 0, Deadline(5.0)) as sock:
        assert sock.getpeername() == listener.getsockname()


def test_different_failures_are_no_particular_error(
    monkeypatch: pytest.MonkeyPatch, closed_port: int
) -> None:
    use_addresses(monkeypatch, Address(0x7FFF, ("nowhere", 1)), here(closed_port))
    with pytest.raises(OSError, match=r"cannot connect to two\.test port 443") as caught:
        dial("two.test", 443, Deadline(5.0))
    assert caught.value.errno is None
