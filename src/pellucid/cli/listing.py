"""What ``decode`` keeps of the connections of a capture: a row of each, up to a bound, and counts of all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from pellucid.printable import printable
from pellucid.trace.events import Side, other_side

if TYPE_CHECKING:
    from pellucid.capture import Endpoint
    from pellucid.decode import Decoded
    from pellucid.trace.failure import Diagnosis

__all__ = ["MOST_ROWS", "Kinds", "Listing", "Row", "words"]

#: Rows kept, of those that failed and of all others: each takes about 1 KiB, and nobody reads more.
MOST_ROWS = 1000

# Numbers of connections kept for a kind of failure, or a reason to stay closed.
_MOST_NUMBERS = 5

_HTTPS = 443
_PROTOCOLS = ("HTTP", "SSH", "SMTP", "POP3", "IMAP")
_STATUSES = {"failed": "failed", "unknown": "end unknown"}
_LAST_SECOND = 253_402_300_799
_VERSIONS = {"TLSv1.3": "1.3", "TLSv1.2": "1.2", "TLSv1.1": "1.1", "TLSv1": "1.0"}


class Row(NamedTuple):
    """One connection, as the list shows it. ``status`` is "" of what is not TLS."""

    number: int
    at: datetime
    client: str
    server: str
    version: str
    status: str
    outcome: str
    notes: tuple[str, ...]


def describe(decoded: Decoded) -> Row:
    """The row of a connection."""
    outcome = decoded.outcome
    version = outcome.protocol if outcome else ""
    return Row(
        number=decoded.number,
        at=_moment(decoded.started_at),
        client=decoded.client.address,
        server=_server(decoded.server, decoded.server_name),
        version=_VERSIONS.get(version, version),
        status=_status(decoded),
        outcome=_outcome(decoded),
        notes=tuple(_notes(decoded)),
    )


def _moment(seconds: float) -> datetime:
    """A capture may claim any time; what is behind the year 9999 is shown as its end."""
    return datetime.fromtimestamp(min(seconds, _LAST_SECOND), UTC)


def _server(end: Endpoint, name: str) -> str:
    """By the name that the client asked for, if it did; the port only where it is not the usual one."""
    if not name:
        return str(end) if end.port != _HTTPS else end.address
    return printable(name) + (f":{end.port}" if end.port != _HTTPS else "")


def _status(decoded: Decoded) -> str:
    if not decoded.tls:
        return ""
    return decoded.outcome.status if decoded.outcome else "unknown"


def _outcome(decoded: Decoded) -> str:
    """A few words: how it ended, and whether it could be opened."""
    outcome = decoded.outcome
    match _status(decoded):
        case "":
            return _not_tls(outcome.failure if outcome else None)
        case "connected" if outcome:
            return f"connected{' (resumed)' if outcome.resumed else ''}, {_opened(decoded)}"
        case "failed" if outcome and outcome.failure and outcome.failure.id == "not_tls":
            return _not_tls(outcome.failure)
        case "failed" if outcome and outcome.failure:
            told = _failure(outcome.failure, outcome.side)
        case status:
            told = _STATUSES[status]
    return f"{told}, {_opened(decoded)}" if decoded.sealed else told


def _not_tls(failure: Diagnosis | None) -> str:
    """With the protocol, where the first bytes are like one that is known; their own text does not count."""
    likeness = failure.observed.partition('"')[0] if failure else ""
    found = next((name for name in _PROTOCOLS if name in likeness), "")
    return f"not TLS ({found})" if found else "not TLS"


def _failure(failure: Diagnosis, seen_on: Side) -> str:
    """An alert says more than the failure's name; it has a sender, who found the fault."""
    if failure.alert is None:
        return words(failure.id)
    sender = seen_on if failure.direction == "sent" else other_side(seen_on)
    return f"{sender} sent alert {failure.alert}"


def _opened(decoded: Decoded) -> str:
    reasons = dict.fromkeys(words(event.reason) for event in decoded.sealed)
    return f"sealed: {', '.join(reasons)}" if reasons else "decrypted"


def words(identifier: str) -> str:
    """A stable id, to be read."""
    return identifier.replace("_", " ")


def _notes(decoded: Decoded) -> Iterable[str]:
    """What -v shows below the row."""
    milliseconds = decoded.duration_us / 1000
    sent, received = decoded.bytes_from_client, decoded.bytes_from_server
    yield f"{decoded.client} → {decoded.server}, {milliseconds:,.1f} ms"
    yield f"{sent:,} bytes from the client, {received:,} from the server"
    for hello in dict.fromkeys(decoded.hellos):
        yield f"JA4 {hello.ja4}"
        yield f"JA3 {hello.ja3}"


class Kinds:
    """How many connections there are of each kind, and the first of them."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._numbers: dict[str, list[int]] = {}

    def __bool__(self) -> bool:
        return bool(self._counts)

    def add(self, kind: str, number: int) -> None:
        self._counts[kind] += 1
        numbers = self._numbers.setdefault(kind, [])
        numbers.append(number)
        # They come as connections end; the list goes by when they began.
        numbers.sort()
        del numbers[_MOST_NUMBERS:]

    @property
    def first(self) -> int:
        """The lowest number of all."""
        return min(numbers[0] for numbers in self._numbers.values())

    def lines(self) -> Iterable[tuple[str, int, str]]:
        """The kind, how many, and their numbers, the most frequent first."""
        for kind, count in sorted(self._counts.items(), key=lambda item: (-item[1], item[0])):
            numbers = ", ".join(map(str, self._numbers[kind]))
            yield kind, count, numbers + (", …" if count > _MOST_NUMBERS else "")


@dataclass
class Listing:
    """What is kept of the connections of a capture: rows up to a bound, and counts of all."""

    rows: list[Row] = field(default_factory=list)
    left_out: int = 0
    total: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    opened: int = 0
    sealed: int = 0
    #: The lowest number of those with TLS; 0 where there is none.
    lowest: int = 0
    first: datetime | None = None
    last: datetime | None = None
    failures: Kinds = field(default_factory=Kinds)
    reasons: Kinds = field(default_factory=Kinds)
    _kept: Counter[bool] = field(default_factory=Counter)

    def add(self, decoded: Decoded) -> None:
        row = describe(decoded)
        self.total += 1
        self.statuses[row.status] += 1
        self.sealed += bool(decoded.sealed)
        self.opened += row.status == "connected" and not decoded.sealed
        if row.status == "failed" and decoded.outcome and decoded.outcome.failure:
            self.failures.add(decoded.outcome.failure.id, row.number)
        if row.status:
            self.lowest = min(self.lowest or row.number, row.number)
        for reason in {event.reason for event in decoded.sealed}:
            self.reasons.add(reason, row.number)
        end = _moment(decoded.started_at + decoded.duration_us / 1e6)
        self.first = min(self.first or row.at, row.at)
        self.last = max(self.last or end, end)
        failed = row.status == "failed"
        self._kept[failed] += 1
        if self._kept[failed] <= MOST_ROWS:
            self.rows.append(row)
        else:
            self.left_out += 1

    @property
    def tls(self) -> int:
        """How many connections are TLS."""
        return self.total - self.statuses[""]
