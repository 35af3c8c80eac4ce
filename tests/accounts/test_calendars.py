"""Calendars as a lead fills them in: a week line by line, holidays by country, feed and hand, and what refuses."""

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from django.test import Client
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st

from helpdesk.accounts import calendars, feeds, week
from helpdesk.accounts.models import AuditEntry, Calendar, Holiday, HolidaySource, Team, User
from helpdesk.accounts.tasks import refresh_holidays
from helpdesk.lib import dates, worktime
from tickets.models import Policy

Browser = Callable[[User], Client]


# --- a day's line -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("", []),
        ("closed", []),
        ("9-17", [[540, 1020]]),
        ("09:00–12:30, 13:30–18:00", [[540, 750], [810, 1080]]),
        ("13:30 to 18:00; 9.00-12.30", [[540, 750], [810, 1080]]),
        ("9am-5:30pm", [[540, 1050]]),
        ("12am-12pm", [[0, 720]]),
        ("22:00–06:00", [[1320, 360]]),
        ("18:00-24:00", [[1080, 1440]]),
        ("18:00-0:00", [[1080, 1440]]),
        ("24 hours", [[0, 1440]]),
        ("00:00–24:00", [[0, 1440]]),
        ("9-12, 12-17", [[540, 1020]]),
        ("18-22, 22-6", [[1080, 360]]),
        ("6-22, 22-6", [[360, 1320], [1320, 360]]),
        ("10-22, 22-11", [[600, 1320], [1320, 660]]),
    ],
)
def test_a_day_is_read_as_people_write_it(text: str, day: list[list[int]]):
    assert week.read_day(text) == day


@pytest.mark.parametrize(
    "text", ["nine to five", "9", "25:00-26:00", "9:70-10", "9-9", "13pm-14", "24:00-6:00", ",".join(["9-10"] * 9)]
)
def test_what_nobody_can_read_is_refused_in_words(text: str):
    with pytest.raises(week.NotHours, match=r"\w"):
        week.read_day(text)


@effort(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1439), st.integers(1, 1440)).filter(lambda i: i[0] != i[1]), max_size=8).map(sorted))
def test_a_day_says_each_minute_once_and_is_written_as_it_is_read(day: list[tuple[int, int]]):
    def minutes(spans: Any) -> list[int]:
        return sorted(minute for begin, end in spans for minute in range(begin, end if end > begin else end + 1440))

    line = week.write_day([list(each) for each in day])
    if len(set(minutes(day))) < len(minutes(day)):
        with pytest.raises(week.NotHours, match="overlap"):
            week.read_day(line)
    else:
        read = week.read_day(line)
        assert minutes(read) == minutes(day) and week.read_day(week.write_day(read)) == read


@effort(max_examples=40, deadline=None)
@given(st.text(max_size=60))
def test_no_text_breaks_the_reader(text: str):
    with suppress(week.NotHours):
        assert all(0 <= begin < 1440 and 0 < end <= 1440 for begin, end in week.read_day(text))


def test_the_picture_shows_a_night_on_both_days():
    assert week.painted([[], [], [], [], [], [], [[1320, 360]]]) == [[(0, 360)], [], [], [], [], [], [(1320, 1440)]]


# --- the page ---------------------------------------------------------------------------------------------------------

OFFICE = {"name": "Office", "zone": "Europe/Berlin", "day_0": "9-12, 13-17", **{f"day_{n}": "9-17" for n in range(1, 5)}}


@pytest.fixture
def office(db: None, mia: User, browser: Browser) -> Calendar:
    answer = browser(mia).post("/calendars/new/", OFFICE)
    assert answer.status_code == 302
    return Calendar.objects.get()


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_the_first_calendar_is_the_usual_one_and_is_counted_with(office: Calendar):
    assert office.is_default and office.week[0] == [[540, 720], [780, 1020]] and office.week[6] == []
    assert worktime.add(office.hours(), at("2026-11-20 15:30"), 3600) == at("2026-11-23 08:30")
    assert AuditEntry.objects.get(action="calendar.added").after["hours"] == "Mon 09:00–12:00, 13:00–17:00; Tue–Fri 09:00–17:00"


def test_another_takes_over_as_the_usual_one(office: Calendar, mia: User, browser: Browser):
    assert browser(mia).post("/calendars/new/", {**OFFICE, "name": "Night", "is_default": "on"}).status_code == 302
    assert Calendar.objects.get(is_default=True).name == "Night"
    assert browser(mia).post(f"/calendars/{office.pk}/", OFFICE).status_code == 302  # no tick: it is not the usual one again
    assert Calendar.objects.get(is_default=True).name == "Night"


