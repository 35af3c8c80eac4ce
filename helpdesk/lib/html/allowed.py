"""What may stay in a message: the allow-list, and the rules for each attribute that fetches.

Everything not named here goes: no style (element or attribute), no script, form, frame, svg, id
or class, so nothing in a message can fetch, run, submit, or imitate the page around it.
"""

import re
from collections.abc import Callable, Mapping, Set

TAGS = frozenset({
    "a", "abbr", "address", "b", "big", "blockquote", "br", "caption", "center", "cite", "code", "col", "colgroup", "dd",
    "del", "dfn", "div", "dl", "dt", "em", "font", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "i", "img", "ins", "kbd",
    "li", "ol", "p", "pre", "q", "s", "samp", "small", "span", "strike", "strong", "sub", "sup", "table", "tbody", "td",
    "tfoot", "th", "thead", "tr", "tt", "u", "ul", "var"
})  # fmt: skip
VOID = frozenset({"br", "col", "hr", "img"})
# Dropped with all that they hold; other unknown tags only lose the tag and keep their words.
WITH_CONTENT = frozenset(
    {"audio", "iframe", "math", "noembed", "noframes", "object", "script", "style", "svg", "template", "title", "video"}
)

_SIZE = re.compile(r"\d{1,4}%?")
_WORD = re.compile(r"[A-Za-z0-9-]{1,40}")
_RULES: dict[str, re.Pattern[str]] = {
    "align": _WORD, "border": _SIZE, "cellpadding": _SIZE, "cellspacing": _SIZE, "colspan": _SIZE,
    "dir": _WORD, "height": _SIZE, "lang": _WORD, "rowspan": _SIZE, "span": _SIZE, "start": _SIZE,
    "valign": _WORD, "width": _SIZE,
}  # fmt: skip
ATTRIBUTES: dict[str, set[str]] = {
    "*": {"dir", "lang", "title"},
    "a": {"href"},
    "img": {"alt", "data-cid", "data-remote", "height", "src", "width"},
    "ol": {"start"},
    "table": {"align", "border", "cellpadding", "cellspacing", "width"},
    **{tag: {"align", "colspan", "height", "rowspan", "valign", "width"} for tag in ("td", "th")},
    **{tag: {"align", "valign"} for tag in ("tbody", "tfoot", "thead", "tr")},
    **{tag: {"span", "width"} for tag in ("col", "colgroup")},
    **{tag: {"align"} for tag in ("center", "div", "h1", "h2", "h3", "h4", "h5", "h6", "p")},
}
# Only in a frame of its own, see `letter`.
STYLED = {"bgcolor", "class", "color", "face", "size", "style"}
STYLED_ATTRIBUTES = {**ATTRIBUTES, "*": ATTRIBUTES["*"] | STYLED}
_FETCHES = re.compile(r"url|image-set|src\s*\(|@|\\", re.IGNORECASE)
SCHEMES = {"http", "https", "mailto", "tel", "data"}

_REMOTE = re.compile(r"https?://[^\s/\\?#@:][^\s\\]*", re.IGNORECASE)
_LINK = re.compile(r"(?:https?://[^\s/\\?#][^\s\\]*|mailto:[^\s]+|tel:[+0-9().-]+)", re.IGNORECASE)
_PICTURE = re.compile(r"data:image/(?:png|gif|jpeg|webp);base64,[A-Za-z0-9+/=]+")
_CID = re.compile(r"[!-~]{1,998}")


def url(value: str) -> str:
    """The address as a browser would read it: outer blanks, tabs and newlines gone (WHATWG URL 4.1)."""
    return re.sub(r"[\t\r\n]", "", value.strip("".join(map(chr, range(33))))).replace(" ", "%20")


def attribute(tag: str, name: str, value: str, local: Set[str], styled: bool = False) -> str | None:
    """The value that `name` may keep on `tag`, or None. `local` are the addresses that pictures may be loaded from."""
    if styled and name in STYLED:
        return ";".join(each for each in value.split(";") if not _FETCHES.search(each))
    if name not in ATTRIBUTES["*"] and name not in ATTRIBUTES.get(tag, ()):
        return None
    if name == "href":
        value = url(value)
        return value if _LINK.fullmatch(value) else None
    if name == "src":
        return value if value in local or _PICTURE.fullmatch(value) else None
    if name == "data-remote":
        return value if _REMOTE.fullmatch(value) else None
    if name == "data-cid":
        return value if _CID.fullmatch(value) else None
    rule = _RULES.get(name)
    return value if rule is None or rule.fullmatch(value) else None


def image(
    given: Mapping[str, str], images: Mapping[str, str], local: set[str], remote: Callable[[str], str] | None
) -> dict[str, str]:
    """A picture's attributes with its source decided: shown, or kept aside as data-remote or data-cid.

    Where `remote` says by which address a far picture is loaded, that address joins `local`; "" leaves it aside.
    Kept aside, a page can offer it later; a source that is neither (relative, `//host`, `file:`)
    is forgotten, so that reading mail never sends a request with the reader's cookies.
    """
    kept = {name: value for name, value in given.items() if name not in ("src", "data-remote", "data-cid")}
    source = url(given.get("src", ""))
    if source in local or _PICTURE.fullmatch(source):
        return {"src": source, **kept}
    cid = source[4:].strip("<>") if source[:4].lower() == "cid:" else given.get("data-cid", "")
    if cid in images:
        return {"src": images[cid], **kept}
    if _CID.fullmatch(cid):
        return {"data-cid": cid, **kept}
    far = source if _REMOTE.fullmatch(source) else url(given.get("data-remote", ""))
    if not _REMOTE.fullmatch(far):
        return kept
    if remote and (address := remote(far)):
        local.add(address)
        return {"src": address, **kept}
    return {"data-remote": far, **kept}
