"""People at work: each takes up what is theirs, the most pressing first, for as long as it takes, and then the next."""

import math
from typing import TYPE_CHECKING

from django.db.models import F

from helpdesk.accounts.models import User
from helpdesk.demo.month.scheme import Person
from helpdesk.lib import dates
from tickets import replies
from tickets.changes import change
from tickets.models import OURS, Ticket
from tickets.models.saved import URGENCY

if TYPE_CHECKING:
    from helpdesk.demo.month.play import Month

PRESSING = (URGENCY, F("due_at").asc(nulls_last=True), F("waiting_since").asc(nulls_last=True), F("id"))
SPREAD = 0.6
DAY = 24 * 60.0  # minutes
MOST = 4  # answers; after that it is solved
MISFILED = {"Support": ("Billing", "invoice"), "Billing": ("Support", "export"), "Technical": ("Support", "product")}


class Agent:
    def __init__(self, person: Person, month: "Month", mean: float) -> None:
        self.person, self.month, self.rng = person, month, month.rng
        self.user, self.pk = person.user, person.pk
        self.median = mean / math.exp(SPREAD**2 / 2)
        self.busy = False

    @property
    def is_here(self) -> bool:
        return self.month.watch.roster.is_here(self.pk, dates.now())

    def wake(self) -> None:
        """After a tick: whoever is here and idle takes up something, in a team without gifts by choosing it."""
        if self.busy or not self.is_here:
            return
        if self.month.watch.mirror.load[self.pk]:
            self.take_up()
        elif "Partners" in self.person.teams and self.month.watch.mirror.waiting[self.month.teams["Partners"].pk]:
            waiting = Ticket.objects.filter(team=self.month.teams["Partners"], status__in=OURS, assignee=None)
            if ticket := waiting.order_by(*PRESSING).first():
                ticket.assign(self.user, by=self.user)
                self.month.last = dates.now()
                self.work_on(ticket.pk)

    def take_up(self) -> None:
        mine = Ticket.objects.filter(assignee=self.pk, status__in=OURS).order_by(*PRESSING).values_list("pk", flat=True)
        if pk := mine.first():
            self.work_on(pk)

    def work_on(self, pk: int) -> None:
        self.busy = True
        minutes = max(1.0, self.rng.lognormvariate(math.log(self.median), SPREAD))
        self.month.later(self.finish, pk, minutes=minutes)

    def finish(self, pk: int) -> None:
        self.busy = False
        ticket = Ticket.objects.select_related("requester", "address", "team", "topic", "mailbox", "assignee").get(pk=pk)
        if ticket.assignee_id == self.pk and ticket.status in OURS:
            self._decide(ticket)
        if self.is_here:
            self.take_up()

    def _decide(self, ticket: Ticket) -> None:
        chance, kept = self.rng.random(), self.month.watch.mirror.tickets[ticket.pk]
        if chance < 0.04 and not kept.replies and (place := MISFILED.get(str(ticket.team))):
            team, topic = place
            change(ticket, {"team": self.month.teams[team], "topic": self.month.topics[topic]}, by=self.user)
        elif chance < 0.07:
            ticket.set_status("solved", by=self.user)
            self.month.after_solved(ticket.pk)
        elif chance < 0.08 and (other := self._colleague(ticket.team_id)):
            ticket.assign(other, by=self.user)
        else:
            if chance > 0.97:
                change(ticket, {"priority": self.rng.choice(["low", "normal", "high"])}, by=self.user)
            self._answer(ticket, len(kept.replies))

    def _colleague(self, team: int | None) -> User | None:
        others = [each for each in self.month.watch.members.get(team or 0, []) if each.pk != self.pk]
        here = [each.user for each in others if self.month.watch.roster.is_here(each.pk, dates.now())]
        return self.rng.choice(here) if here else None

    def _answer(self, ticket: Ticket, answers: int) -> None:
        weights = [58, 32, 6, 4] if answers < MOST else [1, 0, 0, 0]
        status = self.rng.choices(["solved", "pending", "hold", "open"], weights)[0]
        replies.reply(ticket, "Thank you for writing. This is how it works.", by=self.user, status=status)
        self.month.answered += 1
        if status == "solved":
            self.month.after_solved(ticket.pk)
        elif status == "pending":
            self.month.after_pending(ticket.pk)
        elif status == "hold":
            self.month.later(self.month.goes_on, ticket.pk, dates.now(), minutes=self.rng.uniform(60, DAY))
