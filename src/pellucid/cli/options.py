"""Options that several commands have, and their meaning in one place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from pellucid import policy
from pellucid.codes import Registry

__all__ = [
    "CERTIFICATE_KINDS",
    "OUTPUTS",
    "SHOWN",
    "common",
    "named",
    "policy_option",
    "readable_file",
    "showing",
    "tls_option",
]

F = TypeVar("F", bound=Callable[..., Any])

# More names than this are not listed in a help text.
_LISTED = 15

# What `common` adds to a command, and `Output` takes.
OUTPUTS = (
    *("verbosity", "json_file", "html_file", "keylog_file", "pcapng_file"),
    *("secrets", "reveal_secrets"),
)
# The same for `showing`.
SHOWN = ("verbosity", "json_file", "html_file", "reveal_secrets")

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


def tls_option(text: str, default: str | None = None) -> Callable[[F], F]:
    """``--tls``: the version to speak."""
    return click.option(
        "--tls",
        type=click.Choice(["1.3", "1.2"]),
        default=default,
        show_default=default is not None,
        help=text,
    )


def protocols(tls: str | None) -> list[str]:
    """``--tls`` as a configuration has it; empty: what the policy says."""
    return [f"TLSv{tls}"] if tls else []


def policy_option(function: F) -> F:
    """``--policy``: what is offered or accepted where no other option says."""
    return click.option(
        "--policy",
        type=click.Choice(list(policy.POLICIES)),
        default="default",
        show_default=True,
        help="modern: TLS 1.3 alone; default: what a browser does today; compatible: also what is old"
        " (in TLS 1.2 RSA key exchange, DHE and CBC).",
    )(function)


def named(option: str, supported: tuple[Registry, ...], text: str) -> Callable[[F], F]:
    """An option whose value is an IANA name of something that is supported, in any case of letters."""
    names = [str(code) for code in supported]
    few = len(names) <= _LISTED
    listed = f"One of: {', '.join(names)}." if few else f"Such as {names[0]}; a wrong name gets the list."

    # A click.Choice would do, but shows the names in lower case when it is given a wrong one.
    def checked(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
        if value is None:
            return None
        for name in names:
            if name.lower() == value.lower():
                return name
        raise click.BadParameter(f"{value!r} is not one of {', '.join(names)}.")

    def completed(_: click.Context, __: click.Parameter, incomplete: str) -> list[str]:
        return [name for name in names if name.lower().startswith(incomplete.lower())]

    return click.option(
        option, callback=checked, shell_complete=completed, metavar="NAME", help=f"{text} {listed}"
    )


def group_option(text: str) -> Callable[[F], F]:
    """``--group``: a group for the key exchange."""
    return named("--group", policy.SUPPORTED_GROUPS, text)


def suite_option(text: str) -> Callable[[F], F]:
    """``--suite``: a cipher suite."""
    return named("--suite", policy.SUPPORTED_CIPHER_SUITES, text)


def _file_option(option: str, text: str) -> Callable[[F], F]:
    """An option that names a file to be written."""
    file = click.Path(dir_okay=False, writable=True, allow_dash=True)
    return click.option(option, f"{option[2:]}_file", type=file, metavar="FILE", help=text)


_VERBOSE = click.option(
    "-v", "--verbose", "verbosity", count=True, help="-v shows fields, -vv shows bytes as well."
)
_JSON = _file_option("--json", "Write the trace; - is stdout.")
_HTML = _file_option(
    "--html", "Write a page that shows all of it in a browser, bytes and keys too; - is stdout."
)
_KEYLOG = _file_option(
    "--keylog",
    "Append the secrets that Wireshark needs; - is stdout. Default: SSLKEYLOGFILE, if set. "
    "Who has the file can read the connections.",
)
_PCAPNG = _file_option(
    "--pcapng",
    "Write a capture that Wireshark opens decrypted; - is stdout, for a pipe into it. "
    "Who has the file can read the connections.",
)
_NO_SECRETS = click.option(
    "--no-secrets",
    "secrets",
    is_flag=True,
    flag_value=False,
    default=True,
    help="Leave the secrets out of the capture, which stays encrypted then, and of a demo's page.",
)
_REVEAL = click.option(
    "--reveal-secrets",
    "--show-secrets",
    "reveal_secrets",
    is_flag=True,
    help="UNSAFE: show secrets and keys themselves, in the story, the JSON and the page, and not "
    "only length and fingerprint. Who has them can read the connection.",
)


def common(function: F) -> F:
    """What all commands share that connect: how much is shown, and where data goes."""
    return _with(function, _VERBOSE, _JSON, _HTML, _KEYLOG, _PCAPNG, _NO_SECRETS, _REVEAL)


def showing(function: F) -> F:
    """Of these, what is about a story, wherever it comes from."""
    return _with(function, _VERBOSE, _JSON, _HTML, _REVEAL)


def _with(function: F, *options: Callable[[F], F]) -> F:
    for option in reversed(options):
        function = option(function)
    return function
