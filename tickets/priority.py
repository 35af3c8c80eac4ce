"""Priority by reckoning: what the customer is worth, what is promised, how often they wrote and what is broken for many, with
these as its reasons.

It speaks only where nobody else did (Ticket.decided), and only ever raises. One reason alone raises nothing: the list shows
it anyway. Reasons are kept as data, in the event and on the ticket; templates/tickets/_reasons.html puts them in words.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from math import ceil
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from helpdesk.customers import timeline
from helpdesk.customers.models import Customer, Event
from helpdesk.incidents import affected
from helpdesk.incidents.models import Incident
from helpdesk.lib.dates import now
from tickets.models import OURS, Priority, Ticket
from tickets.models.change import Machine
from tickets.models.clocks import Clock
from tickets.repeats import earlier_contacts

SOON = timedelta(minutes=60)
TOPIC = "ticket.updated"  # of these, what files it elsewhere: only then somebody may have written of the same before
HIGH, URGENT = 2, 4  # what the reasons weigh together
BATCH = 200  # tickets that are looked at in one transaction, where an incident may be about many
RANK = {priority: n for n, priority in enumerate(Priority.values)}
TIMES = ("soon", "late")

Reason = dict[str, Any]  # its code, its weight, and the values that its words need


@dataclass(frozen=True)
class Facts:
    """What is known of a ticket, as plain values."""

    valued: str = ""  # "customer" or "company": whose value is high
    contacts: int = 1  # about the same topic in seven days, with this one
    minutes: int | None = None  # until the next promise is due; 0: one was missed
    incident: tuple[int, str] | None = None  # the open one that it is about


def reckon(facts: Facts) -> tuple[str, list[Reason]]:
    """The least that it should be, and why."""
    reasons: list[Reason] = []
    if facts.contacts >= 3:
        reasons.append({"code": "contacts", "weight": 1 if facts.contacts < 5 else 2, "contacts": facts.contacts})
    if facts.minutes is not None and facts.minutes <= 0:
        reasons.append({"code": "late", "weight": 2})
    elif facts.minutes is not None and facts.minutes <= SOON.total_seconds() // 60:
        reasons.append({"code": "soon", "weight": 1, "minutes": facts.minutes})
    if facts.incident:
        pk, title = facts.incident
        reasons.append({"code": "incident", "weight": 1, "incident": pk, "title": title})
    if facts.valued:
        reasons.append({"code": "valued", "weight": 1, "of": facts.valued})
    weight = sum(reason["weight"] for reason in reasons)
    if len(reasons) < 2 or weight < HIGH:
        return Priority.NORMAL, reasons
    return Priority.URGENT if weight >= URGENT else Priority.HIGH, reasons


MACHINE = Machine("machine:priority", _("Priority"))  # raises by what it reckons


def on_events(events: list[Event]) -> None:
    """Something happened that may be a reason."""
    told = [event for event in events if event.kind != TOPIC or "topic" in (event.payload.get("changes") or {})]
    pks = {event.payload["ticket"] for event in told if not event.payload.get("imported")}
    if pks:
        _look(_waiting().filter(pk__in=pks))


def on_incident(events: list[Event]) -> None:
    """What waits already is looked at: of the tickets that an open incident may be about, those that it is about.

    BATCH of them at a time, each in the transaction of an event of its own: none stays locked for the sake of the others.
    """
    after: dict[int, int] = {}
    for event in events:
        if event.payload.get("narrowed", True):  # not if only its words are others
            pk, last = event.payload["incident"], event.payload.get("after", 0)
            after[pk] = min(after.get(pk, last), last)
    for incident in Incident.objects.open().filter(pk__in=after).select_related("topic").order_by("pk"):
        rows = _waiting().filter(pk__gt=after[incident.pk])
        if incident.topic:
            rows = rows.filter(topic__in=incident.topic.with_descendants())
        batch = list(rows.values_list("pk", "requester", "topic")[:BATCH])
        about = affected.touched({(requester, topic) for _pk, requester, topic in batch}, only=incident.pk)
        if pks := [pk for pk, requester, topic in batch if (requester, topic) in about]:
            _look(_waiting().filter(pk__in=pks))
        if len(batch) == BATCH:
            timeline.record("incident.spreads", actor=MACHINE, **incident.told(), after=batch[-1][0])


def _waiting() -> QuerySet[Ticket]:
    """What waits for us, and could be more urgent."""
    return Ticket.objects.filter(status__in=OURS).exclude(priority=Priority.URGENT).order_by("pk")


def _look(rows: QuerySet[Ticket]) -> None:
    """Three queries for all where nothing is broken, and one change for each that is raised."""
    rows = rows.select_related("requester__company").annotate(earlier=earlier_contacts())
    tickets = [ticket for ticket in rows if not ticket.decided_by_others("priority")]
    minutes = _minutes([ticket.pk for ticket in tickets]) if tickets else {}
    incidents = affected.touched([(ticket.requester_id, ticket.topic_id) for ticket in tickets])
    for ticket in tickets:
        contacts = 1 + (getattr(ticket, "earlier", 0) or 0)
        broken = incidents.get((ticket.requester_id, ticket.topic_id))
        about = (broken.pk, broken.title) if broken else None
        facts = Facts(_valued(ticket.requester), contacts, _left(ticket, minutes.get(ticket.pk)), about)
        wanted, reasons = reckon(facts)
        if RANK[wanted] > RANK[ticket.priority]:
            _raise(ticket, wanted, reasons)


@transaction.atomic
def _raise(ticket: Ticket, priority: str, reasons: list[Reason]) -> None:
    """Unless somebody has said anything about it meanwhile, or it is nobody's turn any more."""
    with ticket.one_change():
        ticket.lock()
        if ticket.status in OURS and not ticket.decided_by_others("priority") and RANK[priority] > RANK[ticket.priority]:
            ticket.prioritise(priority, by=MACHINE, reasons=reasons)


