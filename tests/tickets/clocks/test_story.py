"""When a promise runs, stops and ends, rule by rule (docs/clocks.md), and the dates it is due against counting by the minute."""

from bisect import bisect_left
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from itertools import accumulate
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpdesk.lib import worktime
from tickets.clocks.reckoning import reckon
from tickets.clocks.story import Change, Promise, promises

MONDAY = datetime(2026, 11, 23, tzinfo=UTC)
FIVE_DAYS = [[(540, 1020)]] * 5 + [[], []]
OFFICE = worktime.Calendar(ZoneInfo("UTC"), FIVE_DAYS)


def at(clock: str, day: int = 0) -> datetime:
    return MONDAY + timedelta(days=day, hours=int(clock[:2]), minutes=int(clock[3:]))


def tell(*lines: tuple[datetime, str, datetime | None] | tuple[datetime, str, datetime | None, str]) -> list[Change]:
    """(when, status, the oldest unanswered message, cause)."""
    return [Change(line[0], line[1], "normal", line[2], line[3] if len(line) > 3 else "") for line in lines]


def of(found: Iterable[Promise], kind: str) -> list[Promise]:
    return [promise for promise in found if promise.kind == kind]


def one(found: Iterable[Promise], kind: str) -> Promise:
    (promise,) = of(found, kind)
    return promise


def due(promise: Promise, hours: float, calendar: worktime.Calendar | None = OFFICE) -> datetime | None:
    return reckon(promise.spans, promise.end, int(hours * 3600), 0, calendar).due


NINE, TEN, NOON, TWO = at("09:00"), at("10:00"), at("12:00"), at("14:00")


def test_nothing_is_promised_before_they_write():
    assert promises([], [], ["pending"]) == []
    assert promises(tell((NINE, "new", None)), [], ["pending"]) == []  # what a machine wrote starts no clock
    later = promises(tell((NINE, "new", None), (NOON, "open", NOON)), [], ["pending"])
    assert one(later, "first_reply").start == one(later, "resolution").start == NOON


def test_the_first_reply_ends_with_the_first_public_reply_of_a_person_and_fires_once():
    told = tell((NINE, "new", NINE), (TEN, "pending", None), (NOON, "open", NOON), (TWO, "pending", None))
    first = one(promises(told, [TEN, TWO], ["pending"]), "first_reply")
    assert (first.start, first.end, first.ended_by) == (NINE, TEN, "reply")
    unanswered = one(promises(told, [], ["pending"]), "first_reply")  # somebody's program wrote: that does not count
    assert unanswered.end is None and unanswered.idle == "" and due(unanswered, 4) == at("13:00")


def test_the_first_reply_survives_moves_and_waiting_on_others():
    told = tell((NINE, "new", NINE), (TEN, "open", NINE), (NOON, "hold", NINE), (TWO, "pending", NINE))
    first = one(promises(told, [], ["pending"]), "first_reply")
    assert first.spans == ((NINE, None),) and due(first, 2) == at("11:00")


def test_what_is_solved_without_a_word_needs_no_first_reply_and_goes_on_where_it_stopped():
    told = tell((NINE, "new", NINE), (TEN, "solved", None))
    first = one(promises(told, [], []), "first_reply")
    assert (first.idle, first.idle_since, first.end, due(first, 4)) == ("solved", TEN, None, None)
    again = [*told, *tell((TWO, "open", TWO, "ticket.message_received"))]
    first = one(promises(again, [], []), "first_reply")
    assert first.spans == ((NINE, TEN), (TWO, None)) and due(first, 4) == at("17:00")  # 1 h, then 3 h


def test_the_next_reply_starts_at_the_oldest_unanswered_message():
    told = tell((NINE, "new", NINE), (TEN, "pending", None), (NOON, "open", NOON), (TWO, "open", NOON))
    (following,) = of(promises(told, [TEN], ["pending"]), "next_reply")
    assert following.start == NOON and following.end is None  # the second message does not begin it anew
    told += tell((at("15:00"), "pending", None), (at("16:00"), "open", at("16:00")))
    first, second = of(promises(told, [TEN, at("15:00")], ["pending"]), "next_reply")
    assert (first.start, first.end, first.ended_by) == (NOON, at("15:00"), "reply")
    assert (second.start, second.end) == (at("16:00"), None)  # one is open at a time


