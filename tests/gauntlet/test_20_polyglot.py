"""Row 20: a polyglot in every text there is, by mail, form, API and page; then every page, as each role, in a real browser:
no dialog, no broken policy, nothing that was typed has become an element. CI walks the pages of strangers' words only."""

import re
from datetime import timedelta
from email.message import EmailMessage
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from helpdesk.accounts.models import ApiToken, Role, Scope, Team, User, audit
from helpdesk.customers.models import Address, Company, Customer, EventDelivery, FieldDefinition, Segment, Subscription
from helpdesk.knowledge.models import Answer, Topic
from helpdesk.lib import dates
from helpdesk.mail import inbox
from helpdesk.mail.models import Attempt, IncomingMail, Mailbox, Outgoing
from outreach.models import Campaign
from tests import chromium
from tests.conftest import colleague
from tickets.models import Message, Ticket

pytestmark = [pytest.mark.django_db(transaction=True)]
EVIL = (  # it breaks out of attributes, comments, scripts, styles, titles and text areas
    "jaVasCript:/*-/*`/*\\`/*'/*\"/**/(/* */oNcliCk=alert(1) )//</stYle/</titLe/</teXtarEa/</scRipt/--!>"
    "<sVg/oNloAd=alert(1)//><img src=x onerror=alert(1)>{{7*7}}"
)
SHORT = "\"'><img src=x onerror=alert(1)>"
# What people of ours type, model by model; what customers send comes in by its doors.
TYPED: dict[Any, tuple[str, ...]] = {
    User: ("name",),
    Team: ("name",),
    ApiToken: ("name",),
    Customer: ("name", "stage"),
    Company: ("name",),
    FieldDefinition: ("label",),
    Segment: ("name",),
    Subscription: ("name",),
    Topic: ("name",),
    Answer: ("title", "body"),
    Mailbox: ("name", "signature", "last_error"),
    IncomingMail: ("reason",),
    Outgoing: ("title", "reason"),
    Attempt: ("answer",),
    Campaign: ("name",),
    EventDelivery: ("last_error",),
    Ticket: ("subject", "said"),
    Message: ("text", "quote", "reason", "name"),
    Address: ("reason",),
}


def poison(support: Mailbox, client: Client) -> None:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = (
        f'"{SHORT.replace(chr(34), "")}" <eve@evil.test>',
        "support@nordwind.example",
        EVIL,
    )
    mail["Cc"] = f'"{SHORT.replace(chr(34), "")}" <friend@evil.test>'
    mail.set_content(EVIL)
    mail.add_alternative(f"<p title='{SHORT}'>{EVIL}</p>", subtype="html")
    mail.add_attachment(EVIL.encode(), "text", "plain", filename=SHORT)
    inbox.receive(mail.as_bytes(), support, source="pipe")
    inbox.receive(f"Subject: {EVIL}\nFrom: nobody\n\n{EVIL}".encode(), support, source="pipe")  # ends in quarantine
    inbox.receive(f"Subject: {EVIL}\nFrom: {support.address}\n\n{EVIL}".encode(), support, source="pipe")  # is ignored
    inbox.process_due()
    nonce = client.get("/write/").context["form"].initial["nonce"]
    with dates.moved(by=timedelta(seconds=30)):
        said = {"name": SHORT, "email": "form@evil.test", "subject": EVIL, "text": EVIL, "nonce": nonce}
        assert client.post("/write/", said).status_code == 302
    bearer = ApiToken.objects.issue("all", Scope.values)[1]
    for path, said in (
        (
            "customers",
            {"external_id": SHORT[:60], "emails": ["api@evil.test"], "name": EVIL, "attributes": {"seats": 3, "note": EVIL}},
        ),
        ("tickets", {"requester": {"email": "api@evil.test"}, "subject": EVIL, "text": EVIL, "tags": [SHORT]}),
        (
            "events",
            {"kind": "trial_ended", "source": "shop", "id": SHORT, "customer": {"email": "api@evil.test"}, "data": {SHORT: EVIL}},
        ),
    ):
        answer = client.post(f"/api/v1/{path}", said, "application/json", headers={"authorization": f"Bearer {bearer}"})
        assert answer.status_code < 500, answer.content
    for model, names in TYPED.items():
        assert model.objects.exists(), model
        for name in names:
            field = model._meta.get_field(name)
            for pk in model.objects.order_by("-pk").values_list("pk", flat=True)[:40]:
                model.objects.filter(pk=pk).update(**{name: (f"{SHORT} {pk}" if field.unique else EVIL)[: field.max_length]})
    audit(
        "person.changed",
        actor=User.objects.earliest("pk").ref,
        subject=User.objects.earliest("pk").ref,
        before={"name": EVIL},
        after={SHORT: EVIL},
    )


