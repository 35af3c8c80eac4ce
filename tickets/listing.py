"""The views of the inbox, their counts in one pass, and their rows page by page (keyset: a page costs the same anywhere)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.fields.tuple_lookups import TupleGreaterThan, TupleLessThan
from django.utils.dateparse import parse_datetime
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from helpdesk.accounts.models import User
from tickets.access import StaffRequest, tickets_for
from tickets.models import LIVE, OURS, ReadMark, Status, Ticket
from tickets.repeats import is_repeat

PAGE = 40
MOST = 99  # a count above this is "99+"


@dataclass(frozen=True)
class View:
    slug: str
    word: str | Promise
    choose: Callable[[User], Q]
    column: str = "last_message_at"
    newest_first: bool = True
    counted: bool = True
    empty: str | Promise = ""


VIEWS = {
    view.slug: view
    for view in (
        View(
            "waiting",
            _("Waiting on us"),
            lambda user: Q(status__in=OURS, waiting_since__isnull=False),
            "waiting_since",
            False,
            empty=_("Nobody waits for an answer."),
        ),
        View(
            "mine", _("Assigned to me"), lambda user: Q(status__in=LIVE, assignee=user.pk), empty=_("You have no open tickets.")
        ),
        View(
            "unassigned",
            _("Unassigned"),
            lambda user: Q(status__in=LIVE, assignee=None),
            empty=_("Every open ticket has its person."),
        ),
        View(
            "pending",
            _("Waiting on them"),
            lambda user: Q(status__in=(Status.PENDING, Status.HOLD)),
            empty=_("We wait for nobody."),
        ),
        View("open", _("All open"), lambda user: Q(status__in=LIVE), empty=_("There is no open ticket.")),
        View(
            "solved",
            _("Solved"),
            lambda user: Q(status=Status.SOLVED),
            "solved_at",
            counted=False,
            empty=_("Nothing was solved lately."),
        ),
        View("spam", _("Spam"), lambda user: Q(status=Status.SPAM), counted=False, empty=_("There is no spam.")),
    )
}
FIRST = "waiting"


class BadCursor(ValueError):
    """A page address that none of our pages wrote."""


@dataclass
class Page:
    rows: Sequence[Ticket]
    after: str = ""  # the cursor of the next page; "" at the end


def counts(request: StaffRequest) -> dict[str, int]:
    """How many tickets each view holds for this reader: one query over the open rows, asked once a request."""
    known = getattr(request, "_ticket_counts", None)
    if known is None:
        user = request.user
        wanted = {view.slug: Count("pk", filter=view.choose(user)) for view in VIEWS.values() if view.counted}
        known = tickets_for(user).filter(status__in=LIVE).aggregate(**wanted)
        request._ticket_counts = known  # type: ignore[attr-defined]
    return known


def shown(count: int) -> str:
    return f"{MOST}+" if count > MOST else str(count or "")


def rows_of(user: User, view: View) -> QuerySet[Ticket]:
    return tickets_for(user).filter(view.choose(user))


def page(rows: QuerySet[Ticket], view: View, reader: User, after: str = "", size: int = PAGE) -> Page:
    """One page of a view in its order, with how far the reader has read each ticket.

    Chosen before anything is joined to them: the planner takes those who wait for far fewer than they are, and would join
    and sort all of them for one page.
    """
    chosen = Ticket.objects.filter(pk__in=ordered(rows, view, after).values("pk")[: size + 1])
    found = list(
        ordered(chosen, view)
        .select_related("requester", "address", "assignee")
        .annotate(
            read_to=Subquery(ReadMark.objects.filter(ticket=OuterRef("pk"), user=reader.pk).values("message_id")),
            repeat=is_repeat(),
        )
    )
    return Page(found[:size], cursor(found[size - 1], view) if len(found) > size else "")


def ordered(rows: QuerySet[Ticket], view: View, after: str = "") -> QuerySet[Ticket]:
    """The rows of a view in its order, from behind a cursor on. Raises BadCursor.

    A comparison of rows, (at, id) < (x, y), is where the view's index starts; said with OR it would be a filter behind it.
    """
    if after:
        beyond = TupleLessThan if view.newest_first else TupleGreaterThan
        rows = rows.filter(beyond((F(view.column), F("id")), read_cursor(after)))
    by: list[Any] = [F(view.column).desc(), F("pk").desc()] if view.newest_first else [F(view.column).asc(), F("pk").asc()]
    return rows.order_by(*by)


def cursor(ticket: Ticket, view: View) -> str:
    at = getattr(ticket, view.column)
    return f"{at.isoformat()}_{ticket.pk}" if at else ""


def read_cursor(text: str) -> tuple[datetime, int]:
    at, _sep, pk = text.partition("_")
    try:
        moment = parse_datetime(at)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None or not (pk.isascii() and pk.isdigit() and len(pk) < 19):
        raise BadCursor(text[:80])
    return moment, int(pk)


def following(user: User, view: View, ticket: Ticket) -> Ticket | None:
    """The ticket after this one in the view, as the view was before it changed; else the view's first."""
    position = cursor(ticket, view)
    others = rows_of(user, view).exclude(pk=ticket.pk)
    return (ordered(others, view, position).first() if position else None) or ordered(others, view).first()
