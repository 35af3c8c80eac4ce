"""One conversation: whose turn it is, whose work it is, and what changes it."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector
from django.db import models, transaction
from django.db.models import Func, Q, Value
from django.utils.translation import gettext_lazy as _

from helpdesk.accounts.models import Team, User
from helpdesk.customers.models import Address, Customer
from helpdesk.customers.timeline import record
from helpdesk.knowledge.models import Topic
from helpdesk.lib.dates import now
from helpdesk.live.streams import announce
from helpdesk.mail.models import Mailbox

MAX_TAGS = 200


class Status(models.TextChoices):
    NEW = "new", _("New")
    OPEN = "open", _("Open")
    PENDING = "pending", _("Pending")
    HOLD = "hold", _("On hold")
    SOLVED = "solved", _("Solved")
    CLOSED = "closed", _("Closed")


LIVE = ("new", "open", "pending", "hold")  # plain words, for they also stand in the migrations
OURS = ("new", "open")  # the states in which it is our turn


class Priority(models.TextChoices):
    LOW = "low", _("Low")
    NORMAL = "normal", _("Normal")
    HIGH = "high", _("High")
    URGENT = "urgent", _("Urgent")


class Channel(models.TextChoices):
    FORM = "form", _("Web form")
    MAIL = "mail", _("Mail")
    API = "api", _("API")
    OUTREACH = "outreach", _("Outreach")


class TicketClosed(ValueError):
    """A closed ticket never changes; what comes later starts a follow-up. Permanent."""


class TicketQuerySet(models.QuerySet["Ticket"]):
    def live(self) -> "TicketQuerySet":
        return self.filter(status__in=LIVE)

    def waiting_on_us(self) -> "TicketQuerySet":
        return self.filter(status__in=OURS, waiting_since__isnull=False)

    def unassigned(self) -> "TicketQuerySet":
        return self.live().filter(assignee=None)

    def solved(self) -> "TicketQuerySet":
        return self.filter(status=Status.SOLVED)

    def of(self, customer: int) -> "TicketQuerySet":
        """A customer's tickets, newest first."""
        return self.filter(requester=customer).order_by("-opened_at", "-id")


