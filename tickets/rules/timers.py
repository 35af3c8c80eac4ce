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
from tickets.clocks.policies import Calendars
from tickets.fields import RELATED
from tickets.models import LIVE, Rule, RuleKind, RuleMeeting, RuleRun, RuleTimer, Status, Ticket
from tickets.models.change import TRACKED
from tickets.models.clocks import Hours

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
        chosen = [(rule, asked) for rule in every if (asked := _asked(rule))]
    found = Ticket.objects.filter(pk__in=tickets).exclude(status__in=(Status.CLOSED, Status.SPAM))
    rows = list(found.select_related(*RELATED))
    others = linked([asked for _rule, asked in chosen], found, at)
    fired = set(RuleRun.objects.filter(ticket__in=tickets, rule__in=every).values_list("rule", "ticket", "once"))
    wanted = []
    for rule, asked in chosen:
        for ticket in rows:
            since = getattr(ticket, SINCE[rule.version.since][1])  # type: ignore[union-attr]
            if since is None or (rule.pk, ticket.pk, since.isoformat()) in fired:
                continue
            due = times.due(rule.version, since, ticket) or at + LATER
            if (rule.began_at and due <= rule.began_at) or (ticket.imported_at and since <= ticket.imported_at):
                continue
            certain = not asked.linked and set(asked.fields) <= set(TRACKED)
            if certain or due <= at:
                known = facts([asked], ticket, at, others)
                if not asked.holds(known, at, {}):
                    if turn := asked.turns(known, at):
                        wanted.append(RuleTimer(rule=rule, ticket=ticket, since=since, due_at=max(due, turn)))
                    continue
            wanted.append(RuleTimer(rule=rule, ticket=ticket, since=since, due_at=max(due, at)))
    RuleTimer.objects.filter(ticket__in=tickets, rule__in=every).delete()
    keep(wanted)


def _asked(rule: Rule) -> Asked | None:
    try:
        return Asked(rule.version.conditions, "ticket")  # type: ignore[union-attr]
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
    RuleTimer.objects.bulk_create(
        timers, batch_size=1000, update_conflicts=True, unique_fields=["rule", "ticket"], update_fields=["since", "due_at"]
    )


@transaction.atomic
def begin(rule: Rule) -> int:
    """A rule was switched on, or says something else now: the tickets whose time is still to come have it planned.

    Those whose time is over are left alone. Returns how many were planned. This is the one look at all tickets, once, when
    a person asks for it.
    """
    RuleTimer.objects.filter(rule=rule).delete()
    Rule.objects.filter(pk=rule.pk).update(began_at=now())
    if rule.kind != RuleKind.TIME or not rule.is_enabled or rule.version is None:
        return 0
    column, wait = SINCE[rule.version.since][1], timedelta(minutes=rule.version.minutes)
    here = Q(imported_at=None) | Q(imported_at__lt=F(column))
    found = Ticket.objects.filter(here, status__in=[*LIVE, Status.SOLVED]).annotate(since=F(column))
    working = rule.version.hours == Hours.BUSINESS  # then the tick finds when, in its batches
    coming = found.exclude(since=None) if working else found.filter(since__gt=now() - wait)
    rows = coming.values_list("pk", "since").iterator(chunk_size=2000)
    planned = [RuleTimer(rule=rule, ticket_id=pk, since=since, due_at=now() if working else since + wait) for pk, since in rows]
    keep(planned)
    return len(planned)


@transaction.atomic
def ring_due(at: datetime) -> int:
    """Make meetings of the timers that are due, oldest first, each for its one rule; returns how many were looked at.

    Working time is counted again first: hours and holidays may be others by now, and what is not due yet waits on.
    """
    due = RuleTimer.objects.filter(due_at__lte=at).select_related("rule__version", "ticket__team").order_by("due_at", "id")
    found = list(due.select_for_update(of=("self",), skip_locked=True)[:BATCH])
    rows, waiting = _counted(found, at)
    RuleTimer.objects.bulk_update(waiting, ["due_at"])
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
            for row in rows
        ],
        ignore_conflicts=True,
    )
    RuleTimer.objects.filter(pk__in={row.pk for row in found} - {row.pk for row in waiting}).delete()
    return len(found)


def _counted(timers: Iterable[RuleTimer], at: datetime) -> tuple[list[RuleTimer], list[RuleTimer]]:
    """Those whose time has come, and those that wait on. What was over before its rule began is in neither."""
    times, come, waiting = Times(), [], []
    for row in timers:
        if row.rule.version is None or row.rule.version.hours == Hours.CALENDAR:
            come.append(row)
            continue
        due = times.due(row.rule.version, row.since, row.ticket) or at + LATER
        if due > at:
            row.due_at = due
            waiting.append(row)
        elif row.rule.began_at is None or due > row.rule.began_at:
            come.append(row)
    return come, waiting


def on_calendar_changed(pks: list[int]) -> None:
    """Hours or holidays of these calendars changed (settings.CALENDAR_CHANGED): the tick counts all working time again."""
    RuleTimer.objects.filter(rule__version__hours=Hours.BUSINESS).update(due_at=now())
