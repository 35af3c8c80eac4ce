"""The new part of an HTML message: the same rule as for text, on the marks that mail programs leave.

Taken off the end, one after the other: boxes that hold a quote or a signature, what follows a mark of Outlook's, and
what the words alone show. Works on the tokens of `helpdesk.lib.html`, whose cost is linear; what it returns must still
pass the sanitiser.
"""

import re
from collections.abc import Iterator
from html import escape

from helpdesk.lib.html.markup import tokens

from . import phrases, quotes, signatures

Token = tuple[str, str, dict[str, str]]
MAX_HTML = 1_000_000  # characters; a longer body is shown whole
MAX_BOXES = 20  # quotes taken off the end, boxes looked into for each, and marks: what a person can have made

_SPACES = re.compile(r"\s+")
_VOID = {"br", "hr", "img", "col"}
_BREAKS = {"address", "blockquote", "br", "center", "div", "dd", "dt", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p",
           "pre", "table", "td", "tr", "ul"}  # fmt: skip
_APART = {"blockquote", "p", "table", "ul", "ol"}
# A box around the quote (and its attribution): Gmail, Yahoo, Proton, Tutanota, Zoho, GMX, Outlook on phones and Macs.
_BOX_CLASS = re.compile(
    r"(?:^|\s|_)(?:gmail_quote(?:_container)?|yahoo_quoted|protonmail_quote|tutanota_quote|zmail_extra|"
    r"ms-outlook-mobile-reference-message)(?:\s|$)"
)
_BOX_ID = re.compile(r"^(?:x_)*(?:mail-editor-reference-message-container|OLK_SRC_BODY_SECTION)$")
# A mark after which all siblings are quote: Outlook on the web and older ones, Hotmail, Zimbra.
_MARK_ID = re.compile(r"^(?:x_)*(?:divRplyFwdMsg|appendonsend|stopSpelling|zwchr)$")
_MARK_CLASS = re.compile(r"(?:^|\s)(?:x_)*OutlookMessageHeader(?:\s|$)")
# A signature: Gmail, Thunderbird, Proton, Yahoo; Outlook on the web, on phones, Apple.
_SIGNATURE_CLASS = re.compile(
    r"(?:^|\s)(?:x_)*(?:gmail_signature(?:_prefix)?|moz-signature|protonmail_signature_block|(?:ydp\w*|yahoo[-_])signature)(?:\s|$)"
)
_SIGNATURE_ID = re.compile(r"^(?:x_)*(?:Signature|ms-outlook-mobile-signature|AppleMailSignature)$")


def new_part(html: str) -> str | None:
    """The HTML without its trailing quote and signature (unsanitised); None when there is neither, or nothing else."""
    if len(html) > MAX_HTML:
        return None
    found = list(tokens(html))
    document = _Document(found)
    if document.end_of_new() == len(found) or not document.shown:
        return None
    return "".join(map(_write, found[: document.shown[-1] + 1]))  # without the rule that parted it from the quote


