"""What the tests of the drivers share: configurations, and a blocking server in a thread."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from pellucid.config import ClientConfig, ServerConfig
from pellucid.identity.lab import Laboratory
from pellucid.io.blocking import TLSSocket, listen

SECONDS = 10.0  # for what should take milliseconds


@pytest.fixture(scope="session")
def laboratory() -> Laboratory:
    return Laboratory(b"tests of io", time.time())


@pytest.fixture(scope="session")
def server_config(laboratory: Laboratory) -> ServerConfig:
    return ServerConfig(credentials=[laboratory.credential()])


@pytest.fixture(scope="session")
def client_config(laboratory: Laboratory) -> ClientConfig:
    return ClientConfig(trust=laboratory.trust, sessions=None)


@dataclass
class Served:
    """A server at work: where it listens, and what its handler returns or raises."""

    address: tuple[str, int]
    outcome: Future[Any]

    def result(self) -> Any:
        return self.outcome.result(SECONDS)

    def error(self) -> BaseException | None:
        return self.outcome.exception(SECONDS)


Serve = Callable[..., AbstractContextManager[Served]]


@pytest.fixture
def serve(server_config: ServerConfig) -> Serve:
    """`with serve(handler) as server`: one connection is accepted in a thread and given to `handler`."""

    @contextmanager
    def serving(
        handler: Callable[[TLSSocket], object], config: ServerConfig = server_config
    ) -> Iterator[Served]:
        with listen("127.0.0.1", 0, config, timeout=SECONDS) as listener, ThreadPoolExecutor(1) as pool:

            def run() -> object:
                with listener.accept(timeout=SECONDS) as tls:
                    return handler(tls)

            yield Served(listener.address[:2], pool.submit(run))

    return serving
