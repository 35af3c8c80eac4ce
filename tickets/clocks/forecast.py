"""What falls due: the open clocks of the next hours and days, as a lead plans with them."""

from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Any

from django.db.models import Count, Q
from django.db.models.functions import TruncDay, TruncHour

from helpdesk.accounts.calendars import default
from helpdesk.accounts.models import Team, User
from helpdesk.accounts.presence import hours_of
from helpdesk.lib.dates import local, now
from tickets.access import tickets_for
from tickets.models import LIVE
from tickets.models.clocks import Clock

HOURS, DAYS = 24, 7


@dataclass
class Slot:
    """One hour or day: how many clocks fall due, how many of them nobody has, and whether somebody works then."""

    at: datetime
    due: int = 0
    unassigned: int = 0
    is_open: bool = True
    share: int = 0  # of the fullest slot, in percent


@dataclass(frozen=True)
class Forecast:
    hours: list[Slot]
    days: list[Slot]
    late: int
    paused: int

    @property
    def today(self) -> int:
        return sum(slot.due for slot in self.hours)

    @property
    def alone(self) -> int:
        """Those of the next hours that fall due while nobody works."""
        return sum(slot.due for slot in self.hours if not slot.is_open)


def forecast(reader: User, zone: tzinfo) -> Forecast:
    """Within the reader's reach. Four queries: each reads a span of the index of due dates."""
    at = now()
    mine = Clock.objects.filter(ended_at=None, ticket__status__in=LIVE, ticket__in=tickets_for(reader))
    coming = mine.filter(due_at__gt=at, idle="")
    hour = local(at, zone).replace(minute=0, second=0, microsecond=0)
    hours = [Slot(local(hour.astimezone() + timedelta(hours=n), zone)) for n in range(HOURS)]
    first = hour.replace(hour=0)
    days = [Slot(first + timedelta(days=n)) for n in range(DAYS)]
    _fill(hours, coming.filter(due_at__lt=hours[-1].at + timedelta(hours=1)).annotate(slot=TruncHour("due_at", tzinfo=zone)))
    _fill(days, coming.filter(due_at__lt=days[-1].at + timedelta(days=1)).annotate(slot=TruncDay("due_at", tzinfo=zone)))
    _opened(hours)
    late = tickets_for(reader).filter(status__in=LIVE, due_at__lte=at).count()
    paused = mine.exclude(idle="").values("ticket").distinct().count()
    return Forecast(hours, days, late, paused)


def _fill(slots: list[Slot], rows: Any) -> None:
    counted = rows.values("slot").annotate(due=Count("pk"), unassigned=Count("pk", filter=Q(ticket__assignee=None)))
    found = {row["slot"]: row for row in counted.order_by()}
    for slot in slots:
        if row := found.get(slot.at):
            slot.due, slot.unassigned = row["due"], row["unassigned"]
    most = max((slot.due for slot in slots), default=0)
    for slot in slots:
        slot.share = round(100 * slot.due / most) if most else 0


def _opened(slots: list[Slot]) -> None:
    """Mark the hours in which nobody works, by the calendars that the teams go by; without one there are none."""
    usual = default()
    teams = Team.objects.living().select_related("calendar").prefetch_related("calendar__holidays")
    named = {team.calendar or usual for team in teams} or {usual}
    weeks = [hours_of(calendar) if calendar else None for calendar in named]
    for slot in slots:
        slot.is_open = any(week is None or next(week.spans(slot.at))[0] < slot.at + timedelta(hours=1) for week in weeks)
