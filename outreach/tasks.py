"""Look at the database: who is due to move on, and who is still under way in what was cancelled."""

from celery import shared_task

from helpdesk.live import bell
from outreach import journeys


@shared_task
def advance() -> None:
    bell.answered("outreach.tasks.advance")
    journeys.sweep()
    if journeys.wind_up():
        bell.ring("outreach.tasks.advance")
