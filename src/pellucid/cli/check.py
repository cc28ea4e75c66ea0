"""``pellucid check``: certificates, chains and keys on disk, before a server or a client is given them."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pellucid.cli.options import crl_option, profiles_option, readable_file

if TYPE_CHECKING:
    from pellucid.identity.inspection import Inspection, Material, Wish

__all__ = ["check"]

_DEFAULT_DAYS = 14.0
# A directory of roots has some 300; more arguments than that is a shell's mistake.
_MOST_FILES = 512

_HELP = """Say what is wrong with certificates, chains and keys on disk, and until when they are good.

FILE is PEM or DER, and may hold certificates, a private key, or both. Each certificate that is no authority's
is taken for what a server would present, with what else its file has; if that is nothing, with the files that
have only authorities. It is told whether the key is that of the certificate, whether the chain is complete
and in order, for which names it is and until when, and what each profile of verifiers says of it.

\b
Examples:
  pellucid check fullchain.pem privkey.pem --name www.example.org
  pellucid check cert.pem chain.pem --cafile root.pem -v       every rule, on every candidate path
  pellucid check client.pem --purpose client --cafile ca.pem
  pellucid check /etc/pki/site/*.pem --days 30 --json -        for a deployment: exit code 10 with findings
  pellucid check cert.pem --profiles private,openssl --at 2027-06-01

Exit codes: 0 nothing found, 10 findings, 2 usage, 1 internal error.
"""


@click.command(help=_HELP)
@click.argument("files", nargs=-1, required=True, type=readable_file(), metavar="FILE...")
@click.option(
    "--name",
    "names",
    multiple=True,
    metavar="NAME",
    help="A host name or address that it has to be for; can be repeated. Default: any.",
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
    type=click.FloatRange(min=0),
    default=_DEFAULT_DAYS,
    show_default=True,
    metavar="DAYS",
    help="A certificate that ends within so many days is a finding (or within a third of its life).",
)
@click.option(
    "--at",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ"]),
    metavar="DATE",
    help="Judge as of this moment in UTC, such as 2027-06-01 or 2027-06-01T12:00:00. Default: now.",
)
@crl_option("Look for revoked certificates in this list.")
@click.option("-v", "--verbose", "verbosity", count=True, help="-v shows every rule on every candidate path.")
@click.option(
    "--json",
    "json_file",
    type=click.Path(dir_okay=False, writable=True, allow_dash=True),
    metavar="FILE",
    help="Write all of it as JSON; - is stdout.",
)
@click.pass_context
def check(context: click.Context, /, *, files: tuple[Path, ...], **options: Any) -> None:
    """The command; its help is ``_HELP``."""
    from pellucid.cli.check_report import document, tell
    from pellucid.cli.output import storyteller, write_data
    from pellucid.errors import TLSError
    from pellucid.identity.inspection import inspect

    if len(files) > _MOST_FILES:
        raise click.UsageError(f"{len(files)} files; {_MOST_FILES} are looked at at most")
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
        now=at.replace(tzinfo=UTC).timestamp() if at else time.time(),
        purpose=Purpose.CLIENT if options["purpose"] == "client" else Purpose.SERVER,
        names=options["names"],
        profiles=options["profiles"],
        within_days=options["days"],
        lists=RevocationLists.from_files(*crls) if crls else None,
    )


def _read(files: tuple[Path, ...]) -> Material:
    from pellucid.identity.inspection import MAX_FILE_BYTES, Material, read_material

    material = Material()
    for path in files:
        try:
            with path.open("rb") as file:
                data = file.read(MAX_FILE_BYTES + 1)
        except OSError as error:
            raise click.UsageError(f"{path}: {error.strerror or error}") from error
        material.add(read_material(data, str(path)))
    return material
