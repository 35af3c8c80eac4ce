"""When a promise is due, counted over the spans in which its clock runs, in business time or around the clock."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from helpdesk.lib import worktime
from tickets.clocks.story import Span


@dataclass(frozen=True)
class Reckoning:
    """`due` and `warn` are None where the clock stopped before them; `left` is what it has left then, in seconds."""

    due: datetime | None
    warn: datetime | None
    left: int


def reckon(spans: Sequence[Span], end: datetime | None, target: int, warn: int, hours: worktime.Calendar | None) -> Reckoning:
    """``target`` and ``warn`` (before the target) in seconds of working time; ``hours`` None is around the clock.

    A clock that ran when it ended would have run on: its due date is the one that was promised. Raises CalendarError where
    the calendar's holidays leave nothing open.
    """
    due, left = _reach(spans, end, target, hours)
    return Reckoning(due, _reach(spans, end, max(0, target - warn), hours)[0], int(left))


def _reach(
    spans: Sequence[Span], end: datetime | None, seconds: float, hours: worktime.Calendar | None
) -> tuple[datetime | None, float]:
    left = float(seconds)
    for begin, until in spans:
        at = _add(hours, begin, left)
        if until is None or until == end or at <= until:
            return at, 0
        left -= _between(hours, begin, until)
    return None, left


def _add(hours: worktime.Calendar | None, start: datetime, seconds: float) -> datetime:
    return worktime.add(hours, start, seconds) if hours else start + timedelta(seconds=seconds)


def _between(hours: worktime.Calendar | None, a: datetime, b: datetime) -> float:
    return worktime.between(hours, a, b) if hours else (b - a).total_seconds()
