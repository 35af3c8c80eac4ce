"""When we work: working hours as they hang on the wall, for teams, people and the clocks of service levels."""

from django.db import models
from django.db.models import Q

from helpdesk.lib import dates, worktime


class Calendar(models.Model):
    """A week of working hours in a time zone; `week` has seven lists (Monday first) of [from, until], minutes after midnight."""

    name = models.CharField(max_length=80, unique=True)
    zone = models.CharField(max_length=64)
    week = models.JSONField()
    is_default = models.BooleanField(default=False)  # the workspace's: for whoever names none

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["is_default"], condition=Q(is_default=True), name="calendar_default")]

    def __str__(self) -> str:
        return self.name

    @property
    def ref(self) -> str:
        return f"calendar:{self.pk}"

    def hours(self) -> worktime.Calendar:
        """What `lib.worktime` counts with. Raises CalendarError when the week is empty or malformed."""
        week = [[(begin, end) for begin, end in day] for day in self.week]
        return worktime.Calendar(dates.zone(self.zone), week)
