# ruff: noqa: E501 - mail is as wide as it is
"""Row 16: letters that are none, in every place of a mail, make a ticket all the same, and the bytes are kept as they came."""

import pytest

from helpdesk.mail.models import IncomingMail, Mailbox
from tests.mail.test_inbox import came
from tickets.models import Message, Ticket

pytestmark = pytest.mark.django_db
BROKEN = {"wrong bytes": b"\xff\xfe\x80", "a lone surrogate": b"\xed\xa0\x80", "NUL": b"\0", "a letter cut off": b"\xe2\x82"}


@pytest.mark.parametrize("label", [b"utf-8", b"us-ascii", b"x-none", b"utf-16"])
@pytest.mark.parametrize("bad", BROKEN.values(), ids=BROKEN)
def test_a_ticket_is_made_and_the_bytes_are_kept(bad: bytes, label: bytes, support: Mailbox) -> None:
    raw = (
        b"From: Ben " + bad + b" Carter <ben@carter.example>\nTo: " + bad + b" <support@nordwind.example>\nSubject: Router " + bad
        + b"\nMessage-ID: <" + bad + b"@carter.example>\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain; charset="
        + label + b"\n\nHello " + bad + b" there\n--b\nContent-Type: application/pdf\nContent-Disposition: attachment; filename=\"a" + bad
        + b'.pdf"\n\nx\n--b--\n'
    )  # fmt: skip
    row = came(raw, support)
    assert row.state == IncomingMail.State.TICKETED and bytes(row.raw) == raw
    ticket = Ticket.objects.get(pk=row.ticket_id)
    assert ticket.subject.startswith("Router") and ticket.requester.email == "ben@carter.example"
    message = Message.objects.get(pk=row.ticket_message_id)
    assert "Hello" in message.text and message.attachments.count() == 1
