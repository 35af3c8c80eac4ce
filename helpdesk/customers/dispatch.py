"""Hands events to their subscribers: in batches, with retries, and around whatever is poisoned."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import structlog
from django.conf import settings
from django.db import connection, transaction
from django.db.models import Min, QuerySet
from django.db.models.base import ModelState
from django.utils.module_loading import import_string

from helpdesk.customers.models import Event, EventDelivery
from helpdesk.lib.dates import age, now
from helpdesk.lib.rows import array
from helpdesk.live import bell

log = structlog.get_logger(__name__)
BATCH = 500
FIRST_WAIT = timedelta(seconds=5)
LONGEST_WAIT = timedelta(hours=1)
GIVE_UP_AFTER = 14  # attempts, about seven hours; then it is shown to the operator with a button

Subscriber = Callable[[list[Event]], None]
Due = tuple[int, int]  # a delivery and its event
Place = tuple[datetime, int]  # how far along a subscriber's line: a delivery's next_at and id
FRONT: Place = (datetime.min.replace(tzinfo=UTC), 0)

# Locked, deleted and told in one statement and one row. What was delivered stays in the index until a vacuum, and whoever began
# at the front each time would walk past all of it: so a run goes on from its own place.
TAKE = """
    WITH taken AS (
        DELETE FROM customers_eventdelivery WHERE ctid = ANY (ARRAY(
            SELECT ctid FROM customers_eventdelivery
            WHERE subscriber = %s AND next_at <= %s AND (next_at, id) > (%s, %s)
            ORDER BY next_at, id LIMIT %s FOR UPDATE SKIP LOCKED
        )) RETURNING id, event_id, next_at
    )
    SELECT array_agg(id ORDER BY next_at, id), array_agg(event_id ORDER BY next_at, id), max(next_at) FROM taken
"""
# Most find nothing most of the time: who is owed something is asked once for all, each from its own place or, behind that, anew.
OWED = """
    SELECT name FROM unnest(%s::text[], %s::timestamptz[], %s::bigint[]) AS line(name, at, id), LATERAL (
        SELECT FROM customers_eventdelivery AS owed
        WHERE subscriber = name AND next_at <= %s AND (next_at, owed.id) > (line.at, line.id) ORDER BY next_at, owed.id LIMIT 1
    ) AS found
"""
TAKE_AGAIN = """
    SELECT id, event_id FROM customers_eventdelivery WHERE id = ANY (%s::bigint[]) AND next_at <= %s
    ORDER BY next_at, id FOR UPDATE SKIP LOCKED
"""
DONE = "DELETE FROM customers_eventdelivery WHERE id = ANY (%s::bigint[])"
NAMES = [field.attname for field in Event._meta.concrete_fields if field.name != "payload"]
EVENTS = f"SELECT {', '.join(NAMES)}, payload::text FROM customers_event WHERE id = ANY (%s::bigint[])"  # noqa: S608 - our own


def subscribers() -> list[str]:
    return sorted({name for names in settings.EVENT_SUBSCRIBERS.values() for name in names})


def run(rounds: int) -> bool:
    """So many batches for every subscriber, or until nothing is due; whether there may be more."""
    places: dict[str, Place] = {}
    return all(run_once(places) for _ in range(rounds))


def run_once(places: dict[str, Place] | None = None) -> int:
    """One batch for every subscriber that is owed something; returns how many deliveries were looked at.

    ``places`` is kept by who calls again and again: the next batch then begins where this one ended.
    """
    known: dict[int, Event] = {}
    places = {} if places is None else places
    return sum(_batch(name, known, places) for name in _owed(places))


def _owed(places: dict[str, Place]) -> list[str]:
    """The subscribers for whom something is due, and those whose line is to be begun at its front again."""
    names = subscribers()
    froms = [places.get(name, FRONT) for name in names]
    with connection.cursor() as cursor:
        cursor.execute(OWED, [array(names), array(at for at, _pk in froms), array(pk for _at, pk in froms), now()])
        owed = {name for (name,) in cursor.fetchall()}
    return [name for name in names if name in owed or name in places]


def _batch(name: str, known: dict[int, Event], places: dict[str, Place]) -> int:
    """Take a batch of one subscriber's due deliveries; SKIP LOCKED lets several dispatchers share the line.

    ``known`` are events that another subscriber has got in this round: nothing ever changes one, so nobody reads it twice.
    A failure takes the batch back whole, and then it is delivered again with care.
    """
    subscriber, due = import_string(name), []
    try:
        with transaction.atomic():
            due = _take(name, places)
            if due:
                _read(known, [event for _pk, event in due])
                subscriber([known[event] for _pk, event in due if event in known])
    except Exception as error:
        if not due or not connection.is_usable():
            raise
        _with_care(subscriber, due, known, error)
    return len(due)


def _take(name: str, places: dict[str, Place]) -> list[Due]:
    """The next of a line, deleted already; from its front again when its end is reached, for what was locked or put back."""
    with connection.cursor() as cursor:
        while True:
            place = places.pop(name, FRONT)
            cursor.execute(TAKE, [name, now(), *place, BATCH])
            pks, events, last_at = cursor.fetchone()
            if pks:
                places[name] = (last_at, pks[-1])
                return list(zip(pks, events, strict=True))
            if place == FRONT:
                return []


def _read(known: dict[int, Event], ids: list[int]) -> None:
    """Fetch what is not known yet. The ORM would take longer to make the objects than the rest of a delivery takes."""
    missing = [pk for pk in ids if pk not in known]
    if not missing:
        return
    with connection.cursor() as cursor:
        cursor.execute(EVENTS, [array(missing)])
        rows = cursor.fetchall()
    alias = connection.alias
    payloads = json.loads(f"[{','.join([row[-1] for row in rows])}]")  # at once: a call for each costs more than the reading
    for row, payload in zip(rows, payloads, strict=True):
        event = Event.__new__(Event)  # as unpickling does: __init__ would set each field through its descriptor
        event.__dict__.update(zip(NAMES, row, strict=False), payload=payload, _state=ModelState())
        event._state.adding, event._state.db = False, alias
        known[event.pk] = event


@transaction.atomic
def _with_care(subscriber: Subscriber, due: list[Due], known: dict[int, Event], error: Exception) -> None:
    """A batch that failed: those of it that are still due are locked again and halved around whatever is poisoned."""
    with connection.cursor() as cursor:
        cursor.execute(TAKE_AGAIN, [array(pk for pk, _event in due), now()])
        due = cursor.fetchall()
    _read(known, [event for _pk, event in due])  # it may be what failed: nobody is handed less than is deleted
    if due:
        _halve(subscriber, due, known, error)


def _halve(subscriber: Subscriber, due: list[Due], known: dict[int, Event], error: Exception) -> None:
    if len(due) == 1:
        _put_back(EventDelivery.objects.get(pk=due[0][0]), error)
        return
    half = len(due) // 2
    for part in (due[:half], due[half:]):
        _deliver(subscriber, part, known)


def _deliver(subscriber: Subscriber, due: list[Due], known: dict[int, Event]) -> None:
    """Call the subscriber in a savepoint; if it fails, halve the batch until the poisoned event stands alone."""
    try:
        with transaction.atomic():
            subscriber([known[event] for _pk, event in due if event in known])
            with connection.cursor() as cursor:
                cursor.execute(DONE, [array(pk for pk, _event in due)])
            connection.check_constraints()  # what only the commit would refuse, it would refuse to the whole batch
    except Exception as error:
        if not connection.is_usable():
            raise
        _halve(subscriber, due, known, error)


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
    return age(oldest)
