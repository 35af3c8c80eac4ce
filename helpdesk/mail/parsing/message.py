"""From raw bytes to a Mail: the one reading that every way in shares."""

import hashlib
import re
from collections.abc import Iterator

from helpdesk.lib.html import from_text, sanitize, styled, to_text

from . import automatic, bodies, bounces, phrases, quotes, quotes_html
from .addresses import MAX_ADDRESSES, Address, parse, valid
from .charsets import codec
from .headers import Headers, date, ids, parameters, split
from .mail import Mail
from .parts import Part, tree

MAX_SUBJECT = 500
_FRONT = re.compile(rb"(?:\xef\xbb\xbf|[\r\n]){1,100}(?=[!-9;-~]{1,100}:)")

_DELIVERED = (
    "delivered-to", "x-original-to", "x-delivered-to", "envelope-to", "x-envelope-to", "x-forwarded-to", "x-apparently-to",
)  # fmt: skip


def read(raw: bytes) -> Mail:
    """What a message says. Takes any bytes at all and does not raise; see `guard.read_guarded` for what it may cost.

    Bare CR as line end (old Macs, some gateways) is understood; the raw bytes are the caller's to keep.
    """
    data = raw.replace(b"\r", b"\n") if b"\n" not in raw else raw
    if front := _FRONT.match(data):  # a byte-order mark or blank lines in front of the first field
        data = data[front.end() :]
    root, notes = tree(data)
    leaves = list(root.leaves())
    headers = Headers(root.headers.fields, _hint(leaves))
    found = bodies.read(root)
    notes += found.notes
    sender = _sender(headers)
    return_path = _return_path(headers)
    subject = headers.line("subject", MAX_SUBJECT)
    written = found.text.strip("\n") if found.text and found.text.strip() else None
    text = written if written is not None else to_text(found.html or "")
    html = sanitize(found.html) if found.html is not None else ""
    reply, reply_html = _reply(
        text, found.html, html, only_html=written is None, forwarded=bool(phrases.FORWARD_SUBJECT.match(subject))
    )
    from_whom = sender.address if sender else ""
    bounce = bounces.read(
        _reports(leaves), get=headers.get, sender=from_whom, subject=subject, text=text, raw=data, return_path=return_path
    )
    announced, _ = parameters(headers.get("content-type"))
    reason = automatic.why(headers.get, sender=from_whom, content_type=announced, return_path=return_path)
    return Mail(
        from_=sender,
        reply_to=parse(headers.get("reply-to")),
        to=_people(headers, "to"),
        cc=_people(headers, "cc"),
        subject=subject,
        text=text,
        reply=reply,
        html=html,
        reply_html=reply_html,
        attachments=tuple(found.attachments),
        message_id=next(iter(ids(headers.all("message-id"))), None) or made_id(sender, raw),
        in_reply_to=next(iter(ids(headers.all("in-reply-to"))), None),
        references=ids(headers.all("references")),
        automatic=reason or ("a report from a mail system" if bounce else None),
        bounce=bounce,
        date=date(headers.get("date")),
        delivered_to=_delivered_to(headers),
        return_path=return_path,
        headers=headers,
        notes=tuple(dict.fromkeys(notes)),
    )


def letter(raw: bytes) -> str:
    """The whole body with its own styles, for a frame of its own: see `lib.html.letter.styled`."""
    data = raw.replace(b"\r", b"\n") if b"\n" not in raw else raw
    if front := _FRONT.match(data):
        data = data[front.end() :]
    found = bodies.read(tree(data)[0])
    return styled(found.html) if found.html is not None else from_text(found.text or "")


def glance(head: bytes) -> tuple[str, str]:
    """Who a mail says it is from and its subject, by its first bytes alone: for lists of mail that may be unreadable."""
    headers, _body = split(head.replace(b"\r\n", b"\n"), 0, len(head))
    sender = _sender(headers)
    return (sender.address if sender else ""), headers.line("subject", MAX_SUBJECT)


def addressed(head: bytes) -> list[str]:
    """Whom a mail is for, by its first bytes alone: what its last hops wrote, then To and Cc."""
    headers, _body = split(head.replace(b"\r\n", b"\n"), 0, len(head))
    people = (one.address for name in ("to", "cc") for one in _people(headers, name))
    return list(dict.fromkeys((*_delivered_to(headers), *people)))


def made_id(sender: Address | None, raw: bytes) -> str:
    """A Message-ID for mail that has none: the same mail gets the same one again."""
    digest = hashlib.sha256((sender.address.lower() if sender else "").encode("utf-8", "replace") + b"\0")
    digest.update(raw)
    return f"<{digest.hexdigest()[:40]}@no-message-id.invalid>"


def _hint(leaves: list[Part]) -> str | None:
    """The charset of the first text that names one: raw bytes in the headers are most likely in it too."""
    return next((charset for part in leaves[:20] if (charset := part.params.get("charset")) and codec(charset)), None)


def _sender(headers: Headers) -> Address | None:
    """Who it is from: the first address in From; without one, Sender, Reply-To, then the return path."""
    for name in ("from", "sender", "reply-to", "return-path"):
        if found := parse(headers.get(name)):
            return found[0]
    return None


def _people(headers: Headers, name: str) -> tuple[Address, ...]:
    """All addresses under that name, also when the field was written twice; no repeats."""
    people: dict[str, Address] = {}
    for one in (one for value in headers.all(name) for one in parse(value)):
        people.setdefault(one.address.lower(), one)
    return tuple(people.values())[:MAX_ADDRESSES]


def _return_path(headers: Headers) -> str | None:
    value = headers.get("return-path").strip()
    if not value:
        return None
    written = value.strip("<> \t")
    return "" if written.lower() in ("", "mailer-daemon") else valid(written)  # Postfix writes the null sender so


def _delivered_to(headers: Headers) -> tuple[str, ...]:
    found: Iterator[str] = (one.address for name in _DELIVERED for value in headers.all(name) for one in parse(value[:2_000]))
    return tuple(dict.fromkeys(found))[:50]


def _reports(leaves: list[Part]) -> Iterator[tuple[str, bytes]]:
    """The leaves that a delivery report is made of."""
    return ((part.type, part.body()) for part in leaves if part.type.startswith("message/") or part.type == "text/rfc822-headers")


def _reply(whole: str, raw_html: str | None, html: str, *, only_html: bool, forwarded: bool) -> tuple[str, str]:
    """(new part as text, new part as HTML). What a subject calls forwarded is shown whole: it is the content.

    Where only one of the two shows that a quote begins, the other is cut in the same place or made from it.
    """
    if forwarded:
        return whole, html
    shorter = quotes_html.new_part(raw_html) if raw_html else None
    if shorter is not None:
        html = sanitize(shorter)
    reply = whole if only_html else quotes.new_part(whole)
    if reply == whole and shorter is not None:
        words = to_text(html)
        return _beginning(whole, words) or words, html
    if reply != whole and raw_html and shorter is None and "<img" not in html:
        return reply, from_text(reply)
    return reply, html


def _beginning(whole: str, words: str) -> str | None:
    """The beginning of `whole` that says `words`, white space aside; None if it begins otherwise."""
    at = 0
    for char in "".join(words.split()):
        while at < len(whole) and whole[at].isspace():
            at += 1
        if at == len(whole) or whole[at] != char:
            return None
        at += 1
    return whole[:at] or None
