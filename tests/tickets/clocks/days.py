"""A working day to tell stories on, and what happens to a ticket on it."""

from datetime import UTC, datetime, timedelta
from typing import Any

from helpdesk.customers.models import Customer
from helpdesk.lib import dates
from tickets import intake, replies
from tickets.models import Message, Ticket

MONDAY = datetime(2026, 11, 23, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def at(clock: str, day: int = 0) -> datetime:
    return MONDAY + timedelta(days=day, hours=int(clock[:2]), minutes=int(clock[3:5]), seconds=int(clock[6:] or 0))


def targets(**minutes: Any) -> dict[str, Any]:
    row = {"hours": "business", "first_reply": 60, "next_reply": 120, "resolution": 480, **minutes}
    return {priority: dict(row) for priority in ("low", "normal", "high", "urgent")}


def opened(ben: Customer, when: datetime, **more: Any) -> Ticket:
    with dates.moved(to=when):
        return intake.open_ticket(ben, "Help", intake.Words("It broke.", at=when), channel="form", **more)


def heard(ticket: Ticket, when: datetime, **more: Any) -> Message:
    with dates.moved(to=when):
        return intake.hear(ticket, ticket.requester, intake.Words("And now?", at=when, **more))


def replied(ticket: Ticket, ana: Any, when: datetime, status: str = "") -> Message:
    with dates.moved(to=when):
        return replies.reply(ticket, "Like this.", by=ana, status=status)
