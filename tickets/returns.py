"""What becomes of a ticket when our answer did not arrive."""

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from helpdesk.customers.models import Event
from tickets.models import Ticket
from tickets.replies import KIND

WORDS = {
    "mail.bounced": _("Our answer came back: %s"),
    "mail.failed": _("Our answer was refused: %s"),
    "mail.withheld": _("Our answer was not sent: %s"),
    "mail.unknown": _("Nobody knows whether our answer arrived: %s"),
}


@transaction.atomic
def on_undelivered(events: list[Event]) -> None:
    """A reply that did not arrive is work again, or nobody would find it. Few of a batch are replies."""
    ours = [event for event in events if event.payload.get("kind") == KIND]
    tickets = Ticket.objects.in_bulk([event.payload["ticket"] for event in ours])
    for event in ours:
        if ticket := tickets.get(event.payload["ticket"]):
            ticket.came_back(WORDS[event.kind] % event.payload.get("reason", ""), at=event.occurred_at)
