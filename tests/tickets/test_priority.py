"""Priority by reckoning: two reasons raise what nobody prioritised, and the ticket says which; nobody's word is gone against."""

from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from helpdesk.accounts.models import ApiToken
from helpdesk.customers.models import Company, Customer, Event
from helpdesk.knowledge.models import Topic
from helpdesk.lib import dates
from helpdesk.lib.dates import now
from tickets import intake
from tickets.clocks import run_due
from tickets.models import Policy, Priority, Rule, RuleKind, Ticket
from tickets.priority import RANK, Facts, is_high, on_events, reckon
from tickets.rules.keeping import Wording, save, switch

FAR = 10_000  # minutes: nothing is promised
EVERY = [
    Facts(valued, contacts, minutes, incident)
    for valued, contacts, minutes, incident in product(
        ("", "customer"), (1, 2, 3, 4, 5), (None, 0, 1, 60, 61), (None, (1, "Cards fail"))
    )
]


def test_more_reasons_never_make_it_lower() -> None:
    """Any facts, with any others beside them: all pairs of what makes a difference."""
    told = {facts: RANK[reckon(facts)[0]] for facts in EVERY}
    for one, two in product(EVERY, EVERY):
        minutes = min(FAR if each.minutes is None else each.minutes for each in (one, two))
        both = Facts(
            one.valued or two.valued,
            max(one.contacts, two.contacts),
            None if minutes == FAR else minutes,
            one.incident or two.incident,
        )
        assert told[both] >= max(told[one], told[two], RANK["normal"]), (one, two)


def test_what_the_reasons_amount_to() -> None:
    assert reckon(Facts(incident=(1, "Cards fail")))[0] == "normal"
    assert reckon(Facts("company", incident=(1, "Cards fail")))[0] == "high"
    assert reckon(Facts(contacts=9))[0] == reckon(Facts(minutes=0))[0] == reckon(Facts("customer"))[0] == "normal"
    assert reckon(Facts(contacts=3, minutes=40))[0] == reckon(Facts("company", minutes=0))[0] == "high"
    assert reckon(Facts(contacts=3, minutes=61))[0] == reckon(Facts("customer", contacts=2))[0] == "normal"
    assert reckon(Facts("customer", contacts=3, minutes=0))[0] == reckon(Facts(contacts=5, minutes=0))[0] == "urgent"


def test_what_counts_as_high_value(settings: Any) -> None:
    settings.VALUE_FIELD, settings.VALUE_HIGH = "worth", ["10000", "Enterprise"]
    assert [is_high({"worth": value}) for value in (10000, "12000.5", "enterprise", ["x", "Enterprise"])] == [True] * 4
    assert [is_high({"worth": value}) for value in (9999, "small", None, True, [])] == [False] * 5 and not is_high({})
    settings.VALUE_FIELD = ""
    assert not is_high({"": "Enterprise", "worth": 10000})


@pytest.fixture
def parcel(db: None, settings: Any) -> Topic:
    settings.VALUE_FIELD, settings.VALUE_HIGH = "plan", ["pro"]  # as Ben's
    return Topic.objects.create(slug="parcel", name="Parcel")


def wrote(who: Customer, topic: Topic | None, days_ago: float = 0, **more: Any) -> Ticket:
    return intake.open_ticket(
        who, "Where is it", intake.Words("Well?", at=now() - timedelta(days=days_ago)), channel="form", topic=topic, **more
    )


def raised(ticket: Ticket) -> list[Event]:
    return list(Event.objects.filter(kind="ticket.updated", payload__ticket=ticket.pk, actor="machine:priority"))


def test_a_third_contact_of_a_good_customer_is_high_and_says_why(client, browser, ana, ben, support, parcel, drain):
    _token, text = ApiToken.objects.issue("shop", ["tickets:read", "tickets:write"])
    bearer = {"Authorization": f"Bearer {text}"}
    asked = {"requester": {"email": "ben@carter.example"}, "subject": "Parcel", "text": "Where?", "topic": "parcel"}
    with dates.moved(by=timedelta()):
        for _n in range(3):
            answer = client.post("/api/v1/tickets", asked, content_type="application/json", headers=bearer)
            assert answer.status_code == 201, answer.content
            drain()
            dates.advance(timedelta(minutes=1))
    first, second, third = Ticket.objects.order_by("pk")
    assert [first.priority, second.priority, third.priority] == ["normal", "normal", "high"]
    [event] = raised(third)
    assert event.payload["priority_reasons"] == third.priority_reasons == [
        {"code": "contacts", "weight": 1, "contacts": 3}, {"code": "valued", "weight": 1, "of": "customer"}
    ]  # fmt: skip
    assert event.payload["changes"]["priority"] == ["normal", "high"] and third.decided["priority"] == "machine:priority"
    page = browser(ana).get(f"/tickets/{third.number}/").content.decode()
    assert "High because: third contact in 7 days, a customer of high value" in " ".join(page.split())
    assert "(because: third contact in 7 days, a customer of high value)" in page  # where the conversation tells of it
    assert "because:" not in browser(ana).get(f"/tickets/{second.number}/").content.decode()
    browser(ana).post(f"/tickets/{third.number}/change/", {"priority": "low"})
    on_events(list(Event.objects.filter(kind="ticket.opened")))
    third.refresh_from_db()
    assert (third.priority, third.priority_reasons) == ("low", []) and len(raised(third)) == 1


