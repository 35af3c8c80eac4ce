"""What may be asked about a ticket, and about a customer's tickets (settings.CONDITION_FIELDS)."""

from collections.abc import Sequence

from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from helpdesk.accounts.models import Team, User
from helpdesk.knowledge.models import Topic
from helpdesk.lib import conditions
from helpdesk.lib.conditions import Field
from tickets.models import LIVE, OURS, Channel, Priority, Status, Ticket
from tickets.repeats import is_repeat, repeats


def teams() -> Sequence[tuple[int, str]]:
    return list(Team.objects.values_list("pk", "name"))


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


conditions.register(
    "ticket",
    Field("open", _("open"), "boolean", q=Q(status__in=LIVE), value=lambda ticket: ticket.is_live),
    Field(
        "waiting",
        _("waiting on us"),
        "boolean",
        q=Q(status__in=OURS, waiting_since__isnull=False),
        value=lambda ticket: ticket.waits_on_us,
    ),
    Field("status", _("status"), "choice", q="status", choices=Status.choices, tracked=True),
    Field("priority", _("priority"), "choice", q="priority", choices=Priority.choices, tracked=True),
    Field("topic", _("topic"), "choice", q="topic_id", choices=topics, tracked=True),
    Field("topic_branch", _("topic or one above it"), "tags", q=at_or_below, value=topics_above, choices=topics),
    Field("repeat", _("repeat contact"), "boolean", q=Q(is_repeat()), value=repeats),
    Field("team", _("team"), "choice", q="team_id", choices=teams, tracked=True),
    Field("assignee", _("assignee"), "choice", q="assignee_id", choices=people, tracked=True),
    Field("channel", _("channel"), "choice", q="channel", choices=Channel.choices),
    Field("language", _("language"), "text", q="language", tracked=True),
    Field("subject", _("subject"), "text", q="subject", tracked=True),
    Field("tags", _("tags"), "tags", q="tags", tracked=True),
    Field("opened", _("opened"), "date", q="opened_at"),
    Field("waiting_since", _("waiting since"), "date", q="waiting_since"),
    Field("last_message", _("last message"), "date", q="last_message_at"),
    Field("solved", _("solved"), "date", q="solved_at"),
    Field(
        "answers_us",
        _("answers a message of ours"),
        "boolean",
        q=Q(outgoing_id__isnull=False),
        value=lambda ticket: ticket.outgoing_id is not None,
    ),
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
