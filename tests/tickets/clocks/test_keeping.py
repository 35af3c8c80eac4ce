"""Clocks on tickets, through the doors people use: intake, replies, changes, the tick; told at their minute, once."""

from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from django.test import Client

from helpdesk.accounts.models import Calendar, Team, User
from helpdesk.customers.models import Customer, Event
from helpdesk.lib import dates
from helpdesk.mail.models import Mailbox
from tests.tickets.clocks.days import MINUTE, at, heard, opened, replied, targets
from tickets import clocks, closing, replies
from tickets.changes import change, unsolve
from tickets.clocks import recounts
from tickets.models import Clock, Policy, Recount, StatusChange, Ticket

pytestmark = pytest.mark.django_db


def counted(*tickets: Ticket, when: datetime) -> dict[str, Clock]:
    """The subscriber's work; the clocks of the last one by kind."""
    with dates.moved(to=when):
        clocks.recompute([ticket.pk for ticket in tickets])
    tickets[-1].refresh_from_db()
    return {clock.kind: clock for clock in tickets[-1].clocks.all()}


def told(kind: str) -> list[dict[str, Any]]:
    rows = Event.objects.filter(kind=kind).order_by("pk")
    return [{**{k: row.payload[k] for k in ("clock", "due", "seconds")}, "at": row.occurred_at} for row in rows]


def test_intake_starts_the_clocks_itself(policy: Policy, support: Mailbox, ben: Customer):
    ticket = opened(ben, at("09:00"))
    first, resolution = ticket.clocks.order_by("kind")
    assert (first.kind, first.due_at, first.warn_at) == ("first_reply", at("10:00"), at("09:45"))
    assert (resolution.kind, resolution.due_at) == ("resolution", at("17:00"))
    assert ticket.due_at == first.due_at and first.policy == policy
    with dates.moved(to=at("09:30")):
        assert first.state == "running"


def test_without_a_policy_there_is_no_clock_and_nothing_is_due(office: Calendar, support: Mailbox, ben: Customer):
    ticket = opened(ben, at("09:00"))
    assert not Clock.objects.exists() and ticket.due_at is None


def test_the_first_policy_that_matches_counts_and_the_priority_has_its_own_row(
    policy: Policy, support: Mailbox, ben: Customer, ana: User
):
    urgent = {"field": "priority", "op": "is", "value": "urgent"}
    quick = targets(first_reply=10, hours="calendar")
    Policy.objects.create(name="Urgent", position=0, targets=quick, conditions=urgent, changed_at=at("00:00"))
    Policy.objects.create(name="Never", position=0, targets=targets(first_reply=1), is_on=False)
    unreadable = {"field": "gone", "op": "is", "value": 1}
    Policy.objects.create(name="Unreadable", position=0, targets=targets(first_reply=1), conditions=unreadable)
    ticket = opened(ben, at("09:00"))
    assert ticket.due_at == at("10:00")
    with dates.moved(to=at("09:05")):
        change(ticket, {"priority": "urgent"}, by=ana)
    found = counted(ticket, when=at("09:05"))
    assert found["first_reply"].due_at == at("09:10") and found["first_reply"].policy.name == "Urgent"
    with dates.moved(to=at("09:06")):
        change(ticket, {"priority": "low"}, by=ana)
    assert counted(ticket, when=at("09:06"))["first_reply"].due_at == at("10:00")


def test_the_hours_are_the_policys_else_the_teams_else_the_usual_ones(
    policy: Policy, office: Calendar, support: Mailbox, ben: Customer
):
    late = Calendar.objects.create(name="Late", zone="UTC", week=[[[720, 1200]]] * 5 + [[], []])
    Team.objects.update(calendar=late)
    assert opened(ben, at("09:00")).due_at == at("13:00")
    Policy.objects.update(calendar=office)
    assert opened(ben, at("09:00")).due_at == at("10:00")
    Team.objects.update(calendar=None)
    Policy.objects.update(calendar=None)
    assert opened(ben, at("09:00")).due_at == at("10:00")


def test_a_calendar_without_hours_is_said_and_no_loop(policy: Policy, support: Mailbox, ben: Customer):
    Calendar.objects.update(week=[[]] * 7)
    ticket = opened(ben, at("09:00"))
    assert ticket.due_at is None and {clock.idle for clock in ticket.clocks.all()} == {"hours"}


