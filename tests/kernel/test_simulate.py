"""A month of a whole desk, checked at every tick; in small, and in the size that is promised."""

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from helpdesk.accounts.models import Team
from helpdesk.lib import dates

SMALL = {"tickets": 36, "agents": 3, "days": 1, "every": 60}


def simulated(**sizes):
    out = StringIO()
    call_command("simulate", stdout=out, json=True, **sizes)
    return json.loads(out.getvalue())


@pytest.mark.django_db
def test_a_small_desk_keeps_its_word():
    before = dates.now()
    told = simulated(**SMALL)
    assert told["violations"] == 0 and told["checks"] > 400
    assert told["tickets"] == 36 and told["gifts"] > 20 and told["longest_queue"] > 3
    assert told["breached"] and told["warned"] and told["solved"] > 10
    assert (dates.now() - before).total_seconds() < 600  # the clock is back
    with pytest.raises(CommandError, match="empty"):
        call_command("simulate", **SMALL)


@pytest.mark.django_db
def test_a_desk_that_is_there_is_left_alone():
    Team.objects.create(name="Ours", slug="ours")
    with pytest.raises(CommandError, match="empty"):
        call_command("simulate", **SMALL)


@pytest.mark.long
@pytest.mark.django_db
def test_a_month_of_a_large_desk():
    told = simulated(tickets=20_000, agents=12, days=30, every=5)
    assert told["violations"] == 0
    assert told["tickets"] >= 20_000 and set(told["breached"]) == {"first_reply", "next_reply", "resolution", "full_resolution"}
