"""Clocks as pages show them: the one that matters in a list, and all of a ticket with the reason of each state."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Prefetch, Q, prefetch_related_objects
from django.utils.translation import gettext as _

from helpdesk.lib.dates import now
from helpdesk.templatetags.look import STATUS_WORDS, span
from tickets.clocks.lengths import write_length
from tickets.models import Ticket
from tickets.models.clocks import NO_HOURS, Clock, Hours


def bring(tickets: Iterable[Ticket], whole: Ticket | None = None) -> None:
    """Give each its ``shown_clocks``: the open ones, and of the ``whole`` ticket all. One query."""
    rows = Clock.objects.filter(ended_at=None)
    if whole:
        tickets, rows = [*tickets, whole], Clock.objects.filter(Q(ended_at=None) | Q(ticket=whole)).select_related("policy")
    prefetch_related_objects(list(tickets), Prefetch("clocks", rows, to_attr="shown_clocks"))


def pressing(clocks: Iterable[Clock]) -> Clock | None:
    """The open clock that is due first, what is late before all; one that stands still only where none runs."""
    found = [clock for clock in clocks if clock.is_open]
    running = [clock for clock in found if clock.due_at and not clock.idle]
    if running:
        return min(running, key=lambda clock: (clock.due_at, clock.pk))
    return next((clock for clock in found if clock.idle not in ("spam", "solved", "closed")), None)


@dataclass(frozen=True)
class Line:
    """One clock of a ticket: what it is, how it stands, and why."""

    clock: Clock
    mood: str  # good, late, soon, held or none: a badge's
    word: str
    why: str
    promise: str  # "4 h of business hours, by Everybody"


def lines(ticket: Ticket) -> list[Line]:
    """All clocks of a ticket in the order they began; one query, unless they were brought with those of a list."""
    if not hasattr(ticket, "shown_clocks"):
        bring([], ticket)
    return [line(clock) for clock in ticket.shown_clocks]


def line(clock: Clock) -> Line:
    hours = _("around the clock") if clock.hours == Hours.CALENDAR else _("of working time")
    length = _("%(length)s %(hours)s") % {"length": write_length(clock.target // 60), "hours": hours}
    promise = _("%(length)s, by “%(policy)s”") % {"length": length, "policy": clock.policy} if clock.policy else length
    mood, word = {
        "met": ("good", _("Met")),
        "missed": ("late", _("Missed")),
        "late": ("late", _("Late")),
        "paused": ("held", _("Paused")),
        "stuck": ("late", _("Cannot run")),
        "running": ("soon" if clock.is_soon else "", _("Soon due") if clock.is_soon else _("Running")),
    }[clock.state]
    return Line(clock, mood, word, _why(clock), promise)


def _why(clock: Clock) -> str:
    if clock.ended_at:
        how = _("solved without a reply") if clock.ended_by == "solved" and clock.kind.endswith("reply") else ""
        if clock.is_late:
            return ", ".join(filter(None, [_late(clock, clock.ended_at), how]))
        early = ""
        if clock.due_at:
            early = _("%(span)s before it was due") % {"span": span(clock.due_at - clock.ended_at)}
        elif clock.left:
            early = _("with %(span)s left") % {"span": _left(clock)}
        return ", ".join(filter(None, [early, how]))
    if clock.idle == NO_HOURS:
        return _("whose hours count has too few of them to ever keep it")
    if clock.idle:
        values = {"status": STATUS_WORDS[clock.idle], "left": _left(clock)}
        return _("while it is %(status)s; %(left)s left when it goes on") % values
    if clock.is_late:
        return _late(clock, now())
    return _("%(span)s left") % {"span": span(clock.due_at - now())} if clock.due_at else ""


def _late(clock: Clock, until: datetime) -> str:
    late = _("%(span)s late") % {"span": span(until - (clock.breached_at or clock.due_at or until))}
    return (
        late if clock.breached_at else _("%(late)s, which does not count: it was due before this was promised") % {"late": late}
    )


def _left(clock: Clock) -> str:
    return write_length(max(0, clock.left or 0) // 60) or _("nothing")
