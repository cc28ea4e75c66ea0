"""The secrets of a TLS 1.2 connection that is looked on at: found, derived and used as both sides do.

key log: CLIENT_RANDOM  ------------------------------.
private key of the server, RSA key exchange            v
    premaster secret  -------------------------->  master secret  ->  key block, both Finished
a session seen earlier in the capture  --------------'
"""

from __future__ import annotations

import hashlib
from functools import partial
from typing import Any

from pellucid.crypto.kdf import Prf
from pellucid.crypto.rsa import decrypt_premaster
from pellucid.crypto.suites12 import Suite12
from pellucid.decode.certificates import Leaf
from pellucid.decode.checks import check_finished
from pellucid.decode.flow import Flow, Unheard, Watched, heard
from pellucid.decode.sessions import By, SeenSession
from pellucid.errors import Misuse
from pellucid.keys import (
    KeyBlock,
    extended_master_secret,
    finished_verify_data12,
    key_block,
    master_secret,
)
from pellucid.messages import Finished, tls12
from pellucid.plain import plain
from pellucid.record import opener12
from pellucid.trace import TraceView
from pellucid.trace.events import Side, other_side

__all__ = [
    "Security",
    "change_keys",
    "find_premaster",
    "hear_finished",
    "keep_session",
    "take_exchange",
    "take_session",
]

SIDES: tuple[Side, Side] = ("client", "server")
EPOCH = "session"


@plain
class Security:
    """What the hellos have agreed on, and what was found for it since.

    ``suite`` None: ``suite_name`` is not among those that can be opened. ``key_exchange``: "" where that is
    not known. ``compressed``: the records are. ``why``: the reason and a sentence for what stays closed.
    """

    suite: Suite12 | None
    suite_name: str
    key_exchange: str
    server_random: bytes
    extended: bool
    encrypt_then_mac: bool
    compressed: bool
    premaster_secret: bytes = b""
    master_secret: bytes = b""
    prf: Prf | None = None
    keys: KeyBlock | None = None
    why: tuple[str, str] = ("", "")


# -- finding the master secret


def find_premaster(
    w: Watched, security: Security, leaf: Leaf | None, message: tls12.ClientKeyExchange
) -> None:
    """Before the ClientKeyExchange is told: what the client has encrypted in it, if that can be read."""
    if not isinstance(message, tls12.ClientKeyExchangeRSA) or security.suite is None:
        return
    encrypted = message.encrypted_pre_master_secret
    found = _premaster_secret(w, leaf, encrypted)
    logged = w.keys.secret("CLIENT_RANDOM", w.client_random)
    # A line for this very connection knows better than a key, of whose decryption nobody says whether the
    # padding was right.
    session_hash = w.transcript.digest_with(message.raw)
    if found and logged in (None, _master_secret(w, security, found, session_hash)):
        security.premaster_secret = found
        _tell_premaster(w, found, encrypted)


def take_exchange(w: Watched, security: Security, leaf: Leaf | None) -> None:
    """Behind the ClientKeyExchange, the last message that an extended master secret depends on."""
    logged = w.keys.secret("CLIENT_RANDOM", w.client_random)
    session_hash = w.transcript.digest() if security.suite else b""
    if security.premaster_secret:
        found = security.premaster_secret
        secret = _master_secret(w, security, found, session_hash)
        for side in SIDES:
            w.tell_when_heard(side, partial(_master_secret, w, security, found, session_hash, w.view(side)))
        _take_master_secret(w, security, secret)
    elif logged is not None and security.suite is not None:
        _tell_given(w, security, logged)
        _take_master_secret(w, security, logged)
    else:
        security.why = _why_closed(w, security, leaf)


def take_session(w: Watched, security: Security, by: By, name: bytes) -> None:
    """The session that is resumed, which the client calls ``name``."""
    session = w.sessions.find(by, name)
    logged = w.keys.secret("CLIENT_RANDOM", w.client_random)
    w.agreed["resumed"] = True
    w.agreed["mutual"] = session is not None and session.mutual
    if security.suite is None:
        security.why = _why_closed(w, security, None)
    elif session is not None and logged in (None, session.master_secret):
        # As who takes part: it has the secret from then, and nothing is to be told of it.
        _take_master_secret(w, security, session.master_secret)
    elif logged is not None:
        _tell_given(w, security, logged)
        _take_master_secret(w, security, logged)
    else:
        kept = len(w.sessions)
        before = f"{kept} of the sessions in this capture were" if kept else "no session of this capture was"
        security.why = (
            "unseen_session",
            (f"The client resumes a session by its {by}; {before} opened before; {_logs(w)}"),
        )


def keep_session(w: Watched, security: Security, by: By, name: bytes) -> None:
    """The server has called this session ``name``; the client may come back with it."""
    if name and security.master_secret:
        mutual = bool(w.agreed.get("mutual"))
        w.sessions.keep(by, name, SeenSession(security.master_secret, mutual))


def _premaster_secret(w: Watched, leaf: Leaf | None, encrypted: bytes) -> bytes | None:
    known = w.keys.premaster_secret(encrypted)
    if known is not None or leaf is None or w.hello is None:
        return known
    key = w.keys.private_key_for(leaf.public_key)
    if key is None:
        return None
    # What a wrong padding is replaced by. Nobody can learn from an onlooker whether it was, so this need not
    # be random; and a capture is told the same each time.
    otherwise = hashlib.sha384(encrypted).digest()
    try:
        return decrypt_premaster(key, encrypted, w.hello.legacy_version, otherwise)
    except Misuse:
        return None  # this build of the library cannot; then a key log may


