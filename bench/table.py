"""The result as a table of 80 columns: drawn by rich where it is installed, plain otherwise."""

from __future__ import annotations

import textwrap
from typing import Any

RATES = {
    "full": "full handshakes/s",
    "again": "full, chain known/s",
    "resumed": "resumed handshakes/s",
    "64 KiB": "MB/s, 64 KiB writes",
    "1 KiB": "MB/s, 1 KiB writes",
    "1.2 full": "1.2: full/s",
    "1.2 again": "1.2: full, known/s",
    "1.2 ticket": "1.2: by ticket/s",
    "1.2 ID": "1.2: by session ID/s",
    "1.2 64 KiB": "1.2: MB/s, 64 KiB",
    "1.2 1 KiB": "1.2: MB/s, 1 KiB",
}
REST = {"import_milliseconds": "import, ms", "connection_kib": "KiB a connection"}


def rows_of(result: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    """The head and the rows; a cell is a number, with its ratio below it where there is one."""
    stacks = result["stacks"]
    rows = []
    for metric, title in RATES.items():
        cells = []
        for stack in stacks.values():
            if (value := stack.get(metric)) is None:
                cells.append("")
                continue
            below = f"\n{value['ratio']:.2f} x" if "ratio" in value else ""
            cells.append(f"{shown(value['rate'])}{below}")
        rows.append([title, *cells])
    for metric, title in REST.items():
        rows.append([title, *(shown(stack[metric]) if metric in stack else "" for stack in stacks.values())])
    return ["", *stacks], rows


def shown(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def notes_of(result: dict[str, Any], base: str, primitives: str) -> list[str]:
    stacks = result["stacks"]
    setting = (
        f"{result['python']} on {result['machine']}; medians of {result['rounds']} rounds; "
        f"processor time; x: times the rate of {base}. Both sides in one process and thread, bytes handed "
        "over in memory; P-256 certificate under one root, chain and name checked. "
        "MB/s: sealed, moved and opened. KiB a connection: one side, resident. Rows are of TLS 1.3 where "
        "they do not say 1.2. Chain known: pellucid remembers a path that it accepted, the others verify "
        "it each time. A resumed handshake ends with close_notify from both sides."
    )
    notes = [setting]
    for name, stack in stacks.items():
        if "version" in stack:
            remark = f"; {stack['remark']}" if stack["remark"] else ""
            notes.append(f"{name}: {stack['version']}; {'; '.join(stack['negotiated'])}{remark}.")
    steps = ", ".join(f"{name} {value:.0f}" for name, value in result["primitive_microseconds"].items())
    notes.append(
        f"{primitives}: the cryptography alone, by pyca/cryptography. A full handshake is 2 x generate, "
        f"2 x exchange, sign, verify, path; in microseconds: {steps}."
    )
    if "pellucid" in stacks:
        shares = {metric: stacks["pellucid"][metric]["share_of_primitives"] for metric in ("full", "resumed")}
        notes.append(
            f"Of pellucid's time the primitives take {shares['full']:.0%} in a full handshake, "
            f"{shares['resumed']:.0%} in a resumed one."
        )
    return notes


def print_table(result: dict[str, Any], base: str, primitives: str) -> None:
    head, rows = rows_of(result)
    try:
        from rich.console import Console
        from rich.table import Table
    except ImportError:
        print_plain(head, rows)
    else:
        table = Table(pad_edge=False, show_lines=True)
        for title in head:
            table.add_column(title, justify="right" if title else "left", no_wrap=True)
        for row in rows:
            table.add_row(*row)
        Console(width=max(80, Console().width)).print(table)
    for note in notes_of(result, base, primitives):
        print(textwrap.fill(note, 80))


def print_plain(head: list[str], rows: list[list[str]]) -> None:
    for row in [head, *rows]:
        lines = [cell.split("\n") for cell in row]
        for at in range(max(map(len, lines))):
            title, *cells = (line[at] if at < len(line) else "" for line in lines)
            print(f"{title:<22}" + "".join(f"{cell:>12}" for cell in cells))
