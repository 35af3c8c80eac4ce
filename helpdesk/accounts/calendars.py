"""Calendars of working hours and their holidays: what changes them, always with a line in the audit log."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.module_loading import import_string

from helpdesk.accounts import feeds, week
from helpdesk.accounts.models import Calendar, Holiday, HolidaySource, User, audit
from helpdesk.lib import dates, worktime
from helpdesk.lib.dates import now

AHEAD = 2  # years after this one that are filled for a country without a last year
READ_AGAIN = timedelta(days=1)
TRY_AGAIN = timedelta(hours=1)
AT_WORK = timedelta(minutes=10)  # for which a source that is being read is nobody else's


@dataclass(frozen=True)
class Standing:
    """Whether somebody works now, and when that changes next; None where it never does."""

    is_open: bool
    until: datetime | None


def standing(calendar: Calendar, at: datetime) -> Standing | None:
    """How a calendar stands at a moment; None for one without hours."""
    try:
        hours = calendar.hours()
        begin, end = next(hours.spans(at))
    except worktime.CalendarError:
        return None
    if begin > at:
        return Standing(False, begin)
    for following, later in hours.spans(end):
        if following > end:
            return Standing(True, end)
        end = later
        if end - at > timedelta(days=8):  # around the clock
            break
    return Standing(True, None)


def today(calendar: Calendar) -> date:
    return dates.local(now(), dates.zone(calendar.zone)).date()


def default() -> Calendar | None:
    return Calendar.objects.filter(is_default=True).first()


@contextmanager
def changing(calendar: Calendar, action: str, by: User | None, *, before: object = None, **after: Any) -> Iterator[None]:
    """What changes a calendar's hours: in one transaction, with its audit line, and told to settings.CALENDAR_CHANGED."""
    with transaction.atomic():
        yield
        audit(f"calendar.{action}", actor=by.ref if by else "", subject=calendar.ref, before=before, after=after or None)
        changed([calendar.pk])


def changed(pks: list[int]) -> None:
    """The hours of these are others now; in the transaction that makes them so."""
    for name in settings.CALENDAR_CHANGED:
        import_string(name)(pks)


# --- holidays ---------------------------------------------------------------------------------------------------------


@transaction.atomic
def add_day(
    calendar: Calendar, day: date, name: str, *, hours: week.Day | None = None, by: User
) -> tuple[Holiday | None, Holiday]:
    """Close on a date, or work in these hours only. A day of a source keeps its name. Returns what stood there, and what does."""
    stood = calendar.holidays.select_for_update().filter(day=day).first()
    said = {"name": stood.name if stood and stood.source_id else name, "hours": hours or [], "is_worked": False}
    if stood and all(getattr(stood, field) == value for field, value in said.items()):
        return stood, stood
    row = Holiday(calendar=calendar, day=day, **said)
    with changing(calendar, "holiday_added", by, before=_told(stood) if stood else None, **_told(row)):
        kept, _new = calendar.holidays.update_or_create(day=day, defaults=said)
    return stood, kept


def _told(holiday: Holiday) -> dict[str, Any]:
    """A date as the audit log tells it."""
    told = {"day": holiday.day.isoformat(), "name": holiday.name, "hours": holiday.times}
    return told | {"worked": True} if holiday.is_worked else told


def work_on(holiday: Holiday, *, by: User) -> bool:
    """Work on a holiday all the same; one that was added by hand is forgotten, and a source's day there is back.

    False when that is so already.
    """
    rows = Holiday.objects.filter(pk=holiday.pk, is_worked=False)
    if not rows.exists():
        return False
    with changing(holiday.calendar, "holiday_removed", by, day=holiday.day.isoformat(), name=holiday.name):
        if holiday.source_id:
            rows.update(is_worked=True)
        else:
            rows.delete()
            _read_again(holiday.calendar)
    return True


def rest_on(holiday: Holiday, *, by: User) -> bool:
    """Close on it after all."""
    if not Holiday.objects.filter(pk=holiday.pk, is_worked=True).exists():
        return False
    with changing(holiday.calendar, "holiday_put_back", by, day=holiday.day.isoformat(), name=holiday.name):
        Holiday.objects.filter(pk=holiday.pk).update(is_worked=False)
    return True


