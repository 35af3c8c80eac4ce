"""Pages of what we promise about time: the list of policies, one policy, what falls due, and how far a recount is."""

from typing import Any

from django.contrib import messages
from django.db import IntegrityError, transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from helpdesk.accounts import removal
from helpdesk.accounts.access import MANAGERS, StaffRequest, staff
from helpdesk.accounts.conditions_form import ConditionsForm
from helpdesk.accounts.seen import Seen, audited, compared, stored, turn
from helpdesk.lib import conditions
from helpdesk.lib.ids import row_id
from tickets.access import tickets_for
from tickets.clocks import order, recounts, trial
from tickets.clocks.forecast import forecast
from tickets.clocks.policies import OWN, Lasting
from tickets.models import LIVE, Policy
from tickets.policy_forms import PolicyForm, targets_in_words, words


@require_safe
@staff(*MANAGERS)
def policy_list(request: StaffRequest) -> HttpResponse:
    with conditions.once():
        context = {"rows": _rows(), "recount": recounts.progress()}
        archived = Policy.objects.archived().order_by("-archived_at")
        return render(request, "tickets/policy_list.html", context | {"archived": archived})


def _rows() -> list[dict[str, Any]]:
    """Each policy as one reads it, with what is wrong with it."""
    rows: list[dict[str, Any]] = []
    takes_all, lasting = None, Lasting()
    for policy in Policy.objects.living().select_related("calendar"):
        rows.append(
            {
                "policy": policy,
                "words": words(policy),
                "fault": conditions.fault(policy.conditions, "ticket"),
                "targets": targets_in_words(policy),
                "hidden_by": takes_all if policy.is_on else None,
                "too_short": next((calendar for _p, _k, calendar in lasting.never(policy.targets, policy.calendar_id)), None),
                "place": len(rows) + 1,
            }
        )
        takes_all = takes_all or (policy if policy.is_on and policy.takes_all else None)
    return rows


@require_http_methods(["GET", "HEAD", "POST"])
@staff(*MANAGERS)
def policy(request: StaffRequest, pk: int | None = None) -> HttpResponse:
    """Write a policy. Every button but Save only redraws it; "Try it" asks what is typed of the open tickets.

    Saving one that is on asks the same first, where it would change what open tickets are promised.
    """
    with turn(request, f"policy:{pk}"):
        return _policy(request, pk)


def _policy(request: StaffRequest, pk: int | None) -> HttpResponse:
    found = get_object_or_404(Policy, pk=pk) if pk else Policy(name="", position=1)
    data = request.POST if request.method == "POST" else None
    action = data.get("action", "save" if "sure" in data else "") if data is not None else ""
    live = tickets_for(request.user).filter(status__in=LIVE)
    asked = ConditionsForm(data, stored=found.conditions or {"all": []}, subject="ticket", rows=live.filter, without=OWN)
    if (partial := asked.partial(request)) is not None:
        return partial
    form = PolicyForm(data, instance=found)
    wrong = action in ("save", "try") and not all([form.is_valid(), asked.is_valid(), not form.refuse(asked)])
    stored_now = {**stored(form), "conditions": Policy.objects.get(pk=pk).conditions if pk else None}
    lines = [*compared(form), *asked.compared(_("For which tickets"))]
    known = Seen(request, stored_now, lines, audited(f"policy:{pk}"), action == "save")
    tried, asks = None, False
    if action in ("save", "try") and not wrong and not known.newer:
        found.conditions = form.tree = asked.tree or {"all": []}
        if action == "try" or (form.promises_otherwise and request.POST.get("sure") != form.mark):
            tried = trial.tried(found, tickets_for(request.user))
            asks = action == "save" and tried.touches
    if action == "save" and not wrong and not known.newer and not asks:
        try:
            with transaction.atomic():
                kept = form.keep(by=request.user)
        except IntegrityError:
            form.add_error("name", _("There is a policy of this name already."))
            wrong = True
        else:
            if not pk:
                messages.success(request, _("Added, switched off. See below what it would mean."))
            else:
                messages.success(request, _("Saved. Open tickets are counted anew.") if kept.is_on else _("Saved"))
            return redirect("policy", kept.pk)
    elif data is not None and action not in ("save", "try"):
        asked.press(action, form)
    shown = Policy.objects.get(pk=pk) if pk else None
    if shown and data is None and not shown.is_on and not shown.archived_at:
        tried = trial.tried(shown, tickets_for(request.user))
    context: dict[str, Any] = {"form": form, "conditions": asked, "policy": shown, "seen": known, "trial": tried, "asks": asks}
    context["recount"] = recounts.progress()
    return render(request, "tickets/policy_form.html", context, status=409 if asks else known.status(wrong))


@require_POST
@staff(*MANAGERS)
def policy_move(request: StaffRequest, pk: int) -> HttpResponse:
    found, place = get_object_or_404(Policy, pk=pk), row_id(request.POST.get("to", ""))
    if place:
        order.move(found, place, by=request.user)
    return redirect("policies")


@require_POST
@staff(*MANAGERS)
def policy_switch(request: StaffRequest, pk: int) -> HttpResponse:
    found, on = get_object_or_404(Policy, pk=pk), request.POST.get("on") == "1"
    if order.switch(found, on, by=request.user):
        messages.success(request, _("“%s” is on. Open tickets are counted anew.") % found if on else _("“%s” is off.") % found)
    return redirect("policies")


@require_http_methods(["GET", "HEAD", "POST"])
@staff(*MANAGERS)
def policy_remove(request: StaffRequest, pk: int) -> HttpResponse:
    return removal.ask(request, Policy.objects.all(), pk, home="policies", page="policy")


@require_POST
@staff(*MANAGERS)
def policy_restore(request: StaffRequest, pk: int) -> HttpResponse:
    return removal.bring_back(request, Policy.objects.all(), pk, page="policy")


@require_safe
@staff(*MANAGERS)
def recount(request: StaffRequest) -> HttpResponse:
    """How far the recount is, for a page that is open already; nothing when all is counted."""
    return render(request, "tickets/_recount.html", {"recount": recounts.progress()})


@require_safe
@staff(*MANAGERS)
def due(request: StaffRequest) -> HttpResponse:
    """What falls due in the next hours and days."""
    found = forecast(request.user, timezone.get_current_timezone())
    context = {"forecast": found, "policies": Policy.objects.filter(is_on=True).exists(), "recount": recounts.progress()}
    return render(request, "tickets/due.html", context)
