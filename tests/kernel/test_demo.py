"""The demo is what a newcomer sees first: it must tell the whole ring."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from helpdesk.lib import dates
from helpdesk.mail.models import Outgoing, State
from outreach.models import Campaign
from tickets.models import Ticket


@pytest.mark.django_db
@pytest.mark.parametrize("hour", (1, pytest.param(13, marks=pytest.mark.long)))
def test_the_demo_tells_the_ring_and_only_once_at_any_hour(tmp_path, settings, hour):
    settings.DATA_DIR = tmp_path
    settings.MAIL_TRANSPORT = "file"
    out = StringIO()
    with dates.moved(to=dates.now().replace(hour=hour)):
        call_command("load_demo", stdout=out)
    assert "ana@nordwind.example" in out.getvalue()
    assert Ticket.objects.count() >= 9 and Campaign.objects.running().count() == 2
    joined = Ticket.objects.get(campaign_id__isnull=False)
    answered = Outgoing.objects.get(pk=joined.outgoing_id)
    assert answered.state == State.ACCEPTED and answered.title.startswith("Card expires soon")
    held = Outgoing.objects.get(state=State.HELD)
    assert held.customer.name == "Ben Carter" and held.reason
    with pytest.raises(CommandError):
        call_command("load_demo")
