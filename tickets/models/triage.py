"""What was learned from solved tickets, what it proposes for new ones, and where it may act by itself."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from helpdesk.accounts.models import Team, User
from helpdesk.files.models import Blob
from helpdesk.knowledge.models import Topic
from helpdesk.lib.dates import now
from tickets.models.ticket import Ticket


class Classifier(models.Model):
    """One version: what it learned from, and how it does on tickets that were held back from it."""

    class State(models.TextChoices):
        ASKED = "asked", _("Being learned")
        READY = "ready", _("Ready")
        FAILED = "failed", _("Not learned")

    state = models.CharField(max_length=8, choices=State.choices, default=State.ASKED)
    asked_at = models.DateTimeField(default=now)
    asked_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")  # nobody: it was night
    finished_at = models.DateTimeField(null=True)
    seconds = models.PositiveIntegerField(null=True)
    fault = models.CharField(max_length=300, blank=True)
    learned = models.PositiveIntegerField(default=0)  # tickets
    held_back = models.PositiveIntegerField(default=0)
    levels = models.JSONField(default=dict)  # the thresholds: {"95": 0.61, "99": 0.87}; one that is missing is never reached
    figures = models.JSONField(default=dict)  # of the tickets held back, see lib.learning.measure
    content = models.ForeignKey(Blob, null=True, on_delete=models.PROTECT, related_name="+")  # numbers and JSON, never run

    class Meta:
        constraints = [models.UniqueConstraint(fields=["state"], name="classifier_asked_once", condition=Q(state="asked"))]
        indexes = [models.Index(fields=["-id"], name="classifier_ready", condition=Q(state="ready", content__isnull=False))]

    def __str__(self) -> str:
        return f"#{self.pk}"

    @property
    def ref(self) -> str:
        return f"classifier:{self.pk}"

    @classmethod
    def in_use(cls) -> "Classifier | None":
        """The newest that is ready."""
        return cls.objects.filter(state=cls.State.READY, content__isnull=False).order_by("-pk").first()

    def fail(self, why: str) -> None:
        """It serves nobody any more, and says why; the one before it is in use again."""
        Classifier.objects.filter(pk=self.pk).update(state=self.State.FAILED, fault=why[:300], finished_at=now())


class TopicFigure(models.Model):
    """How one version does on one topic, by the tickets held back; and the team whose work that topic is."""

    classifier = models.ForeignKey(Classifier, on_delete=models.CASCADE, related_name="topics")
    topic = models.ForeignKey(Topic, on_delete=models.CASCADE, related_name="+")
    learned = models.PositiveIntegerField()
    held_back = models.PositiveIntegerField()  # tickets on this topic that it had not seen
    found_95 = models.PositiveIntegerField()  # of those, how many it answered above the threshold, rightly or not
    found_99 = models.PositiveIntegerField()
    answered_95 = models.PositiveIntegerField()  # how often it said this topic
    right_95 = models.PositiveIntegerField()
    answered_99 = models.PositiveIntegerField()
    right_99 = models.PositiveIntegerField()
    team = models.ForeignKey(Team, null=True, on_delete=models.SET_NULL, related_name="+")


class TopicTrust(models.Model):
    """A manager lets tickets be filed under this topic by themselves, for as long as that is proven right often enough."""

    LEAST = [(95, "95 %"), (97, "97 %"), (99, "99 %")]

    topic = models.OneToOneField(Topic, on_delete=models.CASCADE, related_name="trust")
    least = models.PositiveSmallIntegerField(choices=LEAST, default=99)  # of 100 must be right
    automatic = models.BooleanField(default=False)
    stopped_at = models.DateTimeField(null=True)  # when the proof no longer held
    stopped_because = models.CharField(max_length=200, blank=True)


class Suggestion(models.Model):
    """What was proposed for one ticket, and what became of it; the row is its log, the timeline tells it."""

    class State(models.TextChoices):
        WAITING = "waiting", _("Not asked yet")
        ABSTAINED = "abstained", _("Not sure")
        OFFERED = "offered", _("Suggested")
        ACCEPTED = "accepted", _("Accepted")
        CORRECTED = "corrected", _("Corrected")
        APPLIED = "applied", _("Filed automatically")
        CONFIRMED = "confirmed", _("Filed automatically, and solved so by a person")
        OVERTAKEN = "overtaken", _("Decided otherwise before")

    RIGHT = (State.ACCEPTED, State.CONFIRMED)
    OPEN = (State.OFFERED, State.APPLIED)  # a person's word on them counts

    ticket = models.OneToOneField(Ticket, on_delete=models.CASCADE, related_name="suggestion")
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    created_at = models.DateTimeField(default=now)
    made_at = models.DateTimeField(null=True)
    classifier = models.ForeignKey(Classifier, null=True, on_delete=models.SET_NULL, related_name="+", db_index=False)
    topic = models.ForeignKey(Topic, null=True, on_delete=models.SET_NULL, related_name="+", db_index=False)
    team = models.ForeignKey(Team, null=True, on_delete=models.SET_NULL, related_name="+", db_index=False)
    confidence = models.FloatField(null=True)  # 0 to 1
    level = models.PositiveSmallIntegerField(default=0)  # 99, 95, or 0: too unsure to say
    because = ArrayField(models.CharField(max_length=200), default=list)  # the words that spoke for it
    chosen = models.ForeignKey(Topic, null=True, on_delete=models.SET_NULL, related_name="+", db_index=False)
    decided_by = models.CharField(max_length=80, blank=True)
    decided_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["id"], name="suggestion_waiting", condition=Q(state="waiting")),
            models.Index(
                fields=["topic", "decided_at"],
                name="suggestion_judged",
                condition=Q(state__in=("accepted", "confirmed", "corrected")),
            ),
        ]
