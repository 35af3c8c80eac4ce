"""What we say on a ticket: replies that leave by the outbox and can be taken back for some seconds; notes never leave."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from helpdesk.accounts.models import ApiToken, User
from helpdesk.customers import identity
from helpdesk.customers.models import Address
from helpdesk.files.models import Attachment
from helpdesk.lib.dates import now
from helpdesk.lib.html import from_markdown
from helpdesk.mail import outbox
from helpdesk.mail.models import Class, Lane, Outgoing
from tickets import spam
from tickets.attachments import placed
from tickets.models import Draft, Message, Participant, Status, Ticket, TicketClosed

KIND = "ticket.reply"
MAX_CC = 50  # recipients beside the first


class NewerMessages(Exception):
    """Somebody wrote since the author last looked; the author decides again. Carries the messages."""

    def __init__(self, messages: list[Message]) -> None:
        super().__init__(_("Something new arrived while you were writing."))
        self.messages = messages


class NoAddress(ValueError):
    """The requester has no address that a reply could go to. Permanent until one is added."""


class NotAnswered(ValueError):
    """Nothing automatic goes there: a machine wrote, or what it answers is none of our work. Permanent."""


@transaction.atomic
def reply(
    ticket: Ticket,
    text: str,
    *,
    by: User | ApiToken,
    status: str = "",
    seen: int | None = None,
    cc: Sequence[str] | None = None,
    bcc: Sequence[str] = (),
    attachments: Iterable[Attachment] = (),
    once: str | None = None,
) -> Message:
    """Answer everybody on the ticket; then it is their turn, unless a status says otherwise.

    With ``once``, sending the same form twice is one reply.
    ``seen`` is the last message the author saw: a newer one raises NewerMessages. ``cc`` replaces who reads along; None
    leaves them. ``bcc`` get this one message, and nobody outside learns it. A person's reply waits UNDO_SEND seconds before it
    leaves. Raises TicketClosed, NoAddress, BadAddress.
    """
    with ticket.one_change():
        return _reply(ticket, text, by, status, seen, cc, bcc, attachments, once)


def _reply(
    ticket: Ticket,
    text: str,
    by: User | ApiToken,
    status: str,
    seen: int | None,
    cc: Sequence[str] | None,
    bcc: Sequence[str],
    attachments: Iterable[Attachment],
    once: str | None,
) -> Message:
    ticket.lock()
    if known := said(once):
        return known
    if ticket.status == Status.CLOSED:
        raise TicketClosed(_("Ticket #%s is closed. Nothing can be added to it.") % ticket.number)
    if ticket.status == Status.SPAM:
        spam.clear(ticket, by=by)  # what is answered is none
    if seen is not None and (newer := newer_than(ticket, seen, by)):
        raise NewerMessages(newer)
    address = recipient(ticket)
    if address is None:
        raise NoAddress(_("We know no address of %s. Add one on the customer's page.") % ticket.requester)
    people = read_along(ticket, cc) if cc is not None else [p.address for p in ticket.participants.all()]
    hidden = beside(bcc, [address.shown, *people])
    message = write(ticket, Message.Kind.REPLY, text, by, attachments, once, to=address.shown, cc=people, bcc=hidden or None)
    row = Outgoing(
        key=f"{KIND}:{message.pk}",
        kind=KIND,
        klass=Class.REPLY,
        lane=Lane.REPLIES,
        customer=ticket.requester,
        address=address,
        to=address.shown,
        cc=people,
        bcc=hidden or None,
        mailbox=ticket.mailbox,
        title=ticket.subject[:200],
        topic_id=ticket.topic_id,
        ticket_id=ticket.pk,
        message_id=message.pk,
        due_at=leaves_at(message, by),
    )
    outbox.plan([row])
    message.outgoing_id = row.pk
    message.before = ticket.replied(message, by=by, status=status)
    message.save(update_fields=["outgoing_id", "before"])
    forget_draft(ticket, by)
    return message


def check_answered(ticket: Ticket) -> Message | None:
    """What they wrote last; raises NotAnswered where nothing may be written by itself because of it."""
    newest = ticket.messages.filter(kind__in=(Message.Kind.CUSTOMER, Message.Kind.AUTOMATIC)).order_by("-pk").first()
    if ticket.status == Status.SPAM or (newest and newest.kind == Message.Kind.AUTOMATIC):
        raise NotAnswered(_("What they wrote is automatic, or spam: nothing automatic answers it."))
    return newest


@transaction.atomic
def automatic(ticket: Ticket, text: str, *, by: Any, reason: str, once: str) -> Message:
    """Write to the requester without anybody having pressed Send: it leaves as automatic mail, under its backstops.

    Nobody here has answered by it, so it moves no clock and no status. With the same ``once`` it is one. Raises TicketClosed,
    NoAddress, NotAnswered.
    """
    with ticket.one_change():
        ticket.lock()
        if known := said(once):
            return known
        if ticket.status == Status.CLOSED:
            raise TicketClosed(_("Ticket #%s is closed. Nothing can be added to it.") % ticket.number)
        check_answered(ticket)
        address = recipient(ticket)
        if address is None:
            raise NoAddress(_("We know no address of %s. Add one on the customer's page.") % ticket.requester)
        message = write(ticket, Message.Kind.REPLY, text, by, (), once, to=address.shown, cc=[], reason=reason[:200])
        row = Outgoing(
            key=f"{KIND}:{message.pk}",
            kind=KIND,
            klass=Class.TRANSACTIONAL,
            lane=Lane.REPLIES,
            customer=ticket.requester,
            address=address,
            to=address.shown,
            mailbox=ticket.mailbox,
            title=ticket.subject[:200],
            topic_id=ticket.topic_id,
            ticket_id=ticket.pk,
            message_id=message.pk,
            due_at=message.at,
        )
        outbox.plan([row])
        message.outgoing_id = row.pk
        message.save(update_fields=["outgoing_id"])
        ticket.answered_by_itself(message, by=by)
    return message


@transaction.atomic
def note(
    ticket: Ticket,
    text: str,
    *,
    by: Any,
    attachments: Iterable[Attachment] = (),
    once: str | None = None,
    by_itself: bool = False,
) -> Message:
    """Write to the team only. It leaves for nobody, moves no clock, and may be added to a closed ticket.

    ``by_itself`` is what a rule writes. With the same ``once`` it is one.
    """
    ticket.lock()
    if known := said(once):
        return known
    message = write(ticket, Message.Kind.NOTE, text, by, attachments, once)
    ticket.noted(message, by=by, by_itself=by_itself)
    forget_draft(ticket, by)
    return message


@transaction.atomic
def unsend(message: Message, *, by: User) -> bool:
    """Take a reply or a forward back before it leaves: the words return to its author's draft. False when it is too late."""
    ticket = message.ticket
    ticket.lock()
    rows = Outgoing.objects.filter(pk=message.outgoing_id or 0)
    if not message.leaves or not outbox.cancel(rows, reason=_("by %s") % by, by=by):
        return False
    kept = {"kind": message.kind, "text": message.text, "bcc": ", ".join(message.bcc or []), "saved_at": now()}
    if message.kind == Message.Kind.FORWARD:
        kept |= {"to": ", ".join([message.to, *message.cc]), "forwards_id": message.forwards_id}
    else:
        kept["cc"] = ", ".join(message.cc)
    draft, _new = Draft.objects.update_or_create(ticket=ticket, user=by, defaults=kept)
    theirs = Message.attachments.through.objects.filter(message=message.forwards_id).values("attachment")
    draft.attachments.set(message.attachments.exclude(pk__in=theirs))  # those of the message it passes on come along again
    ticket.unsent(message, by=by)
    message.delete()
    return True


