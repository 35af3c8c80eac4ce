"""Row 6: an agent who lost a ticket gains nothing by mail: nobody can act as an agent by mail, so nothing outlives a right."""

import pytest
from django.test import Client

from helpdesk.accounts.models import Reach, Team
from tests.tickets.conftest import back

pytestmark = pytest.mark.django_db


def test_her_mail_is_a_strangers_and_the_page_is_gone(post, letter, answered, ticket, ana, browser, sink):
    page = browser(ana)
    assert page.get(f"/tickets/{ticket.number}/").status_code == 200
    ana.reach = Reach.TEAM
    ana.save()
    ana.teams.set([Team.objects.create(slug="billing", name="Billing")])
    sent = len(sink)
    post(back(letter, answered, text="Solved.", sender="ana@nordwind.example"))
    ticket.refresh_from_db()
    assert ticket.messages.latest("pk").stranger and ticket.status == "open" and len(sink) == sent
    assert page.get(f"/tickets/{ticket.number}/").status_code == 404
    assert Client().get(f"/tickets/{ticket.number}/").status_code == 302