def crawl(page: Any, starts: list[str], most: int, complaints: list[str]) -> int:
    """These pages and, up to so many, those that their links lead to, one of each shape: /tickets/1/ and /tickets/2/ are one."""
    shape = lambda address: re.sub(r"\d+|[a-z2-7]{39}", "#", address)  # noqa: E731
    waiting, seen = list(starts), set()
    while waiting and len(seen) < max(most, len(starts)):
        address = waiting.pop(0)
        if shape(address) in seen and address not in starts:
            continue
        seen.add(address if address in starts else shape(address))
        answer = page.goto(address, wait_until="domcontentloaded")
        assert answer.status < 500, address
        if grown := page.locator("img[src=x], [onerror], [onload], [onclick]").count():
            complaints.append(f"{grown} elements grew on {address}")
        links = page.eval_on_selector_all("a[href]:not([download])", "links => links.map(a => a.getAttribute('href'))")
        for link in links:
            path = link.split("#")[0]
            if path.startswith("/") and not path.startswith(("//", "/api/", "/static/")) and not re.search("logout|source", path):
                waiting.append(path)
    return len(seen)


def walked(live_server: Any, client: Client, *, most: int) -> dict[str, int]:
    """How many pages each role saw: the admin up to `most`, others a quarter of it.

    With 0 only those pages on which strangers' words stand.
    """
    call_command("load_demo", stdout=StringIO())
    people = {role: User.objects.filter(role=role).earliest("pk") for role in (Role.ADMIN, Role.MANAGER, Role.AGENT)}
    people[Role.LIGHT] = colleague("Lena", Role.LIGHT)
    poison(Mailbox.objects.get(is_default=True), client)
    mailed = Message.objects.filter(attachments__isnull=False, incoming_id__isnull=False).latest("pk")
    number, customer, file = mailed.ticket.number, mailed.ticket.requester_id, mailed.attachments.earliest("pk").pk
    starts: dict[str, list[str]] = {
        Role.ADMIN: [f"/tickets/{number}/", f"/customers/{customer}/", "/operations/", "/audit/", f"/tickets/files/{file}/look/"],
        Role.MANAGER: ["/outreach/", "/operations/mail/ignored/"],
        Role.AGENT: ["/inbox/", f"/tickets/{number}/print/"],
        Role.LIGHT: [f"/tickets/{number}/"],
        "": ["/write/"],
    }
    complaints: list[str] = []
    counts: dict[str, int] = {}
    with chromium.running() as browser:
        for role, addresses in starts.items():
            context = browser.new_context(base_url=live_server.url)
            if role:
                chromium.sign_in(context, chromium.session_of(people[role]), live_server.url)  # type: ignore[index]
            page = chromium.page_in(context, complaints)
            page.on("dialog", lambda dialog: (complaints.append("a dialog"), dialog.dismiss()))
            counts[role] = crawl(page, addresses, most if role == Role.ADMIN else most // 4, complaints)
            context.close()
    assert complaints == []
    return counts


def test_the_words_of_strangers_run_nowhere(live_server: Any, client: Client) -> None:
    assert sum(walked(live_server, client, most=0).values()) == 11


@pytest.mark.long
def test_nothing_typed_runs_anywhere(live_server: Any, client: Client) -> None:
    counts = walked(live_server, client, most=60)
    assert counts["admin"] > 40 and counts["agent"] > 10, counts
