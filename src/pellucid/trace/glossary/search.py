"""Finding what somebody means: by name, number, part of a name, or by what looks like it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher, get_close_matches
from typing import Literal

from pellucid.codes import is_grease
from pellucid.trace.glossary.entry import NO_NUMBER, Entry

__all__ = ["Found", "Glossary"]

# How alike a word must be to be offered instead, and to be told at once as what was meant.
_ALIKE = 0.6
_MEANT = 0.82
_MOST_SUGGESTIONS = 5
# So many letters has a name that is looked for inside other words: a shorter one may stand there by chance.
_TELLING = 12

# What 0x0028 does not mean, though 0x28 may.
_OF_ONE_BYTE = frozenset({"alert", "message", "record of type"})

_PLURALS = {
    "alerts": "alert",
    "ciphersuites": "cipher suite",
    "suites": "cipher suite",
    "ciphers": "cipher suite",
    "groups": "group",
    "curves": "group",
    "signatureschemes": "signature scheme",
    "schemes": "signature scheme",
    "extensions": "extension",
    "messages": "message",
    "handshakemessages": "message",
    "secrets": "secret",
    "terms": "term",
    "words": "term",
    "failures": "failure",
    "states": "state",
    "checks": "check",
    "choices": "choice",
    "fields": "field",
    "versions": "version",
}


@dataclass(frozen=True, slots=True)
class Found:
    """What there is to say. ``how`` it was found; ``instead``: names to try where nothing was found.

    "kind": all of one kind were asked for; "part": the words are a part of these names; "inside": one of
    these names is a part of the words, as of an error message; "alike": it is no name, but looks like this.
    """

    how: Literal["name", "number", "kind", "part", "inside", "alike", "nothing"]
    entries: tuple[Entry, ...] = ()
    instead: tuple[str, ...] = ()


class Glossary:
    """All entries, and the ways to find one."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self.entries = tuple(entries)
        self._by_id = {entry.id.casefold(): entry for entry in self.entries}
        self._by_name: dict[str, list[Entry]] = {}
        self._by_key: dict[str, list[Entry]] = {}
        for entry in self.entries:
            for name in entry.names:
                _add(self._by_name, name.casefold(), entry)
                _add(self._by_key, _key(name), entry)

    @property
    def names(self) -> list[str]:
        """Every entry's own name, in order and once."""
        return list(dict.fromkeys(entry.name for entry in self.entries))

    def find(self, asked: str) -> Found:
        """What ``asked`` means. Case, spaces and hyphens only count where two names differ by them."""
        asked = " ".join(asked.split())
        if entry := self._by_id.get(asked.casefold()):
            return Found("name", (entry,))
        exact = _told(self._by_name.get(asked.casefold()) or self._by_key.get(_key(asked)) or [])
        kind = _PLURALS.get(_key(asked))
        if kind and all(entry.passing for entry in exact):
            return Found("kind", tuple(entry for entry in self.entries if entry.kind == kind))
        if exact:
            return Found("name", exact)
        if numbered := self._numbered_of_a_kind(asked) or self._numbered(asked):
            return Found("number", numbered)
        if parts := self._with_words(asked):
            return Found("part", parts)
        if inside := self._inside(asked):
            return Found("inside", inside)
        return self._alike(asked)

    def _numbered_of_a_kind(self, asked: str) -> tuple[Entry, ...]:
        """As programs write it: "alert 40", "extension 43", "Cipher Suite: 0x1301"."""
        kind, _, number = asked.rpartition(" ")
        name = _PLURALS.get(_key(kind) + "s", "")
        return tuple(entry for entry in self._numbered(number) if entry.kind == name) if name else ()

    def _numbered(self, asked: str) -> tuple[Entry, ...]:
        codes, digits = _numbers(asked)
        found = [
            entry
            for entry in self.entries
            if entry.code != NO_NUMBER
            and entry.code in codes
            and (digits < 3 or entry.kind not in _OF_ONE_BYTE)
        ]
        if not found and any(is_grease(code) for code in codes):
            return _told(self._by_name["grease"])
        return tuple(found)

    def _with_words(self, asked: str) -> tuple[Entry, ...]:
        """Entries in one of whose names every word that was asked for begins a word, in any order."""
        words = _words(asked)
        found = [
            entry
            for entry in self.entries
            if any(_has_words(_words(name), words) for name in entry.names) and words
        ]
        return _told(found)

    def _inside(self, asked: str) -> tuple[Entry, ...]:
        """What an error message is about: "... SSL routines::tlsv1 alert unknown ca"."""
        if alert := re.search(r"\balert ([\w ]+)", asked.casefold()):
            named = [entry for entry in self._by_key.get(_key(alert[1]), []) if entry.kind == "alert"]
            if named:
                return tuple(named)
        key = _key(asked)
        names = [name for name in self._by_key if len(name) >= _TELLING and name in key]
        return _told(self._by_key[max(names, key=len)]) if names else ()

    def _alike(self, asked: str) -> Found:
        key = _key(asked)
        close = get_close_matches(key, self._by_key, n=3 * _MOST_SUGGESTIONS, cutoff=_ALIKE)
        names = tuple(dict.fromkeys(_told(self._by_key[name])[0].name for name in close))
        if close and SequenceMatcher(None, key, close[0]).ratio() >= _MEANT:
            return Found("alike", _told(self._by_key[close[0]]), names[1 : 1 + _MOST_SUGGESTIONS])
        return Found("nothing", (), names[:_MOST_SUGGESTIONS])


def _add(index: dict[str, list[Entry]], key: str, entry: Entry) -> None:
    entries = index.setdefault(key, [])
    if entry not in entries:
        entries.append(entry)


def _told(entries: Sequence[Entry]) -> tuple[Entry, ...]:
    """Those that are worth telling: what has the name in passing only where nothing else has it; and an alert
    tells of the failure that is called the same, too."""
    main = [entry for entry in entries if not entry.passing] or list(entries)
    alerts = {entry.name for entry in main if entry.kind == "alert"}
    return tuple(entry for entry in main if entry.kind != "failure" or entry.name not in alerts)


def _key(name: str) -> str:
    """A name without what people write in different ways."""
    return re.sub(r"[\W_]+", "", name.casefold())


def _words(name: str) -> list[str]:
    return [
        word for word in re.split(r"[\W_]+", re.sub(r"([a-z])([A-Z])", r"\1 \2", name).casefold()) if word
    ]


def _has_words(name: Sequence[str], asked: Sequence[str]) -> bool:
    return all(any(word.startswith(one) for word in name) for one in asked)


def _numbers(asked: str) -> tuple[set[int], int]:
    """What ``asked`` may stand for as a number, and how many hex digits were written, 0 for none.

    40, 0x28, 0x1301, 1301, {0x13,0x01} and 13:01 are understood.
    """
    text = asked.strip("{} ").casefold()
    if pair := re.fullmatch(r"(?:0x)?([0-9a-f]{2})\s*[,:]\s*(?:0x)?([0-9a-f]{2})", text):
        return {int(pair[1] + pair[2], 16)}, 4
    if digits := re.fullmatch(r"0x([0-9a-f]{1,6})", text):
        return {int(digits[1], 16)}, len(digits[1])
    codes = {int(text)} if re.fullmatch(r"[0-9]{1,6}", text) else set()
    if re.fullmatch(r"[0-9a-f]{4}", text):  # as suites are often written
        codes.add(int(text, 16))
    return codes, 0
