"""Which promises are likely to be missed as things stand: who has them, and when these people are next at work."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q

from helpdesk.accounts.access import AGENTS
from helpdesk.accounts.models import User
from helpdesk.accounts.presence import presences


@dataclass(frozen=True)
class Risk:
    """Conditions on clocks that fall due later, and what they go by: from when on people and teams are at work.

    Nobody who is in neither is known to come back. Under None of ``teams`` stands whoever of all comes first.
    """

    missed: Q  # likely to be
    unassigned: Q  # of them: nobody has it
    absent: Q  # the others: whoever has it is not at work before it is due
    uncovered: Q  # of all of them: nor is anybody else of its team
    people: Mapping[int, datetime]
    teams: Mapping[int | None, datetime]


def risk(at: datetime) -> Risk:
    """What is likely to be missed, the one definition: nobody has it who is at work, if only for a moment, before it is due.

    Six queries. It does not guess how fast people are; who is away and does not say until when is taken to stay away.
    """
    agents = User.objects.active().filter(role__in=AGENTS)
    states = presences(agents, at)
    people = {pk: back for pk, state in states.items() if (back := at if state.is_here else state.until)}
    teams: dict[int | None, datetime] = {}
    for pk, team in agents.values_list("pk", "teams"):
        for each in (team, None):
            if pk in people:
                teams[each] = min(people[pk], teams.get(each, people[pk]))
    missed, unassigned = ~_at_work("ticket__assignee", people), Q(ticket__assignee=None)
    return Risk(missed, unassigned, missed & ~unassigned, missed & ~_at_work("ticket__team", teams), people, teams)


def _at_work(column: str, back: Mapping[int, datetime] | Mapping[int | None, datetime]) -> Q:
    """Those of these are at work before it is due: one term for each moment at which some of them come, not for each of them."""
    coming: dict[datetime, list[int]] = defaultdict(list)
    found = Q(pk__in=[])
    for pk, moment in back.items():
        if pk is None:
            found |= Q(**{column: None}, due_at__gt=moment)
        else:
            coming[moment].append(pk)
    for moment, pks in coming.items():
        found |= Q(**{f"{column}__in": pks}, due_at__gt=moment)
    return found
