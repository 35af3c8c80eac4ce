"""The doorbell: one message however often it is pressed, and silence when Redis is away."""

import time

import pytest
from celery import current_app
from django.db import transaction

from helpdesk.live import bell

pytestmark = pytest.mark.django_db(transaction=True)
TASK = "helpdesk.customers.tasks.dispatch"


@pytest.fixture
def belled(settings, monkeypatch):
    settings.BELL = True
    monkeypatch.setattr(bell, "_quiet_until", 0.0)
    current_app.control.purge()


def waiting():
    return bell.client().llen("ingest")


def test_many_rings_are_one_message_until_somebody_answers(belled):
    for _ in range(20):
        bell.ring(TASK)
    assert waiting() == 1
    bell.answered(TASK)
    bell.ring(TASK)
    assert waiting() == 2


def test_what_is_rolled_back_does_not_ring(belled):
    with pytest.raises(RuntimeError), transaction.atomic():
        bell.ring(TASK)
        raise RuntimeError
    assert waiting() == 0


def test_without_redis_work_goes_on_at_once_and_quietly(belled, settings, monkeypatch):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    monkeypatch.setattr(bell, "_client", None)
    asked = []
    monkeypatch.setattr(bell, "client", lambda make=bell.client: asked.append(1) or make())
    for _ in range(50):
        bell.ring(TASK)
    assert len(asked) == 1, "after one refusal it does not knock again for some seconds"
    assert bell._quiet_until > time.monotonic()
