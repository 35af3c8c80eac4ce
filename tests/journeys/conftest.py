"""One real browser, our real SMTP listener and a real SMTP sink around one live server."""

import asyncio
import smtplib
import threading
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from typing import Any

import pytest
from django.conf import settings as configured
from django.db import connection
from django.urls import reverse

from helpdesk.mail import listener
from tests import chromium
from tests.conftest import PASSWORD


@pytest.fixture
def browsers(live_server: Any, settings: Any) -> Iterator[Callable[..., Any]]:
    """``browsers(ana)`` is her own browser, signed in by the form; ``browsers()`` a stranger's."""
    settings.BASE_URL = live_server.url
    complaints: list[str] = []
    with chromium.running() as chrome:

        def open_browser(person: Any = None, **options: Any) -> Any:
            context = chrome.new_context(base_url=live_server.url, viewport={"width": 1440, "height": 900}, **options)
            page = chromium.page_in(context, complaints, patience=20_000)
            if person:
                page.goto(reverse(configured.LOGIN_URL))
                page.get_by_label("Email").fill(person.email)
                page.get_by_label("Password").fill(PASSWORD)
                page.get_by_role("button", name="Sign in").click()
                page.wait_for_url("**/inbox/**")
            return page

        yield open_browser
    assert complaints == []


@pytest.fixture
def post(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Post a letter to our own SMTP listener, as a customer's mail server would."""
    monkeypatch.setitem(connection.settings_dict, "CONN_MAX_AGE", 0)  # a thread that ends would keep its connection
    loop, stop, ready = asyncio.new_event_loop(), asyncio.Event(), threading.Event()
    port: list[int] = []

    def listening(number: int) -> None:
        port.append(number)
        ready.set()

    thread = threading.Thread(target=lambda: loop.run_until_complete(listener.serve("127.0.0.1", 0, stop, ready=listening)))
    thread.start()
    assert ready.wait(10)

    def send(to: str, subject: str, text: str, *, sender: str = "ben@carter.example", **headers: str) -> None:
        letter = EmailMessage()
        letter["From"], letter["To"], letter["Subject"] = sender, to, subject
        for name, value in headers.items():
            letter[name.replace("_", "-")] = value
        letter.set_content(text)
        with smtplib.SMTP("127.0.0.1", port[0]) as smtp:
            smtp.send_message(letter, from_addr=sender, to_addrs=[to])

    yield send
    loop.call_soon_threadsafe(stop.set)
    thread.join(10)
    loop.close()