WRONG_CALENDARS = [
    ({f"day_{n}": "" for n in range(7)}, "day_0", "Give at least one day its hours"),
    ({"day_2": "whenever"}, "day_2", "is no time span"),
    ({"day_2": "16-18, 9-17"}, "day_2", "“09:00–17:00” and “16:00–18:00” overlap."),
    ({"day_2": "22-6, 23-23:30"}, "day_2", "“22:00–06:00” and “23:00–23:30” overlap."),
    ({"day_2": "22-10"}, "day_3", "It begins at 09:00, and Wednesday runs until 10:00 of this day."),
    ({"day_6": "22-10"}, "day_0", "It begins at 09:00, and Sunday runs until 10:00 of this day."),
    ({"zone": "Berlin"}, "zone", "We do not know this time zone"),
    ({"name": ""}, "name", "This field is required"),
]


def test_what_is_wrong_stands_beside_its_field_and_nothing_typed_is_lost(db: None, mia: User, browser: Browser):
    for said, field, error in WRONG_CALENDARS:
        answer = browser(mia).post("/calendars/new/", {**OFFICE, **said})
        assert answer.status_code == 422 and not Calendar.objects.exists()
        page = answer.content.decode()
        assert error in page.partition(f'id="id_{field}_error"')[2].partition("</p>")[0]
        assert all(f'name="{name}" value="{value}"' in page for name, value in {**OFFICE, **said}.items() if value)


def test_nights_that_end_when_the_morning_begins_are_kept(db: None, mia: User, browser: Browser):
    nights = {f"day_{at}": "6-14, 22-6" for at in range(7)}
    assert browser(mia).post("/calendars/new/", {**OFFICE, **nights}).status_code == 302
    kept = Calendar.objects.get()
    assert kept.week == [[[360, 840], [1320, 360]]] * 7
    assert worktime.between(kept.hours(), at("2026-11-23 00:00"), at("2026-11-24 00:00")) == 16 * 3600


def test_buttons_beside_save_only_redraw(office: Calendar, mia: User, browser: Browser):
    page = browser(mia).post(f"/calendars/{office.pk}/", {**OFFICE, "day_0": "7-11", "action": "copy"}).content.decode()
    assert page.count('value="7-11"') == 5 and Calendar.objects.get().week[0] == [[540, 720], [780, 1020]]
    headers = {"HX-Request": "true", "HX-Target": "week-picture"}
    part = browser(mia).post(f"/calendars/{office.pk}/", {**OFFICE, "action": "redraw"}, headers=headers).content.decode()
    assert part.startswith("<figure") and part.count('data-as="open"') == 6


MOMENTS = [
    ("2026-11-23 11:30", "Open now"),  # 12:30 in Berlin is lunch on Mondays
    ("2026-11-24 11:30", "until Tue 17:00"),
    ("2026-11-20 20:00", "opens Mon 23 Nov, 09:00"),
]


def test_the_page_says_whether_it_is_open(office: Calendar, mia: User, browser: Browser):
    for moment, words in MOMENTS:
        with dates.moved(to=at(moment)):
            page = browser(mia).get(f"/calendars/{office.pk}/").content.decode()
        assert (words in page) is (moment != "2026-11-23 11:30")


def test_around_the_clock_never_closes(db: None):
    always = Calendar.objects.create(name="Always", zone="UTC", week=[[[0, 1440]]] * 7)
    standing = calendars.standing(always, at("2026-11-23 11:30"))
    assert standing and standing.is_open and standing.until is None


