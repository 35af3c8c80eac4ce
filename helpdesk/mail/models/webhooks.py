"""Other tools that we tell, by webhook, and each thing that we have told them or still owe them."""

import base64
import secrets

from django.db import models
from django.db.models import Q

from helpdesk.accounts.vault import SealedField, unseal
from helpdesk.lib.dates import now

PREFIX = "whsec_"  # Standard Webhooks: base64 of random bytes behind it


def new_secret() -> str:
    """256 random bits in the form that the libraries of standardwebhooks.com take."""
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


class Webhook(models.Model):
    """One address of another tool, with the secret that signs what we say there."""

    name = models.CharField(max_length=80, unique=True)
    url = models.CharField(max_length=500)
    secret = SealedField()
    old_secret = SealedField(default=b"")  # signs beside the new one until `old_until`, so that nothing is refused meanwhile
    old_until = models.DateTimeField(null=True)
    is_enabled = models.BooleanField(default=True)
    stopped = models.CharField(max_length=200, blank=True)  # why we switched it off ourselves
    created_at = models.DateTimeField(default=now)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def ref(self) -> str:
        return f"webhook:{self.pk}"

    @property
    def hint(self) -> str:
        """The end of the secret: enough to tell two apart, and no help to anybody else."""
        return unseal(self.secret)[-4:]

    def keys(self) -> list[str]:
        """The secrets that sign now, the newest first."""
        old = unseal(self.old_secret) if self.old_until and self.old_until > now() else ""
        return [unseal(self.secret), *([old] if old else [])]


class WebhookDelivery(models.Model):
    """One thing that a tool is told: the same id and the same bytes at every try. Its life is in ``webhooks``."""

    class State(models.TextChoices):
        PENDING = "pending"
        DONE = "done"
        FAILED = "failed"

    webhook = models.ForeignKey(Webhook, on_delete=models.CASCADE, related_name="deliveries", db_index=False)
    key = models.CharField(max_length=120, unique=True)  # what it is for: planned twice is one
    kind = models.CharField(max_length=60)
    body = models.TextField()
    state = models.CharField(max_length=8, choices=State.choices, default=State.PENDING)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_at = models.DateTimeField(default=now)
    answer = models.PositiveSmallIntegerField(null=True)  # the last HTTP status
    error = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(default=now)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["next_at", "id"], name="webhook_due", condition=Q(state="pending")),
            models.Index(fields=["webhook", "-id"], name="webhook_deliveries"),
            models.Index(fields=["-id"], name="webhook_troubled", condition=~Q(state="done") & ~Q(error="")),
        ]

    def __str__(self) -> str:
        return self.kind
