"""``pellucid check``: certificates, chains and keys on disk, before a server or a client is given them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pellucid.cli.options import Amount, crl_option, output_file_option, profiles_option, readable_file

if TYPE_CHECKING:
    from pellucid.identity.inspection import Inspection, Material, Wish

__all__ = ["check"]

# A directory of roots has some 300; more arguments than that is a shell's mistake.
_MOST_FILES = 512
# The years that dates can have are no more.
_MOST_DAYS = 10_000 * 366

_HELP = """Say what is wrong with certificates, chains and keys on disk, and until when they are good.

FILE is PEM or DER, and may hold certificates, a private key, or both. Each certificate that is no authority's
is taken for what a server would present, with what else its file has; if that is nothing, with the files that
have only authorities. - is standard input. It is told whether the key is that of the certificate, whether the
chain is complete and in order, for which names it is and until when, and what each profile of verifiers says.

\b
Examples:
  pellucid check fullchain.pem privkey.pem --name www.example.org
  pellucid check cert.pem chain.pem --cafile root.pem -v    every rule
  pellucid check client.pem --purpose client --cafile ca.pem
  pellucid check /etc/pki/site/*.pem --days 30 --json -     for a deployment
  pellucid check cert.pem --profiles private,openssl --at 2027-06-01
  openssl s_client -showcerts -connect HOST:443 </dev/null | pellucid check -

Exit codes: 0 nothing found, 10 findings, 2 usage, 1 internal error.
"""


def _moment(_: click.Context, __: click.Parameter, value: str | None) -> datetime | None:
    """``--at``: in UTC unless it says otherwise."""
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise click.BadParameter(
            f"{value!r} is no moment such as 2027-06-01 or 2027-06-01T12:00:00"
        ) from None


@click.command(help=_HELP)
@click.argument("files", nargs=-1, required=True, type=readable_file(or_stdin=True), metavar="FILE...")
@click.option(
    "--name",
    "names",
    multiple=True,
    metavar="NAME",
    help="A host name or address that a server's has to be for; can be repeated. Default: any.",
)
@click.option(
    "--purpose",
    type=click.Choice(["server", "client"]),
    default="server",
    show_default=True,
    help="Who presents it.",
)
@click.option(
    "--cafile",
    type=readable_file(),
    metavar="FILE",
    help="Take these roots (PEM) for trusted, and no others. Default: the system's.",
)
@profiles_option("--profiles", "Ask only these, separated by commas; default: all.")
@click.option(
    "--days",
    type=Amount(_MOST_DAYS),
    metavar="DAYS",
    help="A certificate that ends within so many days is a finding. Default: 14, or a third of its life.",
)
@click.option(
    "--at",
    callback=_moment,
    metavar="DATE",
    help="Judge as of this moment in UTC, such as 2027-06-01 or 2027-06-01T12:00:00. Default: now.",
)
@crl_option("Look for revoked certificates in this list.")
@click.option("-v", "--verbose", "verbosity", count=True, help="-v shows every rule on every candidate path.")
@output_file_option("--json", "Write all of it as JSON; - is stdout.")
@click.pass_context
def check(context: click.Context, /, *, files: tuple[Path, ...], **options: Any) -> None:
    """The command; its help is ``_HELP``."""
    from pellucid.cli.check_report import document, tell
    from pellucid.cli.output import storyteller, write_data
    from pellucid.errors import TLSError
    from pellucid.identity.inspection import inspect

    if len(files) > _MOST_FILES:
        raise click.UsageError(f"{len(files)} files; {_MOST_FILES} are looked at at most")
    if options["names"] and options["purpose"] == "client":
        raise click.UsageError("--name is a server's: nobody compares a client's names with where it is")
    json_file = options["json_file"]
    story = storyteller(options["verbosity"], beside=json_file == "-")
    try:
        wish = _wish(options)
        inspection = inspect(_read(files), wish)
    except TLSError as error:
        raise click.UsageError(error.detail) from error
    tell(story, inspection, wish)
    if json_file:
        write_data("--json", json_file, document(inspection, wish))
    context.exit(_code(inspection))


def _code(inspection: Inspection) -> int:
    from pellucid.cli.exits import Exit

    serious = any(finding.serious for finding in inspection.everything)
    return Exit.FINDINGS if serious else Exit.DONE


def _wish(options: dict[str, Any]) -> Wish:
    from pellucid.identity import Purpose, TrustStore
    from pellucid.identity.inspection import Wish
    from pellucid.identity.revocation import RevocationLists

    at: datetime | None = options["at"]
    cafile, crls = options["cafile"], options["crls"]
    return Wish(
        trust=TrustStore.from_files(cafile) if cafile else TrustStore.system(),
        now=at.timestamp() if at else time.time(),
        purpose=Purpose.CLIENT if options["purpose"] == "client" else Purpose.SERVER,
        names=options["names"],
        profiles=options["profiles"],
        within_days=options["days"],
        lists=RevocationLists.from_files(*crls) if crls else None,
    )


def _read(files: Sequence[Path]) -> Material:
    """What is in the files, each once, however often it was named."""
    from pellucid.cli.source import named, opened
    from pellucid.identity.inspection import MAX_FILE_BYTES, Material, read_material

    material = Material()
    for name in dict.fromkeys(str(path) for path in files):
        with opened(name, bar=False) as file:
            material.add(read_material(file.read(MAX_FILE_BYTES + 1), named(name)))
    return material
