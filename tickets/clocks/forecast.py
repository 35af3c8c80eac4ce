"""What falls due: the open clocks of the next hours and days, as a lead plans with them."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from math import ceil
from typing import Any

from django.db.models import Count, DateTimeField, F, Func, OuterRef, QuerySet, Subquery, Value
from django.db.models.functions import TruncDay

from helpdesk.accounts.calendars import default
from helpdesk.accounts.models import Team, User
from helpdesk.accounts.presence import hours_of
from helpdesk.lib.dates import local, now
from tickets.access import tickets_for
from tickets.clocks.fields import STILL
from tickets.clocks.risk import Risk, risk
from tickets.clocks.teams import AHEAD, SEARCHES, Line, by_team
from tickets.models import LIVE, Ticket
from tickets.models.clocks import Clock

DAYS = 7
HOUR = timedelta(hours=1)


@dataclass
class Slot:
    """One hour or day: how many clocks fall due, how many are likely to be missed, and whether somebody works then."""

    at: datetime
    due: int = 0
    missed: int = 0
    unassigned: int = 0
    is_open: bool = True
    share: int = 0  # of the fullest slot, in percent


@dataclass(frozen=True)
class Forecast:
    hours: list[Slot]
    days: list[Slot]
    teams: list[Line]
    paused: int
    searches = SEARCHES

    @property
    def late(self) -> int:
        return sum(line.numbers["late"] for line in self.teams)

    @property
    def today(self) -> int:
        return sum(line.numbers["due"] for line in self.teams)

    @property
    def missed(self) -> int:
        return sum(line.numbers["missed"] for line in self.teams)

    @property
    def alone(self) -> int:
        """Those of the next hours that fall due while nobody works."""
        return sum(slot.due for slot in self.hours if not slot.is_open)


def forecast(reader: User, zone: tzinfo) -> Forecast:
    """Within the reader's reach. As many queries however much there is; what falls due is a span of its index."""
    at = now()
    mine = Clock.objects.filter(ended_at=None, ticket__status__in=LIVE, ticket__in=tickets_for(reader))
    coming = mine.filter(due_at__gt=at, idle="")
    today = coming.filter(due_at__lt=at + AHEAD)
    hour = local(at, zone).replace(minute=0, second=0, microsecond=0)
    first = hour.astimezone(UTC)
    hours = [Slot(local(first + n * HOUR, zone)) for n in range(ceil((at + AHEAD - first) / HOUR))]
    days = [Slot(hour.replace(hour=0) + timedelta(days=n)) for n in range(DAYS)]
    danger = risk(at)
    _fill(hours, today.annotate(slot=_hours_from(first)), danger)
    week = coming.filter(due_at__lt=hour.replace(hour=0) + timedelta(days=DAYS))
    _fill(days, week.annotate(slot=TruncDay("due_at", tzinfo=zone)), danger)
    _opened(hours)
    late = tickets_for(reader).filter(status__in=LIVE, due_at__lte=at)
    return Forecast(hours, days, by_team(late, today, danger, at), _paused(tickets_for(reader).filter(status__in=LIVE)))


def _paused(live: QuerySet[Ticket]) -> int:
    """Those with a clock that stands still, asked of each open ticket: as EXISTS it would be read from all clocks ever."""
    still = Clock.objects.filter(STILL, ticket=OuterRef("pk")).order_by().values("pk")[:1]
    return live.alias(still=Subquery(still)).filter(still__isnull=False).count()


def _hours_from(first: datetime) -> Func:
    """The hour it is due in as an instant: wall time has the same hour twice when clocks are set back."""
    return Func(Value(HOUR), F("due_at"), Value(first), function="date_bin", output_field=DateTimeField())


def _fill(slots: list[Slot], rows: Any, danger: Risk) -> None:
    counted = rows.values("slot").annotate(
        due=Count("pk"), missed=Count("pk", filter=danger.missed), unassigned=Count("pk", filter=danger.unassigned)
    )
    found = {row["slot"].astimezone(UTC): row for row in counted.order_by()}
    for slot in slots:
        if row := found.get(slot.at.astimezone(UTC)):
            slot.due, slot.missed, slot.unassigned = row["due"], row["missed"], row["unassigned"]
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
        slot.is_open = any(week is None or next(week.spans(slot.at))[0] < slot.at + HOUR for week in weeks)
