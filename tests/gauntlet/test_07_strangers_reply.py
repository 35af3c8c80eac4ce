"""Row 7: whoever answers with a good token from another address is a stranger: no requester, no Cc, no history."""

import pytest

from tests.tickets.conftest import back, sent_by
from tickets.models import Ticket

pytestmark = pytest.mark.django_db


def test_the_requester_stays_who_it_was(post, letter, answered, ticket, ben, ana, browser, drain, sink):
    post(back(letter, answered, text="I have it now.", sender="Ben Carter <ben@evil.example>", Reply_To="ben@evil.example"))
    ticket.refresh_from_db()
    said = ticket.messages.latest("pk")
    assert ticket.requester == ben and said.stranger and said.customer != ben and not ticket.participants.exists()
    page = browser(ana).get(f"/tickets/{ticket.number}/").content.decode()
    assert "Not on this ticket" in page and "ben@evil.example" in page
    ours = sent_by(ana, ticket, drain, sink, "Glad to hear.")
    assert ours.recipients == ["ben@carter.example"] and "I have it now" not in ours.text
    assert not sink.to("ben@evil.example")


def test_a_stranger_who_answers_a_closed_ticket_begins_an_empty_one(post, letter, answered, ticket, ana, drain, sink):
    ticket.close(by=ana)
    post(back(letter, answered, text="Where is it?", sender="eve@evil.example"))
    following = Ticket.objects.latest("pk")
    ours = sent_by(ana, following, drain, sink, "Who are you?")
    assert ours.recipients == ["eve@evil.example"]
    assert "The code never arrives" not in ours.text + ours.html and "Which phone" not in ours.text + ours.html
