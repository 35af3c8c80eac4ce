"""The life of an outgoing message up to its hand-over, and what becomes of it after; ``sender`` does what is between.

Every transition is an UPDATE that names the state it leaves, so two who try the same thing at once do it once.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import DateTimeField as When
from django.db.models import Func, QuerySet
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from helpdesk.accounts.models import User, audit
from helpdesk.customers.models import Customer
from helpdesk.customers.timeline import Fact, record_all
from helpdesk.lib.dates import now
from helpdesk.lib.rows import update
from helpdesk.live import bell
from helpdesk.mail.models import GONE, WAITING, Class, Lane, Mailbox, MailSwitch, Outgoing, State
from helpdesk.mail.verdicts import GO, Go, Hold, Never, Verdict

log = structlog.get_logger(__name__)
BATCH = 500
LONGEST_HOLD = timedelta(days=14)
TROUBLE = "trouble"  # what such a message is held for; the operator's page lists it
TROUBLE_WAIT = timedelta(minutes=5)
PLANNING = 0x74776F66  # the advisory lock of the one who plans a lane
SEND_TASK = {Lane.REPLIES: "helpdesk.mail.tasks.send_replies", Lane.CAMPAIGNS: "helpdesk.mail.tasks.send_campaigns"}


class ClockTimestamp(Func):
    """The database's own clock, for leases alone; business time is ``dates.now()``."""

    function = "clock_timestamp"
    output_field = When()


# --- planning ---------------------------------------------------------------------------------------------------------


def plan(rows: list[Outgoing]) -> list[Outgoing]:
    """Write these messages down, in the caller's transaction; those whose key is known already are left out.

    Returns the new ones, with their ids.
    """
    if not rows:
        return []
    unique = {row.key: row for row in rows}
    known = set(Outgoing.objects.filter(key__in=unique).values_list("key", flat=True))
    fresh = [row for key, row in unique.items() if key not in known]
    homeless = [row for row in fresh if row.mailbox_id is None]
    if usual := Mailbox.objects.filter(is_default=True).first() if homeless else None:
        for row in homeless:
            row.mailbox = usual  # so that an answer arrives where we listen
    Outgoing.objects.bulk_create(fresh, batch_size=1000, ignore_conflicts=True)
    ids = dict(Outgoing.objects.filter(key__in=[row.key for row in fresh]).values_list("key", "pk"))
    for row in fresh:
        row.pk = ids[row.key]
    for lane in {row.lane for row in fresh}:
        bell.ring(SEND_TASK[Lane(lane)])
    return fresh


