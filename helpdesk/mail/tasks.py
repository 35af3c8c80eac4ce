"""Look at the database: what came, what is due, what is queued."""

from helpdesk.live import bell
from helpdesk.live.ticks import tick
from helpdesk.mail import imap, inbox, sender, webhooks
from helpdesk.mail.models import Lane


@tick
def send_replies() -> None:
    sender.send(Lane.REPLIES)


@tick
def send_campaigns() -> None:
    sender.send(Lane.CAMPAIGNS)


@tick
def process_incoming() -> None:
    inbox.process_due()


@tick
def fetch_mailboxes() -> None:
    imap.fetch_all()


@tick
def tidy_webhooks() -> None:
    webhooks.tidy()


@tick
def send_webhooks() -> None:
    if webhooks.deliver_due():
        bell.ring(webhooks.TASK)
