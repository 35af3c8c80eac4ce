"""What becomes of a ticket when our answer did not arrive."""

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from helpdesk.customers.models import Event
from tickets.forwards import KIND as FORWARD
from tickets.models import Ticket
from tickets.replies import KIND as REPLY

WORDS = {
    "mail.bounced": _("Our answer came back: %s"),
    "mail.failed": _("Our answer was refused: %s"),
    "mail.withheld": _("Our answer was not sent: %s"),
    "mail.unknown": _("Nobody knows whether our answer arrived: %s"),
}


@transaction.atomic
def on_undelivered(events: list[Event]) -> None:
    """A reply that did not arrive is work again, or nobody would find it; of a forward the list says so. Few are either.

    What was tried again for somebody in Cc alone stands on the message.
    """
    ours = [event for event in events if event.payload.get("kind") in (REPLY, FORWARD) and "copy_of" not in event.payload]
    tickets = Ticket.objects.in_bulk([event.payload["ticket"] for event in ours])
    for event in ours:
        ticket, reason = tickets.get(event.payload["ticket"]), event.payload.get("reason", "")
        if ticket and event.payload["kind"] == REPLY:
            ticket.came_back(WORDS[event.kind] % reason, at=event.occurred_at)
        elif ticket:
            ticket.say(_("What we passed on did not arrive: %s") % reason)
