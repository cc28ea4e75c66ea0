"""What is told of a seeded demonstration changes only on purpose: see README.md here."""

from __future__ import annotations

from functools import cache

import pytest
from golden import FILES, FOLDER, told

telling = cache(told)


@pytest.mark.parametrize("story, form", FILES, ids=[".".join(each) for each in FILES])
def test_it_is_told_as_it_was(story: str, form: str) -> None:
    golden = (FOLDER / f"{story}.{form}").read_text(encoding="utf-8")
    assert telling(story)[form].splitlines() == golden.splitlines()


def test_there_is_no_other_file() -> None:
    assert {file.name for file in FOLDER.glob("*.txt")} == {f"{story}.{form}" for story, form in FILES}
