"""What a connection holds on to, wherever it is: for tests of what is forgotten."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path
from types import FrameType, FunctionType, ModuleType

import pellucid

PACKAGE = Path(pellucid.__file__).parent


def ours(one: object) -> bool:
    """Whether it belongs to a connection: neither to the program, nor to the test, whose frame is the first
    in every traceback.
    """
    if isinstance(one, FrameType):
        return Path(one.f_code.co_filename).is_relative_to(PACKAGE)
    return not isinstance(one, type | ModuleType | FunctionType)


def held(root: object) -> Iterator[object]:
    """Every object that ``root`` leads to."""
    visited = {id(root)}
    todo = [root]
    while todo:
        one = todo.pop()
        yield one
        for other in gc.get_referents(one):
            if id(other) not in visited and ours(other):
                visited.add(id(other))
                todo.append(other)
