"""Who could take a ticket of a team, and which of them does: read in sets, chosen by one pure rule."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, OuterRef, QuerySet, Subquery

from helpdesk.accounts.access import AGENTS
from helpdesk.accounts.models import Mode, Team, User
from helpdesk.accounts.presence import present
from tickets.models import OURS, Assignment, Ticket

ENDLESS = 10_000  # the room of who has no cap
STREAK_TIME = timedelta(hours=8)  # urgent tickets further back are slept over


@dataclass
class Person:
    pk: int
    name: str
    capacity: int | None
    skills: frozenset[int]
    open: int = 0  # tickets whose turn is ours, of all teams
    streak: int = 0  # urgent ones given to them in a row

    @property
    def room(self) -> int:
        return ENDLESS if self.capacity is None else max(0, self.capacity - self.open)


@dataclass
class Hand:
    """One person in one team."""

    person: Person
    team: int
    mode: str
    cap: int | None
    urgent_streak: int | None
    turn: int = 0  # of their last ticket here; 0: none yet
    open: int = 0  # their open tickets of this team

    @property
    def room(self) -> int:
        return min(self.person.room, ENDLESS if self.cap is None else max(0, self.cap - self.open))

    def take(self, turn: int, urgent: bool) -> None:
        self.turn, self.open = turn, self.open + 1
        self.person.open += 1
        self.person.streak = self.person.streak + 1 if urgent else 0


@dataclass(frozen=True)
class Choice:
    """Who gets it, and why: what its event says."""

    hand: Hand
    why: dict[str, Any] = field(default_factory=dict)


def choose(team: Sequence[Hand], needs: Iterable[int], urgent: bool) -> Choice | None:
    """The one of a team's present people who gets a ticket with these needs; None when nobody qualified has room.

    A tie, and in round robin everything, goes to whoever has waited longest for a ticket of this team. Whoever got as many
    urgent ones in a row as the team allows is passed over for an urgent one, unless there is nobody else.
    """
    able = [hand for hand in team if hand.room and hand.person.skills.issuperset(needs)]
    if not able:
        return None
    first = min(able, key=_order)
    calm = [hand for hand in able if not hand.urgent_streak or hand.person.streak < hand.urgent_streak] if urgent else able
    chosen = min(calm or able, key=_order)
    why: dict[str, Any] = {"how": chosen.mode}
    if chosen.mode == Mode.LEAST_LOADED:
        why["open"] = chosen.person.open
    else:
        last = max(team, key=lambda hand: hand.turn)
        why["after"] = last.person.name if last.turn and last is not chosen else ""
    return Choice(chosen, why | ({"spared": True} if chosen is not first else {}))


def _order(hand: Hand) -> tuple[int, int, int]:
    return (hand.person.open if hand.mode == Mode.LEAST_LOADED else 0, hand.turn, hand.person.pk)


def here(at: datetime) -> QuerySet[User]:
    """Those who can be given work at this moment."""
    return present(at).filter(role__in=AGENTS)


def load(people: QuerySet[User], teams: QuerySet[Team]) -> list[Hand]:
    """These people in these teams with what they have, in three queries however many they are."""
    memberships = User.teams.through.objects.filter(user__in=people, team__in=teams)
    last = Assignment.objects.filter(team=OuterRef("team"), user=OuterRef("user")).order_by("-id").values("id")[:1]
    facts = ("user", "user__name", "user__capacity", "team", "team__mode", "team__cap", "team__urgent_streak")
    rows = list(memberships.order_by("user", "team").values_list(*facts, Subquery(last)))
    loads: dict[int, dict[int | None, int]] = defaultdict(dict)
    theirs = Ticket.objects.filter(status__in=OURS, assignee__in={row[0] for row in rows})
    for user, team, count in theirs.order_by().values_list("assignee", "team").annotate(Count("pk")):
        loads[user][team] = count
    skills: dict[int, set[int]] = defaultdict(set)
    for user, skill in User.skills.through.objects.filter(user__in={row[0] for row in rows}).values_list("user", "skill"):
        skills[user].add(skill)
    persons: dict[int, Person] = {}
    hands = []
    for user, name, capacity, team, mode, cap, streak, turn in rows:
        if user not in persons:
            persons[user] = Person(user, name, capacity, frozenset(skills[user]), sum(loads[user].values()))
        hands.append(Hand(persons[user], team, mode, cap, streak, turn or 0, loads[user].get(team, 0)))
    return hands


def count_streaks(persons: Iterable[Person], at: datetime) -> None:
    """How many urgent tickets each was given in a row, up to now."""
    known = {person.pk: person for person in persons}
    for person in known.values():
        person.streak = 0
    ended: set[int] = set()
    recent = Assignment.objects.filter(user__in=known, at__gt=at - STREAK_TIME).order_by("-id")
    for user, urgent in recent.values_list("user", "urgent"):
        if not urgent:
            ended.add(user)
        elif user not in ended:
            known[user].streak += 1


def has_stranger(ticket: Ticket) -> bool:
    """Whether whoever has it is none of the team that hands it out."""
    owner, team = ticket.assignee, ticket.team
    return bool(owner and team and team.hands_out and not team.members.filter(pk=owner.pk).exists())
