"""`make screenshots`: every page at three widths, by day and by night, into var/screenshots/, for somebody to look at.

Beside a fresh PostgreSQL and Valkey (bootstrap.py) it migrates, loads the demo, serves it, and walks PAGES. A page that
answers with an error, breaks the policy, or scrolls sideways is named, and the command ends with 1.
"""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "var" / "screenshots"
CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
WIDTHS = {1440: 900, 1024: 768, 390: 844}
THEMES = ["light", "dark"]


@dataclass(frozen=True)
class Page:
    """One row; `address` is a path, "app.Model:url-name" of the newest row, or the name of a link in our newest campaign mail.

    "app.Model?field=value:url-name" is the newest row with that value.
    """

    name: str
    address: str
    who: str = "ana@nordwind.example"  # "" is a stranger
    full: bool = True  # the whole page, not only what the window shows
    press: str = ""  # keys pressed before the picture, "Control+k"
    click: str = ""  # a selector clicked before the picture
    status: int = 200


TICKET = "tickets.Ticket?requester__external_id=cus_anneliese"  # it has an outreach, a note, and a message held back

# Every page has a row here, also its empty and its wrong state where it has one.
PAGES = [
    Page("styleguide", "/styleguide/"),
    Page("shell-desk", "/styleguide/?shell=desk", full=False),
    Page("shell-desk-ticket", "/styleguide/?shell=desk&open=ticket", full=False),
    Page("shell-page", "/styleguide/?shell=page"),
    Page("shell-portal", "/styleguide/?shell=portal", who=""),
    Page("shell-portal-errors", "/styleguide/?shell=portal&wrong=1", who=""),
    Page("palette", "/styleguide/?shell=page", press="Control+k", full=False),
    Page("shortcuts", "/styleguide/?shell=desk", press="?", full=False),
    Page("sign-in", "/accounts/login/", who=""),
    Page("two-factor", "/accounts/2fa/"),
    Page("password", "/accounts/password/change/"),
    Page("not-found", "/nowhere/", who="", status=404),
    Page("inbox", "/inbox/", full=False),
    Page("inbox-unassigned", "/inbox/unassigned/", full=False),
    Page("ticket", f"{TICKET}:ticket", full=False),
    Page("ticket-menu", f"{TICKET}:ticket", full=False, click="[popovertarget=status-menu]"),
    Page("ticket-print", f"{TICKET}:ticket-print"),
    Page("ticket-forward", f"{TICKET}:ticket", full=False, click=".choice :has(> [value=forward])"),
    Page("form", "/write/", who=""),
    Page("thanks", "/write/thanks/", who=""),
    Page("inbox-spam", "/inbox/spam/", full=False),
    Page("blocked", "/blocked/"),
    Page("inbox-view", "/inbox/v2/", full=False),
    Page("views", "/views/", who="mia@nordwind.example"),
    Page("views-agent", "/views/"),
    Page("view-new", "/views/new/"),
    Page("view", "tickets.SavedView?name=Urgent first:view", who="mia@nordwind.example"),
    Page("inbox-search", "/inbox/open/?q=invoice", full=False),
    Page("ticket-properties", f"{TICKET}:ticket-properties"),
    Page("ticket-answers", f"{TICKET}:ticket-answers"),
    Page("companies", "/companies/"),
    Page("company", "customers.Company?name__startswith=Stadtwerke:company"),
    Page("company-edit", "customers.Company?name__startswith=Stadtwerke:company-edit"),
    Page("customer-new", "/customers/new/"),
    Page("customer-edit", "customers.Customer:customer-edit"),
    Page("customer-consents", "customers.Customer:customer-consents", who="mia@nordwind.example"),
    Page("customer-mail", "customers.Customer?external_id=cus_ben:customer-mail"),
    Page("outgoing", "mail.Outgoing:outgoing"),
    Page("incidents", "/incidents/"),
    Page(
        "incident", "incidents.Incident?title=Saving a card in German loses the VAT number:incident", who="mia@nordwind.example"
    ),
    Page("incident-new", "/incidents/new/", who="mia@nordwind.example"),
    Page("segments", "/segments/", who="mia@nordwind.example"),
    Page("segment-new", "/segments/new/", who="mia@nordwind.example"),
    Page("campaign-who", "outreach.Campaign:campaign-who", who="mia@nordwind.example"),
    Page("knowledge", "/knowledge/"),
    Page("answer-new", "/knowledge/answers/new/"),
    Page("notifications", "/notifications/"),
    Page("ticket-rules", "tickets.Ticket?requester__external_id=cus_olu:ticket-rules"),
    Page("ticket-escalate", f"{TICKET}:ticket-escalate"),
    Page("rules", "/rules/", who="mia@nordwind.example"),
    Page("rule-new", "/rules/new/?list=time", who="mia@nordwind.example"),
    Page("rule", "tickets.Rule?name=Who is locked out comes first:rule", who="mia@nordwind.example"),
    Page("rule-trial", "tickets.Rule?name=Who is locked out comes first:rule", who="mia@nordwind.example", click="[value=try]"),
    Page("rule-met", "tickets.Rule?name=Who is locked out comes first:rule-met", who="mia@nordwind.example"),
    Page("rules-import", "/rules/import/", who="mia@nordwind.example"),
    Page("suggestions", "/suggestions/", who="mia@nordwind.example"),
    Page("forms", "/forms/", who="mia@nordwind.example"),
    Page("form-new", "/forms/new/", who="mia@nordwind.example"),
    Page("escalation", "/escalation/", who="mia@nordwind.example"),
    Page("escalation-path", "tickets.EscalationPath:escalation-path", who="mia@nordwind.example"),
    Page("webhooks", "/webhooks/", who="omar@nordwind.example"),
    Page("webhook", "mail.Webhook:webhook", who="omar@nordwind.example"),
    Page("people", "/people/", who="omar@nordwind.example"),
    Page("person-new", "/people/new/", who="omar@nordwind.example"),
    Page("teams", "/teams/", who="omar@nordwind.example"),
    Page("team-new", "/teams/new/", who="omar@nordwind.example"),
    Page("calendars", "/calendars/", who="mia@nordwind.example"),
    Page("calendar", "accounts.Calendar:calendar", who="mia@nordwind.example"),
    Page("calendar-new", "/calendars/new/", who="mia@nordwind.example"),
    Page("policies", "/policies/", who="mia@nordwind.example"),
    Page("policy", "tickets.Policy?name=Signing in:policy", who="mia@nordwind.example"),
    Page("policy-new", "/policies/new/", who="mia@nordwind.example"),
    Page("clocks", "/clocks/", who="mia@nordwind.example"),
    Page("inbox-due", "/inbox/due/", full=False),
    Page("ticket-clocks", f"{TICKET}:ticket", full=False, click="[popovertarget=clocks-menu]"),
    Page("team", "accounts.Team?slug=support:team", who="omar@nordwind.example"),
    Page("skills", "/skills/", who="omar@nordwind.example"),
    Page("skill-new", "/skills/new/", who="omar@nordwind.example"),
    Page("who", "/who/", who="mia@nordwind.example"),
    Page("who-team", "accounts.Team?slug=support:who-team", who="mia@nordwind.example"),
    Page("who-person", "accounts.User?role=agent:who-person", who="mia@nordwind.example"),
    Page("tokens", "/tokens/", who="omar@nordwind.example"),
    Page("token-new", "/tokens/new/", who="omar@nordwind.example"),
    Page("mailboxes", "/mailboxes/", who="omar@nordwind.example"),
    Page("mailbox-new", "/mailboxes/new/", who="omar@nordwind.example"),
    Page("fields", "/fields/", who="omar@nordwind.example"),
    Page("field-new", "/fields/new/", who="omar@nordwind.example"),
    Page("subscriptions", "/subscriptions/", who="omar@nordwind.example"),
    Page("subscription-new", "/subscriptions/new/", who="omar@nordwind.example"),
    Page("audit", "/audit/", who="omar@nordwind.example"),
    Page("operations", "/operations/", who="omar@nordwind.example"),
    Page("ignored", "/operations/mail/ignored/", who="omar@nordwind.example"),
    Page("unsubscribe", "unsubscribe", who=""),
    Page("choices", "subscriptions", who=""),
    Page("customers", "/customers/", who="mia@nordwind.example"),
    Page("customer", "customers.Customer?external_id=cus_anneliese:customer", who="mia@nordwind.example"),
    Page("campaigns", "/outreach/", who="mia@nordwind.example"),
    Page("campaign", "outreach.Campaign?name=Card expires soon:campaign", who="mia@nordwind.example"),
    Page("campaign-edit", "outreach.Campaign:campaign-edit", who="mia@nordwind.example"),
    Page("campaign-new", "/outreach/campaigns/new/", who="mia@nordwind.example"),
    Page("guards", "/outreach/guards/", who="mia@nordwind.example"),
]


