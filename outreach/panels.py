"""What the customer's page shows of outreach beside the ledger: which campaigns they are or were in, and how it ended."""

from typing import Any

from django.http import HttpRequest

from helpdesk.accounts.access import AGENTS
from helpdesk.customers.models import Customer
from outreach.models import Enrolment

SHOWN = 6


def customer_outreach(customer: Customer, request: HttpRequest) -> dict[str, Any] | None:
    """Their newest ways through campaigns, in one query; None for who may not see it and where there is nothing."""
    if not request.user.is_authenticated or not request.user.has_role(*AGENTS):
        return None
    ways = list(Enrolment.objects.filter(customer=customer).select_related("campaign").order_by("-id")[:SHOWN])
    return {"template": "outreach/_customer.html", "ways": ways} if ways else None
