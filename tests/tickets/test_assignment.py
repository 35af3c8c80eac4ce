"""A team hands its tickets to whoever is here, able and has room; what waits says why; nobody is given too much."""

from collections import Counter
from datetime import timedelta

import pytest

from helpdesk.accounts import people, presence
from helpdesk.accounts.models import Absence, Calendar, Mode, Skill, Team, User
from helpdesk.customers import dispatch
from helpdesk.customers.models import Event
from helpdesk.knowledge.models import Topic
from helpdesk.lib import dates
from tickets import assignment, intake, replies
from tickets.changes import change
from tickets.models import Ticket

NEVER = [[]] * 7
ALL_DAY = [[[0, 1440]]] * 7


@pytest.fixture
def team(support, ana, omar, mia) -> Team:
    """Support hands out: Ana, Mia and Omar in turn."""
    support.team.members.set([ana, omar, mia])
    return set_up(support.team)


def set_up(team, mode=Mode.ROUND_ROBIN, **more):
    Team.objects.filter(pk=team.pk).update(mode=mode, **more)
    team.refresh_from_db()
    return team


@pytest.fixture
def ask(ben, team):
    def come(subject="Help", count=1, **facts):
        made = [
            intake.open_ticket(ben, f"{subject} {n}", intake.Words("Please."), channel="form", team=team, **facts)
            for n in range(count)
        ]
        return made if count > 1 else made[0]

    return come


def owners():
    return [ticket.assignee and ticket.assignee.name.split()[0] for ticket in Ticket.objects.order_by("pk")]


def why(ticket):
    return Event.objects.filter(kind="ticket.assigned", payload__ticket=ticket.pk).latest("id").payload


def test_round_robin_goes_around_and_says_after_whom(ask, drain, browser, mia):
    tickets = ask(count=7)
    drain()
    assert owners() == ["Ana", "Omar", "Mia", "Ana", "Omar", "Mia", "Ana"]
    assert {ticket.status for ticket in Ticket.objects.all()} == {"open"}
    assert (why(tickets[1])["how"], why(tickets[1])["after"]) == ("round_robin", "Ana Kowalczyk")
    page = browser(mia).get(f"/tickets/{tickets[4].number}/").content.decode()
    assert "given to Omar Haddad (round robin, next after Ana Kowalczyk)" in page


def test_a_gift_leads_to_no_other_look(ask, drain, monkeypatch):
    ask(count=2)
    looked = []
    monkeypatch.setattr(assignment, "_round", lambda known=assignment._round: looked.append(1) or known())
    while dispatch.run_once():
        continue
    assert len(looked) == 1 and owners() == ["Ana", "Omar"]


def test_least_loaded_counts_open_work_and_neither_pending_nor_solved(ask, drain, team, ana, omar, mia):
    set_up(team, Mode.LEAST_LOADED)
    for ticket, owner in zip(ask(count=6), [ana, ana, ana, omar, omar, mia], strict=True):
        ticket.assign(owner, by=owner)
    one, two, three = Ticket.objects.filter(assignee=ana)
    one.set_status("pending", by=ana)
    two.set_status("solved", by=ana)
    three.set_status("hold", by=ana)
    last = ask()
    drain()
    last.refresh_from_db()
    assert last.assignee == ana
    assert why(last)["open"] == 0


def test_a_tie_goes_to_whoever_has_waited_longest(ask, drain, team, ana, omar, mia):
    set_up(team, Mode.LEAST_LOADED)
    for owner in (mia, ana, omar):
        ticket = ask()
        ticket.assign(owner, by=owner)
        ticket.solve(by=owner)
    ask(count=3)
    drain()
    assert owners()[3:] == ["Mia", "Ana", "Omar"]


def test_what_finds_no_room_waits_and_goes_on_as_places_free_up_most_urgent_first(ask, drain, team, ana, omar, mia):
    team.members.set([ana, omar])
    User.objects.filter(pk=ana.pk).update(capacity=2)
    set_up(team, cap=1)
    tickets = [ask(f"It is {word}", priority=word) for word in ("normal", "normal", "low", "high", "urgent")]
    low = tickets[2]
    drain()
    assert owners() == [None, None, None, "Omar", "Ana"]
    held = Ticket.objects.get(assignee=ana)
    held.set_status("pending", by=ana)  # their turn: no work of Ana's meanwhile
    drain()
    assert Ticket.objects.queued().count() == 2
    Ticket.objects.filter(assignee=omar).first().solve(by=omar)
    drain()
    assert list(Ticket.objects.queued()) == [low]
    Ticket.objects.filter(assignee=ana, status="open").first().assign(mia, by=mia)  # by hand, over every cap
    drain()
    assert not Ticket.objects.queued().exists()


