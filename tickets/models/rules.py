"""Rules, what each of them was when, and which change of which ticket met them."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Max, Q
from django.utils.translation import gettext_lazy as _

from helpdesk.accounts.locks import one_at_a_time
from helpdesk.accounts.models import User
from helpdesk.customers.models import Event, EventDelivery
from helpdesk.lib.dates import now
from tickets.models.clocks import Hours
from tickets.models.ticket import Ticket

RULES = "tickets.rules.on_events"  # the subscriber that has them meet
MOST = 10_000


class RuleKind(models.TextChoices):
    """Each is a list of its own, in its own order."""

    CREATE = "create", _("When a ticket comes in")
    UPDATE = "update", _("When a ticket changes")
    TIME = "time", _("After a time")


class Rule(models.Model):
    """One rule by its name and place; what it says is its newest version."""

    kind = models.CharField(max_length=6, choices=RuleKind.choices)
    name = models.CharField(max_length=120)
    position = models.PositiveIntegerField(default=0)
    is_enabled = models.BooleanField(default=False)
    removed_at = models.DateTimeField(null=True)
    began_at = models.DateTimeField(null=True)  # it says this since then: a time that was over by then is left alone
    hours_turn = models.PositiveIntegerField(default=1)  # one more each time that working hours are others
    version = models.ForeignKey("RuleVersion", null=True, on_delete=models.PROTECT, related_name="+", db_index=False)

    class Meta:
        ordering = ["kind", "position", "id"]
        constraints = [
            models.UniqueConstraint(fields=["kind", "name"], condition=Q(removed_at=None), name="rule_name_once"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def ref(self) -> str:
        return f"rule:{self.pk}"

    @property
    def archived_at(self) -> datetime | None:
        """For `removal`. Its versions name it, so it is never deleted; unlike others it leaves its name to a new one."""
        return self.removed_at

    @staticmethod
    def last_place(kind: str) -> int:
        return Rule.objects.filter(kind=kind, removed_at=None).aggregate(last=Max("position"))["last"] or 0

    def put_away(self) -> None:
        """Out of its list, off; what it did can be asked about all the same."""
        self.removed_at, self.is_enabled = now(), False
        self.save(update_fields=["removed_at", "is_enabled"])
        RuleTimer.objects.filter(rule=self).delete()

    def bring_back(self) -> None:
        """At the end of its list, still off. Raises IntegrityError where that has one of its name by now."""
        one_at_a_time(f"rules:{self.kind}")
        self.removed_at, self.position = None, Rule.last_place(self.kind) + 1
        self.save(update_fields=["removed_at", "position"])


class RuleVersion(models.Model):
    """What a rule said from then on; never changed, so that "why" can be asked again."""

    rule = models.ForeignKey(Rule, on_delete=models.CASCADE, related_name="versions", db_index=False)
    number = models.PositiveIntegerField()
    name = models.CharField(max_length=120)
    happened = ArrayField(models.CharField(max_length=60), default=list, blank=True)  # kinds of events; none: any
    since = models.CharField(max_length=30, blank=True)  # of "after a time": the moment it counts from, a key of timers.SINCE
    minutes = models.PositiveIntegerField(default=0)  # and how long after it, around the clock or in the hours of its team
    hours = models.CharField(max_length=8, choices=Hours.choices, default=Hours.CALENDAR)
    conditions = models.JSONField(default=dict)
    actions = models.JSONField(default=dict)
    by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    at = models.DateTimeField(default=now)

    class Meta:
        ordering = ["-number"]
        constraints = [models.UniqueConstraint(fields=["rule", "number"], name="rule_version_once")]

    def __str__(self) -> str:
        return self.name


class RuleMeeting(models.Model):
    """One change of one ticket that met rules: which versions, in their order, what they saw, and which of them fired."""

    class State(models.TextChoices):
        PENDING = "pending"
        DONE = "done"
        FAILED = "failed"

    ticket = models.ForeignKey(Ticket, on_delete=models.CASCADE, related_name="meetings", db_index=False)
    key = models.CharField(max_length=80, unique=True)  # of the change; its events may come in several batches
    kind = models.CharField(max_length=6, choices=RuleKind.choices)
    only = models.ForeignKey(Rule, null=True, on_delete=models.CASCADE, related_name="+")  # whose time it is
    since = models.DateTimeField(null=True)  # and the moment that it counted from
    happened = ArrayField(models.CharField(max_length=60), default=list)
    changes = models.JSONField(default=dict)  # {field: [before, after]}
    actor = models.CharField(max_length=80, blank=True)
    began = models.BigIntegerField(null=True)  # the rule that made this change: it does not meet its own
    depth = models.PositiveSmallIntegerField(default=0)  # how many rules led here
    at = models.DateTimeField(default=now)
    state = models.CharField(max_length=8, choices=State.choices, default=State.PENDING)
    attempts = models.PositiveSmallIntegerField(default=0)
    met_at = models.DateTimeField(null=True)
    facts = models.JSONField(default=dict)  # what the fields were, by their names
    versions = ArrayField(models.BigIntegerField(), default=list)
    stopped = models.CharField(max_length=200, blank=True)  # why it met none

    class Meta:
        indexes = [
            models.Index(fields=["id"], name="rule_meeting_pending", condition=Q(state="pending")),
            models.Index(fields=["-id"], name="rule_meeting_failed", condition=Q(state="failed")),
            models.Index(fields=["ticket", "-id"], name="rule_meeting_of_ticket"),
            models.Index(fields=["at"], name="rule_meeting_at"),
        ]


def unruled(among: Collection[int] | None = None) -> set[int]:
    """What came in just now and has still to meet the rules: they may say whose it is, and what is promised of it.

    What failed once with them waits no more. Without ``among``, the first MOST of each kind that wait.
    """
    if not Rule.objects.filter(kind=RuleKind.CREATE, is_enabled=True, removed_at=None).exists():
        return set()
    waiting = RuleMeeting.objects.filter(state=RuleMeeting.State.PENDING, kind=RuleKind.CREATE, attempts=0)
    owed = EventDelivery.objects.filter(subscriber=RULES, next_at__isnull=False, attempts=0).values("event_id")
    told = Event.objects.filter(pk__in=owed, kind="ticket.opened")
    if among is not None:
        waiting, told = waiting.filter(ticket__in=among), told.filter(payload__ticket__in=list(among))
    pairs = told.order_by("pk").values_list("payload__ticket", "payload__imported")[:MOST]
    found = waiting.order_by("pk").values_list("ticket", flat=True)[:MOST]
    return {*found, *(ticket for ticket, imported in pairs if not imported)}


class RuleRun(models.Model):
    """A rule fired for a change, at most once, and what came of each thing it does."""

    meeting = models.ForeignKey(RuleMeeting, on_delete=models.CASCADE, related_name="runs")
    rule = models.ForeignKey(Rule, on_delete=models.CASCADE, related_name="runs", db_index=False)
    version = models.ForeignKey(RuleVersion, on_delete=models.CASCADE, related_name="+", db_index=False)
    ticket = models.ForeignKey(Ticket, on_delete=models.CASCADE, related_name="+")
    once = models.CharField(max_length=60, null=True)  # of "after a time": the moment that it counted from
    results: Any = models.JSONField(default=list)  # [{"words": …, "error": …}]
    facts: Any = models.JSONField(default=dict)  # what it changed among the facts: the rules after it saw these
    at = models.DateTimeField(default=now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["meeting", "rule"], name="rule_run_once"),
            models.UniqueConstraint(fields=["rule", "ticket", "once"], name="rule_run_once_a_moment"),
        ]
        indexes = [
            models.Index(fields=["rule", "-id"], name="rule_run_of_rule"),
            models.Index(fields=["rule", "at"], name="rule_run_lately"),
        ]


class RuleTimer(models.Model):
    """When the time of a rule comes for a ticket."""

    rule = models.ForeignKey(Rule, on_delete=models.CASCADE, related_name="+", db_index=False)
    ticket = models.ForeignKey(Ticket, on_delete=models.CASCADE, related_name="+")
    since = models.DateTimeField()  # the moment it counts from
    due_at = models.DateTimeField()
    counted = models.PositiveIntegerField(null=True)  # of working time: in the hours of which turn; 0 where it is still to count

    class Meta:
        indexes = [
            models.Index(fields=["due_at", "id"], name="rule_timer_due"),
            models.Index(fields=["rule", "counted"], name="rule_timer_counted", condition=Q(counted__isnull=False)),
        ]
        constraints = [models.UniqueConstraint(fields=["rule", "ticket"], name="rule_timer_once")]
