"""What may be asked about a ticket, and about a customer's tickets (settings.CONDITION_FIELDS).

Other modules add their own beside these, by `conditions.register("ticket", ...)`: clocks (`breached`, `due`), the fields that
people define (a `Dynamic`), outreach (`campaign`). What is asked most stands on the ticket's own columns, so that the partial
indexes of the inbox serve it; texts of messages are asked by their indexed words.
"""

from collections.abc import Callable, Sequence
from typing import Any

from django.conf import settings
from django.contrib.postgres.search import SearchVector, SearchVectorExact
from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext_lazy as _

from helpdesk.accounts.models import Team, User
from helpdesk.customers.fields import custom
from helpdesk.customers.models import FieldDefinition
from helpdesk.knowledge.models import Topic
from helpdesk.lib import conditions
from helpdesk.lib.conditions import Field
from helpdesk.lib.conditions.query import Search, search
from helpdesk.lib.conditions.terms import query
from helpdesk.mail.models import Mailbox
from tickets.models import LIVE, OURS, Channel, Message, Priority, Status, Suggestion, Ticket
from tickets.models.message import words
from tickets.models.terms import spelled
from tickets.repeats import is_repeat, repeats

TICKET, PEOPLE, TIMES = _("Ticket"), _("Customer"), _("Times")
RELATED = ("requester__company", "address", "suggestion")  # whoever asks many tickets fetches with them what these fields read

Subject = FieldDefinition.Subject
LEVELS = [(99, _("almost certain")), (95, _("likely")), (0, _("not sure"))]


def teams() -> Sequence[tuple[int, str]]:
    return list(Team.objects.living().values_list("pk", "name"))


def former_teams() -> Sequence[tuple[int, str]]:
    return list(Team.objects.archived().values_list("pk", "name"))


def people() -> Sequence[tuple[int, str]]:
    return list(User.objects.active().values_list("pk", "name"))


def topics() -> Sequence[tuple[int, str]]:
    return Topic.objects.all().by_path()


def at_or_below(topics: Sequence[int] | None) -> Q:
    """Filed under one of these topics or under one that lies below it, at any depth; None: under any at all."""
    if topics is None:
        return Q(topic__isnull=False)
    wanted = set(topics)
    return Q(topic__in=[pk for pk, path in Topic.objects.all().paths().items() if wanted.intersection(path)])


def topics_above(ticket: Ticket) -> Sequence[int]:
    return Topic.objects.all().paths().get(ticket.topic_id, ()) if ticket.topic_id else ()


def mailboxes() -> Sequence[tuple[int, str]]:
    return list(Mailbox.objects.order_by("name").values_list("pk", "name"))


def own_teams(reader: User) -> Sequence[int]:
    return list(reader.teams.values_list("pk", flat=True))


def said(asked: str) -> Q:
    """The words stand in the subject, or all of them in one message; each half by its own index."""
    found = Message.objects.annotate(v=words()).filter(v=query(asked))
    return Q(SearchVectorExact(SearchVector("subject", config="simple"), query(asked))) | Q(pk__in=found.values("ticket"))


def _says(ticket: Ticket) -> Callable[[str], bool]:
    return lambda asked: Ticket.objects.filter(pk=ticket.pk).filter(said(asked)).exists()


_files = Message.attachments.through.objects
WITH_FILES = Q(Exists(_files.filter(message__ticket=OuterRef("pk"))))


def _choice(name: str, label: Any, q: str, choices: Any, **more: Any) -> Field:
    return Field(name, label, "choice", q=q, choices=choices, group=TICKET, **more)


def _date(name: str, label: Any, q: str) -> Field:
    return Field(name, label, "date", q=q, group=TIMES)


def _yes(name: str, label: Any, q: Q, value: Callable[[Ticket], bool]) -> Field:
    return Field(name, label, "boolean", q=q, value=value, group=TICKET)


def suggested(field: str) -> Callable[[Ticket], Any]:
    """What was suggested for a ticket, or None where nothing was asked."""
    return lambda ticket: getattr(getattr(ticket, "suggestion", None), field, None)


