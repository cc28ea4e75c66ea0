"""What the two sides agreed on, as far as a trace shows it: which story it is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pellucid.messages import Field
from pellucid.trace.events import ChoiceEvent, Event, KeysEvent, MessageEvent, OutcomeEvent
from pellucid.trace.suites import Anatomy, anatomy

__all__ = ["NOTHING", "Agreed", "agreed_in", "extensions_of", "versions_offered"]

TLS12, TLS13 = "TLSv1.2", "TLSv1.3"
_OLDER = ("SSLv3", "TLSv1", "TLSv1.1")


@dataclass(frozen=True, slots=True)
class Agreed:
    """Version, cipher suite and group by their names, and what depends on them.

    They are "" where they were not reached. A group of TLS 1.2 may be known by a description alone.
    """

    protocol: str = ""
    cipher_suite: str = ""
    group: str = ""
    resumed: bool = False
    encrypt_then_mac: bool = False

    @property
    def tls12(self) -> bool:
        """Of TLS 1.2, or older, which is told alike: only captures have that."""
        return self.protocol in (TLS12, *_OLDER)

    @property
    def suite(self) -> Anatomy | None:
        """The suite taken apart; None for one of TLS 1.3, whose name says less."""
        return anatomy(self.cipher_suite)

    @property
    def key_exchange(self) -> str:
        """ "RSA", "DHE" or "ECDHE" in TLS 1.2; otherwise "", also where a session goes on without any."""
        return self.suite.key_exchange if self.suite and not self.resumed else ""


NOTHING = Agreed()


def agreed_in(events: Iterable[Event]) -> Agreed:
    """What was agreed on in one connection."""
    protocol = suite = group = ""
    resumed = encrypt_then_mac = False
    for event in events:
        match event:
            case ChoiceEvent(what="version"):
                protocol = event.chosen or protocol
            case ChoiceEvent(what="cipher_suite"):
                suite = event.chosen or suite
            case ChoiceEvent(what="group"):
                group = event.chosen or group
            case ChoiceEvent(what="session"):
                resumed = bool(event.chosen)
            case KeysEvent(epoch="session"):
                protocol, suite = TLS12, event.cipher_suite
            case MessageEvent(name="ServerHello"):
                encrypt_then_mac = encrypt_then_mac or "encrypt_then_mac" in extensions_of(event.fields)
            case OutcomeEvent():
                protocol, suite = event.protocol or protocol, event.cipher_suite or suite
                resumed = resumed or event.resumed
    return Agreed(protocol, suite, group, resumed, encrypt_then_mac)


def extensions_of(fields: Sequence[Field]) -> set[str]:
    """The names of the extensions of a hello, from its field tree."""
    return {inner.name for field in fields if field.name == "extensions" for inner in field.fields}


def versions_offered(fields: Sequence[Field]) -> list[str]:
    """The names of the versions that a ClientHello offers by its supported_versions, from its field tree."""
    return [
        version.meaning
        for field in fields
        if field.name == "extensions"
        for extension in field.fields
        if extension.name == "supported_versions"
        for versions in extension.fields
        for version in versions.fields
    ]
