"""What ``pellucid explain`` knows: every name and number of TLS that can turn up, each with its meaning.

The words are those of the narration and the page, where these have any (``explanations.toml`` and the files
beside it, ``html/fields.toml``); what they have not is in the TOML files of this folder.
"""

from __future__ import annotations

from itertools import chain

from pellucid.trace.glossary.ciphers import suites
from pellucid.trace.glossary.codepoints import alerts, extensions, groups, schemes
from pellucid.trace.glossary.entry import Entry, Row, Standings
from pellucid.trace.glossary.search import Found, Glossary
from pellucid.trace.glossary.words import failures, fields, messages, others, sealed, secrets, terms

__all__ = ["Entry", "Found", "Glossary", "Row", "Standings", "glossary"]


def glossary(standings: Standings) -> Glossary:
    """The whole of it. ``standings``: which policies offer what, which only who speaks TLS can say."""
    return Glossary(
        chain(
            terms(), alerts(), suites(standings), groups(standings), schemes(standings), extensions(),
            messages(), secrets(), failures(), sealed(), fields(), others(),
        )
    )  # fmt: skip
