"""An office, what it promises, and time that stands."""

import pytest

from helpdesk.accounts.models import Calendar
from helpdesk.lib import dates
from tests.tickets.clocks.days import at, targets
from tickets.models import Policy


@pytest.fixture
def office(db: None) -> Calendar:
    return Calendar.objects.create(name="Office", zone="UTC", week=[[[540, 1020]]] * 5 + [[], []], is_default=True)


@pytest.fixture
def policy(office: Calendar) -> Policy:
    return Policy.objects.create(name="Everybody", position=1, targets=targets(), changed_at=at("00:00"))


@pytest.fixture(autouse=True)
def stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time moves only when a test moves it, so that dates are whole minutes."""
    this_moment = dates.machine_now()
    monkeypatch.setattr(dates, "machine_now", lambda: this_moment)
