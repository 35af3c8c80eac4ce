"""The life of an outgoing message as people and reports decide it; ``planner`` and ``sender`` do what is between.

Every transition is an UPDATE that names the state it leaves, so two who try the same thing at once do it once.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import DateTimeField as When
from django.db.models import Func, Q, QuerySet
from django.utils.translation import gettext as _

from helpdesk.accounts.models import User, audit
from helpdesk.customers.timeline import Fact, record_all
from helpdesk.lib.dates import age, now
from helpdesk.lib.rows import insert
from helpdesk.live import bell
from helpdesk.mail.models import GONE, WAITING, Class, Lane, Mailbox, MailSwitch, Outgoing, State
from helpdesk.mail.parsing import Bounce

LONGEST_HOLD = timedelta(days=14)
AT_ONCE = 2000  # rows planned by one statement
TROUBLE = "trouble"  # what such a message is held for; the operator's page lists it
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
    homeless = [row for row in rows if row.mailbox_id is None]
    if usual := Mailbox.objects.filter(is_default=True).first() if homeless else None:
        for row in homeless:
            row.mailbox = usual  # so that an answer arrives where we listen
    unique = list({row.key: row for row in rows}.values())
    fresh = [row for start in range(0, len(unique), AT_ONCE) for row in insert(unique[start : start + AT_ONCE], "key")]
    for lane in {row.lane for row in fresh}:
        bell.ring(SEND_TASK[Lane(lane)])
    return fresh


def fact(kind: str, row: Outgoing, *, actor: str = "", at: datetime | None = None) -> Fact:
    """The event of a message: what it was, what it belongs to, and the reason in words.

    What is said about one that left names who did not get it, perhaps one in Bcc: the message says so, no event does.
    """
    payload = {
        "outgoing": row.pk,
        "kind": row.kind,
        "title": row.title,
        "reason": "" if kind == "mail.sent" and row.state == State.ACCEPTED else row.reason,
        "ticket": row.ticket_id,
        "message": row.message_id,
        "campaign": row.campaign_id,
        "version": row.version_id,
        "enrolment": row.enrolment_id,
        "step": row.step,
        "address": row.address_id,
        "copy_of": row.copy_of_id,
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
    """What these names announce has happened: the guards are asked again about all that waited for it.

    For names that few messages wait for, such as a customer's; what a whole campaign waits for is in settings.HOLDS.
    """
    count = Outgoing.objects.filter(state=State.HELD, hold_for__in=list(names)).update(
        state=State.PENDING, hold_until=None, hold_for=""
    )
    if count:
        _ring_all()
    return count


def retry_unknown(outgoing: Outgoing, *, by: object) -> int:
    """Send a reply again of which nobody knows whether it arrived: a person's recorded choice. Never for outreach.

    One that came back goes to whom it did not reach, and not to the others a second time.
    """
    if outgoing.klass != Class.REPLY:
        return 0
    again = Outgoing.objects.filter(pk=outgoing.pk)
    again.filter(state=State.BOUNCED, copy_of=None).update(only=[outgoing.to])
    count = _move(
        again,
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
    """Let mail go again; the planner asks the guards anew about all that waited. True if it was off."""
    gone = MailSwitch.objects.filter(name=name).delete()[0]
    if gone:
        audit("mail.switched_on", actor=by.ref, subject=f"switch:{name}")
        _ring_all()
    return bool(gone)


def _ring_all() -> None:
    for task in SEND_TASK.values():
        bell.ring(task)


# --- what comes back --------------------------------------------------------------------------------------------------


def delivered(outgoing: int, *, at: datetime) -> int:
    """A provider says that it arrived: evidence, also for one in doubt or about to be tried again. A newer bounce stays."""
    row = Outgoing.objects.filter(pk=outgoing)
    gone = row.filter(Q(state=State.ACCEPTED) | Q(state=State.BOUNCED, finished_at__lt=at))
    return gone.update(state=State.DELIVERED, finished_at=at) or _move(
        row, (State.UNKNOWN, State.RETRY_WAIT), "mail.sent", by="", state=State.DELIVERED, reason="", finished_at=at, next_at=None
    )


def bounced(outgoing: int, *, reason: str, at: datetime | None = None) -> int:
    """A report says that it did not arrive; also evidence about an unknown one. A delivery that is newer stays.

    Whoever brings it waits while the message is being handed over, or the record of that would be lost.
    """
    moment = at or now()
    return _move(
        Outgoing.objects.filter(pk=outgoing).exclude(state=State.DELIVERED, finished_at__gt=moment),
        (State.ACCEPTED, State.DELIVERED, State.UNKNOWN, State.FAILED, State.RETRY_WAIT),
        "mail.bounced",
        by="",
        state=State.BOUNCED,
        reason=reason[:300],
        finished_at=moment,
    )


def complained(outgoing: int, *, reason: str, at: datetime | None = None) -> int:
    return _move(
        Outgoing.objects.filter(pk=outgoing),
        [state for state in GONE if state not in (State.SENDING, State.COMPLAINED)],
        "mail.complained",
        by="",
        state=State.COMPLAINED,
        reason=reason[:300],
        finished_at=at or now(),
    )


def refused(outgoing: Outgoing, answer: Bounce) -> None:
    """A mail system refuses campaign mail like this by its policy, whoever it is for; said once for each hand-over."""
    if outgoing.campaign_id:
        record_all([refusal(outgoing, answer)])


def refusal(outgoing: Outgoing, answer: Bounce) -> Fact:
    """About the campaign, and so about no customer."""
    status = answer.status or ""
    told = answer.reason if not status or status in answer.reason or status.endswith("0.0") else f"{status} {answer.reason}"
    payload = {"outgoing": outgoing.pk, "campaign": outgoing.campaign_id, "title": outgoing.title, "reason": told[:300]}
    return Fact("mail.refused", None, None, "", payload, external_id=f"refused:{outgoing.pk}:{outgoing.attempts}")


def answered(outgoing: int) -> int:
    """Somebody answered it, so it arrived: evidence for one in unknown. A bounce that came first is overruled too."""
    rows = Outgoing.objects.filter(pk=outgoing, state__in=(State.UNKNOWN, State.ACCEPTED, State.BOUNCED))
    missed = rows.values_list("missed", flat=True).first()
    return rows.update(state=State.DELIVERED, reason=not_to(missed or {}))


def not_to(missed: dict[str, str]) -> str:
    """Who has a message not that others have, in words; "" where nobody misses it."""
    each = [f"{address} ({words})" if words else address for address, words in missed.items()]
    return (_("Not to %s") % "; ".join(each))[:300] if each else ""


def oldest_unsent() -> float | None:
    """Seconds that the oldest message which could go has waited, or None: one look into an index a lane and state."""
    ready = Outgoing.objects.filter(due_at__lte=now()).order_by("due_at", "id").values_list("due_at", flat=True)
    first = [ready.filter(lane=lane, state=state).first() for lane in Lane for state in (State.PENDING, State.QUEUED)]
    return age(min((at for at in first if at), default=None))
