"""What ``pellucid connect`` was asked for, and the configuration that it comes to."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pellucid.cli.options import protocols, revocation_settings
from pellucid.cli.raw_keys import raw_credential, trusted_keys

if TYPE_CHECKING:
    from pellucid.config import ClientConfig
    from pellucid.keys.key_log import KeyLog
    from pellucid.trace import Trace
    from pellucid.trace.texts import Place

__all__ = ["Request", "configuration", "parse_target"]

_DEFAULT_PORT = 443
_MAX_PORT = 65535


@dataclass(frozen=True)
class Request:
    """Whom to connect to, and how."""

    host: str
    port: int
    server_name: str | None = None
    timeout_seconds: float = 10.0
    cafile: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    server_keys: tuple[str | Path, ...] = ()
    raw_key: Path | None = None
    alpn: tuple[str, ...] = ()
    group: str | None = None
    suite: str | None = None
    tls: str | None = None
    policy: str = "default"
    profile: str = "web"
    compare: tuple[str, ...] = ()
    revocation: str | None = None
    crls: tuple[Path, ...] = ()
    fetch_status: bool = False
    starttls: str | None = None
    proxy: str | None = field(default=None, repr=False)  # there may be a password in it
    why: bool = False

    @property
    def proxy_shown(self) -> str | None:
        """The proxy's URL without the password, for people to fill in."""
        from pellucid.preamble.proxies import Proxy

        if not self.proxy:
            return None
        proxy = Proxy.parse(self.proxy)
        return str(proxy) if proxy.user is None else str(proxy).replace("://", "://USER:PASSWORD@", 1)

    @property
    def place(self) -> Place:
        """Where the server is, with the options that lead to it."""
        from pellucid.trace.texts import Place

        options = {
            "--starttls": self.starttls,
            "--proxy": self.proxy_shown,
            "--server-name": self.server_name,
            "--cafile": self.cafile and str(self.cafile),
        }
        way = ((option, shlex.quote(value)) for option, value in options.items() if value)
        return Place(self.host, self.port, tuple(way))

    @property
    def name(self) -> str:
        """Who the server must prove to be."""
        return self.server_name or self.host


def parse_target(target: str, default_port: int = _DEFAULT_PORT) -> tuple[str, int]:
    """Host and port of ``HOST``, ``HOST:PORT``, ``[IPv6]:PORT`` or a bare IPv6 address."""
    if target.startswith("["):
        host, bracket, rest = target[1:].partition("]")
        if not bracket or not host or (rest and not rest.startswith(":")):
            raise click.BadParameter(f"{target!r} is not [ADDRESS]:PORT")
        port = rest[1:]
    elif "://" in target:
        plain = target.partition("://")[2].partition("/")[0]
        raise click.BadParameter(f"{target!r} is a URL; give HOST[:PORT]: {plain}")
    elif target.count(":") > 1:
        host, port = target, ""
    else:
        host, _, port = target.partition(":")
    if not host:
        raise click.BadParameter(f"{target!r} has no host")
    if not port:
        return host, default_port
    if not (port.isascii() and port.isdigit() and 0 < int(port) <= _MAX_PORT):
        raise click.BadParameter(f"{port!r} is not a port (1 to {_MAX_PORT})")
    return host, int(port)


def configuration(request: Request, key_log: KeyLog | None, trace: Trace, **changes: Any) -> ClientConfig:
    """What the options come to, with ``changes``, settings that stand in the place of theirs.

    Raises ``Misuse`` for files that are not what they should be.
    """
    from pellucid.config import ClientConfig
    from pellucid.identity import Credential, TrustStore

    settings: dict[str, Any] = {
        "policy": request.policy,
        "protocols": protocols(request.tls),
        "trace": trace,
        "key_log": key_log,
        "alpn_protocols": request.alpn,
        "certificate_profile": request.profile,
        **revocation_settings(
            request.revocation,
            request.crls,
            fetches=request.fetch_status,
            timeout_seconds=request.timeout_seconds,
        ),
    }
    if request.cafile:
        settings["trust"] = TrustStore.from_files(request.cafile)
    settings |= trusted_keys(request.server_keys, settings.get("trust"))
    credentials = [raw_credential(request.raw_key)] if request.raw_key else []
    if request.cert and request.key:
        credentials.append(Credential.from_files(request.cert, request.key))
    settings["credentials"] = credentials
    if request.group:
        settings["groups"] = [request.group]
    if request.suite:
        settings["cipher_suites"] = [request.suite]
    return ClientConfig(**(settings | changes))
