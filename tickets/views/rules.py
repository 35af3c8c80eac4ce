"""Pages of rules: the three lists in their order, one rule with its history and its trial, and why: of a rule, of a ticket."""

from typing import Any

from django.contrib import messages
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.http import Http404, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from helpdesk.accounts import removal
from helpdesk.accounts.access import EVERYONE, MANAGERS, StaffRequest, staff
from helpdesk.accounts.conditions_form import ConditionsForm
from helpdesk.accounts.seen import Seen, audited, compared, turn
from helpdesk.lib import conditions
from helpdesk.lib.ids import row_id
from tickets.access import ticket_for, tickets_for
from tickets.models import Rule, RuleKind, RuleMeeting
from tickets.rule_forms import ImportForm, RuleForm
from tickets.rules import actions, judge, keeping, portable, timers, trial, why
from tickets.rules.faults import Faults
from tickets.rules.keeping import Wording

FORM = ["GET", "HEAD", "POST"]
NEWEST = 12  # changes of one page
FAILED = 5  # tickets, and rules of a file, that are named


@require_safe
@staff(*MANAGERS)
def rule_list(request: StaffRequest) -> HttpResponse:
    """All three lists, each in the order in which its rules are asked."""
    rules = list(Rule.objects.filter(removed_at=None).select_related("version").order_by("position", "id"))
    faults = Faults()
    with conditions.once(), actions.naming():
        lists = [
            {"kind": kind, "label": label, "rows": _numbered([rule for rule in rules if rule.kind == kind], faults)}
            for kind, label in RuleKind.choices
        ]
    archived = Rule.objects.exclude(removed_at=None).order_by("-removed_at")[:20]
    numbers = _failed(request).order_by("-ticket__number").values_list("ticket__number", flat=True).distinct()
    stuck = list(numbers[: FAILED + 1])
    context = {"lists": lists, "any": rules, "archived": archived, "failed": stuck[:FAILED], "more": len(stuck) > FAILED}
    return render(request, "tickets/rule_list.html", context)


def _failed(request: StaffRequest) -> QuerySet[RuleMeeting]:
    """The changes of this reader's tickets that could not be judged."""
    return judge.failed().filter(ticket__in=tickets_for(request.user))


@require_POST
@staff(*MANAGERS)
def judge_again(request: StaffRequest) -> HttpResponse:
    """Changes that could not be judged meet the rules once more; pressed twice, it is done once."""
    if number := judge.judge_again(_failed(request), by=request.user):
        said = ngettext("%d change meets the rules again.", "%d changes meet the rules again.", number)
        messages.success(request, said % number)
    return redirect("rules")


def _numbered(rules: list[Rule], faults: Faults) -> list[dict[str, Any]]:
    """Each rule of a list as one reads it, with its place; ``up`` and ``down`` are the places beside it."""
    return [
        {"rule": rule, "place": place, "up": place - 1, "down": place + 1 if place < len(rules) else 0} | _said(rule, faults)
        for place, rule in enumerate(rules, 1)
    ]


def _said(rule: Rule, faults: Faults) -> dict[str, Any]:
    version = rule.version
    if version is None:
        return {}
    return {
        "when": keeping.when(rule.kind, version),
        "asks": keeping.asked(version),
        "does": actions.words(version.actions),
        "faults": faults.of(rule.kind, version),
    }


@require_http_methods(FORM)
@staff(*MANAGERS)
def rule(request: StaffRequest, pk: int | None = None) -> HttpResponse:
    """Write a rule. Every button but Save only redraws the page; "Try it" asks what is typed of the last thousand tickets."""
    with turn(request, f"rule:{pk}"), conditions.once(), actions.naming():
        return _rule(request, pk)


def _rule(request: StaffRequest, pk: int | None) -> HttpResponse:
    found = get_object_or_404(Rule.objects.select_related("version"), pk=pk) if pk else Rule(kind=_kind(request))
    stored = Wording.of(found.version) if found.version else None
    data = request.POST if request.method == "POST" else None
    action = data.get("action", "") if data is not None else ""
    form = RuleForm(data, kind=found.kind, wording=stored)
    asked = ConditionsForm(
        data,
        stored=stored.conditions if stored else {"all": []},
        subject="ticket",
        change=found.kind == RuleKind.UPDATE,
        rows=tickets_for(request.user).filter,
        legend=_("Tickets for which"),
    )
    if (partial := asked.partial(request)) is not None:
        return partial
    wrong = action in ("save", "try") and not all([form.is_valid(), asked.is_valid()])
    kept = {name: getattr(stored, name) for name in keeping.SAYS} if stored else {}
    known = Seen(request, kept, [*compared(form), *asked.compared(_("If"))], audited(f"rule:{pk}"), action == "save")
    tried = None
    if action == "save" and found.removed_at:
        form.add_error(
            None, _("This rule was archived meanwhile. Bring it back first, in the list of rules; what you typed stays here.")
        )
        wrong = True
    if action == "save" and not wrong and not known.newer:
        try:
            with transaction.atomic():
                saved = keeping.save(found, form.wording(asked.tree or {}), by=request.user)
        except IntegrityError:
            form.add_error("name", _("There is a rule of this name in this list already."))
            wrong, found = True, Rule.objects.get(pk=pk) if pk else Rule(kind=found.kind)
        else:
            messages.success(request, _("Saved"))
            return redirect("rule", saved.pk)
    elif action == "try" and not wrong:
        tried = trial.tried(found.kind, form.wording(asked.tree or {}), tickets_for(request.user))
    elif data is not None and action not in ("save", "try"):
        asked.press(action, form)
    elif stored and data is None and request.GET.get("try"):
        tried = trial.tried(found.kind, stored, tickets_for(request.user))
    context = {"form": form, "conditions": asked, "seen": known, "rule": found if pk else None, "kind": found.kind}
    context |= {"label": RuleKind(found.kind).label, "trial": tried, "fired": None}
    if pk and found.version:
        context |= {"said": _said(found, Faults()), "history": keeping.history(found), "fired": why.fired_lately(found)}
    return render(request, "tickets/rule_form.html", context, status=known.status(wrong))


