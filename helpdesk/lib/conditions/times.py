"""Dates and times, fixed or relative to now.

A fixed date without a time is a day in the workspace's zone (settings.TIME_ZONE); everything
else is an instant. A date in the data is its midnight in UTC, as in PostgreSQL's cast.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.db.models import DateTimeField, Q, Value
from django.db.models.lookups import GreaterThanOrEqual, IsNull, LessThan, LessThanOrEqual
from django.utils.formats import date_format
from django.utils.timezone import get_current_timezone, get_default_timezone
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from helpdesk.lib.conditions.ops import Op, Wrong, delta, duration, show_duration
from helpdesk.lib.conditions.scalars import set_ops
from helpdesk.lib.dates import at_local

_DAY = timedelta(days=1)
# (from, until, with `until` itself): instants that a condition covers; None is without end
Span = tuple[datetime | None, datetime | None, bool]


def instant(value: Any) -> datetime | None:
    """The instant that a stored date or time stands for, None for anything else."""
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    return datetime.combine(value, time(), UTC) if isinstance(value, date) else None


def moment(raw: Any, field: Any = None, strict: bool = True) -> str:
    """ "2026-11-23", or an instant in UTC; a time without a zone is the workspace's."""
    try:
        if not isinstance(raw, str):
            raise ValueError
        text = raw.strip()
        if len(text) == 10:
            day = date.fromisoformat(text)
            value, year = day.isoformat(), day.year
        else:
            at = datetime.fromisoformat(text)
            year = at.year
            if at.tzinfo is None and 1900 <= year <= 2200:
                at = at_local(at.date(), at.time(), get_default_timezone())
            value = at.astimezone(UTC).isoformat().replace("+00:00", "Z") if 1900 <= year <= 2200 else ""
    except ValueError:
        raise Wrong(_now("Enter a date such as 2026-11-23, or a date with a time.")) from None
    if not 1900 <= year <= 2200:
        raise Wrong(_now("Enter a date between 1900 and 2200."))
    return value


def _day(raw: Any, field: Any, strict: bool) -> str:
    value = moment(raw, field, strict)
    if len(value) != 10:
        raise Wrong(_now("Enter a date without a time."))
    return value


def _bounds(value: str) -> tuple[datetime, datetime]:
    """Where the moment begins and ends: a day in the workspace's zone, or a single instant."""
    if len(value) != 10:
        at = datetime.fromisoformat(value)
        return at, at + timedelta(microseconds=1)
    day, zone = date.fromisoformat(value), get_default_timezone()
    return at_local(day, time(), zone), at_local(day + _DAY, time(), zone)


def _show(value: str, field: Any) -> str:
    if len(value) == 10:
        return date_format(date.fromisoformat(value), "DATE_FORMAT")
    return in_words(datetime.fromisoformat(value))


def in_words(at: datetime) -> str:
    """An instant in the workspace's zone, as conditions mean it; named where the reader's clock shows another time."""
    there, reader = (at.astimezone(zone) for zone in (get_default_timezone(), get_current_timezone()))
    words = date_format(there, "DATETIME_FORMAT")
    return words if there.utcoffset() == reader.utcoffset() else f"{words} ({there.tzinfo})"


def _op(code: str, label: Any, sentence: Any, takes: str, read: Any, span: Callable[[Any, datetime], Span], show: Any) -> Op:
    def sql(field: Any, value: Any, now: datetime) -> Q:
        start, end, closed = span(value, now)
        found = Q()
        if start is not None:
            found &= Q(GreaterThanOrEqual(field.expression, Value(start, DateTimeField())))
        if end is not None:
            found &= Q((LessThanOrEqual if closed else LessThan)(field.expression, Value(end, DateTimeField())))
        return found

    def holds(value: Any, wanted: Any, now: datetime) -> bool:
        at = instant(value)
        if at is None:
            return False
        start, end, closed = span(wanted, now)
        return (start is None or at >= start) and (end is None or at < end or (closed and at == end))

    return Op(code, label, sentence, takes, read, sql, holds, show)


def _after_now(value: Any, now: datetime) -> Span:
    return now + delta(value) + timedelta(microseconds=1), None, False


DATE = [
    _op("before", _("is before"), _("%(field)s is before %(value)s"), "date", moment,
        lambda value, now: (None, _bounds(value)[0], False), _show),
    _op("after", _("is after"), _("%(field)s is after %(value)s"), "date", moment,
        lambda value, now: (_bounds(value)[1], None, False), _show),
    _op("on", _("is on"), _("%(field)s is on %(value)s"), "day", _day,
        lambda value, now: (*_bounds(value), False), _show),
    _op("within_last", _("is in the last"), _("%(field)s is in the last %(value)s"), "duration", duration,
        lambda value, now: (now - delta(value), now, True), show_duration),
    _op("within_next", _("is in the next"), _("%(field)s is in the next %(value)s"), "duration", duration,
        lambda value, now: (now, now + delta(value), True), show_duration),
    _op("older_than", _("is more than … ago"), _("%(field)s is more than %(value)s ago"), "duration", duration,
        lambda value, now: (None, now - delta(value), False), show_duration),
    _op("later_than", _("is more than … from now"), _("%(field)s is more than %(value)s from now"), "duration",
        duration, _after_now, show_duration),
    _op("sooner_than", _("is past, or in the next"), _("%(field)s is past or in the next %(value)s"), "duration",
        duration, lambda value, now: (None, now + delta(value), True), show_duration),
    *set_ops(lambda field, value, now: IsNull(field.expression, False),
             lambda value, wanted, now: instant(value) is not None),
]  # fmt: skip
