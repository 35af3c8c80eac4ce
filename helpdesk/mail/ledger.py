"""One customer's line through time: what they were sent, now, what is held and why, what comes."""

from dataclasses import dataclass, field

from django.db.models import Q, QuerySet

from helpdesk.accounts.access import MANAGERS
from helpdesk.accounts.models import Reach, User
from helpdesk.live.streams import permitted
from helpdesk.mail import outbox
from helpdesk.mail.models import WAITING, Outgoing, State

SIGN_IN = "account.mail"
PAST = 5
COMING = 10


@dataclass
class Ledger:
    """Each part in the order of time; ``more`` when there is more of the past than shown."""

    customer_id: int
    past: list[Outgoing] = field(default_factory=list)
    waiting: list[Outgoing] = field(default_factory=list)
    more: bool = False

    def __bool__(self) -> bool:
        return bool(self.past or self.waiting)


def ledger(customer_id: int, reader: User) -> Ledger:
    """What the reader may see of it, in one query: the newest five of the past and the next ten."""
    rows = seen_by(reader).filter(customer_id=customer_id)
    newest = rows.exclude(state__in=WAITING).order_by("-due_at", "-id")[: PAST + 1]
    coming = rows.filter(state__in=WAITING).order_by("due_at", "id")[:COMING]
    found = sorted(newest.union(coming, all=True), key=lambda each: (each.due_at, each.pk))
    past = [each for each in found if each.state not in WAITING]
    return Ledger(customer_id, past[-PAST:], [each for each in found if each.state in WAITING], more=len(past) > PAST)


def seen_by(reader: User) -> QuerySet[Outgoing]:
    """Whoever reads some tickets only finds no mail of tickets here; each ticket shows its own."""
    rows = Outgoing.objects.defer("rendered", "variables")
    return rows if reader.reach == Reach.ALL else rows.filter(ticket_id=None)


def may_read(reader: User, outgoing: Outgoing) -> bool:
    """A reply is read by whoever reads its ticket; sign-in mail, with its links, by nobody; the rest by everybody here."""
    if outgoing.kind == SIGN_IN:
        return False
    return outgoing.ticket_id is None or bool(permitted(reader, [f"ticket:{outgoing.ticket_id}"]))


def may_decide(reader: User, outgoing: Outgoing) -> bool:
    """Whoever may read it; and managers about sign-in mail, of which they see the title alone."""
    return may_read(reader, outgoing) or (outgoing.kind == SIGN_IN and reader.has_role(*MANAGERS))


def unsettled() -> QuerySet[Outgoing]:
    """Messages of which nobody knows whether they arrived, newest first: they wait for evidence or a person."""
    return Outgoing.objects.filter(state=State.UNKNOWN).select_related("customer", "mailbox").order_by("-id")


def stuck() -> QuerySet[Outgoing]:
    """Messages that a mail server put off, or that we could not prepare: each is tried again by itself."""
    put_off = Q(state=State.RETRY_WAIT) | Q(state=State.HELD, hold_for=outbox.TROUBLE)
    return Outgoing.objects.filter(put_off).select_related("customer").order_by("id")
