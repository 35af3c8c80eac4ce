"""Passing one message on to somebody outside: it leaves by the outbox, and no more of the ticket goes along.

What comes back lands on the same ticket as a stranger's words (``intake.mail``). A forward is no answer: it moves no clock
and no status.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.template.loader import render_to_string
from django.utils.translation import gettext as _

from helpdesk.accounts.models import User
from helpdesk.customers.identity import BadAddress
from helpdesk.files.models import Attachment
from helpdesk.mail import addresses, outbox, threading
from helpdesk.mail.models import Class, Lane, Outgoing
from helpdesk.mail.verdicts import GO, Content, Missing, Never, Verdict
from tickets import attachments as files_of
from tickets.letters import banned, entitled, scanned, spoken
from tickets.models import Message, Status, Ticket, TicketClosed
from tickets.replies import each_once, forget_draft, leaves_at, said, write

KIND = "ticket.forward"
PASSED_ON = (Message.Kind.CUSTOMER, Message.Kind.AUTOMATIC, Message.Kind.REPLY)  # notes are the team's alone


class NotForwarded(ValueError):
    """What was asked for cannot be passed on. Permanent; its text says what to change."""


@transaction.atomic
def forward(
    ticket: Ticket,
    text: str,
    *,
    by: User,
    to: Sequence[str],
    message: Message,
    with_files: bool = True,
    attachments: Iterable[Attachment] = (),
    once: str | None = None,
) -> Message:
    """Send this message, with words of our own above it, to these addresses; the files that came with it go along.

    It waits UNDO_SEND seconds before it leaves; sending the same form twice, by ``once``, is one forward. Raises
    TicketClosed, BadAddress, NotForwarded.
    """
    ticket.lock()
    if known := said(once):
        return known
    if ticket.status == Status.CLOSED:
        raise TicketClosed(_("Ticket #%s is closed. Nothing can be added to it.") % ticket.number)
    if message.ticket_id != ticket.pk or message.kind not in PASSED_ON:
        raise NotForwarded(_("This message cannot be passed on."))
    first, *others = _recipients(to)
    files = list({each.pk: each for each in [*attachments, *(message.attachments.all() if with_files else ())]}.values())
    if fault := files_of.too_much([file.blob.size for file in files]):
        raise NotForwarded(fault)
    made = write(ticket, Message.Kind.FORWARD, text, by, files, once, to=first, cc=others, forwards=message)
    row = Outgoing(
        key=f"{KIND}:{made.pk}",
        kind=KIND,
        klass=Class.REPLY,  # a person wrote it, and alone may send it again
        lane=Lane.REPLIES,
        to=first,
        cc=others,
        mailbox=ticket.mailbox,
        title=_("Forward of %s") % ticket.subject[:180],
        topic_id=ticket.topic_id,
        ticket_id=ticket.pk,
        message_id=made.pk,
        due_at=leaves_at(made, by),
    )
    outbox.plan([row])
    made.outgoing_id = row.pk
    made.before = ticket.forwarded(made, by=by)
    made.save(update_fields=["outgoing_id", "before"])
    forget_draft(ticket, by)
    return made


def _recipients(to: Sequence[str]) -> list[str]:
    wanted = each_once(to)
    if not wanted:
        raise NotForwarded(_("Say to whom it goes."))
    if own := [shown for shown in wanted.values() if addresses.plain(shown) in addresses.ours()]:
        raise BadAddress(_("%s is an address of ours: keep a note, or give the ticket to its team.") % own[0])
    return list(wanted.values())


# --- how it leaves (settings.OUTBOX) ----------------------------------------------------------------------------------


def guard(rows: list[Outgoing], at: datetime) -> dict[int, Verdict]:
    """It goes unless it was taken back, or people decided that one of its recipients gets nothing."""
    there = set(Message.objects.filter(pk__in=[row.message_id for row in rows]).values_list("pk", flat=True))
    stopped = banned(address for row in rows for address in (row.to, *row.cc))
    held = files_of.held(row.message_id for row in rows)
    return {row.pk: scanned(held.get(row.message_id or 0), at) or _verdict(row, there, stopped) for row in rows}


def _verdict(row: Outgoing, there: set[int], stopped: dict[str, str]) -> Verdict:
    if row.message_id not in there:
        return Never(_("The forward was taken back"))
    for address in (row.to, *row.cc):
        if address in stopped:
            return Never(_("%(address)s gets no mail: %(why)s") % {"address": address, "why": stopped[address]})
    return GO


def render(rows: list[Outgoing]) -> dict[int, Content | Missing]:
    """Our words, then the one message that is passed on, without what it quotes. Five queries, whatever the number of rows."""
    messages = (
        Message.objects.filter(pk__in=[row.message_id for row in rows])
        .select_related("ticket__requester__company", "ticket__mailbox", "forwards__customer", "forwards__user")
        .prefetch_related("attachments")
        .in_bulk()
    )
    ours = [made.forwards.outgoing_id for made in messages.values() if made.forwards and made.forwards.outgoing_id]
    ids = dict(Outgoing.objects.filter(pk__in=ours).values_list("pk", "rfc_id")) if ours else {}
    out: dict[int, Content | Missing] = {}
    for row in rows:
        made = messages.get(row.message_id or 0)
        if made is None or made.forwards is None:
            out[row.pk] = Missing(_("The message that it passes on is gone"))
            continue
        out[row.pk] = _content(row, made, made.forwards, made.forwards.rfc_id or ids.get(made.forwards.outgoing_id or 0, ""))
    return out


def _content(row: Outgoing, made: Message, passed_on: Message, rfc_id: str) -> Content:
    ticket, files = made.ticket, list(made.attachments.all())
    context: dict[str, Any] = {
        "message": made,
        "passed_on": passed_on,
        "writer": _writer(passed_on, ticket),
        "subject": ticket.subject,
        "words": spoken(made.text),
        "html": files_of.outward(made.html, files),
        "passed_on_html": files_of.outward(passed_on.html, files),
        "signature": row.mailbox.signature if row.mailbox else "",
        "marker": threading.marker(row),
    }
    # In our language and zone: those of the customer would tell something about them.
    text, html = (render_to_string(f"tickets/mail/forward.{kind}", context) for kind in ("txt", "html"))
    return Content(
        subject=entitled("Fwd", ticket.subject),
        text=text,
        html=html,
        references=(rfc_id,) if rfc_id else (),  # it begins a conversation of its own, with what it passes on in view
        cc=tuple(row.cc),
        attachments=tuple(each.pk for each in files),
    )


def _writer(message: Message, ticket: Ticket) -> str:
    """From whom, as a mail would say it; of ours, the mailbox that it was sent by."""
    if message.kind == Message.Kind.REPLY:
        return str(ticket.mailbox or message.author)
    return f"{message.author} <{message.address}>" if message.address and message.author != message.address else message.author
