"""The rules meet a change: judged in Python for a batch at once, and, where one fires, again under the ticket's lock.

Rules are read once a batch and each field of a ticket once a change, so what nothing fires for costs a few statements for
five hundred changes. A rule that fires acts by the verbs that people use; what it changes is a new change, with its name on it.
The rules after it in the list see what it did.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from types import MappingProxyType
from typing import Any

import structlog
from django.db import connection, transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils.translation import gettext as _

from helpdesk.accounts.models import User, audit
from helpdesk.lib import conditions
from helpdesk.lib.conditions import Asked, ConditionError, Facts
from helpdesk.lib.dates import age, now
from helpdesk.lib.rows import update
from helpdesk.live import bell
from tickets.fields import RELATED
from tickets.models import RuleKind, RuleMeeting, RuleRun, RuleTimer, RuleVersion, Status, Ticket
from tickets.models.change import TRACKED
from tickets.rules import actions, timers
from tickets.rules.meetings import live_rules
from tickets.rules.timers import TASK

log = structlog.get_logger(__name__)
BATCH = 500
ATTEMPTS = 5
KEEP = timedelta(days=90)
AT_ONCE = 10_000  # rows that one tick takes away
MAX_DEPTH = 10  # rules that may lead from one to the other
SUBJECT = "ticket"
State = RuleMeeting.State


@dataclass(frozen=True)
class Live:
    """A version of a rule, its conditions read once; None where they cannot be read any more."""

    version: RuleVersion
    asked: Asked | None

    @classmethod
    def of(cls, version: RuleVersion) -> "Live":
        try:
            return cls(version, Asked(version.conditions, SUBJECT))
        except ConditionError:
            return cls(version, None)

    def fires(self, happened: Iterable[str], facts: Facts, at: datetime, old: dict[str, Any]) -> bool:
        wanted = self.version.happened
        if self.asked is None or (wanted and set(wanted).isdisjoint(happened)):
            return False
        return self.asked.holds(facts, at, old)


def loaded() -> dict[str, list[Live]]:
    """All rules that are on, by their lists and in their order."""
    rules: dict[str, list[Live]] = defaultdict(list)
    with conditions.once():
        for rule in live_rules().select_related("version"):
            if rule.version:
                rules[rule.kind].append(Live.of(rule.version))
    return rules


def met_by(meeting: RuleMeeting, rules: dict[str, list[Live]]) -> list[Live]:
    """The rules that a change meets: its list, without the one that made it; of a time that came, the one whose it is."""
    chosen = rules.get(meeting.kind, [])
    if meeting.kind == RuleKind.TIME:
        return [each for each in chosen if each.version.rule_id == meeting.only_id]
    return [each for each in chosen if each.version.rule_id != meeting.began]


def as_of(ticket: Ticket, changes: dict[str, Any], undone: Mapping[str, Any] = MappingProxyType({})) -> Ticket:
    """The ticket as this change left it: what it made of it, and before what later ones made of it, ``undone``."""
    seen = copy(ticket)
    for name, value in {**undone, **{name: pair[1] for name, pair in changes.items()}}.items():
        if column := TRACKED.get(name):
            setattr(seen, column, value)
        elif name.startswith("attribute."):
            seen.attributes = {**seen.attributes, name.removeprefix("attribute."): value}
    return seen


def undoing(later: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """What the fields were before these changes, which are told newest first."""
    undone: dict[str, Any] = {}
    for changes in later:
        undone |= before(changes)
    return undone


def before(changes: dict[str, Any]) -> dict[str, Any]:
    return {name: pair[0] for name, pair in changes.items()}


def meet_pending() -> int:
    """One batch of changes meets the rules; returns how many there were. Safe to run beside itself."""
    about = [f"ticket__{name}" for name in RELATED]
    rows = list(RuleMeeting.objects.filter(state=State.PENDING).order_by("id").select_related(*about)[:BATCH])
    if not rows:
        return 0
    rules = loaded()
    try:
        _meet(rows, rules)
    except Exception as error:  # one of them stops no other: each by itself, and what fails is tried again
        if not connection.is_usable():
            raise
        log.error("rules_failed_together", meetings=len(rows), exc_info=error)
        for row in rows:
            _guarded(row, partial(_meet, [row], rules))
    return len(rows)


def _guarded(row: RuleMeeting, do: Callable[[], None]) -> None:
    try:
        do()
    except Exception as error:  # a mistake of ours, or the database's: the others go on, and it is tried again
        if not connection.is_usable():
            raise
        log.error("rules_failed", meeting=row.pk, ticket=row.ticket_id, exc_info=error)
        _again(row, error)


def _meet(rows: list[RuleMeeting], rules: dict[str, list[Live]]) -> None:
    at = now()
    every = [each.asked for met in rules.values() for each in met if each.asked]
    others = conditions.linked(every, Ticket.objects.filter(pk__in={row.ticket_id for row in rows}), at)
    quiet: list[RuleMeeting] = []
    firing: list[RuleMeeting] = []
    again: dict[int, RuleTimer] = {}
    later: dict[int, dict[str, Any]] = {}
    undone: dict[int, dict[str, Any]] = {}
    for row in reversed(rows):
        undone[row.pk] = later.get(row.ticket_id, {})
        later[row.ticket_id] = undone[row.pk] | before(row.changes)
    for row in rows:
        row.stopped = stopped(row)
        met = [] if row.stopped else met_by(row, rules)
        row.facts, row.versions, row.met_at = {}, [each.version.pk for each in met], at
        fires = False
        if met:
            seen = as_of(row.ticket, row.changes, undone[row.pk])
            facts = conditions.facts([each.asked for each in met if each.asked], seen, at, others)
            old = before(row.changes)
            fires = any(each.fires(row.happened, facts, at, old) for each in met)
            row.facts = conditions.frozen(facts)
            if row.kind == RuleKind.TIME and not fires and met[0].asked and (turn := met[0].asked.turns(facts, at)):
                again[row.pk] = RuleTimer(
                    rule_id=met[0].version.rule_id, ticket_id=row.ticket_id, since=row.since or row.at, due_at=turn
                )
        (firing if fires else quiet).append(row)
    _nothing_fired(quiet, again)
    for row in firing:
        _guarded(row, partial(_fire, row.pk, rules))


def _again(row: RuleMeeting, error: Exception) -> None:
    """Five times; then it stands on the ticket's page of rules, with what went wrong."""
    tried = row.attempts + 1
    state, said = (State.FAILED, f"{type(error).__name__}: {error}"[:200]) if tried >= ATTEMPTS else (State.PENDING, "")
    RuleMeeting.objects.filter(pk=row.pk, state=State.PENDING).update(attempts=tried, state=state, stopped=said)