def test_a_calendar_in_use_stays_and_says_who_goes_by_it(office: Calendar, mia: User, ana: User, omar: User, browser: Browser):
    spare = Calendar.objects.create(name="Spare", zone="UTC", week=[[[0, 1440]]] * 7)
    team = Team.objects.create(name="Night", slug="night", calendar=spare)
    team.put_away()
    User.objects.filter(pk=ana.pk).update(calendar=spare)
    policy = Policy.objects.create(name="Premium", position=1, calendar=spare, is_on=False)
    page, url = browser(mia), f"/calendars/{spare.pk}/remove/"
    refused = page.post(url)
    every = ["Team “Night”, archived", "Ana Kowalczyk works by it", "Policy “Premium”"]
    links, told = r'<li><a class="link" href="[^"]+">([^<]*)', r"<li>([^<]+?) <span[^>]*>an admin changes this"
    for shown in (refused, page.get(f"/calendars/{spare.pk}/")):  # what is the admins' to change is no link of a manager
        text = shown.content.decode()
        assert re.findall(links, text) == every[2:] and re.findall(told, text) == every[:2]
    assert re.findall(links, browser(omar).get(url).content.decode()) == every
    assert refused.status_code == 409 and "Delete it" not in refused.content.decode()
    assert page.post(f"/calendars/{office.pk}/remove/").status_code == 409  # whoever names none goes by it
    browser(omar).post(f"/teams/{team.pk}/", {"name": "Night", "mode": "manual", "calendar": ""})
    User.objects.filter(pk=ana.pk).update(calendar=None)
    policy.put_away()
    shown = page.get(url).content.decode()
    assert "Policy “Premium”, archived: it comes back with the hours of the ticket’s team." in shown and "Delete it" in shown
    assert Calendar.objects.count() == 2  # asked, and nothing done
    for _twice in range(2):
        assert page.post(url).status_code == 302
    policy.refresh_from_db()
    assert list(Calendar.objects.all()) == [office] and policy.calendar is None
    assert AuditEntry.objects.get(action="calendar.removed").before == {"name": "Spare"}


def test_teams_and_people_choose_a_calendar(office: Calendar, omar: User, ana: User, browser: Browser):
    browser(omar).post("/teams/new/", {"name": "Night", "calendar": office.pk})
    said = {"name": ana.name, "email": ana.email, "role": "agent", "reach": "all", "calendar": office.pk}
    browser(omar).post(f"/people/{ana.pk}/", said)
    ana.refresh_from_db()
    assert Team.objects.get().calendar == office and ana.calendar == office
    assert AuditEntry.objects.filter(action="person.changed").latest("pk").after["calendar"] == "Office"


# --- holidays ---------------------------------------------------------------------------------------------------------


def closed(calendar: Calendar) -> set[date]:
    return set(Calendar.objects.get(pk=calendar.pk).hours().days)


def test_the_holidays_of_a_region_count_and_one_can_be_worked_on(office: Calendar, mia: User, browser: Browser):
    said = {"country": "DE", "subdivision": "BY", "first_year": "2026", "last_year": "2027"}
    for _twice in range(2):
        assert browser(mia).post(f"/calendars/{office.pk}/country/", said).status_code == 302
    assert {date(2026, 12, 25), date(2027, 6, 24) - timedelta(days=28)} <= closed(office)  # Corpus Christi is Bavaria's
    assert HolidaySource.objects.count() == 1
    christmas = Holiday.objects.get(day=date(2026, 12, 25))
    browser(mia).post(f"/calendars/holidays/{christmas.pk}/")
    assert date(2026, 12, 25) not in closed(office)
    with dates.moved(by=timedelta(days=2)):
        refresh()
    assert date(2026, 12, 25) not in closed(office)  # also after its source was read again
    browser(mia).post(f"/calendars/holidays/{christmas.pk}/", {"closed": "1"})
    assert date(2026, 12, 25) in closed(office)
    browser(mia).post(f"/calendars/sources/{HolidaySource.objects.get().pk}/remove/")
    assert closed(office) == set()


def refresh() -> None:
    while calendars.refresh_due():
        pass


def test_without_a_last_year_the_years_go_on(office: Calendar, mia: User, browser: Browser):
    with dates.moved(to=at("2026-11-27 09:00")):
        browser(mia).post(f"/calendars/{office.pk}/country/", {"country": "DE", "first_year": "2026"})
        assert max(closed(office)).year == 2028
    with dates.moved(to=at("2027-01-02 09:00")):
        refresh()
    assert max(closed(office)).year == 2029


def test_a_single_day_by_hand(office: Calendar, mia: User, browser: Browser):
    for _twice in range(2):
        browser(mia).post(f"/calendars/{office.pk}/day/", {"day": "2027-05-28", "name": "Outing"})
    assert closed(office) == {date(2027, 5, 28)}
    bad = browser(mia).post(f"/calendars/{office.pk}/day/", {"day": "soon", "name": "Outing"})
    assert bad.status_code == 422 and 'value="Outing"' in bad.content.decode()
    browser(mia).post(f"/calendars/holidays/{Holiday.objects.get().pk}/")
    assert not Holiday.objects.exists()


