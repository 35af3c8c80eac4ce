"""Pages of incidents: which are open and were, one of them, and that it is over."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from helpdesk.accounts.access import EVERYONE, MANAGERS, StaffRequest, staff
from helpdesk.accounts.seen import Seen, audited, compared, stored, turn
from helpdesk.customers.conditions_form import ConditionsForm
from helpdesk.customers.models import everybody
from helpdesk.incidents.forms import IncidentForm
from helpdesk.incidents.models import Incident
from helpdesk.lib import conditions

RECENT = 100  # resolved ones


@require_safe
@staff(*EVERYONE)
def incident_list(request: StaffRequest) -> HttpResponse:
    rows = Incident.objects.select_related("topic", "opened_by", "resolved_by")
    past = list(rows.filter(resolved_at__isnull=False).order_by("-resolved_at")[: RECENT + 1])
    with conditions.once():
        current = [(each, whom(each)) for each in rows.open()]
    context = {"open": current, "past": past[:RECENT], "more": len(past) > RECENT, "may_write": request.user.has_role(*MANAGERS)}
    return render(request, "incidents/incident_list.html", context)


def whom(incident: Incident) -> str:
    """Whom it affects, as a sentence."""
    try:
        asks = incident.conditions or everybody()
        return _("every customer") if asks == everybody() else conditions.words(asks, "customer")
    except conditions.ConditionError as error:
        return str(error)


@require_http_methods(["GET", "HEAD", "POST"])
@staff(*MANAGERS)
def incident(request: StaffRequest, pk: int | None = None) -> HttpResponse:
    """Open an incident, or say more of it. Every button but Save only redraws it."""
    with turn(request, f"incident:{pk}"):
        return _incident(request, pk)


def _incident(request: StaffRequest, pk: int | None) -> HttpResponse:
    found = get_object_or_404(Incident, pk=pk) if pk else Incident()
    data = request.POST if request.method == "POST" else None
    action = data.get("action", "") if data is not None else ""
    asked = ConditionsForm(data, stored=found.conditions)
    if (partial := asked.partial(request)) is not None:
        return partial
    form = IncidentForm(data, instance=found)
    wrong = action == "save" and not all([form.is_valid(), asked.is_valid(), form.narrow(asked.tree)])
    kept = Incident.objects.get(pk=pk) if pk else None
    stored_now = {**stored(form), "conditions": kept.conditions if kept else None}
    known = Seen(request, stored_now, [*compared(form), *asked.compared()], audited(f"incident:{pk}"), action == "save")
    if action == "save" and not wrong and not known.newer:
        form.instance.conditions = asked.tree or everybody()
        form.keep(by=request.user)
        messages.success(request, _("Saved") if pk else _("It is open, and a reason of urgency for tickets about it."))
        return redirect("incidents")
    if data is not None and action != "save":
        asked.press(action, form)
    context = {"form": form, "conditions": asked, "incident": kept, "seen": known}
    return render(request, "incidents/incident_form.html", context, status=known.status(wrong))


@require_POST
@staff(*MANAGERS)
def resolve(request: StaffRequest, pk: int) -> HttpResponse:
    get_object_or_404(Incident, pk=pk).resolve(by=request.user)
    return redirect("incidents")


@require_POST
@staff(*MANAGERS)
def reopen(request: StaffRequest, pk: int) -> HttpResponse:
    get_object_or_404(Incident, pk=pk).reopen(by=request.user)
    return redirect("incidents")
