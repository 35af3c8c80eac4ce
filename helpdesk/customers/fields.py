"""What conditions can ask about a customer (settings.CONDITION_FIELDS)."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from django.db.models import BooleanField, Case, CharField, F, OuterRef, Q, QuerySet, Subquery, Value, When
from django.db.models.functions import Coalesce
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from helpdesk.customers import consent, definitions
from helpdesk.customers.models import Address, Consent, Customer, Event, FieldDefinition, Subscription
from helpdesk.lib.conditions import Dynamic, Field, register
from helpdesk.lib.dates import now

Subject = FieldDefinition.Subject
HASH = 40503  # Knuth's multiplicative hash on 16 bits: neighbours land far apart, alike in SQL and in Python
SPAN = 65536


def _of_primary(column: str) -> Subquery:
    """A column of the address we write to."""
    rows = Address.objects.filter(customer=OuterRef("pk"), channel="email").order_by("-is_primary", "pk")
    return Subquery(rows.values(column)[:1], output_field=CharField())


def _primary(customer: Customer) -> Address | None:
    found = [address for address in customer.addresses.all() if address.channel == "email"]
    return min(found, key=lambda address: (not address.is_primary, address.pk), default=None)


def _did(customer: Customer, kind: str, since: datetime | None, until: datetime) -> QuerySet[Event]:
    rows = Event.objects.filter(customer_id=customer.pk, kind=kind, occurred_at__lte=until)
    return rows.filter(occurred_at__gte=since) if since else rows


def bucket(pk: int) -> int:
    """0 to 99, the same for a customer for ever."""
    return pk % SPAN * HASH % SPAN * 100 // SPAN


def custom(subject: str, prefix: str, column: str, *, tracked: bool = False) -> Dynamic:
    """The custom fields of a subject, each asked in its own type; `column` is the way from the row to their JSON."""

    def field(found: FieldDefinition) -> Field:
        return replace(definitions.asked(found, prefix, column), tracked=tracked)

    def find(key: str) -> Field | None:
        found = definitions.one(subject, key)
        return field(found) if found else None

    def everything() -> Iterator[Field]:
        return map(field, definitions.of(subject).values())

    return Dynamic(prefix, find=find, all=everything)


def _consent(subscription: Subscription) -> Field:
    """Whether a subscription may be sent: the newest word, while it holds, else what the subscription itself says."""
    without = Value(not subscription.opt_in, BooleanField())
    holds = Q(expires_at=None) | Q(expires_at__gt=now())
    may = Case(When(given=False, then=Value(False)), When(holds, then=Value(True)), default=without, output_field=BooleanField())
    newest = Consent.objects.filter(customer=OuterRef("pk"), subscription=subscription).order_by("-pk").annotate(may=may)
    return Field(
        f"consent.{subscription.slug}", gettext("%(name)s may be sent") % {"name": subscription.name}, "boolean",
        Coalesce(Subquery(newest.values("may")[:1]), without, output_field=BooleanField()),
        value=lambda customer: (customer.pk, subscription.pk) in consent.allowed([(customer.pk, subscription.pk)]),
    )  # fmt: skip


def _find_consent(slug: str) -> Field | None:
    found = Subscription.objects.filter(slug=slug).first() if slug.isprintable() else None
    return _consent(found) if found else None


register(
    "customer",
    Field("name", _("name"), "text", q="name"),
    Field("email", _("email address"), "text", q=_of_primary("canonical"),
          value=lambda customer: address.canonical if (address := _primary(customer)) else None),
    Field("reachability", _("mail to their address"), "choice", q=_of_primary("reachability"),
          value=lambda customer: str(address.reachability) if (address := _primary(customer)) else None,
          choices=Address.Reachability.choices),
    Field("stage", _("stage"), "text", q="stage"),
    Field("language", _("language"), "text", q="language"),
    Field("zone", _("time zone"), "text", q="zone"),
    Field("company", _("company"), "text", q="company__name"),
    Field("created", _("known since"), "date", q="created_at"),
    Field("bucket", _("random bucket, 0 to 99"), "number", q=F("pk") % SPAN * HASH % SPAN * 100 / SPAN,
          value=lambda customer: bucket(customer.pk)),
    Field("event", _("event"), "events", subject="event", q=Event.objects.all, link="customer", value=_did),
    custom(Subject.CUSTOMER, "attribute.", "attributes"),
    custom(Subject.COMPANY, "company.", "company__attributes"),
    Dynamic("consent.", find=_find_consent, all=lambda: (_consent(each) for each in Subscription.objects.all())),
)  # fmt: skip
register(
    "event",
    Field("source", _("source"), "text", q="source"),
    Field("occurred", _("happened"), "date", q="occurred_at"),
)
