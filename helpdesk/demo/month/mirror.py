"""The desk as its events tell it: every ticket in plain values, what each person has, and what waits in each team.

It begins with what the simulation itself put in, and follows `changes` in the events; it never asks the tickets' tables.
"""

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

OURS = ("new", "open")
OVER = ("solved", "closed")


@dataclass(frozen=True)
class Stood:
    """How a ticket stood from a moment on, as far as promises go by it."""

    at: datetime
    status: str
    priority: str
    team: int | None
    topic: int | None
    tags: tuple[str, ...]
    since: datetime | None  # of their oldest message that nobody answered


@dataclass
class Kept:
    """One ticket."""

    pk: int
    opened_at: datetime
    priority: str
    team: int | None
    topic: int | None
    tags: tuple[str, ...]
    language: str
    status: str = "new"
    assignee: int | None = None
    since: datetime | None = None
    first_reply: datetime | None = None
    heard: int = 1
    replies: list[datetime] = field(default_factory=list)
    story: list[Stood] = field(default_factory=list)
    told: list[tuple[str, str, datetime, datetime]] = field(default_factory=list)  # event, clock, its moment, when it was told

    @property
    def waits(self) -> bool:
        return self.status in OURS and self.assignee is None

    def note(self, at: datetime) -> None:
        now = Stood(at, self.status, self.priority, self.team, self.topic, self.tags, self.since)
        if self.story and self.story[-1].at == at:
            self.story.pop()
        self.story.append(now)


class Mirror:
    def __init__(self, needs: Callable[[Kept], frozenset[str]]) -> None:
        self._needs = needs
        self.tickets: dict[int, Kept] = {}
        self.load: Counter[int] = Counter()  # person → tickets whose turn is ours
        self.in_team: Counter[tuple[int, int | None]] = Counter()  # the same in one team
        self.waiting: dict[int | None, Counter[frozenset[str]]] = defaultdict(Counter)  # team → needs → how many
        self.given: dict[int, list[tuple[datetime, bool]]] = defaultdict(list)  # person → when, and whether it was urgent

    def opened(self, ticket: Kept) -> None:
        ticket.since = ticket.opened_at
        ticket.note(ticket.opened_at)
        self.tickets[ticket.pk] = ticket
        self._count(ticket, 1)

    def follow(self, kind: str, actor: str, at: datetime, told: dict[str, Any], received: datetime) -> Kept | None:
        """One event. Returns its ticket."""
        ticket = self.tickets.get(told["ticket"])
        if ticket is None:
            return None
        if kind in ("ticket.breached", "ticket.due_soon"):
            ticket.told.append((kind, told["clock"], at, received))
            return ticket
        self._count(ticket, -1)
        was = ticket.status
        for name, (_before, after) in (told.get("changes") or {}).items():
            if name in ("status", "priority", "team", "assignee", "topic"):
                setattr(ticket, name, after)
            elif name == "tags":
                ticket.tags = tuple(after)
        if kind == "ticket.message_received":
            ticket.heard += 1
            if ticket.since is None and ticket.status in OURS:
                ticket.since = at
        elif kind == "ticket.replied" and actor.startswith("user:"):
            ticket.replies.append(at)
            ticket.first_reply = ticket.first_reply or at
            ticket.since = None
        if ticket.status in OVER and was not in OVER:
            ticket.since = None
        if kind == "ticket.assigned" and told["to"]:
            self.given[told["to"]].append((at, ticket.priority == "urgent"))
        ticket.note(at)
        self._count(ticket, 1)
        return ticket

    def _count(self, ticket: Kept, by: int) -> None:
        if ticket.status not in OURS:
            return
        if ticket.assignee is None:
            waiting, needs = self.waiting[ticket.team], self._needs(ticket)
            waiting[needs] += by
            if not waiting[needs]:
                del waiting[needs]
        else:
            self.load[ticket.assignee] += by
            self.in_team[ticket.assignee, ticket.team] += by
