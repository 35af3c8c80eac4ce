"""Spam has a view of its own: it starts no clock, tells no campaign, and waits there for a person who says that it is none."""

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from helpdesk.accounts.models import User, audit
from helpdesk.customers import identity
from helpdesk.customers.models import Event
from helpdesk.lib.dates import now
from helpdesk.mail import addresses
from helpdesk.mail.parsing import Mail
from tickets.models import OURS, BlockedSender, Status, Ticket, TicketClosed


class OursBlocked(ValueError):
    """A domain of our own mailboxes would be blocked. Permanent."""


def is_blocked(address: str) -> str:
    """Why what this address writes by a form is spam, in words; "" where nobody blocked it. Raises BadAddress."""
    found = blocks(address).first()
    return _("%s is blocked") % found if found else ""


def why(mail: Mail, blocked: BlockedSender | None) -> str:
    """Why a mail that begins a conversation is spam, in words; "" for one that is not.

    A header counts where the operator names it in SPAM_HEADERS, for anybody can write one; it says "Yes" first.
    """
    if blocked:
        return _("%s is blocked") % blocked
    for name in settings.SPAM_HEADERS:
        value = mail.headers.line(name, 100)
        if value.lower().startswith("yes"):
            return f"{name}: {value}"
    return ""


def blocks(address: str) -> QuerySet[BlockedSender]:
    """What blocks this address: its own name, or that of its domain or of one above it."""
    name = identity.canonical(address)
    labels = name.rpartition("@")[2].split(".")
    return BlockedSender.objects.filter(name__in=[name, *(f"@{'.'.join(labels[first:])}" for first in range(len(labels)))])


@transaction.atomic
def mark(ticket: Ticket, *, by: User | object) -> bool:
    """Take a ticket for spam; nobody waits on it any more. False when it is there already. Raises TicketClosed."""
    ticket.lock()
    if ticket.status == Status.CLOSED:
        raise TicketClosed(_("Ticket #%s is closed. A new message starts a follow-up.") % ticket.number)
    if ticket.status == Status.SPAM:
        return False
    was = {name: getattr(ticket, name) for name in ("waiting_since", "solved_at")}
    before = {name: at and at.isoformat() for name, at in was.items()}
    status, ticket.status, ticket.waiting_since, ticket.solved_at = ticket.status, Status.SPAM, None, None
    ticket.save(update_fields=["status", "waiting_since", "solved_at"])
    ticket.record("ticket.marked_spam", by, was=str(status), **before)
    return True


@transaction.atomic
def clear(ticket: Ticket, *, by: User | object) -> bool:
    """It is none: it has the state it had, and whoever wrote has waited since then. What began in spam is told only now."""
    ticket.lock()
    if ticket.status != Status.SPAM:
        return False
    facts = Event.objects.filter(customer=ticket.requester_id, kind="ticket.marked_spam", payload__ticket=ticket.pk)
    marked = facts.order_by("-occurred_at", "-id").first()
    was = marked.payload if marked else {}
    began_here, wrote = not was.get("was"), ticket.last_customer_message_at
    ticket.status = Status(was.get("was") or Status.NEW)
    ticket.waiting_since = parse_datetime(was.get("waiting_since") or "")
    ticket.solved_at = parse_datetime(was.get("solved_at") or "")
    if began_here:
        ticket.waiting_since = ticket.opened_at if wrote else None
    elif marked and wrote and wrote > marked.occurred_at:  # they wrote while it lay there
        ticket.status = ticket.status if ticket.status in OURS else Status.OPEN
        ticket.waiting_since, ticket.solved_at = ticket.waiting_since or wrote, None
    ticket.save(update_fields=["status", "waiting_since", "solved_at"])
    ticket.record("ticket.cleared_of_spam", by, status=str(ticket.status))
    if began_here:
        identity.introduce(ticket.requester)
        ticket.told(ticket.messages.earliest("pk"), by=ticket.requester)
    return True


@transaction.atomic
def block(ticket: Ticket, *, by: User, domain: bool = False) -> BlockedSender:
    """Whoever wrote this ticket, or everybody of their domain, writes to spam from now on. The second time changes nothing.

    Raises NoSender for a ticket without an address, OursBlocked for one of ours.
    """
    address = ticket.address.canonical if ticket.address else ""
    if not address:
        raise NoSender(_("This ticket has no address that could be blocked."))
    host = address.rpartition("@")[2]
    ours = addresses.ours()
    if address in ours or (domain and host in {each.rpartition("@")[2] for each in ours}):
        raise OursBlocked(_("%s is ours.") % (f"@{host}" if domain else address))
    found, new = BlockedSender.objects.get_or_create(name=f"@{host}" if domain else address, defaults={"by": by, "at": now()})
    if new:
        audit("sender.blocked", actor=by.ref, subject=f"sender:{found.name}"[:120], after={"ticket": ticket.number})
    return found


class NoSender(ValueError):
    """There is nobody who could be blocked. Permanent."""


@transaction.atomic
def unblock(pk: int, *, by: User) -> bool:
    """Their mail is judged like anybody's again. False when that is so already."""
    found = BlockedSender.objects.select_for_update().filter(pk=pk).first()
    if found is None:
        return False
    audit("sender.unblocked", actor=by.ref, subject=f"sender:{found.name}"[:120])
    found.delete()
    return True
