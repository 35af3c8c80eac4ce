"""Signs of life: beat and every worker leave one, and /healthz reads them."""

import time

from celery import shared_task

from helpdesk.live import bell

HEARTBEAT = "heartbeat:worker"


@shared_task
def heartbeat() -> None:
    """Beat sends it, a worker runs it: both are seen in one mark. Kept a minute, in seconds since 1970."""
    bell.client().set(HEARTBEAT, time.time(), ex=60)
