"""What is set up where: the pages of the settings, in sections."""

from typing import Any, NamedTuple

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from helpdesk.accounts.access import ADMINS, MANAGERS, StaffRequest
from helpdesk.accounts.models import Role, User


class Page(NamedTuple):
    key: str
    word: str | Promise
    route: str
    who: tuple[Role, ...] = MANAGERS
    also: str = ""  # what else it is called

    @property
    def url(self) -> str:
        return reverse(self.route)


SECTIONS: list[tuple[str | Promise, list[Page]]] = [
    (
        _("People"),
        [
            Page("people", _("People"), "people", ADMINS),
            Page("teams", _("Teams"), "teams", ADMINS),
            Page("skills", _("Skills"), "skills", ADMINS),
            Page("calendars", _("Calendars"), "calendars"),
        ],
    ),
    (
        _("Tickets"),
        [
            Page("rules", _("Rules"), "rules"),
            Page("policies", _("Promises"), "policies", also="sla"),
            Page("escalation", _("Escalation"), "escalation-paths"),
            Page("suggestions", _("Suggestions"), "suggestions"),
            Page("forms", _("Forms"), "forms"),
            Page("fields", _("Fields"), "fields", ADMINS),
        ],
    ),
    (
        _("Channels"),
        [
            Page("mailboxes", _("Mailboxes"), "mailboxes", ADMINS),
            Page("subscriptions", _("Subscriptions"), "subscriptions-set-up"),
            Page("webhooks", _("Webhooks"), "webhooks", ADMINS),
            Page("tokens", _("API tokens"), "tokens", ADMINS),
        ],
    ),
    (
        _("Operations"),
        [
            Page("operations", _("Operations"), "operations"),
            Page("audit", _("Audit log"), "audit", ADMINS),
        ],
    ),
]


def sections_of(user: User) -> list[tuple[str | Promise, list[Page]]]:
    """The sections of which this person may open a page, with those pages."""
    found = [(word, [page for page in pages if user.has_role(*page.who)]) for word, pages in SECTIONS]
    return [(word, pages) for word, pages in found if pages]


def found(request: StaffRequest, text: str, most: int) -> list[dict[str, Any]]:
    """Pages of the settings in the palette (settings.PALETTE), by how what they are called begins."""
    begun = text.casefold().split()
    pages = [page for _word, pages in sections_of(request.user) for page in pages] if len(text) > 1 else []
    words = {page: f"{page.key} {page.word} {page.also}".casefold().split() for page in pages}
    meant = [page for page in pages if all(any(word.startswith(each) for word in words[page]) for each in begun)]
    return [{"icon": "settings", "word": page.word, "beside": _("Settings"), "url": page.url} for page in meant[:most]]
