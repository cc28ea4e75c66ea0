"""What is kept of a connection that has failed, for whoever asks why: without secrets, and small.

Until then a driver only notes which messages went by. Loaded by the first failure.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pellucid.diagnosis.evidence import ALERT, Choice, Circumstances, Evidence, from_events, kept
from pellucid.driver.noting import is_alert
from pellucid.errors import CertificateRejected, PeerIncompatible, Reason, TLSError
from pellucid.handshake.flow import AnyHandshake
from pellucid.identity import ServerName
from pellucid.messages import message_name, tls12, tls13
from pellucid.trace.texts import NOWHERE, Place

if TYPE_CHECKING:
    from collections.abc import Callable

    from pellucid.config import Config
    from pellucid.driver.noting import Note

__all__ = ["gather"]

#: A note with the name of the message: direction, name, bytes.
_Named = tuple[str, str, bytes]

#: An empty Certificate message: a header of four bytes, in TLS 1.3 an empty context, an empty list.
_EMPTY_CERTIFICATE_BYTES = 8


def gather(
    hs: AnyHandshake,
    notes: Sequence[Note],
    error: BaseException,
    *,
    server_name: ServerName | None,
    completed: bool,
    state: str,
    unread: bytes,
    circumstances: Callable[[], Circumstances] | None,
) -> Evidence:
    """The evidence for ``error``, which has ended the connection or is about to."""
    config, trace = hs.config, hs.trace
    named = [(direction, ALERT if is_alert(raw) else message_name(raw), raw) for direction, raw in notes]
    asked = any(note[:2] == ("received", "CertificateRequest") for note in named)
    doubted = isinstance(error, CertificateRejected) or _reason(error) is Reason.BAD_SIGNATURE
    seen = circumstances() if circumstances else Circumstances()
    return Evidence(
        side=hs.side,
        messages=tuple(kept(*note) for note in named),
        choices=from_events(trace.trace.events, hs.side).choices if trace else tuple(_choices(hs, named)),
        began=True,
        completed=completed,
        state=state,
        unread=unread,
        accepts=_accepts(config) if isinstance(error, PeerIncompatible) and hs.side == "server" else (),
        credentials=tuple(each.subject for each in config.credentials) if asked else (),
        issuers=frozenset().union(*(each.issuers for each in config.credentials)) if asked else frozenset(),
        trust=_trust(config) if isinstance(error, CertificateRejected) else "",
        server_name=str(server_name or ""),
        chain=_chain(hs, named) if doubted else (),
        now=hs.now() if isinstance(error, CertificateRejected) else None,
        circumstances=seen,
        place=trace.trace.place if trace else _place(hs.side, server_name, seen),
    )


def _reason(error: BaseException) -> Reason | None:
    return error.reason if isinstance(error, TLSError) else None


def _choices(hs: AnyHandshake, notes: Sequence[_Named]) -> list[Choice]:
    """Whether a client that was asked for a certificate had one to show."""
    shown = [raw for direction, name, raw in notes if (direction, name) == ("sent", "Certificate")]
    if hs.side != "client" or not shown:
        return []
    subjects = tuple(credential.subject for credential in hs.config.credentials)
    chosen = "shown" if len(shown[-1]) > _EMPTY_CERTIFICATE_BYTES else ""
    return [Choice("client_certificate", subjects, (), chosen)]


def _accepts(config: Config) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """What a server takes, by the names of the choices."""
    parameters = config.parameters
    schemes = dict.fromkeys(
        scheme for each in config.credentials for scheme in (*each.schemes, *each.schemes12)
    )
    lists: dict[str, Any] = {
        "version": parameters.protocols,
        "cipher_suite": parameters.cipher_suites,
        "group": parameters.groups,
        "signature_scheme": schemes,
        "alpn": config.alpn_protocols,
    }
    return tuple((what, tuple(map(str, values))) for what, values in lists.items())


def _trust(config: Config) -> str:
    trust = config.trust
    if trust is None:
        return ""
    count = len(trust)
    return f"{trust.description} ({count} certificate{'' if count == 1 else 's'})"


def _chain(hs: AnyHandshake, notes: Sequence[_Named]) -> tuple[bytes, ...]:
    """The certificates that the peer showed, DER."""
    shown = [raw for direction, name, raw in notes if (direction, name) == ("received", "Certificate")]
    try:
        if not shown:
            return ()
        if hs.speaks12:
            return tuple(tls12.Certificate.decode(shown[-1]).certificate_list)
        return tuple(entry.cert_data for entry in tls13.Certificate.decode(shown[-1]).certificate_list)
    except TLSError:  # it is something else, such as a raw public key, or malformed and refused for that
        return ()


def _place(side: str, server_name: ServerName | None, seen: Circumstances) -> Place:
    """The server's: who runs one knows it, and the peer's address is where nobody listens."""
    host, port = seen.address if seen.address and side == "client" else NOWHERE[:2]
    return Place(str(server_name or host), port)
