"""Declarations in the RFCs' presentation language, made comparable."""

from __future__ import annotations

import re

import pellucid.messages.change_cipher_spec
import pellucid.messages.tls12
from pellucid.wire import Vector, Wire

#: Where the classes are that only TLS 1.2 has.
OF_TLS12 = {pellucid.messages.change_cipher_spec.__name__, pellucid.messages.tls12.__name__}


def normalised(text: str) -> str:
    """One space where there were some, no comments, no constants, bounds as numbers."""
    text = re.sub(r"/\*.*?\*/", "", text)
    text = re.sub(r" = \w+;", ";", text)
    text = re.sub(r"2\^(\d+)-(\d+)", lambda power: str(2 ** int(power[1]) - int(power[2])), text)
    # RFC 6066, RFC 7301 and RFC 8422 leave out the last semicolon.
    text = re.sub(r"([>\w])\s*\n\s*}", r"\1; }", text)
    return re.sub(r"\s+", " ", text).replace("{ }", "{}").strip()


def item_of(cls: type[Wire], member: str) -> str:
    """The declaration of the type that the vector of that name holds."""
    vector = dict(cls.codec.members)[member]
    assert isinstance(vector, Vector)
    return normalised(vector.item.declare(vector.name))
