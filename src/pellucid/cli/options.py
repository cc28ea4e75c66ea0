"""Options that several commands have, and their meaning in one place."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from pellucid import policy
from pellucid.codes import Registry
from pellucid.errors import Misuse

__all__ = [
    "CERTIFICATE_KINDS",
    "OUTPUTS",
    "SHOWN",
    "Amount",
    "common",
    "crl_option",
    "fault_options",
    "named",
    "only_with_faults",
    "output_file_option",
    "policy_option",
    "profiles_option",
    "readable_file",
    "revocation_options",
    "revocation_settings",
    "seconds_to_wait",
    "showing",
    "tls_option",
]

F = TypeVar("F", bound=Callable[..., Any])

# How long an authority is asked about one certificate.
_FETCH_SECONDS = 5.0

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


def profiles_option(name: str, text: str, *, default: str | None = None) -> Callable[[F], F]:
    """An option that takes profiles of verifiers, separated by commas: ``default``, or all of them."""
    # Not imported: the help text of each command would wait for the verifier to load.
    known = ("web", "private", "openssl", "python")

    def checked(_: click.Context, __: click.Parameter, value: str | None) -> tuple[str, ...]:
        if value is None:
            value = ",".join(known) if default is None else default
            if not value:
                return ()
        asked = tuple(dict.fromkeys(part.strip() for part in value.split(",")))
        wrong = [part for part in asked if part not in known]
        if wrong:
            raise click.BadParameter(f"{wrong[0]!r} is not one of {', '.join(known)}")
        return asked

    listed = "web (what browsers take), private (RFC 5280 alone), openssl (its default), python (3.13's)"
    return click.option(name, callback=checked, metavar="LIST", help=f"{text} There are: {listed}.")


def readable_file(*, or_stdin: bool = False) -> click.Path:
    """The type of an option that names a file to be read; ``or_stdin``: - is standard input."""
    return click.Path(exists=True, dir_okay=False, allow_dash=or_stdin, path_type=Path)


class Amount(click.FloatRange):
    """A number from 0 to ``most``; ``positive``: more than 0. "nan" passes the comparisons of a range."""

    def __init__(self, most: float, *, positive: bool = False) -> None:
        super().__init__(min=0, min_open=positive)
        self._most = most

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number: float = super().convert(value, param, ctx)
        if math.isnan(number) or number > self._most:
            self.fail(f"{value!r} is more than {self._most:,}, or no number", param, ctx)
        return number


def seconds_to_wait() -> Amount:
    """The type of ``--timeout``. Nobody waits longer than a year, and sockets cannot much longer."""
    return Amount(366 * 86_400, positive=True)


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


def crl_option(text: str) -> Callable[[F], F]:
    """``--crl``: lists of revoked certificates."""
    return click.option(
        "--crl",
        "crls",
        multiple=True,
        type=readable_file(),
        metavar="FILE",
        help=f"{text} PEM or DER; can be repeated.",
    )


def revocation_options(function: F) -> F:
    """``--revocation`` and where its answers come from; ``revocation_settings`` makes knobs of them."""
    options = [
        click.option(
            "--revocation",
            type=click.Choice(["off", "staple", "soft", "hard"]),
            help="How hard to ask whether a certificate was revoked. staple: what the server staples has to "
            "hold; soft: lists and authorities too, and no answer passes; hard: no answer is refused. "
            "Default: off, and soft with --crl or --fetch-status.",
        ),
        crl_option("Look for revoked certificates in this list."),
        click.option(
            "--fetch-status",
            is_flag=True,
            help="Ask the authorities over the network (OCSP, CRLs). They learn whom you speak with.",
        ),
    ]
    for option in reversed(options):
        function = option(function)
    return function


def revocation_settings(
    level: str | None, crls: Sequence[Path], *, fetches: bool, timeout_seconds: float = _FETCH_SECONDS
) -> dict[str, Any]:
    """What a configuration is to be given for these options. Raises ``Misuse`` for what is no list.

    ``timeout_seconds`` is that of the command: for one certificate no authority is waited for any longer.
    """
    searches = bool(crls) or fetches
    level = level or ("soft" if searches else "off")
    if searches and level not in ("soft", "hard"):
        raise click.UsageError(f"--crl and --fetch-status are not asked with --revocation {level}")
    settings: dict[str, Any] = {"revocation": level}
    if crls:
        from pellucid.identity.revocation import RevocationLists

        settings["revocation_lists"] = RevocationLists.from_files(*crls)
    if fetches:
        from pellucid.io.revocation import NetworkStatus

        settings["revocation_source"] = NetworkStatus(timeout_seconds=min(timeout_seconds, _FETCH_SECONDS))
    return settings


def output_file_option(option: str, text: str) -> Callable[[F], F]:
    """An option that names a file to be written."""
    file = click.Path(dir_okay=False, writable=True, allow_dash=True)
    return click.option(option, f"{option[2:]}_file", type=file, metavar="FILE", help=text)


_VERBOSE = click.option(
    "-v", "--verbose", "verbosity", count=True, help="-v shows fields, -vv shows bytes as well."
)
_JSON = output_file_option("--json", "Write the trace; - is stdout.")
_HTML = output_file_option(
    "--html", "Write a page that shows all of it in a browser, bytes and keys too; - is stdout."
)
_KEYLOG = output_file_option(
    "--keylog",
    "Append the secrets that Wireshark needs; - is stdout. Default: SSLKEYLOGFILE, if set. "
    "Who has the file can read the connections.",
)
_PCAPNG = output_file_option(
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


def fault_options(function: F) -> F:
    """``--fault`` and ``--list-faults``: to fail on purpose."""

    def checked(_: click.Context, __: click.Parameter, names: tuple[str, ...]) -> tuple[str, ...]:
        from pellucid.faults import FAULTS, find

        if "all" in names:
            return tuple(FAULTS)
        try:
            return tuple(dict.fromkeys(find(name).id for name in names))
        except Misuse as error:
            raise click.BadParameter(error.detail) from None

    def completed(_: click.Context, __: click.Parameter, incomplete: str) -> list[str]:
        from pellucid.faults import FAULTS

        return [name for name in (*FAULTS, "all") if name.startswith(incomplete.replace("-", "_"))]

    def listed(context: click.Context, _: click.Parameter, value: bool) -> None:
        if value:
            from pellucid.cli.faulty import listing

            click.echo(listing())
            context.exit()

    one = click.option(
        "--fault",
        "faults",
        multiple=True,
        metavar="ID",
        callback=checked,
        shell_complete=completed,
        help="Fail in this way, for a client to find out; can be repeated, and 'all' is all of them.",
    )
    every = click.option(
        "--list-faults",
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=listed,
        help="Show the faults that there are, and end.",
    )
    return one(every(function))


def only_with_faults(context: click.Context, *allowed: str) -> None:
    """``click.UsageError`` for an option that was given beside ``--fault`` and would not count."""
    known = {"faults", *allowed, *OUTPUTS}
    for parameter in context.command.params:
        name = parameter.name or ""
        given = context.get_parameter_source(name) is ParameterSource.COMMANDLINE
        if given and name not in known:
            raise click.UsageError(f"{parameter.opts[0]} does not go with --fault: a fault says all of that")
