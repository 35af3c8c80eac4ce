"""A read mail becomes words on a ticket: which ticket, whose words, and who else reads along."""

import re
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Exists, Q
from django.utils.translation import gettext as _

from helpdesk.accounts.locks import one_at_a_time
from helpdesk.customers import identity, reachability
from helpdesk.customers.models import Address, Customer
from helpdesk.lib.html import sanitize
from helpdesk.lib.text import one_line
from helpdesk.mail import addresses, authentication, outbox, threading
from helpdesk.mail.models import IncomingMail, Mailbox, Outgoing
from helpdesk.mail.parsing import Address as Written
from helpdesk.mail.parsing import Mail
from tickets import attachments, spam
from tickets.forwards import KIND as FORWARD
from tickets.intake import forwarding
from tickets.intake.opening import Words, hear, open_ticket
from tickets.models import Channel, Message, Participant, Status, Ticket

MAX_FOLLOWERS = 50
MAX_REFERENCES = 50  # looked up, newest first
MAX_ALIKE = 20  # messages that are compared by their files
NUMBER = re.compile(r"\[#(\d{1,18})\]")
State = IncomingMail.State


@dataclass(frozen=True)
class Received:
    """How a mail ended: ticketed, ignored or quarantined, the latter two with their reason in words."""

    state: str
    reason: str = ""
    ticket_id: int | None = None
    message_id: int | None = None


@transaction.atomic(savepoint=False)
def receive_mail(mail: Mail, incoming: IncomingMail) -> Received:
    """Ticket a mail that is no bounce. ``incoming.outgoing_id`` is what it answers, if a signature of ours proved it.

    Safe to run twice: a mail whose message is there already gives the same answer.
    """
    writer = author(mail)
    if writer is None:
        return Received(State.QUARANTINED, _("It names no sender that could be answered"))
    mailboxes = Mailbox.objects.select_related("team").only("address", "team__name", "team__slug")
    # asked along with them, which costs no way to the database of its own
    boxes = {box.pk: box for box in mailboxes.annotate(shut=Exists(spam.blocks(writer.address)))}
    blocked = spam.blocks(writer.address).first() if boxes[incoming.mailbox_id].shut else None
    ours = {identity.canonical(box.address) for box in boxes.values()}
    if addresses.plain(writer.address) in ours:
        return Received(State.IGNORED, _("It comes from an address of ours"))
    # Two copies may be on their way to two mailboxes at once: one after the other from here on.
    one_at_a_time(f"mail:{mail.message_id}")
    verified = authentication.verified(mail, writer.address)
    said, passed_on = threading.unmarked(mail), forwarding.read(mail, writer, verified, ours)
    if passed_on:  # from here on it is the mail of whoever wrote it first
        said, writer, verified = passed_on.mail, passed_on.sender, None
        incoming.outgoing_id = incoming.outgoing_id or threading.answered(passed_on.threads)
    alike = _alike(said, incoming, writer)
    if known := next((message for message in alike if message.incoming_id == incoming.pk), None):
        return Received(State.TICKETED, "", known.ticket_id, known.pk)
    if copy := _copy_of(mail, incoming, alike):
        return Received(
            State.IGNORED, _("A second copy of a message on ticket #%s") % copy.ticket.number, copy.ticket_id, copy.pk
        )

    ticket, answers = find_ticket(passed_on.threads if passed_on else mail, incoming, writer, verified)
    if mail.automatic and ticket is None and (answers or mail.in_reply_to or mail.references):
        return Received(State.IGNORED, _("An automatic answer: %s") % mail.automatic)
    if blocked and ticket and ticket.status != Status.SPAM:
        ticket, answers = None, None  # whoever is blocked goes on with nothing
    junk = spam.why(mail, blocked) if ticket is None else ""
    address = identity.address_for(writer.address, "" if verified is False else writer.name, told=not junk)
    if writer == mail.from_ and not mail.automatic and verified is not False:
        _alive(address, incoming)
    if answers and not mail.automatic:
        outbox.answered(answers.pk)
    kept = attachments.keep_mail(said)
    words = _words(said, incoming, writer, attachments.images(kept), kept, verified, junk)
    if ticket is None:
        stranger = False
        ticket = open_ticket(
            address.customer,
            said.subject,
            words,
            channel=Channel.MAIL,
            mailbox=boxes[incoming.mailbox_id],
            answers=answers,
            address=address,
        )
    else:
        stranger = not takes_part(ticket, address.customer, writer.address)
        aside = stranger and answers is not None and answers.kind == FORWARD
        ticket = hear(ticket, address.customer, words, stranger=stranger, aside=aside).ticket
    heard = ticket.last_message_id
    if passed_on:
        forwarding.note(ticket, passed_on)
    elif (
        not stranger and not mail.automatic and not junk and verified is not False
    ):  # else who writes in another's name reads along
        follow(ticket, [*mail.to, *mail.cc], ours)
    return Received(State.TICKETED, "", ticket.pk, heard)


def _alive(address: Address, incoming: IncomingMail) -> None:
    """Whoever writes from an address that we knew can be reached at it."""
    if not address.customer.just_made and (address.reachability != Address.Reachability.REACHABLE or address.soft_failures):
        reachability.worked(address, at=incoming.received_at)


def author(mail: Mail) -> Written | None:
    """Whom to answer: who it is from, or where a machine that sends for a person says that answers go."""
    found = mail.from_
    try:
        if found and mail.reply_to and addresses.is_machine(found.address):
            found = mail.reply_to[0]
        identity.canonical(found.address if found else "")
    except ValueError:
        return None
    return found


