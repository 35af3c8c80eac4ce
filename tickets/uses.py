"""What names a team, a field, a choice, a path, a policy, a rule or a calendar among tickets and what is set up about them."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from helpdesk.accounts.models import Calendar, Team
from helpdesk.accounts.removal import Count, Tie, Use
from helpdesk.customers.models import FieldChoice, FieldDefinition
from helpdesk.lib import conditions
from tickets.columns import CUSTOM
from tickets.models import (
    LIVE,
    Clock,
    Escalation,
    EscalationPath,
    EscalationStep,
    Policy,
    Rule,
    RuleRun,
    RuleTimer,
    RuleVersion,
    SavedView,
    Ticket,
    TicketForm,
)

Subject = FieldDefinition.Subject


def uses(thing: Any) -> Iterator[Use]:
    if isinstance(thing, Rule | Calendar):  # no condition and no action can name these
        yield from _of_rule(thing) if isinstance(thing, Rule) else _of_calendar(thing)
        return
    if isinstance(thing, Team):
        yield from _of_team(thing)
    if isinstance(thing, EscalationPath):
        yield from _of_path(thing)
    if isinstance(thing, Policy):
        yield from _of_policy(thing)
    if isinstance(thing, FieldDefinition) and thing.subject == Subject.TICKET:
        yield from _of_field(thing)
    if isinstance(thing, FieldChoice) and thing.field.subject == Subject.TICKET:
        yield from _of_choice(thing)
    yield from _rules(thing)
    for policy in Policy.objects.living():
        if conditions.names(policy.conditions, "ticket", thing.ref):
            yield Use(Tie.HOLDS, _("Policy “%s”") % policy, reverse("policy", args=[policy.pk]))
    yield from _views(thing)


def _of_team(team: Team) -> Iterator[Use]:
    if (found := Count.of(Ticket.objects.filter(team=team, status__in=LIVE))).number:
        found_at = f"{reverse('inbox')}?{urlencode({'q': f'team:#{team.pk} is:open'})}"
        yield Use(Tie.HOLDS, _("Open tickets: %s") % found.shown, found_at)
    for form in TicketForm.objects.filter(team=team):
        yield Use(Tie.HOLDS, _("Form “%s”") % form, reverse("form", args=[form.pk]))
    for step in EscalationStep.objects.filter(team=team, path__archived_at=None).select_related("path"):
        yield Use(Tie.HOLDS, _("Path of escalation “%s”") % step.path, reverse("escalation-path", args=[step.path_id]))
    if (found := Count.of(Ticket.objects.filter(team=team).exclude(status__in=LIVE))).number:
        yield Use(Tie.KEEPS, _("Tickets that are solved or closed: %s. They stay in it.") % found.shown)


def _of_path(path: EscalationPath) -> Iterator[Use]:
    if (found := Count.of(Escalation.objects.filter(path=path, next_at__isnull=False))).number:
        yield Use(Tie.ENDS, _("Tickets that wait for its next step: %s. It does not come.") % found.shown)
    if (found := Count.of(Escalation.objects.filter(path=path))).number:
        yield Use(Tie.KEEPS, _("Steps that were taken: %s. They stay in the history of their tickets.") % found.shown)


def _of_policy(policy: Policy) -> Iterator[Use]:
    if policy.is_on:
        yield Use(Tie.HOLDS, _("It is on. Switch it off first: its tickets go by the next one that fits."), reverse("policies"))
    if (found := Count.of(Clock.objects.filter(policy=policy))).number:
        yield Use(Tie.KEEPS, _("Promises that it made: %s. They name it still.") % found.shown)


def _of_rule(rule: Rule) -> Iterator[Use]:
    if rule.is_enabled:
        yield Use(Tie.ENDS, _("It is on: no ticket meets it any more, and it comes back switched off."))
    if (found := Count.of(RuleTimer.objects.filter(rule=rule))).number:
        yield Use(Tie.ENDS, _("Tickets whose time is still to come: %s. It does not come.") % found.shown)
    if (found := Count.of(RuleRun.objects.filter(rule=rule))).number:
        fired = reverse("rule-met", args=[rule.pk])
        yield Use(Tie.KEEPS, _("Times that it fired: %s. What it did, and why, can still be read.") % found.shown, fired)


def _of_calendar(calendar: Calendar) -> Iterator[Use]:
    for policy in Policy.objects.filter(calendar=calendar):
        tie, words = Tie.HOLDS, _("Policy “%s”")
        if policy.archived_at:
            tie, words = Tie.ENDS, _("Policy “%s”, archived: it comes back with the hours of the ticket’s team.")
        yield Use(tie, words % policy, reverse("policy", args=[policy.pk]))


def _of_field(field: FieldDefinition) -> Iterator[Use]:
    for form in TicketForm.objects.all():
        if any(field.key in (question.key, question.when) for question in form.asked):
            yield Use(Tie.HOLDS, _("Form “%s”") % form, reverse("form", args=[form.pk]))
    if (found := Count.of(Ticket.objects.filter(attributes__has_key=field.key))).number:
        yield Use(Tie.KEEPS, _("Tickets with a value in it: %s. They keep it, unseen.") % found.shown)


def _of_choice(choice: FieldChoice) -> Iterator[Use]:
    key = choice.field.key
    for form in TicketForm.objects.all():
        if any(question.when == key and choice.text in question.values for question in form.asked):
            yield Use(Tie.HOLDS, _("Form “%s”") % form, reverse("form", args=[form.pk]))
    if (found := Count.of(Ticket.objects.filter(attributes__contains=choice.attributes))).number:
        yield Use(Tie.KEEPS, _("Tickets that have it: %s. They keep it.") % found.shown)


# --- rules ------------------------------------------------------------------------------------------------------------


def _rules(thing: Any) -> Iterator[Use]:
    """What a rule says now holds, also of one that is off; what rules said once is asked again to tell why they did something."""
    for rule in Rule.objects.filter(removed_at=None).select_related("version"):
        if rule.version and _said(rule.version, thing):
            yield Use(Tie.HOLDS, _("Rule “%s”") % rule, reverse("rule", args=[rule.pk]))
    if not isinstance(thing, FieldChoice) and any(
        _said(version, thing) for version in RuleVersion.objects.order_by("-pk").iterator(500)
    ):
        yield Use(Tie.KEEPS, _("Rules named it; what they did and why can still be read."))


def _said(version: RuleVersion, thing: Any) -> bool:
    return conditions.names(version.conditions, "ticket", thing.ref) or _does(version.actions, thing)


def _does(actions: dict[str, Any], thing: Any) -> bool:
    told = actions.get("notify", {})
    match thing:
        case Team():
            return thing.pk in (actions.get("team"), told.get("team"))
        case EscalationPath():
            return bool(actions.get("escalate", {}).get("path") == thing.pk)
        case FieldDefinition():
            set_here = thing.subject == Subject.TICKET and thing.key in actions.get("attributes", {})
            return set_here or thing.is_said_in(str(told.get("words", "")))
        case FieldChoice():
            return thing.field.subject == Subject.TICKET and thing.is_in(actions.get("attributes", {}))
    return False


# --- views ------------------------------------------------------------------------------------------------------------


def _views(thing: Any) -> Iterator[Use]:
    """A shared view holds; nobody can change what people made for themselves, which goes on to find old tickets."""
    own = 0
    for view in SavedView.objects.living().order_by("place", "pk"):
        names = conditions.names(view.conditions, "ticket", thing.ref)
        if view.owner_id is None and (names or (isinstance(thing, Team) and view.team_id == thing.pk)):
            yield Use(Tie.HOLDS, _("View “%s”") % view, reverse("view", args=[view.pk]))
        elif view.owner_id is None and _column(view, thing):
            yield Use(
                Tie.ENDS, _("The view “%s” shows it in its rows, and does so no more.") % view, reverse("view", args=[view.pk])
            )
        elif view.owner_id and (names or _column(view, thing)):
            own += 1
    if own:
        told = ngettext(
            "%(n)d view that somebody made for themselves asks for it: it finds what has it by now, and nothing new.",
            "%(n)d views that people made for themselves ask for it: they find what has it by now, and nothing new.",
            own,
        )
        yield Use(Tie.KEEPS, told % {"n": own})


def _column(view: SavedView, thing: Any) -> bool:
    return isinstance(thing, FieldDefinition) and thing.subject == Subject.TICKET and CUSTOM + thing.key in view.columns
