"""Looking changes nothing: GET and HEAD of every route leave every row of every table as it was."""

import logging

import pytest

from tests.gauntlet.world import World, difference, picture, routes

pytestmark = pytest.mark.django_db

# table → the routes that may write there when read, and why
MAY = {
    "tickets_readmark": {"ticket"},  # how far this person has read
    "account_emailaddress": {"account_email"},  # allauth copies a person's address when they look at it first
    "accounts_apitoken": {route.name for route in routes() if route.is_api},  # when it was last used
}
STRANGERS = {"account_confirm_email"}  # the link of another person's mail ends one's own session
NOT_THERE = {  # routes without a page behind them for somebody who is signed in
    "mfa_deactivate_totp": 404,  # there is nothing before a second factor is set up
    "mfa_view_recovery_codes": 404,
    "mfa_download_recovery_codes": 404,
    "ticket-far-picture": 424,  # it is named at an address that we do not dial
    "metrics": 401,  # for tokens
    "healthz": 503,  # no worker runs in a test
}


def test_get_and_head_change_nothing(world: World) -> None:
    logging.disable(logging.ERROR)
    changed, unread, seen = {}, {}, 0
    before = picture()
    for route in routes():
        methods = route.methods(world)
        for method in {"GET", "HEAD"} & methods | ({"HEAD"} if "GET" in methods else set()):
            headers = {"authorization": f"Bearer {world.bearer}"} if route.is_api else {}
            browser = world.browser(None if route.is_api or route.name in STRANGERS else world.admin)
            answer = browser.generic(method, world.url(route.name), headers=headers)
            shown = answer.status_code < 400 and "/accounts/login/" not in answer.headers.get("Location", "")
            if not shown and NOT_THERE.get(route.name) != answer.status_code:
                unread[f"{method} {route.name}"] = answer.status_code
            after = picture()
            found = {t: rows for t, rows in difference(before, after).items() if route.name not in MAY.get(t, ())}
            before = after
            if found:
                changed[f"{method} {route.name}"] = found
            seen += 1
    assert unread == {}, "a page that was not shown proves nothing"
    assert changed == {}
    assert seen > 120, "the test must have walked the whole tree"
