"""Files that an option names to be written."""

from __future__ import annotations

import os
import stat

__all__ = ["descriptor_for"]


def descriptor_for(path: str, *, private: bool) -> int:
    """Of the file, emptied. ``private``: what is in it is for its owner alone, as in a key log."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600 if private else 0o666)
    if private and os.name == "posix" and stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.fchmod(descriptor, 0o600)  # it may have been there before
    return descriptor
