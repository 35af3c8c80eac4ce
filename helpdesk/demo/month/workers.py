"""What the workers do at one minute, by the functions that their tasks call; letters are planned and never sent."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from django.conf import settings
from django.db import connection

from helpdesk.customers import dispatch
from helpdesk.customers.models import EventDelivery
from helpdesk.lib.dates import now
from helpdesk.mail import outbox
from helpdesk.mail.models import Outgoing
from tickets import assignment, clocks, closing, escalation, rules

NEXT = """
    SELECT least(
        (SELECT min(next_at) FROM tickets_clock WHERE next_at IS NOT NULL),
        (SELECT min(due_at) FROM tickets_ruletimer),
        (SELECT min(next_at) FROM tickets_escalation WHERE next_at IS NOT NULL)
    )
"""


@contextmanager
def alone() -> Iterator[None]:
    """Ring nobody, for this process does it all, and wait for no disk: what is lost by a crash is played again."""
    rings, settings.BELL = settings.BELL, False
    try:
        with connection.cursor() as cursor:
            cursor.execute("SET synchronous_commit = off")
            yield
            cursor.execute("RESET synchronous_commit")
    finally:
        settings.BELL = rings


def settle(*, came: bool) -> None:
    """Until nothing is left to do at this moment. ``came``: somebody may be here who was not, so who waits is looked at."""
    if came:
        assignment.hand_out()
    while True:
        while clocks.run_due() or rules.due_timers() or escalation.go_on():
            continue
        met = 0
        while (told := _deliver()) or (more := rules.meet_pending()):
            met += 0 if told else more
        if met and assignment.hand_out():  # what was new waited for the rules
            continue
        if not (due := next_due()) or due > now():
            return


def _deliver() -> int:
    waiting = EventDelivery.objects.filter(next_at__lte=now()).exists()
    return dispatch.run_once() if waiting else 0


def next_due() -> datetime | None:
    """When a clock, the time of a rule or a step of an escalation is due next."""
    with connection.cursor() as cursor:
        cursor.execute(NEXT)
        found: datetime | None = cursor.fetchone()[0]
        return found


def hourly() -> None:
    """What nobody waits for by the minute: what was solved long ago is closed, and letters are taken back."""
    while closing.close_solved():
        continue
    outbox.cancel(Outgoing.objects.all(), reason="simulated", by="simulation")
