"""What ``pellucid serve`` was asked for, and the configuration that comes of it."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pellucid.cli.options import protocols, revocation_settings
from pellucid.cli.raw_keys import raw_credential, trusted_keys
from pellucid.config import ServerConfig
from pellucid.identity import Credential, TrustStore
from pellucid.identity.lab import Laboratory
from pellucid.trace import Side, Trace, TraceView

if TYPE_CHECKING:
    from pellucid.cli.output import Output
    from pellucid.io.stapling import StapleFetcher

__all__ = ["TraceEach", "Wish", "configuration", "from_files", "names_for", "url", "visible", "write_root"]


@dataclass(frozen=True)
class Wish:
    """What was asked for."""

    host: str
    port: int
    cert: Path | None
    key: Path | None
    client_ca: Path | None
    certificate: str
    write_root: Path | None
    group: str | None
    suite: str | None
    timeout_seconds: float
    connections: int | None
    tls: str | None = None
    policy: str = "default"
    ocsp: Path | None = None
    fetch_ocsp: bool = False
    crls: tuple[Path, ...] = ()
    raw_key: Path | None = None
    client_keys: tuple[str | Path, ...] = ()


def configuration(wish: Wish, output: Output, files: dict[str, Any]) -> ServerConfig:
    """The server's configuration, with what is ``from_files``; says where the root is if it made one. Raises
    ``TLSError``, ``OSError``.
    """
    settings: dict[str, Any] = {
        "policy": wish.policy,
        "protocols": protocols(wish.tls),
        "trace": TraceEach(reveal_secrets=output.reveal_secrets),
        "key_log": output.key_log,
        "alpn_protocols": ["http/1.1"],
        "groups": [wish.group] if wish.group else (),
        "cipher_suites": [wish.suite] if wish.suite else (),
    }
    if "credentials" not in files:
        settings["credentials"] = [_laboratory_credential(wish, output)]
    elif wish.raw_key:
        output.announce(f"for clients to trust: {files['credentials'][0].subject}")
    return ServerConfig(**settings | files)


def from_files(wish: Wish, keep: Callable[[StapleFetcher], StapleFetcher]) -> dict[str, Any]:
    """The part of the configuration that is read from files, and can be read again. ``keep``: enters what is
    to be closed when it is no longer used. Raises ``TLSError``, ``OSError``.
    """
    settings: dict[str, Any] = {}
    credentials = [raw_credential(wish.raw_key, names_for(wish.host))] if wish.raw_key else []
    if wish.cert and wish.key:
        credential = Credential.from_files(wish.cert, wish.key, ocsp=wish.ocsp)
        credentials.append(_fetching(credential, keep) if wish.fetch_ocsp else credential)
    if credentials:
        settings["credentials"] = credentials
    if wish.client_ca:
        settings["trust"] = TrustStore.from_files(wish.client_ca)
        settings |= revocation_settings(None, wish.crls, fetches=False)
    settings |= trusted_keys(wish.client_keys, settings.get("trust"))
    if "trust" in settings:
        settings["client_authentication"] = "required"
    return settings


def _fetching(credential: Credential, keep: Callable[[StapleFetcher], StapleFetcher]) -> Credential:
    from pellucid.io.stapling import StapleFetcher

    return credential.with_staple(keep(StapleFetcher(credential)))


def _laboratory_credential(wish: Wish, output: Output) -> Credential:
    laboratory = Laboratory(None, time.time())
    write_root(laboratory.root_pem, wish.write_root, output)
    return laboratory.credential(wish.certificate, names_for(wish.host))


def names_for(host: str) -> list[str]:
    """What a laboratory's certificate is for, of a server that listens on ``host``."""
    names = ["localhost", "127.0.0.1", "::1"]
    return names if visible(host) in names else [*names, visible(host)]


def write_root(pem: bytes, path: Path | None, output: Output) -> None:
    """Write a laboratory's root, and say where it is: if no file is given, in one that is there as long as
    the server is, for its key is no longer. ``click.UsageError`` where it cannot be written.
    """
    if path:
        try:
            path.write_bytes(pem)
        except OSError as error:
            raise click.UsageError(f"--write-root: {path}: {error.strerror}") from error
    else:
        path = output.keep(_passing(pem))
    output.announce(f"a laboratory's root, for clients to trust: {path}")


@contextmanager
def _passing(pem: bytes) -> Iterator[Path]:
    descriptor, name = tempfile.mkstemp(prefix="pellucid-root-", suffix=".pem")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


def visible(host: str) -> str:
    """The name under which a browser on this machine reaches a server on ``host``."""
    return "localhost" if host in ("0.0.0.0", "::", "") else host  # noqa: S104 - compared, not bound


def url(host: str, port: int) -> str:
    """What to give to a browser on this machine."""
    name = visible(host)
    return f"https://[{name}]:{port}/" if ":" in name else f"https://{name}:{port}/"


class TraceEach(Trace):
    """Given to a configuration that many connections share: each gets a trace of its own."""

    def view(self, side: Side) -> TraceView:
        return Trace(reveal_secrets=self.reveal_secrets).view(side)
