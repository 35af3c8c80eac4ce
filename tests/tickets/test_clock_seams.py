"""Where clocks meet what moves them: priorities and holidays that change, imports, a policy that is renamed, absurd calendars."""

from datetime import timedelta

import pytest

from helpdesk.accounts import calendars
from helpdesk.accounts.models import Calendar, Team
from helpdesk.customers.models import Event
from helpdesk.lib import dates
from tickets import clocks, intake
from tickets.clocks import recounts
from tickets.models import Policy

pytestmark = pytest.mark.django_db


def policy(hours="calendar", **targets):
    Calendar.objects.create(name="Always", zone="UTC", week=[[[0, 1440]]] * 7, is_default=True)
    usual = {"hours": hours, "first_reply": 60, "next_reply": 60, "resolution": None}
    targets = dict.fromkeys(("low", "normal", "high", "urgent"), usual) | targets
    return Policy.objects.create(name="P", position=1, targets=targets, changed_at=dates.now() - timedelta(days=365))


def breaches():
    return list(Event.objects.filter(kind="ticket.breached").values_list("occurred_at", flat=True))


def test_what_a_priority_moves_into_the_past_is_told_at_the_minute_it_was_due(ticket, ana):
    """As if the ticket had been as urgent all along: the promise is held to the priority that is in force."""
    policy(urgent={"hours": "calendar", "first_reply": 5, "next_reply": 5, "resolution": None})
    clocks.recompute([ticket.pk])
    with dates.moved(by=timedelta(minutes=30)):
        ticket.prioritise("urgent", by=ana)
        clocks.recompute([ticket.pk])
        clocks.recompute([ticket.pk])
    ticket.refresh_from_db()
    assert breaches() == [ticket.opened_at + timedelta(minutes=5)] == [ticket.breached_at]


def test_what_a_holiday_taken_back_moves_into_the_past_is_late_and_no_breach_and_goes_with_it(ticket, ana):
    """Whoever takes the wrong day out of a calendar leaves no trace; what is due after that is told as ever."""
    policy("business")
    calendar, day = Calendar.objects.get(), ticket.opened_at.date()
    for days in range(2):
        calendars.add_day(calendar, day + timedelta(days=days), "Holiday", by=ana)
    with dates.moved(to=ticket.opened_at):
        clocks.recompute([ticket.pk])
    waits = ticket.clocks.get().due_at
    with dates.moved(by=timedelta(minutes=100)):
        for each in list(calendar.holidays.all()):
            calendars.work_on(each, by=ana)
        clocks.recompute([ticket.pk])  # something happens on it before the recount has come to it
        while recounts.run_once():
            continue
        clocks.recompute([ticket.pk])
        clock = ticket.clocks.get()
        assert clock.due_at < dates.now() and (clock.state, clock.breached_at) == ("late", None)
        for days in range(2):
            calendars.add_day(calendar, day + timedelta(days=days), "Holiday", by=ana)
        while recounts.run_once():
            continue
        assert (ticket.clocks.get().due_at, ticket.clocks.get().state) == (waits, "running") and breaches() == []
    with dates.moved(to=waits):
        clocks.run_due()
    assert breaches() == [waits]


def test_a_late_tick_tells_the_minute_also_after_the_policy_was_renamed(ticket, mia, browser):
    known = policy()
    clocks.recompute([ticket.pk])
    ticket.refresh_from_db()
    with dates.moved(by=timedelta(minutes=61)):
        page = browser(mia)
        form = page.get(f"/policies/{known.pk}/").context["form"]
        said = {bound.html_name: bound.value() for bound in form if bound.value() not in (None, False)}
        answer = page.post(f"/policies/{known.pk}/", said | {"name": "Renamed", "action": "save", "c-join": "all"})
        assert answer.status_code == 302, answer.content.decode()[:3000]
        renamed = Policy.objects.get()
        assert (renamed.name, renamed.version, renamed.changed_at) == ("Renamed", known.version, known.changed_at)
        clocks.run_due()
    assert breaches() == [ticket.due_at]


def test_what_was_missed_elsewhere_is_told_to_nobody_here(ben, support):
    policy()
    with intake.imported():
        words = intake.Words("Please.", at=dates.now() - timedelta(days=3))
        ticket = intake.open_ticket(ben, "x", words, channel="form")
    assert ticket.breached_at is None and ticket.due_at < dates.now() and breaches() == []


def test_more_working_time_than_ten_years_hold_is_no_promise(ben, support, browser, mia):
    Calendar.objects.create(name="One minute", zone="UTC", week=[[[0, 1]], *[[]] * 6], is_default=True)
    targets = {"normal": {"hours": "business", "first_reply": 525_600, "next_reply": None, "resolution": None}}
    known = Policy.objects.create(name="P", position=1, targets=targets, changed_at=dates.now() - timedelta(days=365))
    ticket = intake.open_ticket(ben, "x", intake.Words("Please."), channel="form")
    assert ticket.due_at is None
    said = {"name": "P", "normal_hours": "business", "normal_first_reply": "8760h", "action": "save", "c-join": "all"}
    answer = browser(mia).post(f"/policies/{known.pk}/", said | {"warn_minutes": "15"})
    assert answer.status_code == 422 and "In “One minute” that takes more than ten years." in answer.content.decode()


def test_what_falls_due_goes_by_the_calendars_of_the_teams(browser, mia, ticket, support):
    policy()
    never = Calendar.objects.create(name="Sundays", zone="UTC", week=[*[[]] * 6, [[0, 1]]])
    Calendar.objects.exclude(pk=never.pk).update(is_default=False)
    Calendar.objects.filter(pk=never.pk).update(is_default=True)
    clocks.recompute([ticket.pk])
    assert "1 of them while nobody works" in browser(mia).get("/clocks/").content.decode()
    Team.objects.update(calendar=Calendar.objects.get(name="Always"))
    assert "0 of them while nobody works" in browser(mia).get("/clocks/").content.decode()
