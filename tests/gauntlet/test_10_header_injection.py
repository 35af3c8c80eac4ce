# ruff: noqa: E501 - mail is as wide as it is
"""Row 10: a line break in a name, a subject or a file name, in whatever clothes, never becomes a header or a recipient."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from helpdesk.accounts.models import User
from helpdesk.lib import dates
from helpdesk.mail.models import Mailbox
from tests.conftest import Sink
from tests.mail.test_inbox import came
from tickets import replies
from tickets.models import Ticket

pytestmark = pytest.mark.django_db
BREAKS = ["=?utf-8?q?=0D=0A?=", "=?utf-8?q?=0A?=", "=?utf-8?q?=0D?=", "=?utf-8?b?DQo=?=", "\u2028", "\x85", "\x0b", "\r", "\0\n "]


@pytest.mark.parametrize("wall", BREAKS, ids=ascii)
def test_one_recipient_and_no_new_header(wall: str, support: Mailbox, ana: User, sink: Sink, drain: Callable[[], None]) -> None:
    evil = f"{wall}Bcc: victim@evil.example{wall}X-Evil: yes"
    raw = (
        f"From: Ben{evil} <ben@carter.example>\nTo: support@nordwind.example\nSubject: Router{evil}\n"
        f"Message-ID: <one@carter.example>\nReferences: <a{evil}@b.example>\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nHello\n"
        f'--b\nContent-Type: text/plain; name="a{evil}"\nContent-Disposition: attachment; filename="a{evil}"\n\nx\n--b--\n'
    )
    ticket = Ticket.objects.get(pk=came(raw.encode(), support).ticket_id)
    replies.reply(ticket, "Please try the new firmware.", by=ana)
    with dates.moved(by=timedelta(minutes=5)):
        drain()
    letters = [each for each in sink if "firmware" in each.text]
    assert [each.recipients for each in letters] == [["ben@carter.example"]]
    message = letters[0].message
    assert len(message.get_all("To") or []) == 1 and not {"bcc", "x-evil"} & {name.lower() for name in message}
