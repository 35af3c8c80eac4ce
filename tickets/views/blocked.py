"""Whose mail goes to spam: blocked from a ticket, listed, and let in again."""

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from helpdesk.accounts.access import AGENTS, EVERYONE, staff
from helpdesk.lib.ids import row_id
from tickets import spam
from tickets.access import StaffRequest, ticket_for
from tickets.models import BlockedSender, TicketClosed
from tickets.views.desk import after, show

PAGE = 100


@staff(*EVERYONE)
@require_POST
def block(request: StaffRequest, number: int) -> HttpResponse:
    """The ticket is spam, and so is what its sender, or all of their ``domain``, writes from now on."""
    ticket = ticket_for(request.user, number, to="change")
    try:
        with transaction.atomic():
            found = spam.block(ticket, by=request.user, domain=request.POST.get("who") == "domain")
            spam.mark(ticket, by=request.user)
    except (spam.NoSender, spam.OursBlocked, TicketClosed) as error:
        return show(request, ticket, fault=str(error), status=409)
    messages.success(request, _("Mail from %s goes to spam from now on.") % found)
    return after(request, ticket)


@staff(*AGENTS)
@require_safe
def blocked(request: StaffRequest) -> HttpResponse:
    rows = BlockedSender.objects.select_related("by")
    if (before := row_id(request.GET.get("before", ""))) is not None:
        rows = rows.filter(pk__lt=before)
    page = list(rows[: PAGE + 1])
    older = f"?before={page[PAGE - 1].pk}" if len(page) > PAGE else ""
    return render(request, "tickets/blocked.html", {"rows": page[:PAGE], "older": older})


@staff(*AGENTS)
@require_POST
def unblock(request: StaffRequest, pk: int) -> HttpResponse:
    """Let them in again; pressed twice, they are."""
    if spam.unblock(pk, by=request.user):
        messages.success(request, _("Their mail comes to the inbox again."))
    return redirect("blocked")
