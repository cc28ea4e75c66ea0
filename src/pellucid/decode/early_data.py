"""0-RTT as an onlooker sees it (RFC 9846 2.3): data behind the ClientHello, before the server answers."""

from __future__ import annotations

from pellucid.codes import ExtensionType
from pellucid.crypto.suites import SUITES
from pellucid.decode.flow import Flow, Watched, heard
from pellucid.decode.secrets13 import SIDES, given, tell_given, tell_keys
from pellucid.errors import PeerMisbehaved
from pellucid.keys import traffic_keys
from pellucid.messages import ClientHello, EndOfEarlyData, Extensions
from pellucid.record import Opener
from pellucid.record.protection import forged

__all__ = ["EPOCH", "hear_early_data", "hear_end_of_early_data", "tell_early_data"]

#: Of the keys of early data.
EPOCH = "early data"

_SECRET = "client_early_traffic_secret"


def hear_early_data(w: Watched, hello: ClientHello) -> None:
    """Have early data read while the server's answer is waited for, where the key log has its secret."""
    w.offers_early_data = ExtensionType.early_data in hello.extensions
    secret = given(w, _SECRET)
    w.hears_early_data = w.offers_early_data and secret is not None
    if not w.hears_early_data or secret is None:
        return
    for side in SIDES:
        tell_given(w, side, _SECRET)
    w.install("client", _EarlyOpener(w, hello, secret), EPOCH)
    w.let_run("client")


def tell_early_data(w: Watched, answers: Extensions) -> bool:
    """Whether the server takes the early data, as its EncryptedExtensions say."""
    if not w.offers_early_data:
        return False
    w.takes_early_data = ExtensionType.early_data in answers
    chosen = "accepted" if w.takes_early_data else "refused"
    w.view("client").choice(what="early_data", chosen=chosen, rule="the server chose it")
    if w.takes_early_data and w.early_data_bytes:
        w.view("server").data(direction="received", length=w.early_data_bytes)
    return w.takes_early_data


def hear_end_of_early_data(w: Watched) -> Flow[None]:
    """RFC 9846 4.6: the message behind the last early data."""
    if w.hears_early_data:
        yield from heard(w, "client", "WAIT_EOED", EndOfEarlyData)
    else:
        # It is among the records that stay closed, and is the same in every connection.
        w.transcript.add(EndOfEarlyData().encode())


class _EarlyOpener:
    """Opens early data.

    RFC 9846 4.3.10: its suite is the PSK's, which no message in the clear tells. It is one of those that the
    client offers, with a hash as long as the secret; the first record tells which.
    """

    hides_type = True

    def __init__(self, w: Watched, hello: ClientHello, secret: bytes) -> None:
        self._w = w
        self._secret = secret
        self._suites = [
            suite
            for code in hello.cipher_suites
            if (suite := SUITES.get(code)) is not None and suite.hash_length == len(secret)
        ]
        self._opener: Opener | None = None

    def open(self, header: bytes, body: bytes | memoryview, max_fragment: int) -> tuple[int, bytes]:
        if self._opener is None:
            return self._first(header, body, max_fragment)
        return self._opener.open(header, body, max_fragment)

    def _first(self, header: bytes, body: bytes | memoryview, max_fragment: int) -> tuple[int, bytes]:
        for suite in self._suites:
            keys = traffic_keys(suite, self._secret)
            opener = Opener(suite, keys)
            try:
                opened = opener.open(header, body, max_fragment)
            except PeerMisbehaved:
                continue
            self._opener = opener
            tell_keys(self._w, "client", EPOCH, suite, keys)
            return opened
        raise forged(0)