class Ticket(models.Model):
    # From a sequence apart from the key: people see it, so it may have gaps and must never be a secret.
    number = models.BigIntegerField(unique=True, db_default=Func(Value("tickets_ticket_number"), function="nextval"))
    subject = models.CharField(max_length=250)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.NEW)
    priority = models.CharField(max_length=10, choices=Priority.choices, default=Priority.NORMAL)
    requester = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="tickets", db_index=False)
    address = models.ForeignKey(Address, null=True, on_delete=models.SET_NULL, related_name="+")  # where they wrote from
    team = models.ForeignKey(Team, null=True, blank=True, on_delete=models.SET_NULL, related_name="tickets", db_index=False)
    assignee = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="tickets", db_index=False)
    mailbox = models.ForeignKey(Mailbox, null=True, on_delete=models.PROTECT, related_name="+")  # we answer in its name
    topic = models.ForeignKey(Topic, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    channel = models.CharField(max_length=10, choices=Channel.choices)
    language = models.CharField(max_length=10, blank=True)
    tags = ArrayField(models.CharField(max_length=60), default=list, blank=True)
    attributes = models.JSONField(default=dict, blank=True)

    once = models.CharField(max_length=120, null=True, unique=True)  # "form:…", "mail:5": the same way in twice is one ticket
    outgoing_id = models.BigIntegerField(null=True)  # the message of ours that this answers
    campaign_id = models.BigIntegerField(null=True)
    follow_up_of = models.ForeignKey("self", null=True, on_delete=models.SET_NULL, related_name="follow_ups")

    opened_at = models.DateTimeField(default=now)
    first_replied_at = models.DateTimeField(null=True)
    waiting_since = models.DateTimeField(null=True)  # the oldest message of theirs that nobody answered
    last_customer_message_at = models.DateTimeField(null=True)
    last_message_at = models.DateTimeField(default=now)
    last_message_id = models.BigIntegerField(null=True)
    said = models.CharField(max_length=200, blank=True)  # the first words of what they said last, for lists
    solved_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)

    objects = TicketQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["waiting_since", "id"], name="ticket_waiting",
                         condition=Q(status__in=("new", "open"), waiting_since__isnull=False)),
            models.Index(fields=["-last_message_at", "-id"], name="ticket_live", condition=Q(status__in=LIVE)),
            models.Index(fields=["assignee", "-last_message_at", "-id"], name="ticket_of_person", condition=Q(status__in=LIVE)),
            models.Index(fields=["team", "-last_message_at", "-id"], name="ticket_of_team", condition=Q(status__in=LIVE)),
            models.Index(fields=["-solved_at", "-id"], name="ticket_solved", condition=Q(status="solved")),
            models.Index(fields=["requester", "-opened_at", "-id"], name="ticket_of_customer"),
            models.Index(fields=["requester"], name="ticket_live_of_customer", condition=Q(status__in=LIVE)),
            models.Index(fields=["outgoing_id"], name="ticket_answers", condition=Q(outgoing_id__isnull=False)),
            models.Index(fields=["campaign_id"], name="ticket_of_campaign", condition=Q(campaign_id__isnull=False)),
            GinIndex(SearchVector("subject", config="simple"), name="ticket_words"),
        ]

    def __str__(self) -> str:
        return f"#{self.number} {self.subject}"

    @property
    def is_live(self) -> bool:
        return self.status in LIVE

    def facts(self) -> dict[str, Any]:
        """What every event about this ticket carries."""
        return {"ticket": self.pk, "number": self.number, "subject": self.subject, "topic": self.topic_id}

    # --- what people do: each idempotent, in one transaction with its event ------------------------------------------

    @transaction.atomic
    def assign(self, to: User | None, *, by: Any) -> bool:
        """Make it somebody's work, or nobody's. False when that is so already."""
        self._lock()
        if self.assignee_id == (to.pk if to else None):
            return False
        self._set(assignee=to)
        self.record("ticket.assigned", by, to=to.pk if to else None, name=str(to or ""))
        return True

    def move_to(self, team: Team | None, *, by: Any) -> bool:
        return self._change("team", team, by)

    def prioritise(self, priority: str, *, by: Any) -> bool:
        return self._change("priority", Priority(priority), by)

    def file_under(self, topic: Topic | None, *, by: Any) -> bool:
        return self._change("topic", topic, by)

    def tag(self, tags: Iterable[str], *, by: Any) -> bool:
        """Give it exactly these tags."""
        return self._change("tags", clean_tags(tags), by)

    @transaction.atomic
    def set_status(self, status: str, *, by: Any, at: datetime | None = None) -> bool:
        """Any status a person may choose; solving and opening again are facts of their own."""
        wanted = Status(status)
        self._lock()
        if wanted == Status.SOLVED:
            return self.solve(by=by, at=at)
        if wanted == Status.CLOSED:
            return self.close(by=by, at=at)
        if self.status == Status.SOLVED:
            return self.reopen(by=by, at=at, status=wanted)
        was = self.status
        if was == wanted:
            return False
        self._set(status=wanted)
        self.record("ticket.status_changed", by, at=at, was=was, status=wanted.value)
        return True

    @transaction.atomic
    def solve(self, *, by: Any, at: datetime | None = None) -> bool:
        """Mark the conversation solved; a second call, also a concurrent one, changes nothing."""
        self._lock()
        was = self.status
        if was == Status.SOLVED:
            return False
        at = at or now()
        self._set(status=Status.SOLVED, solved_at=at, waiting_since=None)
        self.record("ticket.solved", by, at=at, was=was, campaign=self.campaign_id,
                    seconds=int((at - self.opened_at).total_seconds()))
        return True

    @transaction.atomic
    def reopen(self, *, by: Any, at: datetime | None = None, status: str = Status.OPEN) -> bool:
        """A solved ticket becomes work again, and waits on us from now on."""
        self._lock()
        if self.status != Status.SOLVED:
            return False
        at = at or now()
        self._set(status=Status(status), solved_at=None, waiting_since=at)
        self.record("ticket.reopened", by, at=at, status=str(status))
        return True

    @transaction.atomic
    def close(self, *, by: Any, at: datetime | None = None) -> bool:
        """For good: whoever writes after this starts a follow-up."""
        self._lock(closed=True)
        if self.status == Status.CLOSED:
            return False
        at = at or now()
        self._set(status=Status.CLOSED, closed_at=at, solved_at=self.solved_at or at, waiting_since=None)
        self.record("ticket.closed", by, at=at)
        return True

    def record(self, kind: str, by: Any, *, at: datetime | None = None, **payload: Any) -> None:
        """A fact about this ticket, and word to whoever looks at it."""
        record(kind, customer=self.requester_id, actor=by, at=at, **self.facts(), **payload)
        announce(f"ticket:{self.pk}", "inbox")

    # --- how they do it ----------------------------------------------------------------------------------------------

    def _lock(self, *, closed: bool = False) -> None:
        """Read the row again under its lock, so that two who change it at once do so one after the other."""
        self.refresh_from_db(from_queryset=Ticket.objects.select_for_update())
        if self.status == Status.CLOSED and not closed:
            raise TicketClosed(_("Ticket #%s is closed. A new message starts a follow-up.") % self.number)

    def _set(self, **values: Any) -> None:
        for name, value in values.items():
            setattr(self, name, value)
        self.save(update_fields=list(values))

    @transaction.atomic
    def _change(self, field: str, value: Any, by: Any) -> bool:
        """Set a plain property; its old and new value in words go into the event."""
        self._lock()
        was = getattr(self, field)
        if was == value:
            return False
        self._set(**{field: value})
        self.record("ticket.updated", by, field=field, was=in_words(was), now=in_words(value))
        return True


def clean_tags(tags: Iterable[str]) -> list[str]:
    """Tags as they are kept: no blanks around, none twice, in order."""
    return sorted({" ".join(tag.split())[:60] for tag in tags if tag.strip()})[:MAX_TAGS]


def in_words(value: Any) -> str:
    return ", ".join(value) if isinstance(value, list) else str(getattr(value, "label", value) or "")
