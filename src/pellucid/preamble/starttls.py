"""Which protocols have a way from the clear to TLS, and what has to hold when it has been gone."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple, NoReturn, cast

from pellucid.errors import Misuse, PeerMisbehaved, Reason
from pellucid.preamble.talk import RECORD_TYPES, Talk

if TYPE_CHECKING:
    from collections.abc import Callable

    from pellucid.preamble.proxies import Proxy
    from pellucid.preamble.talk import Steps

    Dialogue = Callable[[Talk, str], Steps[None]]

__all__ = ["STARTTLS", "Protocol", "refuse_rest", "require_starttls", "starttls", "talk_with"]


class Protocol(NamedTuple):
    """One protocol with STARTTLS, or whatever it calls that: its name in words, and the port it is found on.

    ``speaks_first``: whether the server does. ``module`` of this package has the dialogue, by the short name.
    """

    title: str
    port: int
    speaks_first: bool
    module: str


#: By the names that ``connect(starttls=...)`` takes. The ports are IANA's.
STARTTLS = {
    "smtp": Protocol("SMTP", 25, speaks_first=True, module="lines"),
    "imap": Protocol("IMAP", 143, speaks_first=True, module="lines"),
    "pop3": Protocol("POP3", 110, speaks_first=True, module="lines"),
    "ftp": Protocol("FTP", 21, speaks_first=True, module="lines"),
    "ldap": Protocol("LDAP", 389, speaks_first=False, module="ldap"),
    "postgres": Protocol("PostgreSQL", 5432, speaks_first=False, module="databases"),
    "mysql": Protocol("MySQL", 3306, speaks_first=True, module="databases"),
    "xmpp": Protocol("XMPP", 5222, speaks_first=False, module="xmpp"),
}


def require_starttls(name: str) -> Protocol:
    """The protocol of that name; ``Misuse`` if there is none."""
    protocol = STARTTLS.get(name)
    if protocol is None:
        raise Misuse(Reason.BAD_CONFIGURATION, f"starttls: {name!r} is not one of {', '.join(STARTTLS)}")
    return protocol


def talk_with(name: str, received: bytes = b"") -> Talk:
    """A dialogue with a server of this protocol, of which ``received`` has arrived already."""
    title = require_starttls(name).title
    return Talk(
        f"the {title} server",
        wrong=Reason.STARTTLS_WRONG_PROTOCOL,
        refused=Reason.STARTTLS_REFUSED,
        received=received,
    )


def starttls(name: str, talk: Talk, server_name: str) -> Steps[None]:
    """Bring a server of the protocol ``name`` to where it expects a ClientHello, and nothing else.

    ``server_name`` is who it has to be, which XMPP asks for. Raises ``PreambleFailed``; ``PeerMisbehaved``
    (``starttls_injection``) where more came in the clear than the protocol has: somebody on the way may have
    put it there, for the application to take it for the server's first words in TLS (as in CVE-2011-0411).
    """
    module = import_module(f"pellucid.preamble.{require_starttls(name).module}")
    dialogue = cast("Dialogue", getattr(module, name))
    yield from dialogue(talk, server_name)
    if talk.rest:
        raise PeerMisbehaved(
            Reason.STARTTLS_INJECTION,
            f"behind the answer that ends its part in the clear, {talk.who} sent {len(talk.rest)} bytes more"
            f": {talk.quoted(talk.rest)}",
        )


def refuse_rest(rest: bytes, proxy: Proxy) -> NoReturn:
    """For what a proxy has let through of a server that should have waited for a ClientHello.

    Or has said itself, in the server's place: which of them it was does not show.
    """
    from pellucid.record.first_bytes import likeness  # noqa: PLC0415 - for who is refused

    like = f"of TLS ({rest[:16].hex(' ')})" if rest[0] in RECORD_TYPES else likeness(rest)
    detail = f"what came through the proxy {proxy} before our ClientHello is {like}"
    raise PeerMisbehaved(Reason.NOT_TLS, detail)
