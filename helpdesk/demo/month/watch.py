"""Looks at every tick: was each gift right when it was made, does anybody wait although somebody could, is nothing lost."""

import json
from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from helpdesk.demo.month.mirror import Kept, Mirror
from helpdesk.demo.month.roster import Roster
from helpdesk.demo.month.scheme import Person, Scheme

EVENTS = """
    SELECT id, kind, actor, occurred_at, received_at, payload::text FROM customers_event WHERE id > %s AND kind LIKE 'ticket.%%'
    ORDER BY id
"""
LOADS = """
    SELECT assignee_id, team_id, count(*) FROM tickets_ticket
    WHERE status IN ('new', 'open') AND (assignee_id IS NOT NULL OR team_id = ANY (%s)) GROUP BY 1, 2
"""
SLEPT_OVER = timedelta(hours=8)
BY_THE_DESK = ("round_robin", "least_loaded")
SHOWN = 20


class Watch:
    def __init__(self, scheme: Scheme, roster: Roster) -> None:
        self.scheme, self.roster = scheme, roster
        self.slugs: dict[int | None, str] = {pk: slug for slug, pk in scheme.topics.items()}
        self.mirror = Mirror(self.needs)
        self.team_of = {team.pk: team for team in scheme.teams.values()}
        self.members = {
            team.pk: [person for person in scheme.people if team.name in person.teams] for team in scheme.teams.values()
        }
        self.last = self.gifts = self.checks = self.longest = self.ticks = 0
        self.found: Counter[str] = Counter()
        self.violations: list[str] = []
        self.handing_out = [team.pk for team in scheme.teams.values() if team.hands_out]

    def needs(self, ticket: Kept) -> frozenset[str]:
        return self.roster.needs(ticket.language, ticket.tags, self.slugs.get(ticket.topic, ""))

    def wrong(self, what: str, at: datetime, words: str) -> None:
        self.found[what] += 1
        if len(self.violations) < SHOWN:
            self.violations.append(f"{at:%Y-%m-%d %H:%M:%S} {what}: {words}")

    def check(self, right: bool, what: str, at: datetime, words: str) -> None:
        self.checks += 1
        if not right:
            self.wrong(what, at, words)

    # --- at every tick -----------------------------------------------------------------------------------------------

    def look(self, at: datetime) -> None:
        self.ticks += 1
        self.read()
        self._nobody_waits_for_nothing(at)
        self._counts_agree(at)

    def read(self) -> None:
        """What was told since the last look, event by event."""
        with connection.cursor() as cursor:
            cursor.execute(EVENTS, [self.last])
            rows = cursor.fetchall()
        for pk, kind, actor, occurred_at, received_at, payload in rows:
            self.last, told = pk, json.loads(payload)
            if kind == "ticket.assigned":
                self._assigned(occurred_at, told)
            if self.mirror.follow(kind, actor, occurred_at, told, received_at) is None and kind != "ticket.opened":
                self.wrong("a ticket that nobody opened", occurred_at, f"{kind} {told['ticket']}")

    def _assigned(self, at: datetime, told: dict[str, Any]) -> None:
        """A gift of the desk, held against how everything stood just before it."""
        ticket = self.mirror.tickets.get(told["ticket"])
        if ticket is None or told.get("how") not in BY_THE_DESK or told["to"] is None:
            return
        self.gifts += 1
        name = f"#{told['number']} to {told['name']}"
        self.check(ticket.waits, "given although it is somebody's", at, f"{name}, it was {ticket.status} of {ticket.assignee}")
        team, person = self.team_of[ticket.team or 0], self.roster.people[told["to"]]
        self.check(person in self.members[team.pk], "given to a stranger", at, f"{name}, who is not in {team.name}")
        self.check(self.roster.is_here(person.pk, at), "given to somebody who is not here", at, name)
        lacks = self.needs(ticket) - set(person.skills)
        self.check(not lacks, "given without the skill", at, f"{name}, who lacks {', '.join(sorted(lacks))}")
        load, here = self.mirror.load[person.pk], self.mirror.in_team[person.pk, team.pk]
        self.check(
            person.capacity is None or load < person.capacity, "capacity exceeded", at, f"{name}: {load} of {person.capacity}"
        )
        self.check(team.cap is None or here < team.cap, "cap of the team exceeded", at, f"{name}: {here} of {team.cap}")
        if ticket.priority == "urgent" and team.streak and self._streak(person, at) >= team.streak:
            calm = [each.name for each in self._able(ticket.team, self.needs(ticket), at) if self._streak(each, at) < team.streak]
            self.check(not calm, "urgent streak", at, f"{name}, though {', '.join(calm)} had fewer in a row")

    def _streak(self, person: Person, at: datetime) -> int:
        count = 0
        for given, urgent in reversed(self.mirror.given[person.pk]):
            if not urgent or given <= at - SLEPT_OVER:
                break
            count += 1
        return count

    def _with_room(self, team: int | None, at: datetime) -> list[Person]:
        cap = self.team_of[team].cap if team in self.team_of else None
        load, in_team = self.mirror.load, self.mirror.in_team
        return [
            person
            for person in self.members.get(team or 0, [])
            if (person.capacity is None or load[person.pk] < person.capacity)
            and (cap is None or in_team[person.pk, team] < cap)
            and self.roster.is_here(person.pk, at)
        ]

    def _able(self, team: int | None, needs: frozenset[str], at: datetime) -> list[Person]:
        return [person for person in self._with_room(team, at) if needs <= set(person.skills)]

    def _nobody_waits_for_nothing(self, at: datetime) -> None:
        queue = 0
        for team in self.handing_out:
            waiting = self.mirror.waiting[team]
            queue += waiting.total()
            free = self._with_room(team, at) if waiting else []
            able = [(needs, each.name) for needs in waiting for each in free if needs <= set(each.skills)]
            self.check(not able, "waits although somebody has room", at, self._named(team, able))
        self.longest = max(self.longest, queue)

    def _named(self, team: int, able: Iterable[tuple[frozenset[str], str]]) -> str:
        for needs, name in able:
            some = [each.pk for each in self.mirror.tickets.values() if each.waits and each.team == team]
            pk = next((pk for pk in some if self.needs(self.mirror.tickets[pk]) == needs), 0)
            return f"{self.team_of[team].name}: ticket {pk} ({', '.join(sorted(needs)) or 'no skill'}), {name} is free"
        return ""

    def _counts_agree(self, at: datetime) -> None:
        """The tables say what the events told: nobody's work is lost, or on two desks."""
        with connection.cursor() as cursor:
            cursor.execute(LOADS, [self.handing_out])
            rows = cursor.fetchall()
        loads = {(user, team): count for user, team, count in rows if user}
        waiting = {team: count for user, team, count in rows if not user}
        ours = {key: count for key, count in self.mirror.in_team.items() if count}
        theirs = {team: self.mirror.waiting[team].total() for team in self.handing_out if self.mirror.waiting[team]}
        same = loads == ours and waiting == theirs
        self.check(same, "events and tables differ", at, f"{loads} {waiting}, told {ours} {theirs}")
