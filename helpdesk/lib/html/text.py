"""HTML as the plain text a person would have typed: for text parts, search and previews."""

import re

from helpdesk.lib.html.markup import tokens

_BLOCKS = frozenset({
    "address", "blockquote", "caption", "center", "div", "dl", "h1", "h2", "h3", "h4", "h5", "h6", "ol", "p", "pre",
    "table", "ul"
})  # fmt: skip
_LINES = frozenset({"dd", "dt", "hr", "li", "tr"})
_SPACES = re.compile(r"[ \t\r\n\f]+")
_QUOTE = "> "


class _Writer:
    """Collects lines under a prefix; blank lines between blocks are never doubled."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.line = ""
        self.quotes = 0

    def write(self, words: str) -> None:
        self.line += words

    def words(self, words: str) -> None:
        text = _SPACES.sub(" ", words)
        self.line += text.lstrip(" ") if not self.line or self.line.endswith((" ", "\t")) else text

    def end_line(self, *, always: bool = False) -> None:
        if self.line.strip() or always:
            self.lines.append((_QUOTE * self.quotes + self.line.rstrip()).rstrip())
        self.line = ""

    def blank(self) -> None:
        self.end_line()
        if self.lines and self.lines[-1].strip("> "):
            self.lines.append((_QUOTE * self.quotes).rstrip())


def to_text(html: str) -> str:
    """The words of `html` with lines, lists, quotes ("> ") and link addresses kept; no markup.

    Takes any HTML, also unsanitised. Never fails.
    """
    out, pre, link = _Writer(), 0, ""
    lists: list[int] = []  # the next number of each open list; 0 for bullets
    link_from = 0
    for kind, value, attributes in tokens(html):
        if kind == "text":
            if pre:
                *whole, last = value.split("\n")
                for line in whole:
                    out.write(line)
                    out.end_line(always=True)
                out.write(last)
            else:
                out.words(value)
        elif value == "br" and kind == "open":
            out.end_line(always=True)
        elif value == "img" and kind == "open":
            out.words(attributes.get("alt", ""))
        elif value == "a":
            if kind == "open":
                link, link_from = attributes.get("href", ""), len(out.line)
            elif link:
                shown = out.line[link_from:].strip()
                if link.startswith(("http://", "https://")) and shown != link:
                    out.write(f" <{link}>" if shown else f"<{link}>")
                link = ""
        elif value in ("td", "th") and kind == "open" and out.line.strip():
            out.line = out.line.rstrip(" ") + "\t"
        elif value in _LINES:
            out.end_line()
            if kind == "open" and value == "li":
                out.write("  " * max(len(lists) - 1, 0) + (f"{lists[-1]}. " if lists and lists[-1] else "- "))
                if lists and lists[-1]:
                    lists[-1] += 1
            elif kind == "open" and value == "hr":
                out.write("---")
                out.end_line()
        elif value in _BLOCKS:
            _block(out, kind, value, lists)
            pre += {"open": 1, "close": -1}[kind] * (value == "pre")
            pre = max(pre, 0)
    out.end_line()
    return "\n".join(out.lines).strip("\n")


def _block(out: _Writer, kind: str, value: str, lists: list[int]) -> None:
    """A block begins or ends: a div only breaks the line, the others leave a blank one."""
    if value == "div" or (value in ("ul", "ol") and len(lists) > (kind == "close")):
        out.end_line()
    else:
        out.blank()
    if value == "blockquote":
        if kind == "open":
            out.quotes = min(out.quotes + 1, 20)
        else:
            while out.lines and not out.lines[-1].strip("> "):
                out.lines.pop()
            out.quotes = max(out.quotes - 1, 0)
            out.blank()
    if value in ("ul", "ol"):
        if kind == "open":
            lists.append(int(value == "ol"))
        elif lists:
            lists.pop()
