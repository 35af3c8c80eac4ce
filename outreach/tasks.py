"""Look at the database: who is due to move on, and who is still under way in what was cancelled."""

from helpdesk.live import bell
from helpdesk.live.ticks import tick
from outreach import journeys


@tick
def advance() -> None:
    journeys.sweep()
    if journeys.wind_up():
        bell.ring("outreach.tasks.advance")
