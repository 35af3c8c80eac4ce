"""The API's words for tickets: what may come in, and what is shown. What is not named here cannot be set."""

from typing import Any, cast

from django.db.models import QuerySet
from rest_framework import serializers

from helpdesk.accounts.models import Team, User
from helpdesk.customers.models import FieldDefinition
from helpdesk.customers.serializers import AttributesField, StrictSerializer
from helpdesk.files.models import Attachment
from helpdesk.knowledge.models import Topic
from tickets.forms import MAX_TEXT, people
from tickets.models import Clock, Message, Priority, Status, Ticket
from tickets.repeats import repeats

Subject = FieldDefinition.Subject


class RequesterIn(StrictSerializer):
    """A customer, by one of these; an email that we do not know yet makes a customer."""

    id = serializers.IntegerField(required=False, min_value=1, max_value=2**63 - 1)
    external_id = serializers.CharField(required=False, max_length=200)
    email = serializers.CharField(required=False, max_length=320)
    name = serializers.CharField(required=False, max_length=200, allow_blank=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if sum(name in attrs for name in ("id", "external_id", "email")) != 1:
            raise serializers.ValidationError("Name the customer by exactly one of id, external_id, email.")
        return attrs


class TicketIn(StrictSerializer):
    requester = RequesterIn()
    subject = serializers.CharField(max_length=250)
    text = serializers.CharField(max_length=MAX_TEXT, help_text="What the customer says, as plain text.")
    topic = serializers.SlugRelatedField(slug_field="slug", queryset=Topic.objects.living(), required=False, allow_null=True)
    priority = serializers.ChoiceField(choices=Priority.choices, required=False)
    tags = serializers.ListField(child=serializers.CharField(max_length=60), required=False, max_length=50)
    language = serializers.CharField(
        max_length=10,
        required=False,
        allow_blank=True,
        help_text="Of the customer's words, as a code; left out, that of the text.",
    )
    attributes = AttributesField(Subject.TICKET, strict=True, required=False)


class ChangesIn(StrictSerializer):
    """What is left out stays as it is. What the ticket has already may be sent back, also where nobody can choose it any more."""

    status = serializers.ChoiceField(choices=Status.choices, required=False)
    priority = serializers.ChoiceField(choices=Priority.choices, required=False)
    assignee = serializers.SlugRelatedField(slug_field="email", queryset=User.objects.none(), required=False, allow_null=True)
    team = serializers.SlugRelatedField(slug_field="slug", queryset=Team.objects.none(), required=False, allow_null=True)
    topic = serializers.SlugRelatedField(slug_field="slug", queryset=Topic.objects.none(), required=False, allow_null=True)
    language = serializers.CharField(max_length=10, required=False, allow_blank=True)
    tags = serializers.ListField(child=serializers.CharField(max_length=60), required=False, max_length=200)
    attributes = AttributesField(Subject.TICKET, strict=True, required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        own = self.instance or Ticket()
        self._offer("assignee", people() | User.objects.filter(pk=own.assignee_id or 0))
        self._offer("team", Team.objects.living(keeping=[own.team_id]))
        self._offer("topic", Topic.objects.living(keeping=[own.topic_id]))

    def to_internal_value(self, data: Any) -> Any:
        given = data.get("attributes") if isinstance(data, dict) else None
        if isinstance(given, dict) and self.instance:
            own = self.instance.attributes
            data = {**data, "attributes": {key: value for key, value in given.items() if key not in own or own[key] != value}}
        return super().to_internal_value(data)

    def _offer(self, name: str, rows: QuerySet[Any]) -> None:
        cast(Any, self.fields[name]).queryset = rows


class MessageIn(StrictSerializer):
    kind = serializers.ChoiceField(choices=["reply", "note"])
    text = serializers.CharField(max_length=MAX_TEXT, help_text="Markdown.")
    status = serializers.ChoiceField(
        choices=Status.choices[:-1], required=False, help_text="Of a reply; else the ticket is pending."
    )
    cc = serializers.ListField(
        child=serializers.CharField(max_length=320),
        required=False,
        max_length=50,
        help_text="Who reads along from now on; left out, nobody new.",
    )
    bcc = serializers.ListField(
        child=serializers.CharField(max_length=320),
        required=False,
        max_length=50,
        help_text="Who gets this reply without the others knowing. It is never read back.",
    )
    seen = serializers.IntegerField(
        required=False, min_value=0, max_value=2**63 - 1, help_text="The last message you know; a newer one makes this a 409."
    )


class AttachmentOut(serializers.ModelSerializer[Attachment]):
    size = serializers.IntegerField(source="blob.size", help_text="Bytes")

    class Meta:
        model = Attachment
        fields = ["id", "name", "content_type", "size"]


class MessageOut(serializers.ModelSerializer[Message]):
    author = serializers.CharField()
    attachments = AttachmentOut(many=True)

    class Meta:
        model = Message
        fields = ["id", "kind", "author", "address", "stranger", "verified", "text", "html", "quote", "cc", "at", "attachments"]


class RequesterOut(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    external_id = serializers.CharField(allow_null=True)
    name = serializers.CharField()


class ClockOut(serializers.ModelSerializer[Clock]):
    """One promise about time; what it counts from and what ended it."""

    state = serializers.ChoiceField(choices=["running", "late", "paused", "stuck", "met", "missed"])
    policy = serializers.CharField(source="policy.name", default=None, allow_null=True)

    class Meta:
        model = Clock
        fields = ["kind", "state", "policy", "hours", "target", "started_at", "due_at", "left", "ended_at", "breached_at"]
        extra_kwargs = {
            "target": {"help_text": "Seconds"},
            "left": {"help_text": "Seconds left where it stands still"},
            "due_at": {"help_text": "Null while it stands still"},
            "breached_at": {"help_text": "Null also where it is late or missed, but was due before anybody had promised it"},
        }


class ReasonOut(serializers.Serializer[Any]):
    """Why the desk raised the priority; with each code come its own values."""

    code = serializers.ChoiceField(choices=["contacts", "late", "soon", "incident", "valued"])
    weight = serializers.IntegerField()
    contacts = serializers.IntegerField(required=False, help_text="About the same topic within 7 days, with this ticket")
    minutes = serializers.IntegerField(required=False, help_text="Left of a promise")
    incident = serializers.IntegerField(required=False)
    title = serializers.CharField(required=False, help_text="Of the incident")
    of = serializers.ChoiceField(choices=["customer", "company"], required=False, help_text="Whose value is high")


class TicketOut(serializers.ModelSerializer[Ticket]):
    requester = RequesterOut()
    email = serializers.CharField(source="address.shown", default=None, allow_null=True)
    assignee = serializers.CharField(source="assignee.email", default=None, allow_null=True)
    team = serializers.CharField(source="team.slug", default=None, allow_null=True)
    topic = serializers.CharField(source="topic.slug", default=None, allow_null=True)
    repeat = serializers.SerializerMethodField(help_text="The same customer wrote about the same topic within the 7 days before")
    priority_reasons = ReasonOut(many=True)
    clocks = ClockOut(many=True)

    class Meta:
        model = Ticket
        fields = [
            "number",
            "subject",
            "status",
            "priority",
            "priority_reasons",
            "requester",
            "email",
            "assignee",
            "team",
            "topic",
            "repeat",
            "channel",
            "language",
            "tags",
            "attributes",
            "campaign_id",
            "opened_at",
            "first_replied_at",
            "waiting_since",
            "last_message_at",
            "last_message_id",
            "due_at",
            "breached_at",
            "clocks",
            "escalated_at",
            "escalated_to",
            "escalation_reason",
            "solved_at",
            "closed_at",
        ]

    def get_repeat(self, ticket: Ticket) -> bool:
        """Lists bring it along; for one ticket it is asked."""
        brought: bool | None = getattr(ticket, "repeat", None)
        return repeats(ticket) if brought is None else brought


class TicketPage(serializers.Serializer[Any]):
    results = TicketOut(many=True)
    next = serializers.URLField(allow_null=True)


class MessagePage(serializers.Serializer[Any]):
    results = MessageOut(many=True)
    next = serializers.URLField(allow_null=True)


class ConflictOut(serializers.Serializer[Any]):
    detail = serializers.CharField()
    messages = MessageOut(many=True)
