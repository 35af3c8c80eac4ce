"""The inbox and the ticket. Without script each address is a whole page; with it only the panes that change are sent."""

from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.db import OperationalError
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.crypto import get_random_string
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from helpdesk.accounts.access import EVERYONE, staff
from helpdesk.accounts.models import User
from helpdesk.customers import definitions
from helpdesk.customers.models import Customer, FieldDefinition
from helpdesk.lib import languages
from helpdesk.lib.ids import row_id, row_ids
from helpdesk.lib.rows import at_most
from tickets import conversation, listing, queues, repeats, saved_views, search
from tickets.access import StaffRequest, may, ticket_for
from tickets.clocks import reading
from tickets.forms import ComposeForm, PropertiesForm
from tickets.models import Message, Priority, Status, Ticket
from tickets.triage import showing

FACTS = 6


@staff(*EVERYONE)
@require_safe
def inbox(request: StaffRequest, slug: str = queues.FIRST) -> HttpResponse:
    """A view's tickets, or what a search finds; ``?part=list`` is the list alone, for a page that is open already."""
    context = list_context(request, slug)
    if request.GET.get("part") == "list":
        return render(request, "tickets/_list.html", context)
    return render(request, "tickets/inbox.html", context)


def list_context(request: StaffRequest, slug: str, opened: Ticket | None = None) -> dict[str, Any]:
    """The list; of the ticket that is ``opened`` beside it the clocks come with those of its rows."""
    view = queues.views_of(request).get(slug)
    if view is None:
        raise Http404
    words, after = request.GET.get("q", "").strip(), request.GET.get("after", "")
    page, misread, fault = listing.Page([]), "", ""
    try:
        if words:
            page, misread = searched(request.user, words, after)
        else:
            page = listing.page(listing.rows_of(request.user, view), view, request.user, after)
    except listing.BadCursor as error:
        raise Http404 from error
    except listing.NoRows as error:
        fault = str(error)
    reading.bring(page.rows, opened)
    for row in page.rows:
        row.pressing = reading.pressing(row.shown_clocks) if row.is_live else None
    count = queues.counts(request).get(view.slug)
    older = urlencode({"after": page.after, **({"q": words} if words else {})}) if page.after else ""
    return {
        "view": view,
        "columns": queues.ROW if words else view.columns,
        "page": page,
        "words": words,
        "misread": misread,
        "view_fault": fault,
        "may_edit_view": view.saved is not None and saved_views.may_change(request.user, view.saved),
        "older": older and f"{reverse('inbox-view', args=[view.slug])}?{older}",
        "count": "" if words or count is None else queues.shown(count) or "0",
    }


def searched(user: User, words: str, after: str) -> tuple[listing.Page, str]:
    """A page of what the search box finds, or nothing and what is wrong with it."""
    try:
        rows = search.find(user, words)
        with at_most(search.PATIENCE):
            return listing.page(rows, queues.VIEWS["open"], user, after), ""
    except search.QueryError as error:
        return listing.Page([]), str(error)
    except OperationalError:
        return listing.Page([]), _("This search takes too long. Narrow it, for example with opened:<30d.")


@staff(*EVERYONE)
@require_safe
def ticket(request: StaffRequest, number: int) -> HttpResponse:
    """One ticket; ``?part=thread`` and ``?part=customer`` are its parts alone, for a page that is open already.

    With the conversation comes how the ticket stands, which may have changed with it.
    """
    found = ticket_for(request.user, number)
    if request.GET.get("part") == "thread":
        return render(request, "tickets/_now.html", standing(request, found) | thread_context(request, found))
    if request.GET.get("part") == "customer":
        return render(request, "tickets/_about.html", {"ticket": found, **about(request, found)})
    return show(request, found)


def standing(request: StaffRequest, ticket: Ticket) -> dict[str, Any]:
    """What the head of a ticket shows and offers."""
    return {
        "ticket": ticket,
        "clocks": (clocks := reading.lines(ticket)),
        "pressing": reading.pressing(line.clock for line in clocks),
        "view_query": view_query(request),
        "statuses": Status.choices[1:5],
        "priorities": Priority.choices,
        "may_reply": may_reply(request, ticket),
        "may_change": ticket.status != Status.CLOSED and may(request.user, "change"),
        "suggestion": showing.shown(ticket),
        "earlier": repeats.beside(request, ticket).earlier,
    }


