"""What people do on a ticket. Every one is a POST, safe to press twice, and ends at the ticket or the next one."""

from copy import copy
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.forms import BaseForm
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from helpdesk.accounts.access import EVERYONE, staff
from helpdesk.customers.identity import BadAddress
from helpdesk.customers.payloads import BadPayload
from helpdesk.files.models import Attachment
from helpdesk.knowledge.models import Answer
from helpdesk.lib.dates import now
from helpdesk.mail import outbox
from helpdesk.mail.models import Outgoing
from tickets import answers as texts
from tickets import attachments, forwards, listing, queues, replies
from tickets.access import StaffRequest, ticket_for
from tickets.changes import change as change_ticket
from tickets.changes import unsolve as unsolve_ticket
from tickets.forms import ChangeForm, ComposeForm, DraftForm, PropertiesForm
from tickets.models import Draft, Message, Status, Ticket, TicketClosed
from tickets.views.desk import after, all_properties, show, view_query

FEW = 30  # answers to choose from


def faults(form: BaseForm) -> str:
    """Everything that is wrong, in one line."""
    return " ".join(str(error) for errors in form.errors.values() for error in errors)


@staff(*EVERYONE)
@require_POST
def change(request: StaffRequest, number: int) -> HttpResponse:
    """Assignee, team, topic, priority, tags, status: those that were sent."""
    ticket = ticket_for(request.user, number, to="change")
    data = request.POST.copy()
    if data.get("assignee") == "me":
        data["assignee"] = str(request.user.pk)
    form = ChangeForm(data, instance=ticket)
    before = copy(ticket)  # its place in the view
    if form.is_valid():
        try:
            change_ticket(ticket, form.cleaned_data, by=request.user)
        except TicketClosed as error:
            return show(request, ticket, fault=str(error), status=409)
        except BadPayload as error:
            form.add_error(None, str(error))
    if form.errors:
        if data.get("all"):  # from the form of all properties: back to it, with everything that was typed
            return all_properties(request, ticket, PropertiesForm(data, instance=ticket), status=422)
        return show(request, ticket, fault=faults(form), status=422)
    if ticket.status == Status.SOLVED and data.get("next"):
        undo = reverse("ticket-unsolve", args=[ticket.number]) + view_query(request)
        messages.success(request, with_undo(_("#%s is solved.") % ticket.number, undo))
        return on_to_next(request, before)
    return after(request, ticket)


@staff(*EVERYONE)
@require_POST
def unsolve(request: StaffRequest, number: int) -> HttpResponse:
    """Solve was a slip."""
    ticket = ticket_for(request.user, number, to="change")
    try:
        unsolve_ticket(ticket, by=request.user)
    except TicketClosed as error:
        return show(request, ticket, fault=str(error), status=409)
    return after(request, ticket)


def with_undo(words: str, undo: str) -> str:
    """Words for a toast, with a button that takes back what they tell."""
    button = format_html('<button class="link" form="undo" formaction="{}" data-key="z">{}</button>', undo, _("Undo"))
    return format_html("{} {}", words, button)


@staff(*EVERYONE)
@require_POST
def compose(request: StaffRequest, number: int) -> HttpResponse:
    """Send a reply or a forward, or keep a note. What cannot be sent comes back with its reason, and nothing typed is lost."""
    kind = request.POST.get("kind", "")
    ticket = ticket_for(request.user, number, to="note" if kind == "note" else "reply")
    form = ComposeForm(request.POST, request.FILES)
    if not form.is_valid():
        remember(request, ticket, [*attached(request, ticket), *attachments.keep_uploads(form.cleaned_data.get("files", []))])
        return show(request, ticket_for(request.user, number), form=form, fault=faults(form), status=422)
    data = form.cleaned_data
    files = [*attached(request, ticket), *attachments.keep_uploads(data["files"])]
    if fault := attachments.too_much([file.blob.size for file in files]):
        remember(request, ticket, files)
        return show(request, ticket_for(request.user, number), form=form, fault=fault, status=422)
    before = ticket_for(request.user, number)  # its place in the view, before it changes
    try:
        sent = write(request, ticket, data, files)
    except replies.NewerMessages as newer:
        remember(request, ticket, files)
        return show(request, ticket_for(request.user, number), newer=newer.messages, fault=str(newer), status=409)
    except (TicketClosed, replies.NoAddress, BadAddress, forwards.NotForwarded) as error:
        remember(request, ticket, files)
        return show(request, ticket_for(request.user, number), fault=str(error), status=409)
    if kind == "note":
        return after(request, ticket)
    undo = reverse("ticket-unsend", args=[ticket.number, sent.pk]) + view_query(request)
    words = _("#%s: the forward leaves in a moment.") if kind == "forward" else _("#%s: the answer leaves in a moment.")
    messages.success(request, with_undo(words % ticket.number, undo))
    return on_to_next(request, before) if kind == "reply" and data["status"] == Status.SOLVED else after(request, ticket)


def write(request: StaffRequest, ticket: Ticket, data: dict[str, Any], files: list[Attachment]) -> Message:
    """What the form asks for, in the name of whoever is signed in."""
    common: dict[str, Any] = {"by": request.user, "attachments": files, "once": once_of(request)}
    if data["kind"] == "note":
        return replies.note(ticket, data["text"], **common)
    if data["kind"] == "forward":
        passed_on = ticket.messages.filter(pk=data["forwards"] or 0).first()
        if passed_on is None:
            raise forwards.NotForwarded(_("Choose the message to pass on."))
        given = {"to": data["to"], "message": passed_on, "with_files": data["with_files"]}
        return forwards.forward(ticket, data["text"], **given, **common)
    given = {name: data[name] for name in ("status", "seen", "cc", "bcc")}
    return replies.reply(ticket, data["text"], **given, **common)


