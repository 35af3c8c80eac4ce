"""What was over before anybody promised it is late and no breach, whatever becomes of the ticket afterwards."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest

from helpdesk.accounts import calendars
from helpdesk.accounts.models import Calendar, User
from helpdesk.customers.models import Customer, EventDelivery
from helpdesk.lib import dates
from tests.tickets.clocks.days import at, heard, opened, targets
from tests.tickets.test_clock_seams import breaches
from tickets import clocks, intake, replies
from tickets.clocks import keeping, order, recounts
from tickets.models import Policy, Ticket

pytestmark = pytest.mark.django_db
STRICT = targets(first_reply=None, next_reply=None, resolution=4)


def counted(ticket: Ticket) -> None:
    while recounts.run_once():
        continue
    clocks.recompute([ticket.pk])
    ticket.refresh_from_db()


@contextmanager
def made_late(how: str, policy: Policy, office: Calendar, ben: Customer, mia: User) -> Iterator[Ticket]:
    """A ticket of Monday, on Tuesday at noon: late by a day that was no holiday after all, or by a stricter policy moved up."""
    Policy.objects.filter(pk=policy.pk).update(targets=targets(first_reply=600, next_reply=None, resolution=1200))
    if how == "calendar":
        Policy.objects.filter(pk=policy.pk).update(targets=targets(first_reply=60, next_reply=None, resolution=120))
        for day in range(2):
            calendars.add_day(office, (at("00:00") + timedelta(days=day)).date(), "Closed", by=mia)
    strict = Policy.objects.create(name="Strict", position=2, targets=STRICT, changed_at=policy.changed_at)
    ticket = opened(ben, at("09:00"))
    with dates.moved(to=at("09:10")):
        counted(ticket)
    with dates.moved(to=at("12:00", 1)):
        assert not ticket.clocks.filter(breached_at__isnull=False)
        if how == "calendar":
            for day in office.holidays.all():
                calendars.work_on(day, by=mia)
        else:
            order.move(strict, 1, by=mia)
        counted(ticket)
        assert {clock.state for clock in ticket.clocks.all()} == {"late"} and breaches() == []
        yield ticket
        assert breaches() == [] and not ticket.clocks.filter(breached_at__isnull=False)


@pytest.mark.parametrize("how", ["calendar", "policy"])
def test_no_pause_no_solution_and_no_reply_taken_back_makes_it_one(
    how: str, policy: Policy, office: Calendar, support: Any, ben: Customer, ana: User, mia: User
):
    with made_late(how, policy, office, ben, mia) as ticket:
        message = replies.reply(ticket, "Like this.", by=ana)
        counted(ticket)
        assert replies.unsend(message, by=ana)
        counted(ticket)
        for status in ("pending", "open", "hold", "open"):
            ticket.set_status(status, by=ana)
            counted(ticket)
            ticket.tag([status], by=ana)
            counted(ticket)
        ticket.solve(by=ana)
        counted(ticket)
        ticket.reopen(by=ana)
        counted(ticket)
        assert ticket.clocks.filter(kind="full_resolution").exists()
        ticket.solve(by=ana)
        counted(ticket)
        ticket.close(by=ana)
        counted(ticket)


def test_a_recount_that_waits_does_not_excuse_what_a_person_does_to_a_ticket_it_has_counted(
    policy: Policy, support: Any, ben: Customer, ana: User, mia: User
):
    rows = targets(resolution=None, next_reply=None) | {"urgent": {"hours": "business", "first_reply": 5}}
    Policy.objects.filter(pk=policy.pk).update(targets=rows)
    ticket = opened(ben, at("09:00"))
    with dates.moved(to=at("09:30")):
        recounts.ask("something else")
        recounts.Recount.objects.update(last_id=ticket.pk)
        ticket.prioritise("urgent", by=ana)
        clocks.recompute([ticket.pk])
    assert breaches() == [at("09:05")]


def test_lateness_that_nobody_promised_raises_no_priority(
    policy: Policy, support: Any, ben: Customer, mia: User, drain: Callable[[], None], settings: Any
):
    """A policy mistyped, on for a moment, and off again leaves no trace, also not by the priority of who is valued."""
    settings.VALUE_FIELD, settings.VALUE_HIGH = "plan", ["gold"]
    Customer.objects.filter(pk=ben.pk).update(attributes={"plan": "gold"})
    Policy.objects.filter(pk=policy.pk).update(targets=targets(first_reply=240, next_reply=240))
    ticket = opened(ben, at("09:00"))
    with dates.moved(to=at("09:00")):
        drain()
    with dates.moved(to=at("09:30")):
        gold = Policy.objects.create(name="Gold", position=0, is_on=False, targets=targets(first_reply=4, resolution=None))
        order.switch(gold, True, by=mia)
        counted(ticket)
    heard(ticket, at("09:31"))
    with dates.moved(to=at("09:32")):
        drain()
        order.switch(gold, False, by=mia)
        counted(ticket)
        drain()
    ticket.refresh_from_db()
    assert (ticket.priority, ticket.breached_at) == ("normal", None)


def test_what_waits_for_the_rules_holds_up_no_other_promise(
    policy: Policy, support: Any, ben: Customer, rule: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(keeping, "AT_ONCE", 4)
    Policy.objects.filter(pk=policy.pk).update(targets=targets(first_reply=10, next_reply=None, resolution=None))
    with dates.moved(to=at("10:20")):
        other = intake.open_ticket(ben, "Long here", intake.Words("Please."), channel="form")
    EventDelivery.objects.all().delete()  # it has met them
    rule("create", {"field": "subject", "op": "contains", "value": "sofa"}, add_tags=["vip"])
    with dates.moved(to=at("11:00")):
        for _n in range(6):
            intake.open_ticket(ben, "It broke", intake.Words("Please.", at=at("09:00")), channel="mail")
        assert clocks.run_due() is False and breaches() == [at("10:30")]
        assert other.clocks.get().breached_at == at("10:30")
        assert keeping.health()["oldest_waiting_seconds"] in (None, 0)


@pytest.mark.parametrize("fires", [True, False])
def test_what_the_rules_on_new_tickets_have_not_met_is_told_by_the_policy_it_has_after_them(
    fires: bool, policy: Policy, support: Any, ben: Customer, rule: Callable[..., Any], drain: Callable[[], None]
):
    """A mail was two hours on its way and is of a VIP, who is promised more time: no breach of the other policy is told."""
    Policy.objects.filter(pk=policy.pk).update(targets=targets(first_reply=10, next_reply=None, resolution=None))
    vip = {"field": "tags", "op": "any_of", "value": ["vip"]}
    Policy.objects.create(name="VIP", position=0, conditions=vip, targets=targets(first_reply=480), changed_at=policy.changed_at)
    asks = {"field": "subject", "op": "contains", "value": "broke" if fires else "sofa"}
    rule("create", asks, add_tags=["vip"])
    with dates.moved(to=at("11:00")):
        ticket = intake.open_ticket(ben, "It broke", intake.Words("Please.", at=at("09:00")), channel="mail")
        clocks.run_due()
        clock = ticket.clocks.get()
        assert (breaches(), clock.breached_at, clock.next_at) == ([], None, at("09:10"))
        drain()
        clocks.run_due()
    clock, told = ticket.clocks.get(kind="first_reply"), breaches()
    if fires:
        assert (told, clock.due_at, str(clock.policy)) == ([], at("17:00"), "VIP")
    else:
        assert (told, clock.breached_at, str(clock.policy)) == ([at("09:10")], at("09:10"), "Everybody")
