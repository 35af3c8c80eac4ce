"""Campaigns, their immutable versions, and who is on the way through them."""

from collections.abc import Iterable
from datetime import time
from typing import Any

from django.db import connection, models, transaction
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from helpdesk.accounts.models import User, audit
from helpdesk.customers.models import Customer, Subscription, everybody
from helpdesk.knowledge.models import Topic
from helpdesk.lib.dates import now
from helpdesk.mail.models import Class, Mailbox


def open_ticket() -> dict[str, Any]:
    """What a campaign waits for unless it says otherwise, in the condition language: outreach knows no tickets."""
    return {"field": "ticket", "op": "has", "where": {"field": "open", "op": "is", "value": True}}


class CampaignQuerySet(models.QuerySet["Campaign"]):
    def running(self) -> "CampaignQuerySet":
        return self.filter(status=Campaign.Status.RUNNING)

    def startable(self) -> "CampaignQuerySet":
        """Running, and with texts that need no event of a certain kind: a person or a rule may start them for somebody."""
        newest = Version.objects.filter(campaign=models.OuterRef("pk"), launched_at__isnull=False).order_by("-number")
        return self.running().alias(key=models.Subquery(newest.values("entry_key")[:1])).filter(key="")

    def newest(self) -> "CampaignQuerySet":
        return self.order_by("-id")


class Campaign(models.Model):
    """What we want to tell whom. What it says and when is its versions'; the newest launched one takes in people."""

    class Status(models.TextChoices):
        DRAFT = "draft", _("Draft")
        RUNNING = "running", _("Running")
        PAUSED = "paused", _("Paused")
        FINISHED = "finished", _("Finished")
        CANCELLED = "cancelled", _("Cancelled")

    class Klass(models.TextChoices):
        LIFECYCLE = Class.LIFECYCLE.value, _("Lifecycle: helps them along")
        PROMOTIONAL = Class.PROMOTIONAL.value, _("Promotional: sells something")
        TRANSACTIONAL = Class.TRANSACTIONAL.value, _("Transactional: they asked for it by what they did")

    name = models.CharField(_("name"), max_length=120)
    klass = models.CharField(_("kind of message"), max_length=14, choices=Klass.choices, default=Klass.LIFECYCLE)
    subscription = models.ForeignKey(
        Subscription, null=True, blank=True, on_delete=models.PROTECT, verbose_name=_("subscription")
    )
    topic = models.ForeignKey(Topic, null=True, blank=True, on_delete=models.SET_NULL, verbose_name=_("topic"))
    mailbox = models.ForeignKey(Mailbox, null=True, blank=True, on_delete=models.PROTECT, verbose_name=_("sent from"))
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.DRAFT)
    holds = models.JSONField(default=open_ticket)  # a customer who matches waits; {}: nothing of theirs holds it
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=now)
    updated_at = models.DateTimeField(default=now)

    objects = CampaignQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["-id"], name="campaign_newest")]
        constraints = [
            models.CheckConstraint(
                name="campaign_subscription",
                condition=Q(klass="transactional") | Q(subscription__isnull=False) | Q(status="draft"),
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def subject(self) -> str:
        """How the audit log names it."""
        return f"campaign:{self.pk}"

    @property
    def is_over(self) -> bool:
        return self.status in (self.Status.FINISHED, self.Status.CANCELLED)

    @transaction.atomic
    def halt(self, reason: str, *, action: str = "campaign.halted") -> bool:
        """Pause itself, for its text cannot be written or mail systems refuse it ("campaign.refused"); True the first time.
        A person reads why, mends it, goes on."""
        running = Campaign.objects.filter(pk=self.pk, status=self.Status.RUNNING)
        if not running.update(status=self.Status.PAUSED, updated_at=now()):
            return False
        audit(action, actor="", subject=self.subject, after={"status": self.Status.PAUSED, "reason": reason[:300]})
        return True

    @property
    def live(self) -> "Version | None":
        """The version that takes people in, or None while it is a draft."""
        return self.versions.filter(launched_at__isnull=False).order_by("-number").first()

    @property
    def draft(self) -> "Version | None":
        return self.versions.filter(launched_at=None).first()


class VersionIsFixed(Exception):
    """A launched version is what people got; it never changes. Permanent: draft the next one."""


class VersionQuerySet(models.QuerySet["Version"]):
    def kept(self, ids: Iterable[int | None]) -> "dict[int, Version]":
        """These, only to be read: a launched one never changes, so it is fetched once and kept."""
        place = connection.settings_dict["NAME"]
        wanted = {pk for pk in ids if pk}
        known = {pk: version for pk in wanted if (version := KEPT.get((place, pk)))}
        missing = wanted - known.keys()
        fetched = self.in_bulk(missing) if missing else {}
        if len(KEPT) > MOST_KEPT:
            KEPT.clear()
        KEPT.update({(place, pk): version for pk, version in fetched.items() if version.launched_at})
        return known | fetched


KEPT: "dict[tuple[str, int], Version]" = {}  # by database and id
MOST_KEPT = 256


class Version(models.Model):
    """One wording of a campaign: trigger, segment and steps. Once launched it never changes; the database sees to it.

    ``steps`` is an ordered list of {"do": "wait", "seconds": n} and {"do": "send", "subject", "body", "fallbacks":
    {path: text}, "too_late": seconds or null}.
    """

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    trigger_kind = models.CharField(max_length=80, blank=True)
    entry_key = models.CharField(max_length=120, blank=True)  # path into the event: order.id; empty: once a customer
    exit_kind = models.CharField(max_length=80, blank=True)  # an event with the same key that takes them out again
    conditions = models.JSONField(default=everybody)
    steps = models.JSONField(default=list)
    quiet_from = models.TimeField(null=True, default=time(22))
    quiet_until = models.TimeField(null=True, default=time(8))
    cap = models.PositiveSmallIntegerField(null=True, default=2)  # messages of ours to one customer …
    cap_days = models.PositiveSmallIntegerField(default=7)  # … in so many days
    postal_address = models.CharField(max_length=300, blank=True)  # as it stood at the launch
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=now)
    launched_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    launched_at = models.DateTimeField(null=True)

    objects = VersionQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["campaign", "number"], name="version_once"),
            models.UniqueConstraint(fields=["campaign"], condition=Q(launched_at=None), name="version_one_draft"),
        ]
        indexes = [
            models.Index(fields=["trigger_kind"], name="version_trigger", condition=Q(launched_at__isnull=False)),
            models.Index(fields=["exit_kind"], name="version_exit", condition=Q(launched_at__isnull=False) & ~Q(exit_kind="")),
        ]

    def __str__(self) -> str:
        return f"{self.campaign_id}.{self.number}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if self.pk and type(self).objects.filter(pk=self.pk, launched_at__isnull=False).exists():
            raise VersionIsFixed(str(self))
        super().save(*args, **kwargs)

    @property
    def sends(self) -> list[tuple[int, dict[str, Any]]]:
        """The messages with their place among the steps."""
        return [(index, step) for index, step in enumerate(self.steps) if step["do"] == "send"]


