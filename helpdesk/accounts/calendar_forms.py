"""What a manager fills in about working hours and holidays."""

import zoneinfo
from datetime import date
from typing import Any

from django import forms
from django.utils.dates import WEEKDAYS, WEEKDAYS_ABBR
from django.utils.translation import gettext_lazy as _

from helpdesk.accounts import calendars, feeds, week
from helpdesk.accounts.models import Calendar, Holiday, HolidaySource
from helpdesk.accounts.setup import SetupForm
from helpdesk.lib import dates, worktime
from helpdesk.lib.forms import known_zone

DAYS = [f"day_{at}" for at in range(7)]
FURTHEST = 10  # years from now for which holidays can be chosen


def hours_in_words(calendar: Calendar) -> str:
    return week.write_week(calendar.week or [[]] * 7, [str(WEEKDAYS_ABBR[at]) for at in range(7)])


def day_in_words(holiday: Holiday) -> str:
    if holiday.is_worked:
        return _("%(name)s, worked like any other day") % {"name": holiday.name}
    return str(holiday) if holiday.hours else _("%(name)s, closed all day") % {"name": holiday.name}


class CalendarForm(SetupForm):
    """A week, each day one line; `week` is what could be read of it, for the picture beside."""

    noun = "calendar"
    told = ("name", "zone", "hours", "is_default")

    class Meta:
        model = Calendar
        fields = ["name", "zone", "is_default"]
        labels = {"name": _("Name"), "zone": _("Time zone"), "is_default": _("The workspace's usual calendar")}
        help_texts = {
            "name": _("For example Office Berlin"),
            "zone": _("For example Europe/Berlin. Summer time is taken care of."),
            "is_default": _("For every team and policy that names no other."),
        }
        widgets = {"zone": forms.TextInput(attrs={"list": "zones", "autocomplete": "off"})}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        stored = self.instance.week or ([[]] * 7 if self.instance.pk else [[[540, 1020]]] * 5 + [[], []])
        for at, name in enumerate(DAYS):
            self.fields[name] = forms.CharField(label=WEEKDAYS[at], required=False, max_length=200)
            self.initial[name] = week.write_day(stored[at])
        self.week = stored
        self.first = not Calendar.objects.exists()
        if self.first or self.instance.is_default:  # one calendar is always the usual one; another takes it over by its own tick
            self.fields["is_default"].disabled = True
            self.initial["is_default"] = True

    def _get_validation_exclusions(self) -> set[str]:
        return {*super()._get_validation_exclusions(), "is_default"}  # type: ignore[misc]  # the one before gives it up when this one is written

    def _facts(self) -> dict[str, Any]:
        facts = {name: getattr(self.instance, name) for name in ("name", "zone", "is_default")}
        return facts | {"hours": hours_in_words(self.instance)}

    @property
    def days(self) -> list[forms.BoundField]:
        return [self[name] for name in DAYS]

    @property
    def picture(self) -> dict[str, Any]:
        """The week as its picture draws it: hours across, 0.4 a minute from 56 on; days down, 25 each."""
        rows = [
            {
                "name": WEEKDAYS_ABBR[at],
                "y": 22 + 25 * at,
                "spans": [(56 + begin * 2 // 5, max(1, (end - begin) * 2 // 5)) for begin, end in spans],
            }
            for at, spans in enumerate(week.painted(self.week))
        ]
        return {"rows": rows, "hours": [(56 + hour * 24, hour) for hour in range(0, 25, 3)]}

    def read_week(self) -> None:
        """Read the seven lines; what cannot be read is an error beside its day, and an empty day in the picture."""
        said: list[week.Day] = []
        for name in DAYS:
            try:
                said.append(week.read_day(str(self.data.get(self.add_prefix(name), ""))[:200]))
            except week.NotHours as error:
                said.append([])
                self.add_error(name, str(error))
        for at, until, begin in week.overlaps(said):
            told = {"begin": week.clock(begin), "day": WEEKDAYS[(at - 1) % 7], "until": week.clock(until)}
            self.add_error(DAYS[at], _("It begins at %(begin)s, and %(day)s runs until %(until)s of this day.") % told)
        self.week = said

    def clean_zone(self) -> str:
        return known_zone(self.cleaned_data["zone"])

    def clean(self) -> dict[str, Any]:
        said = super().clean() or self.cleaned_data
        self.read_week()
        if not any(self.errors.get(name) for name in DAYS):
            try:
                worktime.Calendar(dates.zone(said.get("zone")), [[(begin, end) for begin, end in day] for day in self.week])
            except worktime.CalendarError:
                self.add_error(DAYS[0], _("Give at least one day its hours. Without any, no time would ever pass."))
        if self.instance.is_default or self.first:
            said["is_default"] = True
        self.instance.week = self.week
        return said

    def _write(self) -> None:
        if self.instance.is_default:
            Calendar.objects.filter(is_default=True).exclude(pk=self.instance.pk).update(is_default=False)
        self.instance.save()
        calendars.changed([self.instance.pk])

    @staticmethod
    def zones() -> list[str]:
        return sorted(name for name in zoneinfo.available_timezones() if "/" in name and not name.startswith(("Etc/", "posix/")))


class DayForm(forms.Form):
    """A single day: closed, or shorter than its weekday."""

    day = forms.DateField(label=_("Date"), widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"))
    name = forms.CharField(label=_("What is it?"), max_length=120, help_text=_("For example Christmas Eve"))
    hours = forms.CharField(
        label=_("Hours"), required=False, max_length=200, help_text=_("08:00–14:00 is a short day. Empty: closed all day.")
    )

    def clean_hours(self) -> week.Day:
        try:
            return week.read_day(self.cleaned_data["hours"])
        except week.NotHours as error:
            raise forms.ValidationError(str(error)) from error


class CountryForm(forms.Form):
    """A country, a part of it, and for which years. ``typed`` only redraws it, with the regions of its country."""

    country = forms.ChoiceField(label=_("Country"), choices=lambda: [("", _("Choose one")), *feeds.countries()])
    first_year = forms.IntegerField(label=_("From the year"))
    last_year = forms.IntegerField(label=_("To the year"), required=False, help_text=_("Empty: each year as it comes."))

    def __init__(self, data: Any = None, *, calendar: Calendar, typed: Any = None) -> None:
        this = calendars.today(calendar).year
        chosen = (data or typed or {}).get("country", "")
        super().__init__(data, initial={"first_year": this} | (typed.dict() if typed else {}))
        self.calendar, self.this = calendar, this
        parts = feeds.subdivisions(chosen)
        whole = _("The whole country") if parts or not chosen else _("It has none with holidays of its own")
        region = forms.ChoiceField(label=_("State or region"), required=False, choices=[("", whole), *parts])
        self.fields["subdivision"] = region

    def clean(self) -> dict[str, Any]:
        said = super().clean() or self.cleaned_data
        first, last = said.get("first_year"), said.get("last_year")
        for name, year in (("first_year", first), ("last_year", last)):
            if year is not None and not self.this - 5 <= year <= self.this + FURTHEST:
                self.add_error(name, _("Choose a year from %(a)d to %(b)d.") % {"a": self.this - 5, "b": self.this + FURTHEST})
        if first and last and last < first:
            self.add_error("last_year", _("It comes before the first year."))
        return said

    def source(self) -> HolidaySource:
        return HolidaySource(calendar=self.calendar, **self.cleaned_data)


class FeedForm(forms.Form):
    url = forms.CharField(
        label=_("Address of the feed"),
        max_length=500,
        help_text=_("An iCal address (.ics), as calendars offer it under “share”. Its all-day events are closed days."),
        widget=forms.URLInput,
    )

    def clean_url(self) -> str:
        url = str(self.cleaned_data["url"]).strip()
        if not url.lower().startswith(("https://", "http://", "webcal://", "webcals://")) or not url.isprintable():
            raise forms.ValidationError(_("It begins with https:// or webcal://."))
        return url

    def source(self, calendar: Calendar) -> HolidaySource:
        return HolidaySource(calendar=calendar, url=self.cleaned_data["url"])


def this_year(calendar: Calendar) -> date:
    return date(calendars.today(calendar).year, 1, 1)
