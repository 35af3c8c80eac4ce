"""Tickets that a custom field points to (settings.LOOKUPS), by their number; the number is all that is told of them."""

from collections.abc import Iterable

from helpdesk.lib.ids import row_id
from tickets.models import Ticket


def tickets(numbers: Iterable[int]) -> dict[int, str]:
    return {number: f"#{number}" for number in Ticket.objects.filter(number__in=numbers).values_list("number", flat=True)}


def find_tickets(text: str) -> dict[int, str]:
    number = row_id(text.removeprefix("ticket:").removeprefix("#"))
    return {} if number is None else tickets([number])
