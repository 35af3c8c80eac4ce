"""Clocks kept true: counted anew from history, in sets; told at their minute, once.

Everything that may move a clock ends here: intake, the subscriber of `ticket.*`, the tick, and the recount after a policy or
a calendar changed. Each reads what is and writes what follows, under the tickets' locks, so their order does not matter.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any

from django.db import transaction

from helpdesk.customers.models import Event
from helpdesk.customers.timeline import Fact, record_all
from helpdesk.lib import worktime
from helpdesk.lib.dates import age, now
from helpdesk.live.streams import announce
from tickets.clocks.policies import Calendars, choose, working
from tickets.clocks.reckoning import reckon
from tickets.clocks.story import Change, Promise, promises
from tickets.models import LIVE, Message, Ticket
from tickets.models.clocks import NO_HOURS, Clock, Hours, Kind, Policy, Recount, StatusChange
from tickets.models.rules import unruled

AT_ONCE = 200
ONE_OF = {Kind.FIRST_REPLY.value, Kind.RESOLUTION.value, Kind.FULL_RESOLUTION.value}  # a ticket has at most one of each
COUNTED = [field.name for field in Clock._meta.concrete_fields if field.name not in ("id", "ticket")]


def on_ticket_events(events: list[Event]) -> None:
    """Something happened to these tickets (settings.EVENT_SUBSCRIBERS): their clocks are counted anew."""
    recompute({event.payload["ticket"] for event in events})


def run_due() -> bool:
    """What has something to tell now, counted anew and told; whether there may be more. The tick."""
    due = {ticket for ticket, _at in _to_tell(AT_ONCE)}
    if not due:
        return False
    with transaction.atomic():
        free = Ticket.objects.filter(pk__in=due).order_by("pk").select_for_update(skip_locked=True, of=("self",))
        found = list(free.values_list("pk", flat=True))  # what somebody changes just now is looked at by the next tick
        recompute(found)
    return len(due) > AT_ONCE // 4 and bool(found)


def _to_tell(most: int) -> list[tuple[int, datetime | None]]:
    """Tickets with something to tell, and since when; what is still to meet the rules waits for them, and holds up no other."""
    rows = Clock.objects.filter(next_at__lte=now()).order_by("next_at").values_list("ticket", "next_at")
    found = list(rows[:most])
    if found and (waiting := unruled()):
        found = list(rows.exclude(ticket__in=waiting)[:most])
    return found


def health() -> dict[str, float | None]:
    """For settings.HEALTH: how long ago the first warning or breach was due that nobody has been told of."""
    return {"oldest_waiting_seconds": age(next((at for _ticket, at in _to_tell(1)), None))}


@transaction.atomic(savepoint=False)
def recompute(pks: Iterable[int], *, fresh: bool = False) -> set[int]:
    """Count the clocks of these tickets anew; returns those whose dates changed. ``fresh`` tickets have none yet.

    Bounded queries for each 200, whatever their number.
    """
    changed: set[int] = set()
    wanted = sorted(set(pks))
    policies = working()
    for start in range(0, len(wanted), AT_ONCE):
        changed |= _batch(wanted[start : start + AT_ONCE], policies, fresh)
    return changed


def _batch(pks: Sequence[int], policies: list[Policy], fresh: bool) -> set[int]:
    known: dict[int, list[Clock]] = defaultdict(list)
    if not fresh:
        if not policies and not Clock.objects.filter(ticket__in=pks).exists():
            return set()
        tickets = list(Ticket.objects.filter(pk__in=pks).order_by("pk").select_for_update(of=("self",)).select_related("team"))
        for clock in Clock.objects.filter(ticket__in=pks).select_related("policy"):
            known[clock.ticket_id].append(clock)
    elif policies:
        tickets = list(Ticket.objects.filter(pk__in=pks).select_related("team"))
    else:
        return set()
    work = Work(tickets, policies, known, fresh)
    work.settle()
    return work.write()


class Work:
    """One batch: what is read for all, what is to be written for all. Settled and not written, it is a trial."""

    def __init__(self, tickets: list[Ticket], policies: list[Policy], known: dict[int, list[Clock]], fresh: bool = False) -> None:
        self.at, self.known, self.tickets = now(), known, tickets
        pks = [ticket.pk for ticket in tickets]
        self.policies = choose(pks, policies, self.at)
        teams = {ticket.team.calendar_id for ticket in tickets if ticket.team and ticket.team.calendar_id}
        self.calendars = Calendars(set(self.policies.values()), teams)
        self.recount = None if fresh else Recount.objects.filter(finished_at=None).first()  # after the hours that it is about
        self.changes, self.replies = _history(pks), _replies(pks)
        self.new: list[Clock] = []
        self.moved: list[Clock] = []
        self.gone: list[int] = []
        self.dated: list[Ticket] = []
        self.facts: list[Fact] = []

    @cached_property
    def unruled(self) -> set[int]:
        return unruled([ticket.pk for ticket in self.tickets])  # asked only where there is something to tell

    def settle(self) -> None:
        for ticket in self.tickets:
            self._settle(ticket)

    def _settle(self, ticket: Ticket) -> None:
        """One ticket's clocks, against what is stored of them."""
        policy = self.policies.get(ticket.pk)
        stored = self.known.get(ticket.pk, [])
        by_key = {(clock.kind, None if clock.kind in ONE_OF else clock.started_at): clock for clock in stored}
        changes = self.changes.get(ticket.pk) or _guessed(ticket)
        pauses = policy.pauses if policy else ()
        kept: list[Clock] = []
        for promise in promises(changes, self.replies.get(ticket.pk, ()), pauses):
            clock = by_key.pop((promise.kind, None if promise.kind in ONE_OF else promise.start), None)
            kept += self._count(ticket, policy, promise, clock)
        for clock in by_key.values():  # a reply that ended it was taken back, or nothing is promised any more
            if clock.breached_at is None:
                self.gone.append(clock.pk)
            elif clock.ended_at is None:
                clock.ended_at, clock.next_at = self.at, None
                self.moved.append(clock)
        kept_all = [*kept, *(clock for clock in by_key.values() if clock.breached_at)]
        self._date(ticket, kept_all)

    def _count(self, ticket: Ticket, policy: Policy | None, promise: Promise, clock: Clock | None) -> list[Clock]:
        """The promise as it is now; nothing where nothing is promised. What was missed stays so, and what ended is over."""
        if clock and clock.ended_at and clock.ended_at == promise.end:
            return [clock]
        before = {name: getattr(clock, name) for name in COUNTED} if clock else None
        if clock and clock.breached_at:
            _end(clock, promise)
            clock.next_at = None
        else:
            target = policy.target(promise.priority, promise.kind) if policy else None
            if policy is None or target is None:
                if clock:
                    self.gone.append(clock.pk)
                return []
            if clock is None:
                if promise.end and promise.end < policy.changed_at:
                    return []  # it ended before anything was promised
                clock = Clock(ticket=ticket, kind=promise.kind)
            self._reckon(clock, ticket, policy, promise, *target)
            self._tell(clock, ticket, policy, before or {})
        if before is None:
            self.new.append(clock)
        elif before != {name: getattr(clock, name) for name in COUNTED}:
            self.moved.append(clock)
        return [clock]

    def _reckon(self, clock: Clock, ticket: Ticket, policy: Policy, promise: Promise, target: int, hours: str) -> None:
        calendar = self.calendars.of(policy.calendar_id, ticket.team.calendar_id if ticket.team else None)
        clock.started_at, clock.policy, clock.policy_version = promise.start, policy, policy.version
        clock.target, clock.hours, clock.due_at, clock.warn_at, clock.left = target, hours, None, None, target
        _end(clock, promise)
        if hours == Hours.BUSINESS and calendar is None:
            clock.idle = clock.idle or NO_HOURS
            return
        try:
            counted = reckon(
                promise.spans, promise.end, target, policy.warn_minutes * 60, calendar if hours == Hours.BUSINESS else None
            )
        except worktime.CalendarError:
            clock.idle = clock.idle or NO_HOURS
            return
        clock.due_at, clock.warn_at, clock.left = counted.due, counted.warn, counted.left if counted.due is None else None

    def _tell(self, clock: Clock, ticket: Ticket, policy: Policy, before: dict[str, Any]) -> None:
        """The warning and the breach, each at its moment and once; then when to look again.

        What was over before anybody promised it is late and no breach, whatever becomes of the ticket. A ticket that is about
        to meet the rules on new ones may go by another policy then: the tick tells what is to be told after that.
        """
        clock.next_at, clock.promised_at = None, self._promised(clock, ticket, policy, before)
        until = clock.ended_at or self.at
        if clock.due_at and (clock.due_at < until if clock.ended_at else clock.due_at <= until):
            if clock.promised_at and clock.due_at < clock.promised_at:
                return
            if not clock.ended_at and ticket.pk in self.unruled:
                clock.next_at = clock.due_at
                return
            clock.breached_at = clock.due_at
            first = self._resolution(ticket) if clock.kind == Kind.FULL_RESOLUTION else None
            if not (first and first.breached_at):  # else it is told of that one
                self.facts.append(_fact("ticket.breached", clock.breached_at, clock, ticket, policy))
            return
        if clock.ended_at or clock.due_at is None or clock.idle:
            return
        if clock.warn_at and (clock.warned_at is None or clock.warn_at > clock.warned_at):
            if clock.warn_at > self.at or ticket.pk in self.unruled:
                clock.next_at = clock.warn_at
                return
            clock.warned_at = clock.warn_at
            told_at = max(clock.warn_at, clock.promised_at) if clock.promised_at else clock.warn_at
            self.facts.append(_fact("ticket.due_soon", told_at, clock, ticket, policy))
        clock.next_at = clock.due_at

    def _promised(self, clock: Clock, ticket: Ticket, policy: Policy, before: dict[str, Any]) -> datetime | None:
        """Since when it is due then. The same date was promised all along, also by the resolution that went before.

        Another one, since its policy counts or was changed, the ticket was brought in, or the calendar was changed.
        """
        if before and clock.due_at == before["due_at"]:
            return before["promised_at"]
        if clock.kind == Kind.FULL_RESOLUTION and (first := self._resolution(ticket)) and first.due_at == clock.due_at:
            return first.promised_at
        since = [policy.changed_at, *([ticket.imported_at] if ticket.imported_at else [])]
        if self.recount and ticket.pk > self.recount.last_id:  # which has not come to it yet
            since.append(self.recount.started_at)
        return max(since)

    def _resolution(self, ticket: Ticket) -> Clock | None:
        found = (*self.known.get(ticket.pk, ()), *self.new)
        return next((each for each in found if each.ticket_id == ticket.pk and each.kind == Kind.RESOLUTION), None)

    def _date(self, ticket: Ticket, clocks: list[Clock]) -> None:
        """What lists sort and ask by."""
        running = [clock.due_at for clock in clocks if clock.due_at and not clock.ended_at and not clock.idle]
        due = min(running, default=None) if ticket.status in LIVE else None
        breached = min((clock.breached_at for clock in clocks if clock.breached_at), default=None)
        if (ticket.due_at, ticket.breached_at) != (due, breached):
            ticket.due_at, ticket.breached_at = due, breached
            self.dated.append(ticket)

    def write(self) -> set[int]:
        Clock.objects.filter(pk__in=self.gone).delete()
        Clock.objects.bulk_create(self.new)
        Clock.objects.bulk_update(self.moved, COUNTED)
        Ticket.objects.bulk_update(self.dated, ["due_at", "breached_at"])
        record_all(self.facts)
        touched = {ticket.pk for ticket in self.dated} | {clock.ticket_id for clock in (*self.new, *self.moved)}
        if touched:
            announce("inbox", *(f"ticket:{pk}" for pk in touched))
        return {ticket.pk for ticket in self.dated}