def test_a_short_day_by_hand(office: Calendar, mia: User, browser: Browser):
    eve = {"day": "2026-12-24", "name": "Christmas Eve", "hours": "9 to noon"}
    refused = browser(mia).post(f"/calendars/{office.pk}/day/", eve)
    assert refused.status_code == 422 and "is no time span" in refused.content.decode() and not Holiday.objects.exists()
    for _twice in range(2):
        browser(mia).post(f"/calendars/{office.pk}/day/", eve | {"hours": "9-11:30"})
    assert worktime.between(Calendar.objects.get().hours(), at("2026-12-24 00:00"), at("2026-12-25 00:00")) == 2.5 * 3600
    assert [each.after["hours"] for each in AuditEntry.objects.filter(action="calendar.holiday_added")] == ["09:00–11:30"]
    with dates.moved(to=at("2026-12-23 17:00")):
        listed = browser(mia).get("/calendars/").content.decode()
        assert "Christmas Eve, 09:00–11:30" in listed and "opens Thu 24 Dec, 09:00" in listed
    with dates.moved(to=at("2026-12-24 09:00")):
        assert "until Thu 11:30" in browser(mia).get(f"/calendars/{office.pk}/").content.decode()
    browser(mia).post(f"/calendars/holidays/{Holiday.objects.get().pk}/")
    assert closed(office) == set()


def test_a_holiday_of_a_country_becomes_a_short_day_and_stays_one(office: Calendar, mia: User, browser: Browser):
    browser(mia).post(f"/calendars/{office.pk}/country/", {"country": "DE", "first_year": "2026", "last_year": "2027"})
    boxing = {"day": "2026-12-26", "name": "Stocktaking", "hours": "10-12"}
    browser(mia).post(f"/calendars/{office.pk}/day/", boxing)
    with dates.moved(by=timedelta(days=2)):
        refresh()
    kept = Holiday.objects.get(day=date(2026, 12, 26))
    assert kept.times == "10:00–12:00" and kept.source and kept.name != "Stocktaking"
    for closed_again in ({}, {"closed": "1"}):  # worked as any Saturday, then short after all
        browser(mia).post(f"/calendars/holidays/{kept.pk}/", closed_again)
    assert Calendar.objects.get().hours().days[kept.day] == ((600, 720),)
    browser(mia).post(f"/calendars/{office.pk}/day/", boxing | {"hours": ""})
    assert Calendar.objects.get().hours().days[kept.day] == ()


def test_a_date_that_is_taken_says_what_stood_there(office: Calendar, mia: User, browser: Browser):
    mias = browser(mia)
    mias.post(f"/calendars/{office.pk}/country/", {"country": "DE", "first_year": "2026", "last_year": "2026"})
    eve, boxing = {"day": "2026-12-24", "name": "Christmas Eve"}, {"day": "2026-12-26", "name": "Stocktaking"}
    for said, words in [
        (eve, ""),
        (eve, "Thu 24 Dec 2026 is here already: Christmas Eve, closed all day."),
        (eve | {"hours": "9-12"}, "was here already: Christmas Eve, closed all day. Now it is: Christmas Eve, 09:00–12:00."),
        (eve | {"name": "Half", "hours": "9-12"}, "Christmas Eve, 09:00–12:00. Now it is: Half, 09:00–12:00."),
        (boxing | {"hours": "10-12"}, "Second Day of Christmas, closed all day. Now it is: Second Day of Christmas, 10:00"),
    ]:
        toasts = [str(each) for each in mias.post(f"/calendars/{office.pk}/day/", said, follow=True).context["messages"]]
        assert len(toasts) == bool(words) and all(words in each for each in toasts)
    told = AuditEntry.objects.filter(action="calendar.holiday_added", subject=office.ref).order_by("pk")
    assert [each.before and each.before["name"] for each in told] == [
        None, "Christmas Eve", "Christmas Eve", "Second Day of Christmas"
    ]  # fmt: skip


def test_hours_that_somebody_typed_outlive_the_source_of_their_day(
    office: Calendar, mia: User, browser: Browser, server: dict[str, Any]
):
    mias, day = browser(mia), dates.now() + timedelta(days=20)
    server["/holidays.ics"] = (200, feed(soon(20), soon(30)))
    mias.post(f"/calendars/{office.pk}/country/", {"country": "DE", "first_year": "2026", "last_year": "2027"})
    mias.post(f"/calendars/{office.pk}/feed/", {"url": server["url"] + "/holidays.ics"})
    for each in ("2027-05-01", f"{day:%Y-%m-%d}"):
        mias.post(f"/calendars/{office.pk}/day/", {"day": each, "name": "Short", "hours": "10-12"})
    country = HolidaySource.objects.exclude(country="").get()
    page = mias.post(f"/calendars/sources/{country.pk}/remove/", follow=True).content.decode()
    assert "One short day stays, by hand." in page
    server["/holidays.ics"] = (200, feed(soon(30)))
    with dates.moved(by=timedelta(days=1, hours=1)):
        refresh()
    kept = Holiday.objects.exclude(hours=[])
    assert sorted(kept.values_list("day", "source")) == [(day.date(), None), (date(2027, 5, 1), None)]
    assert closed(office) == {day.date(), date(2027, 5, 1), (dates.now() + timedelta(days=30)).date()}