def main(wanted: list[str]) -> int:
    """Take the pictures of the named pages, or of all; 1 when one of them is not as it should be."""
    environ(os.environ)
    manage("migrate", "--verbosity", "0")
    manage("load_demo")
    manage("collectstatic", "--no-input", "--verbosity", "0")
    import django

    django.setup()
    troubles: list[str] = []
    TARGET.mkdir(parents=True, exist_ok=True)
    pages = [page for page in PAGES if not wanted or page.name in wanted]
    with_server = Server()
    try:
        troubles = list(walk(with_server.url, pages))
    finally:
        with_server.stop()
    print(f"{len(pages)} pages, {len(list(TARGET.glob('*.png')))} pictures in {TARGET.relative_to(ROOT)}/")
    print("\n".join(troubles))
    return 1 if troubles else 0


def environ(environment: Any) -> None:
    """The settings of a page that is looked at: the style guide is on, nobody listens to the doorbell."""
    environment["DJANGO_SETTINGS_MODULE"] = "helpdesk.settings"
    environment["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"  # playwright's loop shares the thread that asks the database
    environment |= {"STYLEGUIDE": "true", "TWOFOLD_BELL": "false", "WORKSPACE_NAME": "Nordwind", "LOG_LEVEL": "ERROR"}
    environment |= {"BASE_URL": "http://127.0.0.1", "POSTAL_ADDRESS": "Nordwind, 1 Letter Lane, 12345 Papertown"}


def manage(*command: str) -> None:
    subprocess.run([sys.executable, "manage.py", *command], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


class Server:
    """Django's pages in threads on a free port, with whitenoise's hashed files, as `manage.py up` would serve them."""

    def __init__(self) -> None:
        from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
        from django.core.wsgi import get_wsgi_application

        class Quiet(WSGIRequestHandler):
            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing: every answer is checked by whoever asked."""

        self.server = ThreadedWSGIServer(("127.0.0.1", 0), Quiet)
        self.server.set_app(get_wsgi_application())
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def walk(url: str, pages: list[Page]) -> Iterator[str]:
    """Photograph each page in each width and theme; yields what is wrong with it."""
    from playwright.sync_api import sync_playwright

    sessions = {who: session(who) for who in {page.who for page in pages} if who}
    with sync_playwright() as playing:
        browser = playing.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for page in pages:
            address = resolve(page.address)
            if address is None:
                yield f"{page.name}: no such row or address ({page.address})"
                continue
            context = browser.new_context(base_url=url, reduced_motion="reduce")
            if page.who:
                context.add_cookies([{**sessions[page.who], "url": url}])
            tab = context.new_page()
            tab.route("**/live/**", lambda route: route.fulfill(status=204))
            for width, height in WIDTHS.items():
                tab.set_viewport_size({"width": width, "height": height})
                yield from shoot(tab, page, address, f"{page.name}-{width}")
            context.close()
        browser.close()


def shoot(tab: Any, page: Page, address: str, name: str) -> Iterator[str]:
    """One visit, a picture by day and one by night; yields a wrong status, a broken policy, a script error, a page too wide."""
    errors: list[str] = []
    tab.on("pageerror", lambda error: errors.append(f"{name}: {error}"))
    tab.on("console", lambda m: errors.append(f"{name}: {m.text}") if "Content Security Policy" in m.text else None)
    answer = tab.goto(address)
    tab.wait_for_selector("html[data-js=ready]", state="attached")
    if page.press:
        tab.keyboard.press(page.press)
    if page.click and tab.locator(page.click).first.is_visible():
        tab.locator(page.click).first.click()
    time.sleep(0.1)  # a menu is placed in the next frame
    if page.full:  # the window as high as the page, so that what sticks to its edges stands where it belongs
        width, height = tab.viewport_size["width"], tab.evaluate("document.documentElement.scrollHeight")
        tab.set_viewport_size({"width": width, "height": max(height, tab.viewport_size["height"])})
    for theme in THEMES:
        tab.emulate_media(color_scheme=theme, reduced_motion="reduce")
        tab.screenshot(path=TARGET / f"{name}-{theme}.png")
    if answer.status != page.status:
        yield f"{name}: answered {answer.status}, not {page.status}"
    wide, room = tab.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    if wide > room:
        yield f"{name}: scrolls sideways, {wide} px in {room}"
    yield from errors


def session(email: str) -> dict[str, str]:
    """The session cookie of one of the demo's people."""
    from django.conf import settings
    from django.test import Client

    from helpdesk.accounts.models import User

    client = Client()
    client.force_login(User.objects.get(email=email), backend="allauth.account.auth_backends.AuthenticationBackend")
    return {"name": settings.SESSION_COOKIE_NAME, "value": client.cookies[settings.SESSION_COOKIE_NAME].value}


def resolve(address: str) -> str | None:
    """A path as it is; "app.Model:url-name" as the address of the newest row with its number or key; None if there is none."""
    if address.startswith("/"):
        return address
    from django.apps import apps
    from django.urls import NoReverseMatch, reverse

    if ":" not in address:
        from helpdesk.lib import signing
        from helpdesk.mail.models import Outgoing

        sent = Outgoing.objects.filter(campaign_id__isnull=False).order_by("-pk").first()
        return reverse(address, args=[signing.token("unsubscribe", sent.pk)]) if sent else None

    model, _, name = address.partition(":")
    model, _, wanted = model.partition("?")
    row = apps.get_model(model).objects.filter(**dict(parse_qsl(wanted))).order_by("-pk").first()
    if row is None:
        return None
    try:
        return reverse(name, args=[getattr(row, "number", row.pk)])
    except NoReverseMatch:
        return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
