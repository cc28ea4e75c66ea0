"""What seeded demonstrations tell, in three forms, short enough to be read when they change.

    PYTHONPATH=src python tests/support/golden.py      writes the files in tests/golden anew

`NAME.txt` is the narration as it stands on a terminal of 80 columns. Of some there is more: `NAME.json.txt`
has the trace, one line an event, and `NAME.html.txt` the page, one line a step, record or secret. Each line
says what it is about and ends with a hash of all that there is of it, so that nothing changes unseen.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "golden"

#: By name: what is given to `pellucid demo --seed 1`. Signatures by RSA keys, and ML-DSA, do not repeat.
STORIES = {
    "tls13": [],
    "mutual": ["--mutual"],
    "resumed": ["--resume"],
    "retried": ["--group", "secp384r1"],
    "chacha-ed25519": ["--suite", "TLS_CHACHA20_POLY1305_SHA256", "--certificate", "ed25519"],
    "tls12": ["--tls", "1.2"],
    "tls12-rsa": ["--tls", "1.2", "--key-exchange", "rsa"],
    "tls12-resumed": ["--tls", "1.2", "--resume"],
    "tls12-cbc-mutual": ["--tls", "1.2", "--suite", "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", "--mutual"],
}
NARRATION, TRACE, PAGE = "txt", "json.txt", "html.txt"
#: Those of which there is more than the narration.
IN_FULL = ("tls13", "mutual", "resumed", "retried", "tls12", "tls12-rsa", "tls12-resumed")
FILES = [
    *((story, NARRATION) for story in STORIES),
    *((story, form) for story in IN_FULL for form in (TRACE, PAGE)),
]

_SECONDS = 60
_DATA = re.compile(r'<script id="data" type="application/json">(.*?)</script>', re.DOTALL)
# What tells of which event, step, record or secret a line is.
_OF_EVENTS = (
    *("n", "side", "kind", "direction", "name", "what", "chosen", "found", "content_type", "length"),
    *("description", "epoch", "whose", "status", "protocol"),
)
_OF_STEPS = ("number", "side", "title", "size", "protection")
_OF_RECORDS = ("number", "side", "size", "outside", "inside", "protection", "sequence")
_OF_KEYS = ("name", "lane", "rank", "formula", "used_by")
_LONGEST = 60


def told(story: str) -> dict[str, str]:
    """The text of each form of a story."""
    with tempfile.TemporaryDirectory() as folder:
        trace, page = Path(folder, "trace.json"), Path(folder, "page.html")
        command = [sys.executable, "-m", "pellucid", "demo", "--seed", "1", *STORIES[story]]
        done = subprocess.run(
            [*command, "--json", trace, "--html", page],
            check=True, capture_output=True, timeout=_SECONDS, env=_environment(),
        )  # fmt: skip
        lines = {
            NARRATION: done.stdout.decode().splitlines(),
            TRACE: _of_trace(json.loads(trace.read_text(encoding="utf-8"))),
            PAGE: _of_page(page.read_text(encoding="utf-8")),
        }
        return {form: "".join(f"{line}\n" for line in found) for form, found in lines.items()}


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name != "SSLKEYLOGFILE"}
    return kept | {"COLUMNS": "80", "NO_COLOR": "1", "PYTHONUTF8": "1"}


def _of_trace(document: Mapping[str, Any]) -> Iterator[str]:
    for earlier in document.get("previous", ()):
        yield "# a connection before"
        yield from _of_trace(earlier)
    yield f"# {document['schema']}"
    yield _line(document["outcome"], tuple(document["outcome"]))
    for event in document["events"]:
        yield _line(event, _OF_EVENTS)
        if event["kind"] == "message" and event["direction"] == "sent":
            yield from _tree(event["fields"], 1)


def _tree(fields: list[Mapping[str, Any]], depth: int) -> Iterator[str]:
    """The fields of a message, but for the items of long lists."""
    for field in fields[:20]:
        value = field["meaning"] or field["value"]
        yield f"{'  ' * depth}{field['name']} {field['offset']}+{field['length']}: {_brief(value)}"
        if depth < 2:
            yield from _tree(field.get("fields", []), depth + 1)


def _of_page(text: str) -> Iterator[str]:
    found = _DATA.search(text)
    assert found
    data = json.loads(found[1])
    yield _line(data, ("heading", "note", "banner", "revealed"))
    for number, connection in enumerate(data["connections"], 1):
        yield f"# connection {number}"
        yield _line(connection, ("title", "sees", "still", "outcome", "summary"))
        yield from (_line(step, _OF_STEPS) for step in connection["steps"])
        yield from (_line(record, _OF_RECORDS) for record in connection["records"])
        yield from (_line(key, _OF_KEYS) for key in connection["keys"])
    around = text[: found.start(1)] + text[found.end(1) :]
    yield f"what stands around the data: {_hash(around)}"


def _line(node: Mapping[str, Any], names: tuple[str, ...]) -> str:
    told = [_brief(node[name]) for name in names if node.get(name) not in (None, "", [])]
    return f"{' | '.join(told)} | {_hash(json.dumps(node, sort_keys=True))}"


def _brief(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def main() -> None:
    """Write all of them."""
    for old in FOLDER.glob("*.txt"):
        old.unlink()
    for story in STORIES:
        for form, text in told(story).items():
            if (story, form) in FILES:
                (FOLDER / f"{story}.{form}").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