def plan_due(lane: str) -> int:
    """Ask the guards about one batch of what is due; returns how many rows changed their state."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_xact_lock(%s, %s)", [PLANNING, list(Lane).index(Lane(lane))])
            if not cursor.fetchone()[0]:
                return 0
        moment = now()
        moved = _wake(lane, moment)
        due = Outgoing.objects.filter(state=State.PENDING, lane=lane, due_at__lte=moment).order_by("due_at", "id")[:BATCH]
        rows = lock([(row.pk, row.customer_id) for row in due.only("pk", "customer_id")], state=State.PENDING)
        answers = verdicts(rows, moment)
        for row in rows:
            apply(row, answers[row.pk], moment, go=State.QUEUED)
        save_verdicts(rows, moment)
    return moved + len(rows)


def _wake(lane: str, moment: datetime) -> int:
    """Holds that are over, retries whose time has come, leases that ran out. Nothing was handed over by a mere claim."""
    held = Outgoing.objects.filter(state=State.HELD, lane=lane)
    too_long = list(held.filter(hold_limit__lte=moment).select_for_update(skip_locked=True)[:BATCH])
    for row in too_long:
        row.state, row.reason, row.finished_at = State.WITHHELD, _("Held too long: %s") % row.reason, moment
    save_verdicts(too_long, moment)
    moved = len(too_long)
    moved += held.filter(hold_until__lte=moment).update(state=State.PENDING, hold_until=None, hold_for="")
    mine = Outgoing.objects.filter(lane=lane)
    moved += mine.filter(state=State.RETRY_WAIT, next_at__lte=moment).update(state=State.QUEUED, next_at=None)
    moved += mine.filter(state=State.CLAIMED, lease_until__lt=ClockTimestamp()).update(
        state=State.QUEUED, owner="", lease_until=None
    )
    silent = list(mine.filter(state=State.SENDING, lease_until__lt=ClockTimestamp()).select_for_update(skip_locked=True)[:BATCH])
    for row in silent:
        row.state, row.owner, row.lease_until = State.UNKNOWN, "", None
        row.reason = _("The sender stopped before the mail server's answer was recorded")
    update(silent, ["state", "owner", "lease_until", "reason"])
    record_all(fact("mail.unknown", row) for row in silent)
    return moved + len(silent)


def lock(pairs: Sequence[tuple[int, int | None]], **conditions: object) -> list[Outgoing]:
    """Lock the customers in id order, then the rows that still meet the conditions: the one order everybody keeps."""
    customers = sorted({customer for _pk, customer in pairs if customer})
    list(Customer.objects.filter(pk__in=customers).order_by("pk").select_for_update(no_key=True).values_list("pk"))
    return list(
        Outgoing.objects.select_for_update(skip_locked=True, of=("self",))
        .filter(pk__in=[pk for pk, _customer in pairs], **conditions)
        .select_related("customer__company", "address", "mailbox", "subscription")
        .order_by("due_at", "id")
    )


def verdicts(rows: list[Outgoing], at: datetime) -> dict[int, Verdict]:
    """What the switches and then each kind's own guard say; one call a kind, whatever the number of rows."""
    answers: dict[int, Verdict] = {}
    switches = {switch.name: switch for switch in MailSwitch.objects.all()}
    by_kind: dict[str, list[Outgoing]] = defaultdict(list)
    for row in rows:
        switch = switches.get("all") or switches.get(row.lane)
        if switch:
            answers[row.pk] = Hold(_("Sending is switched off: %s") % switch.reason, event=f"switch:{switch.name}")
        elif row.too_late_at and row.too_late_at <= at:
            answers[row.pk] = Never(_("Too late to be of use"))
        else:
            by_kind[row.kind].append(row)
    for kind, same in by_kind.items():
        guard = import_string(settings.OUTBOX[kind]["guard"])
        said, failed = piecewise(lambda portion, guard=guard: guard(portion, at), same)  # type: ignore[misc]
        answers |= said | {pk: trouble(error, at) for pk, error in failed.items()}
    return {row.pk: answers.get(row.pk, GO) for row in rows}


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


def fact(kind: str, row: Outgoing, *, actor: str = "", at: datetime | None = None) -> Fact:
    """The event of a message: what it was, what it belongs to, and the reason in words."""
    payload = {
        "outgoing": row.pk,
        "kind": row.kind,
        "title": row.title,
        "reason": row.reason,
        "ticket": row.ticket_id,
        "message": row.message_id,
        "campaign": row.campaign_id,
        "version": row.version_id,
        "enrolment": row.enrolment_id,
        "step": row.step,
        "address": row.address_id,
    }
    return Fact(kind, row.customer_id, at, actor, {name: value for name, value in payload.items() if value not in (None, "")})


# --- what people do ---------------------------------------------------------------------------------------------------


@transaction.atomic
def _move(rows: QuerySet[Outgoing], leaving: Iterable[str], kind: str, *, by: object, **values: object) -> int:
    """Move the rows that are still in one of these states, with one event each."""
    chosen = list(rows.filter(state__in=list(leaving)).select_for_update(of=("self",)))
    Outgoing.objects.filter(pk__in=[row.pk for row in chosen]).update(**values)
    actor = by if isinstance(by, str) else getattr(by, "ref", "")
    for row in chosen:
        row.reason = str(values.get("reason", row.reason))
    record_all(fact(kind, row, actor=actor) for row in chosen)
    return len(chosen)


def cancel(rows: QuerySet[Outgoing], *, reason: str, by: object) -> int:
    """Take back what was not handed over yet: undo send, a withdrawn consent, a cancelled campaign."""
    return _move(rows, WAITING, "mail.cancelled", by=by, state=State.CANCELLED, reason=reason[:300], finished_at=now())


def never(rows: QuerySet[Outgoing], *, reason: str, by: object) -> int:
    """A person says that these shall not be sent."""
    return _move(rows, WAITING, "mail.withheld", by=by, state=State.WITHHELD, reason=reason[:300], finished_at=now())


def hold(rows: QuerySet[Outgoing], *, reason: str, by: object, until: datetime | None = None) -> int:
    """A person holds these, until a time or until a person releases them."""
    return _move(
        rows,
        (State.PENDING, State.QUEUED),
        "mail.held",
        by=by,
        state=State.HELD,
        reason=reason[:300],
        hold_until=until,
        hold_for="person",
        hold_limit=now() + LONGEST_HOLD,
        released_by="",
    )