def test_warning_and_breach_are_told_at_their_minute_once(
    policy: Policy, support: Mailbox, ben: Customer, drain: Callable[[], None]
):
    ticket = opened(ben, at("09:00"))
    for minute in range(0, 75, 5):
        with dates.moved(to=at("09:00") + minute * MINUTE):
            clocks.run_due()
            clocks.run_due()
    assert told("ticket.due_soon") == [
        {"clock": "first_reply", "due": at("10:00").isoformat(), "seconds": 3600, "at": at("09:45")}
    ]
    assert told("ticket.breached") == [
        {"clock": "first_reply", "due": at("10:00").isoformat(), "seconds": 3600, "at": at("10:00")}
    ]
    ticket.refresh_from_db()
    assert ticket.breached_at == at("10:00") and ticket.clocks.get(kind="first_reply").state == "late"
    with dates.moved(to=at("10:20")):
        drain()
    assert len(told("ticket.breached")) == 1


def test_a_reply_in_the_last_second_is_no_breach_even_if_nobody_counted_yet(
    policy: Policy, support: Mailbox, ben: Customer, ana: User
):
    ticket = opened(ben, at("09:00"))
    replied(ticket, ana, at("09:59:59"))
    with dates.moved(to=at("10:01")):
        clocks.run_due()
    assert told("ticket.breached") == [] and ticket.clocks.get(kind="first_reply").state == "met"


def test_a_late_reply_is_a_breach_even_if_the_tick_slept(policy: Policy, support: Mailbox, ben: Customer, ana: User):
    ticket = opened(ben, at("09:00"))
    replied(ticket, ana, at("10:30"))
    found = counted(ticket, when=at("11:00"))
    assert found["first_reply"].state == "missed" and [each["at"] for each in told("ticket.breached")] == [at("10:00")]


def test_a_breach_stays_when_the_policy_changes_or_goes(policy: Policy, support: Mailbox, ben: Customer, ana: User):
    ticket = opened(ben, at("09:00"))
    with dates.moved(to=at("10:01")):
        clocks.run_due()
    Policy.objects.update(targets=targets(first_reply=600))
    first = counted(ticket, when=at("10:02"))["first_reply"]
    assert (first.breached_at, first.due_at, first.target) == (at("10:00"), at("10:00"), 3600)
    Policy.objects.update(is_on=False)
    found = counted(ticket, when=at("10:03"))
    assert set(found) == {"first_reply"} and found["first_reply"].state == "late"
    replied(ticket, ana, at("10:30"))
    found = counted(ticket, when=at("10:30"))
    assert (found["first_reply"].state, found["first_reply"].ended_at) == ("missed", at("10:30"))


def test_what_ended_well_stays_so_when_the_policy_gets_stricter(policy: Policy, support: Mailbox, ben: Customer, ana: User):
    ticket = opened(ben, at("09:00"))
    replied(ticket, ana, at("09:50"))
    counted(ticket, when=at("09:50"))
    Policy.objects.update(targets=targets(first_reply=5))
    with dates.moved(to=at("09:55")):
        change(ticket, {"priority": "urgent"}, by=ana)
    found = counted(ticket, when=at("09:55"))
    assert found["first_reply"].state == "met" and told("ticket.breached") == []


def test_a_new_policy_tells_of_nothing_that_could_not_be_kept(office: Calendar, support: Mailbox, ben: Customer, ana: User):
    overdue, answered = opened(ben, at("09:00")), opened(ben, at("09:00"))
    replied(answered, ana, at("16:00"))
    Policy.objects.create(name="New", position=1, targets=targets(), changed_at=at("09:00", 1))
    found = counted(overdue, when=at("09:00", 1))
    assert found["first_reply"].state == "late" and found["resolution"].state == "late"
    assert "first_reply" not in counted(answered, when=at("09:00", 1))
    assert told("ticket.breached") == []


def test_pending_pauses_the_resolution_and_says_what_is_left(policy: Policy, support: Mailbox, ben: Customer, ana: User):
    ticket = opened(ben, at("09:00"))
    replied(ticket, ana, at("09:30"))
    found = counted(ticket, when=at("09:30"))
    resolution = found["resolution"]
    assert (resolution.state, resolution.idle, resolution.idle_since) == ("paused", "pending", at("09:30"))
    assert resolution.left == 7.5 * 3600 and resolution.due_at is None and ticket.due_at is None
    heard(ticket, at("16:30"))
    found = counted(ticket, when=at("16:30"))
    assert found["resolution"].due_at == at("16:00", 1) and found["next_reply"].due_at == at("10:30", 1)
    assert ticket.due_at == at("10:30", 1)


