"""The architecture, held by parsing the sources: who may import whom, and who may touch the world.

Nothing is imported here, so the test says the same whether or not what it reads would run.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

PACKAGE = "pellucid"
SOURCE = Path(__file__).parents[1] / "src" / PACKAGE

# Lowest first: a layer imports those before it and itself. Those on one line may use each other.
ORDER = (
    ("codes", "plain", "printable"),
    ("errors",),
    ("alerts",),
    ("wire",),
    ("messages",),
    ("crypto",),
    ("trace",),
    ("keys",),
    ("record",),
    ("capture",),
    ("identity",),
    ("diagnosis",),
    ("sessions",),
    ("checking",),
    ("policy", "config", "events", "result"),
    ("handshake",),
    ("driver",),
    ("connection",),
    ("preamble",),
    ("faults", "decode", "why"),
    ("io", "aio"),
    ("__init__",),
    ("cli", "__main__"),
)
RANK = {layer: rank for rank, layers in enumerate(ORDER) for layer in layers}

# What the order would allow, and should not be.
FORBIDDEN = {
    ("trace", "crypto"): "a story is told without algorithms, so that a recorded one can be told again",
    ("identity", "trace"): "who somebody is does not depend on who watches; the flows tell the trace",
    ("sessions", "identity"): "what can be resumed is data; an identity in it is bytes",
}

# Against the order, at first use and for typing alone, with the reason.
UPWARDS_ALLOWED = {
    ("errors", "diagnosis"): "an error explains itself to who asks it; nobody else needs more than the error"
}

# For io/ and the commands alone, with the exceptions and their reasons.
THE_OUTSIDE = {
    "asyncio", "concurrent", "multiprocessing", "select", "selectors", "signal", "socket", "socketserver",
    "ssl", "subprocess", "threading",
}  # fmt: skip
THE_OUTSIDE_ALLOWED = {
    ("config", "threading"): "a server's configuration is replaced while others take it",
    ("identity", "threading"): "verdicts of a trust store are shared by connections in several threads",
    ("sessions", "threading"): "session stores and ticket keys are shared by connections in several threads",
    ("trace", "threading"): "client and server of one demo run in two threads and tell one story",
}
FILES = {"glob", "io", "os", "pathlib", "shutil", "sys", "tempfile"}
FILES_ALLOWED = {
    ("identity", "os"): "SSL_CERT_FILE and SSL_CERT_DIR name the system's trust store",
    ("identity", "pathlib"): "the constructors .from_files and .system read certificates",
    ("config", "os"): "the default source of entropy",
    ("connection", "os"): "the default source of entropy",
}
CLOCKS_AND_ENTROPY = {
    "datetime.date.today", "datetime.datetime.now", "datetime.datetime.today", "datetime.datetime.utcnow",
    "os.getrandom", "os.urandom", "random", "secrets", "time",
}  # fmt: skip
CLOCK_OWNERS = {
    "config": "holds the defaults, which a caller can replace",
    "connection": "holds the defaults, which a caller can replace",
    "trace": "says how long steps took, which no handshake depends on",
    "io": "waits",
    "aio": "waits",
    "cli": "runs on a person's machine, now",
}
PYCA_OWNERS = {"crypto", "identity"}

MOST_LINES_A_FILE = 450
MOST_LINES_A_FUNCTION = 60  # its docstring not counted


@dataclass(frozen=True)
class Source:
    """One parsed file: where it is, its layer, its lines."""

    path: Path
    layer: str
    tree: ast.Module
    lines: int

    @property
    def place(self) -> str:
        return self.path.relative_to(SOURCE).as_posix()

    def imports(self) -> Iterator[tuple[int, str]]:
        """(line, dotted name) of all that is imported anywhere in it; relative names made absolute."""
        package = [PACKAGE, *self.path.relative_to(SOURCE).parts[:-1]]
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from ((node.lineno, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                base = package[: len(package) - node.level + 1] if node.level else []
                start = ".".join([*base, *([node.module] if node.module else [])])
                yield from ((node.lineno, f"{start}.{alias.name}") for alias in node.names)


def parsed(path: Path) -> Source:
    text = path.read_text(encoding="utf-8")
    first = path.relative_to(SOURCE).parts[0]
    return Source(path, first.removesuffix(".py"), ast.parse(text), len(text.splitlines()))


SOURCES = [parsed(path) for path in sorted(SOURCE.rglob("*.py"))]
each_source = pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.place)


def layer_imported(name: str) -> str | None:
    """The layer that an imported name lies in; None outside the package. `pellucid` itself is above all."""
    parts = name.split(".")
    if parts[0] != PACKAGE:
        return None
    return parts[1] if len(parts) > 1 and parts[1] in RANK else "__init__"


def test_the_sources_are_found() -> None:
    assert len(SOURCES) > len(ORDER)


def test_every_module_has_its_place_in_the_order() -> None:
    assert {source.layer for source in SOURCES} <= RANK.keys()


@each_source
def test_imports_run_one_way(source: Source) -> None:
    wrong = [
        f"line {line}: {name}"
        for line, name in source.imports()
        if (target := layer_imported(name)) is not None
        and (source.layer, target) not in UPWARDS_ALLOWED
        and (RANK[target] > RANK[source.layer] or (source.layer, target) in FORBIDDEN)
    ]
    assert not wrong


def test_no_two_modules_import_each_other() -> None:
    graph = {module_name(source): imported_at_load(source) for source in SOURCES}
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " -> ".join([*path[path.index(module) :], module])
        if module not in done:
            for target in sorted(graph.get(module, ())):
                visit(target, (*path, module))
            done.add(module)

    for module in graph:
        visit(module, ())


def module_name(source: Source) -> str:
    parts = source.path.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported_at_load(source: Source) -> set[str]:
    """The modules of ours that loading it loads: not what a function, or TYPE_CHECKING alone, imports."""
    at_top = [node for node in source.tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {name for _, name in Source(source.path, source.layer, ast.Module([*at_top], []), 0).imports()}
    modules = {module_name(each) for each in SOURCES}
    own = module_name(source)
    return {
        target
        for name in names
        if (target := name if name in modules else name.rpartition(".")[0]) in modules and target != own
    }


@each_source
def test_cryptography_is_imported_where_algorithms_and_certificates_live(source: Source) -> None:
    if source.layer not in PYCA_OWNERS:
        assert [(line, name) for line, name in source.imports() if name.split(".")[0] == "cryptography"] == []


@each_source
def test_only_io_and_the_commands_touch_sockets_threads_and_processes(source: Source) -> None:
    assert touching(source, THE_OUTSIDE, THE_OUTSIDE_ALLOWED) == []


@each_source
def test_only_io_and_the_commands_touch_files(source: Source) -> None:
    assert touching(source, FILES, FILES_ALLOWED) == []


def touching(source: Source, modules: set[str], allowed: dict[tuple[str, str], str]) -> list[str]:
    if RANK[source.layer] >= RANK["io"]:
        return []
    return [
        f"line {line}: {name}"
        for line, name in source.imports()
        if (module := name.split(".")[0]) in modules and (source.layer, module) not in allowed
    ]


@each_source
def test_clock_and_entropy_are_named_only_where_they_are_the_default(source: Source) -> None:
    if source.layer in CLOCK_OWNERS:
        return
    named = {name: line for line, name in source.imports()}
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Attribute):
            named[ast.unparse(node)] = node.lineno
            named[f"datetime.{ast.unparse(node)}"] = node.lineno  # after `from datetime import datetime`
    modules = CLOCKS_AND_ENTROPY & {name.split(".")[0] for _, name in source.imports()}
    wrong = [
        f"line {line}: {name}"
        for name, line in named.items()
        if name in CLOCKS_AND_ENTROPY or name.split(".")[0] in modules
    ]
    assert not wrong


@each_source
def test_a_file_can_be_read_in_one_sitting(source: Source) -> None:
    assert source.lines <= MOST_LINES_A_FILE


@each_source
def test_a_function_fits_on_a_screen(source: Source) -> None:
    too_long = [
        f"{node.name} (line {node.lineno}): {length} lines"
        for node in ast.walk(source.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (length := lines_without_docstring(node)) > MOST_LINES_A_FUNCTION
    ]
    assert not too_long


def lines_without_docstring(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    assert node.end_lineno is not None
    length = node.end_lineno - node.lineno + 1
    first = node.body[0]
    if ast.get_docstring(node, clean=False) is None or first.end_lineno is None:
        return length
    return length - (first.end_lineno - first.lineno + 1)
