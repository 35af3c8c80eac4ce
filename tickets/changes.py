"""Several properties of a ticket at once, each by its own verb: what the page and the API both call."""

from collections.abc import Callable, Mapping
from typing import Any

from django.db import transaction
from django.utils.dateparse import parse_datetime

from helpdesk.customers.models import Event
from tickets import hands, spam, triage
from tickets.models import OURS, Status, Ticket


def set_status(ticket: Ticket, status: str, *, by: Any) -> bool:
    """Any status a person may choose. What was spam has the one it had, if the other only says that it is work."""
    if status == Status.SPAM:
        return spam.mark(ticket, by=by)
    if ticket.status == Status.SPAM and spam.clear(ticket, by=by) and status in OURS:
        return True
    return ticket.set_status(status, by=by)


VERBS: dict[str, Callable[..., bool]] = {
    "assignee": Ticket.assign,
    "team": Ticket.move_to,
    "topic": triage.file_under,
    "priority": Ticket.prioritise,
    "language": Ticket.speak,
    "tags": Ticket.tag,
    "attributes": Ticket.describe,
    "status": set_status,
}


@transaction.atomic
def change(ticket: Ticket, wanted: Mapping[str, Any], *, by: Any) -> list[str]:
    """Set these properties, the status last; returns those that were not so already. Raises TicketClosed.

    A team that hands out its tickets gives them to its own people: what moves there without a word about its assignee leaves
    one who is none of them.
    """
    with ticket.one_change():
        changed = [name for name, verb in VERBS.items() if name in wanted and verb(ticket, wanted[name], by=by)]
        if "team" in changed and "assignee" not in wanted and hands.has_stranger(ticket):
            ticket.assign(None, by=by)
    return changed


@transaction.atomic
def unsolve(ticket: Ticket, *, by: Any) -> bool:
    """Solved by a slip: it has the status it had, and they have waited all along. False when it is not solved any more."""
    ticket.lock()
    facts = Event.objects.filter(customer=ticket.requester_id, kind="ticket.solved", payload__ticket=ticket.pk)
    slip = facts.order_by("-occurred_at", "-id").first()
    if slip is None:
        return False
    since = parse_datetime(slip.payload.get("waiting_since") or "")
    if not ticket.reopen(by=by, status=slip.payload["was"], since=since):
        return False
    ticket.status_changes.filter(at__gte=slip.occurred_at, cause="ticket.solved").delete()  # its clocks never stopped
    return True
