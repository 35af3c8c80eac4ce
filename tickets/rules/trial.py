"""A rule tried on the last thousand tickets before it goes live: for which of them it would have fired, and why."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from helpdesk.customers.models import Event
from helpdesk.lib import conditions
from helpdesk.lib.conditions import Asked, Reason
from helpdesk.lib.dates import now
from tickets.fields import RELATED
from tickets.models import RuleKind, Status, Ticket
from tickets.rules.judge import as_of, before
from tickets.rules.keeping import Wording
from tickets.rules.meetings import HAPPENED, OPENED
from tickets.rules.timers import Times

LAST = 1000  # tickets
SHOWN = 20


@dataclass(frozen=True)
class Hit:
    """A ticket for which the rule would have fired."""

    ticket: Ticket
    reason: Reason


@dataclass(frozen=True)
class Trial:
    """What a rule would have done: for how many of the last tickets, and the newest of them."""

    looked_at: int
    fired: int
    hits: list[Hit]


def tried(kind: str, wording: Wording, among: QuerySet[Ticket]) -> Trial:
    """Ask a wording of the last thousand of these tickets, each as it stands today; nothing is done. Raises ConditionError.

    On create, as if each came in now. On update, of the last change of each, by its timeline. After a time, of those whose time
    is over. Three queries at most, and one for each condition about other rows.
    """
    at, asked = now(), Asked(wording.conditions, "ticket")
    found = among.exclude(status=Status.SPAM).select_related(*RELATED).order_by("-pk")
    tickets = list(found[:LAST])
    others = conditions.linked([asked], Ticket.objects.filter(pk__in=[ticket.pk for ticket in tickets]), at)
    last = _last_changes(tickets) if kind == RuleKind.UPDATE else {}
    fired, hits, times = 0, [], Times()
    for ticket in tickets:
        happened, changes = last.get(ticket.pk, (set(), {}))
        if kind == RuleKind.UPDATE and (not happened or (wording.happened and happened.isdisjoint(wording.happened))):
            continue
        if kind == RuleKind.TIME and not _is_over(times.of(wording, ticket), at):
            continue
        facts = conditions.facts([asked], as_of(ticket, changes), at, others)
        if asked.holds(facts, at, before(changes)):
            fired += 1
            if fired <= SHOWN:
                hits.append(Hit(ticket, asked.reason(facts, at, before(changes))))
    return Trial(len(tickets), fired, hits)


def _last_changes(tickets: list[Ticket]) -> dict[int, tuple[set[str], dict[str, Any]]]:
    """Ticket → all that happened to it in its last change, and what that changed. What came with its opening is no change."""
    if not tickets:
        return {}
    theirs = Event.objects.filter(
        customer__in={ticket.requester_id for ticket in tickets},
        kind__in=[OPENED, *HAPPENED],
        occurred_at__gte=min(ticket.opened_at for ticket in tickets),
    )
    newest = theirs.order_by("payload__ticket", "-occurred_at", "-id").distinct("payload__ticket").values_list("kind", "payload")
    last = {(payload["ticket"], payload.get("change")): ({kind}, payload) for kind, payload in newest}
    same = theirs.filter(payload__change__in=[change for _pk, change in last if change])
    for pk, change, kind in same.values_list("payload__ticket", "payload__change", "kind"):
        if (pk, change) in last:
            last[pk, change][0].add(kind)
    return {pk: (kinds, told.get("changes") or {}) for (pk, _change), (kinds, told) in last.items() if OPENED not in kinds}


def _is_over(due: datetime | None, at: datetime) -> bool:
    return due is not None and due <= at
