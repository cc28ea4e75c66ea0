"""What a demonstration writes as a capture, decoded, is what it has told itself."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from watching12 import events_of, messages, sealed

from pellucid.cli.app import app
from pellucid.decode import Decoder

DEMOS = [
    ("rsa",),
    ("rsa", "--mutual", "--resume"),
    ("dhe",),
    ("dhe", "--mutual", "--resume"),
    ("ecdhe",),
    ("ecdhe", "--mutual", "--resume"),
    ("ecdhe", "--group", "secp384r1", "--suite", "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384"),
]


def demonstrate(folder: Path, *options: str) -> tuple[bytes, list[dict[str, Any]]]:
    """The capture, and the documents of its connections, in order."""
    capture, document = folder / "demo.pcapng", folder / "demo.json"
    arguments = ["demo", "--tls", "1.2", "--key-exchange", *options, "--seed", "1"]
    files = ["--pcapng", str(capture), "--json", str(document)]
    ran = CliRunner().invoke(app, [*arguments, *files], catch_exceptions=False)
    assert ran.exit_code == 0
    last: dict[str, Any] = json.loads(document.read_text())
    return capture.read_bytes(), [*last.get("previous", []), last]


@pytest.mark.parametrize("options", DEMOS, ids=" ".join)
def test_a_demonstration_is_told_as_it_was_live(options: tuple[str, ...], tmp_path: Path) -> None:
    capture, documents = demonstrate(tmp_path, *options)
    decoded = list(Decoder(BytesIO(capture)).connections())
    for one, document in zip(decoded, documents, strict=True):
        live = [
            (event["side"], event["direction"], event["name"], event["raw"])
            for event in document["events"]
            if event["kind"] == "message"
        ]
        assert messages(events_of(one)) == live
        assert sealed(one) == []
        assert one.outcome is not None
        assert one.outcome.status == document["outcome"]["status"] == "connected"
        assert one.outcome.resumed == document["outcome"]["resumed"]
