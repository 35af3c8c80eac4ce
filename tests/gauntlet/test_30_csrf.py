"""A form of another site cannot act: every unsafe route refuses a browser that brings no token of ours."""

import logging

import pytest
from django.test import Client

from tests.gauntlet.world import World, routes, undone

pytestmark = pytest.mark.django_db
UNSAFE = ("POST", "PUT", "PATCH", "DELETE")
# A mail program posts here without cookies (RFC 8058): the signed address is the proof, and no session is looked at.
SIGNED = {"unsubscribe", "unsubscribe-undo", "subscriptions"}
PROVED = {"mail-hook"}  # by the provider's own signature, which a browser cannot make
LEADS_OUT = {"account_confirm_email"}  # to where one signs in, when it is done


def test_every_unsafe_route_refuses_a_form_of_another_site(world: World) -> None:
    logging.disable(logging.ERROR)
    taken, refused_ours, seen = {}, {}, 0
    for route in routes():
        for method in sorted(set(UNSAFE) & route.methods(world)):
            browser = world.browser(world.admin, enforce_csrf_checks=True)
            with undone():
                status = browser.generic(method, world.url(route.name)).status_code
            seen += 1
            if route.is_api:  # knows no cookies, so there is nothing to forge
                expected = status == 401
            elif route.name in SIGNED:
                expected = status == 200
            else:
                expected = status == 403
            if not expected:
                taken[f"{method} {route.name}"] = status
            if not route.is_api and route.name not in LEADS_OUT | PROVED and not ours(browser, method, world.url(route.name)):
                refused_ours[f"{method} {route.name}"] = 403
    assert taken == {}
    assert refused_ours == {}, "with the token of our own page it is let in, so the refusals above were about the token"
    assert seen > 60, "the test must have walked the whole tree"


def ours(browser: Client, method: str, address: str) -> bool:
    """Whether the same request is let in with a token of ours."""
    browser.get("/write/")  # a page of ours with a form
    with undone():
        answer = browser.generic(method, address, headers={"X-CSRFToken": browser.cookies["csrf"].value})
    return answer.status_code != 403 and "/accounts/login/" not in answer.headers.get("Location", "")
