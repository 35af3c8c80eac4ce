"""Pages of what we promise about time: the list of policies, one policy, what falls due, and how far a recount is."""

from typing import Any

from django.contrib import messages
from django.db import IntegrityError, transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from helpdesk.accounts.access import MANAGERS, StaffRequest, staff
from helpdesk.accounts.conditions_form import ConditionsForm
from helpdesk.accounts.seen import Seen, audited, compared, stored, turn
from helpdesk.lib.ids import row_id
from tickets.access import tickets_for
from tickets.clocks import order, recounts
from tickets.clocks.forecast import forecast
from tickets.models import LIVE, Policy
from tickets.policy_forms import PolicyForm, targets_in_words, words


@require_safe
@staff(*MANAGERS)
def policy_list(request: StaffRequest) -> HttpResponse:
    rows: list[dict[str, Any]] = []
    takes_all = None  # the policy above that leaves nothing to those below
    for policy in Policy.objects.select_related("calendar"):
        usual = policy.targets.get("normal") or next(iter(policy.targets.values()), None)
        rows.append(
            {
                "policy": policy,
                "words": words(policy),
                "targets": targets_in_words(usual) if usual else "",
                "hidden_by": takes_all if policy.is_on else None,
                "place": len(rows) + 1,
            }
        )
        if policy.is_on and takes_all is None and policy.conditions in ({}, {"all": []}):
            takes_all = policy
    context = {"rows": rows, "recount": recounts.progress()}
    return render(request, "tickets/policy_list.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@staff(*MANAGERS)
def policy(request: StaffRequest, pk: int | None = None) -> HttpResponse:
    """Write a policy. Every button but Save only redraws it."""
    with turn(request, f"policy:{pk}"):
        return _policy(request, pk)


def _policy(request: StaffRequest, pk: int | None) -> HttpResponse:
    found = get_object_or_404(Policy, pk=pk) if pk else Policy(name="", position=1)
    data = request.POST if request.method == "POST" else None
    action = data.get("action", "") if data is not None else ""
    live = tickets_for(request.user).filter(status__in=LIVE)
    asked = ConditionsForm(data, stored=found.conditions or {"all": []}, subject="ticket", rows=live.filter)
    if (partial := asked.partial(request)) is not None:
        return partial
    form = PolicyForm(data, instance=found)
    wrong = action == "save" and not all([form.is_valid(), asked.is_valid(), not form.refuse(asked)])
    stored_now = {**stored(form), "conditions": Policy.objects.get(pk=pk).conditions if pk else None}
    lines = [*compared(form), *asked.compared(_("For which tickets"))]
    known = Seen(request, stored_now, lines, audited(f"policy:{pk}"), action == "save")
    if action == "save" and not wrong and not known.newer:
        form.tree = asked.tree or {"all": []}
        try:
            with transaction.atomic():
                kept = form.keep(by=request.user)
        except IntegrityError:
            form.add_error("name", _("There is a policy of this name already."))
            wrong = True
        else:
            messages.success(request, _("Saved. Open tickets are counted anew."))
            return redirect("policy", kept.pk)
    elif data is not None and action != "save":
        asked.press(action, form)
    shown = Policy.objects.get(pk=pk) if pk else None
    context = {"form": form, "conditions": asked, "policy": shown, "seen": known, "recount": recounts.progress()}
    return render(request, "tickets/policy_form.html", context, status=known.status(wrong))


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
    order.switch(get_object_or_404(Policy, pk=pk), request.POST.get("on") == "1", by=request.user)
    return redirect("policies")


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
