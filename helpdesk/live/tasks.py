"""Signs of life: beat sends one into every queue, whoever works there leaves a mark, and /healthz reads the marks."""

import time

from celery import shared_task
from django.conf import settings

from helpdesk.live import bell

KEPT = 60  # seconds


def mark_of(queue: str) -> str:
    return f"heartbeat:{queue}"


@shared_task
def heartbeat(*, queue: str) -> None:
    """Beat was there and so is a worker of this queue. The mark is the time in seconds since 1970."""
    bell.client().set(mark_of(queue), time.time(), ex=KEPT)


def ages() -> dict[str, float | None]:
    """Seconds since each queue's last heartbeat; None where there was none within a minute."""
    marks = bell.client().mget([mark_of(queue) for queue in settings.WORK_QUEUES])
    return {
        queue: round(time.time() - float(mark), 1) if mark else None
        for queue, mark in zip(settings.WORK_QUEUES, marks, strict=True)
    }
