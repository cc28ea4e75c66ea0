"""Through a proxy: HTTP's CONNECT (RFC 9110 9.3.6), and SOCKS5 (RFC 1928, RFC 1929)."""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import unquote, unquote_to_bytes, urlsplit

from pellucid.errors import Misuse, PreambleFailed, Reason
from pellucid.preamble.talk import Steps, Talk
from pellucid.printable import printable

__all__ = ["Proxy", "talk_with", "through"]

_PORTS = {"http": 80, "socks5": 1080, "socks5h": 1080}

#: Status line and headers; what proxies send is some hundred bytes, and a login page has long cookies.
_MAX_HEAD_BYTES = 16_384
#: Interim answers (RFC 9110 15.2) before the one that counts.
_MOST_INTERIM = 8

# RFC 9110 15: "a three-digit integer"; those of 600 and more are a proxy's own.
_STATUS = re.compile(r"[1-9][0-9]{2}")

#: A name (not only of ASCII), or an address, which may have a zone.
_HOST = re.compile(r"[\w.-]+|[0-9a-f:.]+(%25[\w.-]+)?")

# RFC 1928 3
_SOCKS5 = 5
_NO_AUTHENTICATION, _USERNAME_PASSWORD, _NONE_ACCEPTABLE = 0, 2, 0xFF
# RFC 1928 4 and 5
_CONNECT = 1
_IPV4, _DOMAIN_NAME, _IPV6 = 1, 3, 4
_ADDRESS_BYTES = {_IPV4: 4, _IPV6: 16}
# RFC 1928 6; the second and those of what it cannot do are the proxy's own no.
_REPLIES = {
    1: "general SOCKS server failure",
    2: "connection not allowed by ruleset",
    3: "network unreachable",
    4: "host unreachable",
    5: "connection refused",
    6: "TTL expired",
    7: "command not supported",
    8: "address type not supported",
}
_ITS_OWN_NO = frozenset({2, 7, 8})
_MAX_CREDENTIAL_BYTES = 255  # RFC 1929 2


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy as its URL names it. ``user`` and ``password`` are bytes, decoded; None: it gets none."""

    scheme: str
    host: str
    port: int
    user: bytes | None = None
    password: bytes = field(default=b"", repr=False)

    @classmethod
    def parse(cls, url: str) -> Proxy:
        """``http://[USER:PASSWORD@]HOST[:PORT]`` or ``socks5://...``. ``Misuse`` for anything else.

        User and password may have %XX in them. The port is 80 for http and 1080 for SOCKS5 unless given.
        The name of the server is resolved by the proxy, also with ``socks5``, as ``socks5h`` says elsewhere.
        """
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            # What it says may quote a password: of one with an unescaped "/" a part is taken for the port.
            raise _bad("it is no URL (in a password, write / as %2F, # as %23, ? as %3F, @ as %40)") from None
        if parts.scheme == "https":
            raise _bad("TLS to the proxy itself is not supported; most of them take http:// as well")
        if parts.scheme not in _PORTS or not host or port == 0:
            raise _bad("it is not of the form http://HOST:PORT or socks5://HOST:PORT")
        if not _HOST.fullmatch(host):
            raise _bad("its host is neither a name nor an address")
        if parts.path not in ("", "/") or parts.query or parts.fragment:
            raise _bad("a proxy has a host and a port, and nothing behind them")
        user = None if parts.username is None else unquote_to_bytes(parts.username)
        password = unquote_to_bytes(parts.password or "")
        if user is not None and parts.scheme == "http" and b":" in user:
            raise _bad("RFC 7617 2: a user's name cannot contain a colon")
        if user is not None and parts.scheme != "http":
            for what, value in (("user", user), ("password", password)):
                if not 1 <= len(value) <= _MAX_CREDENTIAL_BYTES:
                    raise _bad(f"RFC 1929 2: the {what} has 1 to {_MAX_CREDENTIAL_BYTES} bytes")
        # RFC 6874 2: the zone of an address stands behind an escaped "%".
        return cls(parts.scheme, unquote(host), port or _PORTS[parts.scheme], user, password)

    def __str__(self) -> str:
        """Without user and password, for what is shown."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


def _bad(why: str) -> Misuse:
    # The URL itself may hold a password, and is not repeated.
    return Misuse(Reason.BAD_CONFIGURATION, f"proxy: {why}")


def talk_with(proxy: Proxy) -> Talk:
    """A dialogue with this proxy."""
    return Talk(f"the proxy {proxy}", wrong=Reason.NOT_A_PROXY, refused=Reason.PROXY_REFUSED)


def through(proxy: Proxy, talk: Talk, host: str, port: int) -> Steps[None]:
    """Have ``proxy`` connect to ``host`` and ``port``.

    What comes next, ``talk.rest`` before it, is that server's. ``host`` is a name in A-labels, or an address.
    Raises ``PreambleFailed``.
    """
    if proxy.scheme == "http":
        yield from _http(proxy, talk, host, port)
    else:
        yield from _socks5(proxy, talk, host, port)


