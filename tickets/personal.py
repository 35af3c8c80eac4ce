"""What a customer said to us and we to them (settings.PERSONAL_DATA)."""

from base64 import b64encode
from collections.abc import Iterable, Iterator
from typing import Any

from django.db.models import Q, QuerySet

from helpdesk.customers.models import Address
from helpdesk.files.models import Attachment
from helpdesk.lib.rows import plain
from helpdesk.mail.models import IncomingMail
from tickets.models import BlockedSender, Draft, Escalation, Message, Participant, RuleMeeting, Ticket


def data(customer_id: int) -> dict[str, Iterable[dict[str, Any]]]:
    """Their tickets with all that was said there, where those went and what rules saw of them; their words on tickets of
    others; the raw mails and files of both.
    """
    tickets = Ticket.objects.filter(requester=customer_id)
    messages = Message.objects.filter(Q(ticket__in=tickets) | Q(customer=customer_id))
    drafts = Draft.objects.filter(ticket__in=tickets)
    addresses = Address.objects.filter(customer=customer_id).values("canonical")
    files = Attachment.objects.filter(
        Q(pk__in=Message.attachments.through.objects.filter(message__in=messages).values("attachment"))
        | Q(pk__in=Draft.attachments.through.objects.filter(draft__in=drafts).values("attachment"))
    )
    return {
        "tickets": plain(tickets),
        "messages": plain(messages, "bcc"),  # hidden from the customer, who is the one that asks
        "drafts": plain(drafts, "bcc"),
        "participants": plain(Participant.objects.filter(Q(ticket__in=tickets) | Q(canonical__in=addresses))),
        "blocked": plain(BlockedSender.objects.filter(name__in=addresses)),
        "mails": plain(IncomingMail.objects.filter(pk__in=messages.values("incoming_id")), "owner", "lease_until"),
        "escalations": plain(Escalation.objects.filter(ticket__in=tickets)),
        "rules": plain(RuleMeeting.objects.filter(ticket__in=tickets)),
        "files": _with_bytes(files),
    }


def _with_bytes(files: QuerySet[Attachment]) -> Iterator[dict[str, Any]]:
    """One file in memory at a time; an upload is at most settings.MAX_ATTACHMENT_BYTES."""
    for file in files.select_related("blob").order_by("pk").iterator(chunk_size=100):
        with file.blob.open() as content:
            body = b64encode(content.read()).decode()
        yield {"id": file.pk, "name": file.name, "content_type": file.content_type, "sha256": file.blob_id, "content": body}
