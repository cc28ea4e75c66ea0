"""What lies between a TCP connection and TLS, as one dialogue: a proxy if there is one, then STARTTLS.

The dialogues themselves are in ``pellucid.preamble``. Whoever runs this one, over a blocking socket or under
asyncio, throws into it what goes wrong with the network, and gets raised what that means here.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from pellucid.errors import Misuse, Reason
from pellucid.io.steps import network_step
from pellucid.preamble import proxies
from pellucid.preamble import starttls as upgrades

if TYPE_CHECKING:
    from pellucid.preamble.talk import Steps, Talk
    from pellucid.trace import TraceView
    from pellucid.trace.network import NetworkStep

__all__ = ["DIALOGUE", "Way"]

# Letters that a host's name may have, as many as DNS takes (RFC 1034 3.1).
_PLAIN_NAME = re.compile(r"[A-Za-z0-9._-]{1,253}")

#: What a deadline says that did not see its end.
DIALOGUE = "the dialogue before TLS"


class Way(NamedTuple):
    """To ``host``, ``port``, who has to be ``server_name``; ``host`` is None where there is a connection."""

    host: str | None
    port: int | None
    server_name: str
    proxy: proxies.Proxy | None
    starttls: str | None

    @classmethod
    def parse(
        cls, host: str | None, port: int | None, server_name: str, *, proxy: str | None, starttls: str | None
    ) -> Way:
        """``Misuse`` for a URL that names no proxy, an unknown protocol, a host that is no name."""
        if starttls is not None:
            upgrades.require_starttls(starttls)
        if proxy is None:
            return cls(host, port, server_name, None, starttls)
        if host is None or port is None:
            raise Misuse(Reason.BAD_CONFIGURATION, "proxy: it has to be told a host and a port")
        return cls(_as_sent(host), port, server_name, proxies.Proxy.parse(proxy), starttls)

    @property
    def first(self) -> tuple[str | None, int | None]:
        """Whom to connect to by TCP."""
        return (self.proxy.host, self.proxy.port) if self.proxy else (self.host, self.port)

    def dialogue(self, view: TraceView | None) -> Steps[None]:
        """All that is said before the ClientHello; ``view`` is told of it.

        Raises ``PreambleFailed``; ``PeerMisbehaved`` where more came in the clear than should; and what was
        thrown in, ``TimeoutError`` with what had come until then, a reset as what the peer means by it.
        """
        rest = b""
        if self.proxy:
            assert self.host is not None, "parse() saw to it"
            assert self.port is not None
            talk = proxies.talk_with(self.proxy)
            dialogue = proxies.through(self.proxy, talk, self.host, self.port)
            done = f"{self.proxy} connected to {self.host} port {self.port}"
            yield from _told(view, "proxy", talk, dialogue, done)
            rest = talk.rest
        if self.starttls:
            talk = upgrades.talk_with(self.starttls, rest)
            dialogue = upgrades.starttls(self.starttls, talk, self.server_name)
            yield from _told(view, "starttls", talk, dialogue, f"{talk.who} is ready for TLS")
        elif rest and self.proxy:
            upgrades.refuse_rest(rest, self.proxy)


def _as_sent(host: str) -> str:
    """A name or an address in the form in which a proxy is told it, with nothing that could end a line."""
    if _PLAIN_NAME.fullmatch(host):
        return host  # it need not be one that a certificate can have: networks have names with underscores
    from pellucid.identity import parse_server_name  # noqa: PLC0415 - for who asks a proxy

    return str(parse_server_name(host))


def _told(
    view: TraceView | None, what: NetworkStep, talk: Talk, steps: Steps[None], done: str
) -> Steps[None]:
    with network_step(view, what) as note:
        note.talk = talk
        try:
            yield from steps
        except TimeoutError as error:
            raise TimeoutError(f"{error}; of {talk.who} {_silence(talk)}") from None
        except (ConnectionResetError, BrokenPipeError) as error:
            raise talk.broken(error) from error
        note.detail = done


def _silence(talk: Talk) -> str:
    """What a dialogue that did not end in time has come to."""
    if talk.rest:
        return f"what came is no whole answer: {talk.quoted(talk.rest)}"
    if talk.has_heard:
        return f'the last that came was "{talk.last_heard}"'
    return "nothing came, as from one that begins with TLS and waits for the client"
