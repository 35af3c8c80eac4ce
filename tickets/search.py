"""The search box: words, a number or who wrote, and the fields of conditions beside them (lib.conditions.query)."""

import re

from django.contrib.postgres.search import SearchVector
from django.db.models import Q, QuerySet

from helpdesk.accounts.models import User
from helpdesk.customers.models import Address, Customer
from helpdesk.lib import conditions
from helpdesk.lib.conditions.query import MAX_LENGTH, QueryError, to_tree
from helpdesk.lib.conditions.terms import query, terms
from helpdesk.lib.dates import now
from tickets.access import Reader, tickets_for
from tickets.models import Message, Status, Ticket
from tickets.models.message import words

__all__ = ["MAX_LENGTH", "QueryError", "find", "search"]

MAX_WORDS = 8
PATIENCE = 5_000  # milliseconds for a page of what a search finds
FEW = 500  # customers that a name may mean
NEWEST = 2_000  # hits of one kind: a word that stands in every message is answered from the newest


def find(reader: Reader, text: str) -> QuerySet[Ticket]:
    """The reader's tickets that a line of the search box means, unordered, of all that fit the newest. Raises QueryError.

    Spam is found by its number, or where its status is asked for.
    """
    person = isinstance(reader, User)
    tree = to_tree(text, "ticket", personal=person)
    parts = tree.get("all", [tree])
    said = " ".join(part["value"] for part in parts if part.get("op") == "has_words")
    rest = {"all": [part for part in parts if part.get("op") != "has_words"]}
    if not rest["all"]:
        return search(reader, said)
    rows = tickets_for(reader).filter(conditions.to_q(rest, "ticket", now(), reader=reader if person else None))
    if not _names_spam(rest):
        rows = rows.filter(_unless_spam(said))
    return search(reader, said, rows) if said else rows.filter(pk__in=rows.order_by("-pk").values("pk")[:NEWEST])


def search(reader: Reader, text: str, rows: QuerySet[Ticket] | None = None) -> QuerySet[Ticket]:
    """Those of the rows, or of all in the reader's reach, that the words may mean: every word must begin one of the ticket's.

    Unordered; spam by its number alone. Each way to match has its own index. Bounded, whatever the word: of each kind of
    match the newest count, and as many tickets in all.
    """
    text = text.replace("\0", "").strip()[:MAX_LENGTH]
    asked, plain = " ".join(terms(text)[:MAX_WORDS]), text.replace('"', "")
    mine = tickets_for(reader) if rows is None else rows
    if not asked:
        return mine.none()
    messages = Message.objects.annotate(v=words()).filter(v=query(asked))
    if mine.query.where:  # whoever may see everything need not be asked about each
        messages = messages.filter(ticket__in=mine)
    subjects = mine.annotate(v=SearchVector("subject", config="simple")).filter(v=query(asked))
    hits = [
        subjects.order_by("-pk").values_list("pk"),
        messages.order_by("-pk").values_list("ticket"),
        mine.filter(requester__in=_people(plain)).order_by("-pk").values_list("pk"),
        mine.filter(_number(plain)).order_by("-pk").values_list("pk"),
    ]
    first, *others = [hit[:NEWEST] for hit in hits]
    found = first.union(*others).order_by("-pk")[:NEWEST]
    chosen = mine.filter(pk__in=found)
    return chosen.filter(_unless_spam(plain)) if rows is None else chosen


def _unless_spam(text: str) -> Q:
    return ~Q(status=Status.SPAM) | _number(text)


def _names_spam(node: object) -> bool:
    """Whether a condition asks for the status of spam by its name."""
    if isinstance(node, list):
        return any(map(_names_spam, node))
    if not isinstance(node, dict):
        return False
    if node.get("field") == "status":
        value = node.get("value")
        return Status.SPAM in (value if isinstance(value, list) else [value])
    return any(_names_spam(node[key]) for key in ("all", "any", "not") if key in node)


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
