"""Events: taken by the API, handed to subscribers, asked about by segments."""

import json
import time
from datetime import timedelta

from django.conf import settings
from django.db import connection
from django.test import Client

from bench.measure import Results, in_turn, seconds
from bench.place import Sizes
from helpdesk.accounts.models import ApiToken, Scope
from helpdesk.customers import dispatch
from helpdesk.customers.models import Customer, Event, EventDelivery
from helpdesk.customers.tasks import ROUNDS
from helpdesk.demo.bulk import copy
from helpdesk.lib import conditions
from helpdesk.lib.dates import now
from helpdesk.lib.rows import array

BATCH = 500


def measure(results: Results, size: Sizes) -> None:
    _batches(results, size)
    _dispatch(results, size)
    _segment(results)


def _batches(results: Results, size: Sizes) -> None:
    """POST of 500 against COPY of what it wrote: the events and who is owed them."""
    _token, text = ApiToken.objects.issue("bench", list(Scope.values))
    client, calls = Client(), 6 if results.fast else 40
    made = iter(range(10**9))

    def post() -> float:
        bodies = []
        for _ in range(calls):
            rows = [
                {
                    "kind": "page_viewed",
                    "source": "bench-api",
                    "id": f"a{next(made)}",
                    "payload": {"page": "/pricing", "seconds": 12},
                    "customer": {"external_id": f"bench-{n % size.customers + 1}"},
                }
                for n in range(BATCH)
            ]
            bodies.append(json.dumps({"events": rows}))

        def run() -> None:
            for body in bodies:
                done = client.post(
                    "/api/v1/events/batch", body, content_type="application/json", headers={"Authorization": f"Bearer {text}"}
                )
                assert done.status_code == 200 and done.json()["accepted"] == BATCH, done.content[:300]

        return calls * BATCH / seconds(run)

    owed = settings.EVENT_SUBSCRIBERS["*external*"]
    at = now()

    def bare() -> float:
        def run() -> None:
            for _ in range(calls):
                first = next(made)
                copy(
                    Event,
                    ["kind", "customer_id", "source", "external_id", "occurred_at", "received_at", "actor", "payload"],
                    [
                        (
                            "page_viewed",
                            n % size.customers + 1,
                            "bench-copy",
                            f"c{first}-{n}",
                            at,
                            at,
                            "token:1",
                            {"page": "/pricing", "seconds": 12},
                        )
                        for n in range(BATCH)
                    ],
                )
                copy(
                    EventDelivery,
                    ["event_id", "subscriber", "next_at", "created_at"],
                    [(10**9 + first * BATCH + n, subscriber, at, at) for n in range(BATCH) for subscriber in owed],
                )

        return calls * BATCH / seconds(run)

    figure, limit = in_turn(3, post, bare)
    results.at_least(f"event API, batches of {BATCH}", figure, "events/s", limit=limit, budget=0.08)
    EventDelivery.objects.all().delete()


def first(events: list[Event]) -> None:
    """A subscriber that writes a row for each event."""
    _write("bench_first", events)


def second(events: list[Event]) -> None:
    _write("bench_second", events)


def _write(table: str, events: list[Event]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::text[])",
            [array(e.pk for e in events), array(e.customer_id for e in events), array(e.kind for e in events)],
        )


def _dispatch(results: Results, size: Sizes) -> None:
    """All events there are, to two subscribers, against two INSERT … SELECT of the same rows."""
    number = min(size.events, 20_000 if results.fast else 1_000_000)
    tables = ("bench_first", "bench_second", "bench_third", "bench_fourth")
    with connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f"CREATE TABLE {table} (event_id bigint PRIMARY KEY, customer_id bigint, kind text)")
        for subscriber in (first, second):
            cursor.execute(
                "INSERT INTO customers_eventdelivery (event_id, subscriber, attempts, next_at, last_error, created_at) "
                "SELECT id, %s, 0, %s, '', %s FROM customers_event WHERE source = 'bench' ORDER BY id LIMIT %s",
                [f"{subscriber.__module__}.{subscriber.__name__}", now(), now(), number],
            )
        cursor.execute("ANALYZE customers_eventdelivery")
    before = settings.EVENT_SUBSCRIBERS
    settings.EVENT_SUBSCRIBERS = {"*external*": [f"{__name__}.first", f"{__name__}.second"]}

    def run() -> None:
        while dispatch.run(ROUNDS):
            pass

    def bare() -> None:
        with connection.cursor() as cursor:
            for table in tables[2:]:
                cursor.execute(
                    f"INSERT INTO {table} SELECT id, customer_id, kind FROM customers_event WHERE source = 'bench' "
                    "ORDER BY id LIMIT %s",
                    [number],
                )

    try:
        limit, cpu, figure = seconds(bare), time.process_time(), seconds(run)
        cpu = time.process_time() - cpu
    finally:
        settings.EVENT_SUBSCRIBERS = before
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM bench_first")
        assert cursor.fetchone()[0] == number and not EventDelivery.objects.exists()
        for table in tables:
            cursor.execute(f"DROP TABLE {table}")
    results.note(f"the dispatcher itself used {cpu / number / 2 * 1e6:.0f} µs a delivery, {cpu / figure:.0%} of the time")
    results.at_most(f"dispatch of {number:,} events to two subscribers", figure, "s", limit=limit, budget=6)


SEGMENT = {
    "all": [
        {"field": "attribute.plan", "op": "is", "value": "pro"},
        {"field": "event", "op": "did", "value": "order_placed", "at_least": 2, "within": {"days": 30}},
        {"not": {"field": "ticket", "op": "has", "where": {"field": "open", "op": "is", "value": True}}},
    ]
}
BY_HAND = """
    SELECT count(*) FROM customers_customer c
    WHERE c.attributes->>'plan' = 'pro'
      AND c.id IN (SELECT customer_id FROM customers_event WHERE kind = 'order_placed' AND occurred_at >= %s AND occurred_at <= %s
                   GROUP BY customer_id HAVING count(*) >= 2)
      AND NOT EXISTS (SELECT 1 FROM tickets_ticket t
                      WHERE t.requester_id = c.id AND t.status IN ('new', 'open', 'pending', 'hold'))
"""


def _segment(results: Results) -> None:
    """The count of a segment of three conditions, against the statement that a person would write."""
    at = now()
    rows = Customer.objects.filter(conditions.to_q(conditions.clean(SEGMENT, "customer"), "customer", at))
    found: dict[str, int] = {}

    def ours() -> float:
        return seconds(lambda: found.update(ours=rows.count()))

    def by_hand() -> float:
        def run() -> None:
            with connection.cursor() as cursor:
                cursor.execute(BY_HAND, [at - timedelta(days=30), at])
                found.update(by_hand=cursor.fetchone()[0])

        return seconds(run)

    for each in (ours, by_hand):
        each()
    figure, limit = in_turn(3 if results.fast else 7, ours, by_hand)
    assert found["ours"] == found["by_hand"] > 0, found
    results.at_most("segment of three conditions, counted", figure * 1000, "ms", limit=limit * 1000, budget=1.1)