def test_the_same_event_twice_is_one_change(ben, support, parcel, drain):
    third = [wrote(ben, parcel, days) for days in (2, 1, 0)][-1]
    drain()
    on_events(list(Event.objects.filter(kind="ticket.opened")))
    drain()
    assert len(raised(third)) == 1


def test_a_rules_word_stands_before_and_after(ben, mia, support, parcel, drain):
    low = Wording("Calm", {"all": [{"field": "subject", "op": "contains", "value": "Where"}]}, {"priority": "low"})
    switch(save(Rule(kind=RuleKind.CREATE), low, by=mia), True, by=mia)
    third = [wrote(ben, parcel, days) for days in (2, 1, 0)][-1]
    drain()
    third.refresh_from_db()
    assert (third.priority, third.priority_reasons, third.decided["priority"][:5]) == ("low", [], "rule:")
    on_events(list(Event.objects.filter(kind="ticket.opened")))
    third.refresh_from_db()
    assert third.priority == "low"


def test_who_opened_it_with_a_priority_is_heard_and_nothing_is_lowered(ben, ana, support, parcel, drain):
    wrote(ben, parcel, 2), wrote(ben, parcel, 1)
    theirs = wrote(ben, parcel, 0.1, priority=Priority.LOW)
    ours = wrote(ben, None)
    drain()
    assert {theirs.priority, Ticket.objects.get(pk=theirs.pk).priority} == {"low"}
    Ticket.objects.filter(pk=ours.pk).update(priority="urgent", decided={"priority": "machine:priority"})
    ours.refresh_from_db()
    ours.file_under(parcel, by=ana)
    drain()
    assert Ticket.objects.get(pk=ours.pk).priority == "urgent" and not raised(ours)


def test_filed_later_a_promise_and_no_second_time_by_time(ben, ana, support, parcel, drain):
    targets = {"normal": {"hours": "calendar", "first_reply": 240}, "high": {"hours": "calendar", "first_reply": 10}}
    Policy.objects.create(name="All", position=1, targets=targets, warn_minutes=45)
    Customer.objects.filter(pk=ben.pk).update(
        attributes={}, company=Company.objects.create(name="Carter", attributes={"plan": "Pro"})
    )
    with dates.moved(by=timedelta()):
        ticket = wrote(ben, None)
        drain()
        dates.advance(timedelta(minutes=200))
        run_due()
        drain()
        ticket.refresh_from_db()
        assert ticket.priority == "high"
        assert [(each["code"], each.get("minutes"), each.get("of")) for each in ticket.priority_reasons] == [
            ("soon", 40, None), ("valued", None, "company")
        ]  # fmt: skip
        for days in (4, 3, 2, 1):
            wrote(ben, parcel, days)
        run_due()
        drain()
        ticket.refresh_from_db()
        assert ticket.breached_at and ticket.priority == "high"  # what the higher promise made late raises nothing
        ticket.file_under(parcel, by=ana)
        drain()
        ticket.refresh_from_db()
        assert ticket.priority == "urgent" and len(raised(ticket)) == 2
        assert [(each["code"], each["weight"], each.get("minutes")) for each in ticket.priority_reasons] == [
            ("contacts", 2, None), ("soon", 1, 40), ("valued", 1, None)
        ]  # fmt: skip


def test_what_only_the_higher_promise_made_late_is_no_reason(ben, ana, support, parcel, drain):
    targets = {"normal": {"hours": "calendar", "first_reply": 600}, "high": {"hours": "calendar", "first_reply": 10}}
    Policy.objects.create(name="All", position=1, targets=targets)
    with dates.moved(by=timedelta()):
        wrote(ben, parcel, 2), wrote(ben, parcel, 1)
        ticket = wrote(ben, None)
        drain()
        dates.advance(timedelta(minutes=60))
        ticket.file_under(parcel, by=ana)
        drain()
        ticket.refresh_from_db()
        assert ticket.breached_at and Event.objects.filter(kind="ticket.breached", payload__ticket=ticket.pk).exists()
        assert ticket.priority == "high" and [each["code"] for each in ticket.priority_reasons] == ["contacts", "valued"]


def test_what_was_imported_and_what_waits_on_them_is_left_alone(ben, ana, support, parcel, drain):
    with intake.imported():
        old = [wrote(ben, parcel, days) for days in (3, 2, 1)][-1]
    pending = wrote(ben, parcel)
    pending.set_status("pending", by=ana)
    drain()
    assert {Ticket.objects.get(pk=each.pk).priority for each in (old, pending)} == {"normal"}


def test_a_batch_costs_what_one_costs(ben, cleo, support, parcel):
    def cost() -> int:
        with CaptureQueriesContext(connection) as asked:
            on_events(list(Event.objects.filter(kind="ticket.opened")))
        return len(asked)

    wrote(cleo, parcel)
    one = cost()
    for _n in range(8):
        wrote(cleo, parcel)
    assert cost() == one == 4  # its events, the tickets, their clocks, what is broken
