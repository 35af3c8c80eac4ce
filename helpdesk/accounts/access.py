"""Who may enter: every view says it in one line, and a test refuses a route that does not."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase
from django_htmx.middleware import HtmxDetails

from helpdesk.accounts.models import Role, User

EVERYONE = (Role.LIGHT, Role.AGENT, Role.MANAGER, Role.ADMIN)
AGENTS = (Role.AGENT, Role.MANAGER, Role.ADMIN)
MANAGERS = (Role.MANAGER, Role.ADMIN)
ADMINS = (Role.ADMIN,)

View = Callable[..., HttpResponseBase]


class StaffRequest(HttpRequest):
    """For annotations: what a view behind `staff` gets, somebody who is signed in."""

    user: User
    htmx: HtmxDetails


def staff(*roles: str) -> Callable[[View], View]:
    """Only people of these roles; others get 403, strangers the sign-in page and then what they asked for."""

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not request.user.is_authenticated:
                return redirect_to_login(request.get_full_path())
            if not request.user.has_role(*roles):
                raise PermissionDenied
            return view(request, *args, **kwargs)

        guarded.access = roles  # type: ignore[attr-defined]
        return guarded

    return decorate


def public(view: View) -> View:
    """Anybody, on purpose."""
    view.access = ("public",)  # type: ignore[attr-defined]
    return view
