"""Pages of our mailboxes."""

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_http_methods, require_safe

from helpdesk.accounts.access import ADMINS, StaffRequest, staff
from helpdesk.customers.setup_views import set_up
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
    return set_up(request, form, "mail/mailbox_form.html", "mailboxes", {"new": pk is None})
