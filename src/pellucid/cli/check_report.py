"""What ``pellucid check`` found: for people, and as the document ``pellucid.check/1``."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from rich.text import Text

from pellucid.cli.render import Storyteller
from pellucid.cli.verdicts import show_candidates, show_verdicts
from pellucid.trace import summary_of
from pellucid.trace.paths import path_parts
from pellucid.trace.texts import texts

if TYPE_CHECKING:
    from pellucid.identity.inspection import ChainReport, Finding, Found, Inspection, Wish

__all__ = ["SCHEMA", "document", "schema", "tell"]

SCHEMA = "pellucid.check/1"

# Names that a row shows; a certificate may have a hundred.
_MOST_NAMES = 12
# A chain has two or three, unless somebody has put a set of roots into its file.
_MOST_SENT = 12
# A set of roots has some hundred.
_MOST_AUTHORITIES = 12


def tell(story: Storyteller, inspection: Inspection, wish: Wish) -> None:
    """All of it, chain by chain; what is wrong comes last, where people look."""
    for chain in inspection.chains:
        _tell_chain(story, chain, wish)
    if inspection.others:
        _tell_authorities(story, inspection.others, wish.now)
    for finding in sorted(inspection.everything, key=lambda one: one.serious):
        _tell_finding(story, finding)
    count = sum(finding.serious for finding in inspection.everything)
    if count:
        story.line(Text(f"✗ {count} finding{'s' if count > 1 else ''}", "bold red"))
    else:
        looked = len(inspection.chains)
        what = f"{looked} chain{'s' if looked > 1 else ''}" if looked else "the files"
        story.line(Text(f"✓ nothing wrong found with {what}", "bold green"))


def _tell_chain(story: Storyteller, chain: ChainReport, wish: Wish) -> None:
    leaf = summary_of(chain.leaf.certificate)
    story.heading(f"{chain.leaf.source}: {leaf.subject}")
    story.row("issued by", leaf.issuer)
    names = list(chain.names)
    more = len(names) - _MOST_NAMES
    shown = ", ".join(names[:_MOST_NAMES]) or "none"
    story.row("names", shown + (f", and {more} more" if more > 0 else ""))
    story.row("key", leaf.key, f"the private key is in {chain.key_source}" if chain.key_source else "")
    story.row("valid", f"{leaf.not_before} to {leaf.not_after}")
    _, *others = chain.sent
    for one in others if story.verbosity else others[:_MOST_SENT]:
        story.row("sent with it", one.subject, f"{one.source}, certificate {one.number}")
    if len(others) > _MOST_SENT and not story.verbosity:
        story.row("", f"and {len(others) - _MOST_SENT} more, which -v shows")
    path = chain.best
    if path is not None and path.trusted:
        story.row("path until", _day(chain.until, wish.now), "when the first of its certificates ends")
    for name, report in chain.reports.items():
        parts = path_parts(report)
        if len(chain.reports) > 1 or wish.names:
            story.row("for the name", name)
        show_verdicts(story, parts["verdicts"], with_reasons=False)
        if story.verbosity >= 1:
            show_candidates(story, parts["candidates"])
    story.line()


def _tell_authorities(story: Storyteller, others: Sequence[Found], now: float) -> None:
    story.heading("authorities")
    shown = others if story.verbosity else others[:_MOST_AUTHORITIES]
    for one in shown:
        until = _day(one.certificate.not_valid_after_utc, now)
        story.row("authority", summary_of(one.certificate).subject, f"until {until}")
    if len(shown) < len(others):
        story.row("", f"and {len(others) - len(shown)} more, which -v shows")
    story.line()


def _day(moment: datetime, now: float) -> str:
    left = moment - datetime.fromtimestamp(int(now), UTC)
    days = abs(left).days
    count = f"{days:,} day{'' if days == 1 else 's'}"
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC, {f'in {count}' if left >= timedelta() else f'{count} ago'}"


def _tell_finding(story: Storyteller, finding: Finding) -> None:
    mark, style = ("✗", "bold red") if finding.serious else ("·", "bold")
    words = finding.id.replace("_", " ")
    story.line(Text(f"{mark} {words}", style))
    story.row("Observed", _sentence(finding.sentence))
    if finding.profiles:
        story.row("Refused by", ", ".join(finding.profiles))
    for label, text in (("Fix", _fix(finding)), ("Read on", _rfc(finding)), ("Id", finding.id)):
        if text:
            story.row(label, text)


def _sentence(text: str) -> str:
    if text.partition(" ")[0].isalpha():  # not a file's name
        text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else text + "."


def _fix(finding: Finding) -> str:
    return finding.fix or texts("failures.toml").get(finding.id, {}).get("fix", "")


def _rfc(finding: Finding) -> str:
    return texts("failures.toml").get(finding.id, {}).get("rfc", "")


def document(inspection: Inspection, wish: Wish) -> str:
    """The same as JSON, described by ``schema/check-1.json`` in this package."""
    made = {
        "schema": SCHEMA,
        "at": _iso(wish.now),
        "purpose": wish.purpose.value,
        "trust": wish.trust.description,
        "chains": [_chain(chain) for chain in inspection.chains],
        "authorities": [_certificate(one) for one in inspection.others],
        "keys": [{"file": key.source, "encrypted": key.public is None} for key in inspection.keys],
        "findings": _findings(inspection.findings),
    }
    return json.dumps(made, indent=1, ensure_ascii=True) + "\n"


def schema() -> dict[str, Any]:
    """The JSON Schema of the document."""
    import pkgutil

    data = pkgutil.get_data("pellucid.cli", "schema/check-1.json")
    found: dict[str, Any] = json.loads(data or b"")
    return found


def _iso(moment: float) -> str:
    return f"{datetime.fromtimestamp(int(moment), UTC):%Y-%m-%dT%H:%M:%SZ}"


def _chain(chain: ChainReport) -> dict[str, Any]:
    return {
        "certificates": [_certificate(one) for one in chain.sent],
        "key_file": chain.key_source or None,
        "names": list(chain.names),
        "until": f"{chain.until:%Y-%m-%dT%H:%M:%SZ}",
        "explained": [
            {
                "name": name or None,
                "candidates": [asdict(one) for one in parts["candidates"]],
                "verdicts": [asdict(one) for one in parts["verdicts"]],
                "differs": list(parts["differs"]),
                "cut_short": parts["cut_short"],
            }
            for name, parts in ((name, path_parts(report)) for name, report in chain.reports.items())
        ],
        "findings": _findings(chain.findings),
    }


def _certificate(found: Found) -> dict[str, Any]:
    summary = asdict(summary_of(found.certificate))
    del summary["verdict"]
    sha256 = hashlib.sha256(found.der).hexdigest()
    return {"file": found.source, "number": found.number, "sha256": sha256, **summary}


def _findings(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    return [
        {
            "id": str(one.id),
            "serious": one.serious,
            "sentence": _sentence(one.sentence),
            "fix": _fix(one),
            "rfc": _rfc(one),
            "profiles": list(one.profiles),
        }
        for one in findings
    ]
