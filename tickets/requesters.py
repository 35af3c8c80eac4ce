"""Something else is known of customers or their companies (settings.EVENT_SUBSCRIBERS): what follows for what waits of theirs.

Nothing happened on these tickets, so they meet no rule on changes. But policies, rules after a time and the reckoned priority
may ask who the customer is: all three look again.
"""

from django.db.models import QuerySet

from helpdesk.customers import timeline
from helpdesk.customers.models import Event
from tickets import clocks, priority, rules
from tickets.models import LIVE, Ticket

BATCH = 200  # tickets of companies that are looked at in one transaction


def on_customers(events: list[Event]) -> None:
    """Of the people themselves, who have few tickets each."""
    _look_again(_waiting().filter(requester__in={event.customer_id for event in events}))


def on_companies(events: list[Event]) -> None:
    """Of all the people of a company: BATCH tickets now, the others by an event of their own; none stays locked for long."""
    companies = {pk for event in events for pk in event.payload["companies"]}
    after = min(event.payload.get("after", 0) for event in events)
    pks = _look_again(_waiting().filter(requester__company__in=companies, pk__gt=after)[:BATCH])
    if len(pks) == BATCH:
        timeline.record("company.spreads", companies=sorted(companies), after=pks[-1])


def _waiting() -> QuerySet[Ticket]:
    return Ticket.objects.filter(status__in=LIVE).order_by("pk")


def _look_again(rows: QuerySet[Ticket]) -> list[int]:
    if pks := list(rows.values_list("pk", flat=True)):
        clocks.recompute(pks, ruled=True)
        priority.look_again(pks)
        rules.plan(pks)
    return pks
