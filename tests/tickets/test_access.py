"""Who may read a ticket is one rule, whichever way it is asked: of a person for many tickets, of a ticket for many people."""

import pytest

from helpdesk.accounts.models import Reach, Role, Team, User
from tickets import intake
from tickets.access import tickets_for, who_may_read

pytestmark = pytest.mark.django_db


def test_both_ways_to_ask_agree(ben, support):
    night = Team.objects.create(name="Night", slug="night")
    people = []
    for role in Role.values:
        for reach in Reach.values:
            for n, teams in enumerate(([], [night], [support.team, night])):
                person = User.objects.create_user(f"{role}.{reach}.{n}@nordwind.example", name=f"{role} {reach} {n}", role=role)
                User.objects.filter(pk=person.pk).update(reach=reach)
                person.teams.set(teams)
                people.append(User.objects.get(pk=person.pk))
    tickets = [intake.open_ticket(ben, "Help", intake.Words("It broke."), channel="form", team=team) for team in (night, None)]
    for assignee in (people[0], people[-1]):
        tickets.append(intake.open_ticket(ben, "Mine", intake.Words("It broke."), channel="form"))
        tickets[-1].assign(assignee, by=assignee)
    type(tickets[1]).objects.filter(pk=tickets[1].pk).update(team=None)
    for ticket in tickets:
        ticket.refresh_from_db()
        by_people = {person.name for person in people if tickets_for(person).filter(pk=ticket.pk).exists()}
        assert {person.name for person in who_may_read(ticket, people)} == by_people, ticket
