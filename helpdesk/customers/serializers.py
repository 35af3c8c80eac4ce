"""The API's words for customers, events and consent: what may come in, and what is shown."""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from rest_framework import serializers

from helpdesk.customers.addresses import BadAddress, canonical
from helpdesk.customers.definitions import misfits
from helpdesk.customers.models import Address, Company, Consent, Customer, FieldDefinition
from helpdesk.customers.payloads import BadPayload, check_attributes, check_object
from helpdesk.customers.profile import CompanyFacts, Profile
from helpdesk.lib.dates import now
from helpdesk.lib.text import one_line

MAX_EMAILS = 20
EARLY = timedelta(hours=1)  # clocks of other systems run fast; beyond this an event has not happened yet
OURS = {kind.split(".")[0] for kind in settings.EVENT_SUBSCRIBERS if "." in kind}


class StrictSerializer(serializers.Serializer[Any]):
    """A misspelt field is an error, never silence."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict) and (unknown := sorted(set(data) - set(self.fields))):
            raise serializers.ValidationError({name[:60]: ["There is no such field."] for name in unknown[:20]})
        return super().to_internal_value(data)


class ObjectField(serializers.JSONField):
    """A JSON object that the database can hold: at most 16 KB, 200 keys, five levels."""

    def to_internal_value(self, data: Any) -> Any:
        try:
            return check_object(data, self.field_name or "")
        except BadPayload as error:
            raise serializers.ValidationError(str(error)) from error


class AttributesField(serializers.JSONField):
    """Custom attributes, each of the type its field has: merged with what is known; null removes one.

    ``strict`` also refuses those that have no field.
    """

    def __init__(self, subject: str, *, strict: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.subject, self.strict = subject, strict

    def to_internal_value(self, data: Any) -> Any:
        try:
            attributes = check_attributes(data)
        except BadPayload as error:
            raise serializers.ValidationError(str(error)) from error
        if wrong := misfits(self.subject, attributes, strict=self.strict):
            raise serializers.ValidationError({key: [words] for key, words in wrong.items()})
        return attributes


class CompanyIn(StrictSerializer):
    external_id = serializers.CharField(max_length=200, required=False)
    name = serializers.CharField(max_length=200, required=False)
    zone = serializers.CharField(max_length=64, required=False, allow_blank=True)
    attributes = AttributesField(FieldDefinition.Subject.COMPANY, required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not attrs.get("external_id") and not attrs.get("name"):
            raise serializers.ValidationError("A company needs an external_id or a name.")
        return attrs


class CustomerIn(StrictSerializer):
    """A customer, known by ``external_id`` or else by the first of ``emails``. What is left out stays as it is."""

    external_id = serializers.CharField(max_length=200, required=False)
    emails = serializers.ListField(
        child=serializers.CharField(max_length=320),
        required=False,
        max_length=MAX_EMAILS,
        help_text="The first is the one we write to. Addresses that are not named stay.",
    )
    name = serializers.CharField(max_length=200, required=False, allow_blank=True)
    language = serializers.CharField(max_length=10, required=False, allow_blank=True)
    zone = serializers.CharField(
        max_length=64, required=False, allow_blank=True, help_text="IANA name. An unknown one is left out, with a warning."
    )
    stage = serializers.CharField(max_length=40, required=False, allow_blank=True)
    company = CompanyIn(required=False, allow_null=True)
    attributes = AttributesField(FieldDefinition.Subject.CUSTOMER, required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not attrs.get("external_id") and not attrs.get("emails"):
            raise serializers.ValidationError("A customer needs an external_id or emails.")
        return attrs

    def profile(self) -> Profile:
        """The facts, for `identity.upsert`."""
        facts = {key: value for key, value in self.validated_data.items() if key not in ("external_id", "emails", "company")}
        if "company" in self.validated_data:
            company = self.validated_data["company"]
            facts["company"] = CompanyFacts(**company) if company else ""
        return Profile(**facts)


class CompanyOut(serializers.ModelSerializer[Company]):
    class Meta:
        model = Company
        fields = ["id", "external_id", "name"]


class AddressOut(serializers.ModelSerializer[Address]):
    email = serializers.CharField(source="shown")

    class Meta:
        model = Address
        fields = ["email", "is_primary", "reachability"]


class CustomerOut(serializers.ModelSerializer[Customer]):
    addresses = AddressOut(many=True)
    company = CompanyOut(allow_null=True)

    class Meta:
        model = Customer
        fields = [
            "id",
            "external_id",
            "name",
            "addresses",
            "company",
            "language",
            "zone",
            "stage",
            "attributes",
            "created_at",
            "updated_at",
        ]


class CustomerPage(serializers.Serializer[Any]):
    results = CustomerOut(many=True)
    next = serializers.URLField(allow_null=True)


class UpsertedOut(serializers.Serializer[Any]):
    customer = CustomerOut()
    created = serializers.BooleanField()
    changed = serializers.ListField(child=serializers.CharField())
    warnings = serializers.ListField(child=serializers.CharField())


class CustomerRef(StrictSerializer):
    """Exactly one of these. An external_id or email that we do not know makes a new customer."""

    id = serializers.IntegerField(required=False, min_value=1, max_value=2**63 - 1)
    external_id = serializers.CharField(max_length=200, required=False)
    email = serializers.CharField(max_length=320, required=False)

    def validate_email(self, value: str) -> str:
        try:
            canonical(value)
        except BadAddress as error:
            raise serializers.ValidationError(str(error)) from error
        return value

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if len(attrs) != 1:
            raise serializers.ValidationError("Name the customer by exactly one of id, external_id and email.")
        return attrs


class EventIn(StrictSerializer):
    """Something that happened to a customer elsewhere. ``source`` and ``id`` together are unique: a repeat is no harm."""

    kind = serializers.CharField(max_length=80, help_text="Your own word, for example trial_ended")
    source = serializers.CharField(max_length=80, default="api")  # type: ignore[assignment]
    id = serializers.CharField(max_length=200)
    occurred_at = serializers.DateTimeField(required=False, help_text="ISO 8601 with a zone; now, when left out")
    customer = CustomerRef()
    payload = ObjectField(required=False)

    def validate_kind(self, value: str) -> str:
        if value != one_line(value, 80):
            raise serializers.ValidationError("A kind is one line of plain characters.")
        folded = value.lower()  # "Ticket.solved" would only be read as ours
        if folded in settings.EVENT_SUBSCRIBERS or (folded.split(".")[0] in OURS and "." in folded):
            raise serializers.ValidationError("This kind is one of our own and cannot come from outside.")
        return value

    def validate_source(self, value: str) -> str:
        if value != one_line(value, 80):
            raise serializers.ValidationError("A source is one line of plain characters.")
        return value

    def validate_occurred_at(self, value: datetime) -> datetime:
        if value > now() + EARLY:
            raise serializers.ValidationError("This lies in the future.")
        return value


class EventOut(serializers.Serializer[Any]):
    status = serializers.ChoiceField(["accepted", "duplicate"])
    event = serializers.IntegerField()
    customer = serializers.IntegerField(allow_null=True)
    created = serializers.BooleanField(help_text="Whether this event made the customer it names")


class BatchIn(StrictSerializer):
    events = serializers.ListField(child=serializers.JSONField(allow_null=True), min_length=1, max_length=500)


class RowOut(serializers.Serializer[Any]):
    status = serializers.ChoiceField(["accepted", "duplicate", "rejected"])
    event = serializers.IntegerField(required=False)
    customer = serializers.IntegerField(required=False, allow_null=True)
    created = serializers.BooleanField(required=False)
    errors = serializers.JSONField(required=False)  # type: ignore[assignment]


class BatchOut(serializers.Serializer[Any]):
    accepted = serializers.IntegerField()
    duplicate = serializers.IntegerField()
    rejected = serializers.IntegerField()
    results = RowOut(many=True)


class ConsentIn(StrictSerializer):
    subscription = serializers.SlugField(max_length=60)
    given = serializers.BooleanField()
    source = serializers.CharField(max_length=120)  # type: ignore[assignment]
    basis = serializers.ChoiceField(Consent.Basis.choices, required=False)
    wording = serializers.CharField(max_length=5000, required=False, allow_blank=True)
    proof = ObjectField(required=False)
    expires_at = serializers.DateTimeField(required=False, allow_null=True)


class ConsentOut(serializers.ModelSerializer[Consent]):
    subscription = serializers.SlugRelatedField("slug", read_only=True)  # type: ignore[var-annotated]

    class Meta:
        model = Consent
        fields = ["id", "subscription", "given", "basis", "source", "wording", "proof", "at", "expires_at"]
