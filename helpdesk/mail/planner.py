"""What is due meets its guards, what waited long enough goes on: one batch at a time, whatever the number that waits.

Every transition is an UPDATE that names the state it leaves, so two who try the same thing at once do it once.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import QuerySet
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from helpdesk.customers.models import Customer
from helpdesk.customers.timeline import record_all
from helpdesk.lib.dates import now
from helpdesk.lib.rows import array, attach, fetch, update
from helpdesk.mail import backstop, missed
from helpdesk.mail.models import Lane, MailSwitch, Outgoing, State
from helpdesk.mail.outbox import LONGEST_HOLD, TROUBLE, ClockTimestamp, fact
from helpdesk.mail.verdicts import GO, Go, Hold, Never, Verdict

log = structlog.get_logger(__name__)
BATCH = 500
TROUBLE_WAIT = timedelta(minutes=5)
PLANNING = 0x74776F66  # the advisory lock of the one who plans a lane
SWITCH = "switch"  # what a hold by a switch begins with


def plan_due(lane: str) -> int:
    """Ask the guards about one batch of what is due; returns how many rows changed their state."""
    moment = now()
    with transaction.atomic():  # of its own: it locks rows without their customers, and must not hold them while it waits
        moved = _wake(lane, moment)
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_xact_lock(%s, %s)", [PLANNING, list(Lane).index(Lane(lane))])
            if not cursor.fetchone()[0]:
                return moved
        due = Outgoing.objects.filter(state=State.PENDING, lane=lane, due_at__lte=moment).order_by("due_at", "id")
        rows = lock(list(due.values_list("pk", flat=True)[:BATCH]), state=State.PENDING)
        answers = verdicts(rows, moment)
        for row in rows:
            apply(row, answers[row.pk], moment, go=State.QUEUED)
        save_verdicts(rows, moment)
    return moved + len(rows)


# --- what waits -------------------------------------------------------------------------------------------------------


def _wake(lane: str, moment: datetime) -> int:
    """Holds that are over, retries whose time has come, leases that ran out. Nothing was handed over by a mere claim."""
    mine = Outgoing.objects.filter(lane=lane)
    held = mine.filter(state=State.HELD)
    too_long = list(_some(held.filter(hold_limit__lte=moment)))
    for row in too_long:
        row.state, row.reason, row.finished_at = State.WITHHELD, _("Held too long: %s") % row.reason, moment
    save_verdicts(too_long, moment)
    asked_again = {"state": State.PENDING, "hold_until": None, "hold_for": ""}
    moved = len(too_long) + _move(held.filter(hold_until__lte=moment), **asked_again)
    if over := _over():
        moved += _move(held.filter(hold_for__in=over), **asked_again)
    moved += _move(mine.filter(state=State.RETRY_WAIT, next_at__lte=moment), state=State.QUEUED, next_at=None)
    lapsed = {"lease_until__lt": ClockTimestamp()}
    moved += _move(mine.filter(state=State.CLAIMED, **lapsed), state=State.QUEUED, owner="", lease_until=None)
    silent = list(_some(mine.filter(state=State.SENDING, **lapsed)))
    for row in silent:
        row.state, row.owner, row.lease_until = State.UNKNOWN, "", None
        row.reason = _("The sender stopped before the mail server's answer was recorded")
    update(silent, ["state", "owner", "lease_until", "reason"])
    record_all(fact("mail.unknown", row) for row in silent)
    return moved + len(silent)


def _some(rows: QuerySet[Outgoing]) -> QuerySet[Outgoing]:
    """A batch of these, locked; what somebody else holds at the moment comes next time."""
    return rows.select_for_update(skip_locked=True)[:BATCH]


def _move(rows: QuerySet[Outgoing], **values: object) -> int:
    ids = list(_some(rows).values_list("pk", flat=True))  # apart, for a LIMIT inside the UPDATE may be evaluated again
    return Outgoing.objects.filter(pk__in=ids).update(**values) if ids else 0


# The distinct names, each found by one step into the index of holds, however many messages wait for it.
WAITED_FOR = """
    WITH RECURSIVE names(name) AS (
        (SELECT hold_for FROM mail_outgoing WHERE state = 'held' AND hold_for >= %(first)s ORDER BY hold_for LIMIT 1)
        UNION ALL
        SELECT (SELECT hold_for FROM mail_outgoing WHERE state = 'held' AND hold_for > names.name ORDER BY hold_for LIMIT 1)
        FROM names WHERE starts_with(names.name, %(first)s)
    )
    SELECT name FROM names WHERE starts_with(name, %(first)s)
"""


def _over() -> list[str]:
    """What messages are held for and holds no longer, by the word of those who know (settings.HOLDS)."""
    over: list[str] = []
    for prefix, still in settings.HOLDS.items():
        with connection.cursor() as cursor:
            cursor.execute(WAITED_FOR, {"first": f"{prefix}:"})
            names = {name for (name,) in cursor.fetchall()}
        over += sorted(names - import_string(still)(names)) if names else []
    return over


def switched_off(names: set[str]) -> set[str]:
    """Those of these holds whose switch is still off."""
    return names & {f"{SWITCH}:{name}" for name in MailSwitch.objects.values_list("name", flat=True)}


# --- what the guards say ----------------------------------------------------------------------------------------------

LOCK_CUSTOMERS = """
    WHERE id IN (SELECT customer_id FROM mail_outgoing WHERE id = ANY(%s::bigint[]))
    ORDER BY id FOR NO KEY UPDATE
