"""What the customer's page shows of their tickets (settings.PANELS)."""

from typing import Any

from helpdesk.customers.models import Customer
from tickets.access import StaffRequest, tickets_for
from tickets.models import Ticket

FEW = 8


def customer_tickets(customer: Customer, request: StaffRequest) -> dict[str, Any] | None:
    """Their newest tickets that this reader may see; on a ticket's own page, the others."""
    here = getattr(request, "ticket", None)
    rows = tickets_for(request.user).filter(requester=customer).order_by("-opened_at", "-id")
    if isinstance(here, Ticket):
        rows = rows.exclude(pk=here.pk)
    found = list(rows[: FEW + 1])
    return {"template": "tickets/_panel.html", "tickets": found[:FEW], "more": len(found) > FEW, "others": here is not None}
