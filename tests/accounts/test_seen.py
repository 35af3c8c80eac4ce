"""Two admins in one form of teams, people, skills, fields or paths: whoever saves second is asked first, and told the truth."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from helpdesk.accounts.models import Skill, Team, User
from helpdesk.customers.models import FieldDefinition
from tickets.models import EscalationPath, EscalationStep

Browser = Callable[[User], Client]


@pytest.fixture
def lea(db: None) -> User:
    return User.objects.create_user("lea@nordwind.example", name="Lea Adler", role="admin")


@pytest.fixture
def team(db: None, ana: User) -> Team:
    made = Team.objects.create(name="Billing", slug="billing")
    made.members.add(ana)
    return made


PAGES: dict[str, tuple[Callable[[], Any], dict[str, Any]]] = {
    "/teams/": (lambda: Team.objects.create(name="Night", slug="night"), {"mode": "manual", "cap": "3"}),
    "/people/": (lambda: User.objects.create_user("n@x.yz", name="Nia"), {"email": "n@x.yz", "role": "agent", "reach": "all"}),
    "/skills/": (lambda: Skill.objects.create(name="Tax"), {"spoken": "de", "tagged": ""}),
    "/fields/": (lambda: FieldDefinition.objects.create(subject="ticket", label="Order", key="order", type="text"), {"hint": ""}),
    "/escalation/": (lambda: EscalationPath.objects.create(name="Outage"), {"is_enabled": "on"}),
}


@pytest.mark.parametrize("url", PAGES)
def test_whoever_saves_second_is_asked_and_loses_nothing(browser: Browser, omar: User, lea: User, team: Team, url: str) -> None:
    make, said = PAGES[url]
    row = make()
    if isinstance(row, EscalationPath):
        EscalationStep.objects.create(path=row, position=0, team=team)
        said = said | {"to0": f"team:{team.pk}"}
    name = "label" if url == "/fields/" else "name"
    omars, leas, page = browser(omar), browser(lea), f"{url}{row.pk}/"
    said = said | {"seen": omars.get(page).context["seen"].mark}
    assert leas.post(page, said | {name: "Lea’s"}).status_code == 302
    asked = omars.post(page, said | {name: "Omar’s"})
    html = asked.content.decode()
    assert asked.status_code == 409 and "Lea Adler saved this while you were writing" in html
    assert "</b>Lea’s</dd>" in html and "</b>Omar’s</dd>" in html and 'value="Omar’s"' in html
    row.refresh_from_db()
    assert getattr(row, name) == "Lea’s"
    assert omars.post(page, said | {name: "Omar’s", "seen": asked.context["seen"].mark}).status_code == 302
    row.refresh_from_db()
    assert getattr(row, name) == "Omar’s"


def test_who_changed_something_earlier_is_not_blamed_for_what_was_changed_elsewhere(
    browser: Browser, omar: User, lea: User, ana: User, mia: User, team: Team
) -> None:
    omars, page = browser(omar), f"/teams/{team.pk}/"
    said = {"name": "Billing", "mode": "manual", "members": [ana.pk], "cap": "2"}
    browser(lea).post(page, said)
    said["seen"] = omars.get(page).context["seen"].mark
    person = {"name": mia.name, "email": mia.email, "role": "manager", "reach": "all", "teams": [team.pk]}
    assert browser(lea).post(f"/people/{mia.pk}/", person).status_code == 302  # the team's members, on a person's page
    asked = omars.post(page, said)
    html = asked.content.decode()
    assert asked.status_code == 409 and "This was changed while you were writing" in html and "Lea Adler saved" not in html
    assert f"</b>{ana.name}, {mia.name}</dd>" in html and f"</b>{ana.name}</dd>" in html
    assert set(team.members.all()) == {ana, mia}


def test_a_team_of_another_name_is_the_same_team(browser: Browser, omar: User, lea: User, ana: User, team: Team) -> None:
    omars, page = browser(omar), f"/people/{ana.pk}/"
    said = {"name": "Ana K.", "email": ana.email, "role": "agent", "reach": "all", "teams": [team.pk]}
    said["seen"] = omars.get(page).context["seen"].mark
    browser(lea).post(f"/teams/{team.pk}/", {"name": "Invoices", "mode": "manual", "members": [ana.pk]})
    assert omars.post(page, said).status_code == 302
