"""Options that several commands have, and their meaning in one place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from pellucid import policy
from pellucid.codes import Registry

__all__ = ["CERTIFICATE_KINDS", "common", "named", "readable_file", "tls_option"]

F = TypeVar("F", bound=Callable[..., Any])

CERTIFICATE_KINDS = (
    "ecdsa",
    "ecdsa_p384",
    "ecdsa_p521",
    "rsa",
    "ed25519",
    "ed448",
    "mldsa44",
    "mldsa65",
    "mldsa87",
)


def readable_file() -> click.Path:
    """The type of an option that names a file to be read."""
    return click.Path(exists=True, dir_okay=False, path_type=Path)


def _tls(_: click.Context, __: click.Parameter, value: str) -> str:
    if value == "1.2":
        raise click.BadParameter("TLS 1.2 comes in a later version; this one speaks TLS 1.3")
    return value


def tls_option(function: F) -> F:
    """``--tls``: the version to speak."""
    return click.option(
        "--tls", type=click.Choice(["1.3", "1.2"]), default="1.3", callback=_tls, help="Version to speak."
    )(function)


def named(option: str, supported: tuple[Registry, ...], text: str) -> Callable[[F], F]:
    """An option whose value is an IANA name of something that is supported, in any case of letters."""
    names = [str(code) for code in supported]
    return click.option(
        option,
        type=click.Choice(names, case_sensitive=False),
        metavar="NAME",
        help=f"{text} One of: {', '.join(names)}.",
    )


def group_option(text: str) -> Callable[[F], F]:
    """``--group``: a group for the key exchange."""
    return named("--group", policy.SUPPORTED_GROUPS, text)


def suite_option(text: str) -> Callable[[F], F]:
    """``--suite``: a cipher suite."""
    return named("--suite", policy.SUPPORTED_CIPHER_SUITES, text)


def common(function: F) -> F:
    """What all commands share: how much is shown, and where data goes."""
    file = click.Path(dir_okay=False, writable=True, allow_dash=True)
    options = [
        click.option(
            "-v", "--verbose", "verbosity", count=True, help="-v shows fields, -vv shows bytes as well."
        ),
        click.option("--json", "json_file", type=file, metavar="FILE", help="Write the trace; - is stdout."),
        click.option(
            "--keylog",
            "keylog_file",
            type=file,
            metavar="FILE",
            help="Append the secrets that Wireshark needs; - is stdout. Default: SSLKEYLOGFILE, if set. "
            "Who has the file can read the connections.",
        ),
        click.option(
            "--reveal-secrets",
            is_flag=True,
            help="UNSAFE: show secrets and keys themselves, in the story and the JSON, and not only "
            "length and fingerprint. Who has them can read the connection.",
        ),
    ]
    for option in reversed(options):
        function = option(function)
    return function
