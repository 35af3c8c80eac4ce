"""Events from outside, written in a handful of statements however many they are."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction

from helpdesk.customers import identity, timeline
from helpdesk.customers.addresses import canonical
from helpdesk.customers.models import Customer, Event
from helpdesk.lib.dates import now


@dataclass(frozen=True)
class Reported:
    """One event as another system tells it, checked; the customer is named by one of id, external_id and email."""

    kind: str
    source: str
    id: str
    customer: dict[str, Any]
    occurred_at: datetime | None = None
    payload: dict[str, Any] = field(default_factory=dict)


Key = tuple[str, str | None]


@dataclass(frozen=True)
class Outcome:
    """``accepted``, or ``duplicate`` with the event known before; ``created`` where the event made its customer."""

    status: str
    event: int
    customer: int | None
    created: bool = False


@transaction.atomic
def ingest(reports: Sequence[Reported], *, actor: Any = "") -> list[Outcome | None]:
    """Record what is new of these events, in at most fifteen statements; the outcomes are in the order given.

    None stands for an event that names a customer by an id that is not one of ours. A repeat makes no customer.
    """
    before = _known({(report.source, report.id) for report in reports})
    owners = _owners([report for report in reports if (report.source, report.id) not in before], actor)
    ref = actor if isinstance(actor, str) else actor.ref
    facts = [
        timeline.Fact(report.kind, owner.pk, report.occurred_at or now(), ref, report.payload, report.source, report.id)
        for report in reports
        if (owner := owners.get(_name(report)))
        if (report.source, report.id) not in before
    ]
    new: dict[Key, Event] = {(e.source, e.external_id): e for e in timeline.record_all(facts)}
    events = before | new | _known({(fact.source, fact.external_id) for fact in facts} - set(new))
    outcomes: list[Outcome | None] = []
    for report in reports:
        key, owner = (report.source, report.id), owners.get(_name(report))
        if key not in before and owner is None:
            outcomes.append(None)
        elif new.pop(key, None):
            outcomes.append(Outcome("accepted", events[key].pk, events[key].customer_id, bool(owner and owner.just_made)))
        else:  # a second row in one batch is one too
            outcomes.append(Outcome("duplicate", events[key].pk, events[key].customer_id))
    return outcomes


def _name(report: Reported) -> tuple[str, Any]:
    """How it names its customer: by id, external_id or email."""
    [(by, value)] = report.customer.items()
    return by, canonical(value) if by == "email" else value


def _owners(reports: Sequence[Reported], actor: Any) -> dict[tuple[str, Any], Customer]:
    """The customers meant; unknown external ids and addresses become customers, unknown ids of ours do not."""
    names = [_name(report) for report in reports]
    ids = {value for by, value in names if by == "id"}
    known = Customer.objects.in_bulk(ids) if ids else {}
    named = identity.by_external_id((value for by, value in names if by == "external_id"), actor=actor)
    shown = {canonical(r.customer["email"]): r.customer["email"] for r in reports if "email" in r.customer}
    reached = identity.by_address(shown, actor=actor)
    found = {"id": known, "external_id": named, "email": reached}
    return {(by, value): customer for by, customers in found.items() for value, customer in customers.items()}


def _known(keys: set[Key]) -> dict[Key, Event]:
    if not keys:
        return {}
    rows = Event.objects.filter(source__in={source for source, _ in keys}, external_id__in={pk for _, pk in keys})
    return {(row.source, row.external_id): row for row in rows}
