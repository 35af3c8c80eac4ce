"""What is broken for many customers at once, from when to when."""

from typing import Any

from django.db import models, transaction
from django.db.models import Q

from helpdesk.accounts.models import User, audit
from helpdesk.customers import timeline
from helpdesk.customers.models import everybody
from helpdesk.knowledge.models import Topic
from helpdesk.lib.dates import now


class IncidentQuerySet(models.QuerySet["Incident"]):
    def open(self) -> "IncidentQuerySet":
        return self.filter(resolved_at=None)


class Incident(models.Model):
    """Open until it is resolved. Whom it affects is a condition over customers; what they ask about then is its topic."""

    title = models.CharField(max_length=120)
    words = models.TextField(max_length=2000, blank=True)  # what we know, and what to tell those who ask
    topic = models.ForeignKey(Topic, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    conditions = models.JSONField(default=everybody)
    opened_at = models.DateTimeField(default=now)
    opened_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    resolved_at = models.DateTimeField(null=True)
    resolved_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")

    objects = IncidentQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["-id"], name="incident_open", condition=Q(resolved_at=None))]

    def __str__(self) -> str:
        return self.title

    @property
    def ref(self) -> str:
        return f"incident:{self.pk}"

    @property
    def is_open(self) -> bool:
        return self.resolved_at is None

    @transaction.atomic
    def resolve(self, *, by: User) -> bool:
        """It is over; True the first time."""
        return self._turn(now(), by, "incident.resolved", by=by)

    @transaction.atomic
    def reopen(self, *, by: User) -> bool:
        """It was not over; True if it had been resolved."""
        return self._turn(None, None, "incident.reopened", by=by)

    def _turn(self, at: Any, who: User | None, kind: str, *, by: User) -> bool:
        rows = Incident.objects.filter(pk=self.pk, resolved_at__isnull=at is not None)
        if not rows.update(resolved_at=at, resolved_by=who):
            return False
        self.refresh_from_db()
        timeline.record(kind, actor=by, **self.told())
        audit(kind, actor=by.ref, subject=self.ref, after={"resolved_at": str(at) if at else None})
        return True

    def told(self) -> dict[str, Any]:
        """What its events say of it."""
        return {"incident": self.pk, "title": self.title, "topic": self.topic_id}
