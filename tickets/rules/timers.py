"""Rules "after a time": a row says when the time of a rule comes for a ticket, so nothing ever looks through all tickets."""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from helpdesk.accounts.models import Team
from helpdesk.lib import worktime
from helpdesk.lib.conditions import Asked, ConditionError, facts, linked, once
from helpdesk.lib.dates import now
from helpdesk.live import bell
from tickets.clocks.policies import Calendars
from tickets.fields import RELATED
from tickets.models import LIVE, Rule, RuleKind, RuleMeeting, RuleRun, RuleTimer, RuleVersion, Status, Ticket
from tickets.models.change import TRACKED
from tickets.models.clocks import Hours

TASK = "tickets.tasks.meet_rules"
BATCH = 500
LATER = timedelta(days=1)  # a time that no calendar counts is looked at again then
# The moment a rule counts from → the column that holds it.
SINCE: dict[str, tuple[str | Promise, str]] = {
    "opened": (_("it came in"), "opened_at"),
    "customer_wrote": (_("the customer last wrote"), "last_customer_message_at"),
    "waiting": (_("it waits for us"), "waiting_since"),
    "last_message": (_("the last message"), "last_message_at"),
    "solved": (_("it was solved"), "solved_at"),
    "escalated": (_("it was escalated"), "escalated_at"),
}


class Times:
    """When the time of rules comes, of versions or of what is typed; calendars are read when the first counts working time."""

    @cached_property
    def _calendars(self) -> Calendars:
        return Calendars((), set(Team.objects.exclude(calendar=None).values_list("calendar", flat=True)))

    def due(self, said: Any, since: datetime, ticket: Ticket) -> datetime | None:
        """None where no calendar counts it: there is none, or it never has so many hours."""
        if said.hours == Hours.CALENDAR:
            return since + timedelta(minutes=said.minutes)
        hours = self._calendars.of(None, ticket.team.calendar_id if ticket.team else None)
        try:
            return worktime.add(hours, since, said.minutes * 60) if hours else None
        except worktime.CalendarError:
            return None

    def of(self, said: Any, ticket: Ticket) -> datetime | None:
        """None also where what it counts from has not happened."""
        since = getattr(ticket, SINCE[said.since][1])
        return self.due(said, since, ticket) if since else None


def plan(tickets: Collection[int], rules: QuerySet[Rule]) -> None:
    """Say anew when the time of each rule comes for each of these tickets, after something happened to them.

    Where a rule's conditions ask only what is told by an event each time it changes, a ticket that does not meet them has no
    timer: the change that makes it meet them plans again. A time that is over is now, unless the rule has fired for it or it
    was over before the rule began; and where time alone can make them true, it is that moment.
    """
    at, times = now(), Times()
    every = list(rules.select_related("version"))
    with once():
        chosen = [(rule, said, asked) for rule in every if (said := rule.version) and (asked := _asked(said))]
    found = Ticket.objects.filter(pk__in=tickets).exclude(status__in=(Status.CLOSED, Status.SPAM))
    rows = list(found.select_related(*RELATED))
    others = linked([asked for _rule, _said, asked in chosen], found, at)
    fired = set(RuleRun.objects.filter(ticket__in=tickets, rule__in=every).values_list("rule", "ticket", "once"))
    wanted = []
    for rule, said, asked in chosen:
        for ticket in rows:
            since = getattr(ticket, SINCE[said.since][1])
            if since is None or (rule.pk, ticket.pk, since.isoformat()) in fired:
                continue
            due = times.due(said, since, ticket) or at + LATER
            if (rule.began_at and due <= rule.began_at) or (ticket.imported_at and since <= ticket.imported_at):
                continue
            counted = rule.hours_turn if said.hours == Hours.BUSINESS else None
            certain = not asked.linked and set(asked.fields) <= set(TRACKED)
            if certain or due <= at:
                known = facts([asked], ticket, at, others)
                if not asked.holds(known, at, {}):
                    if turn := asked.turns(known, at):
                        wanted.append(RuleTimer(rule=rule, ticket=ticket, since=since, due_at=max(due, turn), counted=counted))
                    continue
            wanted.append(RuleTimer(rule=rule, ticket=ticket, since=since, due_at=max(due, at), counted=counted))
    RuleTimer.objects.filter(ticket__in=tickets, rule__in=every).delete()
    keep(wanted)


def _asked(said: RuleVersion) -> Asked | None:
    try:
        return Asked(said.conditions, "ticket")
    except ConditionError:
        return None


def standing(rule: Rule, ticket: Ticket) -> tuple[str, datetime | None]:
    """Why a rule "after a time" that is on has not met a ticket: it "waits" until then, was "over" when it began, or neither."""
    if timer := RuleTimer.objects.filter(rule=rule, ticket=ticket).first():
        return "waits", timer.due_at
    due = Times().of(rule.version, ticket) if rule.version else None
    if due and rule.began_at and due <= rule.began_at:
        return "over", rule.began_at
    return "", None


