"""Where a ticket goes when its own people cannot help: a path of steps, and every time it was taken."""

from django.db import models
from django.db.models import Q

from helpdesk.accounts.models import Archivable, Team, User
from helpdesk.lib.dates import now
from helpdesk.mail.models import Webhook
from tickets.models.ticket import Ticket


class EscalationPath(Archivable):
    PARTS = ("steps",)
    name = models.CharField(max_length=80, unique=True)
    is_enabled = models.BooleanField(default=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def ref(self) -> str:
        return f"path:{self.pk}"

    def put_away(self) -> None:
        """Nobody takes it any more; brought back, it is still off."""
        self.is_enabled = False
        super().put_away()


class EscalationStep(models.Model):
    """One of a person, a team and another tool; the next step comes after `minutes` without an answer of ours, if any."""

    path = models.ForeignKey(EscalationPath, on_delete=models.CASCADE, related_name="steps", db_index=False)
    position = models.PositiveSmallIntegerField()
    user = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    team = models.ForeignKey(Team, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    webhook = models.ForeignKey(Webhook, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    minutes = models.PositiveIntegerField(null=True, blank=True)

    class Meta:
        ordering = ["position"]
        constraints = [models.UniqueConstraint(fields=["path", "position"], name="escalation_step_once")]

    def __str__(self) -> str:
        return str(self.user or self.team or self.webhook or "")

    @property
    def is_open(self) -> bool:
        """Somebody still stands behind it."""
        return bool((self.user and self.user.is_active) or self.team or (self.webhook and self.webhook.is_enabled))


class Escalation(models.Model):
    """A ticket went to a step of a path, for a reason."""

    ticket = models.ForeignKey(Ticket, on_delete=models.CASCADE, related_name="taken", db_index=False)
    path = models.ForeignKey(EscalationPath, on_delete=models.PROTECT, related_name="taken", db_index=False)
    step = models.PositiveSmallIntegerField()  # its position then
    number = models.PositiveSmallIntegerField()  # the ticket's first, second …
    to = models.CharField(max_length=160)
    reason = models.CharField(max_length=300)
    actor = models.CharField(max_length=80, blank=True)
    at = models.DateTimeField(default=now)
    next_at = models.DateTimeField(null=True)  # when the step after it comes

    class Meta:
        constraints = [models.UniqueConstraint(fields=["ticket", "number"], name="escalation_once")]
        indexes = [models.Index(fields=["next_at", "id"], name="escalation_due", condition=Q(next_at__isnull=False))]
