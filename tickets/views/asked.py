"""Pages of web forms: all there are, one written or changed, and how customers will see it."""

from django.contrib import messages
from django.db import IntegrityError
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from helpdesk.accounts.access import MANAGERS, staff
from helpdesk.accounts.seen import Seen, audited, compared, stored, turn
from tickets.access import StaffRequest
from tickets.asking import AskingForm
from tickets.form_forms import FormForm, QuestionSet, lines, never_asked, questions, wrong_order
from tickets.models import TicketForm
from tickets.views.submit import page


@staff(*MANAGERS)
@require_safe
def form_list(request: StaffRequest) -> HttpResponse:
    rows = list(TicketForm.objects.all()[:500])
    faults = never_asked(rows)
    return render(request, "tickets/form_list.html", {"rows": [{"form": row, "faults": faults.get(row.pk, ())} for row in rows]})


@staff(*MANAGERS)
@require_http_methods(["GET", "HEAD", "POST"])
def form(request: StaffRequest, pk: int | None = None) -> HttpResponse:
    """Write a form: one line for each question; lines are added by saving, and put in order by their places."""
    with turn(request, f"form:{pk}"):
        found = get_object_or_404(TicketForm, pk=pk) if pk else TicketForm()
        data = request.POST if request.method == "POST" else None
        known_before = [found.questions]
        written, asked = FormForm(data, instance=found), QuestionSet(data, initial=lines(found), prefix="q")
        wrong = data is not None and not all([written.is_valid(), asked.is_valid()])
        wanted = questions(asked) if data is not None and not wrong else []
        if fault := wrong_order(wanted):
            written.add_error(None, fault)
            wrong = True
        known = Seen(request, [stored(written), known_before], compared(written), audited(f"form:{pk}"))
        if data is not None and not wrong and not known.newer:
            written.instance.questions = [each.to_json() for each in wanted]
            try:
                kept = written.keep(by=request.user)
            except IntegrityError:
                written.add_error("slug", _("There is a form of this name or address already."))
                wrong = True
            else:
                messages.success(request, _("Saved"))
                return redirect("form", kept.pk)
        context = {"form": written, "asked": asked, "kept": TicketForm.objects.get(pk=pk) if pk else None, "seen": known}
        return render(request, "tickets/form_form.html", context, status=known.status(wrong))


@staff(*MANAGERS)
@require_safe
def preview(request: StaffRequest, pk: int) -> HttpResponse:
    """The form as customers see it, also before it is open; it sends nothing."""
    found = get_object_or_404(TicketForm, pk=pk)
    return page(request, AskingForm(form=found), "", preview=True)
