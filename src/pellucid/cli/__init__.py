"""The command ``pellucid``: one file a command; the rest of the folder is what they share.

The commands need click and rich, which the library does not: they are the extra ``cli``. Without them the
command says so in one line instead of showing a traceback.
"""

import sys
import warnings
from collections.abc import Sequence
from importlib.util import find_spec

__all__ = ["main"]

_NEEDED = ("click", "rich")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line ``argv`` (that of the process by default); usually raises ``SystemExit``."""
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        names = " and ".join(missing)
        sys.stderr.write(
            f"pellucid: the commands need {names}; install with: python -m pip install 'pellucid[cli]'\n"
        )
        return 2
    from pellucid.cli.app import app

    # What the library finds odd about a root or a peer's certificate is a line of source code on the screen.
    warnings.filterwarnings("ignore", category=UserWarning, module=r"pellucid\b")
    try:
        app(args=None if argv is None else list(argv), prog_name="pellucid")
    except OSError as error:
        # The commands deal with networks and files themselves: this is their own output that fails.
        sys.stderr.write(f"pellucid: the output cannot be written: {error.strerror or error}\n")
        return 1
    return 0