def stopped(meeting: RuleMeeting) -> str:
    """Why a change meets no rule at all."""
    if meeting.depth >= MAX_DEPTH:
        return _("%d rules led to this change, one after the other; that is where it ends.") % MAX_DEPTH
    return _("Spam meets no rules.") if meeting.ticket.status == Status.SPAM else ""


@transaction.atomic
def _nothing_fired(rows: Sequence[RuleMeeting], again: dict[int, RuleTimer]) -> None:
    """Keep what these met; what another worker took, or what became more meanwhile, is left to be judged again.

    ``again`` are the moments at which time alone can have made one of them true.
    """
    same = RuleMeeting.objects.filter(pk__in=[row.pk for row in rows], state=State.PENDING).select_for_update(skip_locked=True)
    still = {pk: seen for pk, *seen in same.values_list("pk", "happened", "changes")}
    kept = [row for row in rows if still.get(row.pk) == [row.happened, row.changes]]
    update(kept, ["facts", "stopped"])
    alike: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for row in kept:
        alike[tuple(row.versions)].append(row.pk)
    for versions, pks in alike.items():
        RuleMeeting.objects.filter(pk__in=pks).update(state=State.DONE, versions=list(versions), met_at=rows[0].met_at)
    timers.keep(again[row.pk] for row in kept if row.pk in again)


