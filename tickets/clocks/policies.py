"""Which policy a ticket has: the first in the list that is on and whose conditions it meets, asked of many at once."""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Any

import structlog
from django.db.models import Case, IntegerField, Value, When

from helpdesk.accounts.models import Calendar, Team
from helpdesk.accounts.presence import hours_of
from helpdesk.lib import conditions, worktime
from tickets.clocks.fields import FIELDS
from tickets.models import Ticket
from tickets.models.clocks import TARGETS, Hours, Policy

log = structlog.get_logger(__name__)
OWN = {field.name for field in FIELDS}  # a policy cannot depend on what it makes
SUBJECT = "ticket"


def working() -> list[Policy]:
    """Those that are on, in order."""
    return list(Policy.objects.filter(is_on=True))


def choose(pks: Collection[int], policies: Sequence[Policy], at: datetime) -> dict[int, Policy]:
    """Ticket → its policy, in one query; a policy that cannot be read any more matches nobody, and its page says so."""
    whens = []
    for policy in policies:
        try:
            whens.append(When(conditions.to_q(policy.conditions, SUBJECT, at, few=True), then=Value(policy.pk)))
        except conditions.ConditionError as error:
            log.warning("policy_unreadable", policy=policy.pk, error=str(error))
    if not whens:
        return {}
    known = {policy.pk: policy for policy in policies}
    rows = Ticket.objects.filter(pk__in=pks).order_by()
    chosen = rows.annotate(its_policy=Case(*whens, default=None, output_field=IntegerField()))
    return {pk: known[policy] for pk, policy in chosen.values_list("pk", "its_policy") if policy}


class Calendars:
    """The hours that tickets are counted in, read once for a batch."""

    def __init__(self, policies: Collection[Policy], of_teams: Collection[int]) -> None:
        self.usual = Calendar.objects.filter(is_default=True).values_list("pk", flat=True).first()
        named = {policy.calendar_id for policy in policies} | set(of_teams) | {self.usual}
        self.hours: dict[int, worktime.Calendar] = Calendar.objects.counted(pk for pk in named if pk)

    def of(self, own: int | None, of_team: int | None) -> worktime.Calendar | None:
        return self.hours.get(own or of_team or self.usual or 0)


class Lasting:
    """How much working time each calendar ever holds, and which ones count where a policy names none. Three queries."""

    def __init__(self) -> None:
        self.calendars = {calendar.pk: calendar for calendar in Calendar.objects.prefetch_related("holidays")}
        self.most = {pk: _most(calendar) for pk, calendar in self.calendars.items()}
        of_teams = set(Team.objects.living().values_list("calendar", flat=True).distinct())
        usual = {calendar.pk for calendar in self.calendars.values() if calendar.is_default}
        self.usual = sorted((of_teams - {None}) | usual)

    def never(self, targets: dict[str, Any], calendar: int | None) -> Iterator[tuple[str, str, Calendar]]:
        """Priority, clock and calendar of each promise that would take more than ten years."""
        for pk in [calendar] if calendar else self.usual:
            for priority, row in targets.items():
                for kind in TARGETS if row.get("hours", Hours.BUSINESS) == Hours.BUSINESS else ():
                    if (row.get(kind) or 0) > self.most[pk]:
                        yield priority, kind, self.calendars[pk]


def _most(calendar: Calendar) -> float:
    """Minutes; none where no working time passes."""
    hours = hours_of(calendar)
    return worktime.longest(hours) / 60 if hours else 0


def asks_about_clocks(tree: object) -> str:
    """The name of a clock's own field that a condition asks about, "" for none."""
    if isinstance(tree, dict):
        if tree.get("field") in OWN:
            return str(tree["field"])
        return next((found for value in tree.values() if (found := asks_about_clocks(value))), "")
    if isinstance(tree, list):
        return next((found for value in tree if (found := asks_about_clocks(value))), "")
    return ""
