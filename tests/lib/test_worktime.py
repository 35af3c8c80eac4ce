"""Working hours: what people expect of them, and the arithmetic against counting minute by minute."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from helpdesk.lib.worktime import Calendar, CalendarError, add, between

BERLIN = ZoneInfo("Europe/Berlin")
HOUR = 3600
OFFICE = [[(time(9), time(17))]] * 5 + [[], []]
ALWAYS = [[(0, 1440)]] * 7
NIGHTS = [[(time(22), time(6))]] * 7
SPLIT = [[(time(9), time(12)), (time(13), time(17))]] * 5 + [[], []]


def at(text: str, zone: ZoneInfo = BERLIN) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone)


def test_a_friday_evening_question_is_due_on_monday():
    office = Calendar(BERLIN, OFFICE)
    assert add(office, at("2026-11-20 16:30"), HOUR) == at("2026-11-23 09:30")
    assert add(office, at("2026-11-21 12:00"), HOUR) == at("2026-11-23 10:00")
    assert between(office, at("2026-11-20 16:30"), at("2026-11-23 09:30")) == HOUR


def test_a_full_day_of_work_ends_the_same_day():
    assert add(Calendar(BERLIN, OFFICE), at("2026-11-23 09:00"), 8 * HOUR) == at("2026-11-23 17:00")


def test_nobody_works_through_lunch_or_on_a_holiday():
    split = Calendar(BERLIN, SPLIT, {date(2026, 12, 25): []})
    assert add(split, at("2026-11-23 11:30"), HOUR) == at("2026-11-23 13:30")
    assert add(split, at("2026-12-24 16:30"), HOUR) == at("2026-12-28 09:30")


def test_a_holiday_is_a_local_date():
    auckland = ZoneInfo("Pacific/Auckland")
    closed_monday = Calendar(auckland, ALWAYS, {date(2026, 11, 23): []})
    monday = at("2026-11-23 00:00", auckland)
    assert monday.astimezone(UTC).date() == date(2026, 11, 22)
    assert between(closed_monday, monday, monday + timedelta(days=1)) == 0
    assert between(closed_monday, monday - timedelta(hours=1), monday + timedelta(days=1, hours=1)) == 2 * HOUR


def test_the_night_before_a_holiday_is_worked_to_its_end_and_the_holidays_own_night_is_not():
    nights = Calendar(BERLIN, NIGHTS, {date(2026, 12, 25): []})
    assert between(nights, at("2026-12-25 00:00"), at("2026-12-25 23:59")) == 6 * HOUR
    assert between(nights, at("2026-12-25 22:00"), at("2026-12-26 22:00")) == 0


def test_a_short_day_has_its_own_hours_also_where_the_week_has_none():
    short = Calendar(BERLIN, SPLIT, {date(2026, 12, 24): [(time(9), time(11))], date(2026, 12, 26): [(time(22), time(2))]})
    assert add(short, at("2026-12-24 10:30"), HOUR) == at("2026-12-25 09:30")
    assert between(short, at("2026-12-26 00:00"), at("2026-12-28 00:00")) == 4 * HOUR  # a weekend, and one night of it


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-11-23", 24)])
def test_round_the_clock_counts_the_hours_that_passed(day: str, hours: int):
    always = Calendar(BERLIN, ALWAYS)
    midnight = at(f"{day} 00:00")
    tomorrow = datetime.combine(midnight.date() + timedelta(days=1), time(), BERLIN)
    assert between(always, midnight, tomorrow) == hours * HOUR
    assert add(always, midnight, hours * HOUR) == tomorrow


def test_an_interval_that_the_clock_jumps_over_does_not_exist():
    early = Calendar(BERLIN, [[]] * 6 + [[(time(2), time(3))]])
    assert between(early, at("2026-03-29 00:00"), at("2026-03-30 00:00")) == 0
    assert between(early, at("2026-10-25 00:00"), at("2026-10-26 00:00")) == 2 * HOUR  # until 03:00: both times it is two
    assert add(early, at("2026-03-28 12:00"), 60) == at("2026-04-05 02:01")


def test_overlaps_count_once_also_over_midnight():
    busy = Calendar(BERLIN, [[(9 * 60, 12 * 60), (11 * 60, 13 * 60), (22 * 60, 8 * 60)]] * 2 + [[(6 * 60, 9 * 60)]] + [[]] * 4)
    assert between(busy, at("2026-11-23 00:00"), at("2026-11-27 00:00")) == (4 + 2 + 8 + 4 + 2 + 9) * HOUR


def test_half_minutes_and_seconds_are_kept():
    office = Calendar(BERLIN, OFFICE)
    due = add(office, at("2026-11-23 10:00:00.250"), 90.5)
    assert due == at("2026-11-23 10:01:30.750")
    assert add(office, at("2026-11-22 10:00"), 0) == at("2026-11-22 10:00")


@pytest.mark.parametrize(
    "week",
    [
        [[]] * 7,
        [[(0, 1440)]] * 6,
        [[(9 * 60, 9 * 60)]] * 7,
        [[(-1, 60)]] * 7,
        [[(60, 1441)]] * 7,
        [[(time(9, 0, 30), time(10))]] * 7,
    ],
)
def test_a_calendar_without_hours_or_sense_is_refused(week: object):
    with pytest.raises(CalendarError):
        Calendar(BERLIN, week)  # type: ignore[arg-type]


def test_holidays_without_end_are_an_error_and_no_loop():
    first = date(2026, 1, 1)
    shut = Calendar(BERLIN, OFFICE, {first + timedelta(days=day): () for day in range(45 * 366)})
    with pytest.raises(CalendarError):
        add(shut, at("2026-11-23 09:00"), 60)


def test_naive_times_and_negative_durations_are_refused():
    office = Calendar(BERLIN, OFFICE)
    with pytest.raises(ValueError):
        add(office, datetime(2026, 11, 23), 60)
    with pytest.raises(ValueError):
        add(office, at("2026-11-23 09:00"), -1)


def test_backwards_is_negative():
    office = Calendar(BERLIN, OFFICE)
    assert between(office, at("2026-11-23 10:00"), at("2026-11-23 09:00")) == -HOUR


# Minute by minute -----------------------------------------------------------------------------------------------------

MINUTE = timedelta(minutes=1)
# Each with the days on which its clocks change; Lord Howe by half an hour, Cairo and Santiago at midnight.
CHANGES = {
    "Europe/Berlin": [date(2026, 3, 29), date(2026, 10, 25)],
    "America/New_York": [date(2026, 3, 8), date(2026, 11, 1)],
    "Australia/Lord_Howe": [date(2026, 4, 5), date(2026, 10, 4)],
    "America/Santiago": [date(2026, 4, 5), date(2026, 9, 6)],
    "Africa/Cairo": [date(2026, 4, 24), date(2026, 10, 30)],
    "Asia/Kathmandu": [date(2026, 6, 1)],
    "Pacific/Apia": [date(2011, 12, 30)],
}


Intervals = list[tuple[int, int]]


def counted(zone: ZoneInfo, week: list[Intervals], days: dict[date, Intervals], day: date, length: int) -> list[bool]:
    """For each minute from noon (UTC) two days before `day`, whether it is worked, by looking at the clock on the wall.

    An interval starts at the first minute that the wall shows its start or later, and ends likewise.
    """
    first = datetime.combine(day, time(12), UTC) - timedelta(days=4)
    walls = [(first + MINUTE * step).astimezone(zone).replace(tzinfo=None) for step in range(length + 4 * 1440)]

    def reached(wall: datetime) -> int:
        return next((step for step, shown in enumerate(walls) if shown >= wall), len(walls))

    worked = [False] * len(walls)
    for further in range(-4, length // 1440 + 3):
        today = day + timedelta(days=further)
        for begin, end in days[today] if today in days else week[today.weekday()]:
            midnight = datetime.combine(today, time())
            span = reached(midnight + MINUTE * begin), reached(midnight + MINUTE * (end if end > begin else end + 1440))
            if span[0] > 0:  # the walls do not reach further back
                worked[span[0] : span[1]] = [True] * (span[1] - span[0])
    return worked[2 * 1440 : 2 * 1440 + length]


quarter = st.integers(0, 95).map(lambda step: step * 15)
interval = st.tuples(quarter, st.integers(1, 96).map(lambda step: step * 15)).filter(lambda pair: pair[0] != pair[1])
a_day = st.one_of(st.lists(interval, max_size=3), st.just([(0, 1440)]), st.just([(22 * 60, 6 * 60)]), st.just([]))
weeks = st.lists(a_day, min_size=7, max_size=7).filter(any)
places = st.sampled_from([(name, day) for name, changes in CHANGES.items() for day in changes])
LENGTH = 5 * 1440


@settings(max_examples=80, deadline=None)
@given(places, weeks, st.dictionaries(st.integers(-3, 4), a_day, max_size=3), st.integers(0, LENGTH), st.integers(0, LENGTH))
@example(("Pacific/Apia", date(2011, 12, 30)), ALWAYS, {}, 0, LENGTH)
def test_it_agrees_with_counting_minutes(place, week, offsets, one, other):  # type: ignore[no-untyped-def]
    zone, day = ZoneInfo(place[0]), place[1]
    days = {day + timedelta(days=offset): hours for offset, hours in offsets.items()}
    worked = counted(zone, week, days, day, LENGTH)
    calendar = Calendar(zone, week, days)
    origin = datetime.combine(day, time(12), UTC) - timedelta(days=2)
    begin, end = sorted((one, other))
    minutes = sum(worked[begin:end])
    assert between(calendar, origin + MINUTE * begin, origin + MINUTE * end) == minutes * 60
    if minutes:
        # due at the end of the last minute worked, which may come before `end`
        last = max(step for step in range(begin, end) if worked[step])
        assert add(calendar, origin + MINUTE * begin, minutes * 60) == origin + MINUTE * (last + 1)


@settings(max_examples=100, deadline=None)
@given(places, weeks, st.floats(0, 3e6), st.integers(0, LENGTH * 60))
def test_what_is_added_has_passed(place, week, seconds, offset):  # type: ignore[no-untyped-def]
    calendar = Calendar(ZoneInfo(place[0]), week)
    start = datetime.combine(place[1], time(), UTC) + timedelta(seconds=offset)
    assert between(calendar, start, add(calendar, start, seconds)) == pytest.approx(seconds, abs=1e-5)
