"""When a page's largest part is painted, and a part that is swapped in: local Chromium, a web process as the product runs it."""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from django.conf import settings
from django.core.management import call_command
from django.db import connections

from bench.measure import Results
from bench.place import Sizes
from bench.rows.reading import browser
from bench.screenshots import CHROMIUM, FLAGS
from bench.web import listen, ready
from tickets.models import LIVE, Ticket

PLAIN = "/plain"  # answered without a server: what the browser and the machine's load take by themselves
WINDOW = {"width": 1440, "height": 900}
# Put in by the browser itself, so the policy of the pages does not ask it. A swap is painted when the task after the next
# frame's callbacks runs.
WATCH = """
    new PerformanceObserver(list => { for (const entry of list.getEntries()) window.largest = entry.startTime })
        .observe({type: "largest-contentful-paint", buffered: true});
    addEventListener("click", () => { window.clicked = performance.now() }, true);
    addEventListener("htmx:afterSwap", event => {
        if (event.target.id !== "ticket-pane") return;
        requestAnimationFrame(() => setTimeout(() => { window.swapped = performance.now() - window.clicked }));
    });
"""
PAINTED = "() => new Promise(done => requestAnimationFrame(() => setTimeout(() => done(window.largest), 200)))"
SWAPPED = """() => new Promise(done => {
    const look = () => window.swapped === undefined ? setTimeout(look, 10) : done(window.swapped);
    look();
})"""


def measure(results: Results, size: Sizes) -> None:
    from playwright.sync_api import sync_playwright

    loads = 5 if results.fast else 15
    call_command("collectstatic", interactive=False, verbosity=0)
    number = Ticket.objects.filter(status__in=LIVE).order_by("id").values_list("number", flat=True).first()
    session = browser().cookies[settings.SESSION_COOKIE_NAME].value
    # playwright's loop runs in this thread, and the database is asked in it
    with mock.patch.dict(os.environ, DJANGO_ALLOW_ASYNC_UNSAFE="true"), serving() as url, sync_playwright() as playing:
        chromium = playing.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        plain = statistics.median(first_load(chromium, url, PLAIN, "") for _ in range(loads))
        results.note(f"a page of three words without any file: largest paint after {plain:.0f} ms")
        for name, path, who, most in (
            ("inbox", "/inbox/", session, 1000),
            ("ticket", f"/tickets/{number}/", session, 1000),
            ("public form", "/write/", "", 600),
        ):
            figure = statistics.median(first_load(chromium, url, path, who) for _ in range(loads))
            results.count(f"{name}: largest paint of a first load, median of {loads}", figure, "ms", budget=most)
        figure = statistics.median(swap(chromium, url, session, number) for number in range(loads))
        results.count(f"a ticket swapped in by htmx, click to paint, median of {loads}", figure, "ms", budget=150)
        chromium.close()
    connections.close_all()


@contextmanager
def serving() -> Iterator[str]:
    """One uvicorn with the flags of `manage.py up`; its address once it answers."""
    with listen() as free:
        address = free.getsockname()
    flags = ["--no-access-log", "--no-server-header", "--lifespan", "off", "--log-level", "critical"]
    flags += ["--timeout-graceful-shutdown", "3"]  # the streams of pages that are gone
    server = subprocess.Popen(
        [sys.executable, "-m", "uvicorn", "helpdesk.asgi:application", "--host", address[0], "--port", str(address[1]), *flags]
    )
    try:
        for _ in range(600):
            try:
                ready(address)
                break
            except ConnectionRefusedError:
                assert server.poll() is None, "the web process ended"
                time.sleep(0.1)
        yield f"http://{address[0]}:{address[1]}"
    finally:
        server.terminate()
        server.wait()


@contextmanager
def page_in(chromium: Any, url: str, session: str) -> Iterator[Any]:
    """A page of a browser that has nothing in store, signed in or a stranger."""
    context = chromium.new_context(base_url=url, viewport=WINDOW, reduced_motion="reduce")
    if session:
        context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": url}])
    context.add_init_script(WATCH)
    try:
        page = context.new_page()
        page.route(f"**{PLAIN}", lambda route: route.fulfill(content_type="text/html", body="<h1>Only three words</h1>"))
        yield page
    finally:
        context.close()


def first_load(chromium: Any, url: str, path: str, session: str) -> float:
    """Milliseconds from the request to the largest paint."""
    with page_in(chromium, url, session) as page:
        answer = page.goto(path, wait_until="load")
        assert answer.status == 200, f"{answer.status} for {path}"
        return float(page.evaluate(PAINTED))


def swap(chromium: Any, url: str, session: str, row: int) -> float:
    """Milliseconds from a click on this row of the inbox until its ticket is painted."""
    with page_in(chromium, url, session) as page:
        page.goto("/inbox/", wait_until="load")
        page.locator("#ticket-list a.row").nth(row).click()
        return float(page.evaluate(SWAPPED))
