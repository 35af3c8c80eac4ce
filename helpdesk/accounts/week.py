"""A day's working hours as people write them: "9-12, 13:00–17:30", "22:00–06:00", "24 hours", or nothing."""

import re
from collections.abc import Iterator

from django.utils.translation import gettext as _

Day = list[list[int]]  # [from, until], minutes after midnight; an end at or before its start is on the next day
FULL = 24 * 60
MOST = 8  # intervals a day
_TIME = r"(\d{1,2})(?:[:.h](\d{2}))?\s*(am|pm|a\.m\.|p\.m\.|uhr|h)?"
_RANGE = re.compile(rf"{_TIME}\s*(?:-|–|—|to|until|bis)\s*{_TIME}", re.IGNORECASE)
_ALL_DAY = {"24h", "24 h", "24 hours", "24/7", "all day"}
_CLOSED = {"", "-", "–", "closed"}


class NotHours(ValueError):
    """What nobody can read as hours; the message is for people."""


def read_day(text: str) -> Day:
    """The intervals that a line says, in order and apart; two that touch are one. Raises NotHours."""
    said = text.strip().lower()
    if said in _CLOSED:
        return []
    if said in _ALL_DAY:
        return [[0, FULL]]
    parts = [part for part in re.split(r"[,;/]|\band\b|\bund\b", said) if part.strip()]
    if len(parts) > MOST:
        raise NotHours(_("At most %d intervals a day.") % MOST)
    return _apart(sorted(_interval(part.strip()) for part in parts))


def _apart(day: Day) -> Day:
    found: Day = []
    for begin, end in day:
        if found and begin < _until(found[-1]):
            said = {"one": write_day([found[-1]]), "other": write_day([[begin, end]])}
            raise NotHours(_("“%(one)s” and “%(other)s” overlap.") % said)
        joined = [found[-1][0], end] if found and begin == _until(found[-1]) else []
        if joined and joined[0] != end and _until(joined) == _until([begin, end]):
            found[-1] = joined
        else:  # also two that touch and are a whole day or more: no single span can say that
            found.append([begin, end])
    return found


def _until(interval: list[int]) -> int:
    begin, end = interval
    return end if end > begin else end + FULL


def overlaps(week: list[Day]) -> Iterator[tuple[int, int, int]]:
    """(day, the minute until which hours of the day before run, the one at which its own begin) where the first is later."""
    for at, day in enumerate(week):
        until = max((_until(interval) - FULL for interval in week[at - 1]), default=0)
        if day and day[0][0] < until:
            yield at, until, day[0][0]


def _interval(text: str) -> list[int]:
    found = _RANGE.fullmatch(text)
    if found is None:
        raise NotHours(_("“%s” is no time span. Write it as 09:00–17:00.") % text[:40])
    begin, end = _minutes(text, *found.groups()[:3]), _minutes(text, *found.groups()[3:])
    if begin == FULL or (begin == end != 0):
        raise NotHours(_("“%s” has no length. Around the clock is 00:00–24:00.") % text[:40])
    return [begin, end or FULL]


def _minutes(text: str, hour: str, minute: str | None, half: str | None) -> int:
    hours, minutes, half = int(hour), int(minute or 0), (half or "").replace(".", "")
    if half in ("am", "pm"):
        if not 1 <= hours <= 12:
            raise NotHours(_("“%s” is no time of day.") % text[:40])
        hours = hours % 12 + (12 if half == "pm" else 0)
    if minutes > 59 or hours * 60 + minutes > FULL:
        raise NotHours(_("“%s” is no time of day.") % text[:40])
    return hours * 60 + minutes


def write_day(day: Day) -> str:
    """The line that `read_day` reads back."""
    return ", ".join(f"{clock(begin)}–{clock(end)}" for begin, end in day)


def clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def write_week(week: list[Day], names: list[str]) -> str:
    """ "Mon–Fri 09:00–17:00; Sat 10:00–14:00": neighbours with the same hours share a span."""
    groups: list[tuple[int, int, str]] = []
    for at, day in enumerate(week):
        said = write_day(day)
        if groups and groups[-1][2] == said:
            groups[-1] = (groups[-1][0], at, said)
        else:
            groups.append((at, at, said))
    spans = [(names[a] if a == b else f"{names[a]}–{names[b]}", said) for a, b, said in groups if said]
    return "; ".join(f"{days} {said}" for days, said in spans)


def painted(week: list[Day]) -> list[list[tuple[int, int]]]:
    """What of each day is worked, seen from that day alone: what runs past midnight is also on the next day, from 0 on."""
    days: list[list[tuple[int, int]]] = [[] for _day in week]
    for at, day in enumerate(week):
        for begin, end in day:
            days[at].append((begin, min(_until([begin, end]), FULL)))
            if end <= begin:
                days[(at + 1) % 7].append((0, end))
    return [sorted(day) for day in days]
