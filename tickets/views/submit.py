"""The public form. It works without script, tells nobody whether an address is known, and takes one message once."""

from typing import Any

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from helpdesk.accounts.access import public
from helpdesk.customers import identity
from helpdesk.lib.html import from_text
from helpdesk.lib.languages import preferred
from tickets import attachments, intake, letters, spam
from tickets.asking import AskingForm
from tickets.forms import SubmitForm, nonce
from tickets.models import Channel, Priority, Ticket, TicketForm


@public
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def submit(request: HttpRequest) -> HttpResponse:
    form = SubmitForm(request.POST, request.FILES) if request.method == "POST" else SubmitForm(initial={"nonce": nonce()})
    if form.is_bound and form.is_valid():
        if not form.is_machine:
            take(form, browsers=preferred(request.headers.get("Accept-Language", "")))
        return redirect("submit-thanks")
    return page(request, form, reverse("submit"), 422 if form.is_bound else 200)


@public
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def ask(request: HttpRequest, slug: str) -> HttpResponse:
    """A form with questions of its own. One that should appear and was not on the page is asked in a second step."""
    found = get_object_or_404(TicketForm.objects.select_related("team", "mailbox"), slug=slug, is_open=True)
    if request.method != "POST":
        return page(request, AskingForm(initial={"nonce": nonce()}, form=found), reverse("submit-form", args=[slug]))
    form = AskingForm(request.POST, request.FILES, form=found)
    if form.is_valid() and (form.is_machine or not form.later):
        if not form.is_machine:
            take(form, browsers=preferred(request.headers.get("Accept-Language", "")))
        return redirect("submit-thanks")
    form.keep_files()
    return page(request, form, reverse("submit-form", args=[slug]), 422)


def page(request: HttpRequest, form: SubmitForm, form_url: str, status: int = 200, **more: Any) -> HttpResponse:
    hint = _("if they help; up to %d MB") % (settings.MAX_ATTACHMENT_BYTES // 1_000_000)
    context = {"form": form, "files_hint": hint, "form_url": form_url, **more}
    return render(request, "tickets/submit.html", context, status=status)


@transaction.atomic
def take(form: SubmitForm, *, browsers: str) -> None:
    """Open the ticket, once, and plan the confirmation."""
    said = form.cleaned_data
    if Ticket.objects.filter(once=f"form:{form.once}").exists():
        return
    own = form.form if isinstance(form, AskingForm) else None
    junk = spam.is_blocked(said["email"])
    address = identity.address_for(said["email"], said["name"], told=not junk)
    words = intake.Words(
        said["text"],
        html=from_text(said["text"]),
        name=said["name"],
        address=said["email"],
        attachments=[*getattr(form, "files_kept", ()), *attachments.keep_uploads(said["files"])],
        spam=junk,
    )
    ticket = intake.open_ticket(
        address.customer,
        said["subject"],
        words,
        channel=Channel.FORM,
        topic=said["topic"] or (own.topic if own else None),
        team=own.team if own else None,
        mailbox=own.mailbox if own else None,
        priority=own.priority if own else Priority.NORMAL,
        tags=own.tags if own else (),
        attributes=said.get("attributes"),
        address=address,
        browsers=browsers,
        once=f"form:{form.once}",
    )
    if not junk:
        letters.confirm(ticket, address)


@public
@require_safe
def thanks(request: HttpRequest) -> HttpResponse:
    """The same words for everybody."""
    return render(request, "tickets/thanks.html")
