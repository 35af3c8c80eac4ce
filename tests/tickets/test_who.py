"""What a lead sees: who is here, their work against their capacity, and why each waiting ticket waits."""

import re
from datetime import UTC, date, datetime

import pytest

from helpdesk.accounts import presence
from helpdesk.accounts.models import AuditEntry, Calendar, Mode, Skill, Team, User
from helpdesk.knowledge.models import Topic
from helpdesk.lib import dates
from tests.conftest import PASSWORD
from tickets import intake


@pytest.fixture
def team(support, ana, omar, mia) -> Team:
    support.team.members.set([ana, omar, mia])
    Team.objects.filter(pk=support.team.pk).update(mode=Mode.LEAST_LOADED, cap=1, urgent_streak=1)
    support.team.refresh_from_db()
    return support.team


def words(html: bytes) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html.decode()).split())


def test_who_is_here_and_why_what_waits_waits(browser, team, ana, omar, mia, ben, drain):
    Skill.objects.create(name="German", languages=["de"])
    presence.set_available(omar, False, by=omar)
    for n in range(3):
        intake.open_ticket(ben, f"Question {n}", intake.Words("Please."), channel="form", team=team)
    intake.open_ticket(ben, "Frage", intake.Words("Bitte."), channel="form", team=team, language="de")
    drain()
    page = browser(ana)
    assert "2 of 3" in words(page.get("/who/").content)
    said = words(page.get(f"/who/teams/{team.pk}/").content)
    assert "2 of 3 are here" in said and "1 of 1 Full" in said and "2 tickets are nobody’s yet" in said
    assert "Whoever could is full: Ana Kowalczyk (1/1), Mia Sandoval (1/1)." in said
    assert "Nobody in the team has German." in said
    presence.set_available(mia, False, by=mia)
    presence.set_available(ana, False, by=ana)
    assert "Nobody who could is here." in words(page.get(f"/who/teams/{team.pk}/").content)


def test_a_lead_reads_when_somebody_is_really_back(browser, team, ana, omar, mia, ben):
    office = Calendar.objects.create(name="Berlin", zone="Europe/Berlin", week=[[[540, 1080]]] * 5 + [[], []])
    office.holidays.create(day=date(2026, 12, 14), name="Moving house")
    for who in (ana, omar):
        who.calendar, who.zone = office, "Europe/Berlin"
        who.save()
    with dates.moved(to=datetime(2026, 12, 9, 10, tzinfo=UTC), still=True):
        for first, last in ((1, 5), (5, 9), (10, 13)):
            presence.add_absence(ana, date(2026, 12, first), date(2026, 12, last), "Sea", by=ana)
        presence.add_absence(omar, date(2026, 12, 1), date(2026, 12, 15), "Hut", by=omar)
        presence.set_available(mia, False, by=mia)
        intake.open_ticket(ben, "Question", intake.Words("Please."), channel="form", team=team)
        said = words(browser(omar).get(f"/who/teams/{team.pk}/").content)
    assert "Out of office back Tue 09:00 Sea" in said and "Out of office back 16 December Hut" in said
    assert "First back: Ana Kowalczyk, Tue 09:00" in said


def test_an_urgent_streak_is_told_to_its_own_person_alone(browser, team, ana, mia, ben, drain):
    team.members.set([ana])
    intake.open_ticket(ben, "Fire", intake.Words("Now!"), channel="form", team=team, priority="urgent")
    drain()
    assert "You were given an urgent ticket. The next" in words(browser(ana).get(f"/who/{ana.pk}/").content)
    assert "in a row. The next" not in words(browser(mia).get(f"/who/{ana.pk}/").content)
    assert "Only you see this" not in words(browser(mia).get(f"/who/teams/{team.pk}/").content)