class EnrolmentQuerySet(models.QuerySet["Enrolment"]):
    def active(self) -> "EnrolmentQuerySet":
        return self.filter(state=Enrolment.State.ACTIVE)


class Enrolment(models.Model):
    """One customer on the way through one campaign, for one order, trial or whatever the entry key names."""

    class State(models.TextChoices):
        ACTIVE = "active", _("On the way")
        FINISHED = "finished", _("Finished")
        LEFT = "left", _("Left early")
        CANCELLED = "cancelled", _("Cancelled")

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="enrolments")
    version = models.ForeignKey(Version, on_delete=models.PROTECT, related_name="enrolments")
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="+", db_index=False)
    entry_key = models.CharField(max_length=200, blank=True)
    event_id = models.BigIntegerField(null=True)
    properties = models.JSONField(default=dict)  # the event's own, for the texts; they outlive the event
    state = models.CharField(max_length=10, choices=State.choices, default=State.ACTIVE)
    step = models.PositiveSmallIntegerField(default=0)  # where among the version's steps it waits
    next_at = models.DateTimeField(null=True)
    reason = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(default=now)
    finished_at = models.DateTimeField(null=True)
    replied_at = models.DateTimeField(null=True)  # the first answer to one of its messages
    unsubscribed_at = models.DateTimeField(null=True)  # by the link in one of its messages

    objects = EnrolmentQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["campaign", "customer", "entry_key"], name="enrolment_once")]
        indexes = [
            models.Index(fields=["next_at", "id"], name="enrolment_due", condition=Q(state="active")),
            models.Index(fields=["campaign", "state"], name="enrolment_counts"),
            models.Index(fields=["customer", "-id"], name="enrolment_customer"),
        ]
