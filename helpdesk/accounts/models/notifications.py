"""What a person here is told, until they have seen it."""

from django.db import models
from django.db.models import Q

from helpdesk.accounts.models.people import User
from helpdesk.lib.dates import now


class Notification(models.Model):
    """One line in somebody's list; `User.unread` counts those not read yet, so that no page has to."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="notifications", db_index=False)
    words = models.CharField(max_length=300)
    url = models.CharField(max_length=300, blank=True)
    about = models.CharField(max_length=80, blank=True)  # a ref such as "ticket:5"
    at = models.DateTimeField(default=now)
    read_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["user", "-id"], name="notification_of_person"),
            models.Index(fields=["user"], name="notification_unread", condition=Q(read_at=None)),
        ]

    def __str__(self) -> str:
        return self.words
