"""Pages of what is set up about customers."""

from typing import Any

from django.contrib import messages
from django.db import IntegrityError, models
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from helpdesk.accounts import removal
from helpdesk.accounts.access import ADMINS, MANAGERS, StaffRequest, staff
from helpdesk.accounts.seen import audited, seen, turn
from helpdesk.accounts.setup import SetupForm
from helpdesk.customers.models import FieldDefinition, Subscription
from helpdesk.customers.setup import TYPE_OF_TICKET, FieldForm, SubscriptionForm

FORM = ["GET", "HEAD", "POST"]


@require_safe
@staff(*MANAGERS)
def subscriptions(request: StaffRequest) -> HttpResponse:
    return render(request, "customers/subscription_list.html", {"rows": Subscription.objects.all()})


@require_http_methods(FORM)
@staff(*MANAGERS)
def subscription(request: StaffRequest, pk: int | None = None) -> HttpResponse:
    return _page(request, Subscription, SubscriptionForm, pk, "subscriptions-set-up", _("Add a subscription"))


@require_safe
@staff(*ADMINS)
def fields(request: StaffRequest) -> HttpResponse:
    rows = list(FieldDefinition.objects.archived_last())
    untyped = not any(each.subject == FieldDefinition.Subject.TICKET and each.key == "type" for each in rows)
    return render(request, "customers/field_list.html", {"rows": rows, "untyped": untyped})


@require_http_methods(FORM)
@staff(*ADMINS)
def field(request: StaffRequest, pk: int | None = None) -> HttpResponse:
    initial = TYPE_OF_TICKET if pk is None and request.GET.get("like") == "type" else None
    return _page(request, FieldDefinition, FieldForm, pk, "fields", _("Add a field"), initial)


@require_http_methods(FORM)
@staff(*ADMINS)
def field_remove(request: StaffRequest, pk: int) -> HttpResponse:
    return removal.ask(request, FieldDefinition.objects.all(), pk, home="fields", page="field")


@require_POST
@staff(*ADMINS)
def field_restore(request: StaffRequest, pk: int) -> HttpResponse:
    return removal.bring_back(request, FieldDefinition.objects.all(), pk, page="field")


def _page(
    request: StaffRequest,
    model: type[models.Model],
    form_class: type[SetupForm],
    pk: int | None,
    home: str,
    title: str,
    initial: dict[str, Any] | None = None,
) -> HttpResponse:
    with turn(request, f"{form_class.noun}:{pk}"):
        found: Any = get_object_or_404(model, pk=pk) if pk else model()
        context = {"title": str(found) if pk else title, "home": home, "new": pk is None}
        form = form_class(request.POST or None, instance=found, initial=initial)
        return set_up(request, form, "customers/setup_form.html", home, context)


def set_up(request: StaffRequest, form: SetupForm, template: str, home: str, context: dict[str, Any]) -> HttpResponse:
    """One form for a new or known row; where it is kept, back to the list. The caller holds its turn.

    What it asks before is agreed to by a button that carries a mark of these words.
    """
    known = seen(request, form, audited(f"{form.noun}:{form.instance.pk}"))
    if request.method == "POST" and form.is_valid() and not known.newer:
        if request.POST.get("sure") != form.mark and (asks := form.asks()):
            return render(request, template, {"form": form, "seen": known, "asks": asks, **context}, status=409)
        try:
            form.keep(by=request.user)
        except IntegrityError:  # the second of two clicks; the form has seen every earlier one
            form.add_error(None, _("There is one of this name already."))
        else:
            messages.success(request, _("Saved"))
            return redirect(home)
    return render(request, template, {"form": form, "seen": known, **context}, status=known.status(form.errors))
