"""Header fields as they come: cut from the bytes, unfolded, decoded, with the parameters behind the semicolons.

The standard library's parser is not used for the outer shape: its cost grows with depth times size and it recurses, so
one message nested a thousand deep stops a queue. Here every step is linear and bounded.
"""

import binascii
import re
import string
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import unquote_to_bytes

from .charsets import clean_line, decode

MAX_FIELDS = 1_000  # fields of one part that are read
MAX_VALUE = 64 * 1024  # bytes of one value that are read
MAX_IDS = 100  # message ids kept from References

_NOT_BASE64 = bytes(set(range(256)) - set(string.ascii_letters.encode() + string.digits.encode() + b"+/="))
_FIELD = re.compile(rb"([!-9;-~]{1,100})[ \t]*:")
_BLANK = re.compile(rb"\n\r?\n")
WORD = re.compile(r"=\?([^?\s*]{1,60})(?:\*[^?\s]{0,20})?\?([bBqQ])\?(.{0,4000}?)\?=")
_ID = re.compile(r"<([^<>\s]{1,500}|[^<>]{1,500}@[^<>]{1,500})>")
_BARE_ID = re.compile(r"[^<>\s,;\"']{1,400}@[^<>\s,;\"']{1,200}")


@dataclass(frozen=True)
class Headers:
    """The fields of a message or part: lower-case names and raw, unfolded bytes, in order."""

    fields: tuple[tuple[str, bytes], ...] = ()
    hint: str | None = None

    def all(self, name: str) -> Iterator[str]:
        """Every value under that name, as text (encoded words still encoded)."""
        name = name.lower()
        return (decode(value, hint=self.hint) for key, value in self.fields if key == name)

    def get(self, name: str) -> str:
        """The first value under that name or an empty string; a second field of the same name is not believed."""
        return next(self.all(name), "")

    def __contains__(self, name: str) -> bool:
        return any(key == name.lower() for key, _ in self.fields)

    def line(self, name: str, limit: int) -> str:
        """A value for people: encoded words decoded, on one line, at most `limit` characters."""
        return clean_line(words(self.get(name)[:16_384]), limit)


def split(data: bytes, start: int, end: int) -> tuple[Headers, int]:
    """The header fields of data[start:end] and where the body begins.

    Without any empty line, the body begins at the first line that is neither a field nor a continuation. With one,
    a stray line among the fields belongs to the field above it, since that is how broken gateways fold.
    """
    if data.startswith((b"From ", b">From "), start, end) and not _FIELD.match(data, start, end):  # an mbox line in front
        newline = data.find(b"\n", start, end)
        start = end if newline < 0 else newline + 1
    if data.startswith(b"\n", start, end) or data.startswith(b"\r\n", start, end):
        return Headers(), data.index(b"\n", start, end) + 1
    blank = _BLANK.search(data, start, end)
    stop, body = (blank.start() + 1, blank.end()) if blank else (end, end)
    fields: list[tuple[str, bytearray]] = []
    at = start
    while at < stop:
        newline = data.find(b"\n", at, stop)
        after = stop if newline < 0 else newline + 1
        found = _FIELD.match(data, at, after)
        if found and len(fields) < MAX_FIELDS:
            fields.append((found[1].decode("ascii").lower(), bytearray(data[found.end() : min(after, found.end() + MAX_VALUE)])))
        elif found:
            pass
        elif fields and (blank or data[at : at + 1] in (b" ", b"\t")):
            if len(fields[-1][1]) < MAX_VALUE:
                fields[-1][1].extend(b" " + data[at : min(after, at + MAX_VALUE)])
        else:
            body = at
            break
        at = after
    return Headers(tuple((name, re.sub(rb"[\r\n\t]+ *| +", b" ", bytes(value)).strip()) for name, value in fields)), body