def _end(clock: Clock, promise: Promise) -> None:
    clock.ended_at, clock.ended_by = promise.end, promise.ended_by
    clock.idle, clock.idle_since = promise.idle, promise.idle_since


def _fact(kind: str, at: datetime, clock: Clock, ticket: Ticket, policy: Policy) -> Fact:
    payload = {
        **ticket.facts(),
        "clock": clock.kind,
        "policy": policy.pk,
        "policy_name": policy.name,
        "due": clock.due_at.isoformat() if clock.due_at else None,
        "seconds": clock.target,
    }
    return Fact(kind, ticket.requester_id, at, "", payload)


def _history(pks: Collection[int]) -> dict[int, list[Change]]:
    found: dict[int, list[Change]] = defaultdict(list)
    rows = StatusChange.objects.filter(ticket__in=pks).order_by("id")
    for pk, at, status, priority, waiting, cause in rows.values_list(
        "ticket", "at", "status", "priority", "waiting_since", "cause"
    ):
        found[pk].append(Change(at, status, priority, waiting, cause))
    return found


def _replies(pks: Collection[int]) -> dict[int, list[datetime]]:
    """The public replies of people; a program's and automatic ones do not count."""
    found: dict[int, list[datetime]] = defaultdict(list)
    rows = Message.objects.filter(ticket__in=pks, kind=Message.Kind.REPLY, user__isnull=False)
    for pk, at in rows.values_list("ticket", "at"):
        found[pk].append(at)
    return found


def _guessed(ticket: Ticket) -> list[Change]:
    """Of a ticket without history, brought in by bulk: it has been so since its last word."""
    began = Change(ticket.opened_at, "new", ticket.priority, ticket.last_customer_message_at and ticket.opened_at)
    return [began, Change(ticket.last_message_at, ticket.status, ticket.priority, ticket.waiting_since)]
