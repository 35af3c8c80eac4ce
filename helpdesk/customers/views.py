"""Pages about customers: finding one, their timeline, their facts, and what they allow."""

from django.conf import settings
from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from helpdesk.accounts.access import AGENTS, EVERYONE, MANAGERS, StaffRequest, staff
from helpdesk.accounts.seen import seen, turn
from helpdesk.customers import access, consent, history, identity, standing
from helpdesk.customers.forms import ConsentForm, CustomerForm
from helpdesk.customers.models import Address, Consent, Customer, Event, FieldDefinition, Suppression
from helpdesk.lib import dates, ids, languages

PAGE = access.FOUND - 1


@require_safe
@staff(*EVERYONE)
def customers(request: StaffRequest) -> HttpResponse:
    """Customers by name, address or external id, newest first."""
    text = request.GET.get("q", "").strip()
    found = access.found(text, ids.row_id(request.GET.get("before", "")))
    rows = Customer.objects.filter(pk__in=found[:PAGE]).order_by("-pk").select_related("company").prefetch_related("addresses")
    context = {"rows": rows, "text": text, "older": ids.older(request.GET, found, PAGE)}
    return render(request, "customers/customer_list.html", context)


def _customer(pk: int) -> Customer:
    return get_object_or_404(Customer.objects.select_related("company").prefetch_related("addresses"), pk=pk)


@require_safe
@staff(*EVERYONE)
def customer(request: StaffRequest, pk: int) -> HttpResponse:
    """All about one customer: both halves in one timeline, what comes next, what they allow."""
    person = _customer(pk)
    lines, older = history.page(access.events_for(request.user, person), request.GET.get("before", ""))
    context = {"customer": person, "lines": lines, "older": older, "continued": "before" in request.GET}
    if request.htmx:
        return render(request, "customers/_timeline.html", context)
    zones = [person.zone, person.company.zone if person.company else ""]
    zone = dates.zone(*zones, settings.TIME_ZONE)
    panels = [import_string(name)(person, request) for name in settings.PANELS]
    context |= {
        "panels": [panel for panel in panels if panel],
        "reaches": standing.reaches(person),
        "allowances": standing.allowances(person),
        "attributes": standing.attributes(FieldDefinition.Subject.CUSTOMER, person.attributes),
        "local_time": dates.local(dates.now(), zone).replace(tzinfo=None),  # or the template would turn it back into ours
        "zone": zone.key,
        "zone_is_known": any(zones),
        "language": languages.name_of(person.language),
    }
    return render(request, "customers/customer_detail.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@staff(*AGENTS)
def edit(request: StaffRequest, pk: int) -> HttpResponse:
    """Change the facts of a customer."""
    with turn(request, f"customer:{pk}"):
        person = _customer(pk)
        form = CustomerForm(request.POST or None, customer=person)
        changes = Event.objects.of(pk).filter(kind="customer.updated").values_list("actor", "occurred_at")
        known = seen(request, form, changes)
        if request.method == "POST" and form.is_valid() and not known.newer:
            try:
                identity.change(person, form.profile(), emails=form.cleaned_data["emails"], actor=request.user)
            except identity.AddressTaken as error:
                form.add_error("emails", _taken(error))
            except ValueError as error:  # attributes beyond what is kept
                form.add_error(None, str(error))
            else:
                messages.success(request, _("Saved"))
                return redirect("customer", pk)
    context = {"form": form, "customer": person, "seen": known}
    return render(request, "customers/customer_form.html", context, status=known.status(form.errors))


@require_http_methods(["GET", "HEAD", "POST"])
@staff(*AGENTS)
def add(request: StaffRequest) -> HttpResponse:
    """Write down a customer; an address that is known leads to the one who has it."""
    form = CustomerForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            result = identity.upsert(form.profile(), emails=form.cleaned_data["emails"], actor=request.user)
        except identity.AddressTaken as error:
            form.add_error("emails", _taken(error))
        else:
            if not result.created:
                messages.warning(request, _("We knew this address already: here is its customer, with what you added."))
            return redirect("customer", result.customer.pk)
    return render(request, "customers/customer_form.html", {"form": form, "customer": None}, status=422 if form.errors else 200)


def _taken(error: identity.AddressTaken) -> str:
    return _("%(error)s Open it under %(url)s.") % {"error": error, "url": reverse("customer", args=[error.customer_id])}


@require_POST
@staff(*AGENTS)
def say(request: StaffRequest, pk: int) -> HttpResponse:
    """Write down that a customer allowed a subscription or took it back; the same twice is written once."""
    person, form = _customer(pk), ConsentForm(request.POST)
    if not form.is_valid():
        messages.error(request, " ".join(str(error) for errors in form.errors.values() for error in errors))
        return redirect(f"{reverse('customer', args=[pk])}#consent")
    change = consent.give if form.cleaned_data["given"] else consent.withdraw
    change(
        person.pk,
        form.cleaned_data["subscription"],
        source="page",
        wording=form.cleaned_data["wording"],
        proof={"written_down_by": request.user.ref},
        actor=request.user,
    )
    return redirect(f"{reverse('customer', args=[pk])}#consent")


@require_safe
@staff(*EVERYONE)
def consents(request: StaffRequest, pk: int) -> HttpResponse:
    """The whole ledger of consent of one customer, newest first, with its proofs."""
    person = _customer(pk)
    rows = list(Consent.objects.filter(customer=person).select_related("subscription").order_by("-id")[:500])
    return render(request, "customers/consents.html", {"customer": person, "rows": rows})


def _address(pk: int, address: int) -> Address:
    return get_object_or_404(Address, pk=address, customer_id=pk, channel="email")


@require_POST
@staff(*AGENTS)
def suppress(request: StaffRequest, pk: int, address: int) -> HttpResponse:
    """No more mail to this address, set by a person."""
    with transaction.atomic():
        consent.suppress(_address(pk, address).canonical, Suppression.Reason.MANUAL, "page", actor=request.user)
    return redirect("customer", pk)


@require_POST
@staff(*MANAGERS)
def lift(request: StaffRequest, pk: int, address: int) -> HttpResponse:
    """Take back what a person here set; what the customer said stays, and the page says why."""
    try:
        consent.lift(_address(pk, address).canonical, source="page", actor=request.user)
    except consent.NeverLifted:
        messages.error(request, _("This address asked for no more mail, or complained. Only its owner can change that."))
    return redirect("customer", pk)
