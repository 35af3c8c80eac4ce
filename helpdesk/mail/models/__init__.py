"""Mail in and out: mailboxes, what came, the ledger of all that leaves; and what other tools are told by webhook."""

from helpdesk.mail.models.messages import (
    GONE,
    WAITING,
    Attempt,
    Class,
    IncomingMail,
    Lane,
    Mailbox,
    MailSwitch,
    Outgoing,
    OutgoingQuerySet,
    State,
)
from helpdesk.mail.models.webhooks import Webhook, WebhookDelivery

__all__ = [
    "GONE",
    "WAITING",
    "Attempt",
    "Class",
    "IncomingMail",
    "Lane",
    "MailSwitch",
    "Mailbox",
    "Outgoing",
    "OutgoingQuerySet",
    "State",
    "Webhook",
    "WebhookDelivery",
]
