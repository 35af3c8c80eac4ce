"""What the customer's page shows of mail."""

from typing import Any

from helpdesk.accounts.access import StaffRequest
from helpdesk.customers.models import Customer
from helpdesk.mail.ledger import ledger


def customer_ledger(customer: Customer, request: StaffRequest) -> dict[str, Any]:
    """The one line through time: sent, now, held, coming."""
    return {"template": "customers/_ledger.html", "ledger": ledger(customer.pk, request.user)}