def thread_context(request: StaffRequest, ticket: Ticket) -> dict[str, Any]:
    text = request.GET.get("before", "")
    before = row_id(text)
    if text and before is None:
        raise Http404
    asked = [*request.GET.getlist("pictures"), *request.POST.getlist("pictures")]
    pictures = row_ids(asked[: conversation.SHOWN])
    page = conversation.load(ticket, request.user, before=before, pictures=pictures)
    shown = [*({"view": view_slug(request), "before": before or ""}.items()), *(("pictures", pk) for pk in pictures)]
    here = urlencode([(name, value) for name, value in shown if value])
    draft = page.draft
    passes_on = draft.forwards_id if draft else None
    return {"talk": page, "draft": draft, "written": draft, "passes_on": passes_on, "here": here}


def show(
    request: StaffRequest,
    ticket: Ticket,
    *,
    form: ComposeForm | None = None,
    newer: list[Message] | None = None,
    fault: str = "",
    status: int = 200,
    address: str = "",
) -> HttpResponse:
    """The ticket's panes for htmx, the whole desk otherwise. ``address`` is where the browser is then, if not there already."""
    view = queues.view_of(request, request.GET.get("view", ""))
    beside = {} if request.htmx else list_context(request, view.slug, ticket)
    context = {
        "view": view,
        "form": form,
        "fault": fault,
        "newer": newer or [],
        "newer_ids": [message.pk for message in newer or []],
        "once": get_random_string(24),
        **standing(request, ticket),
        **about(request, ticket),
        **thread_context(request, ticket),
    }
    if form is not None:
        context |= {"written": form.data, "passes_on": row_id(form.data.get("forwards", ""))}
    if request.htmx:
        response = render(request, "tickets/_panes.html", context, status=status)
        if address:
            response["HX-Push-Url"] = address
        return response
    return render(request, "tickets/ticket.html", context | beside, status=status)


def view_slug(request: StaffRequest) -> str:
    """The view that the ticket was opened from, if the reader has it."""
    slug = request.GET.get("view", "")
    return slug if slug in queues.views_of(request) else ""


def view_query(request: StaffRequest) -> str:
    return f"?view={view_slug(request)}" if view_slug(request) else ""


def may_reply(request: StaffRequest, ticket: Ticket) -> bool:
    return ticket.status not in (Status.CLOSED, Status.SPAM) and may(request.user, "reply")


def about(request: StaffRequest, ticket: Ticket) -> dict[str, Any]:
    """The customer beside the conversation."""
    request.ticket = ticket  # type: ignore[attr-defined]  # so that panels know what is on the page already
    who = ticket.requester
    return {
        "facts": facts(who),
        "language": languages.name_of(ticket.language or who.language),
        "panels": panels(request, who),
        "told": definitions.said(FieldDefinition.Subject.TICKET, ticket.attributes),
        "has_fields": bool(definitions.of(FieldDefinition.Subject.TICKET)),
        "may_describe": ticket.status != Status.CLOSED and may(request.user, "change"),
    }


def facts(customer: Customer) -> list[tuple[str, Any]]:
    """The first of what is known about a customer: by the names of its fields, or "card_expires" as "Card expires".

    Then the fields of their company, which are about them as well.
    """
    named = definitions.said(FieldDefinition.Subject.CUSTOMER, customer.attributes)
    known = definitions.everything(FieldDefinition.Subject.CUSTOMER)
    others = [(key, value) for key, value in customer.attributes.items() if key not in known]
    theirs = definitions.said(FieldDefinition.Subject.COMPANY, customer.company.attributes) if customer.company else []
    own = [*named, *((key.replace("_", " ").capitalize(), value) for key, value in others)][:FACTS]
    return [*own, *theirs[:FACTS]]


def panels(request: StaffRequest, customer: Customer) -> list[dict[str, Any]]:
    found = (import_string(name)(customer, request) for name in settings.PANELS)
    return [panel for panel in found if panel]


def after(request: StaffRequest, ticket: Ticket) -> HttpResponse:
    """What one sees after doing something: the ticket, fresh; by redirect where there is no script."""
    address = reverse("ticket", args=[ticket.number]) + view_query(request)
    if not request.htmx:
        return redirect(address)
    return show(request, ticket_for(request.user, ticket.number), address=address)


@staff(*EVERYONE)
@require_safe
def properties(request: StaffRequest, number: int) -> HttpResponse:
    """All properties in one form: a page, or the inside of a dialog."""
    found = ticket_for(request.user, number, to="change")
    return all_properties(request, found, PropertiesForm(instance=found))


def all_properties(request: StaffRequest, ticket: Ticket, form: PropertiesForm, status: int = 200) -> HttpResponse:
    """The form of all properties; what is wrong with it comes back into the dialog that sent it."""
    name = "tickets/_properties.html" if request.htmx else "tickets/properties.html"
    response = render(request, name, {"ticket": ticket, "form": form, "view_query": view_query(request)}, status=status)
    if request.htmx and status != 200:
        response["HX-Retarget"], response["HX-Reswap"] = "#properties-body", "innerHTML"
    return response
