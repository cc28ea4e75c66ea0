"""What a demonstration of TLS 1.3 writes as a capture, decoded, is what it has told itself."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path

import pytest
from click.testing import CliRunner
from watching12 import checks, events_of, messages

from pellucid.cli.app import app
from pellucid.decode import Decoder

DEMOS = [
    (),
    ("--resume",),
    ("--mutual",),
    ("--mutual", "--resume"),
    ("--group", "secp384r1"),
    ("--group", "x25519", "--suite", "TLS_CHACHA20_POLY1305_SHA256"),
    ("--suite", "TLS_AES_256_GCM_SHA384", "--certificate", "rsa"),
    ("--certificate", "ed25519", "--mutual", "--group", "ffdhe2048"),
]


@pytest.mark.parametrize("options", DEMOS, ids=" ".join)
def test_a_demonstration_is_told_as_it_was_live(options: tuple[str, ...], tmp_path: Path) -> None:
    capture, document = tmp_path / "demo.pcapng", tmp_path / "demo.json"
    arguments = ["demo", *options, "--seed", "1", "--pcapng", str(capture), "--json", str(document)]
    assert CliRunner().invoke(app, arguments, catch_exceptions=False).exit_code == 0
    last = json.loads(document.read_text())
    decoded = list(Decoder(BytesIO(capture.read_bytes())).connections())
    for one, live in zip(decoded, [*last.get("previous", []), last], strict=True):
        told = [e for e in live["events"] if e["kind"] == "message"]
        assert messages(events_of(one)) == [(e["side"], e["direction"], e["name"], e["raw"]) for e in told]
        assert all(check.ok for check in checks(events_of(one)))
        assert {"finished"} <= {check.what for check in checks(events_of(one))}
        assert one.sealed == ()
        assert one.outcome is not None
        for name in ("status", "protocol", "cipher_suite", "group", "resumed", "server_name", "mutual"):
            assert getattr(one.outcome, name) == live["outcome"][name]
