"""Who we serve, what they allowed, and the timeline of everything that happened to them."""

import re
from dataclasses import dataclass
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import models
from django.db.models import Q
from django.db.models.functions import Upper
from django.utils.translation import gettext_lazy as _

from helpdesk.accounts.models import Archivable, User
from helpdesk.lib.dates import now


class Company(models.Model):
    external_id = models.CharField(max_length=200, null=True, blank=True, unique=True)
    name = models.CharField(max_length=200)
    zone = models.CharField(max_length=64, blank=True)
    attributes = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(default=now)

    class Meta:
        indexes = [  # as for customers
            GinIndex(OpClass(Upper("name"), name="gin_trgm_ops"), name="company_name_words"),
            GinIndex(OpClass("attributes", name="jsonb_path_ops"), name="company_attributes"),
        ]

    def __str__(self) -> str:
        return self.name


class Customer(models.Model):
    external_id = models.CharField(max_length=200, null=True, blank=True, unique=True)
    name = models.CharField(max_length=200, blank=True)
    company = models.ForeignKey(
        Company, null=True, blank=True, on_delete=models.SET_NULL, related_name="customers", db_index=False
    )
    language = models.CharField(max_length=10, blank=True)
    zone = models.CharField(max_length=64, blank=True)
    stage = models.CharField(max_length=40, blank=True)
    attributes = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(default=now)
    updated_at = models.DateTimeField(default=now)

    just_made = False  # True on the object that the making call returns; no column

    class Meta:
        indexes = [
            GinIndex(OpClass(Upper("name"), name="gin_trgm_ops"), name="customer_name_words"),
            models.Index(fields=["-id"], name="customer_newest"),
            models.Index(fields=["company", "-id"], name="customer_of_company"),
            models.Index(Upper("stage"), "id", name="customer_stage"),  # as conditions compare text: without case
            GinIndex(OpClass("attributes", name="jsonb_path_ops"), name="customer_attributes"),  # as they ask for a choice
        ]

    def __str__(self) -> str:
        return self.name or self.email or self.external_id or f"#{self.pk}"

    @property
    def email(self) -> str:
        """The primary address as its owner writes it, or nothing."""
        primary = next(iter(sorted(self.addresses.all(), key=lambda a: (not a.is_primary, a.pk))), None)
        return primary.shown if primary else ""

    @property
    def ref(self) -> str:
        return f"customer:{self.pk}"


class Address(models.Model):
    """A way to reach a customer. Reachability is a fact about the address; suppression and consent are kept apart."""

    class Reachability(models.TextChoices):
        UNKNOWN = "unknown", _("Not tried yet")
        REACHABLE = "reachable", _("Works")
        UNREACHABLE = "unreachable", _("Does not work")

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="addresses")
    channel = models.CharField(max_length=20, default="email")
    canonical = models.CharField(max_length=320)
    shown = models.CharField(max_length=320)
    is_primary = models.BooleanField(default=True)
    proved_at = models.DateTimeField(null=True, blank=True)
    reachability = models.CharField(max_length=12, choices=Reachability.choices, default=Reachability.UNKNOWN)
    reason = models.CharField(max_length=300, blank=True)
    soft_failures = ArrayField(models.DateTimeField(), default=list, blank=True, size=5)  # temporary ones, newest last
    changed_at = models.DateTimeField(default=now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["channel", "canonical"], name="address_once")]
        indexes = [GinIndex(OpClass("canonical", name="gin_trgm_ops"), name="address_words")]

    def __str__(self) -> str:
        return self.shown

    @property
    def domain(self) -> str:
        return self.canonical.rpartition("@")[2]


class Subscription(models.Model):
    """What one may opt out of. Without explicit consent a customer gets it only if ``opt_in`` is off."""

    slug = models.SlugField(max_length=60, unique=True)
    name = models.CharField(max_length=120)
    description = models.TextField(blank=True)
    opt_in = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=now)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Consent(models.Model):
    """Append-only: what a customer allowed or withdrew, with its proof. The newest row of a subscription counts."""

    class Basis(models.TextChoices):
        CONSENT = "consent", _("Consent")
        CONTRACT = "contract", _("Contract")
        INTEREST = "interest", _("Legitimate interest")

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="consents")
    subscription = models.ForeignKey(Subscription, on_delete=models.CASCADE)
    given = models.BooleanField()
    basis = models.CharField(max_length=10, choices=Basis.choices, default=Basis.CONSENT)
    source = models.CharField(max_length=120)
    wording = models.TextField(blank=True)
    proof = models.JSONField(default=dict, blank=True)
    at = models.DateTimeField(default=now)
    expires_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["customer", "subscription", "-id"], name="consent_newest")]


class Suppression(models.Model):
    """An address that gets nothing more; known only by a keyed hash, so it outlives an erasure."""

    class Reason(models.TextChoices):
        COMPLAINT = "complaint", _("Complained of our mail")
        OPT_OUT = "opt_out", _("Asked for no more mail")
        LEGAL = "legal", _("Legal")
        MANUAL = "manual", _("Set by a person")

    channel = models.CharField(max_length=20, default="email")
    digest = models.CharField(max_length=64)
    reason = models.CharField(max_length=12, choices=Reason.choices)
    source = models.CharField(max_length=120)
    at = models.DateTimeField(default=now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["channel", "digest"], name="suppression_once")]


