"""The way to what one is told, and to what is set up and what is stuck, for those who may change it."""

from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from helpdesk.accounts.access import EVERYONE, MANAGERS
from helpdesk.accounts.sections import sections_of

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
    pages = [page.url for _word, found in sections_of(request.user) for page in found]
    here = request.path.startswith((*pages, reverse("clocks")))
    return [told, {"key": "settings", "icon": "settings", "word": _("Settings"), "url": pages[0], "here": here}]
