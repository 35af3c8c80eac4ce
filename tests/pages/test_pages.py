"""Every page in Chromium: axe finds nothing by day and night, wide and narrow; it fits; it breaks no policy; it is light."""

import gzip
import json
from pathlib import Path

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from helpdesk.accounts.models import User
from tests import chromium
from tests.pages.table import NAMED, PAGES

pytestmark = pytest.mark.django_db  # the server has a database of its own connection
RULES = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]},
    "rules": {"target-size": {"enabled": True}},
}
BRIEFLY = [(1440, "light"), (390, "dark")]  # of these, one page is examined in the first, the next in the second
AT_LENGTH = [(width, theme) for width in (1440, 1024, 390) for theme in ("light", "dark")]
QUERIES = Path(__file__).with_name("queries.json")


def daily(row):
    """A row, for the long tests alone if it is like another, or the empty form of one that is looked at filled in."""
    thing = row.name.removesuffix("-new")
    twin = row.name != thing and not NAMED.keys().isdisjoint((thing, f"{thing}-edit"))
    return pytest.param(row, id=row.name, marks=pytest.mark.long if twin or row.like else ())


@pytest.mark.parametrize("row", [daily(row) for row in PAGES])
@pytest.mark.parametrize("looks", [BRIEFLY, pytest.param(AT_LENGTH, marks=pytest.mark.long)], ids=["briefly", "at length"])
def test_everybody_can_use_it_and_it_fits(contexts, world, row, looks):
    complaints, wrong = [], []
    page = chromium.page_in(contexts[row.who], complaints, patience=15_000)
    page.set_viewport_size({"width": 1440, "height": 900})
    answer = page.goto(row.address.format(**world))
    assert answer.status == 200 and page.locator("h1").count() >= 1
    for turn, (width, theme) in enumerate(looks):
        # as high as the page: the dock sticks to the window's edge, over whatever has not been scrolled up yet
        page.set_viewport_size({"width": width, "height": 900})
        page.set_viewport_size({"width": width, "height": max(900, page.evaluate("document.documentElement.scrollHeight"))})
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        if looks is AT_LENGTH or turn == PAGES.index(row) % len(BRIEFLY):
            wrong += [f"{width} {theme} {found}" for found in chromium.findings(page, RULES)]
        if (wide := page.evaluate("document.documentElement.scrollWidth")) > width:
            wrong.append(f"{wide} px wide in {width}")
    page.close()
    assert wrong + complaints == []


@pytest.mark.parametrize(
    ("name", "most", "scripts"),
    [
        ("inbox", 150_000, 60_000),
        ("ticket", 150_000, 60_000),
        ("form", 60_000, 20_000),
        ("thanks", 60_000, 20_000),
        ("unsubscribe", 60_000, 20_000),
        ("sign-in", 60_000, 20_000),
    ],
)
def test_a_first_load_is_light(chrome, site, sessions, world, name, most, scripts):
    """Bytes as sent: files as the server compressed them, HTML as a proxy's gzip would."""
    row, seen = NAMED[name], []
    context = chrome.new_context(base_url=site)
    if row.who:
        chromium.sign_in(context, sessions[row.who], site)
    page = chromium.page_in(context, [])
    page.on("response", lambda response: seen.append(response))
    page.goto(row.address.format(**world))
    page.wait_for_load_state("networkidle")
    weights = {"all": 0, "scripts": 0}
    for response in [r for r in seen if "/live/" not in r.url]:
        html = "text/html" in response.headers.get("content-type", "")
        size = len(gzip.compress(response.body(), 6)) if html else response.request.sizes()["responseBodySize"]
        assert size > 0, response.url
        weights["all"] += size
        weights["scripts"] += size if response.url.split("?")[0].endswith(".js") else 0
    context.close()
    assert 0 < weights["all"] <= most and weights["scripts"] <= scripts, weights


def test_every_page_asks_as_much_as_is_written_down(world):
    """queries.json holds the number of queries of each page; one more is a change that somebody has to mean."""
    counted = {}
    for row in PAGES:
        browser = Client()
        if row.who:
            user = User.objects.get(email=f"{row.who}@nordwind.example")
            browser.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
        browser.get(row.address.format(**world))  # the first visit marks things read and warms what is looked up once
        with CaptureQueriesContext(connection) as asked:
            assert browser.get(row.address.format(**world)).status_code == 200, row.name
        counted[row.name] = len(asked)
    known = json.loads(QUERIES.read_text())
    assert counted == known, json.dumps(counted, indent=4)
    assert all(counted[name] <= 12 for name in counted if name.startswith("inbox")) and counted["ticket"] <= 15
