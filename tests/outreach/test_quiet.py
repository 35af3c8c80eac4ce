"""Quiet hours hold on every clock there is: overnight, on the days that have 23 or 25 hours, and where a day is missing."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from helpdesk.lib.dates import at_local, local
from outreach.quiet import SPREAD, opening, spread

BERLIN = ZoneInfo("Europe/Berlin")
NIGHT = (time(22), time(8))
ZONES = [
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Africa/Casablanca",
    "America/Santiago",
    "UTC",
]


@pytest.mark.parametrize(
    ("wall", "opens"),
    [
        ("2026-11-03 21:59", None),
        ("2026-11-03 22:00", "2026-11-04 08:00"),
        ("2026-11-04 00:30", "2026-11-04 08:00"),
        ("2026-11-04 07:59", "2026-11-04 08:00"),
        ("2026-11-04 08:00", None),
    ],
)
def test_the_night_in_berlin(wall, opens):
    def instant(text):
        day, clock = text.split()
        return at_local(date.fromisoformat(day), time.fromisoformat(clock), BERLIN)

    assert opening(instant(wall), BERLIN, *NIGHT) == (instant(opens) if opens else None)


def test_the_longest_and_the_shortest_night():
    def length(day):
        begins = at_local(day, time(22), BERLIN)
        return opening(begins, BERLIN, *NIGHT) - begins

    assert length(date(2026, 10, 24)) == timedelta(hours=11)  # the clocks go back in it
    assert length(date(2026, 3, 28)) == timedelta(hours=9)
    assert length(date(2026, 6, 1)) == timedelta(hours=10)


def test_an_end_that_no_clock_shows_is_the_first_instant_after():
    asleep = datetime(2026, 3, 29, 0, 30, tzinfo=UTC)  # 01:30 in Berlin; 02:00 to 03:00 does not exist
    assert opening(asleep, BERLIN, time(22), time(2, 30)) == datetime(2026, 3, 29, 1, 0, tzinfo=UTC)


def test_no_quiet_hours():
    assert opening(datetime(2026, 1, 1, tzinfo=UTC), BERLIN, None, time(8)) is None
    assert opening(datetime(2026, 1, 1, tzinfo=UTC), BERLIN, time(8), time(8)) is None


moments = st.datetimes(datetime(2005, 1, 1), datetime(2035, 1, 1)).map(lambda moment: moment.replace(tzinfo=UTC))
clocks = st.builds(time, st.integers(0, 23), st.sampled_from([0, 15, 30, 59]))


@given(moments, st.sampled_from(ZONES), clocks, clocks)
@example(datetime(2011, 12, 29, 12, tzinfo=UTC), "Pacific/Apia", time(22), time(8))
@example(datetime(2026, 10, 25, 0, 30, tzinfo=UTC), "Europe/Berlin", time(2, 30), time(2, 15))
def test_what_waits_goes_when_it_opens_and_not_before(at, name, begins, ends):
    zone = ZoneInfo(name)
    opens = opening(at, zone, begins, ends)
    if opens is None:
        wall = local(at, zone).time()
        inside = begins <= wall < ends if begins < ends else wall >= begins or wall < ends
        repeated = local(at - timedelta(hours=2), zone).utcoffset() != local(at + timedelta(hours=2), zone).utcoffset()
        assert not inside or repeated or begins == ends
        return
    assert at < opens <= at + timedelta(hours=49)
    later = spread(opens, "key", zone, begins, ends)
    assert opens <= later < opens + SPREAD
    assert opening(later, zone, begins, ends) is None or opening(opens, zone, begins, ends) is not None


@given(st.text(min_size=1, max_size=20))
def test_the_morning_is_spread_and_each_keeps_its_place(key):
    opens = datetime(2026, 6, 1, 6, tzinfo=UTC)
    assert spread(opens, key, BERLIN, *NIGHT) == spread(opens, key, BERLIN, *NIGHT)


def test_a_thousand_do_not_leave_at_once():
    opens = datetime(2026, 6, 1, 6, tzinfo=UTC)
    minutes = {(spread(opens, f"enrol:{n}:1", BERLIN, *NIGHT) - opens) // timedelta(minutes=1) for n in range(1000)}
    assert minutes == set(range(15))
