"""What a file is, by its own first bytes: a claim that they contradict is not believed."""

import codecs
import re

import filetype

HEAD = 8192  # bytes that are looked at
UNKNOWN = "application/octet-stream"
PICTURES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})  # those we can decode and draw anew
ZIP = "application/zip"  # of which many formats are made
_KNOWN = frozenset(kind.mime for kind in filetype.types)
# Markup that a browser would run. It has no signature at its very beginning, so it is looked for (WHATWG MIME Sniffing 7.1).
_MARKUP = [
    ("image/svg+xml", re.compile(rb"<svg[\s>]", re.IGNORECASE)),
    ("text/html", re.compile(rb"<(?:!doctype html|html|head|body|script|iframe|style|title|table|div)[\s>]", re.IGNORECASE)),
]
_BEGINS = re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:[a-z!?])", re.IGNORECASE)


def media_type(head: bytes, claimed: str = UNKNOWN) -> str:
    """The type of a file that begins with `head` and is said to be `claimed` (type/subtype, lower case).

    What can be recognised is what it is; a claim of such a type without its bytes is no more than bytes. A claim that
    nothing contradicts stays: text, office documents in their container, types that have no signature.
    """
    head = head[:HEAD]
    found = filetype.guess_mime(head) or _markup(head)
    if found == ZIP and claimed.startswith("application/") and claimed != UNKNOWN:
        return claimed if claimed not in _KNOWN or claimed.startswith("application/vnd.") else ZIP
    if found:
        return found
    return UNKNOWN if claimed in _KNOWN or (claimed in ("image/svg+xml", "text/html") and is_binary(head)) else claimed


def _markup(head: bytes) -> str:
    if not _BEGINS.match(head):
        return ""
    return next((kind for kind, sign in _MARKUP if sign.search(head)), "")


def is_binary(head: bytes) -> bool:
    """Whether this cannot be text: RFC 2046 text has no NUL, whatever its charset; UTF-16 and UTF-32 tell by their mark."""
    return b"\0" in head and not head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE))
