"""Working time measured twice: by sums over the laid-out shifts, and, for some, minute by minute on the wall."""

from bisect import bisect_right
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from helpdesk.demo.month.scheme import ZONE, Hours

Span = tuple[datetime, datetime | None]
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


class Ruler:
    """How much of its hours has passed at an instant, and when so much has: one table, read both ways. In microseconds."""

    def __init__(self, spans: Sequence[tuple[datetime, datetime]]) -> None:
        self.begins = [begin for begin, _end in spans]
        self.before, total = [], timedelta()  # what has passed when each span begins
        for begin, end in spans:
            self.before.append(total)
            total += end - begin
        self.lengths = [end - begin for begin, end in spans]

    def passed(self, at: datetime) -> timedelta:
        place = bisect_right(self.begins, at) - 1
        if place < 0:
            return timedelta()
        return self.before[place] + min(at - self.begins[place], self.lengths[place])

    def when(self, passed: timedelta) -> datetime:
        """The first instant at which so much has passed."""
        place = max(0, bisect_right(self.before, passed) - 1)
        if place and self.before[place] == passed:
            place -= 1  # the end of the span before, not the beginning of this one
        return self.begins[place] + passed - self.before[place]


class AroundTheClock(Ruler):
    def __init__(self) -> None:
        self.zero = datetime(2000, 1, 1, tzinfo=UTC)

    def passed(self, at: datetime) -> timedelta:
        return at - self.zero

    def when(self, passed: timedelta) -> datetime:
        return self.zero + passed


def reached(ruler: Ruler, spans: Sequence[Span], target: timedelta) -> datetime | None:
    """When the target is used up over these spans, the last of which may go on; None while it stands before that."""
    left = target
    for begin, end in spans:
        at = ruler.when(ruler.passed(begin) + left)
        at = max(at, begin)
        if end is None or at <= end:
            return at
        left -= ruler.passed(end) - ruler.passed(begin)
    return None


def by_minutes(hours: Hours | None, spans: Sequence[Span], target: timedelta, most: int) -> datetime | None:
    """The same, by looking at the wall each minute: is the ticket's clock running, and do we work? None after ``most``."""
    left = target
    for begin, end in spans:
        minute = begin.replace(second=0, microsecond=0)
        while end is None or minute < end:
            most -= 1
            if most < 0:
                return None
            first, last = max(begin, minute), min(end or minute + MINUTE, minute + MINUTE)
            if hours is None or works(hours, minute):
                if last - first >= left:
                    return first + left
                left -= last - first
            minute += MINUTE
    return None


def works(hours: Hours, minute: datetime) -> bool:
    """Whether the wall says so: an interval of today that has begun, or one of yesterday evening that still runs."""
    wall = minute.astimezone(ZONE)
    of_day = wall.hour * 60 + wall.minute
    today, yesterday = wall.date(), wall.date() - timedelta(days=1)
    for begin, end in hours.on(today):
        if begin <= of_day and (of_day < end or end <= begin):
            return True
    return any(end <= begin and of_day < end for begin, end in hours.on(yesterday))
