"""`make bench`: pellucid beside ssl, pyOpenSSL and tlslite-ng, measured in one run: a table, or JSON."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

CONFIGURED = "PELLUCID_BENCH_CONFIGURED"
OPENSSL_CONFIGURATION = """\
openssl_conf = bench_start
[bench_start]
ssl_conf = bench_ssl
[bench_ssl]
system_default = bench_tls
[bench_tls]
Ciphersuites = TLS_AES_128_GCM_SHA256
Groups = X25519:P-256
"""
IMPORTS = {
    "pellucid": "pellucid.connection",
    "ssl": "ssl",
    "pyOpenSSL": "OpenSSL.SSL",
    "tlslite-ng": "tlslite.api",
}
BASE = "ssl"  # what ratios are to
PRIMITIVES = "primitives"


def with_openssl_configured() -> int | None:
    """Runs this program again under an OpenSSL configuration that names suite and groups.

    It is the only way to make `ssl` choose a TLS 1.3 suite, and it has to be there when OpenSSL is loaded.
    The key share is for the first group; the second is the certificate's, which TLS 1.2 asks for.
    """
    if os.environ.get(CONFIGURED):
        return None
    import subprocess

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "openssl.cnf")
        file.write_text(OPENSSL_CONFIGURATION, encoding="ascii")
        environment = {**os.environ, "OPENSSL_CONF": str(file), CONFIGURED: "1"}
        return subprocess.run([sys.executable, *sys.argv], env=environment, check=False).returncode


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few seconds: to see that it runs")
    parser.add_argument("--json", action="store_true", help="all that was measured, to standard output")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--slice-seconds", type=float, default=0.25, help="for each measurement in a round")
    parser.add_argument("--stacks", default="pellucid,ssl,pyOpenSSL,tlslite-ng")
    parser.add_argument("--memory-of", help=argparse.SUPPRESS)
    parser.add_argument("--pairs", type=int, default=500, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.slice_seconds, options.pairs = 2, 0.05, 200
    return options


def measured(options: argparse.Namespace) -> dict[str, Any]:
    """All numbers, as `--json` prints them."""
    from measure import WRITES, Work, connection_kib, import_milliseconds, megabytes, rates, ratio
    from primitives import Primitives
    from stacks import STACKS, TLS12, TLS12_BY_ID, TLS13

    names = options.stacks.split(",")
    stacks = {name: STACKS[name](TLS13) for name in names}
    works = {name: Work(stack) for name, stack in stacks.items()}
    works12 = {name: Work(STACKS[name](TLS12)) for name in names}
    bare = Primitives()
    calls: dict[str, dict[str, Callable[[], object]]] = {}
    for name in names:
        work, work12, by_id = works[name], works12[name], Work(STACKS[name](TLS12_BY_ID))
        calls[name] = {"full": work.full, "again": work.again, "resumed": work.resumed}
        calls[name] |= {label: work.transfer(size) for label, size in WRITES.items()}
        calls[name] |= {"1.2 full": work12.full, "1.2 again": work12.again}
        calls[name] |= {"1.2 ticket": work12.resumed, "1.2 ID": by_id.resumed}
        calls[name] |= {f"1.2 {label}": work12.transfer(size) for label, size in WRITES.items()}
    calls[PRIMITIVES] = {"full": bare.full, "resumed": bare.resumed}
    calls[PRIMITIVES] |= {label: bare.transfer(size) for label, size in WRITES.items()}
    steps = {each: getattr(bare, each) for each in ("generate", "exchange", "sign", "verify", "path")}
    result = rates(calls, options.rounds, options.slice_seconds)
    step_rates = rates({"steps": steps}, options.rounds, options.slice_seconds / 5)["steps"]

    table: dict[str, dict[str, Any]] = {}
    for name, metrics in result.items():
        row = table[name] = {}
        for metric, values in metrics.items():
            row[metric] = {"rate": median(values) * megabytes(metric)}
            if BASE in result:
                row[metric]["ratio"] = ratio(result, name, metric, BASE)
    for name, stack in stacks.items():
        table[name] |= {
            "version": stack.version,
            "negotiated": [works[name].negotiated, works12[name].negotiated],
            "remark": stack.remark,
            "import_milliseconds": import_milliseconds(IMPORTS[name], 3 if options.quick else 11),
            "connection_kib": connection_kib(name, options.pairs // (10 if name == "tlslite-ng" else 1)),
        }
    if "pellucid" in table:
        for metric in ("full", "resumed"):
            table["pellucid"][metric]["share_of_primitives"] = ratio(result, "pellucid", metric, PRIMITIVES)
    return {
        "machine": f"{platform.machine()}, {os.cpu_count()} CPUs, {platform.system()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "rounds": options.rounds,
        "primitive_microseconds": {step: 1e6 / median(values) for step, values in step_rates.items()},
        "stacks": table,
    }


def main() -> int:
    options = arguments()
    if (code := with_openssl_configured()) is not None:
        return code
    if options.memory_of:
        from measure import memory_of
        from stacks import STACKS

        print(memory_of(STACKS[options.memory_of](), options.pairs))
        return 0
    result = measured(options)
    if options.json:
        print(json.dumps(result, indent=1))
        return 0
    from table import print_table

    print_table(result, BASE, PRIMITIVES)
    return 0


if __name__ == "__main__":
    sys.exit(main())
