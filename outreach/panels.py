"""What the customer's page shows of outreach beside the ledger: which campaigns they are or were in, and how it ended."""

from typing import Any

from django.db.models import OuterRef, Subquery
from django.http import HttpRequest

from helpdesk.accounts.access import AGENTS
from helpdesk.customers.models import Customer
from helpdesk.mail.models import WAITING, Outgoing
from outreach.models import Enrolment

SHOWN = 6


def customer_outreach(customer: Customer, request: HttpRequest) -> dict[str, Any] | None:
    """Their newest ways through campaigns, each with the state of the message that waits; one query.

    None for who may not see it and where there is nothing.
    """
    if not request.user.is_authenticated or not request.user.has_role(*AGENTS):
        return None
    waiting = Outgoing.objects.filter(enrolment_id=OuterRef("pk"), state__in=WAITING).order_by("-id")
    facts = {f"message_{name}": Subquery(waiting.values(name)[:1]) for name in ("state", "reason", "due_at")}
    ways = Enrolment.objects.filter(customer=customer).select_related("campaign", "version").annotate(**facts)
    shown = list(ways.order_by("-id")[:SHOWN])
    return {"template": "outreach/_customer.html", "ways": shown} if shown else None