def test_a_capacity_counts_over_all_teams(ask, drain, team, ana, ben):
    other = set_up(Team.objects.create(name="Billing", slug="billing"))
    for each in (team, other):
        each.members.set([ana])
    User.objects.filter(pk=ana.pk).update(capacity=3)
    ask(count=2)
    for n in range(3):
        intake.open_ticket(ben, f"Bill {n}", intake.Words("How much?"), channel="form", team=other)
    drain()
    assert Counter(owners()) == {"Ana": 3, None: 2}


def test_only_who_is_here_and_in_their_hours_is_given_work(ask, drain, team, ana, omar, mia):
    closed = Calendar.objects.create(name="Never now", zone="UTC", week=_without_now())
    Calendar.objects.create(name="Always", zone="UTC", week=ALL_DAY, is_default=True)
    User.objects.filter(pk=omar.pk).update(calendar=closed)
    presence.set_available(mia, False, by=mia)
    ask(count=3)
    drain()
    assert owners() == ["Ana"] * 3
    presence.add_absence(ana, dates.now().date(), dates.now().date(), "Dentist", by=ana)
    ask()
    drain()
    assert owners()[-1] is None
    presence.set_available(mia, True, by=mia)  # rings, and the tick comes in any case
    assignment.hand_out()
    assert owners()[-1] == "Mia"


def _without_now():
    """Hours that begin two hours from now, each day."""
    at = dates.now().hour * 60
    return [[[(at + 120) % 1440, (at + 180) % 1440]]] * 7


def test_a_ticket_waits_for_the_skill_it_needs_and_holds_up_nobody_behind_it(ask, drain, team, ana, omar, mia):
    mother = Topic.objects.create(slug="money", name="Money")
    vat = Topic.objects.create(slug="vat", name="VAT", parent=mother)
    german = Skill.objects.create(name="German", languages=["de"])
    money = Skill.objects.create(name="Money", topics=[mother.pk], tags=["refund"])
    mia.skills.set([german, money])
    omar.skills.set([german])
    User.objects.filter(pk=mia.pk).update(capacity=1)
    both = ask("Beides", language="de-AT", topic=vat)
    also = ask("Erstattung", language="de", tags=["refund"])
    ask("Eines", language="de")
    ask("None")
    drain()
    assert owners() == ["Mia", None, "Omar", "Ana"]
    both.refresh_from_db()
    both.solve(by=mia)
    drain()
    also.refresh_from_db()
    assert also.assignee == mia


def test_nobody_gets_more_urgent_ones_in_a_row_than_the_team_allows_unless_there_is_nobody_else(ask, drain, team, ana, omar):
    team.members.set([ana, omar])
    set_up(team, Mode.LEAST_LOADED, urgent_streak=2)
    for ticket in ask(count=6):
        ticket.assign(omar, by=omar)  # he has the most, so Ana is the least loaded throughout
    urgent = [ask(f"Fire {n}", priority="urgent") for n in range(3)]
    drain()
    assert [Ticket.objects.get(pk=each.pk).assignee for each in urgent] == [ana, ana, omar]
    assert "spared" in why(urgent[2]) and "spared" not in why(urgent[1])
    calm = ask("A calm one")
    drain()
    assert Ticket.objects.get(pk=calm.pk).assignee == ana
    again = ask("Fire again", priority="urgent")
    drain()
    assert Ticket.objects.get(pk=again.pk).assignee == ana
    with dates.moved(by=timedelta(minutes=1)):
        presence.set_available(omar, False, by=omar)
        more = [ask(f"More {n}", priority="urgent") for n in range(3)]
        drain()
    assert {Ticket.objects.get(pk=each.pk).assignee for each in more} == {ana}


def test_opened_again_it_goes_to_its_owner_if_here_else_to_the_team(ask, drain, team, ana, omar, ben, browser):
    team.members.set([ana, omar])
    mine, theirs = ask(count=2)
    drain()
    for ticket in (mine, theirs):
        ticket.refresh_from_db()
        ticket.solve(by=ticket.assignee)
    assert (mine.assignee, theirs.assignee) == (ana, omar)
    User.objects.filter(pk=omar.pk).update(calendar=Calendar.objects.create(name="Late", zone="UTC", week=_without_now()))
    for ticket in (mine, theirs):
        intake.hear(ticket, ben, intake.Words("It is back."))
    drain()
    assert owners() == ["Ana", "Ana"]
    page = browser(ana).get(f"/tickets/{theirs.number}/").content.decode()
    assert "Omar Haddad is not in their hours, so it is the team’s again" in page


