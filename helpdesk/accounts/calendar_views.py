"""Pages of calendars: the week, the holidays, who goes by it."""

from typing import Any

from django.contrib import messages
from django.db import IntegrityError, transaction
from django.db.models import Count
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from helpdesk.accounts import calendars, feeds, removal
from helpdesk.accounts.access import MANAGERS, StaffRequest, staff
from helpdesk.accounts.calendar_forms import CalendarForm, CountryForm, DayForm, FeedForm, day_in_words, hours_in_words, this_year
from helpdesk.accounts.models import Calendar, Holiday, HolidaySource
from helpdesk.accounts.seen import audited, seen, turn
from helpdesk.lib.dates import now

FORM = ["GET", "HEAD", "POST"]
NEXT = 6
MOST = 400  # holidays that the page lists


@require_safe
@staff(*MANAGERS)
def calendar_list(request: StaffRequest) -> HttpResponse:
    rows = Calendar.objects.annotate(used=Count("teams", distinct=True)).prefetch_related("holidays")[:200]
    at = now()
    lines = [
        {
            "calendar": row,
            "hours": hours_in_words(row),
            "standing": calendars.standing(row, at),
            "next": next((h for h in row.holidays.all() if not h.is_worked and h.day >= calendars.today(row)), None),
        }
        for row in rows
    ]
    return render(request, "accounts/calendar_list.html", {"lines": lines})


@require_http_methods(FORM)
@staff(*MANAGERS)
def calendar(request: StaffRequest, pk: int | None = None) -> HttpResponse:
    """The week of a calendar and, once it is there, its holidays. Every button but Save only redraws it."""
    with turn(request, f"calendar:{pk}"):
        found = get_object_or_404(Calendar, pk=pk) if pk else Calendar()
        data = request.POST.copy() if request.method == "POST" else None
        action = data.get("action", "save") if data is not None else ""
        if data is not None and action == "copy":
            for at in range(1, 5):
                data[f"day_{at}"] = data.get("day_0", "")
        form = CalendarForm(data, instance=found)
        wrong = data is not None and not form.is_valid()
        if request.headers.get("HX-Target") == "week-picture":
            return render(request, "accounts/_week.html", {"form": form})
        if action in ("copy", "redraw"):
            form.errors.clear()
            return show(request, found if pk else None, form=form)
        known = seen(request, form, audited(f"calendar:{pk}", "calendar.added", "calendar.changed"))
        if action == "save" and not wrong and not known.newer:
            try:
                with transaction.atomic():
                    form.keep(by=request.user)
            except IntegrityError:
                form.add_error("name", _("There is a calendar of this name already."))
            else:
                messages.success(request, _("Saved"))
                return redirect("calendar", found.pk)
        return show(request, found if pk else None, form=form, seen=known, status=known.status(form.errors))


def show(request: StaffRequest, calendar: Calendar | None, *, status: int = 200, **forms: Any) -> HttpResponse:
    """The page of a calendar, with whatever form is given already."""
    form = forms.get("form") or CalendarForm(instance=calendar or Calendar())
    known = forms.get("seen") or seen(request, form, audited(calendar.ref if calendar else ""))
    context: dict[str, Any] = {"form": form, "seen": known, "calendar": None, "zones": CalendarForm.zones()}
    if calendar:
        kept = Calendar.objects.prefetch_related("holidays__source").get(pk=calendar.pk)
        since = this_year(kept)
        context |= {
            "calendar": kept,
            "standing": calendars.standing(kept, now()),
            "coming": calendars.coming(kept, NEXT),
            "holidays": [holiday for holiday in kept.holidays.all() if holiday.day >= since][:MOST],
            "sources": source_lines(kept),
            "used_by": removal.Uses(kept).holding,
            "day_form": forms.get("day_form") or DayForm(),
            "country_form": forms.get("country_form") or CountryForm(calendar=kept),
            "feed_form": forms.get("feed_form") or FeedForm(),
        }
    return render(request, "accounts/calendar_form.html", context, status=status)


