"""The public form. It works without script, tells nobody whether an address is known, and takes one message once."""

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from helpdesk.accounts.access import public
from helpdesk.customers import identity
from helpdesk.lib.html import from_text
from tickets import attachments, intake, letters, spam
from tickets.forms import SubmitForm, nonce
from tickets.models import Channel, Ticket


@public
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def submit(request: HttpRequest) -> HttpResponse:
    form = SubmitForm(request.POST, request.FILES) if request.method == "POST" else SubmitForm(initial={"nonce": nonce()})
    if form.is_bound and form.is_valid():
        if not form.is_machine:
            take(form)
        return redirect("submit-thanks")
    hint = _("if they help; up to %d MB") % (settings.MAX_ATTACHMENT_BYTES // 1_000_000)
    return render(request, "tickets/submit.html", {"form": form, "files_hint": hint}, status=422 if form.is_bound else 200)


@transaction.atomic
def take(form: SubmitForm) -> None:
    """Open the ticket, once, and plan the confirmation."""
    said = form.cleaned_data
    if Ticket.objects.filter(once=f"form:{form.once}").exists():
        return
    junk = spam.is_blocked(said["email"])
    address = identity.address_for(said["email"], said["name"], told=not junk)
    words = intake.Words(
        said["text"],
        html=from_text(said["text"]),
        name=said["name"],
        address=said["email"],
        attachments=attachments.keep_uploads(said["files"]),
        spam=junk,
    )
    ticket = intake.open_ticket(
        address.customer,
        said["subject"],
        words,
        channel=Channel.FORM,
        topic=said["topic"],
        address=address,
        language=get_language() or "",
        once=f"form:{form.once}",
    )
    if not junk:
        letters.confirm(ticket, address)


@public
@require_safe
def thanks(request: HttpRequest) -> HttpResponse:
    """The same words for everybody."""
    return render(request, "tickets/thanks.html")
