"""What happened to tickets becomes rows that meet the rules (settings.EVENT_SUBSCRIBERS): one for each change, set by set."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from psycopg2.extras import Json

from helpdesk.customers.models import Event
from helpdesk.lib.dates import now
from helpdesk.lib.rows import array
from helpdesk.live import bell
from tickets.models import Rule, RuleKind
from tickets.rules import timers
from tickets.rules.timers import TASK

OPENED = "ticket.opened"
# What a rule on changes may ask for, in words; every kind here has on_events as its subscriber. What else has it is no change
# that a rule meets, but moves a moment from which the time of one counts.
HAPPENED: dict[str, str | Promise] = {
    "ticket.message_received": _("the customer wrote"),
    "ticket.replied": _("we answered"),
    "ticket.noted": _("a note was kept"),
    "ticket.assigned": _("it was assigned"),
    "ticket.status_changed": _("the status changed"),
    "ticket.solved": _("it was solved"),
    "ticket.reopened": _("it was reopened"),
    "ticket.closed": _("it was closed"),
    "ticket.updated": _("a property changed"),
    "ticket.escalated": _("it was escalated"),
    "ticket.due_soon": _("a deadline is near"),
    "ticket.breached": _("a deadline was missed"),
}
# The events of one change may arrive in several batches: the later ones add what they know, and it meets the rules again,
# each of which fires for it at most once.
MEET = """
    INSERT INTO tickets_rulemeeting
        (ticket_id, key, kind, happened, changes, actor, began, depth, at, state, facts, versions, stopped, attempts)
    SELECT ticket, told.key, told.kind, string_to_array(told.happened, ','), told.changes, told.actor, told.began, told.depth,
           told.at, 'pending', '{}', '{}', '', 0
    FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[], %s::jsonb[], %s::text[], %s::bigint[], %s::smallint[],
                %s::timestamptz[]) AS told(ticket, key, kind, happened, changes, actor, began, depth, at)
    JOIN tickets_ticket ON tickets_ticket.id = ticket
    ORDER BY told.at, ticket
    ON CONFLICT (key) DO UPDATE SET
        happened = ARRAY(SELECT DISTINCT unnest(tickets_rulemeeting.happened || excluded.happened)),
        changes = tickets_rulemeeting.changes || excluded.changes,
        kind = CASE WHEN excluded.kind = 'create' THEN 'create' ELSE tickets_rulemeeting.kind END,
        state = 'pending'
"""


def live_rules(*kinds: str) -> QuerySet[Rule]:
    """The rules that are on, in their order."""
    return Rule.objects.filter(is_enabled=True, removed_at=None, kind__in=kinds or RuleKind.values).order_by("position", "id")


def on_events(events: list[Event]) -> None:
    """Write down each change that there are rules for, and when the time of others comes. What was imported meets none."""
    events = [event for event in events if not event.payload.get("imported")]
    kinds = set(live_rules().values_list("kind", flat=True).distinct().order_by())
    rows = [row for row in _changes(event for event in events if event.kind in (OPENED, *HAPPENED)) if row["kind"] in kinds]
    if rows:
        columns = zip(*(row.values() for row in rows), strict=True)
        with connection.cursor() as cursor:
            cursor.execute(MEET, [array(column) for column in columns])
        bell.ring(TASK)
    if RuleKind.TIME in kinds:
        timers.plan({event.payload["ticket"] for event in events}, live_rules(RuleKind.TIME))


def _changes(events: Iterable[Event]) -> list[dict[str, Any]]:
    """The changes that these events tell of, in the columns of MEET; what says no change is one by itself."""
    found: dict[str, dict[str, Any]] = {}
    for event in events:
        told = event.payload
        key = f"{told['ticket']}:{told['change']}" if told.get("change") else f"event:{event.pk}"
        row = found.setdefault(
            key,
            {
                "ticket": told["ticket"],
                "key": key,
                "kind": RuleKind.UPDATE.value,
                "happened": [],
                "changes": {},
                "actor": event.actor,
                "began": told.get("rule"),
                "depth": told.get("depth", 0),
                "at": event.occurred_at,
            },
        )
        row["kind"] = RuleKind.CREATE.value if event.kind == OPENED else row["kind"]
        row["happened"].append(event.kind)
        row["changes"] |= told.get("changes") or {}
    for row in found.values():
        row["happened"] = ",".join(sorted(set(row["happened"])))
        row["changes"] = Json(row["changes"])
    return list(found.values())


def due_timers(at: datetime | None = None) -> bool:
    """The time of some rules has come: each is a change that meets that one rule. Returns whether there is more to look at."""
    at = at or now()
    return timers.BATCH in (timers.count_again(at), timers.ring_due(at))