def test_the_next_reply_never_runs_before_the_first():
    told = tell((NINE, "new", NINE), (TEN, "open", NINE), (NOON, "open", NINE))
    assert of(promises(told, [], []), "next_reply") == []
    by_a_program = tell((NINE, "new", NINE), (TEN, "pending", None), (NOON, "open", NOON))
    assert of(promises(by_a_program, [], []), "next_reply") == []


def test_a_person_who_opens_it_again_owes_no_reply():
    told = tell((NINE, "new", NINE), (TEN, "solved", None), (NOON, "open", NOON, "ticket.reopened"))
    assert of(promises(told, [TEN], []), "next_reply") == []


def test_solving_ends_the_next_reply_without_a_word():
    told = tell((NINE, "new", NINE), (TEN, "pending", None), (NOON, "open", NOON), (TWO, "solved", None))
    (following,) = of(promises(told, [TEN], []), "next_reply")
    assert (following.end, following.ended_by) == (TWO, "solved")


def test_an_answer_that_solves_at_its_own_moment_begins_no_full_resolution():
    told = tell((NINE, "new", NINE), (TEN, "open", None), (TEN, "solved", None))
    assert {promise.kind for promise in promises(told, [TEN], ["pending"])} == {"first_reply", "resolution"}
    again = [*told, *tell((TWO, "open", TWO))]
    assert one(promises(again, [TEN], ["pending"]), "full_resolution").spans == ((NINE, TEN), (TWO, None))


@pytest.mark.parametrize(
    ("pauses", "expected", "idle"),
    [
        (["pending"], at("13:00", 1), ""),  # an hour, four of a pause, then three today and four tomorrow
        (["pending", "hold"], None, "hold"),
        ([], at("17:00"), ""),
    ],
)
def test_a_resolution_pauses_where_the_policy_says(pauses: list[str], expected: datetime | None, idle: str):
    told = tell((NINE, "new", NINE), (TEN, "pending", None), (TWO, "open", TWO), (at("15:00"), "hold", TWO))
    resolution = one(promises(told, [TEN], pauses), "resolution")
    assert (due(resolution, 8), resolution.idle) == (expected, idle)


def test_a_pause_over_night_takes_only_working_time():
    told = tell((at("16:00"), "open", at("16:00")), (at("16:30"), "pending", None), (at("09:30", 1), "open", at("09:30", 1)))
    resolution = one(promises(told, [at("16:30")], ["pending"]), "resolution")
    assert due(resolution, 2) == at("11:00", 1)  # half an hour, a pause of one working hour, an hour and a half
    assert due(resolution, 2, None) == at("11:00", 1)


def test_the_first_resolution_never_restarts_and_the_full_one_goes_on():
    told = tell((NINE, "new", NINE), (TEN, "solved", None), (NOON, "open", NOON), (at("13:00"), "solved", None))
    found = promises(told, [TEN], ["pending"])
    first, full = one(found, "resolution"), one(found, "full_resolution")
    assert first.end == TEN and first.spans == ((NINE, TEN),)
    assert full.end == at("13:00") and full.spans == ((NINE, TEN), (NOON, at("13:00")))
    reopened = [*told, *tell((TWO, "open", TWO))]
    full = one(promises(reopened, [TEN], ["pending"]), "full_resolution")
    assert full.end is None and due(full, 4) == at("16:00")  # 2 h are used
    assert of(promises(told[:2], [TEN], []), "full_resolution") == []


def test_closing_after_solving_moves_no_end():
    told = tell((NINE, "new", NINE), (TEN, "solved", None), (at("10:00", 28), "closed", None))
    found = promises(told, [], [])
    assert one(found, "resolution").end == TEN and of(found, "full_resolution") == []


def test_spam_stands_still_and_counts_from_the_beginning_once_it_is_cleared():
    told = tell((NINE, "spam", None))
    assert promises(told, [], []) == []
    told = tell((NINE, "new", NINE), (TEN, "spam", None))
    first = one(promises(told, [], []), "first_reply")
    assert (first.idle, due(first, 4)) == ("spam", None)
    told += tell((NOON, "new", NINE))
    first = one(promises(told, [], []), "first_reply")
    assert first.idle == "" and due(first, 4) == at("13:00")


