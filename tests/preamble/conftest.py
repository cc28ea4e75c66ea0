"""What the tests of dialogues share."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from dialogues import Ran, Upgrade, upgraded


def cut(said: Sequence[bytes], how: str) -> list[bytes]:
    return list(said) if how == "in pieces" else [bytes((byte,)) for byte in b"".join(said)]


@pytest.fixture(params=["in pieces", "byte by byte"])
def upgrade(request: pytest.FixtureRequest) -> Upgrade:
    """STARTTLS with a server that says what is given, however TCP cuts it."""

    def upgrading(name: str, *said: bytes) -> Ran:
        return upgraded(name, cut(said, request.param))

    return upgrading
