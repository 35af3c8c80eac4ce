"""Pages of our mailboxes."""

from django.contrib import messages
from django.db import IntegrityError
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from helpdesk.accounts.access import ADMINS, StaffRequest, staff
from helpdesk.mail.mailboxes import MailboxForm
from helpdesk.mail.models import Mailbox


@require_safe
@staff(*ADMINS)
def mailboxes(request: StaffRequest) -> HttpResponse:
    return render(request, "mail/mailbox_list.html", {"rows": Mailbox.objects.select_related("team")})


@require_http_methods(["GET", "HEAD", "POST"])
@staff(*ADMINS)
def mailbox(request: StaffRequest, pk: int | None = None) -> HttpResponse:
    form = MailboxForm(request.POST or None, instance=get_object_or_404(Mailbox, pk=pk) if pk else Mailbox())
    if request.method == "POST" and form.is_valid():
        try:
            form.keep(by=request.user)
        except IntegrityError:  # the second of two clicks; the form has seen every earlier one
            form.add_error(None, _("There is one of this name already."))
        else:
            messages.success(request, _("Saved"))
            return redirect("mailboxes")
    return render(request, "mail/mailbox_form.html", {"form": form, "new": pk is None}, status=422 if form.errors else 200)
