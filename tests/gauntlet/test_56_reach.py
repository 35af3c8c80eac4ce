"""Role × reach × whose ticket it is, at every door of a ticket and at every page that shows many.

What somebody sees is written down here a second time, as a table: `tickets.access` says it in SQL.
"""

import logging
from collections.abc import Iterable
from itertools import product
from typing import Any

import pytest

from helpdesk.accounts.models import ApiToken, Reach, Role, Scope, Team, User
from tests.conftest import colleague
from tests.gauntlet.test_55_roles import ANSWERS, TABLE, doors, letter
from tests.gauntlet.world import BACKEND, World, undone
from tickets.models import Ticket

pytestmark = pytest.mark.django_db
WHOSE = ("mine", "my team's", "another team's", "nobody's")
SEES = {Reach.ALL: set(WHOSE), Reach.TEAM: {"mine", "my team's"}, Reach.ASSIGNED: {"mine"}}
ROLES = (Role.LIGHT, Role.AGENT, Role.MANAGER, Role.ADMIN)
READ, CHANGE = TABLE["- + + 0 + + -"], TABLE["- x + 0 + + -"]
DAILY = {"GET ticket", "GET ticket-file", "GET ticket-sent", "POST ticket-draft", "POST ticket-change", "GET ticket-properties"}
PAGES = ("/inbox/open/", "/inbox/?q={number}", "/inbox/?q={sought}", "/palette/?q={sought}", "/customers/{customer}/")
SUBJECT, SOUGHT, SHOWN = "Quicksilver marzipan", "quicksilver", "marzipan"


def reader(role: str, reach: str, team: Team) -> User:
    made = colleague(f"{role}.{reach}", role, reach=reach)
    made.teams.add(team)
    return made


def belong(tickets: Any, whose: str, to: User, teams: tuple[Team, Team]) -> None:
    own, other = teams
    team = {"mine": other, "my team's": own, "another team's": other, "nobody's": None}[whose]
    tickets.update(team=team, assignee=to if whose == "mine" else None)


def teams() -> tuple[Team, Team]:
    return Team.objects.get(slug="billing"), Team.objects.get(slug="support")


def expected(role: str, reach: str, whose: str, *, change: bool) -> set[str]:
    seen = whose in SEES[Reach(reach)]
    if change and role == Role.LIGHT:
        return {"x"} if seen else {"x", "0"}  # refused before or after it was looked for
    return {"+"} if seen else {"0"}


def wrong_doors(world: World, wanted: Iterable[tuple[str, str, bool]], roles: Iterable[str]) -> dict[str, Any]:
    wrong, wanted = {}, list(wanted)
    for role, reach in product(roles, Reach.values):
        who = reader(role, reach, teams()[0])
        browser = world.browser()
        browser.force_login(who, backend=BACKEND)
        for whose, (method, name, change) in product(WHOSE, wanted):
            address, data = world.url(name), ANSWERS.get(name, lambda w: {})(world)
            with undone():
                belong(Ticket.objects.all(), whose, who, teams())
                answer = getattr(browser, method.lower())(address, data)
            if letter(answer) not in expected(role, reach, whose, change=change):
                wrong[f"{method} {name}: {role}, reach {reach}, {whose}"] = letter(answer)
    return wrong


DOORS = [(method, name, change) for text, change in ((READ, False), (CHANGE, True)) for method, name in doors(text)]


def test_some_doors_of_a_ticket(world: World) -> None:
    logging.disable(logging.ERROR)
    some = [door for door in DOORS if f"{door[0]} {door[1]}" in DAILY]
    assert len(some) == len(DAILY)
    assert wrong_doors(world, some, (Role.LIGHT, Role.AGENT)) == {}


@pytest.mark.long
def test_every_door_of_a_ticket(world: World) -> None:
    logging.disable(logging.ERROR)
    assert len(DOORS) > 25
    assert wrong_doors(world, DOORS, ROLES) == {}


@pytest.mark.parametrize("roles", [(Role.LIGHT, Role.ADMIN), pytest.param(ROLES, marks=pytest.mark.long)], ids=["two", "all"])
def test_pages_that_show_many_show_those_in_reach_and_no_other(world: World, roles: tuple[str, ...]) -> None:
    ticket = world.live_ticket
    Ticket.objects.filter(pk=ticket.pk).update(subject=SUBJECT)
    number, customer, wrong = str(ticket.number), ticket.requester_id, {}
    for role, reach in product(roles, Reach.values):
        who = reader(role, reach, teams()[0])
        browser = world.browser()
        browser.force_login(who, backend=BACKEND)
        for whose in WHOSE:
            with undone():
                belong(Ticket.objects.filter(pk=ticket.pk), whose, who, teams())
                for page in PAGES:
                    address = page.format(number=number, sought=SOUGHT, customer=customer)
                    shown = SHOWN in browser.get(address).content.decode()
                    if shown != (whose in SEES[Reach(reach)]):
                        wrong[f"{address}: {role}, reach {reach}, {whose}"] = shown
    assert wrong == {}


def test_a_token_of_a_team_sees_its_teams_tickets(world: World) -> None:
    ticket, (own, other) = world.live_ticket, teams()
    _token, bearer = ApiToken.objects.issue("Of Billing", Scope.values, team=own)
    for team, seen in ((own, True), (other, False), (None, False)):
        Ticket.objects.update(team=team)
        headers = {"authorization": f"Bearer {bearer}"}
        assert world.browser().get(f"/api/v1/tickets/{ticket.number}", headers=headers).status_code == (200 if seen else 404)
        assert bool(world.browser().get("/api/v1/tickets", headers=headers).json()["results"]) is seen, team
