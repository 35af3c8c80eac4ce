"""What the customer's page shows of outreach beside the ledger: which campaigns they are or were in, and how it ended."""

from typing import Any

from django.http import HttpRequest

from helpdesk.accounts.access import AGENTS
from helpdesk.customers.models import Customer
from helpdesk.mail.models import WAITING, Outgoing
from outreach.models import Enrolment

SHOWN = 6


def customer_outreach(customer: Customer, request: HttpRequest) -> dict[str, Any] | None:
    """Their newest ways through campaigns, each with the message that waits; two queries.

    None for who may not see it and where there is nothing.
    """
    if not request.user.is_authenticated or not request.user.has_role(*AGENTS):
        return None
    ways = list(Enrolment.objects.filter(customer=customer).select_related("campaign", "version").order_by("-id")[:SHOWN])
    if not ways:
        return None
    waiting = Outgoing.objects.filter(enrolment_id__in=[way.pk for way in ways], state__in=WAITING).order_by("id")
    by_way = {row.enrolment_id: row for row in waiting}
    return {"template": "outreach/_customer.html", "ways": [(way, by_way.get(way.pk)) for way in ways]}
