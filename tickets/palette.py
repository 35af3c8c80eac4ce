"""Tickets in the palette (settings.PALETTE): by number, by what was said, by who wrote; only those in the reader's reach."""

from typing import Any

from django.db.models import Case, IntegerField, Value, When
from django.urls import reverse

from helpdesk.lib.ids import row_id
from tickets.access import StaffRequest
from tickets.search import search


def found(request: StaffRequest, text: str, most: int) -> list[dict[str, Any]]:
    """The ticket of that number first, then the liveliest."""
    number = row_id(text.removeprefix("#"))
    named = Case(When(number=number or 0, then=Value(0)), default=Value(1), output_field=IntegerField())
    rows = search(request.user, text).select_related("requester", "address").order_by(named, "-last_message_at", "-pk")
    return [
        {
            "icon": "inbox",
            "word": f"{ticket.short} {ticket.subject}",
            "beside": ticket.who,
            "url": reverse("ticket", args=[ticket.number]),
        }
        for ticket in rows[:most]
    ]
