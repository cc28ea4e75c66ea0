"""Entries for IANA's numbers: alerts, groups, signature schemes and extensions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from pellucid.codes import AlertDescription, ExtensionType, NamedGroup, SignatureScheme
from pellucid.messages.extensions import TABLE
from pellucid.trace.explanations import explanations
from pellucid.trace.glossary.entry import Entry, Row, Standings, listed, offered
from pellucid.trace.texts import texts

__all__ = ["alerts", "cause_and_cure", "extensions", "groups", "schemes"]

_FIELDS = "html/fields.toml"
# What a scheme's name ends in is its hash, with these as exceptions.
_HASHED = re.compile(r"(?P<key>.+)_(?P<hash>md5|sha\d+)")
# RFC 9846 6.2: after a fatal alert "both parties MUST immediately close the connection".
_FATAL = "fatal: the connection ends at once, for both"
_OLD_CURVE = re.compile(r"(?P<family>sec[pt])(?P<bits>\d+)")


def alerts() -> Iterator[Entry]:
    added, failures = texts("glossary/alerts.toml"), texts("failures.toml")
    for alert in AlertDescription:
        found, more = explanations()[f"alert:{alert.name}"], added[alert.name]
        failure = failures.get(more.get("failure", ""), {})
        rows = (
            Row("who sends it", more["sender"]),
            Row("level", more.get("level", _FATAL)),
            *cause_and_cure({**failure, **more}),
        )
        yield Entry(
            f"alert:{alert.name}", "alert", alert.name, found.text, alert, str(int(alert)),
            textbook=found.textbook, rows=rows, rfc=found.rfc, related=listed(more.get("related")),
        )  # fmt: skip


def cause_and_cure(entry: Mapping[str, str]) -> Iterator[Row]:
    """What is usually behind a failure, and what to do."""
    causes = (entry.get(part, "") for part in ("cause", "possible", "inferred"))
    for label, value in (
        ("usual cause", next(filter(None, causes), "")),
        ("what to do", entry.get("fix", "")),
        ("confirm with", entry.get("confirm", "")),
    ):
        if value:
            yield Row(label, value.replace("{host}", "HOST").replace("{port}", "PORT"))


def groups(standings: Standings) -> Iterator[Entry]:
    known = texts("glossary/groups.toml")
    for group in NamedGroup:
        old = _OLD_CURVE.match(group.name)
        found = known.get(group.name) or known[f"family:{old['family'] if old else ''}"]
        bits = found.get("bits") or (f"about {int(old['bits']) // 2}" if old else "")
        client, _, server = found.get("share", "").partition("/")
        share = f"{client} bytes, the server's {server}" if server else f"{client} bytes from each side"
        rows = (
            Row("kind", found["kind"]),
            Row("security", f"{bits} bits" if bits.replace("about ", "").isdigit() else bits),
            Row("share", share if client else ""),
            Row("cost", found.get("speed", "")),
            Row("offered", offered(standings.get(group.name), f"--group {group.name}")),
        )
        yield Entry(
            f"group:{group.name}", "group", group.name, found["text"], group, f"0x{group:04X}",
            also=listed(found.get("also")), rows=tuple(row for row in rows if row.value), rfc=found["rfc"],
            related=listed(found.get("related")),
        )  # fmt: skip


def schemes(standings: Standings) -> Iterator[Entry]:
    known = texts("glossary/schemes.toml")
    for scheme in SignatureScheme:
        hashed = _HASHED.fullmatch(scheme.name)
        found = known[f"key:{hashed['key'] if hashed else scheme.name}"]
        digest = known[f"hash:{hashed['hash']}"] if hashed else {"text": "its own, inside the signature"}
        rows = [
            Row("key", found["key"]),
            Row("hash", digest["text"]),
            Row("signature", f"{found['size']} bytes" if found["size"].isdigit() else found["size"]),
            Row("used in", found["where"]),
            Row("offered", offered(standings.get(scheme.name), "signature_schemes")),
        ]
        text = found["text"]
        if "refused" in digest:
            text += " With this hash it is not accepted any more."
            rows.append(Row("verdict", f"refused: {digest['refused']}"))
        yield Entry(
            f"scheme:{scheme.name}", "signature scheme", scheme.name, text, scheme, f"0x{scheme:04X}",
            rows=tuple(rows), rfc=found["rfc"], related=listed(found["related"]),
        )  # fmt: skip


def extensions() -> Iterator[Entry]:
    fields, added = texts(_FIELDS), texts("glossary/extensions.toml")
    for extension in ExtensionType:
        more = added[extension.name]
        found = fields.get(extension.name) or more
        row = TABLE.get(extension, {})
        places = ", ".join(context.value for context in row) or "nowhere here: as if it were unknown"
        read = any(body is not None for body in row.values())
        rows = (
            Row("stands in", places),
            Row("pellucid", "reads it" if read else "knows its name, and does not read it"),
        )
        yield Entry(
            f"extension:{extension.name}", "extension", extension.name, found["text"], extension,
            str(int(extension)), also=listed(more.get("also")), without=more.get("without", ""),
            why=found.get("odd", ""), rows=rows, rfc=found["rfc"], related=listed(more.get("related")),
        )  # fmt: skip
