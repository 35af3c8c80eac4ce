"""When we work: working hours as they hang on the wall, for teams, people and the clocks of service levels."""

from collections.abc import Iterable
from datetime import date

from django.db import models
from django.db.models import Q, Value

from helpdesk.accounts import week
from helpdesk.lib import dates, worktime


def _pairs(day: week.Day) -> worktime.Day:
    return [(begin, end) for begin, end in day]


class CalendarQuerySet(models.QuerySet["Calendar"]):
    def counted(self, pks: Iterable[int]) -> dict[int, worktime.Calendar]:
        """What these count with, in two queries; one in which no time can pass is left out."""
        found = {}
        for calendar in self.filter(pk__in=set(pks)).prefetch_related("holidays"):
            try:
                found[calendar.pk] = calendar.hours()
            except worktime.CalendarError:
                continue
        return found


class Calendar(models.Model):
    """A week of working hours in a time zone; `week` has seven lists (Monday first) of [from, until], minutes after midnight."""

    name = models.CharField(max_length=80, unique=True)
    zone = models.CharField(max_length=64)
    week = models.JSONField()
    is_default = models.BooleanField(default=False)  # the workspace's: for whoever names none

    objects = CalendarQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["is_default"], condition=Q(is_default=True), name="calendar_default")]

    def __str__(self) -> str:
        return self.name

    @property
    def ref(self) -> str:
        return f"calendar:{self.pk}"

    def hours(self) -> worktime.Calendar:
        """What `lib.worktime` counts with. Raises CalendarError when the week is empty or malformed."""
        return worktime.Calendar(dates.zone(self.zone), [_pairs(day) for day in self.week], self.days())

    def days(self) -> dict[date, worktime.Day]:
        """The local dates that have hours of their own, or none."""
        holidays = self.holidays.all() if self.pk else ()
        return {each.day: _pairs(each.hours) for each in holidays if not each.is_worked}


class HolidaySource(models.Model):
    """Where a calendar's holidays come from: a country or a part of it, for some years, or an iCal feed. Read again when due."""

    calendar = models.ForeignKey(Calendar, on_delete=models.CASCADE, related_name="sources")
    country = models.CharField(max_length=2, blank=True)  # ISO 3166-1
    subdivision = models.CharField(max_length=40, blank=True)  # ISO 3166-2 without its country, or a city's name
    first_year = models.IntegerField(null=True)
    last_year = models.IntegerField(null=True)  # null: each year as it comes
    url = models.URLField(max_length=500, blank=True)
    next_at = models.DateTimeField(null=True)
    read_at = models.DateTimeField(null=True)
    fault = models.CharField(max_length=200, blank=True)  # why the last reading brought nothing

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["calendar", "country", "subdivision", "url"], name="holiday_source_once"),
            models.CheckConstraint(condition=Q(country="") ^ Q(url=""), name="holiday_source_is_one"),
        ]
        indexes = [models.Index(fields=["next_at"], name="holiday_source_due", condition=Q(next_at__isnull=False))]


class Holiday(models.Model):
    """A local date on which nobody starts to work, or only in its `hours`, written as a day of a week is.

    `is_worked` takes it out again, also when its source is read anew.
    """

    calendar = models.ForeignKey(Calendar, on_delete=models.CASCADE, related_name="holidays")
    day = models.DateField()
    name = models.CharField(max_length=120)
    source = models.ForeignKey(HolidaySource, null=True, on_delete=models.CASCADE, related_name="holidays")  # null: by hand
    hours = models.JSONField(default=list, db_default=Value([], models.JSONField()))  # of a short day
    is_worked = models.BooleanField(default=False)

    class Meta:
        ordering = ["day"]
        constraints = [models.UniqueConstraint(fields=["calendar", "day"], name="holiday_once")]

    def __str__(self) -> str:
        return f"{self.name}, {self.times}" if self.hours else self.name

    @property
    def times(self) -> str:
        """The hours of a short day, as a day of a week is written."""
        return week.write_day(self.hours)
