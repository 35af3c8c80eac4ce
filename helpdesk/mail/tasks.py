"""Look at the database: what came, what is due, what is queued."""

from celery import shared_task

from helpdesk.live import bell
from helpdesk.mail import outbox, sender
from helpdesk.mail.models import Lane


@shared_task
def plan_due() -> None:
    for lane in Lane:
        outbox.plan_due(lane)


@shared_task
def send_replies() -> None:
    bell.answered("helpdesk.mail.tasks.send_replies")
    sender.send(Lane.REPLIES)


@shared_task
def send_campaigns() -> None:
    bell.answered("helpdesk.mail.tasks.send_campaigns")
    sender.send(Lane.CAMPAIGNS)
