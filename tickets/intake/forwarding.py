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
from helpdesk.mail.parsing import Address, Mail, forwards
from tickets.models import Message, Ticket


@dataclass(frozen=True)
class PassedOn:
    mail: Mail  # as its first writer sent it, as far as it can be told
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
    mail = threading.unmarked(mail)
    found = forwards.read(mail.text, mail.subject)
    if found is None or not _is_customer(found.sender.address, ours):
        return None
    colleague = User.objects.active().filter(email__iexact=writer.address, role__in=AGENTS).first()
    if colleague is None or found.sender.address.lower() == colleague.email.lower():
        return None
    inner = replace(mail, subject=found.subject, text=found.text, reply=found.text, reply_html="")
    return PassedOn(inner, found.sender, colleague, found.above)


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
