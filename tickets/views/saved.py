"""Pages of views: all that a person has, one written or changed, away and back, and what the rail shows of them."""

from dataclasses import replace
from typing import Any

from django.contrib import messages
from django.db import IntegrityError
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from helpdesk.accounts.access import AGENTS, EVERYONE, MANAGERS, staff
from helpdesk.accounts.models import User
from helpdesk.accounts.seen import Seen, audited, compared, stored, turn
from helpdesk.lib import conditions
from tickets import queues, saved_views
from tickets.access import StaffRequest
from tickets.models import SavedView
from tickets.queues import View
from tickets.view_forms import Covers, TicketConditions, ViewForm, contradiction


@staff(*EVERYONE)
@require_safe
def views(request: StaffRequest) -> HttpResponse:
    """Every view that this person has: hidden or not, in which place, and which of them they may change."""
    seen = queues.views_of(request)
    manager = request.user.has_role(*MANAGERS)
    shared = [view for view in seen.values() if view.saved and view.saved.owner_id is None]
    if manager:  # also those of teams they are not in
        shared = [
            seen.get(each.slug) or replace(queues.of_saved(each), elsewhere=True)
            for each in SavedView.objects.shared().select_related("team").order_by("place", "pk")
        ]
    with conditions.once():
        groups = {
            "own": _rows([view for view in seen.values() if view.saved and view.saved.owner_id], True, request.user),
            "shared": _rows(shared, manager, request.user),
            "built_in": _rows([view for view in seen.values() if view.saved is None], False, request.user),
        }
    return render(request, "tickets/view_list.html", {"groups": groups, "may_add": request.user.has_role(*AGENTS)})


def _rows(views: list[View], may_edit: bool, reader: User) -> list[dict[str, Any]]:
    return [
        {
            "view": view,
            "may_edit": may_edit,
            "up": place - 1,
            "down": place + 1,
            "fault": (wrong := queues.fault(view, reader)),
            "words": wrong or (conditions.words(view.saved.conditions, "ticket") if view.saved else ""),
        }
        for place, view in enumerate(views)
    ]


@staff(*AGENTS)
@require_http_methods(["GET", "HEAD", "POST"])
def view(request: StaffRequest, pk: int | None = None) -> HttpResponse:
    """Write a view; the same page says what is in it now. Every button but Save only redraws it."""
    with turn(request, f"view:{pk or request.user.ref}"):
        return _view(request, pk)


def _view(request: StaffRequest, pk: int | None) -> HttpResponse:
    found = get_object_or_404(saved_views.editable(request.user), pk=pk, removed_at=None) if pk else SavedView()
    data = request.POST if request.method == "POST" else None
    action = data.get("action", "") if data is not None else ""
    before = found.conditions
    form = ViewForm(data, instance=found, user=request.user)
    covers = str(form["covers"].value())
    asked = TicketConditions(data, stored=before, reader=request.user, covers=covers if covers in Covers else Covers.LIVE)
    if (partial := asked.partial(request)) is not None:
        return partial
    wrong = action == "save" and not all([form.is_valid(), asked.is_valid()])
    if action == "save" and not wrong and (fault := contradiction(asked.tree, covers)):
        form.add_error("covers", fault)
        wrong = True
    known = Seen(request, [stored(form), before], [*compared(form), *asked.compared()], audited(f"view:{pk}"), action == "save")
    if action == "save":
        if not wrong and not known.newer:
            form.instance.conditions = asked.tree
            try:
                kept = form.keep(by=request.user)
            except IntegrityError:  # of two clicks the second
                form.add_error("name", _("There is a view of this name already."))
                wrong = True
            else:
                messages.success(request, _("Saved"))
                return redirect("inbox-view", kept.slug)
    elif data is not None:
        asked.press(action, form)
    context = {"form": form, "conditions": asked, "saved": SavedView.objects.get(pk=pk) if pk else None, "seen": known}
    return render(request, "tickets/view_form.html", context, status=known.status(wrong))


@staff(*AGENTS)
@require_POST
def remove(request: StaffRequest, pk: int) -> HttpResponse:
    """Away, with the way back in the word that says so."""
    found = get_object_or_404(saved_views.editable(request.user), pk=pk)
    if saved_views.remove(found, by=request.user):
        undo = format_html(
            '<button class="link" form="undo" formaction="{}" data-key="z">{}</button>',
            reverse("view-restore", args=[found.pk]),
            _("Undo"),
        )
        messages.success(request, format_html("{} {}", _("“%s” is removed.") % found, undo))
    return redirect("views")


@staff(*AGENTS)
@require_POST
def restore(request: StaffRequest, pk: int) -> HttpResponse:
    found = get_object_or_404(saved_views.editable(request.user), pk=pk)
    if saved_views.restore(found, by=request.user):
        messages.success(request, _("“%s” is back.") % found)
    elif SavedView.objects.get(pk=pk).removed_at is not None:
        messages.error(request, _("Another view is called “%s” by now. Rename that one first.") % found)
    return redirect("views")


@staff(*AGENTS)
@require_POST
def place(request: StaffRequest, pk: int) -> HttpResponse:
    """Up or down in the rail: the form says which place it then has."""
    found = get_object_or_404(saved_views.editable(request.user), pk=pk, removed_at=None)
    wanted = request.POST.get("place", "")
    if not (wanted.isascii() and wanted.isdigit() and len(wanted) < 6):
        raise Http404
    saved_views.place_at(found, int(wanted) + 1, by=request.user)  # the page counts from 0
    return redirect("views")


@staff(*EVERYONE)
@require_POST
def in_rail(request: StaffRequest, slug: str) -> HttpResponse:
    """Show a view in one's own rail (``show=1``), or hide it."""
    if slug not in queues.views_of(request):
        raise Http404
    saved_views.show_in_rail(request.user, slug, request.POST.get("show") == "1")
    return redirect("views")