def test_a_day_of_a_country_is_back_when_the_one_by_hand_goes(office: Calendar, mia: User, browser: Browser):
    browser(mia).post(f"/calendars/{office.pk}/day/", {"day": "2026-12-25", "name": "Party", "hours": "9-12"})
    browser(mia).post(f"/calendars/{office.pk}/country/", {"country": "DE", "first_year": "2026", "last_year": "2026"})
    browser(mia).post(f"/calendars/holidays/{Holiday.objects.get(name='Party').pk}/")
    assert Calendar.objects.get().hours().days[date(2026, 12, 25)] == ()


def test_a_day_of_two_sources_stays_while_one_of_them_does(office: Calendar, mia: User, browser: Browser):
    for subdivision in ("", "BE"):
        said = {"country": "DE", "subdivision": subdivision, "first_year": "2026", "last_year": "2026"}
        browser(mia).post(f"/calendars/{office.pk}/country/", said)
    for _either in range(2):
        browser(mia).post(f"/calendars/sources/{HolidaySource.objects.earliest('pk').pk}/remove/")
        assert (date(2026, 12, 25) in closed(office)) is HolidaySource.objects.exists()
    assert closed(office) == set()


def test_regions_follow_the_country(office: Calendar, mia: User, browser: Browser):
    said = {"country": "DE", "subdivision": "", "first_year": "2025", "last_year": "2031"}
    part = browser(mia).get(f"/calendars/{office.pk}/regions/", said).content.decode()
    without_script = browser(mia).post(f"/calendars/{office.pk}/country/", said | {"action": "regions"})
    assert "<html" not in part and without_script.status_code == 200 and not HolidaySource.objects.exists()
    for shown in (part, without_script.content.decode()):
        assert "Bayern" in shown and 'value="2025"' in shown and 'value="2031"' in shown
    assert b'formmethod="get"' not in without_script.content  # what was typed, and the token, stay out of addresses
    wrong = browser(mia).post(f"/calendars/{office.pk}/country/", {"country": "DE", "subdivision": "XX", "first_year": "1999"})
    assert wrong.status_code == 422


# --- feeds ------------------------------------------------------------------------------------------------------------


def feed(*events: str) -> bytes:
    body = "".join(f"BEGIN:VEVENT\r\nUID:{n}\r\n{event}\r\nEND:VEVENT\r\n" for n, event in enumerate(events))
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{body}END:VCALENDAR\r\n".encode()


TODAY = date(2026, 11, 27)
LONG = [f"DTSTART;VALUE=DATE:{year}0101\r\nDTEND;VALUE=DATE:20291231" for year in (2026, 2027, 2028)]


def test_all_day_events_are_closed_days_and_yearly_ones_come_again():
    found = feeds.read(
        feed(
            "DTSTART;VALUE=DATE:20261224\r\nDTEND;VALUE=DATE:20261227\r\nSUMMARY:Christmas",
            "DTSTART;VALUE=DATE:20200501\r\nRRULE:FREQ=YEARLY\r\nEXDATE;VALUE=DATE:20270501\r\nSUMMARY:May Day",
            "DTSTART:20270601T090000Z\r\nDTEND:20270601T100000Z\r\nSUMMARY:A meeting",
            "DTSTART;VALUE=DATE:20270701\r\nSTATUS:CANCELLED\r\nSUMMARY:Called off",
            "DTSTART;VALUE=DATE:20190101\r\nSUMMARY:Long ago",
        ),
        TODAY,
    )
    assert sorted(found) == [date(2026, 5, 1), *(date(2026, 12, n) for n in (24, 25, 26)), date(2028, 5, 1), date(2029, 5, 1)]
    assert found[date(2028, 5, 1)] == "May Day"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"<html>Sign in</html>", "no calendar feed"),
        (feed("DTSTART;VALUE=DATE:20190101\r\nSUMMARY:Long ago"), "no all-day events"),
        (feed("DTSTART;VALUE=DATE:nonsense\r\nSUMMARY:?"), "."),
        (b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n", "."),
        (feed(*LONG), "more than 1000"),
    ],
)
def test_a_feed_that_is_none_says_why(body: bytes, words: str):
    with pytest.raises(feeds.BadFeed, match=words):
        feeds.read(body, TODAY)


