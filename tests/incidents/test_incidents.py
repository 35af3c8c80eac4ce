"""Incidents: a manager says what is broken, agents read it, and tickets about it have a reason to be more urgent."""

import json
import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from helpdesk.accounts.models import AuditEntry
from helpdesk.customers.models import Customer, Event
from helpdesk.incidents import affected
from helpdesk.incidents.forms import IncidentForm
from helpdesk.incidents.models import Incident
from helpdesk.knowledge.models import Topic
from tickets import intake, priority
from tickets.models import Ticket
from tickets.priority import on_events, on_incident

pytestmark = pytest.mark.django_db
BEN = json.dumps({"field": "name", "op": "is", "value": "Ben Carter"})


@pytest.fixture
def cards(settings) -> Topic:
    """A topic with one below it; Ben's plan is of high value."""
    settings.VALUE_FIELD, settings.VALUE_HIGH = "plan", ["pro"]
    money = Topic.objects.create(slug="money", name="Money")
    return Topic.objects.create(slug="cards", name="Cards", parent=money)


@pytest.fixture
def lead(browser, mia):
    return browser(mia)


def broken(lead, **said):
    page = {"action": "save", "title": "Card payments fail", "words": "The bank looks into it.", "source": "{}"} | said
    return lead.post("/incidents/new/", page)


def wrote(who, topic):
    return intake.open_ticket(who, "It says no", intake.Words("Why?"), channel="form", topic=topic)


def fresh(ticket):
    return Ticket.objects.get(pk=ticket.pk)


def test_a_ticket_about_it_says_so_once_there_is_another_reason(lead, browser, ana, ben, cleo, support, cards, drain):
    assert broken(lead, topic=cards.parent_id).status_code == 302
    bens, cleos, other = wrote(ben, cards), wrote(cleo, cards), wrote(ben, None)
    drain()
    assert fresh(bens).priority == "high"
    assert {reason["code"] for reason in fresh(bens).priority_reasons} == {"incident", "valued"}
    assert fresh(cleos).priority == "normal"  # one reason alone
    assert fresh(other).priority == "normal"  # about something else
    page = browser(ana).get(f"/tickets/{bens.number}/").content.decode()
    incident = Incident.objects.open().get(title="Card payments fail")
    assert f'href="/incidents/#incident-{incident.pk}"' in page
    shown = " ".join(re.sub("<[^>]+>", "", page).split())
    assert "High because: about the incident “Card payments fail”, a customer of high value" in shown
    listed = browser(ana).get("/incidents/").content.decode()
    assert "Card payments fail" in listed and "The bank looks into it." in listed and "Open an incident" not in listed


def test_who_waits_already_is_looked_at_when_it_is_opened_changed_or_not_over(lead, ben, support, cards, drain):
    waits = wrote(ben, cards)
    drain()
    assert fresh(waits).priority == "normal"
    broken(lead, topic=Topic.objects.create(slug="bikes", name="Bikes").pk)
    drain()
    assert fresh(waits).priority == "normal"
    incident = Incident.objects.get()
    for _twice in range(2):
        assert lead.post(f"/incidents/{incident.pk}/resolve/").status_code == 302
    assert lead.post(f"/incidents/{incident.pk}/", {"action": "save", "title": "Cards", "topic": cards.pk, "source": "{}"})
    drain()
    assert fresh(waits).priority == "normal"  # what is over is no reason
    lead.post(f"/incidents/{incident.pk}/reopen/")
    drain()
    assert fresh(waits).priority == "high"
    kinds = ["incident.opened", "incident.resolved", "incident.changed", "incident.reopened"]
    assert list(Event.objects.filter(kind__startswith="incident.").order_by("pk").values_list("kind", flat=True)) == kinds
    told = AuditEntry.objects.filter(subject=incident.ref).order_by("pk").values_list("action", flat=True)
    assert list(told) == ["incident.added", "incident.resolved", "incident.changed", "incident.reopened"]


def test_only_whom_it_affects(lead, ben, cleo, support, cards, drain):
    Customer.objects.filter(pk=cleo.pk).update(attributes={"plan": "pro"})
    assert broken(lead, source=BEN).status_code == 302
    bens, cleos = wrote(ben, None), wrote(cleo, None)
    drain()
    assert (fresh(bens).priority, fresh(cleos).priority) == ("high", "normal")