def test_a_warning_is_not_told_again_after_a_pause_and_is_told_anew_for_a_new_moment(
    policy: Policy, support: Mailbox, ben: Customer, ana: User
):
    Policy.objects.update(targets=targets(first_reply=None, next_reply=None, resolution=60))
    ticket = opened(ben, at("09:00"))
    with dates.moved(to=at("09:50")):
        clocks.run_due()
        change(ticket, {"status": "pending"}, by=ana)
    counted(ticket, when=at("09:50"))
    with dates.moved(to=at("12:00")):
        change(ticket, {"status": "open"}, by=ana)
    counted(ticket, when=at("12:00"))
    assert len(told("ticket.due_soon")) == 1
    Policy.objects.update(targets=targets(first_reply=None, next_reply=None, resolution=240))
    counted(ticket, when=at("12:01"))
    with dates.moved(to=at("15:00")):
        clocks.run_due()
    assert [each["at"] for each in told("ticket.due_soon")] == [at("09:45"), at("14:55")]


def test_taking_a_reply_back_gives_the_clocks_back(policy: Policy, support: Mailbox, ben: Customer, ana: User):
    ticket = opened(ben, at("09:00"))
    before = {k: (c.due_at, c.left, c.idle) for k, c in counted(ticket, when=at("09:00")).items()}
    message = replied(ticket, ana, at("09:30"))
    assert counted(ticket, when=at("09:30"))["first_reply"].state == "met"
    with dates.moved(to=at("09:30") + timedelta(seconds=5)):
        assert replies.unsend(message, by=ana)
    found = counted(ticket, when=at("09:31"))
    assert {k: (c.due_at, c.left, c.idle) for k, c in found.items()} == before
    second = heard(ticket, at("09:32"))
    assert second and set(counted(ticket, when=at("09:32"))) == {"first_reply", "resolution"}


def test_solved_by_a_slip_never_stopped(policy: Policy, support: Mailbox, ben: Customer, ana: User):
    ticket = opened(ben, at("09:00"))
    with dates.moved(to=at("09:10")):
        change(ticket, {"status": "solved"}, by=ana)
    assert counted(ticket, when=at("09:10"))["resolution"].state == "met"
    with dates.moved(to=at("09:40")):
        assert unsolve(ticket, by=ana)
    found = counted(ticket, when=at("09:40"))
    assert found["resolution"].due_at == at("17:00") and found["first_reply"].due_at == at("10:00")
    assert "full_resolution" not in found


def test_the_first_resolution_is_over_and_the_full_one_goes_on(policy: Policy, support: Mailbox, ben: Customer, ana: User):
    ticket = opened(ben, at("09:00"))
    replied(ticket, ana, at("09:30"), status="solved")
    counted(ticket, when=at("09:30"))
    heard(ticket, at("10:00", 1))
    found = counted(ticket, when=at("10:00", 1))
    assert found["resolution"].state == "met" and found["resolution"].ended_at == at("09:30")
    assert found["full_resolution"].due_at == at("09:30", 2)  # half an hour is used


def test_a_doubly_missed_resolution_is_told_once(policy: Policy, support: Mailbox, ben: Customer, ana: User):
    ticket = opened(ben, at("09:00"))
    replied(ticket, ana, at("12:00", 1), status="solved")
    counted(ticket, when=at("12:00", 1))
    heard(ticket, at("13:00", 1))
    found = counted(ticket, when=at("13:00", 1))
    assert found["full_resolution"].state == "late"
    assert [each["clock"] for each in told("ticket.breached")] == ["first_reply", "resolution"]


