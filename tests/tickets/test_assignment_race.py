"""Sixteen workers hand out at once, while agents solve: no ticket twice, none lost, no cap exceeded."""

import random
import threading
from typing import Any

import pytest
from django.db import connection

from helpdesk.accounts.models import Mode, Skill, Team, User
from helpdesk.customers import dispatch, identity
from helpdesk.customers.models import Event, EventDelivery
from tickets import assignment, intake
from tickets.models import Assignment, Ticket

pytestmark = pytest.mark.django_db(transaction=True)
WORKERS = 16
CAPACITY, CAP = 7, 5


@pytest.fixture(autouse=True)
def alone(settings: Any) -> None:
    """Nobody else subscribes here: who would, has races of their own."""
    ours = "tickets.assignment.on_ticket"
    settings.EVENT_SUBSCRIBERS = {k: [n for n in names if n == ours] for k, names in settings.EVENT_SUBSCRIBERS.items()}


class Race:
    def __init__(self, tickets: int, dispatching: bool) -> None:
        self.dispatching, self.faults, self.over = dispatching, [], []
        self.start, self.lock = threading.Barrier(WORKERS), threading.Lock()
        self.left = list(range(tickets))
        self.first = Team.objects.create(name="A", slug="a", mode=Mode.ROUND_ROBIN)
        self.second = Team.objects.create(name="B", slug="b", mode=Mode.LEAST_LOADED, cap=CAP)
        self.german = Skill.objects.create(name="German", languages=["de"])
        self.people = [
            User.objects.create_user(f"p{n}@x.example", None, name=f"P{n}", capacity=CAPACITY, zone="UTC") for n in range(6)
        ]
        for n, person in enumerate(self.people):
            person.teams.set([self.first, self.second] if n < 2 else [(self.first, self.second)[n % 2]])
            person.skills.set([self.german] if n % 2 else [])
        self.customer = identity.customer_for_address("ben@carter.example")

    def work(self, seed: int) -> None:
        dice = random.Random(seed)
        try:
            self.start.wait(30)
            while self.left or Ticket.objects.exclude(status="solved").exists():
                self.open(dice)
                self.finish(dice)
                if self.dispatching and dice.randrange(3):
                    dispatch.run_once()
                else:
                    assignment.hand_out()
        except Exception as error:
            self.faults.append(error)
        finally:
            connection.close()

    def open(self, dice: random.Random) -> None:
        with self.lock:
            number = self.left.pop() if self.left else None
        if number is not None:
            team = (self.first, self.second)[number % 2]
            said = intake.Words("Please.")
            language = dice.choice(["", "de"])
            intake.open_ticket(self.customer, f"T{number}", said, channel="form", team=team, language=language)

    def finish(self, dice: random.Random) -> None:
        """Somebody solves two of theirs; nobody may ever be seen with more than they can."""
        person = dice.choice(self.people)
        theirs = list(Ticket.objects.filter(assignee=person, status="open").values_list("pk", "team"))
        if len(theirs) > CAPACITY or sum(team == self.second.pk for _pk, team in theirs) > CAP:
            self.over.append(theirs)
        for pk, _team in theirs[:2]:
            Ticket.objects.get(pk=pk).solve(by=person)

    def run(self) -> None:
        threads = [threading.Thread(target=self.work, args=(seed,)) for seed in range(WORKERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(300)
        assert self.faults == [] and self.over == []
        assert set(Ticket.objects.values_list("status", flat=True)) == {"solved"}  # none was lost
        given = sorted(Assignment.objects.values_list("ticket", flat=True))
        assert given == sorted(Ticket.objects.values_list("pk", flat=True))  # and none was given twice
        assert sorted(Event.objects.filter(kind="ticket.assigned").values_list("payload__ticket", flat=True)) == given
        speakers = User.objects.filter(skills=self.german)
        assert not Ticket.objects.filter(language="de").exclude(assignee__in=speakers).exists()
        assert not EventDelivery.objects.filter(attempts__gt=0).exists()


def test_sixteen_workers_hand_out_hundreds_of_tickets() -> None:
    Race(200, dispatching=False).run()


@pytest.mark.long
def test_sixteen_workers_and_the_dispatcher_at_length() -> None:
    Race(3000, dispatching=True).run()
