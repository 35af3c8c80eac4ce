"""Repeat contact: the same customer wrote about the same topic within the seven days before."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from operator import attrgetter
from typing import Any

from django.db.models import Count, Exists, OuterRef, QuerySet, Subquery, Value

from helpdesk.lib.memo import once
from tickets.access import StaffRequest, tickets_for
from tickets.models import Status, Ticket

WITHIN = timedelta(days=7)
EARLIER = 5  # shown of those that a ticket repeats
OTHERS = 8  # and of those beside it


def _before(rows: QuerySet[Ticket], requester: Any, topic: Any, opened: Any) -> QuerySet[Ticket]:
    """Of these rows those that a ticket repeats, which is told by its values or by the columns of an outer query."""
    same = rows.filter(requester=requester, topic=topic).exclude(status=Status.SPAM)
    return same.filter(opened_at__lt=opened, opened_at__gte=opened - WITHIN)


def _of_outer() -> QuerySet[Ticket]:
    return _before(Ticket.objects.all(), *map(OuterRef, ("requester", "topic", "opened_at")))


def is_repeat() -> Exists:
    """True of a ticket that repeats another; by the index of a customer's tickets. Without a topic nothing is repeated."""
    return Exists(_of_outer())


def earlier_contacts() -> Subquery:
    """How many a ticket repeats; nothing where there are none."""
    return Subquery(_of_outer().order_by().values("requester").annotate(n=Count("pk")).values("n"))


def is_repeated() -> Exists:
    """True of a ticket after which the same customer wrote about the same topic, by the same rule."""
    opened = OuterRef("opened_at")
    same = Ticket.objects.without_spam().filter(requester=OuterRef("requester"), topic=OuterRef("topic"))
    return Exists(same.filter(opened_at__gt=opened, opened_at__lte=opened + WITHIN))


def _of(ticket: Ticket, rows: QuerySet[Ticket]) -> QuerySet[Ticket]:
    return _before(rows, ticket.requester_id, ticket.topic_id, ticket.opened_at) if ticket.topic_id else rows.none()


def repeats(ticket: Ticket) -> bool:
    """Whether one ticket does, in Python."""
    return _of(ticket, Ticket.objects.all()).exists()


@dataclass(frozen=True)
class Beside:
    """The customer's other tickets that a reader may see, the newest few of each."""

    earlier: Sequence[Ticket]  # those that it repeats
    others: Sequence[Ticket]
    more: bool  # others than these


def beside(request: StaffRequest, ticket: Ticket) -> Beside:
    """One query, asked once a request."""
    return once(request, f"beside:{ticket.pk}", lambda: _beside(request, ticket))


def _beside(request: StaffRequest, ticket: Ticket) -> Beside:
    mine = tickets_for(request.user)
    newest = mine.filter(requester=ticket.requester_id).exclude(pk=ticket.pk)
    kinds = (_of(ticket, mine), EARLIER, True), (newest, OTHERS + 1, False)
    parts = [rows.annotate(earlier=Value(it_is)).order_by("-opened_at", "-pk")[:few] for rows, few, it_is in kinds]
    found = sorted(parts[0].union(parts[1], all=True), key=attrgetter("opened_at", "pk"), reverse=True)
    others = [each for each in found if not each.earlier]
    return Beside([each for each in found if each.earlier], others[:OTHERS], len(others) > OTHERS)
