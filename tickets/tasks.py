"""Look at the database: what was solved long ago is closed, and files that wait for the virus scanner are shown to it."""

from helpdesk.files import antivirus
from helpdesk.live import bell
from helpdesk.live.ticks import tick
from tickets import attachments, closing


@tick
def close_solved() -> None:
    closing.close_solved()


@tick
def scan_files() -> None:
    if antivirus.scan_waiting(told=attachments.scanned):
        bell.ring(attachments.SCAN_TASK)
