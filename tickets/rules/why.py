"""Why a rule fired for a change of a ticket, or did not: the version that was met is asked again, of the facts as they were."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from helpdesk.accounts import names
from helpdesk.accounts.models import User
from helpdesk.lib import conditions
from helpdesk.lib.conditions import Asked, ConditionError, Reason
from helpdesk.lib.dates import now
from tickets.access import tickets_for
from tickets.models import Rule, RuleMeeting, RuleRun, RuleVersion, Ticket
from tickets.rules.judge import before
from tickets.rules.meetings import HAPPENED

SHOWN = 30


@dataclass(frozen=True)
class Verdict:
    """One version of a rule and one change: what it said, each condition with what the field was, and what came of it."""

    version: RuleVersion
    meeting: RuleMeeting
    facts: dict[str, Any]
    run: RuleRun | None

    @property
    def fired(self) -> bool:
        return self.run is not None

    @cached_property
    def reason(self) -> Reason:
        """Asked again by whoever looks: most of the rules that a change met are counted and no more."""
        return reason(self.version, self.meeting, self.facts)

    @property
    def because(self) -> list[Reason]:
        """What decided: of a rule that did not fire, the conditions that kept it from it."""
        return [] if self.fired else list(_against(self.reason))


@dataclass(frozen=True)
class Met:
    """A change, in words, and what each rule made of it, in the order in which they were asked."""

    meeting: RuleMeeting
    what: str
    who: str
    verdicts: list[Verdict]

    @property
    def fired(self) -> list[Verdict]:
        return [each for each in self.verdicts if each.fired]

    @property
    def silent(self) -> list[Verdict]:
        return [each for each in self.verdicts if not each.fired]


def of_ticket(ticket: Ticket) -> QuerySet[RuleMeeting]:
    """The changes of a ticket that met rules, newest first."""
    return RuleMeeting.objects.filter(ticket=ticket).order_by("-id")


def of_rule(rule: Rule, reader: User) -> QuerySet[RuleMeeting]:
    """The newest changes for which a rule fired, of tickets that this reader may see."""
    fired = RuleRun.objects.filter(rule=rule, ticket__in=tickets_for(reader)).order_by("-id").values("meeting")[:SHOWN]
    return RuleMeeting.objects.filter(pk__in=fired).select_related("ticket").order_by("-id")


def fired_lately(rule: Rule) -> int:
    """For how many changes of the last seven days it fired."""
    return RuleRun.objects.filter(rule=rule, at__gt=now() - timedelta(days=7)).count()


def explained(meetings: Iterable[RuleMeeting], only: Rule | None = None) -> list[Met]:
    """Ask again; of one rule if ``only`` is given. Four queries for all of them, and what the words name."""
    rows = list(meetings)
    ids = {pk for row in rows for pk in row.versions}
    found = RuleVersion.objects.filter(pk__in=ids) if only is None else RuleVersion.objects.filter(pk__in=ids, rule=only)
    versions = found.select_related("rule").in_bulk()
    runs = {(run.meeting_id, run.version_id): run for run in RuleRun.objects.filter(meeting__in=rows)}
    who = names.names_of(row.actor for row in rows)
    made = {rule.ref: _("Rule “%s”") % rule for rule in Rule.objects.filter(pk__in=[row.began for row in rows if row.began])}
    told = []
    for row in rows:
        said = who.get(row.actor) or made.get(row.actor) or (_("the customer") if row.actor.startswith("customer:") else "")
        told.append(Met(row, what(row), said, list(_verdicts(row, versions, runs))))
    return told


def what(meeting: RuleMeeting) -> str:
    """The change in words: what happened, and from what to what."""
    if meeting.since:
        return _("the time of a rule came")
    if meeting.kind == "create":
        return _("it came in")
    pairs = ((found, pair) for name, pair in meeting.changes.items() if (found := conditions.find("ticket", name)))
    said = [f"{field.label}: {_show(pair[0], field)} → {_show(pair[1], field)}" for field, pair in pairs]
    plain = [str(HAPPENED[kind]) for kind in meeting.happened if kind in HAPPENED and not (said and kind in TELLS_NO_MORE)]
    return ", ".join([*plain, *said])


TELLS_NO_MORE = ("ticket.status_changed", "ticket.updated", "ticket.assigned")
_show = conditions.shown


def _verdicts(row: RuleMeeting, versions: dict[int, RuleVersion], runs: dict[tuple[int, int], RuleRun]) -> Iterable[Verdict]:
    facts: dict[str, Any] = row.facts
    for pk in row.versions:
        run = runs.get((row.pk, pk))
        if pk in versions:
            yield Verdict(versions[pk], row, facts, run)
        if run:  # what it changed is what the rules after it saw, whether or not this one is asked for
            facts = facts | run.facts


def reason(version: RuleVersion, row: RuleMeeting, facts: dict[str, Any]) -> Reason:
    """The version asked again, with what has to have happened as its first condition."""
    try:
        asked = Asked(version.conditions, "ticket")
    except ConditionError as error:
        return Reason(_("Its conditions cannot be read any more: %s") % error.message, False)
    asks = asked.reason(conditions.thawed(facts, asked), row.met_at or row.at, before(row.changes))
    if not version.happened:
        return asks
    wanted = conditions.either([str(HAPPENED.get(kind, kind)) for kind in version.happened])
    seen = ", ".join(str(HAPPENED.get(kind, kind)) for kind in row.happened)
    came = Reason(wanted, not set(version.happened).isdisjoint(row.happened), seen)
    return Reason("", came.holds and asks.holds, join="all", parts=(came, asks))


def _against(found: Reason) -> Iterable[Reason]:
    """The conditions that kept a rule from firing; of a "not", what it says that should not be."""
    if found.holds:
        return
    if found.join in ("", "not"):
        yield Reason(found.words, False, found.parts[0].was if found.parts else found.was)
        return
    for part in found.parts:
        yield from _against(part)
