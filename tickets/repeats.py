"""Repeat contact: the same customer wrote about the same topic within the seven days before."""

from datetime import timedelta
from typing import Any

from django.db.models import Count, Exists, OuterRef, QuerySet, Subquery

from helpdesk.accounts.models import User
from tickets.access import tickets_for
from tickets.models import Status, Ticket

WITHIN = timedelta(days=7)
FEW = 5


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


def earlier(ticket: Ticket, reader: User) -> list[Ticket]:
    """What it repeats, the newest few that this reader may see."""
    return list(_of(ticket, tickets_for(reader)).order_by("-opened_at")[:FEW])
