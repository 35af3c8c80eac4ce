"""Row 2: what another service mails to a ticket's address is read by agents alone; nothing of it goes to the requester."""

import pytest
from django.test import Client

from helpdesk.mail.models import Outgoing
from tests.tickets.conftest import sent_by

pytestmark = pytest.mark.django_db
LINK = "https://slack.example/confirm/4711"


def test_a_link_for_somebody_else_stays_here(post, letter, answered, ticket, browser, ana, drain, sink):
    token, sent = Outgoing.objects.get().token, len(sink)
    mail = letter(f"Confirm your workspace: {LINK}", sender="Slack <no-reply@slack.example>", subject="Confirm your address")
    post(mail, to=f"support+{token}@nordwind.example")
    assert LINK in browser(ana).get(f"/tickets/{ticket.number}/").content.decode()  # agents see it
    assert ticket.messages.latest("pk").stranger and len(sink) == sent
    ours = sent_by(ana, ticket, drain, sink, "We look into it.")
    assert ours.recipients == ["ben@carter.example"] and LINK.encode() not in b"".join(each.raw for each in sink)
    answer = Client().get(f"/tickets/{ticket.number}/")
    assert answer.status_code == 302 and answer["Location"].startswith("/accounts/login/")
