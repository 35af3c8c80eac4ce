"""Business time: how long, and until when, counting only the hours in which we work.

A calendar is drawn on the wall (a week of intervals, holidays and short days by local date) and read on the
clock: each interval of each day is turned into two instants, so a day with a DST change counts
the hours that truly passed. A wall time that a change skips or repeats is read as in
`dates.at_local` (PEP 495): the first instant after a gap, the first of two occurrences.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from helpdesk.lib.dates import at_local, local

DAY = 24 * 60  # minutes
_ONE_DAY = timedelta(days=1)
TEN_YEARS = 522  # weeks
_FAR = 366 * 40  # days without an opening after which a calendar is taken for one that never opens

Minutes = int | time
Day = Sequence[tuple[Minutes, Minutes]]
Week = Sequence[Day]


class CalendarError(ValueError):
    """A calendar in which no time can pass, or that says what no clock shows; the message is for people."""


@dataclass(frozen=True)
class Calendar:
    """When we work: `week` has seven lists (Monday first) of intervals, from and until.

    Both are minutes after midnight or `datetime.time`; an end at or before its start lies on the
    next day (22:00 to 06:00), midnight to midnight is all day. An interval belongs to the day it starts on:
    one from the evening before still ends on a closed day. `days` are local dates with hours of their own,
    which stand for those of the week: none on a holiday, fewer on a short day. Overlaps count once. Raises
    CalendarError when the week is empty or malformed.
    """

    zone: ZoneInfo
    week: Week
    days: Mapping[date, Day] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.week) != 7:
            raise CalendarError("A week has seven days, from Monday to Sunday.")
        week = tuple(_day(day) for day in self.week)
        if not any(week):
            raise CalendarError("This calendar has no working hours, so no time would ever pass.")
        object.__setattr__(self, "week", week)
        object.__setattr__(self, "days", {day: _day(hours) for day, hours in self.days.items()})

    def spans(self, start: datetime) -> Iterator[tuple[datetime, datetime]]:
        """The working spans after `start`, in order and apart, as instants in UTC; without end.

        Raises CalendarError when holidays leave nothing open for forty years.
        """
        cursor = local(start, UTC)
        day = local(start, self.zone).date() - _ONE_DAY  # an interval of yesterday may still run
        closed = 0
        while closed < _FAR:
            closed += 1
            for begin, end in self._on(day):
                closed = 0
                if cursor < end:
                    yield max(begin, cursor), end
                    cursor = end  # what overlaps counts once
            day += _ONE_DAY
        raise CalendarError("The holidays of this calendar leave no working hours.")

    def _on(self, day: date) -> Iterator[tuple[datetime, datetime]]:
        for begin, end in self.days.get(day, self.week[day.weekday()]):  # made of minutes by __post_init__
            span = self._at(day, _minutes(begin)), self._at(day, _minutes(end))
            if span[0] < span[1]:  # a gap can swallow an interval whole
                yield span

    def _at(self, day: date, minutes: int) -> datetime:
        days, rest = divmod(minutes, DAY)
        return at_local(day + days * _ONE_DAY, time(rest // 60, rest % 60), self.zone)


def _day(intervals: Day) -> tuple[tuple[int, int], ...]:
    return _merged(_interval(*interval) for interval in intervals)


def _interval(begin: Minutes, end: Minutes) -> tuple[int, int]:
    first, last = _minutes(begin), _minutes(end)
    if not (0 <= first < DAY and 0 <= last <= DAY) or first == last != 0:
        raise CalendarError("An interval runs from one time of day to another.")
    return first, last if last > first else last + DAY


def _minutes(at: Minutes) -> int:
    if not isinstance(at, time):
        return at
    if at.second or at.microsecond:
        raise CalendarError("Working hours are given in whole minutes.")
    return at.hour * 60 + at.minute


def _merged(intervals: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """The same minutes in order, each once."""
    merged: list[tuple[int, int]] = []
    for begin, end in sorted(intervals):
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((begin, end))
    return tuple(merged)


def longest(calendar: Calendar) -> float:
    """The most seconds of working time that can be promised in a calendar: what ten years of its weeks hold."""
    return TEN_YEARS * 60.0 * sum(_minutes(end) - _minutes(begin) for day in calendar.week for begin, end in day)


def add(calendar: Calendar, start: datetime, seconds: float) -> datetime:
    """The first instant, in UTC, by which `seconds` (not negative) of working time have passed since `start`.

    With 0 seconds: `start` itself. Raises ValueError for a naive `start` or negative seconds, and CalendarError for more than
    TEN_YEARS of weeks like this one hold.
    """
    if seconds < 0:
        raise ValueError("Working time runs forward only.")
    if seconds > longest(calendar):
        raise CalendarError("In this calendar so much working time takes more than ten years.")
    left = timedelta(seconds=seconds)
    start = local(start, UTC)
    if not left:
        return start
    for begin, end in calendar.spans(start):
        if end - begin >= left:
            return begin + left
        left -= end - begin
    raise AssertionError("spans() is without end")


def between(calendar: Calendar, a: datetime, b: datetime) -> float:
    """Seconds of working time from `a` to `b`; negative when `b` is before `a`."""
    if b < a:
        return -between(calendar, b, a)
    a, b = local(a, UTC), local(b, UTC)
    passed = timedelta()
    for begin, end in calendar.spans(a):
        if begin >= b:
            break
        passed += min(end, b) - begin
    return passed.total_seconds()