@transaction.atomic
def _fire(pk: int, rules: dict[str, list[Live]]) -> None:
    """Judge one change under the lock of its ticket, rule after rule, and do what those that fire say."""
    meeting = RuleMeeting.objects.select_for_update(skip_locked=True).filter(pk=pk, state=State.PENDING).first()
    if meeting is None:
        return
    ticket = Ticket.objects.select_for_update(of=("self",)).select_related(*RELATED).get(pk=meeting.ticket_id)
    meeting.ticket = ticket
    meeting.stopped = stopped(meeting)
    met = [] if meeting.stopped else met_by(meeting, rules)
    at, changes, old = now(), dict(meeting.changes), before(meeting.changes)
    newer = RuleMeeting.objects.filter(ticket=ticket, pk__gt=meeting.pk).order_by("-pk")
    undone = undoing(newer.values_list("changes", flat=True))
    asked = [each.asked for each in met if each.asked]
    facts = conditions.facts(asked, as_of(ticket, changes, undone), at)
    meeting.facts, meeting.versions = conditions.frozen(facts), [each.version.pk for each in met]
    for each in met:
        if each.fires(meeting.happened, facts, at, old) and (run := _begin(meeting, each.version)):
            stood = _standing(ticket)
            run.results = actions.perform(ticket, each.version.actions, actions.Actor(each.version, meeting))
            done = _standing(ticket)
            changes = {name: pair for name, pair in changes.items() if stood.get(name) == done.get(name)}
            undone = {name: was for name, was in undone.items() if stood.get(name) == done.get(name)}
            after = conditions.facts(asked, as_of(ticket, changes, undone), at)
            run.facts = conditions.frozen({name: value for name, value in after.items() if value != facts[name]})
            run.save(update_fields=["results", "facts"])
            facts = after
    meeting.state, meeting.met_at = State.DONE, at
    meeting.save(update_fields=["state", "met_at", "facts", "versions", "stopped"])


def _begin(meeting: RuleMeeting, version: RuleVersion) -> RuleRun | None:
    """The row that makes it once: for a change, and after a time for the moment that it counted from."""
    once = meeting.since.isoformat() if meeting.since else None
    run = RuleRun(meeting=meeting, rule_id=version.rule_id, version=version, ticket_id=meeting.ticket_id, once=once)
    known = RuleRun.objects.filter(meeting=meeting, rule=version.rule_id)
    if once:
        known |= RuleRun.objects.filter(rule=version.rule_id, ticket=meeting.ticket_id, once=once)
    if known.exists():
        return None
    run.save()
    return run


def _standing(ticket: Ticket) -> dict[str, Any]:
    """What a rule may set, as it is now: what one has set since is as it set it, not as the change left it."""
    return {name: copy(getattr(ticket, column)) for name, column in TRACKED.items()}


def failed() -> QuerySet[RuleMeeting]:
    """The changes that could not be judged, newest first: what rules would have done about them is not done."""
    return RuleMeeting.objects.filter(state=State.FAILED).order_by("-id")


@transaction.atomic
def judge_again(meetings: QuerySet[RuleMeeting], *, by: User) -> int:
    """Let these changes, of those that failed, meet the rules once more. Returns how many."""
    number = meetings.filter(state=State.FAILED).update(state=State.PENDING, attempts=0, stopped="")
    if number:
        audit("rules.judged_again", actor=by.ref, subject="rules", after={"changes": number})
        bell.ring(TASK)
    return number


def health() -> dict[str, float | None]:
    """For settings.HEALTH: the oldest change that is to be judged, and how many could not be."""
    oldest = RuleMeeting.objects.filter(state=State.PENDING).order_by("id").values_list("at", flat=True).first()
    return {"oldest_waiting_seconds": age(oldest), "failed": failed().count()}


def tidy() -> int:
    """What met the rules is kept KEEP long; returns how many rows went.

    What fired for a moment is kept until its ticket is closed, or it would fire for that moment again.
    """
    once = RuleRun.objects.filter(meeting=OuterRef("pk"), once__isnull=False).exclude(ticket__status=Status.CLOSED)
    old = RuleMeeting.objects.filter(~Exists(once), at__lt=now() - KEEP).exclude(state=State.PENDING).order_by("at")
    pks = list(old.values_list("pk", flat=True)[:AT_ONCE])
    return RuleMeeting.objects.filter(pk__in=pks).delete()[1].get("tickets.RuleMeeting", 0)
