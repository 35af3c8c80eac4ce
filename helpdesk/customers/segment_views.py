"""Pages of segments: who is meant, in words, how many that is, and why somebody is in or not."""

from typing import Any

from django.contrib import messages
from django.db import IntegrityError
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from helpdesk.accounts.access import MANAGERS, StaffRequest, staff
from helpdesk.accounts.seen import Seen, audited, compared, turn
from helpdesk.customers import segments
from helpdesk.customers.conditions_form import ConditionsForm
from helpdesk.customers.forms import SegmentForm
from helpdesk.customers.models import Segment
from helpdesk.lib import conditions


@require_safe
@staff(*MANAGERS)
def segment_list(request: StaffRequest) -> HttpResponse:
    rows = [{"segment": each, "words": _words(each.conditions)} for each in Segment.objects.select_related("created_by")[:500]]
    return render(request, "customers/segment_list.html", {"rows": rows})


def _words(tree: Any) -> str:
    """A stored tree as a sentence; one that asks for a field which is gone says so."""
    try:
        return conditions.words(tree, "customer")
    except conditions.ConditionError as error:
        return _("Cannot be read any more: %(error)s") % {"error": error.message}


@require_http_methods(["GET", "HEAD", "POST"])
@staff(*MANAGERS)
def segment(request: StaffRequest, pk: int | None = None) -> HttpResponse:
    """Write a segment; the same page says whom it means now. Every button but Save only redraws it."""
    with turn(request, f"segment:{pk}"):
        return _segment(request, pk)


def _segment(request: StaffRequest, pk: int | None) -> HttpResponse:
    found = get_object_or_404(Segment, pk=pk) if pk else Segment()
    data = request.POST if request.method == "POST" else None
    action = data.get("action", "") if data is not None else ""
    form, asked = SegmentForm(data, initial={"name": found.name}), ConditionsForm(data, stored=found.conditions)
    if (partial := asked.partial(request)) is not None:
        return partial
    wrong = action == "save" and not all([form.is_valid(), asked.is_valid()])
    stored_now = {"name": found.name, "conditions": found.conditions}
    known = Seen(request, stored_now, [*compared(form), *asked.compared()], audited(f"segment:{pk}"), action == "save")
    if action == "save":
        if not wrong and not known.newer:
            try:
                kept = segments.save(found, form.cleaned_data["name"], asked.tree, by=request.user)
            except IntegrityError:
                form.add_error("name", _("There is a segment of this name already."))
                wrong = True
            else:
                messages.success(request, _("Saved"))
                return redirect("segment", kept.pk)
    elif data is not None:
        asked.press(action, form)
    context = {"form": form, "conditions": asked, "segment": Segment.objects.get(pk=pk) if pk else None, "seen": known}
    if pk and request.method != "POST":
        context |= segments.asked(found.conditions, request.GET.get("q", ""))
    return render(request, "customers/segment_form.html", context, status=known.status(wrong))
