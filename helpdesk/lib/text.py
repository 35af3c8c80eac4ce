"""Texts from outside, as we keep and ask them."""


def one_line(text: str, limit: int = 200) -> str:
    """Foreign text as one short line without control, bidi or zero-width characters, and so without NUL."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:limit].strip()
