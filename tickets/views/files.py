"""What came with a message, for whoever may read the message: its files, and the pictures it names elsewhere."""

from typing import Any

from django.db.models import Exists, OuterRef
from django.http import Http404, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_safe

from helpdesk.accounts.access import EVERYONE, staff
from helpdesk.files import far, serve
from helpdesk.files.models import Attachment
from helpdesk.files.pictures import SIZES, Busy, NoPicture
from helpdesk.files.sniff import is_binary
from helpdesk.lib.html import from_text, remote_pictures
from helpdesk.mail.models import Outgoing
from tickets.access import StaffRequest, ticket_for, tickets_for
from tickets.conversation import FAR
from tickets.models import Draft, Message, Ticket

# A mail as it looked: its own styles, nothing that runs, loads or leads anywhere.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'; sandbox"


TEXT = 200_000  # bytes of a text that are shown


def _found(request: StaffRequest, pk: int) -> Attachment:
    """The one guarded way to a file: of a message on a ticket within reach, or of one's own draft; else Http404."""
    messages = Message.objects.filter(attachments=OuterRef("pk"), ticket__in=tickets_for(request.user))
    drafts = Draft.objects.filter(attachments=OuterRef("pk"), user=request.user.pk, ticket__in=tickets_for(request.user))
    return get_object_or_404(Attachment.objects.select_related("blob").filter(Exists(messages) | Exists(drafts)), pk=pk)


@staff(*EVERYONE)
@require_safe
def file(request: StaffRequest, pk: int) -> HttpResponseBase:
    """A file as it came, as a download in which nothing runs."""
    return serve.download(_found(request, pk))


@staff(*EVERYONE)
@require_safe
def picture(request: StaffRequest, pk: int, size: str) -> HttpResponse:
    """A picture that came, drawn anew."""
    found = _found(request, pk)
    if size not in SIZES or not found.is_picture:
        raise Http404
    return serve.drawn(found, size)


@staff(*EVERYONE)
@require_safe
def look(request: StaffRequest, pk: int) -> HttpResponse:
    """A file without taking it home: a picture, or the words of a text; of anything else what it is."""
    found = _found(request, pk)
    message = found.messages.filter(ticket__in=tickets_for(request.user)).select_related("ticket").first()
    ticket: Ticket | None = message.ticket if message else None
    context: dict[str, Any] = {"file": found, "ticket": ticket, "held": found.blob.why_held, "text": None}
    if found.is_text and not found.blob.is_held:
        with found.blob.open() as content:
            head = content.read(TEXT)
        context |= {"text": None if is_binary(head) else words(head), "cut": found.blob.size > TEXT}
    return render(request, "tickets/file.html", context)


def words(content: bytes) -> str:
    """Bytes as text: by their mark, as UTF-8, or letter by letter."""
    for mark, charset in ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if content.startswith(mark):
            return content.decode(charset, "replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if len(content) == TEXT and error.start > TEXT - 4:  # cut within a letter
            return content[: error.start].decode("utf-8-sig")
        return content.decode("latin-1")


@staff(*EVERYONE)
@require_safe
def far_picture(request: StaffRequest, message: int, number: int) -> HttpResponse:
    """The picture elsewhere that a message names as its `number`-th, fetched by us and drawn anew.

    The address names the message and not the picture: nothing can be asked for that no message holds.
    """
    said = get_object_or_404(Message.objects.filter(ticket__in=tickets_for(request.user)).only("html"), pk=message)
    named = remote_pictures(said.html)[:FAR]
    if number >= len(named):
        raise Http404
    try:
        return serve.picture(far.picture(named[number]))
    except NoPicture as error:
        return serve.no_picture(str(error))
    except Busy:
        return serve.busy()


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