def add_source(source: HolidaySource, *, by: User) -> bool:
    """Read a new source and close on its days. False when the calendar has it already; raises BadFeed, and keeps nothing then."""
    same = {name: getattr(source, name) for name in ("country", "subdivision", "url")}
    if source.calendar.sources.filter(**same).exists():
        return False
    days = read(source)
    with changing(source.calendar, "holidays_added", by, source=source.url or f"{source.country} {source.subdivision}".strip()):
        source.save()
        _keep(source, days)
    return True


def remove_source(source: HolidaySource, *, by: User) -> int:
    """Forget a source and its days, but for those that another one has as well: a country at once, a feed when it is read.

    Returns how many short days stay, by hand.
    """
    with changing(source.calendar, "holidays_removed", by, source=source.url or f"{source.country} {source.subdivision}".strip()):
        kept = _keep_hours(source.holidays.all())
        source.delete()
        _read_again(source.calendar)  # a day that both had was kept once, as this one's
    return kept


def _keep_hours(days: QuerySet[Holiday]) -> int:
    """Of a source's days that are about to go, those whose hours somebody typed become days by hand; how many."""
    return days.exclude(hours=[]).filter(is_worked=False).update(source=None)


def _read_again(calendar: Calendar) -> None:
    """The days that its sources have and that were somebody else's until now."""
    calendar.sources.update(next_at=now())
    for source in calendar.sources.exclude(country=""):
        with suppress(feeds.BadFeed):  # a place that the package knows no more: its next reading says so
            _keep(source, read(source))


def read(source: HolidaySource) -> feeds.Days:
    """The days a source has now. Raises BadFeed."""
    if source.url:
        return feeds.of_feed(source.url, today(source.calendar))
    this = today(source.calendar).year
    years = range(source.first_year or this, (source.last_year or this + AHEAD) + 1)
    return feeds.of_country(source.country, source.subdivision, years)


def refresh_due() -> bool:
    """Read one source that is due again; whether there may be more. A feed that fails keeps the days it had."""
    source = _claimed()
    if source is None:
        return False
    try:
        days = read(source)
    except feeds.BadFeed as error:
        HolidaySource.objects.filter(pk=source.pk).update(fault=str(error)[:200], next_at=now() + TRY_AGAIN)
        return True
    with transaction.atomic():
        if _keep(source, days):
            audit("calendar.holidays_read", actor="", subject=source.calendar.ref, after={"source": source.url or source.country})
            changed([source.calendar_id])
    return True


@transaction.atomic
def _claimed() -> HolidaySource | None:
    due = HolidaySource.objects.filter(next_at__lte=now()).select_related("calendar").order_by("next_at")
    source = due.select_for_update(skip_locked=True, of=("self",)).first()
    if source:
        HolidaySource.objects.filter(pk=source.pk).update(next_at=now() + AT_WORK)
    return source


def _keep(source: HolidaySource, days: feeds.Days) -> bool:
    """Its days, those that it has no more left out, those of others and those by hand as they are. Whether anything changed."""
    HolidaySource.objects.filter(pk=source.pk).update(read_at=now(), next_at=now() + READ_AGAIN, fault="")
    before = set(_days_of(source.calendar))
    gone = source.holidays.exclude(day__in=days).filter(day__gte=today(source.calendar))  # what is past was a holiday
    _keep_hours(gone)
    gone.delete()
    rows = [Holiday(calendar_id=source.calendar_id, day=day, name=name, source=source) for day, name in days.items()]
    Holiday.objects.bulk_create(rows, ignore_conflicts=True)
    return set(_days_of(source.calendar)) != before


def _days_of(calendar: Calendar) -> QuerySet[Holiday, Any]:
    return Holiday.objects.filter(calendar=calendar).values_list("day", flat=True)


def coming(calendar: Calendar, most: int) -> list[Holiday]:
    """The next holidays and short days."""
    return list(calendar.holidays.filter(Q(day__gte=today(calendar)), is_worked=False)[:most])
