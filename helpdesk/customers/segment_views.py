"""Pages of segments: who is meant, in words, how many that is, and why somebody is in or not."""

import json
from typing import Any

from django.contrib import messages
from django.db import IntegrityError
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from helpdesk.accounts.access import MANAGERS, StaffRequest, staff
from helpdesk.customers import access, segments
from helpdesk.customers.forms import SegmentForm
from helpdesk.customers.models import Customer, Segment
from helpdesk.lib import conditions

FORM = ["GET", "HEAD", "POST"]
ASKED = 5  # people who are looked at when somebody asks why


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


@require_http_methods(FORM)
@staff(*MANAGERS)
def segment(request: StaffRequest, pk: int | None = None) -> HttpResponse:
    """Write a segment; the same page says whom it means now."""
    found = get_object_or_404(Segment, pk=pk) if pk else Segment()
    shown = {"name": found.name, "conditions": json.dumps(found.conditions or {"all": []}, indent=2, ensure_ascii=False)}
    form = SegmentForm(request.POST or None, initial=shown)
    if request.method == "POST" and form.is_valid():
        try:
            kept = segments.save(found, form.cleaned_data["name"], form.cleaned_data["conditions"], by=request.user)
        except IntegrityError:
            form.add_error("name", _("There is a segment of this name already."))
        else:
            messages.success(request, _("Saved"))
            return redirect("segment", kept.pk)
    context = {"form": form, "segment": Segment.objects.get(pk=pk) if pk else None, "fields": conditions.fields("customer")}
    if not form.is_bound:
        context |= _meant(found.conditions or {"all": []})
        context |= _asked(request, found.conditions) if pk else {}
    return render(request, "customers/segment_form.html", context, status=422 if form.errors else 200)


@require_POST
@staff(*MANAGERS)
def meant(request: StaffRequest) -> HttpResponse:
    """Whom these conditions mean, before they are saved; writes nothing."""
    form = SegmentForm(request.POST)
    form.fields["name"].required = False
    context = _meant(form.cleaned_data["conditions"]) if form.is_valid() else {"fault": form.errors.get("conditions", [""])[0]}
    return render(request, "customers/_meant.html", context)


def _meant(tree: Any) -> dict[str, Any]:
    try:
        return {"words": conditions.words(tree, "customer"), "size": segments.size(tree), "faces": segments.faces(tree)}
    except conditions.ConditionError as error:
        return {"fault": error.message}


def _asked(request: StaffRequest, tree: Any) -> dict[str, Any]:
    """Why people whom the reader names are in it or not."""
    text = request.GET.get("who", "").strip()
    if not text:
        return {}
    people = Customer.objects.filter(pk__in=access.found(text)[:ASKED]).select_related("company").prefetch_related("addresses")
    try:
        return {"who": text, "reasons": [(person, segments.why(tree, person)) for person in people]}
    except conditions.ConditionError:
        return {"who": text}
