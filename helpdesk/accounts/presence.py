"""Who is here: available by their own word, which their first sign-in is too, within their hours, and not out of office."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from helpdesk.accounts.models import Absence, Calendar, Team, User, audit
from helpdesk.lib import dates, worktime
from helpdesk.live import bell

State = Literal["here", "away", "out", "off", "gone"]
Span = tuple[datetime, datetime]


@dataclass(frozen=True)
class Presence:
    """Whether somebody is here; if not, why, and when they are back as far as that is known."""

    state: State
    until: datetime | None = None
    note: str = ""
    signed_in: bool = True  # at least once

    @property
    def is_here(self) -> bool:
        return self.state == "here"

    @property
    def is_away(self) -> bool:
        """Not to be waited for: away, out of office or gone; who merely has an evening comes back to their own work."""
        return self.state in ("away", "out", "gone")


def presence(
    at: datetime,
    *,
    active: bool = True,
    away_since: datetime | None = None,
    signed_in: bool = True,
    absences: Iterable[tuple[datetime, datetime, str]] = (),
    calendars: Sequence[worktime.Calendar | None] = (),
) -> Presence:
    """The one rule. ``calendars`` are those that count, of which one open is enough; none at all: always in their hours.

    None stands for a calendar that cannot be read, which is never open.
    """
    if not active:
        return Presence("gone")
    absences = sorted(absences)
    for begins, ends, note in absences:
        if begins <= at < ends:
            return Presence("out", back_at(at, absences, calendars), note)
    if away_since is not None:
        return Presence("away", signed_in=signed_in)
    if calendars and not any(is_open(opening(calendar, at), at) for calendar in calendars):
        return Presence("off", back_at(at, absences, calendars))
    return Presence("here")


def back_at(
    at: datetime, absences: Sequence[tuple[datetime, datetime, str]], calendars: Sequence[worktime.Calendar | None]
) -> datetime | None:
    """The first moment from then on in their hours and in none of their absences, which come as they begin; None: unknown.

    Each round but the last ends at the end of another absence, so it is over with them.
    """
    while True:
        for begins, ends, _note in absences:
            if begins <= at < ends:
                at = ends
        if not calendars:
            return at
        opens = min((span[0] for calendar in calendars if (span := opening(calendar, at))), default=None)
        if opens is None or opens == at:
            return opens
        at = opens


def opening(calendar: worktime.Calendar | None, at: datetime) -> Span | None:
    """The hours that run at this instant, or the next; None for a calendar that never opens."""
    try:
        return next(calendar.spans(at)) if calendar else None
    except worktime.CalendarError:
        return None


def is_open(span: Span | None, at: datetime) -> bool:
    return span is not None and span[0] <= at


def _calendars() -> list[Calendar]:
    """All of them with their holidays, in two queries."""
    return list(Calendar.objects.prefetch_related("holidays"))


def hours_of(calendar: Calendar) -> worktime.Calendar | None:
    try:
        return calendar.hours()
    except worktime.CalendarError:
        return None


def presences(users: QuerySet[User], at: datetime) -> dict[int, Presence]:
    """The presence of these people, in five queries however many they are."""
    people = list(users.values_list("pk", "is_active", "away_since", "last_login", "calendar"))
    rows = _calendars()
    hours = {row.pk: hours_of(row) for row in rows}
    default = [hours[row.pk] for row in rows if row.is_default]
    of_teams: dict[int, list[worktime.Calendar | None]] = defaultdict(list)
    for user, calendar in (
        Team.objects.living().filter(members__in=users, calendar__isnull=False).values_list("members", "calendar")
    ):
        of_teams[user].append(hours[calendar])
    away: dict[int, list[tuple[datetime, datetime, str]]] = defaultdict(list)
    ahead = Absence.objects.filter(user__in=users, ends_at__gt=at)  # those to come too: one may follow at once
    for user, begins, ends, note in ahead.values_list("user", "starts_at", "ends_at", "note"):
        away[user].append((begins, ends, note))
    return {
        pk: presence(
            at,
            active=active,
            away_since=away_since,
            signed_in=last_login is not None,
            absences=away[pk],
            calendars=[hours[calendar]] if calendar else of_teams.get(pk) or default,
        )
        for pk, active, away_since, last_login, calendar in people
    }


def present(at: datetime) -> QuerySet[User]:
    """Everybody who is here, as a set: `presence` said in SQL, but for the calendars, which are few and read first."""
    rows = _calendars()
    opened = [row.pk for row in rows if is_open(opening(hours_of(row), at), at)]
    default = next((row.pk for row in rows if row.is_default), None)
    theirs = Team.objects.living().filter(members=OuterRef("pk"), calendar__isnull=False)
    rest = Q() if default is None or default in opened else Q(pk__in=[])
    in_hours = Q(calendar__in=opened) | Q(calendar=None) & (
        Exists(theirs.filter(calendar__in=opened)) | Q(~Exists(theirs)) & rest
    )
    out = Absence.objects.filter(user=OuterRef("pk"), starts_at__lte=at, ends_at__gt=at)
    return User.objects.active().filter(in_hours, ~Exists(out), away_since=None)


# --- what people say about themselves ---------------------------------------------------------------------------------


@transaction.atomic
def set_available(user: User, here: bool, *, by: User) -> bool:
    """Available, or away until they say otherwise; False when it is so already."""
    at = None if here else dates.now()
    if not User.objects.filter(pk=user.pk, away_since__isnull=not here).update(away_since=at):
        return False
    user.away_since = at
    audit("presence.available" if here else "presence.away", actor=by.ref, subject=user.ref)
    bell.ring(settings.PRESENCE_BELL)
    return True


def own_zone(user: User) -> ZoneInfo:
    return dates.zone(user.zone, settings.TIME_ZONE)


@transaction.atomic
def add_absence(user: User, first: date, last: date, note: str, *, by: User) -> bool:
    """Out of office from the first of these days to the last, in their own zone; False when that is known already."""
    zone = own_zone(user)
    begins, ends = (dates.at_local(day, time(), zone) for day in (first, last + timedelta(days=1)))
    _row, new = Absence.objects.get_or_create(user=user, starts_at=begins, ends_at=ends, defaults={"note": note})
    if new:
        said = {"first": first.isoformat(), "last": last.isoformat(), "note": note}
        audit("absence.added", actor=by.ref, subject=user.ref, after=said)
    return new


def days_of(absence: Absence, user: User) -> tuple[date, date]:
    """Its first and last day, as it was said."""
    zone = own_zone(user)
    begins, ends = (dates.local(at, zone) for at in (absence.starts_at, absence.ends_at - timedelta(seconds=1)))
    return begins.date(), ends.date()


@transaction.atomic
def keep_days(user: User, was: ZoneInfo) -> None:
    """Their zone is another now: absences that are not over begin and end with the same days, there."""
    zone = own_zone(user)
    rows = list(Absence.objects.select_for_update().filter(user=user, ends_at__gt=dates.now()))
    for row in rows:
        first, last = (dates.local(at, was).date() for at in (row.starts_at, row.ends_at - timedelta(seconds=1)))
        row.starts_at, row.ends_at = (dates.at_local(day, time(), zone) for day in (first, last + timedelta(days=1)))
    Absence.objects.filter(pk__in=[row.pk for row in rows]).delete()  # and back, for one may come to be when another was
    Absence.objects.bulk_create(rows)
    bell.ring(settings.PRESENCE_BELL)


@transaction.atomic
def remove_absence(user: User, pk: int, *, by: User) -> bool:
    """They are back, or never go. False when it is gone already."""
    row = Absence.objects.select_for_update().filter(pk=pk, user=user).first()
    if row is None:
        return False
    first, last = days_of(row, user)
    row.delete()
    said = {"first": first.isoformat(), "last": last.isoformat(), "note": row.note}
    audit("absence.removed", actor=by.ref, subject=user.ref, before=said)
    bell.ring(settings.PRESENCE_BELL)
    return True