def source_lines(calendar: Calendar) -> list[dict[str, Any]]:
    names = dict(feeds.countries()) if calendar.sources.exclude(country="").exists() else {}
    lines = []
    for source in calendar.sources.annotate(days=Count("holidays")):
        name = source.url
        if source.country:
            part = dict(feeds.subdivisions(source.country)).get(source.subdivision, source.subdivision)
            name = ", ".join(filter(None, [names.get(source.country, source.country), part]))
        lines.append({"source": source, "name": name})
    return lines


@require_safe
@staff(*MANAGERS)
def regions(request: StaffRequest, pk: int) -> HttpResponse:
    """The regions of a chosen country, for a form that is open already."""
    found = get_object_or_404(Calendar, pk=pk)
    form = CountryForm(calendar=found, typed=request.GET)
    return render(request, "accounts/_regions.html", {"country_form": form, "calendar": found})


@require_http_methods(FORM)
@staff(*MANAGERS)
def calendar_remove(request: StaffRequest, pk: int) -> HttpResponse:
    return removal.ask(request, Calendar.objects.all(), pk, home="calendars", page="calendar")


@require_POST
@staff(*MANAGERS)
def holiday_add(request: StaffRequest, pk: int) -> HttpResponse:
    """A single date, by hand."""
    found = get_object_or_404(Calendar, pk=pk)
    form = DayForm(request.POST)
    if not form.is_valid():
        return show(request, found, day_form=form, status=422)
    stood, stands = calendars.add_day(found, **form.cleaned_data, by=request.user)
    if stood:
        said = {"day": date_format(stands.day, "D j M Y"), "was": day_in_words(stood), "now": day_in_words(stands)}
        same = said["was"] == said["now"]
        words = _("%(day)s is here already: %(now)s.") if same else _("%(day)s was here already: %(was)s. Now it is: %(now)s.")
        messages.info(request, words % said)
    return _back(pk)


@require_POST
@staff(*MANAGERS)
def holidays_add(request: StaffRequest, pk: int, kind: str) -> HttpResponse:
    """A whole source: the holidays of a country, or a feed. The button that shows a country's regions only redraws the form."""
    found = get_object_or_404(Calendar, pk=pk)
    if kind == "country" and request.POST.get("action") == "regions":
        return show(request, found, country_form=CountryForm(calendar=found, typed=request.POST))
    form: Any = FeedForm(request.POST) if kind == "feed" else CountryForm(request.POST, calendar=found)
    field = "url" if kind == "feed" else "country"
    if form.is_valid():
        source = form.source(found) if kind == "feed" else form.source()
        try:
            if not calendars.add_source(source, by=request.user):
                messages.info(request, _("This calendar has these holidays already."))
            return _back(pk)
        except feeds.BadFeed as error:
            form.add_error(field, str(error))
        except IntegrityError:  # the second of two clicks
            return _back(pk)
    return show(request, found, status=422, **{f"{kind}_form": form})


@require_POST
@staff(*MANAGERS)
def source_remove(request: StaffRequest, pk: int) -> HttpResponse:
    source = HolidaySource.objects.filter(pk=pk).select_related("calendar").first()
    if source is None:  # pressed twice
        return redirect("calendars")
    if kept := calendars.remove_source(source, by=request.user):
        words = ngettext("One short day stays, by hand.", "%(n)d short days stay, by hand.", kept)
        messages.info(request, words % {"n": kept})
    return _back(source.calendar_id)


@require_POST
@staff(*MANAGERS)
def holiday_turn(request: StaffRequest, pk: int) -> HttpResponse:
    """Work on a holiday all the same, or close on it after all."""
    holiday = Holiday.objects.filter(pk=pk).select_related("calendar").first()
    if holiday is None:  # one by hand that was removed a moment ago
        return redirect("calendars")
    verb = calendars.rest_on if request.POST.get("closed") else calendars.work_on
    verb(holiday, by=request.user)
    return _back(holiday.calendar_id)


def _back(pk: int) -> HttpResponse:
    response = redirect("calendar", pk)
    response["Location"] += "#holidays"
    return response
