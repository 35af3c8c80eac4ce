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


@dataclass(frozen=True)
class Outcome:
    """``accepted``, or ``duplicate`` with the event known before; None where the customer's id is not one of ours."""

    status: str
    event: int
    customer: int | None


@transaction.atomic
def ingest(reports: Sequence[Reported], *, actor: Any = "") -> list[Outcome | None]:
    """Record what is new of these events, in at most fifteen statements; the outcomes are in the order given."""
    owners = _owners(reports, actor)
    ref = actor if isinstance(actor, str) else actor.ref
    facts = [
        timeline.Fact(report.kind, owner, report.occurred_at or now(), ref, report.payload, report.source, report.id)
        for report, owner in zip(reports, owners, strict=True)
        if owner
    ]
    new = {(e.source, e.external_id): e for e in timeline.record_all(facts)}
    events = _known({(fact.source, fact.external_id) for fact in facts} - set(new)) | new
    outcomes: list[Outcome | None] = []
    for report, owner in zip(reports, owners, strict=True):
        key = (report.source, report.id)
        status = "accepted" if owner and new.pop(key, None) else "duplicate"  # a second row in one batch is a duplicate
        outcomes.append(Outcome(status, events[key].pk, events[key].customer_id) if owner else None)
    return outcomes


def _owners(reports: Sequence[Reported], actor: Any) -> list[int | None]:
    """The customers meant; unknown external ids and addresses become customers, unknown ids of ours do not."""
    ids = {r.customer["id"] for r in reports if "id" in r.customer}
    known = set(Customer.objects.filter(pk__in=ids).values_list("pk", flat=True)) if ids else set()
    named = identity.by_external_id((r.customer["external_id"] for r in reports if "external_id" in r.customer), actor=actor)
    shown = {canonical(r.customer["email"]): r.customer["email"] for r in reports if "email" in r.customer}
    reached = identity.by_address(shown, actor=actor)

    def owner(ref: dict[str, Any]) -> int | None:
        if "external_id" in ref:
            return named[ref["external_id"]].pk
        if "email" in ref:
            return reached[canonical(ref["email"])].pk
        return ref["id"] if ref["id"] in known else None

    return [owner(report.customer) for report in reports]


def _known(keys: set[tuple[str, str | None]]) -> dict[tuple[str, str | None], Event]:
    if not keys:
        return {}
    rows = Event.objects.filter(source__in={source for source, _ in keys}, external_id__in={pk for _, pk in keys})
    return {(row.source, row.external_id): row for row in rows}
