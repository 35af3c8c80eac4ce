"""Django's mail (sign-in codes, password resets) leaves by the same ledger as everything else."""

import hashlib
from datetime import datetime

from django.core.mail import EmailMessage, EmailMultiAlternatives
from django.core.mail.backends.base import BaseEmailBackend
from django.db import transaction

from helpdesk.accounts.locks import one_at_a_time
from helpdesk.lib.dates import now
from helpdesk.mail import outbox
from helpdesk.mail.models import Class, Lane, Outgoing
from helpdesk.mail.verdicts import GO, Content, Verdict

A_CLICK = 60  # seconds in which the same kind of mail to the same person is one: the link in the first works as well


class OutboxBackend(BaseEmailBackend):
    @transaction.atomic
    def send_messages(self, messages: list[EmailMessage]) -> int:  # type: ignore[override]
        """Plan each message, once a recipient; returns how many messages were taken."""
        rows = [
            Outgoing(
                key=key,
                kind="account.mail",
                klass=Class.TRANSACTIONAL,
                lane=Lane.REPLIES,
                to=recipient,
                title=message.subject[:200],
                due_at=now(),
                variables=_frozen(message),
            )
            for message in messages
            for recipient in message.recipients()
            if (key := _fresh_key(recipient, str(message.subject)))
        ]
        outbox.plan(rows)
        return len(messages)


def _fresh_key(recipient: str, subject: str) -> str:
    """The key of this mail, or none for the second of two clicks. Asked by key, so it is one look into the unique index."""
    name = "account:" + hashlib.sha256(f"{recipient}\n{subject}".encode()).hexdigest()[:40]
    one_at_a_time(name)  # two clicks on either side of a full minute
    minute = int(now().timestamp()) // A_CLICK
    known = Outgoing.objects.filter(key__in=[f"{name}:{minute}", f"{name}:{minute - 1}"]).values_list("created_at", flat=True)
    return "" if any((now() - at).total_seconds() < A_CLICK for at in known) else f"{name}:{minute}"


def _frozen(message: EmailMessage) -> dict[str, str]:
    html = ""
    if isinstance(message, EmailMultiAlternatives):
        html = next((str(content) for content, mimetype in message.alternatives if mimetype == "text/html"), "")
    return {"subject": " ".join(message.subject.split()), "text": str(message.body), "html": html}


def guard(rows: list[Outgoing], at: datetime) -> dict[int, Verdict]:
    """Mail that a person just asked for, to sign in, meets no guard."""
    return {row.pk: GO for row in rows}


def render(rows: list[Outgoing]) -> dict[int, Content]:
    return {row.pk: Content(**row.variables, automatic="auto-generated") for row in rows}
