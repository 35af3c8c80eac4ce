"""The month is over: every promise against what was told of it, every ticket against its row, and the figures."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from statistics import median, quantiles
from typing import Any

from helpdesk.customers.models import EventDelivery
from helpdesk.demo.month.mirror import OVER, Kept
from helpdesk.demo.month.play import Month
from helpdesk.demo.month.promises import BREACHED, SOON, Promises, Told
from helpdesk.demo.month.ruler import MINUTE
from helpdesk.demo.month.watch import Watch
from tickets.models import Assignment, Message, RuleMeeting, Ticket
from tickets.models.clocks import Clock

CLOSE = timedelta(milliseconds=1)  # the product adds up seconds as floating numbers
SAMPLED = 200  # tickets whose promises are counted by the minute, too


@dataclass
class Summary:
    tickets: int
    answered: int
    solved: int
    messages: int
    replies: int
    gifts: int
    longest_queue: int
    breached: dict[str, int]
    warned: int
    first_reply: dict[str, float]  # minutes: median and P90, on the wall and in business hours
    ticks: int
    checks: int
    violations: int
    found: dict[str, int]
    seconds: float

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def examine(month: Month) -> None:
    """What can be said only now; violations go to the watch."""
    _nothing_lost(month)
    _promises_told(month)


def _nothing_lost(month: Month) -> None:
    watch, end = month.watch, month.scheme.end
    kept = watch.mirror.tickets
    fields = ("status", "assignee", "team", "priority", "topic")
    for pk, *row in Ticket.objects.order_by("pk").values_list("pk", *fields):
        mine = kept.get(pk)
        told = [getattr(mine, name) for name in fields] if mine else None
        watch.check(
            told == row, "a ticket is not what was told", end, f"{pk}: {dict(zip(fields, row, strict=True))}, told {told}"
        )
    watch.check(Ticket.objects.count() == len(kept), "tickets lost", end, f"{Ticket.objects.count()} of {len(kept)}")
    heard = Message.objects.filter(kind=Message.Kind.CUSTOMER).count()
    watch.check(heard == month.heard, "messages lost", end, f"{heard} of {month.heard}")
    answered = Message.objects.filter(kind=Message.Kind.REPLY).count()
    watch.check(answered == month.answered, "answers lost", end, f"{answered} of {month.answered}")
    owed = EventDelivery.objects.count() + RuleMeeting.objects.exclude(state=RuleMeeting.State.DONE).count()
    watch.check(not owed, "work left undone", end, f"{owed} deliveries and meetings with rules")
    rows, given = Assignment.objects.count(), sum(len(each) for each in watch.mirror.given.values())
    watch.check(rows == given, "assigned twice", end, f"{rows} rows, {given} told")


def _promises_told(month: Month) -> None:
    promises, watch = Promises(month.scheme, month.watch.roster), month.watch
    tickets = list(watch.mirror.tickets.values())
    every = max(1, len(tickets) // SAMPLED)
    for place, ticket in enumerate(tickets):
        expected = promises.of(ticket, month.scheme.end, minutely=place % every == 0)
        _compare(watch, ticket, expected, month.scheme.end)
    rows = set(Clock.objects.values_list("ticket", "kind", "started_at"))
    for what, clocks in (("a clock is missing", promises.clocks - rows), ("a clock too much", rows - promises.clocks)):
        watch.checks += len(rows)
        for pk, kind, start in sorted(clocks):
            watch.wrong(what, start, f"ticket {pk}, {kind}")
    watch.checks += promises.compared
    for words in promises.differ:
        watch.wrong("the two ways of counting differ", month.scheme.end, words)


def _compare(watch: Watch, ticket: Kept, expected: Sequence[Told], end: datetime) -> None:
    """Each expected word of a promise was told at its moment, by the next full minute, once; and no other was."""
    wanted, told = _by_clock(expected), _by_clock(ticket.told)
    for key in {*wanted, *told}:
        event, clock = key
        words = f"ticket {ticket.pk}, {clock}"
        mine, theirs = wanted.get(key, []), told.get(key, [])
        if len(mine) != len(theirs):
            what = "not told" if len(mine) > len(theirs) else "told too often"
            watch.check(False, f"{event} {what}", end, f"{words}: expected {_times(mine)}, told {_times(theirs)}")
            continue
        for (at, latest), (told_at, received) in zip(mine, theirs, strict=True):
            watch.check(abs(at - told_at) <= CLOSE, f"{event} at another minute", at, f"{words}: told as of {told_at}")
            in_time = at - CLOSE <= received <= latest
            watch.check(in_time, f"{event} told late", at, f"{words}: told at {received}, expected by {latest}")


def _by_clock(told: Sequence[Told]) -> dict[tuple[str, str], list[tuple[datetime, datetime]]]:
    found: dict[tuple[str, str], list[tuple[datetime, datetime]]] = defaultdict(list)
    for event, clock, at, moment in sorted(told, key=lambda each: each[2]):
        found[event, clock].append((at, moment))
    return found


def _times(pairs: Sequence[tuple[datetime, datetime]]) -> str:
    return ", ".join(f"{at:%d. %H:%M:%S}" for at, _moment in pairs) or "nothing"


def summary(month: Month, seconds: float) -> Summary:
    watch = month.watch
    tickets = list(watch.mirror.tickets.values())
    promises = Promises(month.scheme, watch.roster)
    first = [(each.opened_at, each.first_reply) for each in tickets if each.first_reply]
    wall = [(answer - opened) / MINUTE for opened, answer in first]
    ruler = promises.rulers["Long days"]
    business = [(ruler.passed(answer) - ruler.passed(opened)) / MINUTE for opened, answer in first]
    told = Counter((event, clock) for each in tickets for event, clock, _at, _received in each.told)
    return Summary(
        tickets=len(tickets),
        answered=len(first),
        solved=sum(each.status in OVER for each in tickets),
        messages=month.heard,
        replies=month.answered,
        gifts=watch.gifts,
        longest_queue=watch.longest,
        breached={clock: count for (event, clock), count in sorted(told.items()) if event == BREACHED},
        warned=sum(count for (event, _clock), count in told.items() if event == SOON),
        first_reply={
            "median": _round(median(wall)) if wall else 0,
            "p90": _p90(wall),
            "business_median": _round(median(business)) if business else 0,
            "business_p90": _p90(business),
        },
        ticks=watch.ticks,
        checks=watch.checks,
        violations=watch.found.total(),
        found=dict(watch.found),
        seconds=_round(seconds),
    )


def _p90(values: Sequence[float]) -> float:
    return _round(quantiles(values, n=10)[-1]) if len(values) > 1 else 0


def _round(value: float) -> float:
    return round(value, 1)
