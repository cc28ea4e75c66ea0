"""What peers say, made fit to be shown: names, paths and texts that somebody else has chosen."""

#: Longer is cut where a name is shown within a sentence.
MOST_CHARACTERS = 120


def escaped(text: str, keep: str = "") -> str:
    """``text`` with every character that a terminal might act on (controls, bidi marks) written out.

    ``keep``: characters to leave as they are, such as a newline.
    """
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() or character in keep else _code(character) for character in text
    )


def printable(text: str, limit: int = MOST_CHARACTERS) -> str:
    """``escaped``, and cut at ``limit`` characters."""
    safe = escaped(text[:limit])
    return safe if len(text) <= limit else f"{safe}..."


def _code(character: str) -> str:
    point = ord(character)
    return f"\\u{point:04x}" if point <= 0xFFFF else f"\\U{point:08x}"
