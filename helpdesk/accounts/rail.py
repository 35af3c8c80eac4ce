"""The way to what one is told, and to what is set up and what is stuck, for those who may change it."""

from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from helpdesk.accounts.access import ADMINS, EVERYONE, MANAGERS

OURS = (
    "/people/",
    "/teams/",
    "/skills/",
    "/calendars/",
    "/policies/",
    "/clocks/",
    "/rules/",
    "/escalation/",
    "/mailboxes/",
    "/webhooks/",
    "/tokens/",
    "/fields/",
    "/forms/",
    "/subscriptions/",
    "/suggestions/",
    "/audit/",
    "/operations/",
)
MOST = 99  # a count above this is "99+"


def places(request: HttpRequest) -> list[dict[str, Any]]:
    if not (request.user.is_authenticated and request.user.has_role(*EVERYONE)):
        return []
    unread = request.user.unread
    told = {
        "key": "notifications",
        "icon": "bell",
        "word": _("Notifications"),
        "url": reverse("notifications"),
        "count": f"{MOST}+" if unread > MOST else str(unread or ""),
        "go": "n",
    }
    if not request.user.has_role(*MANAGERS):
        return [told]
    first = reverse("people") if request.user.has_role(*ADMINS) else reverse("operations")
    return [
        told,
        {"key": "settings", "icon": "settings", "word": _("Settings"), "url": first, "here": request.path.startswith(OURS)},
    ]
