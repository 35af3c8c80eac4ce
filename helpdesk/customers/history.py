"""A customer's timeline as lines to read: which template tells an event, and who did it by name."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q, QuerySet

from helpdesk.accounts import names
from helpdesk.customers.models import Customer, Event

PAGE = 40
SAID = {"consent.given", "consent.withdrawn", "address.suppressed", "mail.complained"}


@dataclass
class Line:
    """One event: its sentence comes from the first template there is, with ``event`` and ``who`` in the context."""

    event: Event
    who: str
    theirs: bool  # they did it, or another system tells it of them

    @property
    def templates(self) -> list[str]:
        if self.event.is_external:
            return ["timeline/_external.html"]
        noun, _dot, verb = self.event.kind.partition(".")
        return [f"timeline/{noun}/{verb}.html", "timeline/_plain.html"]


def page(events: QuerySet[Event], before: str = "") -> tuple[list[Line], str]:
    """One page of a timeline and the key of the next, or nothing. Three queries, whatever is on it."""
    rows = list(events.filter(_older(before))[: PAGE + 1])
    who = names_of(event.actor for event in rows)
    lines = [Line(event, who.get(event.actor) or event.payload.get("by", ""), _theirs(event)) for event in rows[:PAGE]]
    last = rows[PAGE - 1] if len(rows) > PAGE else None
    return lines, f"{last.occurred_at.isoformat()}~{last.pk}" if last else ""


def _theirs(event: Event) -> bool:
    """What the customer did, or said in their own words; what a person here wrote down is ours."""
    said = event.kind in SAID and not event.actor.startswith("user:")
    return said or event.is_external or event.actor.startswith("customer:")


def _older(key: str) -> Q:
    """What comes after a key of `page`; a key that is none starts at the top."""
    moment, _tilde, number = key.partition("~")
    try:
        at, pk = datetime.fromisoformat(moment), int(number)
    except ValueError:
        return Q()
    if at.tzinfo is None or not 0 <= pk < 2**63:
        return Q()
    return Q(occurred_at__lte=at) & ~Q(occurred_at=at, pk__gte=pk)


def names_of(refs: Iterable[str]) -> dict[str, str]:
    """Names of people, tokens and customers by their refs, in one query a kind (two for customers)."""
    known = set(refs)
    ids = names.ids_of(known).get("customer", set())
    customers = Customer.objects.filter(pk__in=ids).prefetch_related("addresses") if ids else []
    return names.names_of(known) | {customer.ref: str(customer) for customer in customers}
