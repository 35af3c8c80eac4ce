"""Between the request and the page: the reader's time zone, and the second factor that staff must have."""

from collections.abc import Callable
from typing import Any

from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import MiddlewareNotUsed
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from helpdesk.lib.dates import zone


class ReadersZone:
    """Times on a page are the reader's own; strangers and those who named no zone get the workspace's."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        own = request.user.zone if request.user.is_authenticated else ""
        with timezone.override(zone(own, settings.TIME_ZONE)):
            return self.get_response(request)


class RequireSecondFactor:
    """Whoever is signed in without one reaches the pages that set it up, public pages, and nothing else.

    Asked from the database on every request: whoever switches theirs off is asked again at once.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        if settings.LOOPBACK:
            raise MiddlewareNotUsed
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Callable[..., Any], args: Any, kwargs: Any) -> HttpResponseBase | None:
        if "public" in getattr(view, "access", ()) or view.__module__.startswith("allauth.") or not request.user.is_authenticated:
            return None
        if is_mfa_enabled(request.user):
            return None
        door = reverse("mfa_activate_totp")
        if request.headers.get("HX-Request"):
            return HttpResponse(status=204, headers={"HX-Redirect": door})
        messages.warning(request, _("Set up a second factor first. It takes a minute and needs an app that makes codes."))
        return redirect(door)
