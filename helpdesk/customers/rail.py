"""The customers' place in the rail."""

from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from helpdesk.accounts.access import EVERYONE


def places(request: HttpRequest) -> list[dict[str, Any]]:
    if not (request.user.is_authenticated and request.user.has_role(*EVERYONE)):
        return []
    return [
        {
            "key": "customers",
            "icon": "people",
            "word": _("Customers"),
            "url": reverse("customers"),
            "go": "c",
            "here": request.path.startswith(("/companies/", "/segments/")),
        }
    ]
