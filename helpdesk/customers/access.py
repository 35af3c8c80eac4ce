"""Which customers, and what of them, a person may see."""

from django.db.models import Q, QuerySet

from helpdesk.accounts.models import Reach, User
from helpdesk.customers.models import Address, Company, Customer, Event
from helpdesk.lib.text import one_line

FOUND = 51  # one page and one more, to know whether there is a next


def found(text: str, before: int | None = None) -> list[int]:
    """Ids of a page of customers by name, address or external id, newest first. Bounded: each way gives one page at most.

    Words of three letters and more use the trigram indexes; shorter ones match beginnings only by walking back from the
    newest, which is why each branch has its own limit.
    """
    older = Q() if before is None else Q(pk__lt=before)
    text = one_line(text)
    if not text:
        return list(Customer.objects.filter(older).order_by("-pk").values_list("pk", flat=True)[:FOUND])
    by_name = Customer.objects.filter(older, name__icontains=text).order_by("-pk").values_list("pk", flat=True)[:FOUND]
    of_address = Q() if before is None else Q(customer_id__lt=before)
    by_address = (
        Address.objects.filter(of_address, canonical__contains=text.lower())
        .order_by("-customer_id")
        .values_list("customer_id", flat=True)
        .distinct()[:FOUND]
    )
    by_id = Customer.objects.filter(older, external_id=text).values_list("pk", flat=True)
    return sorted({*by_name, *by_address, *by_id}, reverse=True)[:FOUND]


def companies_found(text: str, before: int | None = None) -> list[int]:
    """Ids of a page of companies by name or external id, newest first; bounded as `found` is."""
    older = Q() if before is None else Q(pk__lt=before)
    text = one_line(text)
    rows = Company.objects.filter(older).order_by("-pk").values_list("pk", flat=True)
    if not text:
        return list(rows[:FOUND])
    by_id = rows.filter(external_id=text)
    return sorted({*rows.filter(name__icontains=text)[:FOUND], *by_id}, reverse=True)[:FOUND]


def events_for(reader: User, customer: Customer) -> QuerySet[Event]:
    """A customer's timeline. Whoever reads only some tickets finds no event of a ticket in it; the tickets show their own."""
    rows = Event.objects.of(customer.pk)
    return rows if reader.reach == Reach.ALL else rows.exclude(payload__has_key="ticket")
