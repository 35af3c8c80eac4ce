"""What was given to whom: whose turn it is, and who had urgent work in a row."""

from django.db import models

from helpdesk.accounts.models import Team, User
from helpdesk.lib.dates import now
from tickets.models.ticket import Ticket


class Assignment(models.Model):
    """A ticket became somebody's work, by the desk or by a person. Ids rise, so the newest of a person is their last turn."""

    ticket = models.ForeignKey(Ticket, on_delete=models.CASCADE, related_name="assignments")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+", db_index=False)
    team = models.ForeignKey(Team, null=True, on_delete=models.SET_NULL, related_name="+", db_index=False)
    urgent = models.BooleanField()
    at = models.DateTimeField(default=now)

    class Meta:
        indexes = [
            models.Index(fields=["user", "-id"], name="assignment_of_person"),
            models.Index(fields=["team", "user", "-id"], name="assignment_turn"),
        ]
