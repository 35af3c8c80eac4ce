"""Which parts of a message are its text, which its HTML, and which are files."""

import re
from dataclasses import dataclass, field

from helpdesk.lib.html import from_text, to_text

from .charsets import clean_text
from .mail import Attachment
from .parts import Part, filename, uuencoded

MAX_TEXT = 1_000_000  # characters of body kept as text, and of HTML
MAX_ATTACHMENTS = 200

_EXTENSIONS = {"message/rfc822": ".eml", "text/calendar": ".ics", "image/jpeg": ".jpg", "image/png": ".png", "image/gif": ".gif",
               "text/plain": ".txt", "text/html": ".html", "message/delivery-status": ".txt", "application/pdf": ".pdf",
               "text/rfc822-headers": ".txt", "text/vcard": ".vcf"}  # fmt: skip


@dataclass
class Bodies:
    """What was found. `html` is as it came, not sanitised."""

    text: str | None = None
    html: str | None = None
    attachments: list[Attachment] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def read(root: Part) -> Bodies:
    """The bodies and files of a message. A text without HTML, or the reverse, is filled in by the caller."""
    found = Bodies()
    found.text, found.html = _walk(root, found, related=False, only=True)
    return found


def _walk(part: Part, found: Bodies, *, related: bool, only: bool) -> tuple[str | None, str | None]:
    """The (text, html) that this part contributes; files go to `found` on the way. Depth is bounded by `parts.tree`."""
    if not part.children:
        return _leaf(part, found, related=related, only=only)
    subtype = part.type.partition("/")[2]
    inner = [
        _walk(child, found, related=related or (subtype == "related" and index > 0), only=only and index == 0)
        for index, child in enumerate(part.children)
    ]
    texts, htmls = [text for text, _ in inner if text is not None], [html for _, html in inner if html is not None]
    if subtype == "alternative":
        # The first text that says something; the last HTML, which RFC 2046 calls the richest.
        return next((text for text in texts if text.strip()), texts[0] if texts else None), htmls[-1] if htmls else None
    if not htmls:
        return "\n\n".join(text.strip("\n") for text in texts) if len(texts) > 1 else texts[0] if texts else None, None
    if len(htmls) == 1 and not texts:
        return None, htmls[0]
    pieces = [pair for pair in inner if pair != (None, None)]
    text = "\n\n".join(plain if plain is not None else to_text(html or "") for plain, html in pieces)
    return text, "\n".join(html if html is not None else from_text(plain or "") for plain, html in pieces)


def _leaf(part: Part, found: Bodies, *, related: bool, only: bool) -> tuple[str | None, str | None]:
    is_text = part.type in ("text/plain", "text/html") and not part.disposition.startswith("attachment")
    if is_text and not related and (only or not part.filename):
        text = part.text()
        shortened = len(text) > MAX_TEXT
        text = clean_text(text[:MAX_TEXT])
        if shortened:
            found.notes.append("The text is longer than a million characters; the rest is kept only in the original.")
        if part.type == "text/html":
            return None, text
        if part.params.get("format", "").lower() == "flowed":
            text = unflow(text, delete_space=part.params.get("delsp", "").lower() == "yes")
        text, files = uuencoded(text)
        for name, content in files:
            _keep(found, Attachment(name, "application/octet-stream", len(content), content))
        return text, None
    if part.type in ("text/x-amp-html", "text/watch-html"):  # the same message again, for one reader's program
        return None, None
    content = part.body()
    if not content and not part.filename and part.type.startswith("text/"):
        return None, None
    name = part.filename or _name(part, len(found.attachments) + 1)
    cid = re.sub(r"[<>\s\x00-\x1f]", "", part.headers.get("content-id"))[:500]
    inline = bool(cid) and (related or part.disposition.startswith("inline"))
    _keep(found, Attachment(name, part.type, len(content), content, cid, inline))
    return None, None


def _keep(found: Bodies, attachment: Attachment) -> None:
    if len(found.attachments) < MAX_ATTACHMENTS:
        found.attachments.append(attachment)
    elif len(found.attachments) == MAX_ATTACHMENTS and not any("files" in note for note in found.notes):
        found.notes.append(f"The message has more than {MAX_ATTACHMENTS} files; the rest is kept only in the original.")


def _name(part: Part, number: int) -> str:
    """A name for a file that came without one: the subject of an attached message, else its number."""
    ending = _EXTENSIONS.get(part.type, "")
    if part.type == "message/rfc822":
        from .headers import split

        headers, _ = split(part.data, part.start, min(part.end, part.start + 65_536))
        if subject := filename(headers.line("subject", 100).replace("/", "-")):
            return f"{subject}{ending}"
    location = filename(part.headers.line("content-location", 500).partition("?")[0])
    return location or f"{part.type.partition('/')[0]}-{number}{ending}"


def unflow(text: str, *, delete_space: bool) -> str:
    """RFC 3676: lines that end in a space go on in the next one of the same quote depth."""
    out: list[str] = []
    pending, depth = "", -1
    for line in text.split("\n"):
        marks = len(line) - len(line.lstrip(">"))
        words = line[marks:].removeprefix(" ") if marks or line.startswith(" ") else line
        flowed = words.endswith(" ") and words != "-- "
        if depth != marks or words == "-- ":
            if depth >= 0:
                out.append(_quoted(pending, depth))
            pending = ""
        pending += words
        if flowed:
            pending = pending[:-1] if delete_space else pending
            depth = marks
        else:
            out.append(_quoted(pending, marks))
            pending, depth = "", -1
    if depth >= 0:
        out.append(_quoted(pending, depth))
    return "\n".join(out)


def _quoted(words: str, depth: int) -> str:
    return f"{'>' * depth} {words}" if depth else words
