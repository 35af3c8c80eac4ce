"""Several properties of a ticket at once, each by its own verb: what the page and the API both call."""

from collections.abc import Callable, Mapping
from typing import Any

from django.db import transaction

from tickets.models import Ticket

VERBS: dict[str, Callable[..., bool]] = {
    "assignee": Ticket.assign,
    "team": Ticket.move_to,
    "topic": Ticket.file_under,
    "priority": Ticket.prioritise,
    "tags": Ticket.tag,
    "status": Ticket.set_status,
}


@transaction.atomic
def change(ticket: Ticket, wanted: Mapping[str, Any], *, by: Any) -> list[str]:
    """Set these properties, the status last; returns those that were not so already. Raises TicketClosed."""
    return [name for name, verb in VERBS.items() if name in wanted and verb(ticket, wanted[name], by=by)]
