"""How long an event from outside takes to become a planned message while a thousand of them arrive every second."""

import json
import time

from django.db import connection, connections

from bench.measure import Results
from bench.place import Sizes
from bench.rows.sending import campaign
from bench.web import answer, children, listen, pages, ready, request, wire_to
from helpdesk.accounts.models import ApiToken, Scope
from helpdesk.customers import dispatch
from helpdesk.customers.tasks import ROUNDS

RATE = 1_000  # events a second
BATCH = 250
KIND = "bench_flow"
P95 = """
    SELECT count(*), percentile_disc(0.95) WITHIN GROUP (ORDER BY extract(epoch FROM o.created_at - e.received_at))
    FROM mail_outgoing o JOIN outreach_enrolment n ON n.id = o.enrolment_id JOIN customers_event e ON e.id = n.event_id
    WHERE e.kind = %s
"""


def measure(results: Results, size: Sizes) -> None:
    seconds = 5 if results.fast else 20
    campaign(KIND)
    _token, text = ApiToken.objects.issue("bench-flow", list(Scope.values))
    listener = listen()
    with children(pages(listener), pages(listener), dispatcher):
        ready(listener.getsockname())
        late = _arrive(listener.getsockname(), text, seconds, size.customers)
        planned, p95 = _settled(seconds * RATE)
    listener.close()
    assert planned == seconds * RATE, f"{planned} of {seconds * RATE} were planned"
    results.note(f"the last of {planned:,} events was taken {late:.1f} s after its time")
    results.add_seconds(f"event to planned message, p95, {RATE:,} events/s arriving", p95, budget=2)


def dispatcher() -> None:
    """As a worker whose bell rings often."""
    while True:
        if not dispatch.run(ROUNDS):
            time.sleep(0.05)


def _arrive(address: tuple[str, int], token: str, seconds: int, customers: int) -> float:
    """Batches at their times, by another system that waits for each answer; how late the last one was, in seconds."""
    began = time.monotonic()
    with wire_to(address) as wire:
        for batch in range(seconds * RATE // BATCH):
            numbers = range(batch * BATCH, (batch + 1) * BATCH)
            rows = [
                {
                    "kind": KIND,
                    "source": KIND,
                    "id": str(n),
                    "payload": {"order": str(n)},
                    "customer": {"external_id": f"bench-{n % customers + 1}"},
                }
                for n in numbers
            ]
            due = began + batch * BATCH / RATE
            time.sleep(max(0.0, due - time.monotonic()))
            body = json.dumps({"events": rows}).encode()
            wire.sendall(
                request("POST", "/api/v1/events/batch", body, Content_Type="application/json", Authorization=f"Bearer {token}")
            )
            status, _head, said = answer(wire)
            assert status == 200 and json.loads(said)["accepted"] == BATCH, said[:300]
    return time.monotonic() - due


def _settled(wanted: int) -> tuple[int, float]:
    """Wait until all are planned; how many were, and the p95 in seconds."""
    end = time.monotonic() + 60
    while True:
        with connection.cursor() as cursor:
            cursor.execute(P95, [KIND])
            count, p95 = cursor.fetchone()
        if count >= wanted or time.monotonic() > end:
            connections.close_all()
            return count, float(p95 or 0)
        time.sleep(0.5)
