"""Pages about companies: finding one, who belongs to it, and what is known about it."""

from django.contrib import messages
from django.db.models import Count
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from helpdesk.accounts.access import AGENTS, EVERYONE, StaffRequest, staff
from helpdesk.accounts.seen import audited, seen, turn
from helpdesk.customers import access, standing
from helpdesk.customers.forms import CompanyForm
from helpdesk.customers.models import Company, Customer, FieldDefinition
from helpdesk.lib import ids
from helpdesk.lib.conditions.query import Inexpressible, to_query

PAGE = access.FOUND - 1


@require_safe
@staff(*EVERYONE)
def companies(request: StaffRequest) -> HttpResponse:
    """Companies by name or external id, newest first, with how many of their people we know."""
    text = request.GET.get("q", "").strip()
    found = access.companies_found(text, ids.row_id(request.GET.get("before", "")))
    rows = Company.objects.filter(pk__in=found[:PAGE]).annotate(people=Count("customers")).order_by("-pk")
    context = {"rows": rows, "text": text, "older": ids.older(request.GET, found, PAGE)}
    return render(request, "customers/company_list.html", context)


@require_safe
@staff(*EVERYONE)
def company(request: StaffRequest, pk: int) -> HttpResponse:
    """What is known about one company, and its people, newest first."""
    found = get_object_or_404(Company, pk=pk)
    people = Customer.objects.filter(company=found).prefetch_related("addresses").order_by("-pk")
    before = ids.row_id(request.GET.get("before", ""))
    rows = list((people.filter(pk__lt=before) if before else people)[: PAGE + 1])
    context = {
        "company": found,
        "rows": rows[:PAGE],
        "older": ids.older(request.GET, [each.pk for each in rows], PAGE),
        "attributes": standing.attributes(FieldDefinition.Subject.COMPANY, found.attributes),
        "tickets": _tickets_of(found),
    }
    return render(request, "customers/company_detail.html", context)


def _tickets_of(found: Company) -> str:
    """What to search the inbox for; "" for a name that a search line cannot say."""
    try:
        return to_query({"field": "company", "op": "is", "value": found.name}, "ticket")
    except Inexpressible:
        return ""


@require_http_methods(["GET", "HEAD", "POST"])
@staff(*AGENTS)
def edit(request: StaffRequest, pk: int) -> HttpResponse:
    """Change what is known about a company."""
    with turn(request, f"company:{pk}"):
        rows = Company.objects.select_for_update(no_key=True) if request.method == "POST" else Company.objects
        found = get_object_or_404(rows, pk=pk)
        form = CompanyForm(request.POST or None, instance=found)
        known = seen(request, form, audited(f"company:{pk}"))
        if request.method == "POST" and form.is_valid() and not known.newer:
            form.keep(by=request.user)
            messages.success(request, _("Saved"))
            return redirect("company", pk)
    context = {"form": form, "pk": pk, "name": form.initial["name"], "seen": known}
    return render(request, "customers/company_form.html", context, status=known.status(form.errors))