def newer_than(ticket: Ticket, seen: int, reader: Any) -> list[Message]:
    """What others wrote after the message that the reader saw last."""
    newer = ticket.messages.filter(pk__gt=seen).select_related("user", "customer").order_by("pk")
    return [message for message in newer if message.user_id is None or message.user_id != getattr(reader, "pk", None)]


def recipient(ticket: Ticket) -> Address | None:
    """Where the requester wrote from, or else their first address."""
    if ticket.address and ticket.address.customer_id == ticket.requester_id:
        return ticket.address
    return Address.objects.filter(customer=ticket.requester_id, channel="email").order_by("-is_primary", "id").first()


def read_along(ticket: Ticket, addresses: Sequence[str]) -> list[str]:
    """Exactly these people read along from now on. Returns their addresses; raises BadAddress, naming the one."""
    wanted = each_once(addresses)
    for own in Address.objects.filter(customer=ticket.requester_id).values_list("canonical", flat=True):
        wanted.pop(own, None)  # they are in To already
    ticket.participants.exclude(canonical__in=wanted).delete()
    Participant.objects.bulk_create(
        [Participant(ticket=ticket, canonical=key, address=shown) for key, shown in wanted.items()], ignore_conflicts=True
    )
    return list(wanted.values())


def each_once(addresses: Sequence[str]) -> dict[str, str]:
    """Canonical address → as it was written. Raises BadAddress, naming the one that is none, or for too many."""
    wanted: dict[str, str] = {}
    for address in addresses:
        if address.strip():
            wanted.setdefault(_canonical(address), address.strip())
    if len(wanted) > MAX_CC:
        raise identity.BadAddress(_("At most %d people can read along.") % MAX_CC)
    return wanted


def beside(addresses: Sequence[str], named: Sequence[str]) -> list[str]:
    """Those of these that the others do not name already."""
    wanted = each_once(addresses)
    known = {identity.canonical(address) for address in named} if wanted else set()
    return [shown for canonical, shown in wanted.items() if canonical not in known]


def leaves_at(message: Message, by: User | ApiToken) -> datetime:
    """A person has some seconds to take it back."""
    return message.at + timedelta(seconds=settings.UNDO_SEND if isinstance(by, User) else 0)


def _canonical(address: str) -> str:
    try:
        return identity.canonical(address)
    except identity.BadAddress as error:
        raise identity.BadAddress(_("“%(address)s” is no email address.") % {"address": address.strip()[:80]}) from error


def said(once: str | None) -> Message | None:
    return Message.objects.filter(once=once).first() if once else None


def write(
    ticket: Ticket, kind: str, text: str, by: Any, attachments: Iterable[Attachment], once: str | None, **fields: Any
) -> Message:
    """The row of a message by a person or whatever has a name; pictures that it names, ``![…](cid:name)``, stand in its HTML."""
    person = by if isinstance(by, User) else None
    files = list(attachments)
    message = Message.objects.create(
        ticket=ticket,
        kind=kind,
        user=person,
        name="" if person else by.name,
        text=text,
        html=placed(from_markdown(text), files),
        once=once,
        at=now(),
        **fields,
    )
    message.attachments.set(files)
    return message


def forget_draft(ticket: Ticket, by: Any) -> None:
    if isinstance(by, User):
        Draft.objects.filter(ticket=ticket, user=by).delete()