def words(text: str) -> str:
    """Decode RFC 2047 encoded words, also where they stand against the rules; a letter cut in two words is joined."""
    if "=?" not in text:
        return text
    out: list[str] = []
    pending: tuple[str, bytearray] | None = None
    at = 0
    for found in WORD.finditer(text):
        between = text[at : found.start()]
        data = _q(found[3]) if found[2] in "qQ" else base64(found[3].encode("ascii", "ignore"))
        charset = found[1].lower()
        joined = pending is not None and not between.strip()
        if pending and joined and pending[0] == charset:
            pending[1].extend(data)
        else:
            if pending:
                out.append(decode(bytes(pending[1]), pending[0]))
            if not joined:
                out.append(between)
            pending = (charset, bytearray(data))
        at = found.end()
    if pending:
        out.append(decode(bytes(pending[1]), pending[0]))
    out.append(text[at:])
    return "".join(out)


def _q(text: str) -> bytes:
    return binascii.a2b_qp(text.encode("utf-8", "replace"), header=True)


def base64(data: bytes) -> bytes:
    """Base64 as found in mail: foreign characters skipped, missing padding added, a broken last group dropped."""
    data = data.translate(None, _NOT_BASE64)
    cut = data.find(b"=")
    data = data if cut < 0 else data[:cut]
    if len(data) % 4 == 1:
        data = data[:-1]
    return binascii.a2b_base64(data + b"=" * (-len(data) % 4))


def parameters(value: str) -> tuple[str, dict[str, str]]:
    """`text/plain; charset="x"; name*0*=…` as its first word in lower case and its parameters.

    RFC 2045 and 2231, and what mailers make of them: spaces without quotes, encoded words.
    """
    pieces = _pieces(value[:16_384])
    main = pieces[0].strip().lower() if pieces else ""
    plain: dict[str, str] = {}
    parts: dict[str, dict[int, tuple[bool, str]]] = {}
    for piece in pieces[1:200]:
        name, equals, raw = piece.partition("=")
        name, raw = name.strip().lower(), _unquote(raw.strip())
        if not equals or not name:
            continue
        base, star, rest = name.partition("*")
        if not star:
            plain.setdefault(base, words(raw))
            continue
        number = rest.rstrip("*")
        if number.isascii() and (number.isdigit() or not number):
            parts.setdefault(base, {})[int(number[:4] or 0)] = (name.endswith("*"), raw)
    for base, numbered in parts.items():
        plain[base] = _continued(numbered)
    return main, plain


def _continued(numbered: dict[int, tuple[bool, str]]) -> str:
    """RFC 2231: the numbered pieces in order, percent-encoded ones under the charset that the first names."""
    charset, data = None, bytearray()
    for index, (_, (encoded, raw)) in enumerate(sorted(numbered.items())):
        if encoded and index == 0 and raw.count("'") >= 2:
            charset, _, raw = raw.split("'", 2)
        data.extend(unquote_to_bytes(raw) if encoded else raw.encode("utf-8", "replace"))
    return words(decode(bytes(data), charset))


def _pieces(value: str) -> list[str]:
    """Cut at semicolons that are not inside quotes."""
    pieces, start, quoted, at = [], 0, False, 0
    while at < len(value):
        char = value[at]
        if char == "\\" and quoted:
            at += 1
        elif char == '"':
            quoted = not quoted
        elif char == ";" and not quoted:
            pieces.append(value[start:at])
            start = at + 1
        at += 1
    pieces.append(value[start:])
    return pieces


def _unquote(raw: str) -> str:
    if len(raw) >= 2 and raw[0] == raw[-1] and raw[0] in "\"'":
        return re.sub(r"\\([\"\\])", r"\1", raw[1:-1])
    return raw.strip('"')


def ids(values: Iterator[str]) -> tuple[str, ...]:
    """Message ids as `<id@host>`, in order, without repeats; ids without angle brackets are taken too."""
    found: dict[str, None] = {}
    for value in values:
        listed = _ID.findall(value) or _BARE_ID.findall(value)
        found.update(dict.fromkeys(f"<{clean_line(''.join(one.split()), 500)}>" for one in listed))
    kept = list(found)
    # Long threads: the first is the thread's root, the last are its nearest ancestors (RFC 5322, 3.6.4).
    return tuple(kept if len(kept) <= MAX_IDS else kept[:1] + kept[1 - MAX_IDS :])


def date(value: str) -> datetime | None:
    """The time in a Date field as UTC; None if it cannot be one."""
    try:
        moment = parsedate_to_datetime(value[:200])
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError, AttributeError):
        return None
    return moment if 1980 <= moment.year < 2200 else None
