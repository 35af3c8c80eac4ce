"""The new part of a plain-text message: what stands above the trailing quote.

Only a quote at the end is taken off, so answers written between the lines stay with what they answer. If nothing
but quote is there, everything is the message.
"""

import re

from . import phrases, signatures

_RULE = re.compile(r"^\s*[_=*-]{3,}\s*$")
MAX_LINES = 5_000  # what a person writes above a quote is shorter
_CONTEXT = 5  # lines over which a mail program may wrap its attribution


def new_part(text: str) -> str:
    """`text` without its trailing quote and signature; `text` itself when there is neither, or nothing else."""
    lines = text.rstrip("\n").split("\n")
    kept = lines[: min(marker(lines), _trailing(lines))]
    if not any(phrases.forwarded(line) for line in kept):  # what is forwarded is content to its last line
        kept = kept[: signatures.start(kept)]
    return "\n".join(kept).strip("\n").rstrip() if any(line.strip() for line in kept) else text.strip("\n")


def marker(lines: list[str]) -> int:
    """Where a quote without marks begins (Outlook and phones): all that follows is quote. len(lines) if there is none."""
    for index, line in enumerate(lines[:MAX_LINES]):
        if phrases.QUOTED.match(line):
            continue
        if phrases.forwarded(line):
            return len(lines)
        if phrases.ORIGINAL.match(line[:200]) and ("--" in line or phrases.header_block(_after(lines, index))):
            return index
        if phrases.header_block(lines[index : index + 9]):
            return _over_rule(lines, index)
        if line.rstrip().endswith((":", "：")) and (start := _attribution(lines, index)) is not None:
            following = _after(lines, index)
            if following and not phrases.QUOTED.match(following[0]) and phrases.sure("\n".join(lines[start : index + 1])):
                return start
    return len(lines)


def _trailing(lines: list[str]) -> int:
    """Where the block of `>` lines at the end begins, its attribution included. A signature below it goes with it."""
    end = _above_signature(lines)
    start = end
    while start and (not lines[start - 1].strip() or phrases.QUOTED.match(lines[start - 1])):
        start -= 1
    if not any(phrases.QUOTED.match(line) for line in lines[start:end]):
        return len(lines)
    above = start
    while above and not lines[above - 1].strip():
        above -= 1
    if above and (begin := _attribution(lines, above - 1)) is not None:
        start = begin
    if any(phrases.forwarded(line) for line in lines[max(start - 2, 0) : start]):
        return len(lines)
    return start


def _above_signature(lines: list[str]) -> int:
    """The number of lines above a signature that closes the message, if a quote stands above it."""
    end = signatures.start(lines)
    above = next((line for line in reversed(lines[:end]) if line.strip()), "")
    return end if phrases.QUOTED.match(above) else len(lines)


def _attribution(lines: list[str], last: int) -> int | None:
    """The first line of the attribution that ends on line `last`, or None."""
    for first in range(last, max(last - _CONTEXT, -1), -1):
        if not lines[first].strip():
            return None
        if phrases.attribution("\n".join(lines[first : last + 1])) and _begins(lines, first):
            return first
    return None


def _begins(lines: list[str], first: int) -> bool:
    """An attribution stands alone, a blank line or a quote above it, or it begins with its date."""
    above = lines[first - 1] if first else ""
    return not above.strip() or bool(phrases.QUOTED.match(above)) or phrases.dated(lines[first])


def _after(lines: list[str], index: int) -> list[str]:
    """The next nine lines that are not blank."""
    return [line for line in lines[index + 1 : index + 20] if line.strip()][:9]


def _over_rule(lines: list[str], index: int) -> int:
    """The line of dashes, or "Original Message", that stands above a header block belongs to it."""
    above = index
    while above and (not lines[above - 1].strip() or _RULE.match(lines[above - 1]) or phrases.ORIGINAL.match(lines[above - 1])):
        above -= 1
    return above