def _master_secret(
    w: Watched,
    security: Security,
    premaster_secret: bytes,
    session_hash: bytes,
    trace: TraceView | None = None,
) -> bytes:
    assert security.suite is not None
    hash_name = security.suite.hash_name
    if security.extended:
        return extended_master_secret(hash_name, premaster_secret, session_hash, trace=trace)
    return master_secret(hash_name, premaster_secret, w.client_random, security.server_random, trace=trace)


def _why_closed(w: Watched, security: Security, leaf: Leaf | None) -> tuple[str, str]:
    """Why there is no master secret: the reason, and a sentence with the particulars."""
    if security.suite is None:
        return "unknown_cipher_suite", f"The server chose {security.suite_name}."
    fits = leaf is not None and w.keys.private_key_for(leaf.public_key) is not None
    if security.key_exchange == "RSA" and w.keys.private_keys and not fits:
        count = w.keys.private_keys
        given = "The private key that was given" if count == 1 else f"None of the {count} private keys given"
        belongs = "does not belong" if count == 1 else "belongs"
        return "key_does_not_fit", f"{given} {belongs} to the server's certificate; {_logs(w)}"
    if fits and security.key_exchange != "RSA":
        return "forward_secrecy", (
            f"The private key is the one of the server's certificate, but the key exchange was "
            f"{security.key_exchange}; {_logs(w)}"
        )
    logs = _logs(w)
    too = (
        " The server's private key would open it, too: --key FILE." if security.key_exchange == "RSA" else ""
    )
    return "no_secrets", logs[:1].upper() + logs[1:] + too


def _logs(w: Watched) -> str:
    """What the key logs have, as the end of a sentence."""
    count = w.keys.connections
    if not count:
        return "no secrets were given, by a key log or in the capture."
    connections = "connection" if count == 1 else "connections"
    return (
        f"the key logs have secrets for {count} {connections}, none of them for the client random "
        f"{w.client_random.hex()}."
    )


# -- telling it


def _tell_premaster(w: Watched, premaster_secret: bytes, encrypted: bytes) -> None:
    """The client has made it, and will send it; the server decrypts it, if it goes on after that."""
    logged = w.keys.premaster_secret(encrypted) is not None
    used_for = "the master secret"
    w.view("client").secret(
        name="premaster_secret",
        formula="given: RSA of the key log" if logged else "client_version || random(46)",
        inputs=[("client_version", premaster_secret[:2])],
        value=premaster_secret,
        used_for=used_for,
    )
    decrypted = "RSA-Decrypt(the server's private key, encrypted_pre_master_secret)"
    w.tell_when_heard(
        "server",
        lambda: w.view("server").secret(
            name="premaster_secret",
            formula="given: RSA of the key log" if logged else decrypted,
            inputs=[("encrypted_pre_master_secret", encrypted)],
            value=premaster_secret,
            used_for=used_for,
        ),
    )


def _tell_given(w: Watched, security: Security, secret: bytes) -> None:
    bound = [("session_hash", w.transcript.digest())] if security.extended else []

    def tell(side: Side) -> None:
        w.view(side).secret(
            name="master_secret",
            formula="given: CLIENT_RANDOM of the key log",
            inputs=[("client_random", w.client_random), *bound],
            value=secret,
            used_for="the key block, and both Finished",
        )

    for side in SIDES:
        w.tell_when_heard(side, partial(tell, side))


def _take_master_secret(w: Watched, security: Security, secret: bytes) -> None:
    """The key block, and all that is cut from it (RFC 5246 6.3)."""
    suite = security.suite
    assert suite is not None
    security.master_secret = secret
    security.prf = Prf(suite.hash_name, secret)

    def block(trace: TraceView | None) -> KeyBlock:
        return key_block(
            suite, secret, w.client_random, security.server_random, trace=trace, keyed=security.prf
        )

    security.keys = block(None)
    for side in SIDES:
        w.tell_when_heard(side, partial(block, w.view(side)))


# -- using it


def change_keys(w: Watched, security: Security, side: Side) -> None:
    """Behind the ChangeCipherSpec of ``side``."""
    if security.compressed:
        w.seal(side, "not_followed", "The records are compressed.")
    elif security.keys is None or security.suite is None:
        w.seal(side, *security.why)
    else:
        keys = security.keys.client if side == "client" else security.keys.server
        taken: dict[str, Any] = {
            "epoch": EPOCH,
            "cipher_suite": security.suite.name,
            "key": keys.key,
            "iv": keys.iv,
            "mac_key": keys.mac_key,
        }
        w.view(side).keys(direction="write", **taken)
        other = other_side(side)
        w.tell_behind(other, partial(w.view(other).keys, direction="read", **taken))
        w.install(side, opener12(security.suite, keys, encrypt_then_mac=security.encrypt_then_mac), EPOCH)


def hear_finished(w: Watched, security: Security, side: Side) -> Flow[bool]:
    """The first message under the new keys; whether it was heard, and is as it must be."""
    if w.is_sealed(side) or security.suite is None:
        w.whole = False
        return False
    if not w.whole:  # the other Finished is part of what this one is made from
        yield from heard(w, side, "WAIT_FINISHED", Finished)
        return False
    transcript_hash = w.transcript.digest()
    _verify_data(w.view(side), security, side, transcript_hash)
    try:
        finished = yield from heard(w, side, "WAIT_FINISHED", Finished)
    except Unheard:
        w.whole = False
        return False
    expected = _verify_data(w.view(other_side(side)), security, side, transcript_hash)
    return check_finished(w, side, expected, finished.verify_data)


def _verify_data(view: TraceView, security: Security, side: Side, transcript_hash: bytes) -> bytes:
    assert security.suite is not None
    return finished_verify_data12(
        security.suite.hash_name,
        security.master_secret,
        side,
        transcript_hash,
        trace=view,
        keyed=security.prf,
    )
