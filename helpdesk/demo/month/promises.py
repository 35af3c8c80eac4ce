"""What should have been told of every promise: each clock of each ticket counted from its story, as of every moment that counts.

A policy promises, a ticket's story says what ran and what stood still, and the desk looks again whenever something changes, at
the next full minute, and in between at the very minute that a warning or a breach is due, also one that a change since has moved
(docs/clocks.md says the rules).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from helpdesk.demo.month.mirror import OVER, Kept, Stood
from helpdesk.demo.month.roster import Roster
from helpdesk.demo.month.ruler import MINUTE, AroundTheClock, Ruler, Span, by_minutes, reached
from helpdesk.demo.month.scheme import Promised, Scheme, above

BREACHED, SOON = "ticket.breached", "ticket.due_soon"
Told = tuple[str, str, datetime, datetime]  # event, clock, its moment, when it is told at the latest
FAR = 60 * 24 * 90  # minutes


def full(at: datetime) -> datetime:
    """The next full minute, or this one."""
    minute = at.replace(second=0, microsecond=0)
    return minute if minute == at else minute + MINUTE


@dataclass
class Clock:
    kind: str
    start: datetime
    warned: datetime | None = None
    breached: datetime | None = None
    over: bool = False  # it was looked at after its end
    ahead: datetime | None = None  # when it was to be looked at next, as it stood at the last look
    there: bool = False  # something is promised


class Promises:
    def __init__(self, scheme: Scheme, roster: Roster) -> None:
        self.scheme = scheme
        self.slugs = {pk: slug for slug, pk in scheme.topics.items()}
        self.team_hours = {team.pk: team.hours for team in scheme.teams.values()}
        self.rulers: dict[str, Ruler] = {name: Ruler(spans) for name, spans in roster.spans.items()}
        self.rulers[""] = AroundTheClock()
        self.minutely = False
        self.clocks: set[tuple[int, str, datetime]] = set()  # ticket, kind and start of each that there is at the end
        self.compared = 0
        self.differ: list[str] = []

    def of(self, ticket: Kept, end: datetime, *, minutely: bool) -> list[Told]:
        """All that should have been told of this ticket by the end of the month."""
        self.minutely = minutely
        clocks: dict[tuple[str, datetime], Clock] = {}
        found: list[Told] = []
        story = [each for each in ticket.story if each.at <= end]
        for place, stood in enumerate(story):
            until = story[place + 1].at if place + 1 < len(story) else end
            look = stood.at if place == 0 else full(stood.at)
            if until < look:  # changed again before the minute was full
                moments = [clock.ahead for clock in clocks.values() if clock.ahead and stood.at < clock.ahead <= until]
                if not moments:
                    continue  # and before anybody looked
                look = min(moments)
            seen = story[: place + 1]
            replies = [at for at in ticket.replies if at <= stood.at]
            for kind, start, spans, ended, idle in self._running(seen, replies, stood):
                clock = clocks.setdefault((kind, start), Clock(kind, start))
                found += self._told(clock, clocks, seen, spans, ended, idle, look, until)
        self.clocks |= {(ticket.pk, *key) for key, clock in clocks.items() if clock.there}
        return found

    def _policy(self, stood: Stood) -> Promised:
        path = above(self.slugs.get(stood.topic or 0, ""))
        return next(
            each
            for each in self.scheme.promised
            if (not each.topic or each.topic in path) and (not each.tag or each.tag in stood.tags)
        )

    def _running(
        self, seen: Sequence[Stood], replies: Sequence[datetime], stood: Stood
    ) -> Iterator[tuple[str, datetime, list[Span], datetime | None, bool]]:
        """Each clock there is by now: its kind and start, the spans in which it ran, its end, and whether it stands still."""
        start, pauses = seen[0].at, self._policy(stood).pauses
        first = min(replies, default=None)
        yield "first_reply", start, *_spans(seen, start, first, OVER)
        if first:
            for since in dict.fromkeys(each.since for each in seen if each.since and each.since > first):
                last = max(place for place, each in enumerate(seen) if each.since == since)
                ended = seen[last + 1].at if last + 1 < len(seen) else None
                yield "next_reply", since, *_spans(seen, since, ended, ())
        solved = next((each.at for each in seen if each.status in OVER), None)
        yield "resolution", start, *_spans(seen, start, solved, pauses)
        if solved and any(each.at > solved and each.status not in OVER for each in seen):
            ended = None
            for each in reversed(seen):
                if each.status not in OVER:
                    break
                ended = each.at
            yield "full_resolution", start, *_spans(seen, start, ended, (*pauses, *OVER))

    def _told(
        self,
        clock: Clock,
        clocks: dict[tuple[str, datetime], Clock],
        seen: Sequence[Stood],
        spans: list[Span],
        ended: datetime | None,
        idle: bool,
        look: datetime,
        until: datetime,
    ) -> Iterator[Told]:
        if clock.over and ended:
            return
        clock.over, clock.ahead = ended is not None, None
        if clock.breached:
            return
        stood = seen[-1]
        policy = self._policy(stood)
        priority = next(each.priority for each in reversed(seen) if ended is None or each.at <= ended)
        row = policy.targets[priority]
        minutes = row["resolution" if clock.kind == "full_resolution" else clock.kind]
        clock.there = minutes is not None
        if minutes is None:
            clock.warned = None
            return
        hours = "" if row["hours"] == "calendar" else policy.hours or self.team_hours.get(stood.team or 0, "Office")
        target = timedelta(minutes=minutes)
        due = self._reached(hours, spans, target)
        if due and (due < ended if ended else due <= until):
            told_at = look if due <= look else due
            warned = [] if ended or idle else list(self._warned(clock, hours, spans, target, policy, look, min(due, until)))
            if due > look:
                yield from warned
            clock.breached, clock.ahead = due, None
            mother = clocks.get(("resolution", clock.start)) if clock.kind == "full_resolution" else None
            if not (mother and mother.breached):
                yield BREACHED, clock.kind, due, full(told_at)
        elif not ended and not idle and due:
            clock.ahead = due
            yield from self._warned(clock, hours, spans, target, policy, look, until)

    def _warned(
        self, clock: Clock, hours: str, spans: list[Span], target: timedelta, policy: Promised, look: datetime, until: datetime
    ) -> Iterator[Told]:
        warn = self._reached(hours, spans, max(timedelta(), target - timedelta(minutes=policy.warn)))
        if not warn or (clock.warned is not None and warn <= clock.warned):
            return
        if warn > until:
            clock.ahead = warn
            return
        clock.warned = warn
        yield SOON, clock.kind, warn, full(max(warn, look))

    def _reached(self, hours: str, spans: list[Span], target: timedelta) -> datetime | None:
        at = reached(self.rulers[hours], spans, target)
        if self.minutely and target:
            self.compared += 1
            same = by_minutes(self.scheme.hours[hours] if hours else None, spans, target, FAR)
            if same != at:
                self.differ.append(f"{hours or 'around the clock'}: {at} by spans, {same} by minutes")
        return at


def _spans(
    seen: Sequence[Stood], start: datetime, end: datetime | None, still: Sequence[str]
) -> tuple[list[Span], datetime | None, bool]:
    """The spans from start to end outside the states in which it stands still; its end; and whether it stands now."""
    spans: list[Span] = []
    for place, each in enumerate(seen):
        begin = max(each.at, start)
        until = seen[place + 1].at if place + 1 < len(seen) else None
        if end is not None and (until is None or until > end):
            until = end
        if each.status in still or (until is not None and until <= begin):
            continue
        if spans and spans[-1][1] == begin:
            spans[-1] = (spans[-1][0], until)
        else:
            spans.append((begin, until))
    return spans, end, end is None and seen[-1].status in still
