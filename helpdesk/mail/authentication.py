"""Whether a mail is from whom it says, by what our own mail server wrote about it: Authentication-Results (RFC 8601).

Anybody can write that field. It is read only under the names in settings.TRUSTED_AUTHSERV, and only from the top of the
message: a server writes above what it was given, and must take off what comes in under its own name (RFC 8601, section 5).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from django.conf import settings

from helpdesk.mail.parsing import Mail
from helpdesk.mail.parsing.addresses import parse, valid

MAX_FIELDS = 5  # of ours: some servers write one for each check
MAX_VALUE = 8_000  # characters of one that are read
WITHOUT_ID = "without-id"  # how the setting names the results of Microsoft 365, which writes no name into them

_PIECE = re.compile(r'(?:"(?:[^"\\]|\\.)*"|[^\s"])+')


@dataclass(frozen=True)
class Result:
    """One verdict: `dkim`, `pass`, {"header.d": "example.org"}."""

    method: str
    verdict: str
    about: dict[str, str]


# What cannot be read to its end confirms nobody: a quote or a bracket in an address may have hidden the rest of it.
UNREADABLE = Result("dmarc", "fail", {})


def verified(mail: Mail, address: str) -> bool | None:
    """Whether this address wrote the mail: True, False, or None where no server of ours said anything.

    DMARC decides where it passed or failed (RFC 7489); without it, a signature or a return path of the address's own
    domain, of one above it or below it.
    """
    results = list(_ours(mail))
    domain = address.rpartition("@")[2].lower()
    dmarc = next((result for result in results if result.method == "dmarc"), None)
    if dmarc and dmarc.verdict == "fail":
        return False
    senders = {one.address.rpartition("@")[2].lower() for value in mail.headers.all("from") for one in parse(value)}
    judged = [one for one in results if one.method in ("spf", "dkim") and one.verdict != "temperror"]
    if dmarc and dmarc.verdict == "pass":
        about = _domain(dmarc.about.get("header.from", "")) or next(iter(senders), "")
        return about == domain and senders == {about}
    if not judged:
        return None
    return senders == {domain} and any(one.verdict == "pass" and _aligned(_signer(one), domain) for one in judged)


def _ours(mail: Mail) -> Iterator[Result]:
    """The verdicts at the top that carry a trusted name; where servers contradict each other, the topmost counts."""
    trusted = {name.lower() for name in settings.TRUSTED_AUTHSERV}
    spoken: set[str] = set()
    for count, value in enumerate(mail.headers.all("authentication-results") if trusted else ()):
        name, results = read(value[:MAX_VALUE])
        if count == MAX_FIELDS or (name or WITHOUT_ID) not in trusted:
            return
        yield from (result for result in results if result.method not in spoken)
        spoken |= {result.method for result in results}


def read(value: str) -> tuple[str, list[Result]]:
    """The name of the server that wrote a field, lower-case and "" if it gave none, and what it found. Takes any text."""
    (first, *clauses), whole = _clauses(value)
    if first and "=" in first[0]:
        name, clauses = "", [first, *clauses]
    else:
        name = first[0].lower() if first else ""
    return name, [result for words in clauses if (result := _result(words))] if whole else [UNREADABLE]


def _result(words: list[str]) -> Result | None:
    method, equals, verdict = words[0].partition("=") if words else ("", "", "")
    if not equals or not method:
        return None
    about: dict[str, str] = {}
    for word in words[1:]:
        key, _equals, said = word.partition("=")
        about.setdefault(key.lower(), said)
    return Result(method.partition("/")[0].lower(), verdict.lower(), about)


def _clauses(value: str) -> tuple[list[list[str]], bool]:
    """The words of each part between semicolons, unquoted, and whether all that was opened is closed.

    What stands in brackets is for people and left out.
    """
    kept: list[list[str]] = []
    piece: list[str] = []
    depth, quoted, at = 0, False, 0

    def flush() -> None:
        kept.append([word.replace('"', "") for word in _PIECE.findall("".join(piece))])
        piece.clear()

    while at < len(value):
        char = value[at]
        if char == "\\" and (quoted or depth):
            at += 1
        elif quoted or (char == '"' and not depth):
            quoted ^= char == '"'
            piece.append(char)
        elif char == "(":
            depth += 1
        elif char == ")" and depth:
            depth -= 1
            piece.append(" ")
        elif char == ";" and not depth:
            flush()
        elif not depth:
            piece.append(char)
        at += 1
    flush()
    return kept, not quoted and not depth


def _signer(result: Result) -> str:
    """Whose domain a signature or a return path is."""
    about = result.about
    return _domain(
        about.get("header.d") or about.get("header.i", "") if result.method == "dkim" else about.get("smtp.mailfrom", "")
    )


def _domain(text: str) -> str:
    """The domain of an address or of itself, as we write domains; "" for anything else."""
    found = valid(f"x@{text.rpartition('@')[2]}")
    return found.rpartition("@")[2] if found else ""


def _aligned(signer: str, domain: str) -> bool:
    """Relaxed alignment (RFC 7489, 3.1), as far as it goes without a list of public suffixes."""
    if "." not in signer or "." not in domain:
        return False
    return signer == domain or domain.endswith(f".{signer}") or signer.endswith(f".{domain}")
