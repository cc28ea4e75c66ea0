"""The documentation and the code say the same."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])


def test_every_hostile_test_has_its_row_among_the_vulnerabilities() -> None:
    page = (ROOT / "docs/vulnerabilities.md").read_text()
    files = {f"tests/hostile/{path.name}" for path in (ROOT / "tests/hostile").glob("test_*.py")}
    assert files <= set(re.findall(r"`(tests/hostile/\w+\.py)`", page))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_names_is_there(page: Path) -> None:
    text = page.read_text()
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", text)
    paths = re.findall(r"`((?:src|tests|docs|bench)/[\w./-]+)`", text)
    missing = [link for link in links if not (page.parent / link).exists()]
    missing += [path for path in paths if not (ROOT / path).exists()]
    assert missing == []


def test_the_design_lists_every_folder_of_the_package() -> None:
    design = (ROOT / "docs/design.md").read_text()
    folders = {path.name for path in (ROOT / "src/pellucid").iterdir() if path.is_dir()} - {"__pycache__"}
    assert {name for name in folders if f"{name}/" not in design} == set()


def test_the_design_names_every_effect() -> None:
    from pellucid.handshake import effects

    design = (ROOT / "docs/design.md").read_text()
    names = {effect.__name__ for effect in effects.Effect.__args__}
    assert {name for name in names if name not in design} == set()


@pytest.mark.parametrize("name", ["glossary.md", "diagnosis.md", "faults.md"])
def test_a_generated_page_is_what_the_package_knows(name: str) -> None:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs/generate.py")
    assert spec is not None
    assert spec.loader is not None
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    assert (ROOT / "docs" / name).read_text(encoding="utf-8") == generate.pages()[name], (
        "run docs/generate.py"
    )
