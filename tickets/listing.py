"""The rows of a view page by page (keyset: a page costs the same anywhere), and what each row tells."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any

from django.db import OperationalError
from django.db.models import F, OuterRef, QuerySet, Subquery
from django.db.models.fields.tuple_lookups import TupleGreaterThan, TupleLessThan
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from helpdesk.accounts.models import User
from helpdesk.lib import conditions
from helpdesk.lib.rows import at_most
from tickets import columns
from tickets.access import tickets_for
from tickets.models import ReadMark, Ticket
from tickets.models.saved import DUE, NEVER, URGENCY, WAITING, Order
from tickets.queues import View
from tickets.repeats import is_repeat

PAGE = 40
PATIENCE = 3000  # milliseconds: a view over all tickets may ask what no index answers
RANKS = {"urgent": 0, "high": 1, "normal": 2, "low": 3}  # as models/saved.URGENCY


@dataclass(frozen=True)
class Sort:
    """What the index of an order holds before the id, in SQL and read from a ticket."""

    by: Any
    read: Callable[[Ticket], datetime | int | None]
    number: bool = False


TIMES = ("last_message_at", "waiting_since", "due_at", "solved_at", "opened_at")
SORTS = {
    **{name: Sort(F(name), attrgetter(name)) for name in TIMES},
    "waiting": Sort(WAITING, lambda ticket: ticket.waiting_since or NEVER),
    "due": Sort(DUE, lambda ticket: ticket.due_at or NEVER),
    "urgency": Sort(URGENCY, lambda ticket: RANKS[ticket.priority], number=True),
}
ANYWHERE = frozenset({Order.ACTIVITY, Order.QUIET})  # the orders that have an index over solved and closed tickets too


class BadCursor(ValueError):
    """A page address that none of our pages wrote."""


class NoRows(ValueError):
    """A view that cannot be shown, and why, in words for its reader."""


@dataclass
class Page:
    rows: Sequence[Ticket]
    after: str = ""  # the cursor of the next page; "" at the end


def rows_of(user: User, view: View) -> QuerySet[Ticket]:
    """The tickets of a view within a person's reach. Raises NoRows."""
    try:
        return tickets_for(user).filter(view.choose(user))
    except conditions.ConditionError as error:
        raise NoRows(_("This view asks for what is not there any more. %s") % error.message) from error


@contextmanager
def patient(view: View) -> Iterator[None]:
    """A view over all tickets may ask what no index answers: it is given PATIENCE. Raises NoRows."""
    if view.saved is None or view.counted:
        yield
        return
    try:
        with at_most(PATIENCE):
            yield
    except OperationalError as error:
        raise NoRows(_("This view takes too long to find. Narrow its conditions, or let it cover open tickets only.")) from error


def page(rows: QuerySet[Ticket], view: View, reader: User, after: str = "", size: int = PAGE) -> Page:
    """One page of a view in its order, with how far the reader has read each ticket. Raises BadCursor and NoRows.

    Chosen before anything is joined to them: the planner takes those who wait for far fewer than they are, and would join
    and sort all of them for one page.
    """
    chosen: QuerySet[Ticket] = Ticket.objects.filter(pk__in=ordered(rows, view, after).values("pk")[: size + 1])
    rows = (
        ordered(chosen, view)
        .select_related("requester", "address", "assignee", *columns.joined(view.columns))
        .annotate(
            read_to=Subquery(ReadMark.objects.filter(ticket=OuterRef("pk"), user=reader.pk).values("message_id")),
            repeat=is_repeat(),
        )
    )
    with patient(view):
        found = list(rows)
    columns.dress(found, view.columns)
    return Page(found[:size], cursor(found[size - 1], view) if len(found) > size else "")


def ordered(rows: QuerySet[Ticket], view: View, after: str = "") -> QuerySet[Ticket]:
    """The rows of a view in its order, from behind a cursor on. Raises BadCursor.

    A comparison of rows, (at, id) < (x, y), is where the view's index starts; said with OR it would be a filter behind it.
    """
    sort = SORTS[view.column]
    if after:
        beyond = TupleLessThan if view.newest_first else TupleGreaterThan
        rows = rows.filter(beyond((sort.by, F("id")), read_cursor(after, sort)))
    by: list[Any] = [sort.by.desc(), F("pk").desc()] if view.newest_first else [sort.by.asc(), F("pk").asc()]
    return rows.order_by(*by)


def cursor(ticket: Ticket, view: View) -> str:
    at = SORTS[view.column].read(ticket)
    if at is None:
        return ""
    return f"{at.isoformat() if isinstance(at, datetime) else at}_{ticket.pk}"


def read_cursor(text: str, sort: Sort) -> tuple[datetime | int, int]:
    at, _sep, pk = text.partition("_")
    moment: datetime | int | None = None
    if not (pk.isascii() and pk.isdigit() and len(pk) < 19):
        raise BadCursor(text[:80])
    if sort.number:
        moment = int(at) if at in ("0", "1", "2", "3") else None
    else:
        try:
            moment = parse_datetime(at)
        except ValueError:
            moment = None
        if moment is not None and moment.tzinfo is None:
            moment = None
    if moment is None:
        raise BadCursor(text[:80])
    return moment, int(pk)


def following(user: User, view: View, ticket: Ticket) -> Ticket | None:
    """The ticket after this one in the view, as the view was before it changed; else the view's first, if it can be found."""
    position = cursor(ticket, view)
    try:
        others = rows_of(user, view).exclude(pk=ticket.pk)
        with patient(view):
            return (ordered(others, view, position).first() if position else None) or ordered(others, view).first()
    except NoRows:
        return None
