"""Addresses in header fields: names decoded only after the cutting, so that an encoded comma or bracket adds nobody."""

import re
import unicodedata
from dataclasses import dataclass

import idna

from .charsets import BIDI, INVISIBLE, clean_name
from .headers import WORD, words

MAX_ADDRESSES = 1_000  # read from one field
MAX_NAME = 200

_UNSEEN = re.compile(f"^[{BIDI}{INVISIBLE}]+|[{BIDI}{INVISIBLE}]+$")  # comes along when somebody copies an address
_LOCAL = re.compile(rf"[^\s@<>()\[\],;:\\\"\x00-\x20\x7f-\xa0\u2028\u2029{BIDI}{INVISIBLE}]{{1,200}}")
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_DOMAIN = re.compile(rf"(?:{_LABEL}\.)*{_LABEL}|\[[0-9a-f.:]{{3,60}}\]")
_SPACED_DOT = re.compile(r"\s{1,20}\.\s{0,20}|\.\s{1,20}")  # obsolete: jdoe@test . example
_WITH_LATIN = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO", "IDEOGRAPHIC")  # written beside Latin letters by custom
_INSIDE = re.compile(r"<([^<>\s]{3,320})>")


@dataclass(frozen=True)
class Address:
    """One mailbox. The domain is lower-case ASCII (punycode), so a look-alike letter cannot pass for the real one."""

    name: str
    address: str

    @property
    def lookalike(self) -> str:
        """The domain as its letters look, where they pass for others ("pаypal.example" with a Cyrillic а); else ""."""
        domain = self.address.rpartition("@")[2]
        return lookalike(domain) if "xn--" in domain else ""


def lookalike(domain: str) -> str:
    """The Unicode form of a punycode domain that is made to be mistaken for another; "" for an honest one.

    A label is suspect that mixes Latin letters with those of another alphabet, or whose letters all pass for Latin ones
    under a Latin top-level domain (Unicode TS 39, and the rules that browsers made of it).
    """
    try:
        shown = idna.decode(domain)
    except (idna.IDNAError, UnicodeError, ValueError, IndexError):
        return domain  # no such name can be registered
    *labels, top = shown.split(".")
    return shown if any(_suspect(label, top.isascii()) for label in labels) else ""


def _suspect(label: str, latin_top: bool) -> bool:
    foreign = [char for char in label if char.isalpha() and not unicodedata.name(char, "").startswith("LATIN")]
    if not foreign or all(unicodedata.name(char, "").startswith(_WITH_LATIN) for char in foreign):
        return False
    mixed = any(unicodedata.name(char, "").startswith("LATIN") for char in label if char.isalpha())
    if mixed:
        return True
    from confusable_homoglyphs.confusables import is_confusable  # reads a table of a megabyte

    passing = is_confusable(label, greedy=True, preferred_aliases=["latin"]) or []
    return latin_top and {one["character"] for one in passing} >= set(foreign)


def valid(text: str) -> str | None:
    """The address in its one form (domain lower-case, international names as punycode), or None if it is none."""
    if len(text) > 1_000:
        return None
    text = _UNSEEN.sub("", text.strip()).removeprefix("mailto:").strip("'\"").rstrip(".")
    local, at, domain = text.rpartition("@")
    if not at or len(text) > 320 or not _LOCAL.fullmatch(local) or any("\ud800" <= char <= "\udfff" for char in local):
        return None
    domain = domain.lower()
    if not domain.isascii():
        try:
            domain = idna.encode(domain, uts46=True).decode("ascii")
        except (idna.IDNAError, UnicodeError, ValueError, IndexError):
            return None
    if not _DOMAIN.fullmatch(domain) or len(local) + len(domain) > 253:
        return None
    return f"{local}@{domain}"


