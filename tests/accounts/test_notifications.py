"""What people here are told goes after ninety days, and the count beside the bell stays true."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from helpdesk.accounts.models import Notification, User
from helpdesk.accounts.notifications import mark_read, notify, tidy
from helpdesk.lib import dates

pytestmark = pytest.mark.django_db


def test_old_ones_go_read_or_not(ana, mia):
    with dates.moved(by=-timedelta(days=91)):
        notify([ana, mia], "Long ago")
        mark_read(mia, upto=Notification.objects.latest("pk").pk)
        notify([ana], "Long ago too")
    with dates.moved(by=-timedelta(days=89)):
        notify([ana, mia], "Lately")
    with CaptureQueriesContext(connection) as asked:
        assert tidy() == 3
    assert len([each for each in asked if "SAVEPOINT" not in each["sql"]]) == 4  # the oldest, whose, gone, counted
    assert {each.words for each in Notification.objects.all()} == {"Lately"}
    assert dict(User.objects.values_list("name", "unread")) == {"Ana Kowalczyk": 1, "Mia Sandoval": 1}
    assert tidy() == 0
