"""Buffers are shared by all connections and never by two calls at once."""

from __future__ import annotations

from pellucid.record.workspace import borrow, give_back


def test_a_workspace_in_use_is_not_lent_again() -> None:
    first, second = borrow(), borrow()
    try:
        assert first is not second
    finally:
        give_back(first)
        give_back(second)


def test_a_workspace_that_was_given_back_is_lent_again() -> None:
    first = borrow()
    give_back(first)
    again = borrow()
    try:
        assert again is first
    finally:
        give_back(again)


def test_a_burst_leaves_only_a_few_behind() -> None:
    lent = [borrow() for _ in range(20)]
    for workspace in lent:
        give_back(workspace)
    later = [borrow() for _ in range(20)]
    kept = {id(workspace) for workspace in lent} & {id(workspace) for workspace in later}
    for workspace in later:
        give_back(workspace)
    assert len(kept) == 4
