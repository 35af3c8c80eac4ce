"""The way to what is set up and what is stuck, for those who may change it."""

from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from helpdesk.accounts.access import ADMINS, MANAGERS

OURS = ("/people/", "/teams/", "/skills/", "/mailboxes/", "/tokens/", "/fields/", "/subscriptions/", "/audit/", "/operations/")


def places(request: HttpRequest) -> list[dict[str, Any]]:
    if not (request.user.is_authenticated and request.user.has_role(*MANAGERS)):
        return []
    first = reverse("people") if request.user.has_role(*ADMINS) else reverse("operations")
    return [{"key": "settings", "icon": "settings", "word": _("Settings"), "url": first, "here": request.path.startswith(OURS)}]