def _kind(request: StaffRequest) -> str:
    kind = request.GET.get("list", RuleKind.CREATE)
    if kind not in RuleKind.values:
        raise Http404
    return kind


@require_POST
@staff(*MANAGERS)
def switch(request: StaffRequest, pk: int) -> HttpResponse:
    """On or off, whichever the button says."""
    found, on = get_object_or_404(Rule.objects.select_related("version"), pk=pk), request.POST.get("on") == "1"
    if keeping.switch(found, on, by=request.user):
        for fault in Faults().of(found.kind, found.version) if on and found.version else ():
            messages.warning(request, fault)
        messages.success(request, _("“%s” is on.") % found if on else _("“%s” is off.") % found)
    return redirect("rule", pk) if request.POST.get("back") else redirect("rules")


@require_POST
@staff(*MANAGERS)
def move(request: StaffRequest, pk: int) -> HttpResponse:
    """To the place that the button names, so that a second click changes nothing."""
    place = row_id(request.POST.get("to", ""))
    if place is not None:
        keeping.move(get_object_or_404(Rule, pk=pk), min(place, 1_000_000), by=request.user)
    return redirect("rules")


@require_http_methods(FORM)
@staff(*MANAGERS)
def remove(request: StaffRequest, pk: int) -> HttpResponse:
    return removal.ask(request, Rule.objects.all(), pk, home="rules", page="rule")


@require_POST
@staff(*MANAGERS)
def restore(request: StaffRequest, pk: int) -> HttpResponse:
    return removal.bring_back(request, Rule.objects.all(), pk, page="rule")


@require_safe
@staff(*MANAGERS)
def export(request: StaffRequest) -> HttpResponse:
    """All rules as a file."""
    with conditions.once():
        answer = JsonResponse(portable.exported(), json_dumps_params={"indent": 2, "ensure_ascii": False})
    answer["Content-Disposition"] = 'attachment; filename="rules.json"'
    return answer


@require_http_methods(FORM)
@staff(*MANAGERS)
def take_in(request: StaffRequest) -> HttpResponse:
    """Bring rules: all of a file, or none and every reason beside it, or those that can be read if one says so."""
    form = ImportForm(request.POST.dict(), request.FILES) if request.method == "POST" else ImportForm()
    if form.is_bound and form.is_valid():
        try:
            with conditions.once():
                taken = portable.take_in(by=request.user, **form.said())
        except portable.Live as error:
            form.add_error("live", str(error))
        except portable.Unreadable as error:
            form.add_error("source", [str(each) for each in error.args])
        else:
            number = len(taken.changed)
            said = ngettext("%d rule is new or says something else.", "%d rules are new or say something else.", number)
            messages.success(request, said % number)
            if taken.left_out:
                more = len(taken.left_out) - FAILED
                left = [*taken.left_out[:FAILED], *([_("And %d more.") % more] if more > 0 else [])]
                messages.warning(request, _("Left out: %s") % " ".join(left))
            return redirect("rules")
    return render(request, "tickets/rule_import.html", {"form": form}, status=422 if form.errors else 200)


@require_safe
@staff(*MANAGERS)
def rule_met(request: StaffRequest, pk: int) -> HttpResponse:
    """For which tickets a rule fired lately, and for which it was asked and did not, each with the reason."""
    found = get_object_or_404(Rule.objects.select_related("version"), pk=pk)
    asked = request.GET.get("ticket", "").strip().lstrip("#")
    with conditions.once(), actions.naming():
        fired = why.explained(why.of_rule(found, request.user), found)
        context: dict[str, Any] = {"rule": found, "fired": fired, "asked": asked}
        if asked:
            number = row_id(asked)
            ticket = tickets_for(request.user).filter(number=number).first() if number is not None else None
            met = why.of_ticket(ticket)[:NEWEST] if ticket else []
            context |= {"ticket": ticket, "met": [each for each in why.explained(met, found) if each.verdicts]}
            if ticket and found.is_enabled and found.kind == RuleKind.TIME:
                context["standing"], context["standing_at"] = timers.standing(found, ticket)
        return render(request, "tickets/rule_met.html", context)


@require_safe
@staff(*EVERYONE)
def ticket_rules(request: StaffRequest, number: int) -> HttpResponse:
    """Which rules a ticket met, change by change: those that fired, and of one change also why the others did not."""
    ticket = ticket_for(request.user, number)
    rows = list(why.of_ticket(ticket)[:NEWEST])
    chosen = next((row for row in rows if str(row.pk) == request.GET.get("change")), None)
    with conditions.once(), actions.naming():
        met = why.explained(rows)
        context = {"ticket": ticket, "met": met, "chosen": chosen, "most": NEWEST, "failed": RuleMeeting.State.FAILED}
        return render(request, "tickets/ticket_rules.html", context)