def test_what_would_mean_every_ticket_is_refused_beside_its_cause(lead, cards):
    page = broken(lead)
    assert page.status_code == 422 and "else every ticket were about it" in page.content.decode()
    assert "Card payments fail" in page.content.decode() and not Incident.objects.exists()  # nothing typed is lost
    assert broken(lead, title="", topic=cards.pk).status_code == 422
    assert broken(lead, source='{"field": "no such"}').status_code == 422
    assert not Incident.objects.exists()


def test_the_same_title_for_something_else_is_another_incident(lead, cards):
    for topic in (cards.pk, cards.pk, cards.parent_id):
        assert broken(lead, topic=topic).status_code == 302
    assert Incident.objects.count() == 2  # a double click is one


def test_saving_what_was_resolved_meanwhile_leaves_it_resolved(lead, mia, cards):
    broken(lead, topic=cards.pk)
    stale = Incident.objects.get()
    form = IncidentForm({"title": stale.title, "topic": cards.pk, "words": "It was the bank."}, instance=stale)
    Incident.objects.get().resolve(by=mia)
    assert form.is_valid()
    form.keep(by=mia)
    assert Incident.objects.get().words == "It was the bank." and not Incident.objects.get().is_open


def test_many_that_wait_are_looked_at_a_few_at_a_time(lead, ben, support, cards, drain, monkeypatch):
    monkeypatch.setattr(priority, "BATCH", 3)
    waiting = [wrote(ben, None) for _n in range(8)]
    drain()
    Ticket.objects.update(topic=cards)
    broken(lead, topic=cards.pk)
    drain()
    assert all("incident" in {reason["code"] for reason in fresh(each).priority_reasons} for each in waiting)
    assert Event.objects.filter(kind="incident.spreads").count() == 2
    pk = Incident.objects.get().pk
    lead.post(f"/incidents/{pk}/", {"action": "save", "title": "Cards fail", "topic": cards.pk, "source": "{}"})
    drain()
    assert Event.objects.filter(kind="incident.spreads").count() == 2  # other words mean no others


def test_two_people_in_one_form(lead, browser, omar, cards):
    broken(lead, topic=cards.pk)
    pk = Incident.objects.get().pk
    seen = lead.get(f"/incidents/{pk}/").content.decode().split('name="seen" value="')[1].split('"')[0]
    page = {"action": "save", "title": "Card payments fail", "topic": cards.pk, "source": "{}"}
    assert browser(omar).post(f"/incidents/{pk}/", page | {"words": "It is the bank."}).status_code == 302
    late = lead.post(f"/incidents/{pk}/", page | {"words": "It is us.", "seen": seen})
    assert late.status_code == 409 and "It is the bank." in late.content.decode() and "It is us." in late.content.decode()


def test_a_condition_that_nobody_can_ask_any_more_hides_no_other(lead, ben, support, cards, drain):
    broken(lead, topic=cards.pk)
    Incident.objects.create(title="Old", topic=cards, conditions={"field": "attribute.gone", "op": "is", "value": "x"})
    ticket = wrote(ben, cards)
    drain()
    assert fresh(ticket).priority == "high"
    assert "attribute.gone" in lead.get("/incidents/").content.decode()


def test_it_costs_one_question_when_nothing_is_broken_and_few_when_it_is(lead, ben, support, cards, drain):
    contacts = [(ben.pk, cards.pk), (ben.pk, None)] * 500
    with CaptureQueriesContext(connection) as asked:
        assert affected.touched(contacts) == {}
    assert len(asked) == 1
    for n in range(3):
        broken(lead, title=f"Cards {n}", topic=cards.pk)
    with CaptureQueriesContext(connection) as asked:
        assert {each.title for each in affected.touched(contacts).values()} == {"Cards 2"}
    assert len(asked) == 3  # the first one has them all


def test_the_same_event_twice_is_one_change(lead, ben, support, cards, drain):
    wrote(ben, cards)
    broken(lead, topic=cards.pk)
    drain()
    on_incident(list(Event.objects.filter(kind="incident.opened")))
    on_events(list(Event.objects.filter(kind="ticket.opened")))
    drain()
    assert Event.objects.filter(kind="ticket.updated", actor="machine:priority").count() == 1
