"""A colleague passes a customer's mail on to a mailbox of ours: it is the customer's, and what stands above it is a note."""

from dataclasses import dataclass, replace

from django.conf import settings
from django.utils.translation import gettext as _

from helpdesk.accounts.access import AGENTS
from helpdesk.accounts.models import User
from helpdesk.customers.addresses import BadAddress
from helpdesk.lib.dates import now
from helpdesk.lib.html import from_text
from helpdesk.mail import addresses, threading
from helpdesk.mail.parsing import Address, Mail, TooHard, forwards, phrases, read_guarded
from tickets.models import Message, Ticket

LETTER = "message/rfc822"


@dataclass(frozen=True)
class PassedOn:
    mail: Mail  # as its first writer sent it, as far as it can be told
    threads: Mail  # what says which conversation it belongs to
    sender: Address
    colleague: User
    above: str


def read(mail: Mail, writer: Address, verified: bool | None, ours: set[str]) -> PassedOn | None:
    """The customer's mail in that of an agent; None if it is none, or if nothing says that the agent sent it.

    Believed is a mail that is verified, and without TRUSTED_AUTHSERV any: whoever writes in an agent's name then gets what
    they get by writing in the customer's, a ticket in that name, and nothing leaves for it.
    """
    if mail.automatic or not (verified or (verified is None and not settings.TRUSTED_AUTHSERV)):
        return None
    if not (phrases.FORWARD_SUBJECT.match(mail.subject) or any(each.content_type == LETTER for each in mail.attachments)):
        return None
    colleague = User.objects.active().filter(email__iexact=writer.address, role__in=AGENTS).first()
    found = (_in_the_text(mail, colleague) or _as_a_file(mail, colleague)) if colleague else None
    if not found or not _is_customer(found.sender.address, ours) or found.sender.address.lower() == writer.address.lower():
        return None
    return found


def _in_the_text(mail: Mail, colleague: User) -> PassedOn | None:
    said = threading.unmarked(mail)
    found = forwards.read(said.text, said.subject)
    if found is None:
        return None
    inner = replace(said, subject=found.subject, text=found.text, reply=found.text, reply_html="")
    return PassedOn(inner, mail, found.sender, colleague, found.above)


def _as_a_file(mail: Mail, colleague: User) -> PassedOn | None:
    """The one mail that is attached, where the subject says that it is passed on or nothing else is said.

    It is read like any other, and what came with either goes along.
    """
    letters = [each for each in mail.attachments if each.content_type == LETTER]
    if len(letters) != 1 or not (phrases.FORWARD_SUBJECT.match(mail.subject) or not mail.text.strip()):
        return None
    try:
        inner = read_guarded(letters[0].content)
    except TooHard:
        return None
    if inner.from_ is None:
        return None
    said = replace(threading.unmarked(inner), automatic=None, bounce=None, attachments=(*inner.attachments, *mail.attachments))
    return PassedOn(said, inner, inner.from_, colleague, threading.unmarked(mail).text.strip())


def _is_customer(address: str, ours: set[str]) -> bool:
    try:
        return not addresses.is_machine(address) and addresses.plain(address) not in ours
    except BadAddress:
        return False


def note(ticket: Ticket, passed_on: PassedOn) -> Message:
    """The colleague's words, for the team only; by mail, so not signed with their account."""
    words = passed_on.above or _("Passed this mail on.")
    message = Message.objects.create(
        ticket=ticket,
        kind=Message.Kind.NOTE,
        name=_("%s, by mail") % passed_on.colleague,
        address=passed_on.colleague.email,
        text=words,
        html=from_text(words),
        at=now(),
    )
    ticket.noted(message, by="")
    return message
