"""Foreign HTML made harmless, and plain text and Markdown made HTML, by the same door."""

import re
from collections.abc import Callable, Mapping
from functools import cache
from html import escape

import nh3
from markdown_it import MarkdownIt

from helpdesk.lib.html import allowed
from helpdesk.lib.html.markup import Attributes, rewrite, tokens
from helpdesk.lib.html.text import to_text

_ROUNDS = 4
_ADDRESS = re.compile(r"https?://[^\s<>\"']+", re.IGNORECASE)
# nh3's writer is quadratic in the "&" and no-break spaces of one text (1 MB of "&" took 25 s), so
# both travel through it as noncharacters, which no text may hold, and come out as entities.
_AROUND = str.maketrans({"&": "\ufdd0", "\xa0": "\ufdd1"})
_BACK = str.maketrans({"\ufdd0": "&", "\ufdd1": "\xa0"})
_ENTITIES = str.maketrans({"\ufdd0": "&amp;", "\ufdd1": "&nbsp;"})


def sanitize(
    html: str,
    *,
    images: Mapping[str, str] | None = None,
    remote: Callable[[str], str] | None = None,
    styled: bool = False,
) -> str:
    """Foreign HTML as a safe fragment; doing it again changes nothing.

    `images` maps Content-IDs (without brackets) to our own addresses of those pictures. A remote
    picture keeps its alt text and its address in data-remote, without src, unless `remote` says
    under which address of ours to load it; a picture whose Content-ID is unknown keeps it in
    data-cid. Both come to life when the result is sanitised again with the image, or with
    `remote`, at hand. `styled` keeps classes and colours, for `letter` alone.
    """
    images = images or {}
    local = set(images.values())

    def filtered(tag: str, name: str, value: str) -> str | None:
        return allowed.attribute(tag, name, value, local, styled)

    def decide(tag: str, given: Attributes) -> Attributes:
        if tag == "img":
            given = allowed.image(given, images, local, remote)
        found = ((name, filtered(tag, name, value)) for name, value in given.items())
        return {name: value for name, value in found if value is not None}

    def checked(tag: str, name: str, value: str) -> str | None:
        """nh3 asks again about every attribute, also the two that it sets on links itself."""
        if tag == "a" and name in ("rel", "target"):
            return value
        return value if filtered(tag, name, value.translate(_BACK)) is not None else None

    def once(text: str) -> str:
        return nh3.clean(
            rewrite(text, decide, _AROUND),
            tags=set(allowed.TAGS),
            clean_content_tags=set(allowed.WITH_CONTENT),
            attributes=allowed.STYLED_ATTRIBUTES if styled else allowed.ATTRIBUTES,
            attribute_filter=checked,
            url_schemes=allowed.SCHEMES,
            link_rel="noopener noreferrer nofollow",
            set_tag_attribute_values={"a": {"target": "_blank"}},
        ).translate(_ENTITIES)

    clean = html
    for _ in range(_ROUNDS):
        before, clean = clean, once(clean)
        if before == clean:
            return clean
    # Markup that a parser reads differently each time is made to hide something: keep its words.
    return once(_paragraphs(to_text(clean)))


def remote_pictures(html: str) -> list[str]:
    """The far addresses that sanitised HTML keeps aside, each once, in the order of the text."""
    if "data-remote" not in html:
        return []
    named = (given.get("data-remote", "") for kind, tag, given in tokens(html) if kind == "open" and tag == "img")
    return [address for address in dict.fromkeys(named) if address]


def from_text(text: str) -> str:
    """Plain text as HTML: blank lines part paragraphs, lines stay lines, web addresses are links."""
    return sanitize(_paragraphs(text))


def from_markdown(text: str) -> str:
    """CommonMark (with tables and strike-through) as safe HTML; HTML inside it is shown, not used."""
    return sanitize(_markdown().render(text))


@cache
def _markdown() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": False, "breaks": True}).enable(["table", "strikethrough"])


def _paragraphs(text: str) -> str:
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    paragraphs = re.split(r"\n{2,}", "\n".join(line.rstrip() for line in lines).strip("\n"))
    return "".join(f"<p>{_linked(each).replace(chr(10), '<br>')}</p>" for each in paragraphs if each)


def _linked(text: str) -> str:
    out, at = [], 0
    for found in _ADDRESS.finditer(text):
        address = found[0].rstrip(".,;:!?)]}*_")
        out += [escape(text[at : found.start()]), f'<a href="{escape(address)}">{escape(address)}</a>']
        at = found.start() + len(address)
    return "".join([*out, escape(text[at:])])
