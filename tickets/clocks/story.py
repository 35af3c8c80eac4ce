"""What was promised on a ticket, and when each promise runs: read from its history alone, so any order of work agrees.

The rules are those of docs/clocks.md; nothing here knows a policy's targets, a calendar or the database.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from tickets.models import Status
from tickets.models.clocks import Kind

OVER = frozenset({Status.SOLVED.value, Status.CLOSED.value})
APART = frozenset({Status.SPAM.value})  # it stands still there, and counts as if it never had been once it is cleared

Span = tuple[datetime, datetime | None]


@dataclass(frozen=True)
class Change:
    """How a ticket stood from a moment on."""

    at: datetime
    status: str
    priority: str
    waiting_since: datetime | None
    cause: str = ""


@dataclass(frozen=True)
class Promise:
    """One clock: the spans in which it runs, its end, and how it stands if it has none."""

    kind: str
    start: datetime
    spans: tuple[Span, ...]
    priority: str  # in force at its end, or now
    end: datetime | None = None
    ended_by: str = ""  # reply, solved
    idle: str = ""  # the status in which it stands still
    idle_since: datetime | None = None


def in_order(changes: Sequence[Change]) -> list[Change]:
    """As they were written, under the ticket's lock: what carries an earlier time (a mail that was long on its way) counts
    from when it was known."""
    told: list[Change] = []
    for change in changes:
        at = max(change.at, told[-1].at) if told else change.at
        told.append(Change(at, change.status, change.priority, change.waiting_since, change.cause))
    return told


def promises(changes: Sequence[Change], replies: Sequence[datetime], pauses: Collection[str]) -> list[Promise]:
    """Every promise of a ticket so far. ``replies`` are the public replies of people; ``pauses`` stop a resolution."""
    told = in_order(changes)
    start = next((change.waiting_since for change in told if change.waiting_since), None)
    if start is None:
        return []
    first = min((at for at in replies if at >= start), default=None)
    found = [_promise(told, Kind.FIRST_REPLY, start, first, "reply" if first else "", OVER)]
    if first:
        found += _next_replies(told, replies, first)
    over = next((place for place, change in enumerate(told) if change.status in OVER and change.at >= start), len(told))
    solved = told[over].at if told[over:] else None
    found.append(_promise(told, Kind.RESOLUTION, start, solved, "solved" if solved else "", frozenset(pauses)))
    if any(change.status not in OVER | APART for change in told[over:]):  # by their order: an answer solves at its own moment
        last = _since(told, OVER) if told[-1].status in OVER else None
        still = frozenset(pauses) | OVER
        found.append(_promise(told, Kind.FULL_RESOLUTION, start, last, "solved" if last else "", still))
    return found


def _next_replies(told: list[Change], replies: Sequence[datetime], first: datetime) -> Iterator[Promise]:
    """One for each oldest unanswered message after the first reply, until the reply that nobody took back."""
    seen: dict[datetime, tuple[int, int]] = {}
    for place, change in enumerate(told):
        if (since := change.waiting_since) and since >= first:
            seen[since] = (seen.get(since, (place, place))[0], place)
    answered = set(replies)
    for since, (begin, last) in seen.items():
        if told[begin].cause == "ticket.reopened" and told[begin].at == since:
            continue  # a person opened it again: no message of theirs waits
        after = told[last + 1] if last + 1 < len(told) else None
        if after is None or (after.status in APART and told[-1].status in APART):
            yield _promise(told, Kind.NEXT_REPLY, since, None, "", frozenset())
        else:
            how = "solved" if after.status in OVER and after.at not in answered else "reply"
            yield _promise(told, Kind.NEXT_REPLY, since, after.at, how, frozenset())


def _promise(
    told: list[Change], kind: str, start: datetime, end: datetime | None, ended_by: str, still: frozenset[str]
) -> Promise:
    now = told[-1]
    idle = now.status if end is None and (now.status in still or now.status in APART) else ""
    priority = next((change.priority for change in reversed(told) if end is None or change.at <= end), told[0].priority)
    spans = tuple(_spans(told, start, end, still))
    return Promise(str(kind), start, spans, priority, end, ended_by, idle, _since(told, {idle}) if idle else None)


def _spans(told: list[Change], start: datetime, end: datetime | None, still: frozenset[str]) -> Iterator[Span]:
    """The time from start to end, without what was spent in a status that stops it; neighbours joined."""
    begin: datetime | None = None
    for place, change in enumerate(told):
        until = told[place + 1].at if place + 1 < len(told) else None
        stops = change.status in still or (until is None and change.status in APART)
        here = start if place == 0 else max(change.at, start)
        if end is not None and here >= end:
            break
        if stops and begin is not None:
            if here > begin:
                yield begin, here
            begin = None
        elif not stops and begin is None and (until is None or until > here):
            begin = here
    if begin is not None and (end is None or end > begin):
        yield begin, end


def _since(told: list[Change], statuses: Collection[str]) -> datetime:
    """Since when it has been in these statuses, the present one among them."""
    at = told[-1].at
    for change in reversed(told):
        if change.status not in statuses:
            break
        at = change.at
    return at
