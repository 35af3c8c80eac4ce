"""Look at the database: hand out what waits, close what was solved long ago, show the virus scanner the files that wait."""

from helpdesk.files import antivirus
from helpdesk.live import bell
from helpdesk.live.ticks import tick
from tickets import assignment, attachments, closing


@tick
def close_solved() -> None:
    closing.close_solved()


@tick
def scan_files() -> None:
    if antivirus.scan_waiting():
        bell.ring(attachments.SCAN_TASK)


@tick
def hand_out() -> None:
    assignment.hand_out()
