"""Here, away, out of office, not in their hours: one rule, and the same rule as a set."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from helpdesk.accounts import presence
from helpdesk.accounts.models import AuditEntry, Calendar, Team, User
from helpdesk.lib import dates, worktime
from helpdesk.lib.dates import zone

NINE_TO_FIVE = [[[540, 1020]]] * 5 + [[], []]
BERLIN = worktime.Calendar(zone("Europe/Berlin"), NINE_TO_FIVE)
NIGHT = worktime.Calendar(zone("Asia/Tokyo"), [[(1320, 360)]] * 7)
MONDAY = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)  # 11:00 in Berlin, 19:00 in Tokyo


def at(hour, minute=0, days=0):
    return MONDAY.replace(hour=hour, minute=minute) + timedelta(days=days)


@pytest.mark.parametrize(
    ("moment", "facts", "state", "until"),
    [
        (at(10), {}, "here", None),
        (at(10), {"calendars": [BERLIN]}, "here", None),
        (at(8), {"calendars": [BERLIN]}, "here", None),  # the first minute of the day
        (at(7, 59), {"calendars": [BERLIN]}, "off", at(8)),
        (at(16), {"calendars": [BERLIN]}, "off", at(8, days=1)),  # the end is not in it
        (at(10, days=5), {"calendars": [BERLIN]}, "off", at(8, days=7)),
        (at(14), {"calendars": [NIGHT]}, "here", None),  # 23:00 in Tokyo
        (at(20, 59), {"calendars": [NIGHT]}, "here", None),  # over midnight
        (at(10), {"calendars": [NIGHT, BERLIN]}, "here", None),  # one open is enough
        (at(21), {"calendars": [NIGHT, BERLIN]}, "off", at(8, days=1)),
        (at(10), {"calendars": [None]}, "off", None),  # one that cannot be read is never open
        (at(10), {"away_since": at(9)}, "away", None),
        (at(21), {"away_since": at(9), "calendars": [BERLIN]}, "away", None),
        (at(10), {"absences": [(at(0), at(0, days=1), "Sea")]}, "out", at(0, days=1)),
        (at(0, days=1), {"absences": [(at(0), at(0, days=1), "Sea")]}, "here", None),
        (at(10), {"absences": [(at(0), at(0, days=1), "")], "away_since": at(9)}, "out", at(0, days=1)),
        (at(10), {"active": False}, "gone", None),
    ],
)
def test_the_rule(moment, facts, state, until):
    said = presence.presence(moment, **facts)
    assert (said.state, said.until) == (state, until)
    assert said.is_here == (state == "here") and said.is_away == (state in ("away", "out", "gone"))


HOLIDAY = worktime.Calendar(zone("Europe/Berlin"), NINE_TO_FIVE, {date(2026, 11, 30): []})


def out(*days):
    """Absences as (from, until) in days from Monday's midnight in Berlin, which is 23:00 in UTC."""
    return [(at(23, days=first - 1), at(23, days=last - 1), "") for first, last in days]


@pytest.mark.parametrize(
    ("absences", "calendars", "back"),
    [
        (out((0, 2)), [], at(23, days=1)),  # no calendar: when the absence ends
        (out((0, 2)), [BERLIN], at(8, days=2)),
        (out((0, 2), (2, 4)), [BERLIN], at(8, days=4)),  # the second follows at once
        (out((0, 2), (2, 4)), [], at(23, days=3)),
        (out((0, 3), (1, 4)), [BERLIN], at(8, days=4)),  # overlapping
        (out((1, 4), (0, 3)), [BERLIN], at(8, days=4)),  # in whatever order they are told
        (out((0, 4), (1, 2)), [BERLIN], at(8, days=4)),  # one within the other
        (out((0, 2), (3, 4)), [BERLIN], at(8, days=2)),  # a day of work between them
        (out((0, 5)), [BERLIN], at(8, days=7)),  # it ends at midnight before a Saturday
        (out((0, 5), (7, 9)), [BERLIN], at(8, days=9)),  # only a weekend between them
        (out((0, 5)), [HOLIDAY], at(8, days=8)),  # the Monday is a holiday
        ([(at(0), at(17), "")], [BERLIN], at(8, days=1)),  # it ends after work
        ([(at(0), at(12), "")], [BERLIN], at(12)),  # it ends within their hours
        ([(at(0), at(17), "")], [BERLIN, NIGHT], at(17)),  # one open is enough
        (out((0, 2)), [None], None),  # hours that never come
    ],
)
def test_back_is_when_they_work_again(absences, calendars, back):
    said = presence.presence(at(10), absences=absences, calendars=calendars)
    assert (said.state, said.until) == ("out", back)


def test_whose_absence_begins_before_their_hours_do_is_not_back_with_those():
    said = presence.presence(at(20, days=4), absences=out((7, 9)), calendars=[BERLIN])
    assert (said.state, said.until) == ("off", at(8, days=9))


weeks = st.sampled_from([NINE_TO_FIVE, [[[0, 1440]]] * 7, [[[1320, 360]]] * 7, [[[480, 720], [780, 1020]]] + [[]] * 6, [[]] * 7])


