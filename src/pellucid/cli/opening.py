"""What captured connections are opened and judged with, from the files that ``decode`` was given."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pellucid.errors import Misuse
from pellucid.printable import escaped

if TYPE_CHECKING:
    from pellucid.cli.output import Output
    from pellucid.decode import KeyMaterial
    from pellucid.identity import TrustStore

__all__ = ["key_material", "trust_store"]

# A key log is handed on in pieces of about so many characters.
_PIECE = 2**20

# Of a line, what is kept until its end is there: where there are no lines, it is no key log.
_LONGEST_LINE = 4096


def key_material(keylogs: Sequence[Path], private_keys: Sequence[Path], output: Output) -> KeyMaterial:
    """All that was given to open connections with. A key log without secrets is warned about."""
    from pellucid.decode import KeyMaterial
    from pellucid.identity import load_rsa_private_key

    keys = KeyMaterial()
    for path in private_keys:
        try:
            keys.add_private_key(load_rsa_private_key(path.read_bytes()))
        except Misuse as error:
            hint = _key_hint(error.detail)
            raise click.UsageError(f"--key: {_shown(path)}: {escaped(error.detail)}{hint}") from error
        except OSError as error:
            raise click.UsageError(f"--key: {_shown(path)}: {error.strerror}") from error
    for path in keylogs:
        _add_key_log(keys, path, output)
    environment = os.environ.get("SSLKEYLOGFILE")
    if environment and not keylogs and Path(environment).is_file():
        _add_key_log(keys, Path(environment), output)
    return keys


def _shown(path: Path) -> str:
    """A file's name, in which there may be anything."""
    return escaped(str(path))


def _key_hint(detail: str) -> str:
    if "encrypted" in detail:
        return "; decrypt it first: openssl pkey -in FILE -out PLAIN"
    return "; only RSA keys open anything, in the RSA key exchange of TLS 1.2" if "RSA" in detail else ""


def _add_key_log(keys: KeyMaterial, path: Path, output: Output) -> None:
    taken = 0
    try:
        # RFC 9850 allows for the line ends of any system, and so does a text file.
        with path.open(encoding="ascii", errors="replace") as file:
            rest = ""
            while piece := file.read(_PIECE):
                lines, _, rest = (rest + piece).rpartition("\n")
                taken += keys.add_key_log(lines)
                rest = rest[:_LONGEST_LINE]
            taken += keys.add_key_log(rest)
    except OSError as error:
        raise click.UsageError(f"--keylog: {_shown(path)}: {error.strerror}") from error
    if not taken:
        output.warn(
            f"{path} holds no secret of a key log, and opens nothing. Expected are lines of three words: a "
            "label such as CLIENT_RANDOM or CLIENT_TRAFFIC_SECRET_0, 64 hex digits, and the secret in hex"
        )


def trust_store(cafile: Path | None) -> TrustStore | None:
    """The roots in this file; None without one."""
    from pellucid.identity import TrustStore

    if cafile is None:
        return None
    try:
        return TrustStore.from_files(cafile)
    except Misuse as error:
        raise click.UsageError(f"--cafile: {escaped(error.detail)}") from error
