"""Look at the database: what was solved long ago is closed, files that wait for the virus scanner are shown to it, changes
meet the rules, and what nobody answered is escalated further."""

from helpdesk.files import antivirus
from helpdesk.live import bell
from helpdesk.live.ticks import tick
from tickets import attachments, closing, escalation, rules

ROUNDS = 20  # batches of one tick


@tick
def close_solved() -> None:
    closing.close_solved()


@tick
def scan_files() -> None:
    if antivirus.scan_waiting():
        bell.ring(attachments.SCAN_TASK)


@tick
def meet_rules() -> None:
    rules.due_timers()
    if all(rules.meet_pending() for _ in range(ROUNDS)):
        bell.ring("tickets.tasks.meet_rules")


@tick
def tidy_rules() -> None:
    rules.tidy()


@tick
def escalate() -> None:
    escalation.go_on()
