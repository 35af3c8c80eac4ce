"""What came with a message, for whoever may read the message."""

from django.db.models import Exists, OuterRef
from django.http import FileResponse, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_safe

from helpdesk.accounts.access import EVERYONE, staff
from helpdesk.files.models import Attachment
from helpdesk.files.serve import download
from helpdesk.lib.html import from_text
from helpdesk.mail.models import Outgoing
from tickets.access import StaffRequest, ticket_for, tickets_for
from tickets.models import Draft, Message

# A mail as it looked: its own styles, nothing that runs, loads or leads anywhere.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'; sandbox"


@staff(*EVERYONE)
@require_safe
def file(request: StaffRequest, pk: int) -> FileResponse:
    """An attachment: of a message on a ticket within reach, or of one's own draft."""
    messages = Message.objects.filter(attachments=OuterRef("pk"), ticket__in=tickets_for(request.user))
    drafts = Draft.objects.filter(attachments=OuterRef("pk"), user=request.user.pk, ticket__in=tickets_for(request.user))
    found = get_object_or_404(Attachment.objects.select_related("blob").filter(Exists(messages) | Exists(drafts)), pk=pk)
    return download(found)


@staff(*EVERYONE)
@require_safe
@xframe_options_sameorigin
def sent(request: StaffRequest, number: int) -> HttpResponse:
    """The exact message of ours that a ticket answers, as its reader saw it, in a frame of its own."""
    ticket = ticket_for(request.user, number)
    row = get_object_or_404(Outgoing, pk=ticket.outgoing_id or 0)
    said = row.rendered or {}
    response = HttpResponse(said.get("html") or from_text(said.get("text") or ""))
    response["Content-Security-Policy"] = POLICY
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "private, no-store"
    return response
