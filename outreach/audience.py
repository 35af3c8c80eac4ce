"""Who is meant: how many, ten of them, and why somebody is in or not."""

import json
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import OperationalError, connection, transaction
from django.db.models import Q, QuerySet

from helpdesk.customers.models import Customer, Event
from helpdesk.lib import conditions
from helpdesk.lib.dates import now

PATIENCE = 1500  # milliseconds for an exact count; a larger segment is estimated
FACES = 10
LOOKED_AT = 5000  # newest events from outside in which kinds are looked for
SEARCHED = 8


@dataclass(frozen=True)
class Size:
    number: int
    exact: bool


def of(tree: Any) -> QuerySet[Customer]:
    """The customers in a segment. Raises ConditionError."""
    return Customer.objects.filter(conditions.to_q(tree, "customer", now()))


def size(tree: Any) -> Size:
    """How many; the planner's estimate where an exact count takes too long."""
    rows = of(tree)
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", [str(PATIENCE)])
            number = rows.count()
            cursor.execute("SELECT set_config('statement_timeout', '0', true)")
            return Size(number, exact=True)
    except OperationalError:
        plan = rows.order_by().explain(format="json")
        return Size(_planned(plan), exact=False)


def _planned(plan: str) -> int:
    return int(json.loads(plan)[0]["Plan"]["Plan Rows"])


def faces(tree: Any) -> list[Customer]:
    """Ten of them, the newest."""
    return list(of(tree).prefetch_related("addresses").order_by("-id")[:FACES])


def kinds() -> list[str]:
    """What can start a campaign: kinds that came from outside lately, and those of our own that we listen to."""
    newest = Event.objects.exclude(source="").order_by("-received_at").values("pk")[:LOOKED_AT]
    seen = Event.objects.filter(pk__in=newest).values_list("kind", flat=True).distinct()
    return sorted({*seen, *(kind for kind in settings.EVENT_SUBSCRIBERS if "*" not in kind and starts_something(kind))})


def starts_something(kind: str) -> bool:
    """Whether an event of this kind reaches ``triggers.on_events``: all from outside, and some of our own."""
    return "outreach.triggers.on_events" in settings.EVENT_SUBSCRIBERS.get(kind, settings.EVENT_SUBSCRIBERS["*external*"])


def search(words: str) -> list[Customer]:
    """A few customers by name, address or foreign id."""
    words = words.strip()[:100]
    if not words:
        return []
    found = Q(name__icontains=words) | Q(addresses__canonical__icontains=words.lower()) | Q(external_id=words)
    return list(Customer.objects.filter(found).prefetch_related("addresses").distinct().order_by("-id")[:SEARCHED])


@dataclass(frozen=True)
class Reason:
    """One condition and whether it holds for this customer; a group has parts, of which "all" or "any" must hold."""

    words: str
    holds: bool
    join: str
    parts: list["Reason"]


def why(tree: Any, customer: Customer) -> Reason:
    """Each condition of a segment, answered for one customer, the whole one first."""
    at = now()

    def explain(node: Any) -> Reason:
        join = next((word for word in ("all", "any") if isinstance(node, dict) and isinstance(node.get(word), list)), "")
        return Reason(
            conditions.words(node, "customer"),
            conditions.matches(node, "customer", customer, at),
            join,
            [explain(part) for part in node[join]] if join else [],
        )

    return explain(tree)
