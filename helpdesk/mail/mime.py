"""From what a half wrote to the bytes that leave (RFC 5322, 2045, 2047, 2231, 2387, 3834, 6532, 8058)."""

import re
import secrets
from binascii import b2a_base64
from collections.abc import Iterable
from email.header import Header
from email.utils import encode_rfc2231, format_datetime, formataddr
from functools import lru_cache
from pathlib import Path

import dkim
from django.conf import settings

from helpdesk.files.models import Attachment
from helpdesk.lib.dates import now
from helpdesk.mail import addresses
from helpdesk.mail.models import Outgoing
from helpdesk.mail.verdicts import Content

CRLF = "\r\n"
SIGNED_HEADERS = (
    "from",
    "to",
    "cc",
    "subject",
    "date",
    "message-id",
    "in-reply-to",
    "references",
    "reply-to",
    "mime-version",
    "content-type",
    "list-unsubscribe",
    "list-unsubscribe-post",
)


class HeaderInjection(ValueError):
    """A header value holds a line break or another control character: permanent, the message is not sent."""


def header(name: str, value: str) -> str:
    """One header line, folded; refuses anything that could begin another header."""
    _refuse_breaks(name + value, name)
    if not _as_it_is(value):
        return f"{name}: {_words(value, 74 - len(name))}{CRLF}"
    if len(name) + len(value) < 76 or (" " not in value and len(value) < 900):
        return f"{name}: {value}{CRLF}"
    return f"{name}: {Header(value, 'us-ascii', header_name=name, maxlinelen=76).encode(linesep=CRLF)}{CRLF}"


BREAKS = re.compile("[\x00-\x1f\x7f\x85\u2028\u2029]")


def _refuse_breaks(text: str, name: str) -> None:
    if BREAKS.search(text):
        raise HeaderInjection(name)


def _as_it_is(text: str) -> bool:
    """Whether its reader sees what is written: what looks like an encoded word would be decoded, perhaps to a line break."""
    return text.isascii() and "=?" not in text


def _words(text: str, room: int = 74) -> str:
    """Encoded words (RFC 2047), each of whole characters and at most 75 long, the first within ``room``."""
    words, word, left = [], b"", (room - 12) // 4 * 3
    for character in text:
        more = character.encode("utf-8", "replace")
        if len(word) + len(more) > left:
            words.append(word)
            word, left = b"", 45
        word += more
    return f"{CRLF} ".join(f"=?utf-8?b?{b2a_base64(w, newline=False).decode()}?=" for w in [*words, word] if w)


def ids(name: str, values: Iterable[str]) -> str:
    """A header of message ids, folded between them and never inside one."""
    clean = [value for value in values if value and not any(c.isspace() or ord(c) < 32 for c in value) and value.isascii()]
    return f"{name}: {(CRLF + ' ').join(clean)}{CRLF}" if clean else ""


def people(name: str, written: Iterable[str]) -> str:
    """A header of bare addresses, folded between them. A name before the @ that is not ASCII stays as it is (RFC 6532):
    the transport asks for SMTPUTF8 then, and no server may take it otherwise."""
    wire = [addresses.wire(each) for each in written]
    _refuse_breaks("".join(wire), name)
    return f"{name}: {f',{CRLF} '.join(wire)}{CRLF}" if wire else ""


@lru_cache(maxsize=256)
def from_header(name: str, addr: str) -> str:
    """The sender with its display name, encoded so that the name cannot become another address."""
    _refuse_breaks(name + addr, "From")
    addr = addresses.wire(addr)
    if _as_it_is(name):
        return header("From", formataddr((name, addr)))
    return f"From: {_words(name, 68)}{CRLF} <{addr}>{CRLF}"


def message_id(outgoing: Outgoing) -> str:
    """Ours, signed: an answer that quotes it proves which message it answers."""
    return f"<{outgoing.token}.{outgoing.attempts}@{settings.MAIL_DOMAIN}>"


def cid(attachment: int) -> str:
    """The name by which our HTML shows an attached picture, ``src="cid:…"`` (RFC 2392); whatever it was called before."""
    return f"file{attachment}@{settings.MAIL_DOMAIN}"


def sender(outgoing: Outgoing) -> tuple[str, str]:
    box = outgoing.mailbox
    return (box.name, box.address) if box else (settings.WORKSPACE_NAME, settings.DEFAULT_FROM_ADDRESS)


def plus(addr: str, token: str) -> str:
    """RFC 5233 detail addressing: where an answer to this very message arrives."""
    local, _, domain = addresses.wire(addr).rpartition("@")
    return f"{local}+{token}@{domain}"


def return_path(outgoing: Outgoing, content: Content) -> str:
    """VERP, so that a bounce names its message; empty for automatic replies (RFC 3834, section 3.3)."""
    return "" if content.automatic == "auto-replied" else plus(settings.BOUNCE_ADDRESS, outgoing.token)


