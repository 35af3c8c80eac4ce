"""An answer that did not arrive is work again: it stands in the list, with the reason."""

from datetime import timedelta

import pytest

from helpdesk.lib import dates
from helpdesk.mail import outbox
from tickets import replies
from tickets.models import Ticket

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("status", ["pending", "solved"])
def test_a_bounced_answer_brings_the_ticket_back(ticket, ana, drain, sink, browser, status):
    message = replies.reply(ticket, "Which phone is it?", by=ana, status=status)
    with dates.moved(by=timedelta(minutes=1)):
        drain()
        assert Ticket.objects.get().status == status
        for _ in range(2):
            outbox.bounced(message.outgoing_id, reason="550 5.1.1 Nobody of this name")
            drain()
        ticket.refresh_from_db()
        assert ticket.status == "open" and ticket.waiting_since is not None
        page = browser(ana).get("/inbox/").content.decode()
    assert "Our answer came back: 550 5.1.1 Nobody of this name" in page


def test_an_answer_that_the_server_refuses_brings_it_back_too_and_a_confirmation_does_not(ticket, ana, drain, sink):
    sink.answer = lambda _to: "554 5.7.1 Not from you"
    replies.reply(ticket, "Which phone is it?", by=ana)
    with dates.moved(by=timedelta(minutes=1)):
        drain()
    ticket.refresh_from_db()
    assert ticket.status == "open" and "Our answer was refused: " in ticket.said


def test_a_closed_ticket_stays_closed(ticket, ana, drain, sink):
    message = replies.reply(ticket, "Which phone is it?", by=ana)
    with dates.moved(by=timedelta(minutes=1)):
        drain()
        ticket.close(by=ana)
        outbox.bounced(message.outgoing_id, reason="550")
        drain()
    ticket.refresh_from_db()
    assert ticket.status == "closed"
