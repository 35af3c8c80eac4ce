# ruff: noqa: E501 - mail is as wide as it is
"""Row 14: a mail made to burn the processor is read or set aside within its limits, and the next one is a ticket."""

import base64
import os

import pytest

from helpdesk.mail import inbox
from helpdesk.mail.models import IncomingMail, Mailbox
from tests.mail.test_hostile import HEAD, HOSTILE, typed
from tests.mail.test_inbox import letter

pytestmark = pytest.mark.django_db
State = IncomingMail.State
WORD = (
    "<html xmlns:o='urn:o'><body>"
    + "<!--[if gte mso 9]><xml><o:p></o:p>" * 9_000
    + "<p class=MsoNormal><span lang=EN><o:p>&nbsp;</o:p></span>" * 9_000
)
BURNERS = {
    "subject for a greedy pattern": b"Subject: " + b"Re: [" * 40_000 + b"\n" + HEAD + b"\nHello",
    "introduction that never ends": HEAD + b"\nOn " + b"a b " * 100_000 + b"\nwrote\n" * 20_000,
    "a header block of spaces": HEAD + b"\nx\n" + b"From:" + b" " * 400_000 + b"\n" + b" From :\n" * 20_000,
    "comments in comments": HOSTILE["100,000 comments in comments"],
    "Word's HTML": typed("text/html", WORD),
    "conditional comments never closed": typed("text/html", "<!--[if mso]>" * 60_000),
    "utf-32 in base64": HEAD + b"Content-Type: text/plain; charset=utf-32\nContent-Transfer-Encoding: base64\n\n" + base64.encodebytes(os.urandom(3_000_000)),
    "addresses for a greedy pattern": HEAD + b"To: " + b"a." * 100_000 + b"@" + b"b-." * 50_000 + b"\n\nHello",
    "nested a thousand deep": HOSTILE["nested 1,000 deep"],
}  # fmt: skip


@pytest.mark.parametrize("raw", BURNERS.values(), ids=BURNERS)
def test_it_costs_itself_alone(raw: bytes, support: Mailbox) -> None:
    burner = inbox.receive(raw, support, source="pipe")
    after = inbox.receive(letter(), support, source="pipe")
    inbox.process_due()
    burner, after = IncomingMail.objects.get(pk=burner.pk), IncomingMail.objects.get(pk=after.pk)
    assert burner.state in (State.TICKETED, State.QUARANTINED) and bytes(burner.raw) == raw
    assert after.state == State.TICKETED and after.ticket_id
