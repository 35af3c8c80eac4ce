"""Look at the database: clocks that are due, what waits and is handed out, what was solved long ago, files that wait for the
virus scanner, changes that meet the rules, and what nobody answered and is escalated further."""

from helpdesk.files import antivirus
from helpdesk.live import bell
from helpdesk.live.ticks import tick
from tickets import assignment, attachments, clocks, closing, escalation, rules
from tickets.clocks import recounts
from tickets.triage import learning, suggesting

ROUNDS = 20  # batches of one tick


@tick
def close_solved() -> None:
    closing.close_solved()


@tick
def scan_files() -> None:
    if antivirus.scan_waiting(told=attachments.scanned):
        bell.ring(attachments.SCAN_TASK)


@tick
def hand_out() -> None:
    assignment.take_from_the_gone()
    assignment.hand_out()


@tick
def run_clocks() -> None:
    if clocks.run_due():
        bell.ring("tickets.tasks.run_clocks")


@tick
def recount_clocks() -> None:
    if recounts.run_once():
        bell.ring(recounts.TASK)


@tick
def meet_rules() -> None:
    more = rules.due_timers()
    met = [rules.meet_pending()]
    while met[-1] and len(met) < ROUNDS:
        met.append(rules.meet_pending())
    if met[-1] or more:
        bell.ring("tickets.tasks.meet_rules")
    if met[0]:
        bell.ring("tickets.tasks.hand_out")  # what was new waited for them


@tick
def tidy_rules() -> None:
    rules.tidy()


@tick
def escalate() -> None:
    escalation.go_on()


@tick
def suggest() -> None:
    if suggesting.suggest_waiting():
        bell.ring(suggesting.TASK)


@tick
def learn() -> None:
    learning.ask_at_night()
    learning.learn_beside()