"""
LOCK_ROWS = """
    WHERE id = ANY(%s::bigint[]) AND state = %s AND owner = %s AND (lease_until IS NULL OR lease_until > clock_timestamp())
    ORDER BY due_at, id FOR UPDATE SKIP LOCKED
"""


def lock(ids: Sequence[int], *, state: str, owner: str = "") -> list[Outgoing]:
    """Lock the customers in id order, then the rows still in this state: the one order everybody keeps.

    Whose customer was another one a moment ago is left out, for its lock is not held.
    """
    if not ids:
        return []
    people = {person.pk: person for person in fetch(Customer, LOCK_CUSTOMERS, [array(ids)])}
    attach(people.values(), "company")
    locked = {None, *people}
    rows = [row for row in fetch(Outgoing, LOCK_ROWS, [array(ids), state, owner]) if row.customer_id in locked]
    attach(rows, "customer", people)
    for name in ("address", "mailbox", "subscription"):
        attach(rows, name)
    return rows


def verdicts(rows: list[Outgoing], at: datetime) -> dict[int, Verdict]:
    """What the switches, then each kind's own guard, then the backstops of automatic mail say; one call a kind."""
    answers: dict[int, Verdict] = {}
    switches = {switch.name: switch for switch in fetch(MailSwitch, "", [])}
    by_kind: dict[str, list[Outgoing]] = defaultdict(list)
    for row in rows:
        switch = switches.get("all") or switches.get(row.lane)
        if switch:
            answers[row.pk] = Hold(_("Sending is switched off: %s") % switch.reason, event=f"{SWITCH}:{switch.name}")
        elif row.too_late_at and row.too_late_at <= at:
            answers[row.pk] = Never(_("Too late to be of use"))
        else:
            by_kind[row.kind].append(row)
    for kind, same in by_kind.items():
        guard = import_string(settings.OUTBOX[kind]["guard"])
        said, failed = piecewise(lambda portion, guard=guard: guard(portion, at), same)  # type: ignore[misc]
        answers |= said | {pk: trouble(error, at) for pk, error in failed.items()}
    answers = {row.pk: answers.get(row.pk, GO) for row in rows}
    return answers | backstop.stopped([row for row in rows if isinstance(answers[row.pk], Go)], at)


Answer = TypeVar("Answer")


def piecewise(
    work: Callable[[list[Outgoing]], dict[int, Answer]], rows: list[Outgoing]
) -> tuple[dict[int, Answer], dict[int, Exception]]:
    """What a half says of these rows; where it fails, halves are asked until the poisoned row stands alone.

    Returns the answers, and the errors of the rows that have none. A database that is away is nobody's fault: raised.
    """
    try:
        with transaction.atomic():
            return work(rows), {}
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:
        if len(rows) == 1:
            log.exception("outgoing_failed", outgoing=rows[0].pk, kind=rows[0].kind)
            return {}, {rows[0].pk: error}
    half = len(rows) // 2
    first, second = piecewise(work, rows[:half]), piecewise(work, rows[half:])
    return first[0] | second[0], first[1] | second[1]


def trouble(error: Exception, at: datetime) -> Hold:
    """Something of ours broke: the message waits where the operator sees it, and is tried again."""
    what = f"{type(error).__name__}: {error}".replace("\0", "")
    return Hold(_("It could not be prepared and is tried again: %s") % what, until=at + TROUBLE_WAIT, event=TROUBLE)


def apply(row: Outgoing, verdict: Verdict, at: datetime, *, go: str) -> None:
    """Set the row's fields to what a verdict means; the caller saves."""
    row.owner, row.lease_until = "", None
    match verdict:
        case Go():
            row.state, row.reason, row.hold_until, row.hold_for = go, "", None, ""
        case Hold():
            row.state, row.reason = State.HELD, verdict.reason[:300]
            row.hold_until, row.hold_for = verdict.until, verdict.event
            row.hold_limit = row.hold_limit or verdict.limit or at + LONGEST_HOLD
        case Never():
            row.state, row.reason, row.finished_at = State.WITHHELD, verdict.reason[:300], at


def save_verdicts(rows: list[Outgoing], at: datetime) -> None:
    """Write what ``apply`` set, and the events of those that do not go."""
    update(rows, ["state", "reason", "hold_until", "hold_for", "hold_limit", "finished_at", "owner", "lease_until"])
    kinds = {State.HELD: "mail.held", State.WITHHELD: "mail.withheld"}
    record_all(fact(kinds[State(row.state)], row, at=at) for row in rows if row.state in kinds)
    for copy in rows:
        if copy.copy_of_id and copy.state == State.WITHHELD:
            missed.tell(copy, dict.fromkeys(copy.only or (), copy.reason))
