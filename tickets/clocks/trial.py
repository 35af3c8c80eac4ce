"""A policy tried on the open tickets before it counts: how many go by it, and which would be late at once."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass

from django.db.models import QuerySet

from helpdesk.lib.dates import now
from tickets.clocks.keeping import AT_ONCE, Work
from tickets.clocks.policies import choose, working
from tickets.models import LIVE, Ticket
from tickets.models.clocks import Clock, Policy

LAST = 1000  # tickets
SHOWN = 20
NEW = -1  # the key of a policy that was not kept yet


@dataclass(frozen=True)
class Trial:
    """What the policy would mean for the newest open tickets if it were on now."""

    looked_at: int
    taken: int  # go by it
    late: list[Ticket]  # of these, with the due date it would give them; those that are late already are not told
    late_already: int
    above: Policy | None  # takes every ticket before it is asked
    losing: list[tuple[str, int]]  # which policies they go by without it, and how many of them
    leaving: int  # go by it as it is now, and would not any more

    @property
    def touches(self) -> bool:
        """Whether it is about any open ticket, as far as one knows who looked at the newest."""
        return bool(self.taken or self.leaving or self.looked_at == LAST)

    @property
    def shown(self) -> list[Ticket]:
        return sorted(self.late, key=lambda ticket: (ticket.due_at, ticket.pk))[:SHOWN]


def tried(policy: Policy, among: QuerySet[Ticket]) -> Trial:
    """``policy`` as it is to be, kept or not, on and from now on; nothing is written. Bounded queries for each 200 tickets."""
    policy = copy(policy)
    policy.is_on, policy.changed_at, policy.pk = True, now(), policy.pk or NEW
    as_they_are = working()
    policies = _among(policy, as_they_are)
    tickets = list(among.filter(status__in=LIVE).select_related("team").order_by("-pk")[:LAST])
    was_late = {ticket.pk for ticket in tickets if ticket.due_at and ticket.due_at <= policy.changed_at}
    taken: list[Ticket] = []
    others = [each for each in policies if each is not policy]
    losing: Counter[str] = Counter()
    leaving: set[int] = set()
    for start in range(0, len(tickets), AT_ONCE):
        found = _settled(tickets[start : start + AT_ONCE], policy, policies)
        losing.update(each.name for each in choose([ticket.pk for ticket in found], others, policy.changed_at).values())
        taken += found
        if any(each.pk == policy.pk for each in as_they_are):
            chosen = choose([ticket.pk for ticket in tickets[start : start + AT_ONCE]], as_they_are, policy.changed_at)
            leaving |= {pk for pk, its in chosen.items() if its.pk == policy.pk} - {ticket.pk for ticket in found}
    late = [ticket for ticket in taken if ticket.due_at and ticket.due_at <= policy.changed_at]
    new = [ticket for ticket in late if ticket.pk not in was_late]
    above = next((each for each in policies[: policies.index(policy)] if each.takes_all), None)
    return Trial(len(tickets), len(taken), new, len(late) - len(new), above, losing.most_common(), len(leaving))


def _among(policy: Policy, working: list[Policy]) -> list[Policy]:
    """Those that are on with this one in its place: a new one is the first."""
    others = [each for each in working if each.pk != policy.pk]
    place = sum((each.position, each.pk) < (policy.position, policy.pk) for each in others) if policy.pk != NEW else 0
    return [*others[:place], policy, *others[place:]]


def _settled(tickets: Sequence[Ticket], policy: Policy, policies: list[Policy]) -> list[Ticket]:
    """Those that go by the policy, with the dates it gives them."""
    known: dict[int, list[Clock]] = defaultdict(list)
    for clock in Clock.objects.filter(ticket__in=[ticket.pk for ticket in tickets]).select_related("policy"):
        known[clock.ticket_id].append(clock)
    work = Work(list(tickets), policies, known)
    work.settle()
    return [ticket for ticket in tickets if work.policies.get(ticket.pk) is policy]
