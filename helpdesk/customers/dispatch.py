"""Hands events to their subscribers: in batches, with retries, and around whatever is poisoned."""

from collections.abc import Callable
from datetime import timedelta

import structlog
from django.conf import settings
from django.db import connection, transaction
from django.db.models import Min, QuerySet
from django.utils.module_loading import import_string

from helpdesk.customers.models import Event, EventDelivery
from helpdesk.lib.dates import now
from helpdesk.live import bell

log = structlog.get_logger(__name__)
BATCH = 500
FIRST_WAIT = timedelta(seconds=5)
LONGEST_WAIT = timedelta(hours=1)
GIVE_UP_AFTER = 14  # attempts, about seven hours; then it is shown to the operator with a button

Subscriber = Callable[[list[Event]], None]
Due = tuple[int, int]  # a delivery and its event
# One array is one parameter; the ORM would resolve each id by itself, at more than the price of fetching its row.
EVENTS = "SELECT * FROM customers_event WHERE id = ANY(%s)"
DONE = "DELETE FROM customers_eventdelivery WHERE id = ANY(%s)"


def subscribers() -> list[str]:
    return sorted({name for names in settings.EVENT_SUBSCRIBERS.values() for name in names})


def run_once() -> int:
    """One batch for every subscriber that is owed something; returns how many deliveries were looked at."""
    known: dict[int, Event] = {}
    return sum(_batch(name, known) for name in subscribers())


@transaction.atomic
def _batch(name: str, known: dict[int, Event]) -> int:
    """Take a batch of one subscriber's due deliveries; SKIP LOCKED lets several dispatchers share the line.

    ``known`` are events that another subscriber has got in this round: nothing ever changes one, so nobody reads it twice.
    """
    due: list[Due] = list(
        EventDelivery.objects.select_for_update(skip_locked=True)
        .filter(subscriber=name, next_at__lte=now())
        .order_by("next_at", "id")
        .values_list("pk", "event_id")[:BATCH]  # no objects: there are as many of these as of everything else together
    )
    if due:
        missing = [event for _pk, event in due if event not in known]
        known |= {event.pk: event for event in Event.objects.raw(EVENTS, [missing])} if missing else {}
        _deliver(import_string(name), due, known)
    return len(due)


def _deliver(subscriber: Subscriber, due: list[Due], events: dict[int, Event]) -> None:
    """Call the subscriber in a savepoint; if it fails, halve the batch until the poisoned event stands alone."""
    try:
        with transaction.atomic():
            subscriber([events[event] for _pk, event in due if event in events])
            with connection.cursor() as cursor:
                cursor.execute(DONE, [[pk for pk, _event in due]])
    except Exception as error:
        if not connection.is_usable():
            raise
        if len(due) == 1:
            _put_back(EventDelivery.objects.get(pk=due[0][0]), error)
            return
        half = len(due) // 2
        _deliver(subscriber, due[:half], events)
        _deliver(subscriber, due[half:], events)


def _put_back(delivery: EventDelivery, error: Exception) -> None:
    delivery.attempts += 1
    wait = min(FIRST_WAIT * 2 ** (delivery.attempts - 1), LONGEST_WAIT)
    delivery.next_at = None if delivery.attempts >= GIVE_UP_AFTER else now() + wait
    delivery.last_error = f"{type(error).__name__}: {error}"[:2000]
    delivery.save(update_fields=["attempts", "next_at", "last_error"])
    log.error(
        "event_delivery_failed",
        subscriber=delivery.subscriber,
        event_id=delivery.event_id,
        attempts=delivery.attempts,
        exc_info=error,
    )


def failing() -> QuerySet[EventDelivery]:
    """What has failed at least once, the given-up ones included: the operator's page."""
    return EventDelivery.objects.filter(attempts__gt=0).order_by("-attempts", "id")


def retry(ids: list[int]) -> int:
    """The operator's button: all of these are due at once. Returns how many."""
    count = EventDelivery.objects.filter(pk__in=ids).update(next_at=now(), attempts=0)
    bell.ring("helpdesk.customers.tasks.dispatch")
    return count


def oldest_undispatched() -> float | None:
    """Age in seconds of the oldest delivery that was never tried, or None."""
    oldest = EventDelivery.objects.filter(attempts=0).aggregate(at=Min("created_at"))["at"]
    return (now() - oldest).total_seconds() if oldest else None
