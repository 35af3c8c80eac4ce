"""What is kept of a ticket."""

from datetime import timedelta
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex, OpClass
from django.contrib.postgres.search import SearchVector
from django.db import models
from django.db.models import F, Func, Q, Value

from helpdesk.accounts.models import Team, User
from helpdesk.customers.models import Address, Customer
from helpdesk.knowledge.models import Topic
from helpdesk.lib.dates import now
from helpdesk.mail.models import Mailbox
from tickets.models.change import Changing
from tickets.models.saved import DUE, URGENCY, WAITING
from tickets.models.terms import LIVE, OURS, Channel, Priority, Status


class TicketRow(Changing):
    """A ticket as it is kept: its columns, the indexes that lists and queues go by, and what these say of it."""

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
    topic = models.ForeignKey(Topic, null=True, blank=True, on_delete=models.SET_NULL, related_name="+", db_index=False)
    channel = models.CharField(max_length=10, choices=Channel.choices)
    language = models.CharField(max_length=10, blank=True)
    tags = ArrayField(models.CharField(max_length=60), default=list, blank=True)
    attributes = models.JSONField(default=dict, blank=True)
    decided = models.JSONField(default=dict, db_default={}, blank=True)  # who set topic, team, priority: {"topic": "user:5"}
    priority_reasons = models.JSONField(default=list, db_default=[], blank=True)  # of tickets.priority; others give none

    once = models.CharField(max_length=120, null=True, unique=True)  # "form:…", "event:5": the same way in twice is one ticket
    outgoing_id = models.BigIntegerField(null=True)  # the message of ours that this answers
    campaign_id = models.BigIntegerField(null=True)
    follow_up_of = models.ForeignKey("self", null=True, on_delete=models.SET_NULL, related_name="follow_ups")

    imported_at = models.DateTimeField(null=True)  # it was brought in from elsewhere: what fell due before was missed there
    opened_at = models.DateTimeField(default=now)
    first_replied_at = models.DateTimeField(null=True)
    waiting_since = models.DateTimeField(null=True)  # the oldest message of theirs that nobody answered
    last_customer_message_at = models.DateTimeField(null=True)
    last_message_at = models.DateTimeField(default=now)
    last_message_id = models.BigIntegerField(null=True)
    said = models.CharField(max_length=200, blank=True)  # the first words of what they said last, for lists
    # of its clocks, kept by tickets.clocks: when the next promise is due, and when the first one was missed
    due_at = models.DateTimeField(null=True)
    breached_at = models.DateTimeField(null=True)
    solved_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)

    escalated_at = models.DateTimeField(null=True)  # see tickets.escalation
    escalated_to = models.CharField(max_length=160, blank=True, default="", db_default="")
    escalation_reason = models.CharField(max_length=300, blank=True, default="", db_default="")
    escalations = models.PositiveSmallIntegerField(default=0, db_default=0)  # how often
    facts_shown: list[tuple[Any, Any]] = []  # what a list tells of it by its columns (tickets/columns); no column

    class Meta:
        abstract = True
        indexes = [
            models.Index(
                fields=["waiting_since", "id"],
                name="ticket_waiting",
                condition=Q(status__in=("new", "open"), waiting_since__isnull=False),
            ),
            models.Index(fields=["-last_message_at", "-id"], name="ticket_live", condition=Q(status__in=LIVE)),
            models.Index(fields=["assignee", "-last_message_at", "-id"], name="ticket_of_person", condition=Q(status__in=LIVE)),
            models.Index(fields=["team", "-last_message_at", "-id"], name="ticket_of_team", condition=Q(status__in=LIVE)),
            models.Index(fields=["due_at", "id"], name="ticket_due", condition=Q(due_at__isnull=False)),  # then it is live
            models.Index(fields=["-id"], name="ticket_breached", condition=Q(breached_at__isnull=False)),
            GinIndex(fields=["tags"], name="ticket_tags"),
            models.Index(
                F("team"),
                URGENCY,
                F("due_at"),
                F("waiting_since"),
                F("id"),
                name="ticket_queue",
                condition=Q(status__in=("new", "open"), assignee__isnull=True),
            ),
            models.Index(
                fields=["assignee", "team"],
                name="ticket_load",
                condition=Q(status__in=("new", "open"), assignee__isnull=False),
            ),
            models.Index(fields=["-solved_at", "-id"], name="ticket_solved", condition=Q(status="solved")),
            models.Index(fields=["-last_message_at", "-id"], name="ticket_spam", condition=Q(status="spam")),
            models.Index(fields=["-last_message_at", "-id"], name="ticket_any", condition=~Q(status="spam")),
            models.Index(fields=["opened_at", "id"], name="ticket_live_opened", condition=Q(status__in=LIVE)),
            models.Index(WAITING, "id", name="ticket_live_waiting", condition=Q(status__in=LIVE)),
            models.Index(DUE, "id", name="ticket_live_due", condition=Q(status__in=LIVE)),
            models.Index(URGENCY, "id", name="ticket_live_urgency", condition=Q(status__in=LIVE)),
            models.Index(fields=["requester", "-opened_at", "-id"], name="ticket_of_customer"),
            models.Index(fields=["topic", "opened_at"], name="ticket_of_topic"),
            models.Index(fields=["requester"], name="ticket_live_of_customer", condition=Q(status__in=LIVE)),
            models.Index(fields=["outgoing_id"], name="ticket_answers", condition=Q(outgoing_id__isnull=False)),
            models.Index(fields=["campaign_id"], name="ticket_of_campaign", condition=Q(campaign_id__isnull=False)),
            GinIndex(SearchVector("subject", config="simple"), name="ticket_words"),
            GinIndex(OpClass("attributes", name="jsonb_path_ops"), name="ticket_attributes"),  # as conditions ask for a value
        ]

    def __str__(self) -> str:
        return f"#{self.number} {self.subject}"

    @property
    def is_live(self) -> bool:
        return self.status in LIVE

    @property
    def who(self) -> str:
        """The requester as a list names them, without another query."""
        return self.requester.name or (self.address.shown if self.address else str(self.requester))

    @property
    def short(self) -> str:
        return f"#{self.number}"

    @property
    def waited(self) -> timedelta | None:
        return now() - self.waiting_since if self.waiting_since else None

    @property
    def waits_on_us(self) -> bool:
        return self.status in OURS and self.waiting_since is not None

    def facts(self) -> dict[str, Any]:
        """What every event about this ticket carries."""
        return {"ticket": self.pk, "number": self.number, "subject": self.subject, "topic": self.topic_id}
