"""Django's mail (sign-in codes, password resets) leaves by the same ledger as everything else."""

import secrets
from datetime import datetime

from django.core.mail import EmailMessage, EmailMultiAlternatives
from django.core.mail.backends.base import BaseEmailBackend

from helpdesk.lib.dates import now
from helpdesk.mail import outbox
from helpdesk.mail.models import Class, Lane, Outgoing
from helpdesk.mail.verdicts import GO, Content, Verdict


class OutboxBackend(BaseEmailBackend):
    def send_messages(self, messages: list[EmailMessage]) -> int:  # type: ignore[override]
        """Plan each message, once a recipient; returns how many messages were taken."""
        rows = [
            Outgoing(
                key=f"account:{secrets.token_hex(16)}",
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
        ]
        outbox.plan(rows)
        return len(messages)


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
