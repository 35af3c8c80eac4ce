"""What falls due, as a lead plans with it: what is likely to be missed, by team, and the way to those tickets."""

import re
from collections.abc import Callable
from datetime import timedelta
from html import unescape

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from helpdesk.accounts.models import Calendar, Reach, Role, Team, User
from helpdesk.customers.models import Customer
from helpdesk.lib import dates
from helpdesk.mail.models import Mailbox
from tests.conftest import colleague
from tests.tickets.clocks.days import at, opened, replied, targets
from tickets import clocks
from tickets.clocks.forecast import forecast
from tickets.models import Policy, Ticket

pytestmark = pytest.mark.django_db
Browser = Callable[[User], Client]
TEN_HOURS = targets(hours="calendar", first_reply=600, next_reply=None, resolution=None)
UTC = dates.zone("UTC")


@pytest.fixture
def shop(policy: Policy, support: Mailbox, ana: User) -> Team:
    """Ana sells; what they write is answered within ten hours, by day and night."""
    Policy.objects.update(targets=TEN_HOURS)
    team = Team.objects.create(name="Shop & Service", slug="shop")
    ana.teams.add(team)
    return team


@pytest.fixture
def depot(shop: Team, mia: User) -> Team:
    """Gus alone packs, and is out of office until Wednesday."""
    team = Team.objects.create(name="Depot", slug="depot")
    gus = colleague("Gus Lind", Role.AGENT, zone="UTC")
    gus.teams.add(team)
    gus.absences.create(starts_at=at("00:00"), ends_at=at("00:00", 2))
    return team


def rows(page: str) -> dict[str, list[str]]:
    """The table by team: name → its numbers as they are read."""
    table = page.partition("By team</h2>")[2].partition("</table>")[0]
    found = re.findall(r'<th scope="row" class="name">(.*?)</th>(.*?)</tr>', table, re.S)
    return {unescape(name): re.findall(r">(\d+)<", cells) for name, cells in found}


def listed(lead: Client, page: str, name: str) -> list[set[int] | None]:
    """For each number of a team the tickets that its link shows, or None where there is no link."""
    row = page.partition("By team</h2>")[2].partition(f">{name}</th>")[2].partition("</tr>")[0]
    cells = re.findall(r'<td class="number">(?:<a class="link" href="(.*?)">|)', row)
    return [{ticket.number for ticket in lead.get(unescape(cell)).context["page"].rows} if cell else None for cell in cells]


def test_a_lead_sees_what_is_likely_to_be_missed_and_why_and_gets_to_it(
    shop: Team, depot: Team, ben: Customer, ana: User, mia: User, browser: Browser
):
    gus = User.objects.get(name="Gus Lind")
    late = opened(ben, at("04:00"), team=shop)
    hers, free = (opened(ben, at("10:00"), team=shop) for _ in range(2))
    night = opened(ben, at("14:50"), team=shop)  # due at 00:50
    packed, heap = (opened(ben, at("12:00"), team=depot) for _ in range(2))
    nobodys = opened(ben, at("12:00"), team=shop)
    answered, solved, elsewhere = (opened(ben, at("11:00"), team=shop) for _ in range(3))
    lead = browser(mia)
    with dates.moved(to=at("15:00")):
        for ticket, person in ((hers, ana), (night, ana), (packed, gus), (elsewhere, ana)):
            ticket.assign(person, by=mia)
        nobodys.move_to(None, by=mia)
        replied(answered, ana, at("15:00"))
        replied(solved, ana, at("15:00"), status="solved")
        clocks.recompute(Ticket.objects.values_list("pk", flat=True))
        page = lead.get("/clocks/").content.decode()
        # late, due, likely missed, nobody has it, its person is not at work, nor anybody of the team
        assert rows(page) == {
            "Depot": ["0", "2", "2", "1", "1", "2"],
            "Shop & Service": ["1", "4", "1", "1", "0", "0"],
            "No team": ["0", "1", "1", "1", "0", "0"],
        }
        assert "7</a>" in page and "promises fall due, 4 of them likely to be missed, 7 of them while nobody works" in page
        both = {packed.number, heap.number}
        assert listed(lead, page, "Depot") == [None, both, both, {heap.number}, {packed.number}, both]
        due = {ticket.number for ticket in (hers, free, night, elsewhere)}
        assert listed(lead, page, "Shop &amp; Service") == [{late.number}, due, {free.number}, {free.number}, None, None]
        assert listed(lead, page, "No team") == [None, *[{nobodys.number}] * 3, None, None]
        hours = {slot.at: (slot.due, slot.missed, slot.unassigned) for slot in forecast(mia, UTC).hours if slot.due}
        assert hours[at("20:00")] == (2, 1, 1) and hours[at("22:00")] == (3, 3, 2) and hours[at("00:00", 1)] == (1, 0, 0)
        mia.teams.add(depot)  # who might pack, if need be
        found = rows(lead.get("/clocks/").content.decode())
        assert found["Depot"] == ["0", "2", "2", "1", "1", "0"] and found["No team"] == ["0", "1", "1", "1", "0", "0"]
    with dates.moved(to=at("18:00")):  # everybody has gone home, until nine
        tomorrow = opened(ben, at("23:30"), team=shop)
        tomorrow.assign(ana, by=mia)
        page = lead.get("/clocks/").content.decode()
        assert rows(page)["Shop & Service"] == ["1", "5", "4", "1", "3", "4"]
        shown = listed(lead, page, "Shop &amp; Service")
        assert shown[1] == due | {tomorrow.number} and shown[2] == shown[5] == due and shown[4] == due - {free.number}
        assert forecast(mia, UTC).days[1].missed == 1 and forecast(mia, UTC).days[1].due == 2


