"""Solved long enough means closed: whoever writes after that starts a follow-up."""

from datetime import timedelta

from django.conf import settings
from django.db import transaction

from helpdesk.customers.timeline import Fact, record_all
from helpdesk.lib.dates import now
from tickets.models import Status, StatusChange, Ticket
from tickets.models.change import one_change_of

BATCH = 1000


@transaction.atomic
def close_solved() -> int:
    """Close one batch of the tickets that were solved CLOSE_AFTER_DAYS ago; returns how many. A second run finds the rest."""
    at = now()
    due = Ticket.objects.solved().filter(solved_at__lte=at - timedelta(days=settings.CLOSE_AFTER_DAYS))
    tickets = list(due.order_by("solved_at").select_for_update(skip_locked=True)[:BATCH])
    Ticket.objects.filter(pk__in=[ticket.pk for ticket in tickets]).update(status=Status.CLOSED, closed_at=at)
    for ticket in tickets:
        ticket.status = Status.CLOSED
    StatusChange.note(tickets, "ticket.closed", at)
    changes = {"status": [Status.SOLVED.value, Status.CLOSED.value]}
    record_all(Fact("ticket.closed", ticket.requester_id, at, "", ticket.facts() | one_change_of(changes)) for ticket in tickets)
    return len(tickets)
