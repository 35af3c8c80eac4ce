"""Another plan, another tier: what is promised to a customer, and how urgent they are, is that of today."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from helpdesk.accounts.models import ApiToken
from helpdesk.customers.models import Company, Customer, Event, FieldDefinition
from helpdesk.knowledge.models import Topic
from helpdesk.lib import dates
from tickets import intake, requesters
from tickets.models import Policy, Priority, Ticket


@pytest.fixture(autouse=True)
def promised(db: None, settings: Any) -> None:
    """An hour for whoever pays most, by their own plan or by their company's; nothing for the others."""
    settings.VALUE_FIELD, settings.VALUE_HIGH = "plan", ["pro"]
    for subject in ("customer", "company"):
        FieldDefinition.objects.create(subject=subject, key="plan", label="Plan", type="choice", choices=["free", "pro"])
    hour = {"hours": "calendar", "first_reply": 60, "next_reply": None, "resolution": None}
    Policy.objects.create(
        name="Pro",
        position=1,
        targets=dict.fromkeys(Priority.values, hour),
        conditions={"any": [{"field": f"{whose}.plan", "op": "is", "value": "pro"} for whose in ("customer", "company")]},
        changed_at=dates.now() - timedelta(days=365),
    )


def wrote(who: Customer, *, hours_ago: float = 0, topic: Topic | None = None) -> Ticket:
    with dates.moved(by=-timedelta(hours=hours_ago)):
        return intake.open_ticket(who, "Where is it", intake.Words("Well?"), channel="form", topic=topic)


def now_known(plan: str) -> None:
    """As the shop's system says it."""
    _token, text = ApiToken.objects.issue("shop", ["customers:write"])
    body = {"external_id": "ben", "attributes": {"plan": plan}}
    answer = Client().put("/api/v1/customers", body, content_type="application/json", headers={"Authorization": f"Bearer {text}"})
    assert answer.status_code == 200, answer.content


def test_a_customer_who_pays_for_more_is_promised_more_from_then_on(ben, support, ana, drain):
    Customer.objects.update(attributes={"plan": "free"})
    old, new, done = wrote(ben, hours_ago=3), wrote(ben), wrote(ben)
    done.solve(by=ana)
    drain()
    assert not Ticket.objects.exclude(due_at=None).exists()
    at = dates.now()
    for plan in ("pro", "free"):
        now_known(plan)
        drain()
        for each in (old, new, done):
            each.refresh_from_db()
        assert new.due_at == (new.opened_at + timedelta(hours=1) if plan == "pro" else None)
        [missed] = Event.objects.filter(kind="ticket.breached")
        assert missed.payload["ticket"] == old.pk and missed.occurred_at == old.breached_at >= at  # nobody had promised it before
        assert done.due_at is None and done.breached_at is None


def test_a_customer_who_pays_for_more_is_more_urgent_and_meets_rules_after_a_time(ben, support, rule, drain):
    Policy.objects.all().delete()
    Customer.objects.update(attributes={"plan": "free"})
    rule("time", {"field": "customer.plan", "op": "is", "value": "pro"}, since="opened", minutes=30, add_tags=["waited"])
    parcel = Topic.objects.create(slug="parcel", name="Parcel")
    with dates.moved(by=timedelta()):
        first, _second, third = (wrote(ben, topic=parcel) for _n in range(3))
        dates.advance(timedelta(minutes=45))
        drain()
        for plan, priority, tags in (("free", "normal", []), ("pro", "high", ["waited"])):
            now_known(plan)
            drain()
            first.refresh_from_db()
            third.refresh_from_db()
            assert (first.priority, first.tags, third.priority) == ("normal", tags, priority)
    assert [reason["code"] for reason in third.priority_reasons] == ["contacts", "valued"]


def test_what_is_known_of_a_company_counts_for_all_its_people_a_few_at_a_time(
    ben, cleo, support, mia, browser, drain, monkeypatch
):
    monkeypatch.setattr(requesters, "BATCH", 3)
    carter = Company.objects.create(name="Carter", attributes={"plan": "free"})
    Customer.objects.update(company=carter, attributes={})
    theirs = [wrote(who) for who in (ben, cleo) * 4]
    drain()
    for _twice in range(2):
        page = browser(mia).post(f"/companies/{carter.pk}/edit/", {"name": "Carter", "zone": "", "attribute_plan": "pro"})
        assert page.status_code == 302, page.content.decode()
        drain()
    assert set(Ticket.objects.values_list("due_at", flat=True)) == {each.opened_at + timedelta(hours=1) for each in theirs}
    [told] = Event.objects.filter(kind="company.updated")
    assert told.payload["changed"] == {"attributes": [{"plan": "free"}, {"plan": "pro"}]} and told.actor == mia.ref
    assert Event.objects.filter(kind="company.spreads").count() == 2
