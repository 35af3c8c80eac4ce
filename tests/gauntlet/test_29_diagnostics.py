"""Row 29: what a foreign mail server or browser says of itself is shown as words, wherever it is shown."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from helpdesk.customers.models import Customer
from helpdesk.lib import dates
from helpdesk.mail.models import Mailbox, Outgoing
from tests.mail.test_inbox import bounce_to, came
from tests.mail.test_reports import dsn, failed
from tickets import intake, replies

pytestmark = pytest.mark.django_db
SCRIPT = "<script>alert(1)</script>"


def test_a_script_in_a_delivery_report_is_words(
    support: Mailbox, ben: Customer, ana: Any, omar: Any, browser: Any, drain: Callable[[], None], sink: Any
) -> None:
    words = intake.Words("Hello", name="Ben Carter", address="ben@carter.example")
    ticket = intake.open_ticket(ben, "Hello", words, channel="mail", mailbox=support, address=ben.addresses.get())
    replies.reply(ticket, "Hello Ben", by=ana)
    sink.answer = lambda recipient: f"450 4.2.0 {SCRIPT} later"
    with dates.moved(by=timedelta(minutes=1)):
        drain()
    sent = Outgoing.objects.get()
    assert SCRIPT in sent.tries.get().answer, "what the server said is kept"
    Outgoing.objects.filter(pk=sent.pk).update(state="accepted")
    row = came(bounce_to(sent, dsn(failed("5.1.1", f"550 5.1.1 {SCRIPT} unknown"))), support)
    sent.refresh_from_db()
    assert sent.state == "bounced" and "script" in sent.reason and row.state == "ignored"
    page = browser(omar)
    shown = {
        address: page.get(address).content.decode()
        for address in (
            f"/tickets/{ticket.number}/",
            f"/outgoing/{sent.pk}/",
            f"/customers/{ben.pk}/",
            f"/customers/{ben.pk}/mail/",
            "/operations/",
            "/operations/mail/ignored/",
            f"/tickets/{ticket.number}/print/",
        )
    }
    assert [address for address, html in shown.items() if SCRIPT in html] == []
    assert sum("&lt;script&gt;" in html for html in shown.values()) >= 3, "and shown it is"
