"""Events reach each subscriber once, around whatever is poisoned, and nothing is lost by a lost nudge."""

import itertools
import threading
from datetime import timedelta

import pytest
from django.db import OperationalError, connection, transaction

from helpdesk.customers import dispatch, timeline
from helpdesk.customers.models import Address, Customer, Event, EventDelivery
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
def test_who_is_owed_nothing_costs_nothing(settings, django_assert_num_queries):
    settings.EVENT_SUBSCRIBERS |= {f"other.{n}": [f"tests.kernel.nobody{n}.on_events"] for n in range(20)}
    with django_assert_num_queries(1):
        assert dispatch.run_once() == 0
    happened(range(3))
    with django_assert_num_queries(6):  # who is owed; a savepoint and its end; take, read, and what it writes
        assert dispatch.run_once() == 3
    assert seen == [0, 1, 2]


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


def address(events):
    """A subscriber whose mistake PostgreSQL finds at the commit: an address of nobody."""
    note(events)
    for event in events:
        name = f"{event.payload['n']}@commit.example"
        owner = event.payload.get("owner") or Customer.objects.get(name=f"seen {event.payload['n']}").pk
        Address.objects.create(customer_id=owner, canonical=name, shown=name)


@pytest.mark.django_db(transaction=True)
def test_what_only_the_commit_refuses_is_one_poisoned_event_too(settings):
    settings.EVENT_SUBSCRIBERS = {"test.happened": ["tests.kernel.test_dispatch.address"]}
    happened(range(5))
    bad = timeline.record("test.happened", n=5, owner=10**9)
    assert dispatch.run_once() == 6
    (stuck,) = dispatch.failing()
    assert stuck.event_id == bad.pk and "violates foreign key" in stuck.last_error and stuck.attempts == 1
    assert Address.objects.filter(canonical__endswith="@commit.example").count() == 5


late: list[str] = []


def note_and_be_late(events):
    """A subscriber during whose second batch somebody commits an event that was written down long before."""
    note(events)
    late.append("")
    if len(late) == 2:
        with dates.moved(by=timedelta(hours=-1)):
            timeline.record("test.happened", n=-1)


@pytest.mark.django_db
def test_a_run_goes_on_from_its_place_and_comes_back_for_what_is_behind_it(settings):
    settings.EVENT_SUBSCRIBERS = {"test.happened": ["tests.kernel.test_dispatch.note_and_be_late"]}
    late[:] = ["not now"] * 9
    happened(range(1200))
    assert dispatch.run(2) is True and len(seen) == 1000, "two rounds are two batches"
    late.clear()
    happened(range(1200, 2000))
    assert dispatch.run(50) is False
    assert sorted(seen) == [-1, *range(2000)] and not EventDelivery.objects.exists()


@pytest.mark.django_db
def test_an_event_is_handed_over_as_it_was_recorded():
    """The dispatcher makes the objects itself; what a subscriber gets is what the ORM would read."""
    (made,) = timeline.record_all(
        [Fact("trial_ended", source="crm", external_id="1", payload={"a": [1, None, "ü"], "b": {"c": 0.5}}, actor="token:1")]
    )
    known: dict[int, Event] = {}
    dispatch._read(known, [made.pk])
    (event,), there = known.values(), Event.objects.get(pk=made.pk)
    assert event == there and event.is_external and event.customer is None
    assert {f.attname: getattr(event, f.attname) for f in Event._meta.concrete_fields} == {
        f.attname: getattr(there, f.attname) for f in Event._meta.concrete_fields
    }
    assert (event._state.adding, event._state.db) == (False, "default")


@pytest.mark.django_db(transaction=True)
def test_events_that_cannot_be_read_are_owed_still():
    happened(range(3))
    other = connection.copy()
    try:
        other.set_autocommit(False)
        with other.cursor() as elsewhere, connection.cursor() as ours:
            elsewhere.execute("LOCK TABLE customers_event")
            ours.execute("SET lock_timeout = '50ms'")
            with pytest.raises(OperationalError, match="lock timeout"):
                dispatch.run_once()
            ours.execute("RESET lock_timeout")
    finally:
        other.close()
    assert EventDelivery.objects.filter(attempts=0).count() == 3 and not seen
    assert dispatch.run_once() == 3 and sorted(seen) == [0, 1, 2]
