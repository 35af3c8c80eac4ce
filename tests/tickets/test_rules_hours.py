"""Rules after a time that count working time: in the hours of the ticket's team, whatever becomes of them meanwhile."""

import json
from datetime import date

import pytest

from helpdesk.accounts import calendars
from helpdesk.accounts.models import Calendar, Team
from helpdesk.lib import dates
from tests.tickets.clocks.days import at, opened
from tickets.models import Rule, RuleMeeting, RuleTimer, Ticket
from tickets.rules import due_timers, portable, timers, trial
from tickets.rules.keeping import Wording

pytestmark = pytest.mark.django_db
OFFICE = {"name": "Office", "zone": "UTC", "week": [[[540, 1020]]] * 5 + [[], []], "is_default": True}  # 9 to 17
FRIDAY, MONDAY, TUESDAY = 4, 7, 8


@pytest.fixture
def office(db):
    return Calendar.objects.create(**OFFICE)


def tags(drain, clock, day):
    """Of the one ticket there is, once the minute of that day has come."""
    with dates.moved(to=at(clock, day)):
        drain()
        return Ticket.objects.get().tags


@pytest.fixture
def slow(rule):
    """Eight working hours after it came in."""
    return lambda **does: rule("time", {"all": []}, since="opened", minutes=480, hours="business", add_tags=["slow"], **does)


def test_a_weekend_does_not_count(office, slow, ben, drain):
    with dates.moved(to=at("12:00", FRIDAY)):
        slow()
    opened(ben, at("15:00", FRIDAY))
    assert tags(drain, "23:00", FRIDAY + 1) == []
    assert tags(drain, "14:59", MONDAY) == []
    assert tags(drain, "15:01", MONDAY) == ["slow"]
    assert RuleMeeting.objects.filter(kind="time").count() == 1


def test_a_holiday_that_is_told_late_still_counts_as_none(office, slow, ben, drain, omar):
    with dates.moved(to=at("12:00", FRIDAY)):
        slow()
    opened(ben, at("15:00", FRIDAY))
    with dates.moved(to=at("09:00", FRIDAY + 1)):
        drain()
        calendars.add_day(office, date(2026, 11, 30), "Founders' day", by=omar)
    assert tags(drain, "15:01", MONDAY) == []
    with dates.moved(to=at("16:00", MONDAY)):
        calendars.work_on(office.holidays.get(), by=omar)  # it was none: its time is over since an hour
    assert tags(drain, "16:01", MONDAY) == ["slow"]


def test_each_team_has_its_hours(office, slow, ben, ana, drain):
    with dates.moved(to=at("12:00", FRIDAY)):
        slow()
    always = Calendar.objects.create(name="Always", zone="UTC", week=[[[0, 1440]]] * 7)
    night = Team.objects.create(name="Night", calendar=always)
    ticket = opened(ben, at("15:00", FRIDAY))
    with dates.moved(to=at("16:00", FRIDAY)):
        drain()
        ticket.move_to(night, by=ana)
    assert tags(drain, "22:59", FRIDAY) == []
    assert tags(drain, "23:01", FRIDAY) == ["slow"]


def test_counting_again_holds_up_no_other_rule(office, slow, rule, ben, drain, omar, monkeypatch):
    """What is counted again is no more than a batch at a time, beside what is due."""
    monkeypatch.setattr(timers, "BATCH", 2)
    with dates.moved(to=at("12:00", FRIDAY)):
        slow()
        rule("time", {"all": []}, name="soon", since="opened", minutes=60, add_tags=["soon"])
    for minute in range(5):
        opened(ben, at(f"15:0{minute}", FRIDAY))
    with dates.moved(to=at("15:30", FRIDAY)):
        drain()
        calendars.add_day(office, date(2026, 11, 30), "Founders' day", by=omar)
    with dates.moved(to=at("16:02", FRIDAY)):
        assert due_timers()  # there is more to look at
        assert list(RuleMeeting.objects.filter(kind="time").values_list("only__name", flat=True)) == ["soon", "soon"]
        drain()
        assert Ticket.objects.filter(tags=["soon"]).count() == 3  # of those that are an hour old
    moments = RuleTimer.objects.filter(rule__name="Rule 1").order_by("due_at").values_list("due_at", flat=True)
    assert list(moments) == [at(f"15:0{minute}", TUESDAY) for minute in range(5)]


def test_what_was_over_when_it_began_is_left_alone(office, slow, ben, drain):
    old = opened(ben, at("09:00", FRIDAY))
    fresh = opened(ben, at("12:00", FRIDAY))
    with dates.moved(to=at("10:00", MONDAY)):
        slow()
        drain()
        assert list(RuleTimer.objects.values_list("ticket", "due_at")) == [(fresh.pk, at("12:00", MONDAY))]
    with dates.moved(to=at("12:01", MONDAY)):
        drain()
        assert list(Ticket.objects.filter(tags__contains=["slow"])) == [fresh]
        tried = trial.tried("time", Wording("x", {"all": []}, {}, [], "opened", 480, "business"), Ticket.objects.all())
        assert [hit.ticket for hit in tried.hits] == [fresh, old]


def test_no_calendar_counts_no_time_and_the_list_says_so(slow, ben, drain, browser, mia):
    with dates.moved(to=at("12:00", FRIDAY)):
        slow()
    opened(ben, at("15:00", FRIDAY))
    assert tags(drain, "15:01", TUESDAY) == []
    assert "there is no calendar" in browser(mia).get("/rules/").content.decode()
    with dates.moved(to=at("16:00", TUESDAY)):
        Calendar.objects.create(**OFFICE)
    assert tags(drain, "16:01", TUESDAY + 1) == ["slow"]
    assert "there is no calendar" not in browser(mia).get("/rules/").content.decode()


def test_it_is_written_read_and_carried(office, browser, mia):
    lead = browser(mia)
    typed = {"name": "Slow", "count": "12", "unit": "working_hours", "since": "waiting", "c-join": "all", "add_tags": "slow"}
    said = lead.post("/rules/new/?list=time", typed | {"since": "customer_wrote", "action": "save"})
    assert said.status_code == 302
    assert "12 hours of working time after the customer last wrote" in lead.get("/rules/").content.decode()
    form = lead.get(said.url).context["form"]
    assert (form["count"].value(), form["unit"].value()) == (12, "working_hours")
    carried = portable.exported()
    assert carried["rules"][0]["hours"] == "business"
    lead.post("/rules/import/", {"source": json.dumps(carried | {"rules": [carried["rules"][0] | {"name": "Twin"}]})})
    assert Rule.objects.get(name="Twin").version.hours == "business"
    wrong = json.dumps(carried | {"rules": [carried["rules"][0] | {"hours": "lunch"}]})
    assert "hours is one of business, calendar." in lead.post("/rules/import/", {"source": wrong}).content.decode()
