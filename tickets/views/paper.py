"""A conversation for paper, and a mail as it came: with its own look in a frame, and its very bytes for admins."""

from base64 import b64encode

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_safe

from helpdesk.accounts.access import ADMINS, EVERYONE, staff
from helpdesk.files import pictures, serve
from helpdesk.lib.html import from_text, with_pictures
from helpdesk.mail.models import IncomingMail, Outgoing
from helpdesk.mail.parsing import TooHard, letter_guarded
from tickets import conversation
from tickets.access import StaffRequest, ticket_for, tickets_for
from tickets.models import Message

# A mail in its own styles: they may colour it and fetch nothing; its links lead nowhere, its frame is nobody's origin.
FRAME = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'; sandbox"
MOST_PICTURES = 30  # of a mail's own that its frame shows


@staff(*EVERYONE)
@require_safe
def printed(request: StaffRequest, number: int) -> HttpResponse:
    """The conversation without what stands around it; ``?notes`` with the team's notes."""
    ticket, notes = ticket_for(request.user, number), "notes" in request.GET
    said = conversation.on_paper(ticket, notes=notes)
    first = Outgoing.objects.filter(pk=ticket.outgoing_id).first() if ticket.outgoing_id else None
    return render(request, "tickets/print.html", {"ticket": ticket, "said": said, "notes": notes, "wrote_first": first})


def _mail(request: StaffRequest, pk: int) -> tuple[Message, IncomingMail]:
    """A message that came by mail, on a ticket within reach; else Http404."""
    mine = Message.objects.filter(ticket__in=tickets_for(request.user), incoming_id__isnull=False)
    message = get_object_or_404(mine.select_related("ticket").prefetch_related("attachments__blob"), pk=pk)
    return message, get_object_or_404(IncomingMail.objects.only("raw"), pk=message.incoming_id)


@staff(*EVERYONE)
@require_safe
def letter(request: StaffRequest, message: int) -> HttpResponse:
    """The page around the frame in which a mail looks as it was sent."""
    return render(request, "tickets/letter.html", {"message": _mail(request, message)[0]})


@staff(*EVERYONE)
@require_safe
@xframe_options_sameorigin
def frame(request: StaffRequest, message: int) -> HttpResponse:
    """The whole mail with its own styles, sanitised, in a document of its own that can run, load and reach nothing."""
    said, mail = _mail(request, message)
    try:
        html = letter_guarded(bytes(mail.raw))
    except TooHard as error:
        html = from_text(_("It cannot be shown: %s") % error)
    response = serve.guarded(HttpResponse(with_pictures(html, _own(said))))
    response["Content-Security-Policy"] = FRAME
    return response


def _own(message: Message) -> dict[str, str]:
    """Content-ID → the picture itself, drawn anew: a frame without an origin could ask us for none."""
    found: dict[str, str] = {}
    for file in message.attachments.all():
        if file.content_id and file.is_picture and not file.blob.is_held and len(found) < MOST_PICTURES:
            try:
                drawn = serve.preview(file.blob, "large")
            except (pictures.NoPicture, pictures.Busy):
                continue
            found[file.content_id] = f"data:{pictures.MEDIA_TYPE};base64,{b64encode(drawn).decode()}"
    return found


@staff(*ADMINS)
@require_safe
def source(request: StaffRequest, message: int) -> HttpResponse:
    """The bytes as they came, as text in which nothing runs."""
    _message, mail = _mail(request, message)
    return serve.guarded(HttpResponse(bytes(mail.raw), content_type="text/plain; charset=utf-8"))
