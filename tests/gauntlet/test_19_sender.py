"""Row 19: nobody writes in another's name, and nobody sends another's draft."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core.files.base import ContentFile
from django.test import Client

from helpdesk.accounts.models import ApiToken, User
from helpdesk.customers.models import Event
from helpdesk.files.models import Attachment, Blob
from helpdesk.lib import dates
from helpdesk.mail.models import Mailbox, Outgoing
from tests.conftest import Sink
from tests.mail.test_inbox import came, letter
from tickets.models import Draft, Ticket

pytestmark = pytest.mark.django_db


@pytest.fixture
def ticket(support: Mailbox) -> Ticket:
    return Ticket.objects.get(pk=came(letter(), support).ticket_id)


def post(own: Client, ticket: Ticket, **more: object) -> int:
    data = {"kind": "reply", "text": "Ana's own words.", "seen": ticket.last_message_id, "once": "abc"}
    return own.post(f"/tickets/{ticket.number}/compose/", data | more).status_code


def test_a_field_that_would_say_who_writes_is_refused(
    ticket: Ticket, ana: User, omar: User, browser: Callable[[User], Client]
) -> None:
    theirs, own = Draft.objects.create(ticket=ticket, user=omar, text="Omar's secret draft"), browser(ana)
    ids = {"user": omar.pk, "author": omar.pk, "draft": theirs.pk}
    for field in ("from", "sender", "user", "author", "name", "mailbox", "draft", "reply_to"):
        assert post(own, ticket, **{field: ids.get(field, "ceo@nordwind.example")}) == 422, field
    assert not Outgoing.objects.exists() and ticket.messages.count() == 1
    assert Draft.objects.get(user=omar).text == "Omar's secret draft"


def test_the_api_takes_no_sender_either(ticket: Ticket) -> None:
    _token, text = ApiToken.objects.issue("shop", ["tickets:write"])
    for field in ("from", "author", "user", "mailbox", "draft"):
        said = {"kind": "reply", "text": "x", field: "ceo@nordwind.example"}
        headers = {"Authorization": f"Bearer {text}"}
        got = Client().post(f"/api/v1/tickets/{ticket.number}/messages", said, content_type="application/json", headers=headers)
        assert got.status_code == 400 and field in got.json()
    assert not Outgoing.objects.exists()


def test_anothers_drafted_file_stays_with_them_and_the_record_names_who_wrote(
    ticket: Ticket, ana: User, omar: User, browser: Callable[[User], Client], drain: Callable[[], None], sink: Sink
) -> None:
    file = Attachment.objects.create(blob=Blob.objects.keep(ContentFile(b"salaries")), name="salaries.txt")
    theirs = Draft.objects.create(ticket=ticket, user=omar, text="Omar's secret draft")
    theirs.attachments.add(file)
    assert post(browser(ana), ticket, kept=file.pk) == 302
    with dates.moved(by=timedelta(minutes=1)):
        drain()
    (got,) = [each for each in sink if "Ana's own words." in each.text]
    assert not list(got.message.iter_attachments()) and "secret" not in got.text
    assert str(got.message["From"]) == "Nordwind help <support@nordwind.example>"
    assert Event.objects.get(kind="ticket.replied").actor == ana.ref
