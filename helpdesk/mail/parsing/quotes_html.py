"""The new part of an HTML message: the same rule as for text, on the marks that mail programs leave.

Works on the tokens of `helpdesk.lib.html`, whose cost is linear; what it returns must still pass the sanitiser.
"""

import re
from html import escape

from helpdesk.lib.html.markup import tokens

from . import phrases

Token = tuple[str, str, dict[str, str]]
MAX_HTML = 1_000_000  # characters; a longer body is shown whole
MAX_BOXES = 20  # quotes taken off the end, and boxes looked into for each: what a person can have made

_VOID = {"br", "hr", "img", "col"}
# A box around the quote (and its attribution): Gmail, Yahoo, Proton, Tutanota, Zoho, GMX, Apple, Thunderbird.
_BOX_CLASS = re.compile(
    r"(?:^|\s|_)(?:gmail_quote(?:_container)?|gmail_extra|yahoo_quoted|protonmail_quote|tutanota_quote|zmail_extra)(?:\s|$)"
)
# A mark after which all is quote: Outlook on the desktop, on the web and on phones, Hotmail, Zimbra.
_MARK_ID = re.compile(
    r"^(?:x_)*(?:divRplyFwdMsg|appendonsend|mail-editor-reference-message-container|stopSpelling|zwchr|OLK_SRC_BODY_SECTION)$"
)
_MARK_CLASS = re.compile(r"(?:^|\s)(?:x_)*(?:OutlookMessageHeader|ms-outlook-mobile-reference-message)(?:\s|$)")
_MARK_STYLE = re.compile(r"border:\s*none;\s*border-top:\s*solid\s+#(?:E1E1E1|B5C4DF)\s+1\.0pt", re.IGNORECASE)


def new_part(html: str) -> str | None:
    """The HTML without its trailing quote (unsanitised); None when there is no quote, or nothing else."""
    if len(html) > MAX_HTML:
        return None
    found: list[Token] = list(tokens(html))
    ends = _ends(found)
    shown = [index for index, token in enumerate(found) if _visible(token)]
    if not shown or any(kind == "text" and phrases.forwarded(text.strip()[:200]) for kind, text, _ in found):
        return None
    cut = set(range(_mark(found), len(found)))
    rest = [index for index in shown if index not in cut]
    for _ in range(MAX_BOXES):
        box = _box_around(found, ends, rest[-1]) if rest else None
        if box is None:
            break
        cut |= set(range(box, ends[box] + 1)) | _attribution(found, [index for index in rest if index < box])
        rest = [index for index in rest if index not in cut]
    if len(rest) == len(shown) or not rest:
        return None
    return "".join(_write(token) for index, token in enumerate(found) if index not in cut)


def _visible(token: Token) -> bool:
    kind, value, attributes = token
    if kind == "text":
        return bool(value.strip("\u200b\u200c\ufeff\xa0 \t\r\n"))
    # One pixel is a counter, not a picture.
    return kind == "open" and value == "img" and attributes.get("width") != "1"


def _ends(found: list[Token]) -> dict[int, int]:
    """For each opened element the index of its last token; what is never closed ends with its parent."""
    ends: dict[int, int] = {}
    open_: list[int] = []
    for index, (kind, tag, _) in enumerate(found):
        if kind == "open" and tag in _VOID:
            ends[index] = index
        elif kind == "open":
            open_.append(index)
        elif kind == "close":
            # Looks only so far up, so that misnesting cannot cost quadratic time.
            near = range(len(open_) - 1, max(len(open_) - 50, 0) - 1, -1)
            match = next((at for at in near if found[open_[at]][1] == tag), None)
            if match is not None:
                ends.update((opened, index - 1) for opened in open_[match + 1 :])
                ends[open_[match]] = index
                del open_[match:]
    ends.update((opened, len(found) - 1) for opened in open_)
    return ends


def _mark(found: list[Token]) -> int:
    """The index from which all is quote; len(found) if no such mark is there."""
    for index, (kind, tag, attributes) in enumerate(found):
        if kind != "open" or not attributes:
            continue
        if (
            _MARK_ID.match(attributes.get("id", ""))
            or _MARK_CLASS.search(attributes.get("class", ""))
            or (tag == "div" and _MARK_STYLE.search(attributes.get("style", "")) and _outlook(found, index))
        ):
            return index
    return len(found)


def _outlook(found: list[Token], index: int) -> bool:
    """Outlook's line with the From, Sent, To and Subject below it; the same border can also be somebody's layout."""
    words = [text.strip() for kind, text, _ in found[index : index + 60] if kind == "text" and text.strip()]
    return any(phrases.header_block([line]) or phrases.header_block(words[at:]) for at, line in enumerate(words[:3]))


def _box_around(found: list[Token], ends: dict[int, int], last: int) -> int | None:
    """The outermost quote that holds the last thing shown and nothing that its reader wrote."""
    looked = 0
    for index, (kind, tag, attributes) in enumerate(found[: last + 1]):
        if kind == "open" and ends[index] >= last and looked < MAX_BOXES:
            looked += tag == "blockquote" or "class" in attributes
            if tag == "blockquote" and _is_quote(found, index, attributes):
                return index
            box = _BOX_CLASS.search(attributes.get("class", "")) or attributes.get("name") == "quote"
            if tag == "div" and box and _pure(found, index, ends[index]):
                return index
    return None


def _is_quote(found: list[Token], index: int, attributes: dict[str, str]) -> bool:
    """A blockquote is also how people set a citation: it counts with a mail program's mark, or under an attribution."""
    if attributes.get("type", "").lower() == "cite" or "gmail_quote" in attributes.get("class", "") or "cite" in attributes:
        return True
    return bool(_attribution(found, [at for at in range(max(index - 60, 0), index) if _visible(found[at])]))


def _pure(found: list[Token], start: int, end: int) -> bool:
    """Whether a box holds a quote only: inside Gmail's box people also answer, between its blockquotes."""
    depth, seen, below = 0, False, ""
    for kind, value, _ in found[start : end + 1]:
        if kind in ("open", "close") and value == "blockquote":
            depth = max(depth + (1 if kind == "open" else -1), 0)
            seen = True
        elif kind == "text" and seen and not depth:
            below += value
    return not below.strip() or phrases.attribution(below)


def _attribution(found: list[Token], before: list[int]) -> set[int]:
    """The indexes of the words right above a quote that introduce it ("On … wrote:"), up to eight pieces of text."""
    text = ""
    for count, index in enumerate(reversed(before[-8:]), start=1):
        text = f"{found[index][1]} {text}"
        if len(text) > 400:
            break
        wider = before[-count - 1] if len(before) > count else None
        if phrases.attribution(text) and (wider is None or _break_between(found, wider, index)):
            return set(before[-count:])
    return set()


def _break_between(found: list[Token], above: int, below: int) -> bool:
    """Whether a line or block ends between two texts; if not, they are one sentence."""
    blocks = {"div", "p", "br", "blockquote", "td", "li", "hr", "table"}
    return any(kind in ("open", "close") and tag in blocks for kind, tag, _ in found[above + 1 : below])


def _write(token: Token) -> str:
    kind, value, attributes = token
    if kind == "text":
        return escape(value, quote=False)
    if kind == "close":
        return f"</{value}>"
    written = "".join(f' {name}="{escape(text)}"' for name, text in attributes.items())
    return f"<{value}{written}>"
