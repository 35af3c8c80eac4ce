"""Every route says who may enter; unsafe methods need a CSRF token, and GET changes nothing it should not."""

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from helpdesk.accounts.tokens import Denied

OTHERS = ("allauth.", "drf_spectacular.", "django.views.", "whitenoise.")  # guarded by their own rules


def routes(resolver=None, prefix=""):
    for entry in (resolver or get_resolver()).url_patterns:
        if isinstance(entry, URLResolver):
            yield from routes(entry, prefix + str(entry.pattern))
        elif isinstance(entry, URLPattern):
            yield prefix + str(entry.pattern), entry.callback


def test_every_route_names_its_permission():
    silent = []
    for route, view in routes():
        if view.__module__.startswith(OTHERS):
            continue
        api = getattr(view, "cls", None) or getattr(view, "view_class", None)
        if api is not None and hasattr(api, "permission_classes"):
            if "permission_classes" not in vars(api) or Denied in api.permission_classes:
                silent.append(route)
        elif not getattr(view, "access", None):
            silent.append(route)
    assert silent == []
    assert len(list(routes())) > 40, "the test must have walked the whole tree"


@pytest.mark.django_db
def test_no_page_but_what_proves_itself_takes_a_post_without_its_csrf_token(ana):
    """RFC 8058 forbids cookies there; everything else must refuse."""
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(ana, backend="allauth.account.auth_backends.AuthenticationBackend")
    open_to_all = []
    for route, view in routes():
        if route.startswith(("api/", "static/")) or not getattr(view, "csrf_exempt", False):
            continue
        if getattr(view, "cls", None) is None:
            open_to_all.append(route)
    signed = ["u/<str:token>", "u/<str:token>/undo", "u/<str:token>/choices"]  # the address is the proof
    assert open_to_all == ["hooks/mail/<slug:provider>/<slug:part>/", *signed], "and what a provider posts proves itself"
