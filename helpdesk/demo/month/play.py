"""Time goes by: customers write, people work through what is theirs, and after each minute with something in it the workers run.

A queue of moments; between two of them nothing is due, so nothing is looked at. The clock stands still at each moment, so a month
is the same however fast the machine is. What people and customers do in some minutes (`every`) is drawn together into the first
of them: then the workers have more to do at once, and run less often. What is due by the clock is due at its own minute.
"""

import heapq
import random
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from helpdesk.accounts import presence
from helpdesk.accounts.models import Team, User
from helpdesk.demo.month import workers
from helpdesk.demo.month.arrivals import Arrival, arrivals, customers
from helpdesk.demo.month.mirror import Kept
from helpdesk.demo.month.people import DAY, Agent
from helpdesk.demo.month.promises import full
from helpdesk.demo.month.ruler import MINUTE
from helpdesk.demo.month.scheme import Scheme
from helpdesk.demo.month.watch import Watch
from helpdesk.knowledge.models import Topic
from helpdesk.lib import dates
from tickets import assignment, clocks
from tickets.intake import Words, hear, open_ticket
from tickets.models import Ticket

BUSY = 0.8  # of their time people are at work on tickets
TOUCHES = 1.75  # times that somebody takes up a ticket, on the average


class Month:
    def __init__(self, scheme: Scheme, watch: Watch, tickets: int, seed: int, every: int = 1) -> None:
        self.scheme, self.watch, self.rng = scheme, watch, random.Random(f"month {seed}")
        self.coming: list[tuple[datetime, int, Callable[..., None], tuple[Any, ...]]] = []
        self.numbered, self.every = 0, timedelta(minutes=every)
        self.life = scheme.begin  # when it happens in the lives of people; the clock shows `_drawn` of it
        self.came = True  # somebody may be here since the last tick
        self.last: datetime | None = None  # when something happened that no tick has seen
        self.due: datetime | None = None
        self.hour = scheme.begin
        self.heard = self.answered = 0
        mean = watch.roster.minutes() * BUSY / max(1, tickets * TOUCHES)
        self.agents = {person.pk: Agent(person, self, min(45.0, mean)) for person in scheme.people}
        self.teams = {team.name: team for team in Team.objects.all()}
        self.topics = {topic.slug: topic for topic in Topic.objects.all()}
        with dates.moved(to=scheme.begin, still=True):
            self.customers = customers(max(20, tickets // 6), self.rng)
        for each in arrivals(tickets, len(self.customers), scheme.days, self.rng):
            self.plan(each.at, self.arrive, each)
        self._comings_and_goings()

    def plan(self, at: datetime, do: Callable[..., None], *about: Any) -> None:
        self.numbered += 1
        heapq.heappush(self.coming, (at, self.numbered, do, about))

    def later(self, do: Callable[..., None], *about: Any, minutes: float) -> None:
        self.plan(self.life + timedelta(microseconds=int(minutes * 60_000_000)), do, *about)

    def _drawn(self, at: datetime) -> datetime:
        """The moment at which the clock stands for it."""
        into = (at - self.scheme.begin) % self.every
        return at - into + into * (MINUTE / self.every)

    def _lived(self, at: datetime) -> datetime:
        """The life that is over when the clock shows this: what is drawn together has happened after its first minute."""
        into = (at - self.scheme.begin) % self.every
        return at - into + min(into, MINUTE) * (self.every / MINUTE)

    def _comings_and_goings(self) -> None:
        for at in self.watch.roster.turns():
            self.plan(at, self.turn)
        for person in self.scheme.people:
            for begin, end in person.breaks:
                self.plan(begin, self.goes, person.pk, self.rng.random() < 0.3)
                self.plan(end, self.comes, person.pk)
        for pk, spans in self.watch.roster.out.items():
            for begin, _end in spans:
                self.plan(begin, self.hands_back, pk)

    # --- the clock ---------------------------------------------------------------------------------------------------

    def run(self, told: Callable[[datetime], None]) -> None:
        """To the end of the month; ``told`` hears of each new day."""
        day = self.scheme.begin
        while True:
            tick, then = self._next_tick(), self._drawn(self.coming[0][0]) if self.coming else self.scheme.end
            if tick and (tick < then or then >= self.scheme.end) and tick <= self.scheme.end:
                self._tick(tick)
            elif then < self.scheme.end:
                self._happen()
            else:
                return
            if then >= day:
                told(then)
                day += timedelta(days=1)

    def _next_tick(self) -> datetime | None:
        return min((full(at) for at in (self.last, self.due) if at), default=None)

    def _happen(self) -> None:
        self.life, _number, do, about = heapq.heappop(self.coming)
        at = self._drawn(self.life)
        with dates.moved(to=at, still=True):
            if self.due and self.due <= at:
                clocks.run_due()  # its tick comes every few seconds, and this is later
            do(*about)
        self.last = at

    def _tick(self, at: datetime) -> None:
        self.last = None
        with dates.moved(to=at, still=True):
            if at >= self.hour:
                self.hour = at + timedelta(hours=1)
                workers.hourly()
            workers.settle(came=self.came)
            self.came = False
            self.watch.look(at)
            self.due = workers.next_due()
            if self.due and self.due <= at:
                raise RuntimeError(f"{self.due} was due, and is so still at {at}")
            self.life = max(self.life, self._lived(at))
            for agent in self.agents.values():
                agent.wake()

    # --- what customers do -------------------------------------------------------------------------------------------

    def arrive(self, new: Arrival) -> None:
        customer, address = self.customers[new.customer]
        ticket = open_ticket(
            customer,
            new.subject,
            Words("Good day, please help me with this.", name=customer.name, address=address.shown),
            channel=new.channel,
            address=address,
            team=self.teams[new.team],
            topic=self.topics[new.topic],
            priority=new.priority,
            tags=new.tags,
            language=customer.language,
        )
        self.heard += 1
        self._opened(ticket, dates.now())

    def _opened(self, ticket: Ticket, at: datetime) -> None:
        told = (ticket.pk, at, str(ticket.priority), ticket.team_id, ticket.topic_id, tuple(ticket.tags), ticket.language)
        self.watch.mirror.opened(Kept(*told))
        if self.rng.random() < 0.07:
            self.later(self.writes_again, ticket.pk, minutes=self.rng.uniform(20, 400))

    def writes_again(self, pk: int) -> None:
        if self.watch.mirror.tickets[pk].since:
            self.writes(pk, "Any news?")

    def writes(self, pk: int, text: str) -> None:
        ticket = Ticket.objects.select_related("requester", "address", "team", "topic", "mailbox").get(pk=pk)
        at, address = dates.now(), ticket.address.shown if ticket.address else ""
        message = hear(ticket, ticket.requester, Words(text, name=ticket.requester.name, address=address))
        self.heard += 1
        if message.ticket_id != pk:  # it was closed: another one that follows it
            self._opened(message.ticket, at)

    # --- what becomes of an answer -----------------------------------------------------------------------------------

    def after_solved(self, pk: int) -> None:
        chance = self.rng.random()
        if chance < 0.08:
            self.later(self.writes, pk, "It is back.", minutes=self.rng.uniform(30, 3 * DAY))
        elif chance < 0.09:
            self.later(self.writes, pk, "Here I am again.", minutes=self.rng.uniform(28 * DAY, 29 * DAY))
        elif chance < 0.2:
            self.later(self.thanks, pk, minutes=self.rng.uniform(5, 600))

    def thanks(self, pk: int) -> None:
        if self.watch.mirror.tickets[pk].status == "solved":
            self.writes(pk, "Thank you very much")

    def after_pending(self, pk: int) -> None:
        if self.rng.random() < 0.65:
            self.later(self.writes, pk, "Here is what you asked for.", minutes=10 + self.rng.expovariate(1 / 500))
        else:
            self.later(self.gives_up, pk, dates.now(), minutes=3 * DAY)

    def gives_up(self, pk: int, since: datetime) -> None:
        """Nobody came back: solved without another word, by whoever has it and is here."""
        if user := self._still(pk, "pending", since, self.gives_up):
            Ticket.objects.get(pk=pk).set_status("solved", by=user)

    def goes_on(self, pk: int, since: datetime) -> None:
        """What it waited for is there."""
        if user := self._still(pk, "hold", since, self.goes_on):
            Ticket.objects.get(pk=pk).set_status("open", by=user)

    def _still(self, pk: int, status: str, since: datetime, again: Callable[..., None]) -> User | None:
        kept = self.watch.mirror.tickets[pk]
        if kept.status != status or kept.replies[-1] != since:
            return None
        agent = self.agents.get(kept.assignee or 0)
        if agent and agent.is_here:
            user: User = agent.user
            return user
        self.later(again, pk, since, minutes=97)
        return None

    # --- who is here -------------------------------------------------------------------------------------------------

    def turn(self) -> None:
        self.came = True

    def goes(self, pk: int, hands_back: bool) -> None:
        user = self.agents[pk].user
        self.watch.roster.away.add(pk)
        presence.set_available(user, False, by=user)
        if hands_back:
            assignment.hand_back(user, by=user)

    def comes(self, pk: int) -> None:
        user = self.agents[pk].user
        self.came = True
        self.watch.roster.away.discard(pk)
        presence.set_available(user, True, by=user)

    def hands_back(self, pk: int) -> None:
        """Their first day off begins: the lead sees to what they have."""
        assignment.hand_back(self.agents[pk].user, by=self.scheme.people[0].user)
