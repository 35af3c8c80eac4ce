"""The browser of the tests: one headless Chromium, whose pages may complain of nothing."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from django.conf import settings
from django.db import connections
from django.test import Client

PROGRAM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"]


@contextmanager
def running() -> Iterator[Any]:
    """A Playwright browser; the test is skipped where there is none."""
    playwright = pytest.importorskip("playwright.sync_api")
    if not Path(PROGRAM).exists():
        pytest.skip(f"needs {PROGRAM}: apt-get install chromium")
    # playwright's loop runs in this thread, and the tests ask the database
    with mock.patch.dict(os.environ, DJANGO_ALLOW_ASYNC_UNSAFE="true"), playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=PROGRAM, args=FLAGS)
        yield browser
        connections.close_all()  # playwright's loop made its own for this thread, which nobody else would find
        browser.close()


def page_in(context: Any, complaints: list[str], *, patience: int = 20_000) -> Any:
    """A new page of a context that writes its errors down; ``patience`` in milliseconds.

    It has no streams: they need the ASGI server, which a live server is not. A test that wants one answers it itself.
    """
    page = context.new_page()
    page.set_default_timeout(patience)
    page.route("**/live/**", lambda route: route.fulfill(status=204))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda m: complaints.append(f"{m.text} {m.location['url']}") if m.type == "error" else None)
    return page


def session_of(user: Any) -> str:
    """The key of a session in which they are signed in."""
    client = Client()
    client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
    return client.cookies[settings.SESSION_COOKIE_NAME].value


def sign_in(context: Any, session: str, url: str) -> None:
    """Give a browser context a session of `session_of`."""
    context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": url}])
