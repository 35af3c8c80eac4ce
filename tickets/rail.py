"""What the inbox shows in the rail (settings.RAIL)."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

from django.urls import reverse
from django.utils.translation import gettext as _

from helpdesk.accounts.access import AGENTS, EVERYONE
from tickets import queues
from tickets.access import StaffRequest


def places(request: StaffRequest) -> list[dict[str, Any]]:
    if not _is_staff(request):
        return []
    path, _view = here(request)
    waiting = queues.counts(request)[queues.FIRST]
    return [
        {
            "key": "inbox",
            "icon": "inbox",
            "word": _("Inbox"),
            "url": reverse("inbox"),
            "count": queues.shown(waiting),
            "go": "i",
            "here": path.startswith("/tickets/"),
        }
    ]


def teams(request: StaffRequest) -> list[dict[str, Any]]:
    if not (_is_staff(request) and request.user.has_role(*AGENTS)):
        return []
    return [{"key": "who", "icon": "eye", "word": _("Who is here"), "url": reverse("who"), "go": "w"}]


def views(request: StaffRequest) -> list[dict[str, Any]]:
    if not _is_staff(request):
        return []
    counts = queues.counts(request)
    _path, view_here = here(request)
    return [
        {
            "word": view.word,
            "url": reverse("inbox-view", args=[view.slug]),
            "count": queues.shown(counts.get(view.slug, 0)),
            "here": view.slug == view_here,
        }
        for view in queues.views_of(request).values()
        if not view.hidden or view.slug == view_here
    ]


def here(request: StaffRequest) -> tuple[str, str]:
    """The page in the reader's window, also when a part of it asks: its path, and the view that a ticket was opened from."""
    htmx = getattr(request, "htmx", None)
    address = urlsplit((htmx.current_url_abs_path if htmx else None) or request.get_full_path())
    view = parse_qs(address.query).get("view", [""])[0]
    if address.path == reverse("inbox"):
        return address.path, queues.FIRST
    return address.path, view if address.path.startswith("/tickets/") else ""


def _is_staff(request: StaffRequest) -> bool:
    user = getattr(request, "user", None)
    return bool(user and user.is_authenticated and user.has_role(*EVERYONE))
