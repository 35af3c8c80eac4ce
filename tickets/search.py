"""Finding a ticket by its number, its words, or who wrote: every word must begin one of the ticket's words."""

import re

from django.contrib.postgres.search import SearchQuery, SearchVector
from django.db.models import Q, QuerySet

from helpdesk.customers.models import Address, Customer
from tickets.access import Reader, tickets_for
from tickets.models import Message, Status, Ticket
from tickets.models.message import words

MAX_WORDS = 8
MAX_LENGTH = 200
FEW = 500  # customers that a name may mean
NEWEST = 2_000  # hits of one kind: a word that stands in every message is answered from the newest


def search(reader: Reader, text: str) -> QuerySet[Ticket]:
    """The reader's tickets that the text may mean; unordered; spam by its number alone. Each way to match has its own index.

    Bounded, whatever the word: of each kind of match the newest count, within the reader's reach, and as many tickets in all.
    """
    text = text.replace("\0", "").strip()[:MAX_LENGTH]
    terms = re.findall(r"\w+", text)[:MAX_WORDS]
    if not terms:
        return tickets_for(reader).none()
    query = SearchQuery(" & ".join(f"'{term}':*" for term in terms), config="simple", search_type="raw")
    mine = tickets_for(reader)
    messages = Message.objects.annotate(v=words()).filter(v=query)
    if mine.query.where:  # whoever may see everything need not be asked about each
        messages = messages.filter(ticket__in=mine)
    subjects = mine.annotate(v=SearchVector("subject", config="simple")).filter(v=query)
    hits = [
        subjects.order_by("-pk").values_list("pk"),
        messages.order_by("-pk").values_list("ticket"),
        mine.filter(requester__in=_people(text)).order_by("-pk").values_list("pk"),
        mine.filter(_number(text)).order_by("-pk").values_list("pk"),
    ]
    first, *others = [rows[:NEWEST] for rows in hits]
    found = first.union(*others).order_by("-pk")[:NEWEST]
    return mine.filter(pk__in=found).filter(~Q(status=Status.SPAM) | _number(text))


def _people(text: str) -> list[int]:
    """Customers whose name or address holds the text; three letters at least, or every name would match."""
    if len(text) < 3:
        return []
    named = Customer.objects.filter(name__icontains=text).values("pk")
    at = Address.objects.filter(canonical__contains=text.lower()).values("customer")
    return [pk for (pk,) in named.union(at).values_list("pk")[:FEW]]


def _number(text: str) -> Q:
    found = re.fullmatch(r"#?(\d{1,18})", text)
    return Q(number=int(found[1])) if found else Q(pk__in=[])