def _minutes(pks: Collection[int]) -> dict[int, int]:
    """How long until the next promise of each is due, as long as it runs; 0 where one was missed that is still open."""
    at, found = now(), dict[int, int]()
    clocks = Clock.objects.filter(ticket__in=pks, ended_at=None)
    for pk, due, breached, idle in clocks.values_list("ticket", "due_at", "breached_at", "idle"):
        if breached:
            found[pk] = 0
        elif due and due > at and not idle:  # late without a breach was promised by nobody
            left = ceil((due - at).total_seconds() / 60)
            found[pk] = min(left, found.get(pk, left))
    return found


def _left(ticket: Ticket, minutes: int | None) -> int | None:
    """Time raises once, and first: a higher priority promises more, and what that alone makes late is no reason to go on."""
    kept = next((reason for reason in ticket.priority_reasons if reason["code"] in TIMES), None)
    if kept:
        return int(kept.get("minutes", 0))
    return None if ticket.priority_reasons else minutes


def _valued(customer: Customer) -> str:
    """Whose attribute (settings.VALUE_FIELD) says that they are worth much."""
    if is_high(customer.attributes):
        return "customer"
    return "company" if customer.company and is_high(customer.company.attributes) else ""


def is_high(attributes: dict[str, Any]) -> bool:
    """One of the words of settings.VALUE_HIGH, or at least a number that stands there."""
    value = attributes.get(settings.VALUE_FIELD) if settings.VALUE_FIELD else None
    if isinstance(value, bool) or value is None:
        return False
    numbers = [number for word in settings.VALUE_HIGH if (number := _number(word)) is not None]
    amount = _number(value)
    if amount is not None and numbers:
        return amount >= min(numbers)
    words = {word.strip().casefold() for word in settings.VALUE_HIGH}
    return any(str(each).strip().casefold() in words for each in (value if isinstance(value, list) else [value]))


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None
