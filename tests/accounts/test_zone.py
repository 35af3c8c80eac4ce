"""Two colleagues in two zones read the same ticket, each on their own clock."""

from datetime import UTC, datetime

import pytest

from helpdesk.customers.models import Customer
from helpdesk.lib import dates
from tickets import intake


@pytest.mark.django_db
def test_times_are_the_readers_own(browser, ana, mia, ben: Customer, support):
    with dates.moved(to=datetime(2026, 11, 20, 9, 15, tzinfo=UTC)):
        ticket = intake.open_ticket(ben, "Hello", intake.Words("Anybody there?"), channel="form")
        ana.zone = "Asia/Kolkata"
        ana.save()
        mia.zone = "no/such"
        mia.save()
        theirs, ours = (browser(who).get(f"/tickets/{ticket.number}/").content.decode() for who in (ana, mia))
    assert ">14:45<" in theirs and ">09:15<" not in theirs
    assert ">09:15<" in ours