def test_the_order_of_work_does_not_matter(policy: Policy, support: Mailbox, ben: Customer, ana: User):
    """The same day, counted after each change, after some, in any order, or at its end: the same clocks."""

    def live(ticket: Ticket, look: Callable[[int], None]) -> None:
        steps: list[Callable[[], object]] = [
            lambda: replied(ticket, ana, at("09:30")),
            lambda: heard(ticket, at("11:00")),
            lambda: change(ticket, {"priority": "high"}, by=ana),
            lambda: replied(ticket, ana, at("11:30")),
            lambda: heard(ticket, at("14:00")),
        ]
        for place, step in enumerate(steps):
            step()
            look(place)

    wanted = [column for column in (field.name for field in Clock._meta.concrete_fields) if column not in ("id", "ticket")]
    found = []
    for looks in [(), (0, 1, 2, 3, 4), (1, 3), (2,), (0, 4)]:
        ticket = opened(ben, at("09:00"))
        with dates.moved(to=at("09:40")):
            live(ticket, lambda place, looks=looks, ticket=ticket: place in looks and clocks.recompute([ticket.pk]))  # type: ignore[misc]
        counted(ticket, when=at("14:00"))
        found.append(list(ticket.clocks.order_by("started_at", "kind").values(*wanted)))
    assert all(each == found[0] for each in found) and len(found[0]) == 4
    events = list(Event.objects.filter(payload__ticket=Ticket.objects.latest("pk").pk).order_by("pk"))
    with dates.moved(to=at("14:00")):
        for order in list(permutations(events[:4]))[:6]:
            clocks.on_ticket_events(list(order))
    assert list(Ticket.objects.latest("pk").clocks.order_by("started_at", "kind").values(*wanted)) == found[0]


def test_a_batch_costs_the_same_queries_as_one(
    policy: Policy, support: Mailbox, ben: Customer, django_assert_max_num_queries: Any
):
    many = [opened(ben, at("09:00")).pk for _n in range(20)]
    Policy.objects.update(targets=targets(first_reply=30))
    with dates.moved(to=at("09:10")), django_assert_max_num_queries(16):
        clocks.recompute(many)
    assert set(Clock.objects.filter(kind="first_reply").values_list("due_at", flat=True)) == {at("09:30")}


def test_the_tick_reads_what_is_due_and_nothing_else(
    policy: Policy, support: Mailbox, ben: Customer, django_assert_num_queries: Any
):
    for _n in range(5):
        opened(ben, at("09:00"))
    with dates.moved(to=at("09:10")), django_assert_num_queries(1):
        clocks.run_due()


def test_a_recount_goes_on_where_it_stopped_and_begins_anew_for_a_new_reason(
    policy: Policy, support: Mailbox, ben: Customer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(recounts, "BATCH", 2)
    tickets = [opened(ben, at("09:00")) for _n in range(5)]
    Policy.objects.update(targets=targets(first_reply=30))
    with dates.moved(to=at("09:10")):
        recounts.ask("Everybody changed")
        assert recounts.run_once() is True
        progress = recounts.progress()
        assert progress and (progress.done, progress.total, progress.reason) == (2, 5, "Everybody changed")
        assert recounts.run_once() is True
        recounts.ask("the calendar Office changed")
        assert Recount.objects.get().done == 0
        while recounts.run_once():
            pass
    assert recounts.progress() is None and Recount.objects.get().done == 5
    assert {ticket.clocks.get(kind="first_reply").due_at for ticket in tickets} == {at("09:30")}


def test_a_calendar_that_changes_has_open_tickets_counted_anew(
    policy: Policy, office: Calendar, support: Mailbox, ben: Customer, mia: User, browser: Callable[[User], Client]
):
    ticket = opened(ben, at("16:30"))
    assert ticket.clocks.get(kind="first_reply").due_at == at("09:30", 1)
    with dates.moved(to=at("16:40")):
        week = {f"day_{n}": "09:00-20:00" if n < 5 else "" for n in range(7)}
        said = {"name": "Office", "zone": "UTC", "is_default": "on", **week}
        assert browser(mia).post(f"/calendars/{office.pk}/", said).status_code == 302
        assert Recount.objects.get().finished_at is None
        while recounts.run_once():
            pass
        assert ticket.clocks.get(kind="first_reply").due_at == at("17:30")
        Recount.objects.all().delete()
        browser(mia).post(f"/calendars/{office.pk}/day/", {"day": "2026-11-24", "name": "Founders' day"})
        assert Recount.objects.filter(finished_at=None).exists()


def test_closing_by_the_clock_leaves_history_too(policy: Policy, support: Mailbox, ben: Customer, ana: User):
    ticket = opened(ben, at("09:00"))
    replied(ticket, ana, at("09:30"), status="solved")
    with dates.moved(to=at("09:30", 40)):
        assert closing.close_solved() == 1
    assert StatusChange.objects.filter(ticket=ticket).latest("pk").status == "closed"
    assert counted(ticket, when=at("09:30", 40))["resolution"].ended_at == at("09:30")