def release(rows: QuerySet[Outgoing], *, by: object) -> int:
    """A person lets held messages go on; guards that only ask for patience give way, consent and suppression do not."""
    actor = by if isinstance(by, str) else getattr(by, "ref", "")
    count = _move(
        rows,
        (State.HELD,),
        "mail.released",
        by=by,
        state=State.PENDING,
        reason="",
        hold_until=None,
        hold_for="",
        released_by=actor,
    )
    if count:
        _ring_all()
    return count


def release_for(names: Iterable[str]) -> int:
    """What these names announce has happened: the guards are asked again about all that waited for it."""
    count = Outgoing.objects.filter(state=State.HELD, hold_for__in=list(names)).update(
        state=State.PENDING, hold_until=None, hold_for=""
    )
    if count:
        _ring_all()
    return count


def retry_unknown(outgoing: Outgoing, *, by: object) -> int:
    """Send a reply again of which nobody knows whether it arrived: a person's recorded choice. Never for outreach."""
    if outgoing.klass != Class.REPLY:
        return 0
    count = _move(
        Outgoing.objects.filter(pk=outgoing.pk),
        (State.UNKNOWN, State.FAILED, State.BOUNCED),
        "mail.resent",
        by=by,
        state=State.PENDING,
        reason="",
        due_at=now(),
        finished_at=None,
    )
    if count:
        _ring_all()
    return count


def leave_unknown(outgoing: Outgoing, *, by: object, arrived: bool) -> int:
    """A person found out what became of an unknown message."""
    state, kind = (State.DELIVERED, "mail.sent") if arrived else (State.FAILED, "mail.failed")
    return _move(
        Outgoing.objects.filter(pk=outgoing.pk),
        (State.UNKNOWN,),
        kind,
        by=by,
        state=state,
        finished_at=now(),
        reason=_("Settled by a person"),
    )


@transaction.atomic
def switch_off(name: str, *, reason: str, by: User) -> bool:
    """Stop all sending ("all"), or one lane, from the next stamp on; True if it was on."""
    made = MailSwitch.objects.get_or_create(name=name, defaults={"reason": reason, "by": by.ref})[1]
    if made:
        audit("mail.switched_off", actor=by.ref, subject=f"switch:{name}", after={"reason": reason})
    return made


@transaction.atomic
def switch_on(name: str, *, by: User) -> bool:
    """Let mail go again; the guards are asked anew about all that waited. True if it was off."""
    gone = MailSwitch.objects.filter(name=name).delete()[0]
    if gone:
        audit("mail.switched_on", actor=by.ref, subject=f"switch:{name}")
        release_for([f"switch:{name}"])
    return bool(gone)


def _ring_all() -> None:
    for task in SEND_TASK.values():
        bell.ring(task)


# --- what comes back --------------------------------------------------------------------------------------------------


def bounced(outgoing: int, *, reason: str, at: datetime | None = None) -> int:
    """A report says that it did not arrive; also evidence about an unknown one."""
    return _move(
        Outgoing.objects.filter(pk=outgoing),
        (*GONE, State.FAILED, State.RETRY_WAIT),
        "mail.bounced",
        by="",
        state=State.BOUNCED,
        reason=reason[:300],
        finished_at=at or now(),
    )


def complained(outgoing: int, *, reason: str, at: datetime | None = None) -> int:
    return _move(
        Outgoing.objects.filter(pk=outgoing),
        GONE,
        "mail.complained",
        by="",
        state=State.COMPLAINED,
        reason=reason[:300],
        finished_at=at or now(),
    )


def answered(outgoing: int) -> int:
    """Somebody answered it, so it arrived: evidence for one in unknown. A bounce that came first is overruled too."""
    return Outgoing.objects.filter(pk=outgoing, state__in=(State.UNKNOWN, State.ACCEPTED, State.BOUNCED)).update(
        state=State.DELIVERED, reason=""
    )


def oldest_unsent() -> float | None:
    """Seconds that the oldest message which could go has waited, or None: one look into an index a lane and state."""
    ready = Outgoing.objects.filter(due_at__lte=now()).order_by("due_at", "id").values_list("due_at", flat=True)
    first = [ready.filter(lane=lane, state=state).first() for lane in Lane for state in (State.PENDING, State.QUEUED)]
    waits = [at for at in first if at]
    return (now() - min(waits)).total_seconds() if waits else None
