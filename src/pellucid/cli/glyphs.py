"""Characters beyond ASCII, and what stands for them on a terminal that cannot show them."""

__all__ = ["to_ascii"]

_ASCII = str.maketrans(
    {
        "▶": ">",
        "◀": "<",
        "─": "-",
        "→": ">",
        "·": "*",
        "…": "~",
        "✓": "+",
        "✗": "x",
        "│": "|",
    }
)


def to_ascii(text: str) -> str:
    """``text`` with a stand-in for each character that the narration uses, and ? for any other."""
    return text.translate(_ASCII).encode("ascii", "replace").decode("ascii")