def once_of(request: StaffRequest) -> str | None:
    """The name of this showing of the composer, bound to its person."""
    given = request.POST.get("once", "")
    return f"user:{request.user.pk}:{given[:80]}" if given and given.isalnum() else None


def on_to_next(request: StaffRequest, ticket: Ticket) -> HttpResponse:
    """The next ticket of the view beside this one, or the ticket itself where there is none."""
    view = queues.view_of(request, request.GET.get("view", ""))
    return after(request, listing.following(request.user, view, ticket) or ticket)


def remember(request: StaffRequest, ticket: Ticket, files: list[Attachment] | None = None) -> Draft:
    """Keep what was typed, and the files that came with it, as the person's draft."""
    said = DraftForm(request.POST)
    said.is_valid()
    values: dict[str, Any] = {name: said.cleaned_data.get(name, "") for name in ("text", "cc", "bcc", "to")}
    values["kind"] = said.cleaned_data.get("kind") or "reply"
    values["forwards"] = ticket.messages.filter(pk=said.cleaned_data.get("forwards") or 0).first()
    draft, _new = Draft.objects.update_or_create(ticket=ticket, user=request.user, defaults={**values, "saved_at": now()})
    if files is not None:
        draft.attachments.set(files)
    return draft


def attached(request: StaffRequest, ticket: Ticket) -> list[Attachment]:
    """Files kept with the person's own draft; those they took off the list are left behind."""
    own = Draft.objects.filter(ticket=ticket, user=request.user).first()
    kept = [int(pk) for pk in request.POST.getlist("kept") if pk.isascii() and pk.isdigit() and len(pk) < 19]
    return list(own.attachments.filter(pk__in=kept).select_related("blob")) if own else []


@staff(*EVERYONE)
@require_POST
def draft(request: StaffRequest, number: int) -> HttpResponse:
    """Saved as one types; an empty one is forgotten."""
    ticket = ticket_for(request.user, number, to="draft")
    form = DraftForm(request.POST)
    once = once_of(request)
    if once and Message.objects.filter(once=once).exists():  # saved on its way while Send overtook it
        return render(request, "tickets/_draft_state.html", {})
    if not form.is_valid():
        return render(request, "tickets/_draft_state.html", {"fault": _("Too long to be saved")}, status=422)
    if not any(form.cleaned_data[name].strip() for name in ("text", "to")):
        Draft.objects.filter(ticket=ticket, user=request.user, attachments=None).delete()
        return render(request, "tickets/_draft_state.html", {})
    return render(request, "tickets/_draft_state.html", {"draft": remember(request, ticket)})


@staff(*EVERYONE)
@require_POST
def unsend(request: StaffRequest, number: int, message: int) -> HttpResponse:
    """Take a reply back within its seconds; its words are in the composer again."""
    ticket = ticket_for(request.user, number, to="reply")
    reply = ticket.messages.filter(pk=message).select_related("ticket").first()
    if reply is None:  # pressed twice: it is back already
        return after(request, ticket)
    if not replies.unsend(reply, by=request.user):
        messages.error(request, _("Too late: this answer has left."))
    return after(request, ticket)


@staff(*EVERYONE)
@require_POST
def resend(request: StaffRequest, number: int, message: int) -> HttpResponse:
    """A person's recorded choice to send again what came back, or what nobody knows about."""
    ticket = ticket_for(request.user, number, to="reply")
    ours = ticket.messages.filter(kind__in=(Message.Kind.REPLY, Message.Kind.FORWARD))
    row = get_object_or_404(Outgoing, pk=get_object_or_404(ours, pk=message).outgoing_id)
    with transaction.atomic():
        outbox.retry_unknown(row, by=request.user)
    return after(request, ticket)


@staff(*EVERYONE)
@require_safe
def answers(request: StaffRequest, number: int) -> HttpResponse:
    """Texts to insert, those on the ticket's topic first; ``q`` narrows them."""
    ticket = ticket_for(request.user, number, to="draft")
    words = request.GET.get("q", "").replace("\0", "").strip()[:100]
    found = Answer.objects.filter(archived_at=None)
    if words:
        found = found.filter(title__icontains=words)
    chosen = sorted(
        found.order_by("title")[: FEW * 3], key=lambda answer: answer.topic_id != ticket.topic_id or not ticket.topic_id
    )
    name = "tickets/_answers.html" if request.htmx else "tickets/answers.html"
    known = texts.known(ticket, request.user)
    rows = [(answer, texts.inserted(answer, known)) for answer in chosen[:FEW]]
    return render(request, name, {"ticket": ticket, "answers": rows, "words": words})


@staff(*EVERYONE)
@require_POST
@transaction.atomic
def insert(request: StaffRequest, number: int) -> HttpResponse:
    """Without script: put a chosen answer at the end of the draft, where the second of two clicks finds it."""
    ticket = ticket_for(request.user, number, to="draft")
    chosen = request.POST.get("answer", "")
    if not (chosen.isascii() and chosen.isdigit() and len(chosen) < 19):
        raise Http404
    answer = get_object_or_404(Answer, pk=int(chosen), archived_at=None)
    draft, _new = Draft.objects.select_for_update().get_or_create(ticket=ticket, user=request.user)
    text = texts.inserted(answer, texts.known(ticket, request.user))
    if draft.text.rstrip().endswith(text.rstrip()):
        return after(request, ticket)
    draft.text = f"{draft.text.rstrip()}\n\n{text}".lstrip()
    draft.saved_at = now()
    draft.save()
    return after(request, ticket)
