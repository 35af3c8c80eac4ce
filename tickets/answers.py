"""The texts that we answer with, filled in for one ticket: `Hello {{ customer.first_name }}, this is #{{ ticket.number }}`."""

import re
from typing import Any

from django.conf import settings
from django.utils import timezone, translation

from helpdesk.accounts.models import User
from helpdesk.customers import values
from helpdesk.customers.values import Values
from helpdesk.knowledge.models import Answer
from helpdesk.lib.dates import zone
from helpdesk.lib.liquid import MissingValue, render
from helpdesk.lib.text import one_line
from tickets.models import Ticket

MARKUP = re.compile(r"[\[\]<>`*|\\]+")  # what Markdown would take for more than words
ADDRESS = re.compile(r"\S*(?:://|www\.)\S*", re.IGNORECASE)  # whoever is called one wants it clicked


def known(ticket: Ticket, by: Any) -> Values:
    """What an answer on this ticket may say."""
    found: Values = values.of({ticket.requester_id: ticket.requester})[ticket.requester_id]
    found |= {
        "ticket": {
            **ticket.attributes,
            "number": str(ticket.number),
            "subject": ticket.subject,
            "topic": str(ticket.topic or ""),
            "opened": ticket.opened_at.isoformat(),
        },
        "agent": {"name": by.name} if isinstance(by, User) else {},
        "workspace": {"name": settings.WORKSPACE_NAME},
        "language": ticket.requester.language or ticket.language,
    }
    plain: Values = _plain(found)
    return plain


def filled(answer: Answer, told: Values) -> str:
    """Its text with what is ``known``, dates and numbers as the customer writes them, times in their zone, else the workspace's.

    Raises MissingValue for what is not known.
    """
    language = told["language"] if told["language"] in dict(settings.SPOKEN_LANGUAGES) else settings.LANGUAGE_CODE
    with translation.override(language), timezone.override(zone(told.get("zone"), settings.TIME_ZONE)):
        return render(answer.body, told)


def inserted(answer: Answer, told: Values) -> str:
    """For a draft: where something is not known the text stands as it was written, so that its author sees what is missing."""
    try:
        return filled(answer, told)
    except MissingValue:
        return answer.body


def worded(text: str, ticket: Ticket) -> str:
    """A line for people here; what is not known in it, or is none of the language, stands as it was written."""
    if "{" not in text:
        return text
    try:
        return render(text, known(ticket, ""))
    except MissingValue:
        return text


def _plain(value: Any) -> Any:
    """Words of customers inside a text of ours stay words: no markup, and no address to click."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if isinstance(value, str):
        return one_line(MARKUP.sub(" ", ADDRESS.sub("", value)))
    return value
