"""Row 17: who was in Bcc stands nowhere that a customer, or mail to anybody else, could show it."""

import json
from collections.abc import Callable
from datetime import timedelta
from io import StringIO

import pytest
from django.test import Client

from helpdesk.accounts.models import ApiToken, User
from helpdesk.customers.models import Address, Event
from helpdesk.lib import dates
from helpdesk.mail.models import Mailbox, Outgoing, State
from helpdesk.management.commands import export_customer
from tests.conftest import Sink
from tests.mail.test_inbox import came, letter
from tests.mail.test_reports import dsn, failed
from tickets import replies
from tickets.models import Draft, Participant, Ticket

pytestmark = pytest.mark.django_db
HIDDEN = "auditor@secret.example"


@pytest.fixture
def ticket(support: Mailbox) -> Ticket:
    return Ticket.objects.get(pk=came(letter(), support).ticket_id)


@pytest.fixture
def say(ticket: Ticket, ana: User, browser: Callable[[User], Client]) -> Callable[..., str]:
    """Ana answers by the page, which is returned as it is after the answer left."""
    own = browser(ana)

    def send(drain: Callable[[], None], **more: str) -> str:
        data = {"kind": "reply", "text": "Try the new firmware.", "seen": ticket.last_message_id, "cc": "boss@carter.example"}
        answer = own.post(f"/tickets/{ticket.number}/compose/", data | {"bcc": HIDDEN} | more)
        assert answer.status_code == 302, answer.content
        with dates.moved(by=timedelta(minutes=1)):
            drain()
        return own.get(f"/tickets/{ticket.number}/").content.decode()

    return send


def told(ticket: Ticket) -> str:
    """All that a customer could ever be given: their export, their timeline, the API's words."""
    _token, text = ApiToken.objects.issue("portal", ["tickets:read"])
    headers = {"Authorization": f"Bearer {text}"}
    api = [Client().get(f"/api/v1/tickets/{ticket.number}{part}", headers=headers).content.decode() for part in ("", "/messages")]
    out = StringIO()
    export_customer.export(ticket.requester_id, out)
    assert "Try the new firmware." in api[1] and "Try the new firmware." in out.getvalue()
    return json.dumps([*api, out.getvalue(), *(event.payload for event in Event.objects.all())])


def test_they_get_it_and_nothing_names_them(
    say: Callable[..., str], ticket: Ticket, ana: User, drain: Callable[[], None], sink: Sink
) -> None:
    page = say(drain)
    (got,) = [each for each in sink if "firmware" in each.text]
    assert got.recipients == ["ben@carter.example", "boss@carter.example", HIDDEN]
    assert "secret.example" not in got.raw.decode() and "Bcc" not in got.message
    assert f"Bcc {HIDDEN}" in page  # people here see it
    assert "secret.example" not in told(ticket)
    assert [each.address for each in Participant.objects.all()] == ["boss@carter.example"]
    replies.reply(ticket, "And now?", by=ana)  # of this one message only, and quoted nowhere
    with dates.moved(by=timedelta(minutes=2)):
        drain()
    assert sink[-1].recipients == ["ben@carter.example", "boss@carter.example"] and b"secret.example" not in sink[-1].raw


def test_a_refused_one_is_told_on_the_message_alone_and_nothing_is_sent_twice(
    say: Callable[..., str], ticket: Ticket, drain: Callable[[], None], sink: Sink
) -> None:
    sink.refused.update({HIDDEN, "boss@carter.example"})
    page = say(drain)
    assert "Sent. Not to boss@carter.example (550 5.1.1 Nobody of this name); auditor@secret.example (550" in page
    row = Outgoing.objects.get(kind="ticket.reply")
    with dates.moved(by=timedelta(days=3)):
        drain()
    row.refresh_from_db()
    assert row.state == State.ACCEPTED and row.attempts == 1 and len(sink.to("ben@carter.example")) == 1
    assert "secret.example" not in told(ticket)


def test_it_is_asked_for_by_the_api_and_never_read_back(ticket: Ticket, drain: Callable[[], None], sink: Sink) -> None:
    _token, text = ApiToken.objects.issue("shop", ["tickets:read", "tickets:write"])
    path, headers = f"/api/v1/tickets/{ticket.number}/messages", {"Authorization": f"Bearer {text}"}
    said = {"kind": "reply", "text": "Try the new firmware.", "bcc": [HIDDEN, "BEN@carter.example"]}
    answer = Client().post(path, said, content_type="application/json", headers=headers)
    assert answer.status_code == 201 and "secret.example" not in answer.content.decode()
    drain()
    assert sink[-1].recipients == ["ben@carter.example", HIDDEN]
    bad = Client().post(path, said | {"bcc": ["nobody"]}, content_type="application/json", headers=headers)
    assert bad.status_code == 400 and "“nobody” is no email address" in bad.json()["cc"][0]
    assert "secret.example" not in told(ticket)


def test_taken_back_it_is_in_the_draft_and_in_no_export(ticket: Ticket, ana: User) -> None:
    made = replies.reply(ticket, "Try the new firmware.", by=ana, bcc=[HIDDEN])
    replies.unsend(made, by=ana)
    assert Draft.objects.get().bcc == HIDDEN
    out = StringIO()
    export_customer.export(ticket.requester_id, out)
    assert "Try the new firmware." in out.getvalue() and "secret.example" not in out.getvalue()


def test_a_report_about_them_blames_them_and_not_the_customer(
    say: Callable[..., str], ticket: Ticket, support: Mailbox, drain: Callable[[], None], sink: Sink
) -> None:
    say(drain)
    row = Outgoing.objects.get(kind="ticket.reply")
    report = dsn(failed("5.1.1", "550 5.1.1 User unknown", who=HIDDEN), returned="Subject: x")
    came(report, support, source="smtp", envelope_to=sink[-1].envelope_from)
    row.refresh_from_db()
    assert row.state == State.ACCEPTED
    assert Address.objects.get(canonical="ben@carter.example").reachability != Address.Reachability.UNREACHABLE
    assert "secret.example" not in told(ticket)