def test_a_rule_made_to_run_for_ever_ends():
    rules = ["FREQ=SECONDLY", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "FREQ=YEARLY;COUNT=999999999", "FREQ=DAILY"]
    found = feeds.read(feed(*(f"DTSTART;VALUE=DATE:20261224\r\nRRULE:{rule}" for rule in rules)), TODAY)
    assert len(found) <= 4


@pytest.fixture
def server(settings: Any) -> Iterator[dict[str, Any]]:
    """Somebody's web server on this machine, which we may dial for once; each path has its answer."""
    answers: dict[str, Any] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = answers.get(self.path, (404, b""))
            self.send_response(status)
            if status == 302:
                self.send_header("Location", body.decode())
                body = b""
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=running.serve_forever, daemon=True).start()
    settings.CALENDAR_PORTS, settings.CALENDAR_PRIVATE_HOSTS = [running.server_port], ["127.0.0.1"]
    answers["url"] = f"http://127.0.0.1:{running.server_port}"
    yield answers
    running.shutdown()
    running.server_close()


def soon(days: int) -> str:
    return f"DTSTART;VALUE=DATE:{dates.now() + timedelta(days=days):%Y%m%d}\r\nSUMMARY:Closed"


def test_a_feed_is_fetched_and_read_again(office: Calendar, mia: User, browser: Browser, server: dict[str, Any]):
    server["/moved.ics"] = (302, b"/holidays.ics")
    server["/holidays.ics"] = (200, feed(soon(20), soon(30)))
    assert browser(mia).post(f"/calendars/{office.pk}/feed/", {"url": server["url"] + "/moved.ics"}).status_code == 302
    assert len(closed(office)) == 2
    calendars.work_on(Holiday.objects.earliest("day"), by=mia)
    server["/holidays.ics"] = (200, feed(soon(20), soon(40)))
    with dates.moved(by=timedelta(days=1, hours=1)):
        calendars.refresh_due()
    (only,) = closed(office)
    assert only == (dates.now() + timedelta(days=40)).date()
    server["/holidays.ics"] = (500, b"")
    with dates.moved(by=timedelta(days=3)):
        refresh_source = calendars.refresh_due()
        assert refresh_source and calendars.refresh_due() is False  # an hour until the next try
    source = HolidaySource.objects.get()
    assert "The answer was 500" in source.fault and closed(office) == {only}
    page = browser(mia).get(f"/calendars/{office.pk}/").content.decode()
    assert "The answer was 500" in page
    refresh_holidays()  # as beat asks


WRONG_FEEDS = [
    ("http://169.254.169.254/latest/", "which is not public"),
    ("http://10.0.0.1/feed.ics", "which is not public"),
    ("ftp://calendars.example/feed.ics", "It begins with https://"),
    ("https://calendars.example:22/feed.ics", "Port 22 is not allowed"),
    ("/large.ics", "larger than 1 MB"),
    ("/gone.ics", "The answer was 404"),
    ("/inwards.ics", "which is not public"),
    ("/page.html", "no calendar feed"),
]


def test_a_feed_that_we_cannot_have_says_so_beside_its_field(
    office: Calendar, mia: User, browser: Browser, server: dict[str, Any], settings: Any
):
    (port,) = settings.CALENDAR_PORTS
    server["/large.ics"] = (200, feed(soon(20)) + b" " * 1_100_000)
    server["/page.html"] = (200, b"<html>")
    server["/inwards.ics"] = (302, f"http://10.0.0.1:{port}/".encode())
    for url, words in WRONG_FEEDS:
        ours = url.startswith("/")
        settings.CALENDAR_PORTS, settings.CALENDAR_PRIVATE_HOSTS = ([port], ["127.0.0.1"]) if ours else ([80, 443], [])
        url = server["url"] + url if ours else url
        answer = browser(mia).post(f"/calendars/{office.pk}/feed/", {"url": url})
        page = answer.content.decode()
        assert answer.status_code == 422 and words in page and f'value="{url}"' in page
        assert not HolidaySource.objects.exists()
