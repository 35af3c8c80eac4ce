"""What is stuck, and the operator's way to set it going again."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import BinaryField, Count, Func, QuerySet, Value
from django.db.models.functions import Concat, Left
from django.utils.translation import gettext as _

from helpdesk.accounts.models import User, audit
from helpdesk.customers import dispatch
from helpdesk.customers.models import Event, EventDelivery
from helpdesk.lib.dates import now
from helpdesk.live import bell
from helpdesk.mail.models import IncomingMail, Mailbox, MailSwitch
from helpdesk.mail.parsing import glance

State = IncomingMail.State
SHOWN = 50
FAILS_FOR = timedelta(minutes=5)  # what passes sooner is no news
UNSEEN_FOR = timedelta(minutes=10)
HEAD = 16_000  # bytes of a mail that are looked at for a list
ENDS = (State.TICKETED, State.IGNORED, State.QUARANTINED, State.ACCEPTED)


@dataclass
class Sum:
    """What became of the mail of one mailbox; ``total`` is every row, so that the sum can be checked."""

    mailbox: Mailbox
    total: int
    ticketed: int
    ignored: int
    quarantined: int
    in_flight: int

    @property
    def holds(self) -> bool:
        """Accepted = ticketed + ignored + quarantined + in flight."""
        return self.total == self.ticketed + self.ignored + self.quarantined + self.in_flight


def sums() -> list[Sum]:
    """The sums of all mailboxes, in two queries."""
    counts: dict[int, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for mailbox, state, number in IncomingMail.objects.values_list("mailbox", "state").annotate(number=Count("pk")).order_by():
        counts[mailbox][state] = number
    return [Sum(box, sum(counts[box.pk].values()), *(counts[box.pk][state] for state in ENDS)) for box in Mailbox.objects.all()]


@dataclass
class Failing:
    """A mailbox whose mail does not come: what is wrong, and since when nobody could read it."""

    mailbox: Mailbox
    since: datetime
    reason: str


def failing() -> list[Failing]:
    """The mailboxes with a server of their own that fail for some minutes, or that nobody looks into, in one query."""
    at, found = now(), []
    for box in Mailbox.objects.exclude(imap_host=""):
        worked, looked = box.worked_at or box.created_at, box.fetched_at or box.created_at
        if box.last_error and at - worked > FAILS_FOR:
            found.append(Failing(box, worked, box.last_error))
        elif at - looked > UNSEEN_FOR:
            found.append(Failing(box, looked, _("Nobody looks into it: is the process of the mailboxes running?")))
    return found


def quarantined() -> QuerySet[IncomingMail]:
    """Mail that could not be read or placed, newest first, without its bytes."""
    return IncomingMail.objects.filter(state=State.QUARANTINED).defer("raw").select_related("mailbox").order_by("-id")


def ignored() -> QuerySet[IncomingMail]:
    """Mail that became no ticket, newest first, without its bytes."""
    return IncomingMail.objects.filter(state=State.IGNORED).defer("raw").select_related("mailbox").order_by("-id")


@dataclass
class Glimpse:
    """A mail in a list: who it says it is from, and its subject."""

    mail: IncomingMail
    writer: str
    subject: str


def glanced(mails: QuerySet[IncomingMail]) -> list[Glimpse]:
    """These few mails, of which no more is read than their first bytes."""
    head = Func("raw", 1, HEAD, function="SUBSTRING", output_field=BinaryField())
    return [Glimpse(mail, *glance(bytes(mail.head))) for mail in mails.annotate(head=head)]


def running() -> list[tuple[str, Any]]:
    """What an admin could stop now, and the words of its button."""
    off = set(MailSwitch.objects.values_list("name", flat=True))
    words = {"campaigns": _("Stop campaign mail"), "replies": _("Stop replies"), "all": _("Stop everything")}
    return [] if "all" in off else [(name, text) for name, text in words.items() if name not in off]


def switches() -> list[MailSwitch]:
    return list(MailSwitch.objects.order_by("name"))


@transaction.atomic
def read_again(mails: QuerySet[IncomingMail], *, by: User) -> int:
    """Put quarantined mail back in the line; what is elsewhere by now stays there. Returns how many."""
    chosen = list(mails.filter(state=State.QUARANTINED).select_for_update(of=("self",)).values_list("pk", flat=True))
    IncomingMail.objects.filter(pk__in=chosen).update(
        state=State.ACCEPTED, reason="", attempts=0, next_at=now(), lease_until=None, owner=""
    )
    for pk in chosen:
        audit("mail.read_again", actor=by.ref, subject=f"incoming:{pk}")
    if chosen:
        bell.ring("helpdesk.mail.tasks.process_incoming")
    return len(chosen)


@transaction.atomic
def take_by_hand(mails: QuerySet[IncomingMail], *, by: User) -> int:
    """A person says that people wrote these, whatever their headers say: they are read again as such. Returns how many."""
    chosen = list(mails.filter(state=State.IGNORED).select_for_update(of=("self",)).values_list("pk", "reason"))
    IncomingMail.objects.filter(pk__in=[pk for pk, _reason in chosen]).update(
        state=State.ACCEPTED, reason="", by_hand=True, attempts=0, next_at=now(), lease_until=None, owner=""
    )
    for pk, reason in chosen:
        audit("mail.taken_by_hand", actor=by.ref, subject=f"incoming:{pk}", before={"reason": reason})
    if chosen:
        bell.ring("helpdesk.mail.tasks.process_incoming")
    return len(chosen)


@transaction.atomic
def discard(mails: QuerySet[IncomingMail], *, by: User) -> int:
    """A person looked at quarantined mail and wants nothing of it; its bytes stay. Returns how many."""
    chosen = list(mails.filter(state=State.QUARANTINED).select_for_update(of=("self",)).values_list("pk", "reason"))
    words = Concat(Value(_("Discarded by %s: ") % by), "reason")
    IncomingMail.objects.filter(pk__in=[pk for pk, _reason in chosen]).update(
        state=State.IGNORED, reason=Left(words, 300), processed_at=now()
    )
    for pk, reason in chosen:
        audit("mail.discarded", actor=by.ref, subject=f"incoming:{pk}", before={"reason": reason})
    return len(chosen)


@transaction.atomic
def deliver_again(deliveries: QuerySet[EventDelivery], *, by: User) -> int:
    """Owe these events their subscriber's attention at once. Returns how many."""
    chosen = list(deliveries.select_for_update().values_list("pk", "subscriber", "event_id"))
    for _pk, subscriber, event in chosen:
        audit("event.delivered_again", actor=by.ref, subject=f"event:{event}", after={"subscriber": subscriber})
    return dispatch.retry([pk for pk, _subscriber, _event in chosen])


def stuck_events() -> list[dict[str, Any]]:
    """Events that a subscriber failed on, with what they were, in two queries."""
    rows = list(dispatch.failing()[:SHOWN])
    events = Event.objects.select_related("customer").in_bulk([row.event_id for row in rows])
    return [{"delivery": row, "event": events.get(row.event_id)} for row in rows]
