"""The ring by the doors that systems use: customer and events by API, mail by SMTP, the answer a ticket that knows it."""

from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.utils import parseaddr

import pytest
from django.test import Client

from helpdesk.accounts.models import ApiToken, Scope
from helpdesk.customers.models import Event
from helpdesk.lib import dates
from helpdesk.mail import inbox
from helpdesk.mail.models import Outgoing, State
from outreach.models import Enrolment

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 11, 3, 11, 0, tzinfo=UTC)


@pytest.fixture
def shop(mia):
    """The shop's own program, with a token for events and customers."""
    _token, text = ApiToken.objects.issue("shop", [Scope.EVENTS_WRITE, Scope.CUSTOMERS_WRITE], by=mia)
    client = Client(enforce_csrf_checks=True)

    def post(path, body):
        return client.post(f"/api/v1/{path}", body, content_type="application/json", headers={"Authorization": f"Bearer {text}"})

    return post


def test_from_an_api_event_to_a_letter_its_answer_and_the_ticket(shop, campaign, drain, sink, support):
    with dates.moved(to=NOON):
        campaign()
        assert shop(
            "customers", {"external_id": "ben", "emails": ["ben@carter.example"], "name": "Ben Carter", "zone": "Europe/Berlin"}
        ).status_code in (200, 201)
        event = {
            "kind": "order_shipped",
            "source": "shop",
            "id": "e-1",
            "customer": {"external_id": "ben"},
            "occurred_at": NOON.isoformat(),
            "payload": {"order_id": "A-1"},
        }
        for _twice in range(2):
            answer = shop("events/batch", {"events": [event, {**event, "id": "e-2"}]})
            assert answer.status_code in (200, 201, 202), answer.content
        drain()
        assert Outgoing.objects.get().state == State.PENDING
    with dates.moved(to=NOON + timedelta(days=1, minutes=1)):
        drain()
        (got,) = sink.to("ben@carter.example")
        assert got.message["Reply-To"] and got.envelope_from.startswith("bounce+")
        _answered(got, support)
        drain()
    assert Enrolment.objects.get().replied_at
    replied = Event.objects.get(kind="campaign.replied")
    opened = Event.objects.get(kind="ticket.opened")
    assert replied.payload["ticket"] == opened.payload["ticket"]
    assert opened.payload["outgoing"] == Outgoing.objects.get(kind="campaign.message").pk


def _answered(got, mailbox):
    """Ben's mail program answers what it got."""
    mail = EmailMessage()
    mail["From"], mail["To"] = "Ben Carter <ben@carter.example>", parseaddr(got.message["Reply-To"])[1]
    mail["Subject"], mail["Message-ID"] = f"Re: {got.message['Subject']}", "<ben-1@carter.example>"
    mail["In-Reply-To"] = got.message["Message-ID"]
    mail.set_content("It has not arrived, where is it?")
    inbox.receive(mail.as_bytes(), mailbox, source="smtp", envelope_from="ben@carter.example")
