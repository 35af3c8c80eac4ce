"""Views that people set up: whom the queue is for, what is in it, in which order, and what its rows tell."""

from datetime import UTC, datetime

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Case, F, Q, Value, When
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from helpdesk.accounts.models import Team, User
from helpdesk.lib.dates import now

NEVER = datetime(9999, 12, 31, tzinfo=UTC)  # who does not wait, or was promised nothing, comes after all who do
# What a list is sorted by beside columns; each has an index that says the same, so a page costs the same anywhere.
WAITING = Coalesce(F("waiting_since"), Value(NEVER, models.DateTimeField()), output_field=models.DateTimeField())
DUE = Coalesce(F("due_at"), Value(NEVER, models.DateTimeField()), output_field=models.DateTimeField())
URGENCY = Case(
    When(priority="urgent", then=Value(0)), When(priority="high", then=Value(1)), When(priority="normal", then=Value(2)),
    default=Value(3), output_field=models.SmallIntegerField(),
)  # fmt: skip


class Order(models.TextChoices):
    """How a view is sorted; "-" is from the newest down."""

    ACTIVITY = "-activity", _("Last message, newest first")
    QUIET = "activity", _("Last message, oldest first")
    OPENED = "-opened", _("Opened, newest first")
    OLDEST = "opened", _("Opened, oldest first")
    WAITING = "waiting", _("Waiting on us longest first")
    DUE = "due", _("Due next first")
    URGENT = "urgency", _("Most urgent first, then the oldest")


class SavedViewQuerySet(models.QuerySet["SavedView"]):
    def living(self) -> "SavedViewQuerySet":
        return self.filter(removed_at=None)

    def shared(self) -> "SavedViewQuerySet":
        return self.living().filter(owner=None)

    def seen_by(self, user: User) -> "SavedViewQuerySet":
        """A person's own, and the shared ones that are for everybody or for a team of theirs; the shared ones first."""
        for_them = Q(team=None) | Q(team__in=user.teams.all())
        return (
            self.living()
            .filter(Q(owner=user.pk) | Q(owner=None) & for_them)
            .order_by(F("owner").asc(nulls_first=True), "place", "pk")
        )


class SavedView(models.Model):
    """Without an owner it is shared. Tickets in it are always those that the reader may see (tickets/access)."""

    class Covers(models.TextChoices):
        LIVE = "live", _("Open tickets")
        ALL = "all", _("Solved and closed ones too")

    name = models.CharField(max_length=80)
    owner = models.ForeignKey(User, null=True, blank=True, on_delete=models.CASCADE, related_name="views")
    team = models.ForeignKey(Team, null=True, blank=True, on_delete=models.CASCADE, related_name="views")
    conditions = models.JSONField(default=dict)
    covers = models.CharField(max_length=4, choices=Covers.choices, default=Covers.LIVE)
    order = models.CharField(max_length=10, choices=Order.choices, default=Order.ACTIVITY)
    columns = ArrayField(models.CharField(max_length=80), default=list, blank=True)
    place = models.PositiveIntegerField(default=0)  # among the shared ones, or among their owner's
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=now)
    removed_at = models.DateTimeField(null=True)

    objects = SavedViewQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["name"], name="view_shared_once", condition=Q(owner=None, removed_at=None)),
            models.UniqueConstraint(
                fields=["owner", "name"], name="view_of_person_once", condition=Q(owner__isnull=False, removed_at=None)
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def slug(self) -> str:
        """Its address in the inbox, which a new name does not change."""
        return f"v{self.pk}"

    @property
    def ref(self) -> str:
        return f"view:{self.pk}"
