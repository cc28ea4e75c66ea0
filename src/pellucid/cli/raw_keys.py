"""Raw public keys (RFC 7250) on the command line: the options of both sides, and what they come to."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import click

from pellucid.cli.options import readable_file

if TYPE_CHECKING:
    from pellucid.identity import Credential, TrustStore

__all__ = ["raw_credential", "raw_key_option", "trusted_keys", "trusted_keys_option"]

F = TypeVar("F", bound=Callable[..., Any])

#: Of the other side.
Keys: TypeAlias = tuple[str | Path, ...]

#: As curl writes a pin.
_PIN = "sha256//"


def _key_or_pin(context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> Keys:
    """A public key is a file that has it in PEM or DER, or its pin."""

    def read(value: str) -> str | Path:
        if value.startswith(_PIN):
            return value
        readable_file().convert(value, parameter, context)
        return Path(value)

    return tuple(map(read, values))


def trusted_keys_option(name: str, text: str) -> Callable[[F], F]:
    """An option that names keys of the other side."""
    return click.option(
        name,
        f"{name[2:].replace('-', '_')}s",
        multiple=True,
        callback=_key_or_pin,
        metavar="KEY",
        help=f"{text} A file (PEM), or its pin, {_PIN}...; can be repeated.",
    )


def raw_key_option(text: str) -> Callable[[F], F]:
    """``--raw-key``: a private key of our own."""
    return click.option("--raw-key", type=readable_file(), metavar="FILE", help=text)


def trusted_keys(keys: Keys, trust: TrustStore | None) -> dict[str, Any]:
    """The settings for these keys of the other side, and for ``trust``, the roots, where there are any; {}
    without keys. Raises ``TLSError`` for what is no key.
    """
    from pellucid.identity import TrustStore

    if not keys:
        return {}
    read = [key if isinstance(key, str) else _read(key) for key in keys]
    types = ["RawPublicKey"] if trust is None else ["RawPublicKey", "X509"]
    both = TrustStore.from_keys(read) if trust is None else trust.with_keys(read)
    return {"trust": both, "peer_certificate_types": types}


def raw_credential(path: Path, names: Iterable[str] = ()) -> Credential:
    """Of the private key in that file. Raises ``TLSError``."""
    from pellucid.identity import Credential

    return Credential.from_raw_key(_read(path), names=names)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise click.UsageError(f"{path} cannot be read: {error.strerror}") from error
