"""The package's TOML files. Nothing is imported for them until something is to be explained."""

from __future__ import annotations

from functools import cache

__all__ = ["filled", "texts"]


@cache
def texts(name: str) -> dict[str, dict[str, str]]:
    """The tables of the file ``name`` of this package, by their keys."""
    # A program that only wants a connection pays 30 ms of import time for neither of these.
    import pkgutil  # noqa: PLC0415
    import tomllib  # noqa: PLC0415

    data = pkgutil.get_data("pellucid.trace", name)
    if data is None:
        raise FileNotFoundError(f"{name} is missing from the package pellucid.trace")
    return tomllib.loads(data.decode())


def filled(text: str, place: tuple[str, int | str]) -> str:
    """Advice with host and port of a connection where {host} and {port} stand."""
    host, port = place
    # RFC 3986 3.2.2: where a port follows it, an IPv6 address stands in brackets.
    before_port = f"[{host}]" if ":" in host else host
    text = text.replace("{host}:{port}", f"{before_port}:{port}")
    return text.replace("{host}", host).replace("{port}", str(port))
