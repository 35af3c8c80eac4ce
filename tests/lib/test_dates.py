"""The one clock, and the step between the wall and the instant."""

import logging
import time as time_module
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from helpdesk.lib import dates

BERLIN = ZoneInfo("Europe/Berlin")
A_MOMENT = timedelta(seconds=5)
ZONES = [ZoneInfo(name) for name in sorted(available_timezones()) if not name.startswith(("posix", "right", "System", "build"))]


def near(a: datetime, b: datetime) -> bool:
    return abs(a - b) < A_MOMENT


def test_time_can_be_moved_and_comes_back():
    christmas = datetime(2030, 12, 24, 18, tzinfo=BERLIN)
    with dates.moved(to=christmas):
        assert near(dates.now(), christmas)
        assert dates.now().tzinfo is UTC
        dates.advance(timedelta(days=2))
        assert near(dates.now(), christmas + timedelta(days=2))
        with dates.moved(by=timedelta(hours=-1)):
            assert near(dates.now(), christmas + timedelta(days=2, hours=-1))
        assert near(dates.now(), christmas + timedelta(days=2))
        assert near(dates.machine_now(), datetime.now(UTC))
    assert near(dates.now(), datetime.now(UTC))


def test_time_can_stand_still_and_runs_again():
    christmas = datetime(2030, 12, 24, 18, tzinfo=UTC)
    with dates.moved(to=christmas, still=True):
        time_module.sleep(0.002)
        assert dates.now() == christmas
        dates.advance(timedelta(hours=1))
        with dates.moved(by=timedelta(hours=1)):
            time_module.sleep(0.002)
            assert dates.now() == christmas + timedelta(hours=2)
        assert dates.now() == christmas + timedelta(hours=1)
        assert near(dates.machine_now(), datetime.now(UTC))
    before = dates.now()
    time_module.sleep(0.002)
    assert dates.now() > before and near(dates.now(), datetime.now(UTC))


def test_time_comes_back_after_an_error():
    with pytest.raises(RuntimeError), dates.moved(by=timedelta(days=400)):
        raise RuntimeError
    assert near(dates.now(), datetime.now(UTC))


def test_moving_needs_one_aware_aim():
    for aim in ({}, {"to": dates.now(), "by": A_MOMENT}, {"to": datetime(2030, 1, 1)}):
        with pytest.raises(ValueError), dates.moved(**aim):
            pass


def test_a_wrong_zone_falls_back_and_warns_once(caplog: pytest.LogCaptureFixture):
    dates._known.cache_clear()  # another test may have met it before
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert dates.zone("Mars/Olympus", "", None, "Asia/Tokyo").key == "Asia/Tokyo"
    assert caplog.text.count("Mars/Olympus") == 1
    assert dates.zone(None).key == "UTC"
    assert dates.zone(BERLIN, "Asia/Tokyo") is BERLIN


@given(st.text())
@example("Europe")
@example("../../../etc/passwd")
@example("/etc/localtime")
@example("Europe/Berlin\x00")
@example("a" * 5000)
@example("\ud800")
def test_no_name_makes_zone_raise(name: str):
    assert dates.zone(name, "Europe/Berlin").key


def test_a_naive_time_is_no_instant():
    with pytest.raises(ValueError):
        dates.local(datetime(2026, 1, 1), BERLIN)
    assert dates.local(datetime(2026, 7, 1, 12, tzinfo=UTC), BERLIN).isoformat() == "2026-07-01T14:00:00+02:00"


@pytest.mark.parametrize(
    ("wall", "zone", "utc"),
    [
        ("2026-11-23T09:00", "Europe/Berlin", "2026-11-23T08:00"),
        ("2026-03-29T02:30", "Europe/Berlin", "2026-03-29T01:00"),  # the gap ends as clocks show 03:00
        ("2026-10-25T02:30", "Europe/Berlin", "2026-10-25T00:30"),  # the first half past two
        ("2026-09-06T00:00", "America/Santiago", "2026-09-06T04:00"),  # a day that begins at one
        ("2026-10-04T02:15", "Australia/Lord_Howe", "2026-10-03T15:30"),  # half an hour is skipped
        ("2011-12-30T10:00", "Pacific/Apia", "2011-12-30T10:00"),  # the day that Samoa left out
    ],
)
def test_wall_time_to_instant(wall: str, zone: str, utc: str):
    at = datetime.fromisoformat(wall)
    found = dates.at_local(at.date(), at.time(), ZoneInfo(zone))
    assert found.tzinfo is UTC
    assert found.replace(tzinfo=None).isoformat(timespec="minutes") == utc


@settings(max_examples=300)
@given(
    st.sampled_from(ZONES), st.dates(date(1975, 1, 1), date(2037, 1, 1)),
    st.times().map(lambda at: at.replace(microsecond=0)),
)  # fmt: skip
def test_it_is_the_first_instant_that_shows_the_time_or_later(zone: ZoneInfo, day: date, at: time):
    found = dates.at_local(day, at, zone)
    wall = datetime.combine(day, at)
    shown = found.astimezone(zone).replace(tzinfo=None)
    before = (found - timedelta(seconds=1)).astimezone(zone).replace(tzinfo=None)
    assert shown >= wall
    assert before < wall
    # and the day before, in steps of ten minutes, never showed it
    for step in range(1, 200):
        assert (found - timedelta(minutes=10 * step)).astimezone(zone).replace(tzinfo=None) < wall
