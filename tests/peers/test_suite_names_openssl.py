"""OpenSSL calls the suites as the glossary says that it does."""

from __future__ import annotations

import subprocess

import pytest

from pellucid.trace.glossary import glossary
from support import DEADLINE_SECONDS, program

pytestmark = pytest.mark.peer("openssl", "openssl")


def test_the_names_of_openssl_are_openssl_s() -> None:
    done = subprocess.run(
        [program("openssl") or "openssl", "ciphers", "-stdname", "ALL:COMPLEMENTOFALL:@SECLEVEL=0"],
        check=True, capture_output=True, text=True, timeout=DEADLINE_SECONDS,
    )  # fmt: skip
    # IANA's name, a hyphen, OpenSSL's name, and then what the suite consists of.
    theirs = {line.split()[0]: line.split()[2] for line in done.stdout.splitlines()}
    ours = {
        entry.name: entry.also[0] for entry in glossary({}).entries if entry.id[:6] == "suite:" and entry.also
    }
    both = ours.keys() & theirs.keys()
    assert len(both) > 30
    assert {name: ours[name] for name in both} == {name: theirs[name] for name in both}
