"""The tree of a MIME message, cut by offsets: nothing is copied until a leaf is read, and every step is linear.

Limits (parts, depth) end the cutting, never the reading: what lies beyond is one opaque leaf and a note.
"""

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from .charsets import clean_name, decode
from .headers import Headers, base64, parameters, split

MAX_PARTS = 500
MAX_DEPTH = 20
MAX_FILENAME = 200

_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]{1,100}/[a-z0-9!#$&^_.+-]{1,100}")
_GUESS = re.compile(rb"^--(?!\s)([^\r\n]{1,200}?)[ \t]*\r?\n(?:[!-9;-~]{1,60}:[^\n]*\n)", re.MULTILINE)
_META = re.compile(rb"<meta[^<>]{0,200}?charset=[\"']?([a-zA-Z0-9_-]{2,30})", re.IGNORECASE)
_UU_BEGIN = re.compile(rb"^begin(?:-base64)? [0-7]{3,4} ([^\r\n]{1,300})\r?\n", re.MULTILINE)


@dataclass
class Part:
    """One part: its headers, its type and where its body lies in the raw bytes."""

    headers: Headers
    type: str
    params: dict[str, str]
    disposition: str
    filename: str
    data: bytes = field(repr=False)
    start: int
    end: int
    children: list["Part"] = field(default_factory=list)

    def leaves(self) -> Iterator["Part"]:
        """The parts without children, in order."""
        stack = [self]
        while stack:
            part = stack.pop()
            if part.children:
                stack.extend(reversed(part.children))
            else:
                yield part

    def body(self) -> bytes:
        """The part's bytes with their transfer encoding taken off, as far as that goes."""
        raw = self.data[self.start : self.end]
        coding = re.sub(r"[^a-z0-9]", "", self.headers.get("content-transfer-encoding").lower()[:60])
        if self.type.startswith(("multipart/", "message/")) and coding not in ("base64", "quotedprintable"):
            return raw
        if coding == "base64":
            return base64(raw)
        if coding == "quotedprintable":
            return binascii.a2b_qp(raw)
        if coding in ("uuencode", "xuuencode", "xuue", "uue"):
            found = _UU_BEGIN.search(raw)
            return uudecode(raw[found.end() :]) if found else raw
        return raw

    def text(self) -> str:
        """The part's bytes as the text that was meant."""
        data = self.body()
        named = _META.search(data, 0, 4_096) if self.type == "text/html" else None
        return decode(data, self.params.get("charset"), hint=named[1].decode("ascii") if named else None).removeprefix("\ufeff")


def tree(data: bytes) -> tuple[Part, list[str]]:
    """The root part of a raw message, and notes in plain words about what the limits left out."""
    notes: list[str] = []
    budget = [MAX_PARTS]
    return _part(data, 0, len(data), "text/plain", 0, budget, notes), notes


def _part(data: bytes, start: int, end: int, default: str, depth: int, budget: list[int], notes: list[str]) -> Part:
    headers, body = split(data, start, end)
    kind, params = parameters(headers.get("content-type"))
    hint = params.get("charset")
    headers = Headers(headers.fields, hint)
    disposition, more = parameters(headers.get("content-disposition"))
    if not _TYPE.fullmatch(kind):
        file = bool(kind) and disposition.startswith("attachment")
        kind = "application/octet-stream" if file else "text/html" if kind == "html" else default
    name = more.get("filename") or params.get("name") or ""
    part = Part(headers, kind, params, disposition, filename(name), data, body, end)
    if not kind.startswith("multipart/"):
        return part
    ranges = _ranges(data, body, end, params.get("boundary", ""), budget)
    if not ranges:  # a multipart without parts is read as the text it most likely is
        part.type = "text/plain"
        return part
    if depth >= MAX_DEPTH:
        part.type = "application/octet-stream"
        part.filename = part.filename or "nested.eml"
        notes.append("The message is nested too deeply; the innermost parts are kept only in the original.")
        return part
    child_default = "message/rfc822" if kind == "multipart/digest" else "text/plain"
    part.children = [_part(data, a, b, child_default, depth + 1, budget, notes) for a, b in ranges]
    if budget[0] <= 0 and not any(note.startswith("The message has more") for note in notes):
        notes.append(f"The message has more than {MAX_PARTS} parts; the rest is kept only in the original.")
    return part


def _ranges(data: bytes, start: int, end: int, boundary: str, budget: list[int]) -> list[tuple[int, int]]:
    """Where the parts between the boundary lines lie. A boundary that is missing or never occurs is guessed from the body."""
    mark = boundary.encode("utf-8", "surrogateescape") if not _lone(boundary) else b""
    ranges = _between(data, start, end, mark.rstrip(), budget) if mark.strip() else []
    if not ranges and (guess := _GUESS.search(data, start, min(end, start + 65_536))):
        ranges = _between(data, start, end, guess[1], budget)
    return ranges


def _lone(text: str) -> bool:
    return any("\ud800" <= char <= "\udfff" for char in text)


def _between(data: bytes, start: int, end: int, boundary: bytes, budget: list[int]) -> list[tuple[int, int]]:
    marker = b"--" + boundary
    ranges: list[tuple[int, int]] = []
    opened = -1
    at = start if data.startswith(marker, start, end) else _next(data, marker, start, end)
    tries = 20_000  # boundary-like lines looked at
    while at >= 0 and tries:
        tries -= 1
        newline = data.find(b"\n", at, end)
        line_end = end if newline < 0 else newline
        rest = data[at + len(marker) : line_end].strip()
        if rest in (b"", b"--"):
            if opened >= 0:
                ranges.append((opened, max(opened, _before(data, at, opened))))
                budget[0] -= 1
            opened = line_end + 1 if newline >= 0 else end
            if rest == b"--" or budget[0] <= 0:
                return ranges
        at = _next(data, marker, line_end, end)
    if 0 <= opened < end:  # no closing boundary: cut off on the way
        ranges.append((opened, end))
    return ranges


def _next(data: bytes, marker: bytes, start: int, end: int) -> int:
    """The next line in data[start:end] that begins with the marker; -1 if none."""
    found = data.find(b"\n" + marker, max(start - 1, 0), end)
    return found + 1 if found >= 0 else -1


def _before(data: bytes, at: int, opened: int) -> int:
    """The line end in front of a boundary belongs to the boundary (RFC 2046, 5.1.1)."""
    if at - 2 >= opened and data[at - 2 : at] == b"\r\n":
        return at - 2
    return at - 1 if at - 1 >= opened else at


def filename(name: str) -> str:
    """A name for people: no folders, no invisible, turning or control characters; the ending survives shortening."""
    name = clean_name(name, 10_000).replace("\\", "/").rpartition("/")[2].strip()
    if len(name) <= MAX_FILENAME:
        return name
    stem, dot, ending = name.rpartition(".")
    return f"{stem[: MAX_FILENAME - 11]}.{ending}" if dot and len(ending) <= 10 else name[:MAX_FILENAME]


def uudecode(raw: bytes) -> bytes:
    """The lines after `begin` up to `end`; a line that cannot be read is left out."""
    out = bytearray()
    for line in raw.splitlines():
        if line.strip() == b"end":
            break
        try:
            out += binascii.a2b_uu(line)
        except binascii.Error:  # some encoders write a wrong length; the first byte says how much counts
            wanted = ((((line[0] - 32) & 63) * 4 + 5) // 3) if line else 0
            try:
                out += binascii.a2b_uu(line[:wanted])
            except binascii.Error:
                continue
    return bytes(out)


def uuencoded(text: str) -> tuple[str, list[tuple[str, bytes]]]:
    """Files written into a text body between `begin 644 name` and `end`: the text without them, and (name, content) of each."""
    if "begin " not in text:
        return text, []
    raw = text.encode("utf-8", "replace")
    files: list[tuple[str, bytes]] = []
    kept, at = [], 0
    for found in _UU_BEGIN.finditer(raw):
        stop = raw.find(b"\nend", found.end() - 1)
        if found.start() < at:
            continue
        content = uudecode(raw[found.end() : stop]) if stop >= 0 else b""
        if not content or len(files) >= 50:  # not looked for again: each look may read to the end
            break
        files.append((filename(found[1].decode("utf-8", "replace")), content))
        kept.append(raw[at : found.start()])
        newline = raw.find(b"\n", stop + 1)
        at = len(raw) if newline < 0 else newline + 1
    kept.append(raw[at:])
    return b"".join(kept).decode("utf-8", "replace"), files
