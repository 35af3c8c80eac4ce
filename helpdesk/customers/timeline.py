"""The one door for facts: an event and who is owed it, in the caller's transaction."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from helpdesk.customers.models import Event, EventDelivery
from helpdesk.lib.dates import now
from helpdesk.live import bell

EXTERNAL = "*external*"
LOOKED_AT = 5000


class UnknownKind(ValueError):
    """A kind of our own that settings.EVENT_SUBSCRIBERS does not list: a mistake in code, permanent."""


@dataclass
class Fact:
    """An event to be recorded. ``actor`` is a ref such as ``user:5``; times are UTC."""

    kind: str
    customer: int | None = None
    at: datetime | None = None
    actor: str = ""
    payload: dict[str, Any] = field(default_factory=dict)
    source: str = ""
    external_id: str | None = None


def subscribers_of(kind: str, *, external: bool) -> list[str]:
    """Who is owed an event. A kind of ours is refused from outside before it comes here."""
    table = settings.EVENT_SUBSCRIBERS
    if external:
        return table.get(EXTERNAL, [])
    if kind not in table:
        raise UnknownKind(kind)
    return table[kind]


def kinds() -> list[str]:
    """The kinds of events that one may ask for: our own, and those that came from outside among the newest 5,000."""
    newest = Event.objects.exclude(source="").order_by("-received_at").values("pk")[:LOOKED_AT]
    seen = Event.objects.filter(pk__in=newest).values_list("kind", flat=True).distinct()
    return sorted({*seen, *settings.EVENT_SUBSCRIBERS} - {EXTERNAL})


def record(kind: str, *, customer: int | None = None, actor: Any = "", at: datetime | None = None, **payload: Any) -> Event:
    """Record one fact of our own, in the caller's transaction. ``actor`` is a person, a token, a customer or a ref."""
    ref = actor if isinstance(actor, str) else getattr(actor, "ref", "")
    return record_all([Fact(kind, customer, at, ref, payload)])[0]


def record_all(facts: Iterable[Fact]) -> list[Event]:
    """Record many facts in two statements; a (source, external_id) that is known already is left out, quietly.

    Returns the events that are new, in the order given.
    """
    moment = now()
    rows = [
        Event(
            kind=f.kind,
            customer_id=f.customer,
            source=f.source,
            external_id=f.external_id,
            occurred_at=f.at or moment,
            received_at=moment,
            actor=f.actor,
            payload=f.payload,
        )
        for f in facts
    ]
    for row in rows:
        subscribers_of(row.kind, external=row.is_external)  # an unknown kind is refused before anything is written
    if not rows:
        return []
    # Without a savepoint of its own: whatever fails in here is the caller's failure, and each would be two more statements.
    with transaction.atomic(savepoint=False):
        new = _insert_once([row for row in rows if row.external_id is not None])
        new += Event.objects.bulk_create([row for row in rows if row.external_id is None], batch_size=2000)
        deliveries = [
            EventDelivery(event_id=row.pk, subscriber=subscriber, next_at=moment, created_at=moment)
            for row in new
            for subscriber in subscribers_of(row.kind, external=row.is_external)
        ]
        EventDelivery.objects.bulk_create(deliveries, batch_size=2000)
        if deliveries:
            bell.ring("helpdesk.customers.tasks.dispatch")
    return [row for row in rows if row.pk]


INSERT_ONCE = """
    INSERT INTO customers_event (kind, customer_id, source, external_id, occurred_at, received_at, actor, payload)
    SELECT * FROM unnest(%s::text[], %s::bigint[], %s::text[], %s::text[], %s::timestamptz[], %s::timestamptz[],
                         %s::text[], %s::jsonb[])
    ON CONFLICT (source, external_id) WHERE external_id IS NOT NULL DO NOTHING
    RETURNING id, source, external_id
"""


def _insert_once(rows: list[Event]) -> list[Event]:
    """Insert rows that carry a foreign id; returns those that were new. The ORM cannot say which of them were."""
    if not rows:
        return []
    columns = zip(
        *(
            (r.kind, r.customer_id, r.source, r.external_id, r.occurred_at, r.received_at, r.actor, json.dumps(r.payload))
            for r in rows
        ),
        strict=True,
    )
    with connection.cursor() as cursor:
        cursor.execute(INSERT_ONCE, [list(column) for column in columns])
        ids = {(source, external_id): pk for pk, source, external_id in cursor.fetchall()}
    new = []
    for row in rows:
        if pk := ids.pop((row.source, row.external_id), None):
            row.pk = pk
            new.append(row)
    return new
