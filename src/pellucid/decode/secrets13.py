"""The secrets of TLS 1.3 that a key log has, and what follows from them.

A key log does not have the secrets that stand in the middle of the key schedule, and nobody computes those
from what is to their right. So a traffic secret is told as given, and what comes of it is derived as ever.
"""

from __future__ import annotations

from typing import Final, Literal

from pellucid.crypto.suites import Suite
from pellucid.decode.flow import Watched
from pellucid.keys import KEY_LOG_LABELS, TrafficKeys, traffic_keys
from pellucid.keys.labels import LEAVES
from pellucid.record import Opener
from pellucid.trace.events import Side, other_side

__all__ = ["SIDES", "given", "install", "no_secrets", "tell_given", "tell_keys", "tell_keys_of"]

SIDES: Final[tuple[Side, Side]] = ("client", "server")


def given(w: Watched, name: str) -> bytes | None:
    """The secret of this name, if the key logs have it."""
    return w.keys.secret(KEY_LOG_LABELS[name], w.client_random)


def tell_given(w: Watched, side: Side, name: str) -> None:
    """Tell that ``side`` has this secret, as it stands in the key log; nothing where it does not."""
    secret = given(w, name)
    if secret is not None:
        w.view(side).secret(
            name=name,
            formula=f"given: {KEY_LOG_LABELS[name]} of the key log",
            value=secret,
            used_for=LEAVES[name].used_for,
        )


def install(
    w: Watched, side: Side, epoch: str, suite: Suite, secret: bytes, *, skips: bool = False
) -> TrafficKeys:
    """Open what ``side`` sends from here on with keys from ``secret``. Whoever calls tells of the keys."""
    keys = traffic_keys(suite, secret)
    w.install(side, Opener(suite, keys), epoch, skips=skips)
    return keys


def tell_keys(w: Watched, side: Side, epoch: str, suite: Suite, keys: TrafficKeys) -> None:
    """What ``side`` sends from here on is protected by these keys: it writes with them, the other reads."""
    tell_keys_of(w, side, "write", epoch, suite, keys)
    tell_keys_of(w, other_side(side), "read", epoch, suite, keys)


def tell_keys_of(
    w: Watched, side: Side, direction: Literal["read", "write"], epoch: str, suite: Suite, keys: TrafficKeys
) -> None:
    w.view(side).keys(direction=direction, epoch=epoch, cipher_suite=suite.name, key=keys.key, iv=keys.iv)


def no_secrets(w: Watched, name: str) -> str:
    """A sentence: where the secret of this name was looked for."""
    label, random = KEY_LOG_LABELS[name], w.client_random.hex()
    if w.keys.has(w.client_random):
        return f"The key log has no {label} for the client random {random}."
    count = w.keys.connections
    if not count:
        return f"No key log was given, nor is one in the capture; the client random is {random}."
    lines = "one connection" if count == 1 else f"{count:,} connections"
    return f"The key log has secrets of {lines}, and no line for the client random {random}."
