"""Escalating a ticket, and the paths by which it goes."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from helpdesk.accounts import removal
from helpdesk.accounts.access import EVERYONE, MANAGERS, StaffRequest, staff
from helpdesk.accounts.seen import turn
from helpdesk.customers.setup_views import set_up
from tickets import escalation
from tickets.access import StaffRequest as TicketRequest
from tickets.access import ticket_for
from tickets.models import Escalation, EscalationPath, Ticket, TicketClosed
from tickets.rule_forms import EscalateForm, PathForm
from tickets.views.desk import after

FORM = ["GET", "HEAD", "POST"]


@require_safe
@staff(*MANAGERS)
def paths(request: StaffRequest) -> HttpResponse:
    rows = EscalationPath.objects.archived_last().prefetch_related("steps__user", "steps__team", "steps__webhook")
    return render(request, "tickets/path_list.html", {"rows": rows})


@require_http_methods(FORM)
@staff(*MANAGERS)
def path(request: StaffRequest, pk: int | None = None) -> HttpResponse:
    with turn(request, f"path:{pk}"):
        found = get_object_or_404(EscalationPath, pk=pk) if pk else EscalationPath()
        title = str(found) if pk else _("Add a path")
        form = PathForm(request.POST or None, instance=found)
        taken = Escalation.objects.filter(path=found).count() if pk else 0
        context = {"title": title, "home": "escalation-paths", "new": pk is None, "taken": taken}
        return set_up(request, form, "tickets/path_form.html", "escalation-paths", context)


@require_http_methods(FORM)
@staff(*MANAGERS)
def remove(request: StaffRequest, pk: int) -> HttpResponse:
    return removal.ask(request, EscalationPath.objects.all(), pk, home="escalation-paths", page="escalation-path")


@require_POST
@staff(*MANAGERS)
def restore(request: StaffRequest, pk: int) -> HttpResponse:
    return removal.bring_back(request, EscalationPath.objects.all(), pk, page="escalation-path")


@require_http_methods(FORM)
@staff(*EVERYONE)
def escalate(request: TicketRequest, number: int) -> HttpResponse:
    """Say by which path and why; the page shows where that leads, and where the ticket has been already."""
    ticket = ticket_for(request.user, number, to="change")
    form = EscalateForm(request.POST or None, initial={"seen": ticket.escalations})
    if request.method == "POST" and form.is_valid():
        said = form.cleaned_data
        try:
            made = escalation.escalate(ticket, said["path"], said["reason"], by=request.user, seen=said["seen"])
        except (escalation.NoStep, TicketClosed) as error:
            form.add_error("path", str(error))
        else:
            if made:
                messages.success(request, _("#%(number)s went to %(to)s.") % {"number": number, "to": made.to})
            return after(request, ticket)
    context = {"ticket": ticket, "form": form, "paths": _leading(ticket), "taken": escalation.taken(ticket)}
    return render(request, "tickets/escalate.html", context, status=422 if form.errors else 200)


def _leading(ticket: Ticket) -> list[dict[str, object]]:
    """Each path with its steps, and how far this ticket has gone on it."""
    been = {row.path_id: row.step for row in Escalation.objects.filter(ticket=ticket).order_by("number")}
    found = EscalationPath.objects.filter(is_enabled=True).prefetch_related("steps__user", "steps__team", "steps__webhook")
    return [{"path": each, "steps": each.steps.all(), "been": been.get(each.pk, -1)} for each in found]
