"""What a lead sees at a glance: who is here, what they have against what they can, what waits and why it does."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from django.db.models import Count, Min, QuerySet

from helpdesk.accounts.access import AGENTS
from helpdesk.accounts.models import Skill, Team, User
from helpdesk.accounts.presence import Presence, presences
from tickets import hands, queue
from tickets.access import Reader, tickets_for
from tickets.hands import ENDLESS, Hand
from tickets.models import OURS, Ticket

SHOWN = 50  # waiting tickets on a page


@dataclass
class Member:
    """One of a team: who, whether here, and how much they have."""

    user: User
    presence: Presence
    hand: Hand
    skills: list[str] = field(default_factory=list)

    @property
    def most(self) -> int | None:
        """How many open tickets they can have before the team's next one finds no room; None without any cap."""
        return None if self.hand.room >= ENDLESS else self.hand.person.open + self.hand.room

    @property
    def full(self) -> bool:
        return not self.hand.room

    @property
    def left(self) -> float:
        """The share of their places that is free, in percent."""
        return 100.0 if not self.most else 100 * self.hand.room / self.most


@dataclass(frozen=True)
class Why:
    """Why a ticket waits: nothing is in its way (`now`), or what is."""

    kind: Literal["hand", "empty", "skill", "absent", "full", "now"]
    names: str = ""
    until: datetime | None = None


@dataclass
class Waiting:
    ticket: Ticket
    needs: list[str]
    why: Why


@dataclass
class Standing:
    """A team in one line."""

    team: Team
    members: int = 0
    here: int = 0
    room: int = 0  # of those who are here
    waiting: int = 0
    oldest: datetime | None = None

    @property
    def endless(self) -> bool:
        return self.room >= ENDLESS


def agents() -> QuerySet[User]:
    return User.objects.active().filter(role__in=AGENTS)


def members_of(team: Team, at: datetime) -> list[Member]:
    """Everybody in a team who can be given work, those who are here first."""
    people = agents().filter(teams=team)
    states, users = presences(people, at), people.in_bulk()
    loaded = hands.load(people, Team.objects.filter(pk=team.pk))
    skills = skill_names()
    members = [
        Member(users[hand.person.pk], states[hand.person.pk], hand, sorted(skills[pk] for pk in hand.person.skills))
        for hand in loaded
    ]
    return sorted(members, key=lambda member: (not member.presence.is_here, member.user.name))


def skill_names() -> dict[int, str]:
    return dict(Skill.objects.values_list("pk", "name"))


def why_waiting(team: Team, needs: Iterable[int], members: Sequence[Member], skills: Mapping[int, str]) -> Why:
    """The first thing that is in the way of a ticket with these needs."""
    if not team.hands_out:
        return Why("hand")
    if not members:
        return Why("empty")
    able = [member for member in members if member.hand.person.skills.issuperset(needs)]
    if not able:
        return Why("skill", ", ".join(sorted(skills[pk] for pk in needs)))
    here = [member for member in able if member.presence.is_here]
    if not here:
        first = min(able, key=lambda m: (m.presence.until is None, m.presence.until or datetime.max))
        return Why("absent", first.user.name, first.presence.until)
    if all(member.full for member in here):
        return Why("full", ", ".join(f"{m.user.name} ({m.hand.person.open}/{m.most})" for m in here))
    return Why("now")


def waiting_in(team: Team, members: Sequence[Member], reader: Reader) -> tuple[list[Waiting], int]:
    """The head of a team's queue with what is in each ticket's way, and how many there are in all."""
    rows = tickets_for(reader).filter(team=team, status__in=OURS, assignee=None)
    head = list(rows.select_related("requester", "address").order_by(*queue.IN_ORDER)[: SHOWN + 1])
    count = rows.count() if len(head) > SHOWN else len(head)
    needs, skills = queue.needs_of([ticket.pk for ticket in head]), skill_names()
    return [
        Waiting(
            ticket,
            sorted(skills[pk] for pk in needs.get(ticket.pk, ())),
            why_waiting(team, needs.get(ticket.pk, frozenset()), members, skills),
        )
        for ticket in head[:SHOWN]
    ], count


def standings(at: datetime, reader: Reader) -> list[Standing]:
    """All teams, in eight queries however many they are."""
    found = {team.pk: Standing(team) for team in Team.objects.living()}
    states = presences(agents(), at)
    for hand in hands.load(agents(), Team.objects.living()):
        team = found[hand.team]
        team.members += 1
        if states[hand.person.pk].is_here:
            team.here += 1
            team.room += hand.room
    queued = tickets_for(reader).filter(status__in=OURS, assignee=None, team__in=found)
    counted = queued.order_by().values_list("team").annotate(Count("pk"), Min("waiting_since"))
    for pk, count, oldest in counted:
        found[pk].waiting, found[pk].oldest = count, oldest
    return list(found.values())