@pytest.mark.django_db
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_the_set_says_what_the_rule_says(data):
    draw = data.draw
    User.objects.all().delete()
    Team.objects.all().delete()
    Calendar.objects.all().delete()
    zones = st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC"])
    default = draw(st.integers(-1, 2))
    calendars = [
        Calendar.objects.create(name=str(n), zone=draw(zones), week=draw(weeks), is_default=n == default) for n in range(3)
    ]
    chosen = st.sampled_from([None, None, *calendars])
    teams = [Team.objects.create(name=str(n), slug=str(n), calendar=draw(chosen)) for n in range(2)]
    moment = draw(st.datetimes(datetime(2026, 3, 1), datetime(2026, 11, 30))).replace(tzinfo=UTC)
    for n in range(5):
        user = User.objects.create_user(
            f"{n}@x.example", None, name=str(n), is_active=draw(st.integers(0, 4)) > 0, calendar=draw(chosen)
        )
        user.away_since = draw(st.sampled_from([None, None, None, moment]))
        user.save()
        user.teams.set(draw(st.sets(st.sampled_from(teams))))
        if draw(st.booleans()):
            first = moment.date() + timedelta(days=draw(st.integers(-2, 2)))
            presence.add_absence(user, first, first, "", by=user)
    states = presence.presences(User.objects.all(), moment)
    assert {pk for pk, state in states.items() if state.is_here} == set(presence.present(moment).values_list("pk", flat=True))


@pytest.mark.django_db
def test_days_of_an_absence_are_days_of_their_own_zone(ana):
    ana.zone = "Pacific/Auckland"
    ana.save()
    presence.add_absence(ana, date(2026, 12, 1), date(2026, 12, 2), "Sea", by=ana)
    row = ana.absences.get()
    assert row.starts_at == datetime(2026, 11, 30, 11, tzinfo=UTC) and row.ends_at - row.starts_at == timedelta(days=2)
    assert presence.days_of(row, ana) == (date(2026, 12, 1), date(2026, 12, 2))


def test_one_says_so_in_the_shell_and_it_is_in_the_log(browser, ana):
    page = browser(ana)
    assert "You are" in page.get("/inbox/").content.decode()
    for _ in range(2):
        answer = page.post(f"/who/{ana.pk}/presence/", {"here": "0", "next": "/inbox/solved/"})
        assert answer.headers["Location"] == "/inbox/solved/"
    assert ">Away<" in page.get("/inbox/").content.decode()
    page.post(f"/who/{ana.pk}/presence/", {"here": "1", "next": "//evil.example/"})
    ana.refresh_from_db()
    assert ana.away_since is None
    assert list(AuditEntry.objects.values_list("action", flat=True)) == ["presence.available", "presence.away"]


def test_absences_are_planned_by_oneself_or_a_manager_and_by_nobody_else(browser, ana, mia):
    lena = User.objects.create_user("lena@nordwind.example", None, name="Lena", role="light")
    today = dates.now().date()
    said = {"first": str(today), "last": str(today + timedelta(days=20)), "note": "Sea"}
    assert browser(lena).post(f"/who/{ana.pk}/", said).status_code == 403
    assert browser(ana).post(f"/who/{mia.pk}/", said).status_code == 403
    for who in (ana, mia):
        assert browser(who).post(f"/who/{ana.pk}/", said).status_code == 302
    row = ana.absences.get()
    page = browser(mia).get(f"/who/{ana.pk}/").content.decode()
    assert "Out of office" in page and "Sea" in page
    wrong = browser(ana).post(f"/who/{ana.pk}/", said | {"last": str(today - timedelta(days=1)), "note": "Kept"})
    assert wrong.status_code == 422 and "before the first day" in wrong.content.decode() and "Kept" in wrong.content.decode()
    over = browser(ana).post(f"/who/{ana.pk}/", {"first": "2020-01-01", "last": "2020-01-02"})
    assert over.status_code == 422 and "This day is over." in over.content.decode()
    for _ in range(2):
        assert browser(ana).post(f"/who/{ana.pk}/absences/{row.pk}/remove/").status_code == 302
    assert list(AuditEntry.objects.values_list("action", flat=True)) == ["absence.removed", "absence.added"]


@pytest.mark.django_db
def test_who_is_here_costs_the_same_however_many_calendars_and_absences_there_are(django_assert_num_queries):
    for n in range(12):
        calendar = Calendar.objects.create(name=f"Shift {n}", zone="UTC", week=NINE_TO_FIVE, is_default=n == 0)
        calendar.holidays.create(day=date(2026, 11, 23), name="A day off")
        user = User.objects.create_user(f"p{n}@nordwind.example", name=f"P {n}", calendar=calendar)
        for day in (date(2026, 11, 24) + timedelta(days=each) for each in range(n)):
            presence.add_absence(user, day, day, "", by=user)
    with django_assert_num_queries(3):
        assert list(presence.present(MONDAY)) == []
    with django_assert_num_queries(5):
        assert {each.state for each in presence.presences(User.objects.all(), MONDAY).values()} == {"off"}
