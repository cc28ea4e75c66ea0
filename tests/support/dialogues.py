"""A dialogue before TLS, run without sockets: the peer's part is written down."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from pellucid.preamble.starttls import starttls, talk_with
from pellucid.preamble.talk import Steps, Talk


@dataclass
class Ran:
    """What a dialogue has sent, piece by piece, and its side of the talk."""

    sent: list[bytes]
    talk: Talk


def run(talk: Talk, dialogue: Steps[None], pieces: Iterable[bytes]) -> Ran:
    """To its end: whenever it waits it gets the next of ``pieces``, and then the end of the stream."""
    sent = []
    waiting = iter(pieces)
    try:
        wanted = next(dialogue)
        while True:
            if wanted is None:
                wanted = dialogue.send(next(waiting, b""))
            else:
                sent.append(wanted)
                wanted = dialogue.send(b"")
    except StopIteration:
        return Ran(sent, talk)


def upgraded(name: str, pieces: Iterable[bytes], server_name: str = "example.org") -> Ran:
    """STARTTLS of the protocol ``name`` with a server that says ``pieces``."""
    talk = talk_with(name)
    return run(talk, starttls(name, talk, server_name), pieces)


#: ``upgrade("smtp", b"220 hi\r\n", ...)``, of the fixture.
Upgrade = Callable[..., Ran]
