"""Which tickets a person or a token may see, and what they may do: one rule for lists, counts, pages, files and streams."""

from collections.abc import Iterable
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.core.exceptions import PermissionDenied
from django.db.models import FilteredRelation, OuterRef, Q, QuerySet, Subquery
from django.http import Http404, HttpRequest
from django_htmx.middleware import HtmxDetails

from helpdesk.accounts.access import AGENTS, EVERYONE
from helpdesk.accounts.models import ApiToken, Reach, User
from helpdesk.lib.ids import row_id
from tickets.models import Participant, ReadMark, Ticket

Reader = User | ApiToken


class StaffRequest(HttpRequest):
    """A request behind ``@staff``: somebody who works here."""

    user: User
    htmx: HtmxDetails


# what a role may do with a ticket that it sees
VERBS: dict[str, tuple[str, ...]] = {
    "read": EVERYONE,
    "note": EVERYONE,
    "draft": EVERYONE,
    "reply": AGENTS,
    "change": AGENTS,
    "solve": AGENTS,
}
MAX_NUMBER = 2**63 - 1


def in_reach(reader: Reader) -> Q:
    """The condition that a reader's tickets meet. A token acts for its team, or for the workspace."""
    if isinstance(reader, ApiToken):
        return Q(team=reader.team_id) if reader.team_id else Q()
    if not reader.has_role(*EVERYONE):
        return Q(pk__in=[])
    own = Q(assignee=reader.pk)
    match reader.reach:
        case Reach.ALL:
            return Q()
        case Reach.TEAM:
            return own | Q(team__in=reader.teams.all())
        case _:
            return own


def who_may_read(ticket: Ticket, people: Iterable[User]) -> list[User]:
    """Those of these people who see this ticket now, by the same rule as `in_reach`: whoever else is told nothing of it."""
    mine = Q(reach=Reach.ALL) | Q(pk=ticket.assignee_id)
    if ticket.team_id:  # else it would be whoever is in no team
        mine |= Q(reach=Reach.TEAM, teams=ticket.team_id)
    found = User.objects.active().filter(mine, pk__in={user.pk for user in people}, role__in=EVERYONE)
    return list(found.distinct())


def tickets_for(reader: Reader) -> QuerySet[Ticket]:
    return Ticket.objects.filter(in_reach(reader))


def may(reader: Reader, verb: str) -> bool:
    """Whether this reader's role, or a token's scope as its view asked it, allows a verb on tickets it sees."""
    return isinstance(reader, ApiToken) or reader.has_role(*VERBS[verb])


def ticket_for(reader: Reader, number: int, to: str = "read") -> Ticket:
    """The ticket with this number, and ``followers``, the addresses that read along.

    With it, for a person: how far they ``read_to``, and ``begun``, the draft of theirs, where there is one.
    Raises Http404 for one that is not there or not theirs, PermissionDenied for a verb too high.
    """
    if not 0 < number <= MAX_NUMBER:
        raise Http404
    beside = ("requester__company", "address", "assignee", "team", "topic", "mailbox", "follow_up_of")
    suggested = ("suggestion__topic", "suggestion__team")
    followers = Participant.objects.filter(ticket=OuterRef("pk")).order_by("id").values("address")
    rows: QuerySet[Any] = tickets_for(reader).select_related(*beside, *suggested).annotate(followers=ArraySubquery(followers))
    if isinstance(reader, User):
        read_to = ReadMark.objects.filter(ticket=OuterRef("pk"), user=reader).values("message_id")
        begun = FilteredRelation("drafts", condition=Q(drafts__user=reader))
        rows = rows.annotate(read_to=Subquery(read_to), begun=begun).select_related("begun")
    ticket: Ticket | None = rows.filter(number=number).first()
    if ticket is None:
        raise Http404
    if not may(reader, to):
        raise PermissionDenied
    return ticket


def may_follow_inbox(user: User, rest: str) -> bool:
    """Counts come by the ordinary door, so everybody who has an inbox may hear that one changed."""
    return user.has_role(*EVERYONE) and not rest


def may_follow_ticket(user: User, rest: str) -> bool:
    pk = row_id(rest)
    return pk is not None and tickets_for(user).filter(pk=pk).exists()