def test_a_mail_that_was_long_on_its_way_counts_from_when_it_was_known():
    told = tell((NINE, "new", NINE), (NOON, "pending", None), (TEN, "open", TEN))
    resolution = one(promises(told, [NOON], ["pending"]), "resolution")
    assert resolution.spans == ((NINE, NOON), (NOON, None)) and resolution.idle == ""
    told = tell((NINE, "new", NINE), (NOON, "pending", None), (TWO, "open", TWO), (TEN, "pending", None))
    assert one(promises(told, [NOON], ["pending"]), "resolution").idle_since == TWO


def test_the_priority_at_its_end_is_that_of_a_promise():
    told = [Change(NINE, "new", "low", NINE), Change(TEN, "pending", "low", None), Change(NOON, "open", "urgent", NOON)]
    found = promises(told, [TEN], ["pending"])
    assert one(found, "first_reply").priority == "low"
    assert one(found, "resolution").priority == "urgent"


def test_the_warning_comes_before_in_the_clocks_own_time():
    counted = reckon(((at("16:55"), None),), None, 3600, 15 * 60, OFFICE)
    assert (counted.due, counted.warn) == (at("09:55", 1), at("09:40", 1))
    counted = reckon(((at("16:55"), None),), None, 600, 15 * 60, OFFICE)
    assert counted.warn == at("16:55")  # shorter than the warning: it is soon from the start
    assert reckon(((NINE, TEN),), None, 4 * 3600, 0, OFFICE) == reckon(((NINE, TEN),), None, 4 * 3600, 900, OFFICE)
    assert reckon(((NINE, TEN),), None, 4 * 3600, 0, OFFICE).left == 3 * 3600


# Minute by minute -----------------------------------------------------------------------------------------------------
# Both days in 2026 on which the clocks change, in twelve zones.

CHANGES = {
    "Europe/Berlin": (date(2026, 3, 29), date(2026, 10, 25)),
    "Europe/Lisbon": (date(2026, 3, 29), date(2026, 10, 25)),
    "Europe/Chisinau": (date(2026, 3, 29), date(2026, 10, 25)),
    "America/New_York": (date(2026, 3, 8), date(2026, 11, 1)),
    "America/Los_Angeles": (date(2026, 3, 8), date(2026, 11, 1)),
    "America/St_Johns": (date(2026, 3, 8), date(2026, 11, 1)),
    "America/Santiago": (date(2026, 4, 5), date(2026, 9, 6)),
    "Africa/Cairo": (date(2026, 4, 24), date(2026, 10, 30)),
    "Asia/Beirut": (date(2026, 3, 29), date(2026, 10, 25)),
    "Australia/Sydney": (date(2026, 4, 5), date(2026, 10, 4)),
    "Australia/Lord_Howe": (date(2026, 4, 5), date(2026, 10, 4)),
    "Pacific/Auckland": (date(2026, 4, 5), date(2026, 9, 27)),
}
Day = list[tuple[int, int]]
# A week, and the hours of the day on which the clocks change where that is no day as any other.
CALENDARS: dict[str, tuple[list[Day], Day | None]] = {
    "24 hours": ([[(0, 1440)]] * 7, None),
    "overnight": ([[(1320, 360)]] * 7, None),
    "split shift": ([[(0, 150), (240, 720), (780, 1320)]] * 7, None),
    "holiday": ([[(60, 1380)]] * 7, []),
    "short day": ([[(60, 1380)]] * 7, [(15, 285), (1410, 30)]),
}
MINUTE = timedelta(minutes=1)


@cache
def walls(zone: ZoneInfo, first: datetime, length: int) -> list[datetime]:
    """What the clock on the wall shows at each of so many minutes, or showed already: a clock set back is read the first time."""
    shown = ((first + MINUTE * step).astimezone(zone).replace(tzinfo=None) for step in range(length))
    return list(accumulate(shown, max))


