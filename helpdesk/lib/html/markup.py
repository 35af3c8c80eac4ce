"""Any text at all into small, well-nested markup of known tags, in time linear in its length.

HTML's own error recovery (WHATWG HTML 13.2.6) is quadratic on purpose-made input: 60 kB of
misnested <b> inside <p> becomes 78 MB in a correct parser. So we first write the markup anew
with bounded depth, and only then hand it to the sanitiser, whose verdict is the one that counts.
"""

import re
from collections.abc import Callable, Iterator
from html import escape, unescape

from helpdesk.lib.html.allowed import TAGS, VOID, WITH_CONTENT

DEPTH = 80  # open elements at a time; deeper tags are dropped, their words stay
_FORMATTING = frozenset({
    "a", "b", "big", "code", "em", "font", "i", "s", "small", "strike", "strong", "tt", "u"
})  # fmt: skip
_FORMATTING_DEPTH = 8  # these are what a parser copies into each new paragraph

_NAME = r"""[^\s/>=<"'][^\s/>=<]*+"""
_VALUE = r""""[^"]*+"|'[^']*+'|[^\s"'>][^\s>]*+"""
# No capturing group inside a possessive one: Python before 3.11.8 then raises SystemError (cpython gh-101955).
_TAG = re.compile(rf"<(/?)([a-zA-Z][a-zA-Z0-9:-]*+)((?:{_NAME}(?:\s*+=\s*+(?:{_VALUE})?)?+|[\s/=\"'])*+)>")
_MARKUP = re.compile(r"<(?=[a-zA-Z/!?])")  # any other "<" is a word's, and a million of them must not cost a step each
_ATTRIBUTES = re.compile(rf"({_NAME})(?:\s*+=\s*+({_VALUE})?)?")
_REFERENCE = re.compile(r"&(?:#[0-9]{1,7};?|#[xX][0-9a-fA-F]{1,6};?|[a-zA-Z][a-zA-Z0-9]*;)")
# PostgreSQL takes no NUL, UTF-8 no surrogate; the two noncharacters are the sanitiser's own.
_NOT_TEXT = re.compile("[\x00\ud800-\udfff\ufdd0\ufdd1]")

_PARAGRAPH_ENDS = frozenset({
    "address", "blockquote", "center", "dd", "div", "dl", "dt", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p",
    "pre", "table", "ul"
})  # fmt: skip
_CELLS = frozenset({"td", "th"})
_SECTIONS = frozenset({"tbody", "tfoot", "thead", "caption", "colgroup"})
# Opening one of these ends an open one of those, unless a boundary stands between.
_ENDS: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    "li": (frozenset({"li"}), frozenset({"ul", "ol", "table"})),
    **dict.fromkeys(("dd", "dt"), (frozenset({"dd", "dt"}), frozenset({"dl", "table"}))),
    **dict.fromkeys(_CELLS, (_CELLS, frozenset({"table"}))),
    "tr": (_CELLS | {"tr"}, frozenset({"table"})),
    **dict.fromkeys(_SECTIONS, (_CELLS | {"tr"} | _SECTIONS, frozenset({"table"}))),
}
_TABLE = frozenset({"table"})
_TABLE_PARTS = _CELLS | _SECTIONS | {"tr"}
_WALLS = _CELLS | {"table", "caption"}  # a stray end tag inside does not reach out of them

Attributes = dict[str, str]


def tokens(html: str) -> Iterator[tuple[str, str, Attributes]]:
    """("text", words, {}), ("open", tag, attributes) and ("close", tag, {}), with entities resolved.

    Comments, declarations and elements whose content is not words are left out.
    """
    html = _NOT_TEXT.sub("\ufffd", html)
    unclosed: set[str] = set()  # ends that no longer come: looked for once, not once per opening
    lower = html.lower() if html.isascii() else re.sub("[A-Z]+", lambda m: m[0].lower(), html)
    at = text_from = 0
    while begin := _MARKUP.search(html, at):
        at = begin.start()
        tag = _TAG.match(html, at)
        name = tag[2].lower() if tag else ""
        if tag:
            end = tag.end()
            if name in WITH_CONTENT and not tag[1]:
                end = max(end, _find(lower, f"</{name}", end, unclosed))
        elif html.startswith("<!--", at) and (close := _find(html, "-->", at + 2, unclosed)) != -1:
            end = close + 3
        elif html.startswith(("<!", "<?", "</"), at) and (close := _find(html, ">", at, unclosed)) != -1:
            end = close + 1
        else:
            at += 1
            continue
        if at > text_from:
            yield "text", unescape(html[text_from:at]), {}
        if tag and name in TAGS:
            yield ("close", name, {}) if tag[1] else ("open", name, _attributes(tag[3]))
        at = text_from = end
    if text_from < len(html):
        yield "text", unescape(html[text_from:]), {}


def _find(text: str, end: str, start: int, unclosed: set[str]) -> int:
    found = -1 if end in unclosed else text.find(end, start)
    if found == -1:
        unclosed.add(end)
    return found


def _attributes(text: str) -> Attributes:
    found: Attributes = {}
    for name, value in _ATTRIBUTES.findall(text):
        if value[:1] in ('"', "'"):
            value = value[1:-1]
        # Unlike in text, a name without its semicolon is no entity here: ?a=1&copy=2 is an address.
        found.setdefault(name.lower(), _REFERENCE.sub(lambda reference: unescape(reference[0]), value))
    return found


def rewrite(html: str, decide: Callable[[str, Attributes], Attributes], letters: dict[int, str]) -> str:
    """`html` with known tags only, every one closed in order; `decide` says which attributes stay.

    `letters` (a str.translate table) is applied to all text and attribute values.
    """
    out: list[str] = []
    open_: list[str] = []

    def close(count: int) -> None:
        out.extend(f"</{open_.pop()}>" for _ in range(count))

    for kind, value, attributes in tokens(html):
        if kind == "text":
            # The newline after <pre> is not content, for each parser that reads it again.
            words = value.lstrip("\n") if out and out[-1].startswith("<pre") else value
            out.append(escape(words.translate(letters), quote=False))
        elif kind == "close":
            walls = frozenset() if value == "table" else _TABLE if value in _TABLE_PARTS else _WALLS
            close(_reach(open_, frozenset({value}), walls))
        else:
            if value in _PARAGRAPH_ENDS:
                close(_reach(open_, frozenset({"p"}), _WALLS))
            if value in _ENDS:
                close(_reach(open_, *_ENDS[value]))
            if value not in VOID:
                if len(open_) >= DEPTH:
                    continue
                if value in _FORMATTING and sum(tag in _FORMATTING for tag in open_) >= _FORMATTING_DEPTH:
                    continue
                open_.append(value)
            kept = decide(value, attributes).items()
            written = "".join(f' {name}="{escape(words.translate(letters))}"' for name, words in kept)
            out.append(f"<{value}{written}>")
    close(len(open_))
    return "".join(out)


def _reach(open_: list[str], wanted: frozenset[str], walls: frozenset[str]) -> int:
    """How many elements to close so that the outermost of `wanted` on this side of a wall is closed."""
    reach = 0
    for depth, tag in enumerate(reversed(open_), 1):
        if tag in wanted:
            reach = depth
            if len(wanted) == 1:  # the nearest one; a row ends with the cell inside it
                break
        if tag in walls and tag not in wanted:
            break
    return reach
