"""A mail that somebody passes on: whose it was, what it said, and what the one who passes it on wrote above."""

import re
from dataclasses import dataclass

from . import phrases
from .addresses import Address, valid
from .charsets import clean_name

MAX_LINES = 2_000  # what a person writes above a forwarded mail is shorter
MAX_HEAD = 30  # lines of the From, Date, Subject, To above it, with all who are named there

_ADDRESS = re.compile(r"[^\s<>()\[\]\"',;:|@]{1,200}@[^\s<>()\[\]\"',;:|@]{1,255}")
_MARKS = re.compile(r"^[\s>|*_]+")


@dataclass(frozen=True)
class Forward:
    sender: Address
    subject: str
    text: str
    above: str


def read(text: str, subject: str) -> Forward | None:
    """The topmost forwarded mail in a text whose subject says Fwd:, WG:, TR: …; None if it names no address as its sender."""
    if not phrases.FORWARD_SUBJECT.match(subject):
        return None
    lines = text.split("\n")
    for index in range(min(len(lines), MAX_LINES)):
        announced = phrases.forwarded(lines[index][:200]) or bool(phrases.ORIGINAL.match(lines[index][:200]))
        if announced:
            start = index + 1
        elif phrases.header_block([_bare(line) for line in lines[index : index + 9]]):
            start = index
        else:
            continue
        if found := _head(lines, start):
            fields, end = found
            sender = _person(fields["from"])
            if sender is None:
                return None
            return Forward(sender, _subject(fields.get("subject", "") or subject), _words(lines[end:]), _above(lines[:index]))
    return None


def _head(lines: list[str], start: int) -> tuple[dict[str, str], int] | None:
    """The fields from this line on, and the line behind them; None without a From."""
    fields: dict[str, str] = {}
    at, name = start, ""
    while at < min(len(lines), start + MAX_HEAD):
        line = _bare(lines[at])
        if key := phrases.key(line):
            name = key
            fields.setdefault(name, line[phrases.key_length(line) :].strip(" \t*"))
        elif not line.strip():
            if name and not (_next_is_key(lines, at) or fields.get(name, "x") == ""):
                break
        elif name and not fields[name]:  # a table: the name in one line, its value in the next
            fields[name] = line.strip(" \t*")
        elif not name:
            return None
        elif not re.match(r"[^\s:：]{1,20}(?: [^\s:：]{1,20}){0,2}[:：]|\s|.*@", line):  # neither Cc: nor more addresses
            break
        at += 1
    return (fields, at) if "from" in fields else None


def _next_is_key(lines: list[str], at: int) -> bool:
    """Some programs set each field apart by a blank line."""
    following = next((line for line in lines[at + 1 : at + 3] if line.strip()), "")
    return bool(phrases.key(_bare(following)))


def _person(value: str) -> Address | None:
    """Who a From names: Cleo <c@x>, Cleo [mailto:c@x], "Cleo" c@x, c@x (Cleo)."""
    value = value[:1_000]
    for found in _ADDRESS.finditer(value):
        if address := valid(found[0].removeprefix("mailto:").strip("*_.")):
            name = clean_name(value[: found.start()].replace("mailto:", "").strip(" \t<>[](),;:*\"'"), 200)
            return Address("" if name.lower() == address.lower() else name, address)
    return None


def _subject(subject: str) -> str:
    """Without what says that it was passed on."""
    for _ in range(5):
        if not phrases.FORWARD_SUBJECT.match(subject):
            break
        subject = phrases.FORWARD_SUBJECT.sub("", subject, count=1).strip()
    return subject


def _bare(line: str) -> str:
    return _MARKS.sub("", line[:1_000])


def _words(lines: list[str]) -> str:
    """The forwarded text; without its quote marks where every line has one."""
    said = [line for line in lines if line.strip()]
    if said and all(phrases.QUOTED.match(line) for line in said):
        lines = [re.sub(r"^\s{0,3}[>|] ?", "", line) for line in lines]
    return "\n".join(lines).strip("\n").rstrip()


def _above(lines: list[str]) -> str:
    return "\n".join(line for line in lines if not re.fullmatch(r"\s*[_=*-]{3,}\s*", line)).strip()
