"""The demo's small world behind a real server with collected, compressed files, and one Chromium before it."""

from base64 import encodebytes
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import override_settings

from helpdesk.accounts.models import Calendar, User
from helpdesk.accounts.notifications import notify
from helpdesk.customers.models import FieldDefinition
from helpdesk.incidents.models import Incident
from helpdesk.lib import signing
from helpdesk.lib.dates import now
from helpdesk.mail.inbox import process_due, receive
from helpdesk.mail.models import Outgoing, Webhook
from tests import chromium
from tests.pictures import drawing
from tickets import intake
from tickets.models import Message, Policy, Question, RuleRun, SavedView, Ticket, TicketForm

LONG = 50  # messages of the ticket that is looked at
MAIL = (  # with a look of its own, a picture in it, one elsewhere, and a file
    b"From: Ben Carter <ben@carter.example>\nSubject: How it looks\nContent-Type: multipart/mixed; boundary=b\n\n--b\n"
    b"Content-Type: text/html\n\n<style>p { color: #123456 }</style><p>See:</p><img src='cid:p@x' alt='The plan'>"
    b"<img src='http://127.0.0.1/far.png' alt='A banner'>\n--b\nContent-Type: image/png\nContent-ID: <p@x>\n"
    b"Content-Disposition: inline; filename=plan.png\nContent-Transfer-Encoding: base64\n\nTHE PICTURE\n--b\n"
    b"Content-Type: text/csv\nContent-Disposition: attachment; filename=export.csv\n\na;b\n--b--\n"
)


@pytest.fixture(scope="package")
def world(django_db_setup: None, django_db_blocker: Any) -> Iterator[dict[str, str]]:
    """load_demo, a ticket of fifty messages, and what the table's addresses name; committed, and gone with the package."""
    own = override_settings(
        BELL=False,
        WORKSPACE_NAME="Nordwind",
        MAIL_DOMAIN="nordwind.example",
        POSTAL_ADDRESS="Nordwind, 1 Letter Lane, 12345 Papertown",
    )
    with own, django_db_blocker.unblock():
        call_command("load_demo", stdout=StringIO())
        ticket = Ticket.objects.filter(outgoing_id__isnull=False).latest("pk")
        for n in range(LONG - ticket.messages.count()):
            words = intake.Words(f"Line {n} of a long talk.", at=now() - timedelta(minutes=LONG - n))
            intake.hear(ticket, ticket.requester, words)
        raw = MAIL.replace(b"THE PICTURE", encodebytes(drawing(size=(300, 200))))
        came = receive(raw, ticket.mailbox, source="smtp")
        process_due()
        letter = Message.objects.get(incoming_id=came.pk)
        picture, text = letter.attachments.order_by("pk")
        notify([User.objects.get(email="ana@nordwind.example")], "#1 was escalated to Ana: they lose data", "/inbox/")
        ruled = Ticket.objects.get(pk=RuleRun.objects.latest("pk").ticket_id)
        sent = Outgoing.objects.filter(campaign_id__isnull=False).latest("pk")
        keys = FieldDefinition.objects.filter(subject="ticket").exclude(type="lookup").values_list("key", flat=True)
        first, *others = keys
        asked = [Question(first), *(Question(key, when=first) for key in others)]
        form = TicketForm.objects.create(name="Returns", slug="returns", questions=[each.to_json() for each in asked])
        view = SavedView.objects.get(name="In German")
        yield {
            "ticket": str(ticket.number),
            "letter": str(letter.ticket.number),
            "message": str(letter.pk),
            "picture": str(picture.pk),
            "text": str(text.pk),
            "simple": str(Ticket.objects.filter(requester__name__contains="Minh").latest("pk").number),
            "customer": str(ticket.requester_id),
            "company": str(ticket.requester.company_id),
            "outgoing": str(sent.pk),
            "ruled": str(ruled.number),
            "rule": str(RuleRun.objects.latest("pk").rule_id),
            "webhook": str(Webhook.objects.get().pk),
            "campaign": str(sent.campaign_id),
            "calendar": str(Calendar.objects.get().pk),
            "policy": str(Policy.objects.earliest("position").pk),
            "incident": str(Incident.objects.open().get().pk),
            "form": str(form.pk),
            "view": view.slug,
            "view_pk": str(view.pk),
            "team": str(ticket.team_id),
            "field": str(FieldDefinition.objects.get(key="seats").pk),
            "person": str(User.objects.get(email="omar@nordwind.example").pk),
            "token": signing.token("unsubscribe", sent.pk),
        }
        with connection.cursor() as cursor:  # rows of history cannot be deleted, but a test's database can be emptied
            names = ", ".join(
                connection.ops.quote_name(t) for t in connection.introspection.django_table_names(only_existing=True)
            )
            cursor.execute(f"TRUNCATE {names} CASCADE")


@pytest.fixture(scope="package")
def site(world: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with chromium.site(tmp_path_factory.mktemp("static")) as address:
        yield address


@pytest.fixture(scope="package")
def chrome(site: str) -> Iterator[Any]:
    with chromium.running() as browser:
        yield browser


@pytest.fixture(scope="package")
def sessions(world: dict[str, str]) -> dict[str, str]:
    """Who → the key of their session."""
    return {who: chromium.session_of(User.objects.get(email=f"{who}@nordwind.example")) for who in ("ana", "mia", "omar")}


@pytest.fixture(scope="package")
def contexts(chrome: Any, site: str, sessions: dict[str, str]) -> Iterator[dict[str, Any]]:
    """One browser for each of them and for a stranger, kept from page to page as people keep theirs."""
    made = {who: chrome.new_context(base_url=site, reduced_motion="reduce") for who in (*sessions, "")}
    for who, session in sessions.items():
        chromium.sign_in(made[who], session, site)
    yield made
    for context in made.values():
        context.close()
