"""What the rows of a list can tell beside who wrote, what about and how long ago; each view chooses."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from helpdesk.customers import definitions
from helpdesk.customers.models import FieldDefinition
from helpdesk.lib import languages
from tickets.models import Ticket

Subject = FieldDefinition.Subject


class Column(NamedTuple):
    """A plain fact of a ticket, written as "label value"; `joins` is what it takes to read it."""

    label: str | Promise
    read: Callable[[Ticket], Any]
    joins: str = ""


# these have their own place and look in a row (templates/tickets/_row.html)
SIGNS: dict[str, str | Promise] = {
    "said": _("What they said last"),
    "status": _("Status"),
    "priority": _("Priority"),
    "tags": _("Tags"),
    "assignee": _("Assignee"),
}
PLAIN: dict[str, Column] = {
    "number": Column(_("Number"), lambda ticket: ticket.short),
    "company": Column(_("Company"), lambda ticket: ticket.requester.company, "requester__company"),
    "team": Column(_("Team"), lambda ticket: ticket.team, "team"),
    "topic": Column(_("Topic"), lambda ticket: ticket.topic, "topic"),
    "mailbox": Column(_("Mailbox"), lambda ticket: ticket.mailbox, "mailbox"),
    "channel": Column(_("Channel"), lambda ticket: ticket.get_channel_display()),
    "language": Column(_("Language"), lambda ticket: languages.name_of(ticket.language)),
    "opened": Column(_("Opened"), lambda ticket: ticket.opened_at),
    "first_reply": Column(_("First reply"), lambda ticket: ticket.first_replied_at),
}


CUSTOM = "attribute."  # before the key of a custom field


def choices() -> list[tuple[str, Any]]:
    custom = ((CUSTOM + key, field.label) for key, field in definitions.of(Subject.TICKET).items())
    return [*SIGNS.items(), *((name, column.label) for name, column in PLAIN.items()), *custom]


def joined(names: Iterable[str]) -> list[str]:
    return [PLAIN[name].joins for name in names if name in PLAIN and PLAIN[name].joins]


def dress(tickets: Iterable[Ticket], names: Iterable[str]) -> None:
    """Give each ticket `facts_shown`, (label, value) for those of the columns that it has something for."""
    tickets, plain = list(tickets), [PLAIN[name] for name in names if name in PLAIN]
    keys = [name.removeprefix(CUSTOM) for name in names if name.startswith(CUSTOM)]
    custom = [field for key in keys if (field := definitions.of(Subject.TICKET).get(key))]
    pointing = [field.key for field in custom if field.type == FieldDefinition.Type.LOOKUP]
    known = definitions.names(each.attributes.get(key) for each in tickets for key in pointing)
    for ticket in tickets:
        found = [(column.label, column.read(ticket)) for column in plain]
        found += [(field.label, definitions.words(field, ticket.attributes.get(field.key), known)) for field in custom]
        ticket.facts_shown = [(label, value) for label, value in found if value not in (None, "")]
