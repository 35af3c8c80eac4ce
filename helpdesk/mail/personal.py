"""What mail a customer got and sent (settings.PERSONAL_DATA)."""

from collections.abc import Iterable, Iterator
from typing import Any

from django.db.models import Q
from django.db.models.functions import Lower

from helpdesk.customers.models import Address
from helpdesk.lib.rows import plain
from helpdesk.mail.models import Attempt, IncomingMail, Outgoing, State


def data(customer_id: int) -> dict[str, Iterable[dict[str, Any]]]:
    """Every message to them with its hand-overs, and the raw bytes of mail from them that became no ticket.

    A copy for somebody who reads along is none of theirs.

    Who was in Bcc is a secret from the very person who asks; so is what is said about such a recipient. What became a
    ticket is in that ticket's room: only it knows whose words a mail holds.
    """
    ours = Outgoing.objects.filter(customer=customer_id, copy_of=None)
    addresses = Address.objects.filter(customer=customer_id).values("canonical")
    theirs = Q(sender__in=addresses) | Q(outgoing_id__in=ours.filter(bcc__isnull=True).values("pk"))  # else it may report on one
    loose = IncomingMail.objects.annotate(sender=Lower("envelope_from")).filter(theirs, ticket_message_id=None)
    return {
        "outgoing": _without_others(plain(ours, "owner", "lease_until", "bcc", "only", "missed")),
        "attempts": plain(Attempt.objects.filter(outgoing__in=ours), "owner"),
        "incoming": plain(loose, "owner", "lease_until"),
    }


def _without_others(rows: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The reason of a message that left is about somebody beside the customer who did not get it."""
    for row in rows:
        yield row | {"reason": ""} if row["state"] in (State.ACCEPTED, State.DELIVERED) else row
