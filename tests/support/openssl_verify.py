"""`openssl verify`, asked about a chain of tests/support/chain_cases.py."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from chain_cases import NOW, Chain

from pellucid.identity import Purpose, parse_server_name
from pellucid.identity.names import IpAddress


def openssl_verify(chain: Chain, directory: Path, *flags: str) -> tuple[bool, str]:
    """`openssl verify` for a TLS peer at security level 2, and what it said."""
    command = ["openssl", "verify", "-attime", str(int(NOW)), "-auth_level", "2", "-no-CApath", "-no-CAstore"]
    command += ["-purpose", "sslclient" if chain.purpose is Purpose.CLIENT else "sslserver", *flags]
    if chain.trusted:
        command += ["-CAfile", written(directory / "roots.pem", chain.trusted)]
    else:
        command += ["-no-CAfile"]
    if len(chain.sent) > 1:
        command += ["-untrusted", written(directory / "sent.pem", chain.sent[1:])]
    if chain.name is not None:
        is_address = isinstance(parse_server_name(chain.name), IpAddress)
        command += ["-verify_ip" if is_address else "-verify_hostname", chain.name]
    command.append(written(directory / "leaf.pem", chain.sent[:1]))
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    return done.returncode == 0, done.stdout + done.stderr


def written(path: Path, certificates: Sequence[Any]) -> str:
    path.write_bytes(b"".join(one.pem for one in certificates))
    return os.fspath(path)