def test_a_team_and_a_person_are_set_up_with_their_caps_and_it_is_logged(browser, omar, ana, team):
    said = {"name": "Support", "members": [ana.pk], "mode": "round_robin", "cap": "4", "urgent_streak": "2", "calendar": ""}
    page = browser(omar)
    assert page.post(f"/teams/{team.pk}/", said).status_code == 302
    team.refresh_from_db()
    assert (team.mode, team.cap, team.urgent_streak) == ("round_robin", 4, 2)
    wrong = page.post(f"/teams/{team.pk}/", said | {"cap": "0"})
    assert wrong.status_code == 422 and "greater than or equal to 1" in wrong.content.decode()
    german = Skill.objects.create(name="German")
    person = {"name": "Ana", "email": ana.email, "role": "agent", "reach": "all", "capacity": "9", "skills": [german.pk]}
    assert page.post(f"/people/{ana.pk}/", person).status_code == 302
    ana.refresh_from_db()
    assert ana.capacity == 9 and list(ana.skills.all()) == [german]
    by_team, by_person = AuditEntry.objects.get(action="team.changed"), AuditEntry.objects.get(action="person.changed")
    assert (by_team.before["cap"], by_team.after["cap"]) == (1, 4)
    assert (by_person.before["skills"], by_person.after["skills"]) == ([], ["German"])


def test_a_skill_says_which_tickets_need_it_and_who_has_it(browser, omar, ana, mia):
    topic = Topic.objects.create(slug="vat", name="VAT")
    said = {"name": "Tax", "spoken": "DE, fr", "tagged": "refund, vat id", "about": [topic.pk], "people": [ana.pk]}
    page = browser(omar)
    assert page.post("/skills/new/", said).status_code == 302
    assert page.post("/skills/new/", said).status_code == 422
    tax = Skill.objects.get()
    assert (tax.languages, tax.tags, tax.topics) == (["de", "fr"], ["refund", "vat id"], [topic.pk])
    assert list(User.objects.filter(skills=tax)) == [ana]
    assert "In de, fr" in words(page.get("/skills/").content)
    wrong = page.post(f"/skills/{tax.pk}/", said | {"spoken": "klingon", "name": "Taxes"})
    assert wrong.status_code == 422 and "klingon" in wrong.content.decode() and "Taxes" in wrong.content.decode()
    assert page.post(f"/skills/{tax.pk}/", said | {"people": [mia.pk]}).status_code == 302
    assert list(tax.people.all()) == [mia]
    assert [entry.action for entry in AuditEntry.objects.all()] == ["skill.changed", "skill.added"]
    assert browser(mia).get("/skills/").status_code == 403


def test_who_was_invited_is_given_work_from_their_first_sign_in_on(browser, client, omar, ana, support, ben, drain, sink):
    team = support.team
    Team.objects.filter(pk=team.pk).update(mode=Mode.ROUND_ROBIN)
    team.members.add(ana)
    admin = browser(omar)
    admin.post(
        "/people/new/", {"name": "Nia Obi", "email": "nia@nordwind.example", "role": "agent", "reach": "all", "teams": team.pk}
    )
    nia = User.objects.get(name="Nia Obi")
    first, second = (intake.open_ticket(ben, f"Question {n}", intake.Words("?"), channel="form", team=team) for n in range(2))
    drain()
    assert {assignee_of(first), assignee_of(second)} == {ana}
    said = words(admin.get(f"/who/teams/{team.pk}/").content)
    assert "1 of 2 are here" in said and "Nia Obi Has not signed in yet" in said
    assert "Has not signed in yet" in words(admin.get(f"/who/{nia.pk}/").content)

    [letter] = sink.to(nia.email)
    link = re.search(r"https?://[^/\s]+(/accounts/password/reset/key/\S+)", letter.text)
    form = client.get(link[1], follow=True).redirect_chain[-1][0]
    client.post(form, {"password1": PASSWORD, "password2": PASSWORD})
    assert "Has not signed in yet" in words(admin.get(f"/who/{nia.pk}/").content)
    assert client.post("/accounts/login/", {"login": nia.email, "password": PASSWORD})["Location"] == "/"
    third = intake.open_ticket(ben, "Question 3", intake.Words("?"), channel="form", team=team)
    drain()
    assert assignee_of(third) == nia and AuditEntry.objects.get(action="presence.available").actor == nia.ref

    client.post(f"/who/{nia.pk}/presence/", {"here": "0"})
    client.post("/accounts/logout/")
    client.post("/accounts/login/", {"login": nia.email, "password": PASSWORD})
    assert "Nia Obi Away" in words(admin.get(f"/who/teams/{team.pk}/").content)


def assignee_of(ticket) -> User | None:
    ticket.refresh_from_db()
    return ticket.assignee
