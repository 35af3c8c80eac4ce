"""What is late and what falls due by team, each number with the search that shows its tickets, where one can say it."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import ceil
from typing import Any

from django.contrib.postgres.aggregates import ArrayAgg
from django.db.models import Count, QuerySet

from helpdesk.lib.conditions import once
from helpdesk.lib.conditions.query import MAX_LENGTH, Inexpressible, to_query
from tickets.clocks.risk import Risk
from tickets.models import Ticket
from tickets.models.clocks import Clock

AHEAD = timedelta(hours=24)
SEARCHES = {"late": "is:open is:late", "due": "is:open due:next-24h", "paused": "is:open is:clock_paused"}
COUNTED = ("late", "due", "missed", "unassigned", "absent", "uncovered")


@dataclass
class Line:
    """One team: how many tickets are late, how many promises fall due, and what is likely to be missed of these, and why."""

    team: int | None
    name: str
    numbers: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTED, 0))
    searches: dict[str, str] = field(default_factory=dict)

    @property
    def cells(self) -> list[tuple[int, str]]:
        """The numbers in order, each with its line for the search box, or ""."""
        return [(self.numbers[key], self.searches.get(key, "")) for key in COUNTED]


def by_team(mine: QuerySet[Ticket], coming: QuerySet[Clock], danger: Risk, at: datetime) -> list[Line]:
    """The teams that have something of it, by name, and at the end what no team has. Four queries, a row for each team."""
    lines: dict[int | None, Line] = {}
    for team, name, late in mine.order_by().values_list("team", "team__name").annotate(Count("pk")):
        lines.setdefault(team, Line(team, name)).numbers["late"] = late
    counted: Any = (
        coming.order_by()
        .values("ticket__team", "ticket__team__name")
        .annotate(
            due=Count("pk"),
            missed=Count("pk", filter=danger.missed),
            unassigned=Count("pk", filter=danger.unassigned),
            absent=Count("pk", filter=danger.absent),
            uncovered=Count("pk", filter=danger.uncovered),
            theirs=ArrayAgg("ticket__assignee", filter=danger.absent, distinct=True, default=[]),
        )
    )
    theirs: dict[int | None, list[int]] = {}
    for row in counted:
        line = lines.setdefault(row["ticket__team"], Line(row["ticket__team"], row["ticket__team__name"]))
        line.numbers |= {key: row[key] for key in COUNTED[1:]}
        theirs[line.team] = row["theirs"]
    with once():
        for line in lines.values():
            line.searches = _searches(line, theirs.get(line.team, ()), danger, at)
    return sorted(lines.values(), key=lambda line: (line.team is None, line.name and line.name.casefold()))


def _searches(line: Line, absent: Iterable[int], danger: Risk, at: datetime) -> dict[str, str]:
    """A search shows tickets, and each by its next promise: one that is late already is not among those that fall due."""
    of_team = _said("team", [line.team]) if line.team else "no:team"
    theirs = _theirs(absent, danger, at)
    missed = " OR ".join(filter(None, ["is:unassigned" if line.numbers["unassigned"] else "", theirs]))
    due = f"{of_team} {SEARCHES['due']}"
    said = {"late": f"{of_team} {SEARCHES['late']}", "due": due, "unassigned": f"{due} is:unassigned"}
    said |= {"absent": f"{due} {theirs}", "missed": f"{due} {missed}"}
    said["uncovered"] = f"{due} {missed} {_until(danger.teams.get(line.team), at)}".rstrip()
    return {key: text for key, text in said.items() if len(text) <= MAX_LENGTH}


def _theirs(people: Iterable[int], danger: Risk, at: datetime) -> str:
    """What these people have, each until they are back at work."""
    until = defaultdict(list)
    for pk in people:
        until[_until(danger.people.get(pk), at)].append(pk)
    found = [(_said("assignee", pks), span) for span, pks in sorted(until.items())]
    return " OR ".join(f"({who} {span})" if span else who for who, span in found)


def _until(back: datetime | None, at: datetime) -> str:
    """Due before somebody is back; "" where all that falls due is."""
    return "" if back is None or back >= at + AHEAD else f"due:next-{ceil((back - at) / timedelta(minutes=1))}m"


def _said(name: str, pks: list[Any]) -> str:
    op, value = ("is", pks[0]) if len(pks) == 1 else ("any_of", pks)
    try:
        return to_query({"field": name, "op": op, "value": value}, "ticket")
    except Inexpressible:  # a name with quotation marks in it
        return f"{name}:{','.join(f'#{pk}' for pk in pks)}"