def build(outgoing: Outgoing, content: Content) -> bytes:
    """The whole message, DKIM-signed where a key is set."""
    name, addr = sender(outgoing)
    token = outgoing.token
    lines = [
        from_header(name, addr),
        people("To", [outgoing.to]),
        people("Cc", content.cc),
        header("Subject", content.subject),
        f"Date: {format_datetime(now())}{CRLF}",
        f"Message-ID: {outgoing.rfc_id}{CRLF}",
        header("Reply-To", plus(addr, token)),
        ids("In-Reply-To", [content.in_reply_to]),
        ids("References", content.references[-20:]),
        *(header(key, value) for key, value in content.headers.items()),
    ]
    if content.automatic:
        lines += [
            header("Auto-Submitted", content.automatic),
            header("X-Auto-Response-Suppress", "All"),
            header("X-Twofold-Automatic", "yes"),
        ]
    if outgoing.campaign_id:
        lines.append(header("Feedback-ID", f"{outgoing.campaign_id}:{outgoing.klass}:twofold"))
    lines.append(f"MIME-Version: 1.0{CRLF}")
    raw = "".join(lines).encode() + _body(content)
    return _signed(raw)


def _base64(content: bytes) -> bytes:
    """In lines of 76, as RFC 2045 wants them."""
    whole = b2a_base64(content, newline=False)
    return b"".join(whole[start : start + 76] + b"\r\n" for start in range(0, len(whole), 76))


def _part(kind: str, text: str) -> bytes:
    clean = text.replace("\0", "").replace("\r\n", "\n").replace("\n", CRLF).encode("utf-8", "replace")
    head = f"Content-Type: text/{kind}; charset=utf-8{CRLF}"
    if clean.isascii() and all(len(line) < 990 for line in clean.split(b"\r\n")):
        return f"{head}Content-Transfer-Encoding: 7bit{CRLF}{CRLF}".encode() + clean
    return f"{head}Content-Transfer-Encoding: base64{CRLF}{CRLF}".encode() + _base64(clean)


def _attachment(item: Attachment, disposition: str) -> bytes:
    name = item.name if item.name.isascii() and not set(item.name) & set('"\\\r\n') else encode_rfc2231(item.name, "utf-8")
    quoted = f'filename="{name}"' if name == item.name else f"filename*={name}"
    head = header("Content-Type", item.content_type) + f"Content-Disposition: {disposition};{CRLF} {quoted}{CRLF}"
    if disposition == "inline":
        head += f"Content-ID: <{cid(item.pk)}>{CRLF}"
    with item.blob.open() as file:
        content = _base64(file.read())
    return f"{head}Content-Transfer-Encoding: base64{CRLF}{CRLF}".encode("ascii") + content


def _multipart(kind: str, parts: list[bytes], *, of: str = "") -> bytes:
    boundary = secrets.token_hex(16)
    what = f'multipart/{kind}; type="{of}"' if of else f"multipart/{kind}"
    between = f"--{boundary}{CRLF}".encode()
    return b"".join(
        [
            f'Content-Type: {what}; boundary="{boundary}"{CRLF}{CRLF}'.encode(),
            *(between + part + b"\r\n" for part in parts),
            f"--{boundary}--{CRLF}".encode(),
        ]
    )


def _body(content: Content) -> bytes:
    """Text, HTML with the pictures that it shows (RFC 2387), and the other files beside them."""
    found = Attachment.objects.select_related("blob").in_bulk(content.attachments) if content.attachments else {}
    files = [found[pk] for pk in content.attachments if pk in found]
    shown = [file for file in files if f'src="cid:{cid(file.pk)}"' in content.html]
    body = _part("plain", content.text)
    if content.html:
        html = _part("html", content.html)
        if shown:
            html = _multipart("related", [html, *(_attachment(file, "inline") for file in shown)], of="text/html")
        body = _multipart("alternative", [body, html])
    others = [file for file in files if file not in shown]
    return _multipart("mixed", [body, *(_attachment(file, "attachment") for file in others)]) if others else body


def _signed(raw: bytes) -> bytes:
    """RFC 6376, with one-click unsubscription inside ``h=`` as RFC 8058 demands."""
    if not settings.DKIM_KEY_FILE:
        return raw
    present = {line.split(b":", 1)[0].strip().lower() for line in raw.split(b"\r\n\r\n", 1)[0].split(b"\r\n") if b":" in line}
    signature = dkim.sign(
        raw,
        settings.DKIM_SELECTOR.encode(),
        settings.DKIM_DOMAIN.encode(),
        Path(settings.DKIM_KEY_FILE).read_bytes(),
        include_headers=[name.encode() for name in SIGNED_HEADERS if name.encode() in present],
    )
    return signature + raw