conditions.register(
    "ticket",
    _choice("status", _("status"), "status", Status.choices, tracked=True),
    _yes("open", _("open"), Q(status__in=LIVE), lambda ticket: ticket.is_live),
    _yes("waiting", _("waiting on us"), Q(status__in=OURS, waiting_since__isnull=False), lambda ticket: ticket.waits_on_us),
    _choice("priority", _("priority"), "priority", Priority.choices, tracked=True),
    _choice("assignee", _("assignee"), "assignee_id", people, tracked=True,
            personal={"me": (_("me (who reads)"), lambda reader: [reader.pk])}),
    _choice("team", _("team"), "team_id", teams, tracked=True, personal={"mine": (_("one of my teams"), own_teams)},
            refers="team", former=former_teams),
    _choice("topic", _("topic"), "topic_id", topics, tracked=True),
    Field("topic_branch", _("topic or one above it"), "tags", q=at_or_below, value=topics_above, choices=topics, group=TICKET),
    _yes("repeat", _("repeat contact"), Q(is_repeat()), repeats),
    _yes("escalated", _("escalated"), Q(escalated_at__isnull=False), lambda ticket: ticket.escalated_at is not None),
    Field("escalations", _("number of escalations"), "number", q="escalations", group=TICKET),
    _choice("suggested_topic", _("suggested topic"), "suggestion__topic_id", topics, value=suggested("topic_id")),
    _choice("suggestion", _("suggestion"), "suggestion__state", Suggestion.State.choices, value=suggested("state")),
    _choice("suggestion_confidence", _("confidence of the suggestion"), "suggestion__level", LEVELS, value=suggested("level")),
    Field("tags", _("tags"), "tags", q="tags", spelled=spelled, tracked=True, group=TICKET),
    Field("subject", _("subject"), "text", q="subject", tracked=True, group=TICKET),
    Field("text", _("subject or messages"), "words", q=said, value=_says, group=TICKET),
    _choice("channel", _("channel"), "channel", Channel.choices),
    _choice("mailbox", _("mailbox"), "mailbox_id", mailboxes),
    _choice("language", _("language"), "language", settings.SPOKEN_LANGUAGES, tracked=True),
    Field("number", _("number"), "number", q="number", group=TICKET),
    _yes("files", _("has files"), WITH_FILES, lambda ticket: _files.filter(message__ticket=ticket.pk).exists()),
    _yes("follow_up", _("follows a closed ticket"), Q(follow_up_of__isnull=False),
         lambda ticket: ticket.follow_up_of_id is not None),
    _yes("answers_us", _("answers a message of ours"), Q(outgoing_id__isnull=False),
         lambda ticket: ticket.outgoing_id is not None),
    Field("message", _("message"), "relation", subject="message", q=Message.objects.all, link="ticket", plural=_("messages"),
          value=lambda ticket: ticket.messages.all(), group=TICKET),
    Field("requester", _("customer’s name"), "text", q="requester__name", group=PEOPLE),
    Field("address", _("customer’s address"), "text", q="address__canonical", group=PEOPLE),
    Field("company", _("company"), "text", q="requester__company__name", group=PEOPLE),
    Field("stage", _("customer’s stage"), "text", q="requester__stage", group=PEOPLE),
    Field("known_since", _("customer known since"), "date", q="requester__created_at", group=PEOPLE),
    _date("opened", _("opened"), "opened_at"),
    _date("waiting_since", _("waiting since"), "waiting_since"),
    _date("last_message", _("last message"), "last_message_at"),
    _date("last_customer_message", _("last message from the customer"), "last_customer_message_at"),
    _date("first_replied", _("first reply"), "first_replied_at"),
    _date("last_escalated", _("last escalated"), "escalated_at"),
    _date("solved", _("solved"), "solved_at"),
    _date("closed", _("closed"), "closed_at"),
    custom(Subject.TICKET, "attribute.", "attributes", tracked=True),
    custom(Subject.CUSTOMER, "customer.", "requester__attributes"),
    custom(Subject.COMPANY, "company.", "requester__company__attributes"),
)  # fmt: skip
# is:unassigned, is:solved; what is yes or no can be said with is: anyway
FLAGS: dict[str, dict[str, Any]] = {
    "unassigned": {"field": "assignee", "op": "is_not_set"},
    "assigned": {"field": "assignee", "op": "is_set"},
    **{word: {"field": "due", "op": "sooner_than", "value": {"minutes": 1}} for word in ("late", "overdue")},
    **{status: {"field": "status", "op": "is", "value": status} for status in Status.values if status != "open"},
    **{priority: {"field": "priority", "op": "is", "value": priority} for priority in Priority.values},
}
search(
    "ticket",
    Search(
        words="text",
        aliases={"tag": "tags", "from": "address", "customer": "requester"},
        starts={"before": ("opened", "<"), "after": ("opened", ">"), "created": ("opened", "")},
        flags=FLAGS,
    ),
)
conditions.register(
    "message",
    Field("kind", _("kind of message"), "choice", q="kind", choices=Message.Kind.choices),
    Field("text", _("text"), "text", q="text"),
    Field("address", _("address of the author"), "text", q="address"),
    Field("author", _("colleague who wrote it"), "choice", q="user_id", choices=people),
    Field("at", _("time"), "date", q="at"),
)
conditions.register(
    "customer",
    Field(
        "ticket",
        _("ticket"),
        "relation",
        subject="ticket",
        q=Ticket.objects.without_spam,
        link="requester",
        value=lambda customer: customer.tickets.without_spam(),
        plural=_("tickets"),
    ),
)
