"""The views of the inbox: those that everybody has, those that people set up, and the counts of all in one pass."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from django.db.models import Count, Q
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from helpdesk.accounts.models import User
from helpdesk.lib import conditions
from helpdesk.lib.dates import now
from helpdesk.lib.memo import once
from tickets.access import StaffRequest, tickets_for
from tickets.models import LIVE, OURS, Order, SavedView, Status

MOST = 99  # a count above this is "99+"
ROW = ("said", "status", "priority", "tags", "assignee")  # what a row tells, unless its view says otherwise


@dataclass(frozen=True)
class View:
    """A queue. `column` names one of listing.SORTS; `columns` what its rows tell beside who, what about and how long."""

    slug: str
    word: str | Promise
    choose: Callable[[User], Q]
    column: str = "last_message_at"
    newest_first: bool = True
    counted: bool = True
    empty: str | Promise = ""
    columns: tuple[str, ...] = ROW
    saved: SavedView | None = None
    hidden: bool = False
    elsewhere: bool = False  # of a team that the reader is not in


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
            "due",
            _("Due next"),
            lambda user: Q(status__in=LIVE, due_at__isnull=False),
            "due_at",
            False,
            empty=_("No promise is running."),
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
SORTED: dict[str, tuple[str, bool]] = {  # an order of a saved view → (column, newest first)
    Order.ACTIVITY: ("last_message_at", True),
    Order.QUIET: ("last_message_at", False),
    Order.OPENED: ("opened_at", True),
    Order.OLDEST: ("opened_at", False),
    Order.WAITING: ("waiting", False),
    Order.DUE: ("due", False),
    Order.URGENT: ("urgency", False),
}


def covered(covers: str) -> Q:
    """Open tickets, or all that are no spam."""
    return ~Q(status=Status.SPAM) if covers == SavedView.Covers.ALL else Q(status__in=LIVE)


def fault(view: View, reader: User) -> str:
    """Why a view can show nothing: its conditions ask for what is gone."""
    try:
        view.choose(reader)
    except conditions.ConditionError as error:
        return error.message
    return ""


def of_saved(saved: SavedView) -> View:
    column, newest_first = SORTED[saved.order]
    return View(
        saved.slug,
        saved.name,
        partial(_chosen, saved),
        column,
        newest_first,
        counted=saved.covers == SavedView.Covers.LIVE,
        empty=_("No ticket is in this view."),
        columns=tuple(saved.columns),
        saved=saved,
    )


def _chosen(saved: SavedView, user: User) -> Q:
    """What is in it for this reader. Raises ConditionError."""
    return covered(saved.covers) & conditions.to_q(saved.conditions, "ticket", now(), reader=user)


def views_of(request: StaffRequest) -> dict[str, View]:
    """Every view that this reader may open, in the order of the rail; asked once a request."""
    return once(request, "views", lambda: _views_of(request.user))


def _views_of(user: User) -> dict[str, View]:
    found = [*VIEWS.values(), *(of_saved(each) for each in SavedView.objects.seen_by(user).select_related("team"))]
    return {view.slug: replace(view, hidden=True) if view.slug in user.hidden_views else view for view in found}


def view_of(request: StaffRequest, slug: str) -> View:
    """The view of this name, or the first where the reader has no such view."""
    return views_of(request).get(slug, VIEWS[FIRST])


def counts(request: StaffRequest) -> dict[str, int]:
    """How many tickets each view in the rail holds for this reader: one query over the open rows, asked once a request."""
    return once(request, "counts", lambda: _counts(request))


def _counts(request: StaffRequest) -> dict[str, int]:
    shown = [view for view in views_of(request).values() if view.counted and (not view.hidden or view.slug == FIRST)]
    wanted = dict(_counters(shown, request.user))
    return tickets_for(request.user).filter(status__in=LIVE).aggregate(**wanted)


def _counters(views: Iterable[View], user: User) -> Iterable[tuple[str, Any]]:
    """A view that asks for what is gone is not counted, and costs the others nothing."""
    for view in views:
        try:
            yield view.slug, Count("pk", filter=view.choose(user))
        except conditions.ConditionError:
            continue


def shown(count: int) -> str:
    return f"{MOST}+" if count > MOST else str(count or "")