def parse(value: str) -> tuple[Address, ...]:
    """All mailboxes in a From, To or Cc value: groups, comments, quotes, missing brackets and commas; no repeats."""
    found: dict[str, Address] = {}
    carried = ""  # the half of an unquoted "Doe, John <j@d>" before its comma
    for phrase, angle, comment in _cut(value):
        named = _read(phrase, angle)
        if not named:
            carried = f"{phrase}, " if angle is None and "@" not in phrase and phrase.strip() and len(carried) < MAX_NAME else ""
            continue
        for address, name in named:
            shown = clean_name(words(f"{carried}{name}" if angle is not None and name else name or comment), MAX_NAME)
            found.setdefault(address.lower(), Address("" if shown.lower() == address.lower() else shown, address))
        carried = ""
        if len(found) >= MAX_ADDRESSES:
            break
    return tuple(found.values())[:MAX_ADDRESSES]


def _read(phrase: str, angle: str | None) -> list[tuple[str, str]]:
    """The addresses in one cut piece, each with its still encoded name; several when somebody forgot the commas."""
    if angle is not None:
        angle = re.sub(r"\([^()]*\)|\s", "", angle)  # comments may stand even here (RFC 5322, A.5)
        address = valid(angle.rpartition(":")[2] if angle.startswith("@") else angle)  # obsolete route: <@a,@b:user@host>
        return [(address, phrase)] if address else []
    words_, at, host = phrase.partition("@")
    tokens = f"{words_}{at}{_SPACED_DOT.sub('.', host)}".split() if at else []
    named = [(address, "") for token in tokens if "@" in token and (address := valid(token))]
    if len(named) == 1:
        return [(named[0][0], " ".join(token for token in tokens if "@" not in token))]
    if not named and "=?" in phrase and (hidden := _INSIDE.search(words(phrase))):  # all of "Name <address>" encoded at once
        address = valid(hidden[1])
        return [(address, "")] if address else []
    return named


def _cut(value: str) -> list[tuple[str, str | None, str]]:
    """(phrase, inside of the angle brackets or None, comment) for each comma- or semicolon-separated piece; linear."""
    pieces: list[tuple[str, str | None, str]] = []
    phrase: list[str] = []
    comment: list[str] = []
    angle: str | None = None
    depth = at = opened = 0
    quoted = False
    # What is never closed opens nothing: else one stray quote would swallow every address behind it.
    last_quote, last_bracket = value.rfind('"'), value.rfind(")")

    def flush() -> None:
        nonlocal angle
        text = "".join(phrase).strip()
        if text or angle is not None:
            pieces.append((text, angle, "".join(comment).strip()))
        phrase.clear()
        comment.clear()
        angle = None

    while at < len(value) and len(pieces) < 2 * MAX_ADDRESSES:
        char = value[at]
        if char == "\\" and (quoted or depth) and at + 1 < len(value):
            at += 1
            (comment if depth else phrase).append(value[at])
        elif depth:
            depth += (char == "(") - (char == ")")
            if depth:
                comment.append(char)
        elif char == '"':
            if quoted and value[at + 1 : at + 2] == "@" and not _LOCAL.fullmatch("".join(phrase[opened:])):
                phrase[opened:] = ["\0"]  # "two words"@host is an address, but none that mail can be sent to: never a part of it
            quoted, opened = not quoted and at < last_quote, len(phrase)
        elif quoted:
            phrase.append(char)
        elif char == "=" and (word := WORD.match(value, at)):
            phrase.append(word[0])
            at = word.end() - 1
        elif char == "(" and at < last_bracket:
            depth = 1
        elif char == "<":
            close = value.find(">", at, at + 1_000)
            comma = value.find(",", at, at + 1_000)
            stop = close if close >= 0 else comma if comma >= 0 else min(len(value), at + 1_000)
            if angle is None or "@" not in angle:
                angle = value[at + 1 : stop].lstrip("<")
            at = stop if close >= 0 else stop - 1
        elif char in ",;":
            flush()
        elif char == ">" and angle is not None:
            pass
        elif char == ":" and angle is None and "@" not in "".join(phrase[-320:]):
            phrase.clear()  # the name of a group
        else:
            phrase.append(char)
        at += 1
    flush()
    return pieces
