"""Events reach each subscriber once, around whatever is poisoned, and nothing is lost by a lost nudge."""

import itertools
import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction

from helpdesk.customers import dispatch, timeline
from helpdesk.customers.models import Customer, Event, EventDelivery
from helpdesk.customers.timeline import Fact
from helpdesk.lib import dates

seen: list[int] = []
poison: set[int] = set()


def note(events):
    """A subscriber that writes rows and chokes on what is poisoned."""
    for event in events:
        if event.payload.get("n") in poison:
            raise ValueError(f"cannot digest {event.payload['n']}")
    Customer.objects.bulk_create(Customer(name=f"seen {event.payload['n']}") for event in events)
    seen.extend(event.payload["n"] for event in events)


@pytest.fixture(autouse=True)
def only_us(settings):
    settings.EVENT_SUBSCRIBERS = {"test.happened": ["tests.kernel.test_dispatch.note"], "*external*": []}
    seen.clear()
    poison.clear()


def happened(numbers):
    return timeline.record_all(Fact("test.happened", payload={"n": n}) for n in numbers)


@pytest.mark.django_db
def test_each_event_is_handed_over_once():
    happened(range(1200))
    assert [dispatch.run_once() for _ in range(4)] == [500, 500, 200, 0]
    assert sorted(seen) == list(range(1200)) and not EventDelivery.objects.exists()


@pytest.mark.django_db
def test_one_poisoned_event_blocks_nobody_and_waits_longer_each_time():
    happened(range(100))
    poison.add(37)
    dispatch.run_once()
    assert sorted(seen) == [n for n in range(100) if n != 37]
    assert Customer.objects.filter(name__startswith="seen").count() == 99
    (stuck,) = dispatch.failing()
    assert stuck.attempts == 1 and "cannot digest 37" in stuck.last_error and dispatch.run_once() == 0
    waits, moment = [], dates.now()
    for _ in range(dispatch.GIVE_UP_AFTER - 1):
        waits.append(stuck.next_at - moment)
        moment = stuck.next_at
        with dates.moved(to=moment):
            assert dispatch.run_once() == 1
        stuck.refresh_from_db()
    assert all(a < b + timedelta(seconds=5) for a, b in itertools.pairwise(waits)) and max(waits) <= timedelta(hours=1, seconds=5)
    assert stuck.next_at is None, "given up: shown to the operator, never forgotten"
    poison.clear()
    assert dispatch.retry([stuck.pk]) == 1 and dispatch.run_once() == 1 and 37 in seen


@pytest.mark.django_db
def test_the_same_external_event_is_one_also_within_a_batch():
    facts = [Fact("trial_ended", source="crm", external_id=str(n % 3)) for n in range(5)]
    assert len(timeline.record_all(facts)) == 3
    assert timeline.record_all(facts) == []
    assert Event.objects.filter(source="crm").count() == 3


@pytest.mark.django_db
def test_a_kind_that_the_table_does_not_name_is_refused_before_anything_is_written():
    with pytest.raises(timeline.UnknownKind):
        timeline.record_all([Fact("test.happened", payload={"n": 1}), Fact("test.misspelt")])
    assert not Event.objects.exists()


@pytest.mark.django_db
def test_what_the_transaction_takes_back_never_happened():
    with pytest.raises(RuntimeError), transaction.atomic():
        happened([1])
        raise RuntimeError
    assert not EventDelivery.objects.exists() and not Event.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_four_dispatchers_at_once_hand_over_each_event_once():
    happened(range(2000))
    barrier = threading.Barrier(4)

    def work():
        barrier.wait()
        try:
            while dispatch.run_once():
                pass
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert Customer.objects.filter(name__startswith="seen").count() == 2000 == len(set(seen)) == len(seen)
