"""The package's TOML files. Nothing is imported for them until something is to be explained."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

__all__ = ["NOWHERE", "Place", "filled", "texts"]

_OUR_COMMAND = "pellucid connect {host}:{port}"
_OPENSSLS_COMMAND = "openssl s_client -connect {host}:{port}"


class Place(NamedTuple):
    """Where a server is, for the commands in advice about it.

    ``way``: the options without which `pellucid connect` does not get there, such as ("--starttls", "smtp").
    """

    host: str
    port: int | str
    way: tuple[tuple[str, str], ...] = ()


#: What stands in commands where nobody knows host and port.
NOWHERE = Place("HOST", "PORT")


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


def filled(text: str, place: Place) -> str:
    """Advice with host and port where {host} and {port} stand, and its commands going the same way."""
    host, port, _ = place = Place(*place)  # a pair will do
    text = _by_the_way(text, place)
    # RFC 3986 3.2.2: where a port follows it, an IPv6 address stands in brackets.
    before_port = f"[{host}]" if ":" in host else host
    text = text.replace("{host}:{port}", f"{before_port}:{port}")
    return text.replace("{host}", host).replace("{port}", str(port))


def _by_the_way(text: str, place: Place) -> str:
    """With the options of the way in its commands; what the advice gives itself is not given twice."""
    ours = [f" {option} {value}" for option, value in place.way if option not in text]
    openssls = [f" -starttls {value}" for option, value in place.way if option == "--starttls"]
    text = text.replace(_OUR_COMMAND, _OUR_COMMAND + "".join(ours))
    return text.replace(_OPENSSLS_COMMAND, _OPENSSLS_COMMAND + "".join(openssls))