def find_ticket(
    mail: Mail, incoming: IncomingMail, writer: Written, verified: bool | None = None
) -> tuple[Ticket | None, Outgoing | None]:
    """The ticket that a mail goes on with, and the message of ours that it answers; what comes first decides.

    A signed plus address, a signed Message-ID (both in ``incoming.outgoing_id``); an id that we know in this mailbox; the
    signed marker in the body; the number in the subject, for who takes part. Automatic mail is known by its headers alone.
    """
    if answers := _sent(incoming.outgoing_id):
        return _answering(answers, writer), answers
    if ticket := _by_foreign_id(mail, incoming):
        return ticket, None
    if mail.automatic:
        return None, None
    if answers := _sent(threading.marked(mail)):
        incoming.outgoing_id = answers.pk  # saved with the mail's end
        return _answering(answers, writer), answers
    return (None if verified is False else _by_number(mail, writer)), None


def _sent(pk: int | None) -> Outgoing | None:
    return Outgoing.objects.filter(pk=pk).first() if pk else None


def _answering(answers: Outgoing, writer: Written) -> Ticket | None:
    """The ticket of a message of ours; of a campaign's, the one that its writer opened by answering it before."""
    if answers.ticket_id:
        return Ticket.objects.filter(pk=answers.ticket_id).first()
    canonical = identity.canonical(writer.address)
    began = Ticket.objects.filter(outgoing_id=answers.pk, requester__addresses__canonical=canonical)
    return began.exclude(status=Status.CLOSED).order_by("-id").first()


def _by_foreign_id(mail: Mail, incoming: IncomingMail) -> Ticket | None:
    ids = threading.foreign_ids(mail)[:MAX_REFERENCES]
    if not ids:
        return None
    named = Message.objects.filter(rfc_id__in=ids, ticket__mailbox=incoming.mailbox_id).select_related("ticket")
    known = {message.rfc_id: message.ticket for message in named.order_by("-id")}
    return next((known[i] for i in ids if i in known), None)


def _by_number(mail: Mail, writer: Written) -> Ticket | None:
    for number in NUMBER.findall(mail.subject)[:3]:
        ticket = Ticket.objects.filter(number=int(number)).select_related("requester").first()
        owner = Customer.objects.filter(addresses__canonical=identity.canonical(writer.address)).first()
        if ticket and takes_part(ticket, owner, writer.address):
            return ticket
    return None


def takes_part(ticket: Ticket, customer: Customer | None, address: str) -> bool:
    if customer and customer.pk == ticket.requester_id:
        return True
    return ticket.participants.filter(canonical=identity.canonical(address)).exists()


def follow(ticket: Ticket, people: list[Written], ours: set[str]) -> None:
    """New people in To and Cc read along from now on; our own addresses and machines do not."""
    found: dict[str, Written] = {}
    for person in people:
        try:
            canonical, plain = identity.canonical(person.address), addresses.plain(person.address)
        except ValueError:
            continue
        if plain not in ours and not addresses.is_machine(person.address):
            found.setdefault(canonical, person)
    if not found:
        return
    for canonical in Address.objects.filter(customer=ticket.requester_id).values_list("canonical", flat=True):
        found.pop(canonical, None)
    room = MAX_FOLLOWERS - ticket.participants.count()
    Participant.objects.bulk_create(
        [
            Participant(ticket=ticket, canonical=key, address=person.address, name=one_line(person.name))
            for key, person in list(found.items())[: max(room, 0)]
        ],
        ignore_conflicts=True,
    )


def _words(
    mail: Mail, incoming: IncomingMail, writer: Written, images: dict[str, str], kept: list, verified: bool | None, junk: str
) -> Words:
    quote = mail.text[len(mail.reply) :] if mail.text.startswith(mail.reply) else mail.text
    html = sanitize(mail.reply_html, images=images) if mail.reply_html else ""
    return Words(
        mail.reply,
        html=html,
        quote=quote.strip("\n"),
        attachments=kept,
        name=writer.name,
        address=writer.address,
        at=incoming.received_at,
        rfc_id=mail.message_id,
        references=mail.references,
        incoming_id=incoming.pk,
        automatic=mail.automatic or "",
        verified=verified,
        spam=junk,
        left_out=mail.notes,
        cc=[person.address for person in mail.cc],
    )


def _alike(mail: Mail, incoming: IncomingMail, writer: Written) -> list[Message]:
    """What this very mail became in an earlier run, and messages of the same id, sender and words, oldest first."""
    same = Q(rfc_id=mail.message_id[:998], address__iexact=writer.address, text=mail.reply)
    found = Message.objects.filter(Q(incoming_id=incoming.pk) | same)
    return list(found.only("ticket", "incoming_id").order_by("id")[:MAX_ALIKE])


def _copy_of(mail: Mail, incoming: IncomingMail, alike: list[Message]) -> Message | None:
    """The message that this mail already became by another mailbox: same id, sender, words and files.

    Within one mailbox the bytes decide (``inbox.receive``): whoever reuses an id there says something new.
    """
    sizes = sorted(attachment.size for attachment in mail.attachments)
    for message in alike:
        by_another = IncomingMail.objects.filter(pk=message.incoming_id or 0).exclude(mailbox=incoming.mailbox_id).exists()
        if by_another and sorted(message.attachments.values_list("blob__size", flat=True)) == sizes:
            return message
    return None