def _http(proxy: Proxy, talk: Talk, host: str, port: int) -> Steps[None]:
    # RFC 9110 9.3.6: the target is host and port, and nothing else; 7.2: Host is the same.
    target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}"]
    shown = lines[0]
    if proxy.user is not None:
        token = b64encode(proxy.user + b":" + proxy.password).decode("ascii")  # RFC 7617 2
        lines.append(f"Proxy-Authorization: Basic {token}")
        shown += " (with user and password)"
    yield from talk.say("\r\n".join([*lines, "", ""]).encode("ascii"), shown)
    status, reason, headers = yield from _final_answer(talk)
    if 200 <= status < 300:
        return  # "Any 2xx (Successful) response": the tunnel begins behind the headers
    words = f'"{printable(f"{status} {reason}".strip())}"'
    if status == 407:
        schemes = [value.split(" ")[0] for name, value in headers if name == "proxy-authenticate"]
        wants = f" (it takes {', '.join(dict.fromkeys(schemes))})" if schemes else ""
        what = "no user and password were given" if proxy.user is None else "those given will not do"
        detail = f"{talk.who} wants to know who asks: {words}{printable(wants)}; {what}"
        raise PreambleFailed(Reason.PROXY_AUTHENTICATION_FAILED, detail)
    if status in (500, 502, 503, 504):
        detail = f"{talk.who} cannot connect to {target}: {words}"
        raise PreambleFailed(Reason.PROXY_CANNOT_CONNECT, detail)
    raise PreambleFailed(Reason.PROXY_REFUSED, f"{talk.who} refuses to connect to {target}: {words}")


def _final_answer(talk: Talk) -> Steps[tuple[int, str, list[tuple[str, str]]]]:
    """Status, reason phrase and headers of the first answer that is not an interim one."""
    interim = 0
    while True:
        yield from talk.expect(b"H", "answer of HTTP")
        head = (yield from talk.until(b"\r\n\r\n", _MAX_HEAD_BYTES)).decode("latin-1").split("\r\n")
        talk.note(head[0])
        version, _space, rest = head[0].partition(" ")
        code, _space, reason = rest.partition(" ")
        if not version.startswith("HTTP/1.") or not _STATUS.fullmatch(code):
            raise talk.unlike("what is no answer of HTTP", head[0])
        if not code.startswith("1"):
            named = [line.partition(":") for line in head[1:] if line]
            return int(code), reason, [(name.strip().lower(), value.strip()) for name, _, value in named]
        interim += 1
        if interim > _MOST_INTERIM:
            raise talk.unlike(f"more than {_MOST_INTERIM} interim answers", head[0])


def _socks5(proxy: Proxy, talk: Talk, host: str, port: int) -> Steps[None]:
    methods = [_NO_AUTHENTICATION] if proxy.user is None else [_NO_AUTHENTICATION, _USERNAME_PASSWORD]
    yield from talk.say(bytes((_SOCKS5, len(methods), *methods)), f"SOCKS5, methods {methods}")
    yield from talk.expect(bytes((_SOCKS5,)), "answer of SOCKS5")
    method = (yield from talk.exactly(2))[1]
    talk.note(f"method {method}")
    if method == _NONE_ACCEPTABLE:
        what = "none" if proxy.user is None else "a user and a password"
        detail = (
            f"{talk.who} wants to know who asks, and accepts no method that was offered: there was {what}"
        )
        raise PreambleFailed(Reason.PROXY_AUTHENTICATION_FAILED, detail)
    if method not in methods:
        raise talk.unlike(f"method {method}, which was not offered", bytes((_SOCKS5, method)))
    if method == _USERNAME_PASSWORD:
        yield from _log_in(proxy, talk)
    yield from talk.say(
        bytes((_SOCKS5, _CONNECT, 0)) + _address(host) + port.to_bytes(2, "big"),
        f"CONNECT {host} {port}",
    )
    version, reply = yield from talk.exactly(2)
    if version != _SOCKS5:
        raise talk.unlike("what is no answer of SOCKS5", bytes((version, reply)))
    words = _REPLIES.get(reply, "unassigned") if reply else "succeeded"
    talk.note(f"reply {reply}: {words}")
    if reply in _ITS_OWN_NO:
        detail = f"{talk.who} refuses to connect to {host} port {port}: {words} (reply {reply})"
        raise PreambleFailed(Reason.PROXY_REFUSED, detail)
    if reply:
        detail = f"{talk.who} cannot connect to {host} port {port}: {words} (reply {reply})"
        raise PreambleFailed(Reason.PROXY_CANNOT_CONNECT, detail)
    # Read of a success alone: where it could not connect, not every proxy says the rest.
    _reserved, kind = yield from talk.exactly(2)
    if kind not in (*_ADDRESS_BYTES, _DOMAIN_NAME):
        raise talk.unlike("what is no answer of SOCKS5", bytes((version, reply, _reserved, kind)))
    # BND.ADDR and BND.PORT: from where the proxy connects, which does not matter here.
    size = _ADDRESS_BYTES[kind] if kind != _DOMAIN_NAME else (yield from talk.exactly(1))[0]
    yield from talk.exactly(size + 2)


def _log_in(proxy: Proxy, talk: Talk) -> Steps[None]:
    """RFC 1929 2."""
    user, password = proxy.user or b"", proxy.password
    yield from talk.say(
        bytes((1, len(user))) + user + bytes((len(password),)) + password, "user and password"
    )
    version, status = yield from talk.exactly(2)
    talk.note(f"status {status}")
    if version != 1:
        raise talk.unlike("what is no answer of SOCKS5", bytes((version, status)))
    if status:
        detail = f"{talk.who} does not accept user and password (status {status})"
        raise PreambleFailed(Reason.PROXY_AUTHENTICATION_FAILED, detail)


def _address(host: str) -> bytes:
    """Kind and address; a name goes as a name, for the proxy to look up."""
    try:
        address = ip_address(host)
    except ValueError:
        name = host.encode("ascii")
        return bytes((_DOMAIN_NAME, len(name))) + name
    return bytes((_IPV4 if address.version == 4 else _IPV6,)) + address.packed