def test_a_reply_to_somebody_away_goes_to_the_team_and_an_evening_is_not_away(ask, drain, team, ana, omar, ben):
    team.members.set([ana, omar])
    one, two = ask(count=2)
    drain()
    for ticket in (one, two):
        ticket.refresh_from_db()
        replies.reply(ticket, "Which phone?", by=ticket.assignee)
    User.objects.filter(pk=ana.pk).update(calendar=Calendar.objects.create(name="Late", zone="UTC", week=_without_now()))
    intake.hear(one, ben, intake.Words("The blue one."))
    drain()
    assert owners() == ["Ana", "Omar"]
    presence.add_absence(ana, dates.now().date(), dates.now().date() + timedelta(days=20), "Sea", by=ana)
    intake.hear(one, ben, intake.Words("Anybody?"))
    drain()
    assert owners() == ["Omar", "Omar"]


def test_what_moves_to_a_team_goes_to_one_of_its_people(ask, drain, team, ana, mia, omar):
    billing = set_up(Team.objects.create(name="Billing", slug="billing"))
    billing.members.set([mia])
    team.members.set([ana])
    ticket = ask()
    drain()
    change(ticket, {"team": billing}, by=ana)
    drain()
    ticket.refresh_from_db()
    assert (ticket.team, ticket.assignee) == (billing, mia)
    change(ticket, {"team": team, "assignee": omar}, by=omar)  # said so by hand
    drain()
    ticket.refresh_from_db()
    assert (ticket.team, ticket.assignee) == (team, omar)


def test_by_hand_means_by_hand(ask, drain, team):
    set_up(team, Mode.MANUAL)
    ask(count=2)
    drain()
    assert owners() == [None, None]


def test_spam_and_light_agents_take_no_part(ask, drain, team, lena, ben):
    team.members.set([lena])
    ask()
    intake.open_ticket(ben, "Win", intake.Words("Win!", spam="X-Spam-Flag: YES"), channel="mail", team=team)
    drain()
    assert owners() == [None, None]


def test_what_somebody_leaves_behind_is_handed_back_at_once_and_once(ask, drain, team, ana, omar, mia, browser):
    team.members.set([ana, omar])
    ask(count=4)
    drain()
    assert Counter(owners()) == {"Ana": 2, "Omar": 2}
    presence.add_absence(ana, dates.now().date(), dates.now().date() + timedelta(days=20), "Sea", by=ana)
    for _ in range(2):
        assert browser(mia).post(f"/who/{ana.pk}/hand-back/").status_code == 302
    drain()
    assert Counter(owners()) == {"Omar": 4}
    assert Event.objects.filter(kind="ticket.assigned", payload__how="handed_back").count() == 2
    assert Absence.objects.count() == 1


def test_who_was_shut_out_keeps_nothing_that_waits_on_us(ask, drain, ana, omar, mia):
    ticket = ask()
    ticket.assign(ana, by=omar)
    people.shut_out(User.objects.get(pk=ana.pk), by=omar)
    drain()
    assert owners() == ["Omar"] or owners() == ["Mia"]
    back = Event.objects.filter(kind="ticket.assigned", payload__how="gone").get().payload
    assert (back["from"], back["to"]) == ("Ana Kowalczyk", None)
    User.objects.filter(pk__in=[omar.pk, mia.pk]).update(role="light")
    drain()
    assert owners() == [None]


def test_least_loaded_counts_what_they_have_of_every_team(ask, team, drain, ben, ana, omar, mia):
    set_up(team, Mode.LEAST_LOADED)
    other = Team.objects.create(name="Night", slug="night")
    for who, count in ((ana, 2), (mia, 1)):
        for n in range(count):
            made = intake.open_ticket(ben, f"Other {n}", intake.Words("Please."), channel="form", team=other)
            made.assign(who, by=omar)
    first, second = ask(count=2)
    drain()
    assert (why(first)["name"], why(first)["open"]) == ("Omar Haddad", 0)
    assert why(second)["open"] == 1 and why(second)["name"] in ("Omar Haddad", "Mia Sandoval")  # a tie: who waited longest
