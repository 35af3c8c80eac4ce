"""The audit log of access and configuration."""

from django.db import models

from helpdesk.lib.dates import now


class AuditEntry(models.Model):
    """What happened to configuration and access; the database refuses to change or delete a row."""

    at = models.DateTimeField(default=now)
    actor = models.CharField(max_length=80)
    action = models.CharField(max_length=80)
    subject = models.CharField(max_length=120)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    address = models.GenericIPAddressField(null=True)

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["subject", "-id"], name="audit_by_subject")]


def audit(
    action: str, *, actor: str, subject: str, before: object = None, after: object = None, address: str | None = None
) -> AuditEntry:
    """Record a change of configuration or access; call it in the change's own transaction."""
    return AuditEntry.objects.create(action=action, actor=actor, subject=subject, before=before, after=after, address=address)
