"""Repeat contact: the same customer wrote about the same topic within the seven days before."""

from datetime import timedelta

from django.db.models import Count, Exists, OuterRef, Subquery

from helpdesk.accounts.models import User
from tickets.access import tickets_for
from tickets.models import Status, Ticket
from tickets.models.ticket import TicketQuerySet

WITHIN = timedelta(days=7)
FEW = 5


def _repeated() -> TicketQuerySet:
    """What a ticket of the outer query repeats."""
    opened = OuterRef("opened_at")
    same = Ticket.objects.without_spam().filter(requester=OuterRef("requester"), topic=OuterRef("topic"))
    return same.filter(opened_at__lt=opened, opened_at__gte=opened - WITHIN)


def is_repeat() -> Exists:
    """True of a ticket that repeats another; by the index of a customer's tickets. Without a topic nothing is repeated."""
    return Exists(_repeated())


def earlier_contacts() -> Subquery:
    """How many a ticket repeats; nothing where there are none."""
    return Subquery(_repeated().order_by().values("requester").annotate(n=Count("pk")).values("n"))


def is_repeated() -> Exists:
    """True of a ticket after which the same customer wrote about the same topic, by the same rule."""
    opened = OuterRef("opened_at")
    same = Ticket.objects.without_spam().filter(requester=OuterRef("requester"), topic=OuterRef("topic"))
    return Exists(same.filter(opened_at__gt=opened, opened_at__lte=opened + WITHIN))


def repeats(ticket: Ticket) -> bool:
    """The same of one ticket, in Python."""
    if ticket.topic_id is None:
        return False
    since = ticket.opened_at - WITHIN
    same = Ticket.objects.without_spam().filter(requester=ticket.requester_id, topic=ticket.topic_id)
    return same.filter(opened_at__lt=ticket.opened_at, opened_at__gte=since).exists()


def earlier(ticket: Ticket, reader: User) -> list[Ticket]:
    """What it repeats, the newest few that this reader may see."""
    if ticket.topic_id is None:
        return []
    rows = tickets_for(reader).filter(requester=ticket.requester_id, topic=ticket.topic_id).exclude(status=Status.SPAM)
    return list(
        rows.filter(opened_at__lt=ticket.opened_at, opened_at__gte=ticket.opened_at - WITHIN).order_by("-opened_at")[:FEW]
    )
