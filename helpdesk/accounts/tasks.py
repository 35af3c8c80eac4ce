"""Look at the database: which sources of holidays are to be read again."""

from helpdesk.accounts import calendars
from helpdesk.live import bell
from helpdesk.live.ticks import tick


@tick
def refresh_holidays() -> None:
    if calendars.refresh_due():
        bell.ring("helpdesk.accounts.tasks.refresh_holidays")
