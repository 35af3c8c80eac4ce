"""What may be asked about a ticket, and about a customer's tickets (settings.CONDITION_FIELDS)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db.models import BigIntegerField, DateTimeField, Exists, OuterRef, Q, Subquery
from django.utils.translation import gettext_lazy as _

from helpdesk.accounts.models import Team, User
from helpdesk.knowledge.models import Topic
from helpdesk.lib import conditions
from helpdesk.lib.conditions import Field
from tickets.models import LIVE, OURS, Channel, Clock, Policy, Priority, Status, Ticket


def teams() -> Sequence[tuple[int, str]]:
    return list(Team.objects.values_list("pk", "name"))


def people() -> Sequence[tuple[int, str]]:
    return list(User.objects.active().values_list("pk", "name"))


def topics() -> Sequence[tuple[int, str]]:
    return list(Topic.objects.values_list("pk", "name"))


def policies() -> Sequence[tuple[int, str]]:
    return list(Policy.objects.values_list("pk", "name"))


def _clock(name: str, label: Any, *kinds: str) -> Field:
    """When the open clocks of these kinds are due."""
    rows = Clock.objects.filter(ticket=OuterRef("pk"), kind__in=kinds, ended_at=None, idle="").order_by("due_at")

    def value(ticket: Ticket) -> datetime | None:
        found = ticket.clocks.filter(kind__in=kinds, ended_at=None, idle="", due_at__isnull=False)
        return found.order_by("due_at").values_list("due_at", flat=True).first()

    return Field(name, label, "date", q=Subquery(rows.values("due_at")[:1], output_field=DateTimeField()), value=value)


def _policy_of(ticket: Ticket) -> int | None:
    return ticket.clocks.order_by("-pk").values_list("policy", flat=True).first()


STILL = Q(ended_at=None) & ~Q(idle="")
conditions.register(
    "ticket",
    Field(
        "breached",
        _("missed a promise"),
        "boolean",
        q=Q(breached_at__isnull=False),
        value=lambda ticket: ticket.breached_at is not None,
    ),
    Field("due", _("next due"), "date", q="due_at"),
    _clock("first_reply_due", _("first reply due"), "first_reply"),
    _clock("next_reply_due", _("next reply due"), "next_reply"),
    _clock("resolution_due", _("resolution due"), "resolution", "full_resolution"),
    Field(
        "clock_paused",
        _("a clock is paused"),
        "boolean",
        q=Q(Exists(Clock.objects.filter(STILL, ticket=OuterRef("pk")))),
        value=lambda ticket: ticket.clocks.filter(STILL).exists(),
    ),
    Field(
        "policy",
        _("policy"),
        "choice",
        q=Subquery(
            Clock.objects.filter(ticket=OuterRef("pk")).order_by("-pk").values("policy")[:1], output_field=BigIntegerField()
        ),
        value=_policy_of,
        choices=policies,
    ),
)
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
