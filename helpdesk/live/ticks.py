"""A tick: a task that takes nothing and looks at the database."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import structlog
from celery import shared_task
from django.db import connection

from helpdesk.lib import dates
from helpdesk.live import bell

log = structlog.get_logger(__name__)
MAX_SKEW = 30.0  # seconds


def skew() -> float:
    """How far this machine's clock is ahead of the database's, in seconds."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT extract(epoch FROM clock_timestamp())")
        return dates.machine_now().timestamp() - float(cursor.fetchone()[0])


def tick(work: Callable[[], Any]) -> Any:
    """Make a Celery task of ``work``: it answers its own bell first, and does nothing while the clocks disagree.

    A wrong clock would open every lease and send what is not due; /healthz turns red meanwhile.
    """
    name = f"{work.__module__}.{work.__name__}"

    @shared_task(name=name)
    @wraps(work)
    def run() -> None:
        bell.answered(name)
        ahead = skew()
        if abs(ahead) > MAX_SKEW:
            log.error("clocks_disagree", task=name, seconds=round(ahead, 1))
            return
        work()

    return run
