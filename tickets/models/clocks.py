"""What we promise about time: policies, the clocks they start on tickets, and the history that clocks are counted from."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from helpdesk.accounts.models import Archivable, Calendar, User
from helpdesk.lib.dates import now
from tickets.models.terms import Status
from tickets.models.ticket import Ticket


class Kind(models.TextChoices):
    FIRST_REPLY = "first_reply", _("First reply")
    NEXT_REPLY = "next_reply", _("Next reply")
    RESOLUTION = "resolution", _("Resolution")
    FULL_RESOLUTION = "full_resolution", _("Full resolution")  # goes on when a solved ticket is work again


TARGETS = (Kind.FIRST_REPLY, Kind.NEXT_REPLY, Kind.RESOLUTION)  # what a policy can promise


class Hours(models.TextChoices):
    BUSINESS = "business", _("Business hours")
    CALENDAR = "calendar", _("Around the clock")


NO_HOURS = "hours"  # why a clock stands still: its calendar never has enough of them


def usual_pauses() -> list[str]:
    return [Status.PENDING.value]


def unless_archived(collector: Any, field: Any, rows: Any, using: str) -> None:
    """A calendar stays while a policy goes by it; one that is archived lets it go."""
    models.SET_NULL(collector, field, rows.exclude(archived_at=None), using)
    if kept := rows.filter(archived_at=None):
        models.PROTECT(collector, field, kept, using)


class Policy(Archivable):
    """Targets for the tickets that meet its conditions; the first one in the list that is on and matches counts."""

    name = models.CharField(max_length=80, unique=True)
    position = models.PositiveIntegerField()
    is_on = models.BooleanField(default=True)
    conditions = models.JSONField(default=dict, blank=True)
    # priority → {"hours": Hours, "first_reply": minutes or null, "next_reply": …, "resolution": …}
    targets = models.JSONField(default=dict)
    pauses = ArrayField(models.CharField(max_length=10), default=usual_pauses, blank=True)
    warn_minutes = models.PositiveIntegerField(default=15)  # of the clock's own time, before it is due
    # whose hours count; none: those of the ticket's team, else the workspace's
    calendar = models.ForeignKey(Calendar, null=True, blank=True, on_delete=unless_archived, related_name="policies")
    version = models.PositiveIntegerField(default=1)
    changed_at = models.DateTimeField(default=now)  # what was due before this could not be kept, and is told to nobody

    class Meta:
        ordering = ["position", "id"]
        verbose_name_plural = "policies"

    def __str__(self) -> str:
        return self.name

    @property
    def ref(self) -> str:
        return f"policy:{self.pk}"

    @property
    def takes_all(self) -> bool:
        """It leaves nothing to those below."""
        return self.conditions in ({}, {"all": []})

    def target(self, priority: str, kind: str) -> tuple[int, str] | None:
        """Seconds and whose hours they are, or None where nothing is promised."""
        row: dict[str, Any] = self.targets.get(priority) or {}
        minutes = row.get("resolution" if kind == Kind.FULL_RESOLUTION else kind)
        return (int(minutes) * 60, row.get("hours", Hours.BUSINESS)) if minutes else None


class Clock(models.Model):
    """One promise on one ticket: written by tickets.clocks alone, from what happened and the policy that matches."""

    ticket = models.ForeignKey(Ticket, on_delete=models.CASCADE, related_name="clocks", db_index=False)
    kind = models.CharField(max_length=16, choices=Kind.choices)
    started_at = models.DateTimeField()
    policy = models.ForeignKey(Policy, null=True, on_delete=models.SET_NULL, related_name="+")
    policy_version = models.PositiveIntegerField(default=1)
    hours = models.CharField(max_length=10, choices=Hours.choices)
    target = models.PositiveIntegerField()  # seconds
    due_at = models.DateTimeField(null=True)  # none while it stands still
    promised_at = models.DateTimeField(null=True)  # since when it is due then: what was over before was promised by nobody
    warn_at = models.DateTimeField(null=True)
    left = models.IntegerField(null=True)  # seconds, where it stands still
    idle = models.CharField(max_length=10, blank=True)  # the status in which it stands still now, or NO_HOURS
    idle_since = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    ended_by = models.CharField(max_length=10, blank=True)  # reply, solved
    next_at = models.DateTimeField(null=True)  # when there is something to tell
    warned_at = models.DateTimeField(null=True)  # the warning that was told last
    breached_at = models.DateTimeField(null=True)  # when it was due and not kept: for good

    class Meta:
        ordering = ["started_at", "id"]
        constraints = [models.UniqueConstraint(fields=["ticket", "kind", "started_at"], name="clock_once")]
        indexes = [
            models.Index(fields=["next_at"], name="clock_next", condition=Q(next_at__isnull=False)),
            models.Index(fields=["due_at"], name="clock_due", condition=Q(due_at__isnull=False, ended_at=None)),
            models.Index(fields=["ticket"], name="clock_still", condition=Q(ended_at=None) & ~Q(idle="")),
        ]

    @property
    def state(self) -> str:
        """met, missed, late, paused, stuck or running: what a page says of it."""
        if self.ended_at:
            return "missed" if self.is_late else "met"
        if self.idle:
            return "stuck" if self.idle == NO_HOURS else "paused"
        return "late" if self.is_late else "running"

    @property
    def is_late(self) -> bool:
        """It was due before it ended, or is due. Without ``breached_at`` nobody had promised it then."""
        if self.breached_at or self.due_at is None:
            return self.breached_at is not None
        return self.due_at < self.ended_at if self.ended_at else self.due_at <= now()

    @property
    def is_open(self) -> bool:
        return self.ended_at is None

    @property
    def is_soon(self) -> bool:
        return bool(self.warn_at and self.warn_at <= now())

    @property
    def warns(self) -> timedelta:
        """How long before it is due somebody is warned, as the clock on the wall has it."""
        return self.due_at - self.warn_at if self.due_at and self.warn_at else timedelta()


class StatusChange(models.Model):
    """How a ticket stood from a moment on; what clocks are counted from. Written by whatever changes it, under its lock."""

    ticket = models.ForeignKey(Ticket, on_delete=models.CASCADE, related_name="status_changes", db_index=False)
    at = models.DateTimeField()
    status = models.CharField(max_length=10)
    priority = models.CharField(max_length=10)
    waiting_since = models.DateTimeField(null=True)
    cause = models.CharField(max_length=40)  # the kind of event

    class Meta:
        indexes = [models.Index(fields=["ticket", "id"], name="status_change_of_ticket")]

    @classmethod
    def note(cls, tickets: Iterable[Ticket], cause: str, at: datetime) -> None:
        """How each of these stands now, where they were changed at once, past their verbs."""
        StatusChange.objects.bulk_create(
            StatusChange(
                ticket=each, at=at, status=each.status, priority=each.priority, waiting_since=each.waiting_since, cause=cause
            )
            for each in tickets
        )


class Recount(models.Model):
    """All open tickets are counted again, in the background: at most one that is not done, which a new reason begins anew."""

    reason = models.CharField(max_length=200)
    by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    total = models.PositiveIntegerField()
    done = models.PositiveIntegerField(default=0)
    last_id = models.BigIntegerField(default=0)  # of the tickets, how far it is
    started_at = models.DateTimeField(default=now)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(models.Value(1), name="recount_one", condition=Q(finished_at=None)),
        ]
