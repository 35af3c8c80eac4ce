"""Rules are written, ordered, switched on and off, and taken away; each wording of one is a version that nothing changes."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _later

from helpdesk.accounts import names
from helpdesk.accounts.locks import one_at_a_time
from helpdesk.accounts.models import AuditEntry, User, audit
from helpdesk.lib import conditions
from helpdesk.lib.conditions import ConditionError
from helpdesk.lib.rows import place
from tickets.models import Rule, RuleKind, RuleVersion
from tickets.models.clocks import Hours
from tickets.rules import actions, timers
from tickets.rules.meetings import HAPPENED

SAYS = ("name", "happened", "since", "minutes", "hours", "conditions", "actions")


@dataclass(frozen=True)
class Wording:
    """What a rule says, checked."""

    name: str
    conditions: dict[str, Any]
    actions: dict[str, Any]
    happened: list[str] = field(default_factory=list)
    since: str = ""
    minutes: int = 0
    hours: str = Hours.CALENDAR

    @classmethod
    def of(cls, version: RuleVersion) -> "Wording":
        said = {name: getattr(version, name) for name in SAYS}
        return cls(**said | {"conditions": version.conditions or {"all": []}})


def when(kind: str, wording: Wording | RuleVersion) -> str:
    """When it is asked at all, in words."""
    if kind == RuleKind.TIME:
        since = timers.SINCE.get(wording.since)
        working = wording.hours == Hours.BUSINESS
        words = _("%(time)s of working time after %(moment)s") if working else _("%(time)s after %(moment)s")
        return words % {"time": spoken(wording.minutes, days=not working), "moment": since[0] if since else "?"}
    if kind == RuleKind.CREATE:
        return _("a ticket comes in")
    said = [str(HAPPENED.get(each, each)) for each in wording.happened]
    return conditions.either(said) if said else _("anything changes")


def spoken(minutes: int, *, days: bool = True) -> str:
    """A number of minutes in the largest units that say it whole: "2 hours"; a day of work has no length."""
    for unit, size in [("weeks", 10_080), ("days", 1440), ("hours", 60)] if days else [("hours", 60)]:
        if minutes and minutes % size == 0:
            return conditions.duration_words({unit: minutes // size})
    return conditions.duration_words({"minutes": minutes})


def asked(wording: Wording | RuleVersion) -> str:
    """Its conditions as a sentence; a tree that asks for a field which is gone says so."""
    try:
        return conditions.words(wording.conditions, "ticket")
    except ConditionError as error:
        return _("Cannot be read any more: %(error)s") % {"error": error.message}


def in_words(kind: str, wording: Wording | RuleVersion) -> dict[str, str]:
    """A rule as one reads it, for a page, for the audit log, and for what changed between two of its versions."""
    said = (wording.name, when(kind, wording), asked(wording), actions.words(wording.actions) or _("do nothing"))
    return dict(zip(parts(), said, strict=True))


def parts() -> tuple[str, ...]:
    """What a rule consists of, as one reads it."""
    return _("name"), _("when"), _("if"), _("then")


@transaction.atomic
def save(rule: Rule, wording: Wording, *, by: User) -> Rule:
    """Keep a new rule, switched off, at the end of its list; or the next version of one. The same wording changes nothing.

    Raises IntegrityError for a name that its list has already.
    """
    if rule.pk is None:
        one_at_a_time(f"rules:{rule.kind}")
        rule.position = Rule.last_place(rule.kind) + 1
    else:  # as it is by now: whoever switches it on or off, moves or writes it beside this is not undone
        rule.refresh_from_db(from_queryset=Rule.objects.select_for_update(of=("self",)).select_related("version"))
    known = rule.version
    if known and Wording.of(known) == wording:
        return rule
    rule.name = wording.name
    rule.save()
    number = (known.number if known else 0) + 1
    version = RuleVersion.objects.create(rule=rule, number=number, by=by, **{name: getattr(wording, name) for name in SAYS})
    rule.version = version
    rule.save(update_fields=["version"])
    before = in_words(rule.kind, known) if known else None
    audit(
        "rule.changed" if known else "rule.added",
        actor=by.ref,
        subject=rule.ref,
        before=before,
        after=in_words(rule.kind, version),
    )
    timers.begin(rule)
    return rule


@transaction.atomic
def switch(rule: Rule, on: bool, *, by: User) -> bool:
    """On or off; False when it is so already."""
    rule = Rule.objects.select_for_update().get(pk=rule.pk)
    if rule.is_enabled == on or rule.removed_at:
        return False
    rule.is_enabled = on
    rule.save(update_fields=["is_enabled"])
    audit("rule.switched_on" if on else "rule.switched_off", actor=by.ref, subject=rule.ref)
    timers.begin(Rule.objects.select_related("version").get(pk=rule.pk))
    return True


@transaction.atomic
def move(rule: Rule, to: int, *, by: User) -> bool:
    """To this place of its list, counted from 1; False when it is there already."""
    one_at_a_time(f"rules:{rule.kind}")
    found = place(Rule.objects.filter(kind=rule.kind, removed_at=None).order_by("position", "id"), rule, to, "position")
    if found is None:
        return False
    audit("rule.moved", actor=by.ref, subject=rule.ref, before={"place": found[0]}, after={"place": found[1]})
    return True


@dataclass(frozen=True)
class Entry:
    """One line of a rule's history: who did what, and what its words were before and after."""

    at: datetime
    who: str
    done: str
    lines: list[tuple[str, str, str]]


DONE = {
    "rule.added": _later("wrote it"),
    "rule.changed": _later("changed it"),
    "rule.switched_on": _later("switched it on"),
    "rule.switched_off": _later("switched it off"),
    "rule.moved": _later("moved it"),
    "rule.archived": _later("archived it"),
    "rule.restored": _later("brought it back"),
    "rule.removed": _later("archived it"),  # as it was called once
    "rule.brought_back": _later("brought it back"),
}


def history(rule: Rule, most: int = 50) -> list[Entry]:
    """Who changed what, newest first, by the audit log."""
    rows = list(AuditEntry.objects.filter(subject=rule.ref).order_by("-id")[:most])
    who = names.names_of(row.actor for row in rows)
    return [Entry(row.at, who.get(row.actor, ""), str(DONE.get(row.action, row.action)), list(_lines(row))) for row in rows]


def _lines(row: AuditEntry) -> Iterable[tuple[str, str, str]]:
    before, after = row.before or {}, row.after or {}
    order = parts()
    for name, words in sorted(after.items(), key=lambda pair: order.index(pair[0]) if pair[0] in order else len(order)):
        if before.get(name) != words:
            yield name, str(before.get(name, "")), str(words)