def test_who_is_away_and_does_not_say_until_when_is_not_waited_for(
    shop: Team, ben: Customer, ana: User, mia: User, browser: Browser
):
    hers = opened(ben, at("10:00"), team=shop)
    with dates.moved(to=at("15:00")):
        hers.assign(ana, by=mia)
        assert rows(browser(mia).get("/clocks/").content.decode()) == {"Shop & Service": ["0", "1", "0", "0", "0", "0"]}
        browser(ana).post(f"/who/{ana.pk}/presence/", {"here": "0"})
        page = browser(mia).get("/clocks/").content.decode()
        assert rows(page) == {"Shop & Service": ["0", "1", "1", "0", "1", "1"]}
        User.objects.update(away_since=dates.now())  # nobody at all is here
        assert forecast(mia, UTC).missed == 1


def test_the_forecast_is_of_what_its_reader_may_see_and_asks_as_much_however_much_there_is(
    shop: Team, depot: Team, ben: Customer, ana: User, mia: User, browser: Browser
):
    opened(ben, at("10:00"), team=shop).assign(colleague("Rae Poe", Role.AGENT, away_since=at("09:00")), by=mia)
    mia.teams.add(shop)
    User.objects.filter(pk=mia.pk).update(reach=Reach.TEAM)
    with dates.moved(to=at("15:00")):
        lead = browser(mia)
        lead.get("/clocks/")
        with CaptureQueriesContext(connection) as few:
            assert set(rows(lead.get("/clocks/").content.decode())) == {"Shop & Service"}
        for n in range(4):
            team = Team.objects.create(name=f"Team {n}", slug=f"team-{n}")
            person = colleague(f"Person{n} Doe", Role.AGENT)
            for each in (person, mia):
                each.teams.add(team)
            person.absences.create(starts_at=at("00:00"), ends_at=at("08:00", n))
            opened(ben, at("11:00"), team=team).assign(person, by=mia)
        opened(ben, at("11:00"), team=depot)
        with CaptureQueriesContext(connection) as many:
            found = rows(lead.get("/clocks/").content.decode())
        assert set(found) == {"Shop & Service", *(f"Team {n}" for n in range(4))} and len(many) == len(few)


def test_the_hour_that_comes_twice_is_counted_once_each(shop: Team, ben: Customer, mia: User):
    """Clocks in Berlin go back on 25 October 2026 at 01:00 UTC."""
    night = at("00:00", -29)
    for minutes in (30, 90, 95):
        opened(ben, night + timedelta(minutes=minutes - 600), team=shop)
    with dates.moved(to=night - timedelta(hours=3, minutes=20)):
        found = forecast(mia, dates.zone("Europe/Berlin"))
    due = [(slot.at.strftime("%H:%M %z"), slot.due) for slot in found.hours if slot.due]
    assert due == [("02:00 +0200", 1), ("02:00 +0100", 2)] and found.today == 3 and len(found.hours) == 25


def test_a_search_is_found_whatever_the_team_is_called(shop: Team, ben: Customer, mia: User, browser: Browser):
    Calendar.objects.update(is_default=False)
    Team.objects.filter(pk=shop.pk).update(name='The "old" shop, and others')
    waits = opened(ben, at("10:00"), team=shop)
    with dates.moved(to=at("15:00")):
        lead = browser(mia)
        page = lead.get("/clocks/").content.decode()
        assert listed(lead, page, "The &quot;old&quot; shop, and others")[1:4] == [{waits.number}] * 3