class _Document:
    """The tokens, where each element ends and what it is in. `shown` are the visible tokens that are not cut yet."""

    def __init__(self, found: list[Token]) -> None:
        self.found = found
        self.end = len(found)
        self.shown = [index for index, token in enumerate(found) if _visible(token)]
        self.forward = next(
            (i for i in self.shown if found[i][0] == "text" and phrases.forwarded(found[i][1].strip()[:200])), None
        )
        self.ends: dict[int, int] = {}
        self.parents: list[int] = []
        self._nest()
        self.marks = list(self._marks())

    def end_of_new(self) -> int:
        """The index of the first token that is quote or signature; all from there on is."""
        if not self._boxes():
            return len(self.found)
        lines = self._lines()
        texts = [text for text, _ in lines]
        if (line := quotes.marker(texts)) < len(texts):
            self._cut(lines[line][1])
            if not self._boxes():
                return len(self.found)
            lines = self._lines()
            texts = [text for text, _ in lines]
        if self.forward is not None and self.forward < self.end:  # what is forwarded is content
            return len(self.found)
        if (line := signatures.start(texts)) < len(texts):
            self._cut(lines[line][1])
        return self.end

    def _boxes(self) -> bool:
        """Cut the boxes at the end; False if the last one is a forwarded message."""
        for _ in range(MAX_BOXES):
            box = self._box_around(self.shown[-1]) if self.shown else None
            if box is None:
                break
            inside = [index for index in self.shown[-10_000:] if index >= box][:3]
            if self.forward in inside:
                return False
            self._cut(box)
            self._cut_attribution()
            while self.shown and self._text(self.shown[-1]) == "--":
                self._cut(self.shown[-1])
        return True

    def _cut(self, index: int) -> None:
        self.end = index
        while self.shown and self.shown[-1] >= index:
            self.shown.pop()

    def _text(self, index: int) -> str:
        kind, value, _ = self.found[index]
        return value.strip() if kind == "text" else ""

    def _nest(self) -> None:
        """What is never closed ends with its parent."""
        open_: list[int] = []
        for index, (kind, tag, _) in enumerate(self.found):
            self.parents.append(open_[-1] if open_ else -1)
            if kind == "open" and tag in _VOID:
                self.ends[index] = index
            elif kind == "open":
                open_.append(index)
            elif kind == "close":
                # Looks only so far up, so that misnesting cannot cost quadratic time.
                near = range(len(open_) - 1, max(len(open_) - 50, 0) - 1, -1)
                match = next((at for at in near if self.found[open_[at]][1] == tag), None)
                if match is not None:
                    self.ends.update((opened, index - 1) for opened in open_[match + 1 :])
                    self.ends[open_[match]] = index
                    del open_[match:]
        self.ends.update((opened, len(self.found) - 1) for opened in open_)

    def _parent_end(self, index: int) -> int:
        parent = self.parents[index]
        return self.ends[parent] if parent >= 0 else len(self.found) - 1

    def _marks(self) -> Iterator[tuple[int, int]]:
        """(index, last index) of what a mark and all its following siblings cover; the first few."""
        count = 0
        for index, (kind, tag, attributes) in enumerate(self.found):
            if kind != "open" or not attributes:
                continue
            mark = index if _MARK_ID.match(attributes.get("id", "")) or _MARK_CLASS.search(attributes.get("class", "")) else None
            if tag == "a" and attributes.get("name") == "_MailAutoSig":  # Outlook's signature begins with this paragraph
                mark = next((up for up in self._above(index, 8) if self.found[up][1] in ("p", "div")), index)
            if mark is not None:
                yield mark, self._parent_end(mark)
                count += 1
                if count == MAX_BOXES:
                    return

    def _above(self, index: int, most: int) -> Iterator[int]:
        """The elements around a token, from the inside out."""
        while (index := self.parents[index]) >= 0 and most:
            yield index
            most -= 1

    def _box_around(self, last: int) -> int | None:
        """Where the outermost quote or signature begins that holds the last thing shown and nothing that its writer wrote."""
        found = [mark for mark, reach in self.marks if mark <= last <= reach]
        looked = 0
        for index in reversed(list(self._above(last, len(self.found)))):
            _, tag, attributes = self.found[index]
            if looked == MAX_BOXES or (tag != "blockquote" and not attributes):
                continue
            looked += tag == "blockquote" or "class" in attributes
            if self._is_box(index, tag, attributes):
                found.append(index)
                break
        return min(found, default=None)

    def _is_box(self, index: int, tag: str, attributes: dict[str, str]) -> bool:
        if tag == "blockquote":
            return self._is_quote(index)
        name, id_ = attributes.get("class", ""), attributes.get("id", "")
        if _SIGNATURE_CLASS.search(name) or _SIGNATURE_ID.match(id_) or attributes.get("data-smartmail") == "gmail_signature":
            return True
        box = _BOX_CLASS.search(name) or _BOX_ID.match(id_) or attributes.get("name") == "quote"
        return bool(box) and tag in ("div", "span") and self._pure(index)

    def _is_quote(self, index: int) -> bool:
        """A blockquote is also how people set a citation: it counts with a mail program's mark, or under an attribution."""
        attributes = self.found[index][2]
        if attributes.get("type", "").lower() == "cite" or "cite" in attributes or _BOX_CLASS.search(attributes.get("class", "")):
            return True
        return bool(self._attribution([at for at in range(max(index - 60, 0), index) if _visible(self.found[at])]))

    def _pure(self, start: int) -> bool:
        """Whether a box holds a quote only: inside Gmail's box people also answer, between its blockquotes."""
        depth, seen, below = 0, False, ""
        for kind, value, _ in self.found[start : self.ends[start] + 1]:
            if kind in ("open", "close") and value == "blockquote":
                depth = max(depth + (1 if kind == "open" else -1), 0)
                seen = True
            elif kind == "text" and seen and not depth:
                below += value
        return not below.strip() or phrases.attribution(below)

    def _cut_attribution(self) -> None:
        if length := self._attribution(self.shown[-10:]):
            self._cut(self.shown[-length])

    def _attribution(self, before: list[int]) -> int:
        """How many of these last pieces of text introduce a quote ("On … wrote:"); eight at most."""
        text = ""
        for count, index in enumerate(reversed(before[-8:]), start=1):
            text = f"{self.found[index][1]} {text}"
            if len(text) > 400:
                break
            wider = before[-count - 1] if len(before) > count else None
            if phrases.attribution(text) and (wider is None or self._break_between(wider, index)):
                return count
        return 0

    def _break_between(self, above: int, below: int) -> bool:
        """Whether a line or block ends between two texts; if not, they are one sentence."""
        return any(kind in ("open", "close") and tag in _BREAKS for kind, tag, _ in self.found[above + 1 : below])

    def _lines(self) -> list[tuple[str, int]]:
        """What is left as lines, quotes marked with ">", each with the index of the token it begins in."""
        lines: list[tuple[str, int]] = []
        words: list[str] = []
        at, quoted, judged = 0, -1, 0

        def flush(index: int, apart: bool) -> None:
            text = "".join(words).strip()
            words.clear()
            if text:
                lines.append((f"> {text}" if at <= quoted else text, at))
            elif not apart:
                lines.append(("", index))
            if apart and lines and lines[-1][0]:
                lines.append(("", index))

        for index, token in enumerate(self.found[: self.end]):
            kind, value, _ = token
            if kind == "text" or value == "img":
                if words or _visible(token):
                    at = at if words else index
                    words.append(_SPACES.sub(" ", value) if kind == "text" else "\ufffc" * _visible(token))
            elif value in _BREAKS:
                if words or value == "br" or value in _APART:
                    flush(index, value in _APART)
                if kind == "open" and value == "blockquote" and index > quoted and judged < 10 * MAX_BOXES:
                    judged += 1
                    quoted = self.ends[index] if self._is_quote(index) else quoted
        flush(self.end, False)
        return lines


def _visible(token: Token) -> bool:
    kind, value, attributes = token
    if kind == "text":
        return bool(value.strip("\u200b\u200c\ufeff\xa0 \t\r\n"))
    # One pixel is a counter, not a picture.
    return kind == "open" and value == "img" and attributes.get("width") != "1"


def _write(token: Token) -> str:
    kind, value, attributes = token
    if kind == "text":
        return escape(value, quote=False)
    if kind == "close":
        return f"</{value}>"
    written = "".join(f' {name}="{escape(text)}"' for name, text in attributes.items())
    return f"<{value}{written}>"