def keep(timers: Iterable[RuleTimer]) -> None:
    """One for each rule and ticket: a later word replaces an earlier one."""
    one, anew = ["rule", "ticket"], ["since", "due_at", "counted"]
    RuleTimer.objects.bulk_create(timers, batch_size=1000, update_conflicts=True, unique_fields=one, update_fields=anew)


@transaction.atomic
def begin(rule: Rule) -> int:
    """A rule was switched on, or says something else now: the tickets whose time is still to come have it planned.

    Those whose time is over are left alone; of working time, `count_again` says which. Returns how many were planned. This is
    the one look at all tickets, once, when a person asks for it.
    """
    RuleTimer.objects.filter(rule=rule).delete()
    Rule.objects.filter(pk=rule.pk).update(began_at=now())
    if rule.kind != RuleKind.TIME or not rule.is_enabled or rule.version is None:
        return 0
    column, wait = SINCE[rule.version.since][1], timedelta(minutes=rule.version.minutes)
    here = Q(imported_at=None) | Q(imported_at__lt=F(column))
    found = Ticket.objects.filter(here, status__in=[*LIVE, Status.SOLVED]).annotate(since=F(column)).exclude(since=None)
    working = rule.version.hours == Hours.BUSINESS
    if not working:
        found = found.filter(since__gt=now() - wait)
    due, counted = (lambda since: now() + LATER, 0) if working else (lambda since: since + wait, None)
    rows = found.values_list("pk", "since").iterator(chunk_size=2000)
    planned = [RuleTimer(rule=rule, ticket_id=pk, since=since, due_at=due(since), counted=counted) for pk, since in rows]
    keep(planned)
    if working:
        bell.ring(TASK)
    return len(planned)


def on_calendar_changed(pks: list[int]) -> None:
    """Hours or holidays of these calendars changed (settings.CALENDAR_CHANGED): working time is counted again, by the tick."""
    if Rule.objects.filter(version__hours=Hours.BUSINESS, is_enabled=True).update(hours_turn=F("hours_turn") + 1):
        bell.ring(TASK)


@transaction.atomic
def count_again(at: datetime) -> int:
    """Say of one batch of timers anew when working time is over, where hours are others by now; returns how many.

    What is locked elsewhere comes next time: whoever plans it counts it with the hours of then.
    """
    stale = RuleTimer.objects.filter(rule__in=_of_working_time(), counted__lt=F("rule__hours_turn"))
    rows = list(_locked(stale.order_by("id")))
    kept, over = _counted(rows, at)
    RuleTimer.objects.bulk_update(kept, ["due_at", "counted"])
    RuleTimer.objects.filter(pk__in=over).delete()
    return len(rows)


def _of_working_time() -> list[int]:
    return list(Rule.objects.filter(version__hours=Hours.BUSINESS, is_enabled=True).values_list("pk", flat=True))


def _locked(timers: QuerySet[RuleTimer]) -> QuerySet[RuleTimer]:
    return timers.select_related("rule__version", "ticket__team").select_for_update(of=("self",), skip_locked=True)[:BATCH]


def _counted(timers: Iterable[RuleTimer], at: datetime) -> tuple[list[RuleTimer], list[int]]:
    """Those with their time as the hours are now, and the ids of those that were over before their rule began."""
    times, kept, over = Times(), [], []
    for row in timers:
        due = times.due(row.rule.version, row.since, row.ticket) or at + LATER
        if row.rule.began_at and due <= row.rule.began_at:
            over.append(row.pk)
        else:
            row.due_at, row.counted = due, row.rule.hours_turn
            kept.append(row)
    return kept, over


@transaction.atomic
def ring_due(at: datetime) -> int:
    """Make meetings of the timers that are due, oldest first, each for its one rule; returns how many were looked at.

    Working time is counted again first: hours may be others by now, and what is not due yet waits on.
    """
    found = list(_locked(RuleTimer.objects.filter(due_at__lte=at).order_by("due_at", "id")))
    kept, over = _counted([row for row in found if row.rule.version and row.rule.version.hours == Hours.BUSINESS], at)
    later = [row for row in kept if row.due_at > at]
    RuleTimer.objects.bulk_update(later, ["due_at", "counted"])
    done = {row.pk for row in found} - {row.pk for row in later}
    RuleMeeting.objects.bulk_create(
        [
            RuleMeeting(
                ticket_id=row.ticket_id,
                key=f"time:{row.pk}",
                kind=RuleKind.TIME,
                only_id=row.rule_id,
                since=row.since,
                at=row.due_at,
            )
            for row in found
            if row.pk in done.difference(over)
        ],
        ignore_conflicts=True,
    )
    RuleTimer.objects.filter(pk__in=done).delete()
    return len(found)
