"""What may be asked about the promises of a ticket (settings.CONDITION_FIELDS)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db.models import BigIntegerField, DateTimeField, Exists, OuterRef, Q, Subquery
from django.utils.translation import gettext_lazy as _

from helpdesk.lib import conditions
from helpdesk.lib.conditions import Field
from tickets.models import Clock, Policy, Ticket

CLOCKS = _("Clocks")
STILL = Q(ended_at=None) & ~Q(idle="")


def policies() -> Sequence[tuple[int, str]]:
    return list(Policy.objects.living().values_list("pk", "name"))


def former_policies() -> Sequence[tuple[int, str]]:
    return list(Policy.objects.archived().values_list("pk", "name"))


def _due(name: str, label: Any, *kinds: str) -> Field:
    """When the open clocks of these kinds are due."""
    rows = Clock.objects.filter(ticket=OuterRef("pk"), kind__in=kinds, ended_at=None, idle="").order_by("due_at")

    def value(ticket: Ticket) -> datetime | None:
        found = ticket.clocks.filter(kind__in=kinds, ended_at=None, idle="", due_at__isnull=False)
        return found.order_by("due_at").values_list("due_at", flat=True).first()

    first = Subquery(rows.values("due_at")[:1], output_field=DateTimeField())
    return Field(name, label, "date", q=first, value=value, ahead=True, group=CLOCKS)


def _yes(name: str, label: Any, q: Q, value: Any) -> Field:
    return Field(name, label, "boolean", q=q, value=value, group=CLOCKS)


def _policy_of(ticket: Ticket) -> int | None:
    return ticket.clocks.order_by("-pk").values_list("policy", flat=True).first()


_paused = Q(Exists(Clock.objects.filter(STILL, ticket=OuterRef("pk"))))
_latest = Clock.objects.filter(ticket=OuterRef("pk")).order_by("-pk").values("policy")[:1]
FIELDS = (
    _yes("breached", _("missed a promise"), Q(breached_at__isnull=False), lambda ticket: ticket.breached_at is not None),
    Field("due", _("next due"), "date", q="due_at", ahead=True, group=CLOCKS),
    _due("first_reply_due", _("first reply due"), "first_reply"),
    _due("next_reply_due", _("next reply due"), "next_reply"),
    _due("resolution_due", _("resolution due"), "resolution", "full_resolution"),
    _yes("clock_paused", _("a clock is paused"), _paused, lambda ticket: ticket.clocks.filter(STILL).exists()),
    Field(
        "policy",
        _("policy"),
        "choice",
        q=Subquery(_latest, output_field=BigIntegerField()),
        value=_policy_of,
        choices=policies,
        refers="policy",
        former=former_policies,
        group=CLOCKS,
    ),
)
conditions.register("ticket", *FIELDS)