class FieldDefinition(Archivable):
    """A custom field: what an attribute is called, what it holds, and so which conditions it takes (see definitions).

    Archived, its values stay where they are, and what asked for it can still be read.
    """

    class Subject(models.TextChoices):
        CUSTOMER = "customer", _("Customer")
        COMPANY = "company", _("Company")
        TICKET = "ticket", _("Ticket")

    class Type(models.TextChoices):
        TEXT = "text", _("Text")
        NUMBER = "number", _("Number")
        DATE = "date", _("Date")
        BOOLEAN = "boolean", _("Yes or no")
        CHOICE = "choice", _("Choice")
        MULTI = "multi", _("Several choices")
        LOOKUP = "lookup", _("Somebody or something we know")

    class Target(models.TextChoices):
        """What a lookup points to; settings.LOOKUPS says how it is found and called."""

        CUSTOMER = "customer", _("Customer")
        COMPANY = "company", _("Company")
        USER = "user", _("Person who works here")
        TICKET = "ticket", _("Ticket")

    subject = models.CharField(max_length=10, choices=Subject.choices)
    key = models.SlugField(max_length=60)
    label = models.CharField(max_length=120)
    type = models.CharField(max_length=10, choices=Type.choices)
    choices = models.JSONField(default=list, blank=True)
    target = models.CharField(max_length=10, choices=Target.choices, blank=True)  # of a lookup
    hint = models.CharField(max_length=300, blank=True)  # read by whoever fills it in, also by customers

    class Meta:
        ordering = ["subject", "label"]
        constraints = [models.UniqueConstraint(fields=["subject", "key"], name="field_once")]

    def __str__(self) -> str:
        return self.label

    @property
    def ref(self) -> str:
        return f"field:{self.pk}"

    def is_said_in(self, text: str) -> bool:
        """Whether a text says it: `{{ customer.plan }}`."""
        return re.search(rf"\b{self.subject}\.{re.escape(self.key)}(?![\w-])", text) is not None


@dataclass(frozen=True)
class FieldChoice:
    """One of the choices of a field: conditions, rules, forms and rows name it (settings.USES)."""

    field: FieldDefinition
    text: str

    @property
    def ref(self) -> str:
        return f"{self.field.ref}:{self.text}"

    @property
    def attributes(self) -> dict[str, Any]:
        """What the attributes of whatever has it contain."""
        return {self.field.key: [self.text] if self.field.type == FieldDefinition.Type.MULTI else self.text}

    def is_in(self, attributes: dict[str, Any]) -> bool:
        held = attributes.get(self.field.key)
        return self.text in held if isinstance(held, list) else self.text == held


def everybody() -> dict[str, Any]:
    """The condition that leaves nobody out."""
    return {"all": []}


class Segment(models.Model):
    name = models.CharField(max_length=120, unique=True)
    conditions = models.JSONField(default=dict)
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL)
    created_at = models.DateTimeField(default=now)
    updated_at = models.DateTimeField(default=now)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class EventQuerySet(models.QuerySet["Event"]):
    def of(self, customer: int) -> "EventQuerySet":
        """A customer's timeline, newest first."""
        return self.filter(customer_id=customer).order_by("-occurred_at", "-id")


class Event(models.Model):
    """A fact. Append-only; nothing has a foreign key to it. ``source`` is empty for our own."""

    kind = models.CharField(max_length=80)
    customer = models.ForeignKey(Customer, null=True, on_delete=models.CASCADE, related_name="+", db_index=False)
    source = models.CharField(max_length=80, blank=True)
    external_id = models.CharField(max_length=200, null=True)
    occurred_at = models.DateTimeField()
    received_at = models.DateTimeField()
    actor = models.CharField(max_length=80, blank=True)
    payload = models.JSONField(default=dict)

    objects = EventQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["source", "external_id"], name="event_once", condition=Q(external_id__isnull=False))
        ]
        indexes = [
            models.Index(fields=["customer", "-occurred_at", "-id"], name="event_timeline"),
            models.Index(fields=["customer", "kind", "occurred_at"], name="event_did"),
            models.Index(fields=["received_at"], name="event_received", condition=~Q(source="")),
        ]

    @property
    def is_external(self) -> bool:
        return self.source != ""


class EventDelivery(models.Model):
    """The queue: one subscriber owes one event its attention. Deleted in the subscriber's own transaction."""

    event_id = models.BigIntegerField()
    subscriber = models.CharField(max_length=120)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_at = models.DateTimeField(null=True)  # null: given up, shown to the operator with a button
    last_error = models.TextField(blank=True)
    created_at = models.DateTimeField(default=now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["event_id", "subscriber"], name="delivery_once")]
        indexes = [
            models.Index(fields=["subscriber", "next_at", "id"], name="delivery_due", condition=Q(next_at__isnull=False)),
            models.Index(fields=["-attempts", "id"], name="delivery_failing", condition=Q(attempts__gt=0)),
            models.Index(fields=["created_at"], name="delivery_oldest"),
        ]
