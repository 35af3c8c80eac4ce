"""The one door for facts: an event and who is owed it, in the caller's transaction."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from helpdesk.customers.models import Event
from helpdesk.lib.dates import now
from helpdesk.lib.rows import array
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


# An event's id is drawn before it is written, so that its deliveries go along in the same statement.
RECORD = """
    WITH told AS MATERIALIZED (
        SELECT nextval((SELECT pg_get_serial_sequence('customers_event', 'id')::regclass)) AS id, fact.*
        FROM unnest(%s::text[], %s::bigint[], %s::text[], %s::text[], %s::timestamptz[], %s::text[], %s::jsonb[])
             WITH ORDINALITY AS fact(kind, customer_id, source, external_id, occurred_at, actor, payload, place)
    ), new AS (
        INSERT INTO customers_event (id, kind, customer_id, source, external_id, occurred_at, received_at, actor, payload)
        SELECT id, kind, customer_id, source, external_id, occurred_at, %s, actor, payload FROM told
        ON CONFLICT (source, external_id) WHERE external_id IS NOT NULL DO NOTHING
        RETURNING id
    ), owed AS (
        INSERT INTO customers_eventdelivery (event_id, subscriber, attempts, next_at, last_error, created_at)
        SELECT id, subscriber, 0, %s, '', %s
        FROM new JOIN told USING (id) JOIN unnest(%s::bigint[], %s::text[]) AS debt(place, subscriber) USING (place)
    )
    SELECT place, id FROM new JOIN told USING (id)
"""
AT_ONCE = 2000


def record_all(facts: Iterable[Fact]) -> list[Event]:
    """Record many facts, one statement for each 2,000; a (source, external_id) known already is left out, quietly.

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
    owed = [subscribers_of(row.kind, external=row.is_external) for row in rows]  # an unknown kind is refused before a write
    # Without a savepoint of its own: whatever fails in here is the caller's failure, and each would be two more statements.
    with transaction.atomic(savepoint=False):
        for start in range(0, len(rows), AT_ONCE):
            _insert(rows[start : start + AT_ONCE], owed[start : start + AT_ONCE], moment)
        if any(who for row, who in zip(rows, owed, strict=True) if row.pk):
            bell.ring("helpdesk.customers.tasks.dispatch")
    return [row for row in rows if row.pk]


def _insert(rows: list[Event], owed: list[list[str]], moment: datetime) -> None:
    """Write the rows and their deliveries; those that were new get their id."""
    columns = zip(
        *((r.kind, r.customer_id, r.source, r.external_id, r.occurred_at, r.actor, json.dumps(r.payload)) for r in rows),
        strict=True,
    )
    debts = [(place, subscriber) for place, who in enumerate(owed, 1) for subscriber in who]
    places, subscribers = array(place for place, _ in debts), array(subscriber for _, subscriber in debts)
    with connection.cursor() as cursor:
        cursor.execute(RECORD, [*(array(column) for column in columns), moment, moment, moment, places, subscribers])
        for place, pk in cursor.fetchall():
            row = rows[place - 1]
            row.pk, row._state.adding = pk, False