def worked(zone: ZoneInfo, week: list[Day], own: dict[date, Day], first: datetime, length: int) -> list[bool]:
    """For each minute from `first` on, whether somebody works, by the clock on the wall: no arithmetic on spans, no `worktime`.

    A shift begins at the first minute at which the wall shows its start or later, and ends likewise.
    """
    lead = 2 * 1440
    shown = walls(zone, first - MINUTE * lead, length + 2 * lead)
    on = [False] * len(shown)
    day = shown[0].date() + timedelta(days=1)
    while day < shown[-1].date() - timedelta(days=1):
        for begin, end in own.get(day, week[day.weekday()]):
            midnight = datetime.combine(day, time())
            stop = midnight + MINUTE * (end if end > begin else end + 1440)
            a, b = bisect_left(shown, midnight + MINUTE * begin), bisect_left(shown, stop)
            on[a:b] = [True] * (b - a)
        day += timedelta(days=1)
    return on[lead : lead + length]


def ticked(
    told: list[Change], still: set[str], target: int, on: list[bool] | None, begin: datetime, length: int
) -> datetime | None:
    """When so many minutes have passed: each minute is looked at, whether it is worked and in which status it is spent."""
    left, ahead, status = target, list(told), ""
    for step in range(length):
        minute = begin + MINUTE * step
        while ahead and ahead[0].at <= minute:
            status = ahead.pop(0).status
        if (on is None or on[step]) and status not in still:
            left -= 1
            if left == 0:
                return minute + MINUTE
    return None


@pytest.mark.parametrize("zone", CHANGES)
def test_both_days_on_which_clocks_change(zone: str):
    for day in CHANGES[zone]:
        for name, (week, hours) in CALENDARS.items():
            own = {} if hours is None else {day: hours}
            calendar = worktime.Calendar(ZoneInfo(zone), week, own)
            begin = datetime.combine(day - timedelta(days=1), time(18), ZoneInfo(zone)).astimezone(UTC)
            on = worked(ZoneInfo(zone), week, own, begin, 3 * 1440)
            told = tell(
                (begin, "open", begin),
                (begin + timedelta(hours=7, minutes=45), "pending", None),
                (begin + timedelta(hours=9, minutes=20), "open", begin + timedelta(hours=9, minutes=20)),
            )
            spans = one(promises(told, [begin + timedelta(hours=7, minutes=45)], ["pending"]), "resolution").spans
            for target in (30, 240, 600, 900):
                found = reckon(spans, None, target * 60, 0, calendar).due
                assert found == ticked(told, {"pending"}, target, on, begin, len(on)), (zone, day, name, target)


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_any_history_is_due_when_the_minutes_say_so(data: st.DataObject):
    zone = ZoneInfo(data.draw(st.sampled_from(sorted(CHANGES))))
    day = data.draw(st.sampled_from(CHANGES[zone.key]))
    times = st.integers(0, 1439)
    hours = st.lists(st.tuples(times, times).filter(lambda pair: pair[0] != pair[1]), max_size=2)
    week = data.draw(st.lists(hours, min_size=7, max_size=7).filter(any))
    own = data.draw(st.dictionaries(st.sampled_from([day + timedelta(days=n) for n in range(-2, 4)]), hours, max_size=3))
    begin = datetime.combine(day, time(), UTC) - timedelta(days=2) + MINUTE * data.draw(times)
    length = 6 * 1440
    told, moment = [Change(begin, "new", "normal", begin)], begin
    for _step in range(data.draw(st.integers(0, 6))):
        moment += MINUTE * data.draw(st.integers(1, 900))
        status = data.draw(st.sampled_from(["open", "pending", "hold"]))
        told.append(Change(moment, status, "normal", None if status == "pending" else moment))
    pauses = data.draw(st.sampled_from([[], ["pending"], ["pending", "hold"]]))
    target = data.draw(st.integers(1, 3000))
    business = data.draw(st.booleans())
    on = worked(zone, week, own, begin, length) if business else None
    expected = ticked(told, set(pauses), target, on, begin, length)
    resolution = one(promises(told, [], pauses), "resolution")
    calendar = worktime.Calendar(zone, week, own) if business else None
    found = reckon(resolution.spans, None, target * 60, 0, calendar).due
    end = begin + MINUTE * length
    assert (found if found and found <= end else None) == expected
