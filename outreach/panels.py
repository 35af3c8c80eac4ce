"""What the customer's page shows of outreach: what was sent and why, what was not and why, what comes next and when."""

from typing import Any

from django.http import HttpRequest

from helpdesk.accounts.access import AGENTS
from helpdesk.customers.models import Customer
from helpdesk.mail.models import WAITING, Outgoing
from outreach.journeys import KIND
from outreach.models import Enrolment

SHOWN = 10


def customer_outreach(customer: Customer, request: HttpRequest) -> dict[str, Any] | None:
    """Three queries; None for who may not see it and where there is nothing."""
    if not request.user.is_authenticated or not request.user.has_role(*AGENTS):
        return None
    rows = Outgoing.objects.filter(customer=customer, kind=KIND)
    coming = list(rows.filter(state__in=WAITING).order_by("due_at", "id")[:SHOWN])
    past = list(rows.exclude(state__in=WAITING).order_by("-due_at", "-id")[:SHOWN])
    under_way = list(Enrolment.objects.active().filter(customer=customer).select_related("campaign").order_by("-id")[:SHOWN])
    if not (coming or past or under_way):
        return None
    return {"template": "outreach/_customer.html", "coming": coming, "past": past, "under_way": under_way,
            "waiting": WAITING}
