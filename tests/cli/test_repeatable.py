"""`--seed`: the same story each time, in processes that share nothing, and with the defaults."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


def run(*arguments: str, hash_seed: str) -> str:
    """What a process of its own says, on both streams."""
    environment = os.environ | {
        "PYTHONHASHSEED": hash_seed,
        "COLUMNS": "80",
        "NO_COLOR": "1",
        "PYTHONUTF8": "1",
    }
    command = [sys.executable, "-m", "pellucid", "demo", "--seed", "1", *arguments]
    done = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment, timeout=60
    )
    return done.stdout.decode()


def twice(*arguments: str) -> tuple[str, str]:
    return run(*arguments, hash_seed="1"), run(*arguments, hash_seed="2")


@pytest.mark.parametrize("options", [[], ["--mutual"], ["--resume"]], ids=["plain", "mutual", "resumed"])
def test_with_a_seed_the_story_is_the_same_in_every_process(options: list[str]) -> None:
    """With the default certificate, whose ECDSA signatures would differ in length."""
    first, second = twice(*options)
    assert "✓ connected" in first
    assert first == second


@pytest.mark.parametrize(
    "options", [[], ["--group", "secp384r1"], ["--mutual"]], ids=["plain", "retried", "mutual"]
)
def test_with_a_seed_the_data_are_the_same_to_the_byte(options: list[str]) -> None:
    """The hybrid's encapsulation is among them, whose randomness the library would draw itself."""
    first, second = twice("--json", "-", "--reveal-secrets", "-vv", *options)
    assert '"status": "connected"' in first
    assert first == second
