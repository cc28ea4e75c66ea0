"""Measuring fairly on a machine that is doing other things as well.

All stacks are measured in turn, in short slices, for several rounds; what is told is the median over the
rounds, and a ratio is the median of the rounds' ratios, whose two sides were measured within a second or two.
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median

from stacks import Pair, Stack

WRITES = {"64 KiB": 65536, "1 KiB": 1024}
HERE = Path(__file__).parent


def calls_a_second(call: Callable[[], object], slice_seconds: float) -> float:
    """How often a second of processor time `call` returns, over a slice of it.

    Processor time, because everything here runs in one thread and waits for nothing: what else the machine
    does then counts less. Its clock is a system call, so quick calls are timed many at a time. The collector
    runs as it would elsewhere.
    """
    gc.collect()
    calls, batch = 0, 1
    start = now = time.process_time()
    while now - start < slice_seconds:
        for _ in range(batch):
            call()
        calls += batch
        now, before = time.process_time(), now
        if now - before < slice_seconds / 50:
            batch *= 2
    return calls / (now - start)


class Work:
    """What is measured of one stack in one setting, each ready to be called again and again."""

    def __init__(self, stack: Stack) -> None:
        first = stack.connect()
        self._stack, self._pair = stack, first
        second = stack.connect(first.session)
        if first.resumed or not second.resumed:
            raise RuntimeError(f"{stack.name}: a first handshake was resumed, or a second one was not")
        self.negotiated = first.negotiated
        self._session = second.session
        second.close()

    def full(self) -> None:
        """With a server whose chain was never seen before."""
        self._stack.forget()
        self._stack.connect()

    def again(self) -> None:
        """With one that is known, for those who remember."""
        self._stack.connect()

    def resumed(self) -> None:
        """With close_notify: OpenSSL resumes no session of a connection that was only let go."""
        pair = self._stack.connect(self._session)
        if not pair.resumed:
            raise RuntimeError(f"{self._stack.name}: a handshake was not resumed")
        self._session = pair.session
        pair.close()

    def transfer(self, size: int) -> Callable[[], object]:
        data = bytes(size)
        pair: Pair = self._pair
        return lambda: pair.transfer(data)


Rates = dict[str, dict[str, list[float]]]  # stack -> metric -> one value a round


def rates(
    works: Mapping[str, Mapping[str, Callable[[], object]]], rounds: int, slice_seconds: float
) -> Rates:
    """Every metric of every stack that has it, measured side by side, round after round."""
    measured: Rates = {name: {metric: [] for metric in metrics} for name, metrics in works.items()}
    order = list(works)
    for each in range(rounds):
        if sys.stderr.isatty():
            print(f"\rround {each + 1} of {rounds} ", end="", file=sys.stderr, flush=True)
        for metric in dict.fromkeys(metric for work in works.values() for metric in work):
            for name in order:
                if metric in works[name]:
                    measured[name][metric].append(calls_a_second(works[name][metric], slice_seconds))
        order.append(order.pop(0))  # nobody is always measured after the same one
    if sys.stderr.isatty():
        print("\r" + " " * 20 + "\r", end="", file=sys.stderr, flush=True)
    return measured


def megabytes(metric: str) -> float:
    """What one call moves, where the metric is a transfer; otherwise 1, for calls are what is counted."""
    size = WRITES.get(metric.removeprefix("1.2 "))
    return size / 1e6 if size else 1


def ratio(measured: Rates, name: str, metric: str, to: str) -> float:
    """The median over the rounds of one stack's rate in units of another's."""
    pairs = zip(measured[name][metric], measured[to][metric], strict=True)
    return median(one / other for one, other in pairs)


def import_milliseconds(module: str, runs: int) -> float:
    """Importing `module` in a fresh interpreter, bytecode there already: processor time, a median."""
    code = f"import time; start = time.process_time(); import {module}; print(time.process_time() - start)"
    argv = [sys.executable, "-c", code]
    # Where bytecode may not be written, every import would compile.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    seconds = [number_printed_by(argv) for _ in range(runs + 1)]
    return 1000 * median(seconds[1:])  # the first may write bytecode


def connection_kib(stack: str, pairs: int) -> float:
    """Resident memory of one side of an idle connection, in KiB, measured in a process of its own."""
    argv = [sys.executable, str(HERE), "--memory-of", stack, "--pairs", str(pairs)]
    return number_printed_by(argv)


def number_printed_by(argv: list[str]) -> float:
    return float(subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True).stdout)


def memory_of(stack: Stack, pairs: int) -> float:
    """What one side of a connection that has moved a little data and idles adds to this process, in KiB."""
    data = bytes(1024)
    held = []
    for _ in range(5):  # what is allocated once is so before the measurement starts
        stack.connect().transfer(data)
    gc.collect()
    before = resident_bytes()
    for _ in range(pairs):
        pair = stack.connect()
        pair.transfer(data)
        held.append(pair)
    gc.collect()
    return (resident_bytes() - before) / (2 * len(held)) / 1024


def resident_bytes() -> int:
    import resource  # not on Windows, and only the memory needs it

    statistics = Path("/proc/self/statm")
    if statistics.exists():
        return int(statistics.read_text(encoding="ascii").split()[1]) * resource.getpagesize()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # the growth of the peak will do
    return peak if sys.platform == "darwin" else peak * 1024
