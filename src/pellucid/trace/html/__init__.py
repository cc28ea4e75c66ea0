"""A connection as one HTML file: sequence, bytes and fields, key schedule, certificates, choices.

    text = page([trace], heading="TLS 1.3, step by step")

The file needs nothing else, and asks for nothing: style, script and data stand in it, and its policy (CSP)
lets only these two run, by their hashes. All that peers have said is in the data, as JSON, from which the
script builds the page with text nodes alone, so that nothing in it is ever read as HTML.
"""

from __future__ import annotations

import base64
import hashlib
import json
import pkgutil
from collections.abc import Callable, Sequence
from functools import cache

from pellucid.trace.html.document import document
from pellucid.trace.html.values import Json
from pellucid.trace.narration import Step
from pellucid.trace.recorder import Trace

__all__ = ["page", "policy"]

#: What stands above everything where secrets are shown, unless the caller knows better.
BANNER = "Whoever has this page can read the connection that it is about. Keep it to yourself."

_STYLES = ("base", "sequence", "details", "bytes", "keys", "print")
# One script in the end: what comes later uses what came before.
_SCRIPTS = (
    *("dom", "model", "words", "bytes", "commands", "records", "parts", "details"),
    *("sequence", "keys", "certificates", "overview", "search", "navigation", "main"),
)


def page(
    traces: Sequence[Trace],
    *,
    heading: str,
    note: str = "",
    banner: str = BANNER,
    retell: Callable[[Step], Step] = lambda step: step,
) -> str:
    """The page of these connections, oldest first; the last one is shown first.

    ``note`` stands below the heading; ``banner`` above everything, if secrets are shown. ``retell`` may add
    to a step what only the caller knows. It takes the package jinja2, of the extra ``cli``.
    """
    from jinja2 import Environment  # noqa: PLC0415 - who never shows a page need not have it
    from markupsafe import Markup  # noqa: PLC0415 - as above

    content = document(traces, heading=heading, note=note, retell=retell)
    content["banner"] = banner if content["revealed"] else ""
    template = Environment(autoescape=True, keep_trailing_newline=True).from_string(_text("page.html"))
    return template.render(
        title=heading,
        policy=policy(),
        # Ours, or escaped: none of them can end the element that it is in.
        style=Markup(_style()),  # noqa: S704 - our own file
        script=Markup(_script()),  # noqa: S704 - our own files
        data=Markup(_embedded(content)),  # noqa: S704 - has no < in it: see there
    )


@cache
def policy() -> str:
    """The Content-Security-Policy of every page: nothing is loaded, and only what stands in it may run."""
    return (
        f"default-src 'none'; style-src '{_hash(_style())}'; script-src '{_hash(_script())}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _embedded(content: Json) -> str:
    """JSON that cannot end the script element in which it stands, nor begin a comment in it."""
    text = json.dumps(content, ensure_ascii=True, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


@cache
def _style() -> str:
    return "\n".join(_text(f"css/{name}.css") for name in _STYLES)


@cache
def _script() -> str:
    parts = "\n".join(_text(f"js/{name}.js") for name in _SCRIPTS)
    return f'(function () {{\n"use strict";\n{parts}\n}})();\n'


@cache
def _text(name: str) -> str:
    data = pkgutil.get_data("pellucid.trace.html", name)
    if data is None:
        raise FileNotFoundError(f"{name} is missing from the package pellucid.trace.html")
    return data.decode()
