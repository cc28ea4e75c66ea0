"""Pages of demonstrations, and what a browser shows of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from browser import Browser
from support import DEADLINE_SECONDS

DESKTOP, PHONE = (1400, 900), (390, 844)
#: The details beside the sequence, and in them the bytes that are kept marked, or pointed at.
PANE, PINNED, HOT = "#pane article", "#pane .b.pinned", "#pane .b.hot"


def written(folder: Path, *options: str) -> str:
    """The address of the page of a demonstration."""
    file = folder / "page.html"
    command = [sys.executable, "-m", "pellucid", "demo", "--seed", "5", "--html", file, *options]
    subprocess.run(command, check=True, capture_output=True, timeout=DEADLINE_SECONDS)
    return file.as_uri()


def count(browser: Browser, selector: str) -> int:
    """How many elements the selector finds."""
    return int(browser.run(f"document.querySelectorAll({selector!r}).length"))
