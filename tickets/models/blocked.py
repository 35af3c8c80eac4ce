"""Whose mail goes to spam, because somebody here said so."""

from django.db import models

from helpdesk.accounts.models import User
from helpdesk.lib.dates import now


class BlockedSender(models.Model):
    name = models.CharField(max_length=320, unique=True)  # a canonical address, or "@" and a domain
    by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    at = models.DateTimeField(default=now)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.name
