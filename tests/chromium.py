"""The browser of the tests: one headless Chromium, whose pages may complain of nothing."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection, connections
from django.test import Client, override_settings
from django.test.testcases import LiveServerThread

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


@contextmanager
def site(static: Path) -> Iterator[str]:
    """The address of a server whose files are collected into ``static``, hashed and compressed, as they are in earnest."""
    own = override_settings(STATIC_ROOT=static, ALLOWED_HOSTS=["127.0.0.1", "testserver"])
    own.enable()
    persistent = connection.settings_dict["CONN_MAX_AGE"]
    connection.settings_dict["CONN_MAX_AGE"] = 0  # a thread that ends would keep its connection, and the database with it
    others = ["drf_spectacular_sidecar/*", "rest_framework/*"]  # nine seconds of files that no page of ours names
    call_command("collectstatic", interactive=False, verbosity=0, ignore_patterns=others)
    thread = LiveServerThread("127.0.0.1", lambda application: application)
    thread.daemon = True
    thread.start()
    thread.is_ready.wait()
    if thread.error:
        raise thread.error
    yield f"http://127.0.0.1:{thread.port}"
    thread.terminate()
    thread.join()
    connection.settings_dict["CONN_MAX_AGE"] = persistent
    own.disable()


def page_in(context: Any, complaints: list[str], *, patience: int = 20_000) -> Any:
    """A new page of a context that writes its errors down; ``patience`` in milliseconds.

    It has no streams: they need the ASGI server, which a live server is not. A test that wants one answers it itself.
    """
    page = context.new_page()
    page.set_default_timeout(patience)
    page.route("**/live/**", lambda route: route.fulfill(status=204))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda m: complaints.append(f"{m.text} {m.location['url']}") if _is_error(m) else None)
    return page


def findings(page: Any, options: dict[str, Any] | None = None) -> list[str]:
    """What axe finds, with nothing moving: what is still rising is half as dark as it will be."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    page.emulate_media(reduced_motion="reduce")
    found = axe.Axe().run(page, options=options).response["violations"]
    return [f"{v['id']}: {v['nodes'][0]['html'][:160]} ({len(v['nodes'])})" for v in found]


def _is_error(message: Any) -> bool:
    """Whether the console says that something is wrong: a request that ended because its page was left is not.

    htmx reports one as afterRequest and sendAbort; one that failed as afterRequest and sendError.
    """
    return message.type == "error" and not message.text.startswith(("htmx:afterRequest", "htmx:sendAbort"))


def session_of(user: Any) -> str:
    """The key of a session in which they are signed in."""
    client = Client()
    client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
    return client.cookies[settings.SESSION_COOKIE_NAME].value


def sign_in(context: Any, session: str, url: str) -> None:
    """Give a browser context a session of `session_of`."""
    context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": url}])
