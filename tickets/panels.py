"""What the pages of a customer and of a topic show of their tickets (settings.PANELS, TOPIC_PANELS)."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db.models import Count, Q

from helpdesk.accounts.models import Reach
from helpdesk.customers.models import Customer
from helpdesk.lib.dates import now
from tickets.access import StaffRequest, tickets_for
from tickets.models import Status, Ticket
from tickets.repeats import OTHERS, WITHIN, beside, is_repeated

PERIOD = timedelta(days=30)
LEAST = 20  # tickets, below which a share says nothing


@dataclass(frozen=True)
class Share:
    """A part of ``n`` tickets."""

    part: int
    n: int

    @property
    def percent(self) -> int | None:
        """In whole numbers, half up; None where there is too little to say."""
        return (200 * self.part + self.n) // (2 * self.n) if self.n >= LEAST else None


def customer_tickets(customer: Customer, request: StaffRequest) -> dict[str, Any] | None:
    """Their newest tickets that this reader may see; on a ticket's own page, the others."""
    here = getattr(request, "ticket", None)
    if isinstance(here, Ticket):
        near = beside(request, here)
        return {"template": "tickets/_panel.html", "tickets": near.others, "more": near.more, "others": True}
    found = list(tickets_for(request.user).filter(requester=customer).order_by("-opened_at", "-id")[: OTHERS + 1])
    return {"template": "tickets/_panel.html", "tickets": found[:OTHERS], "more": len(found) > OTHERS, "others": False}


def topic_numbers(topics: set[int], request: StaffRequest) -> dict[str, Any]:
    """What was opened about these topics, how much of it was escalated, and after how much the customer wrote again.

    Whether somebody writes again is known once seven days have passed: that share is of the thirty days before those. One
    query, of the tickets that this reader may see.
    """
    at = now()
    newest, closed = Q(opened_at__gte=at - PERIOD), Q(opened_at__lt=at - WITHIN)
    rows = tickets_for(request.user).exclude(status=Status.SPAM).filter(topic__in=topics)
    found = rows.filter(opened_at__gte=at - WITHIN - PERIOD, opened_at__lte=at).aggregate(
        opened=Count("pk", filter=newest),
        escalated=Count("pk", filter=newest & Q(escalated_at__isnull=False)),
        closed=Count("pk", filter=closed),
        repeated=Count("pk", filter=closed & Q(is_repeated())),
    )
    return {
        "template": "tickets/_topic_numbers.html",
        "opened": found["opened"],
        "repeated": Share(found["repeated"], found["closed"]),
        "escalated": Share(found["escalated"], found["opened"]),
        "least": LEAST,
        "partly": request.user.reach != Reach.ALL,
    }
