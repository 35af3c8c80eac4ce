"""What leaves: planned with every guard, and sent by two processes against smtplib with messages that are ready."""

import os
import resource
import shutil
import smtplib
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

from django.conf import settings
from django.db import connection, connections, transaction
from django.db.models import Count

from bench.measure import Results, seconds
from bench.place import Sizes
from bench.web import children
from helpdesk.accounts.models import User
from helpdesk.customers.models import Event, Subscription
from helpdesk.lib.dates import now
from helpdesk.mail import mime, planner, sender
from helpdesk.mail.models import Class, Lane, Outgoing, State
from helpdesk.mail.verdicts import GO
from outreach import campaigns, triggers
from outreach.models import Campaign, Version

SENDERS = 2
KIND = "bench_launch"


def measure(results: Results, size: Sizes) -> None:
    version = campaign(KIND)
    number = min(size.customers, 4_000 if results.fast else 100_000)
    _plan(results, version, number)
    _send(results, min(number, 2_000 if results.fast else 20_000))


def campaign(kind: str) -> Version:
    """One message, held by everything that can hold one."""
    by = User.objects.get(email="agent-1@bench.example")
    made = Campaign.objects.create(
        name="Your order", klass=Class.LIFECYCLE, subscription=Subscription.objects.get(), created_by=by
    )
    steps = [
        {
            "do": "send",
            "subject": "Order {{ event.order }}",
            "body": "Hello {{ customer.first_name }}\n\nYour order is on its way.",
            "fallbacks": {"customer.first_name": "you"},
            "too_late": 86_400,
        }
    ]
    version = Version.objects.create(
        campaign=made,
        number=1,
        trigger_kind=kind,
        entry_key="order",
        steps=steps,
        created_by=by,
        quiet_from=None,
        quiet_until=None,
        conditions={"all": [{"field": "attribute.plan", "op": "any_of", "value": ["free", "pro", "team", "enterprise"]}]},
    )
    campaigns.launch(version, by=by)
    return Version.objects.select_related("campaign").get(pk=version.pk)


def events(number: int, offset: int) -> list[int]:
    """An event for each of so many customers, each with a key of its own; their ids."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO customers_event (kind, customer_id, source, external_id, occurred_at, received_at, actor, payload) "
            "SELECT 'bench_launch', id, 'bench-launch', %s || '-' || id, %s, %s, '', "
            "jsonb_build_object('order', %s || '-' || id) "
            "FROM customers_customer ORDER BY id LIMIT %s RETURNING id",
            [str(offset), now(), now(), str(offset), number],
        )
        return [pk for (pk,) in cursor.fetchall()]


def plan(ids: list[int]) -> None:
    """Enrol and plan, then ask the guards, in the batches of the running product."""
    for start in range(0, len(ids), 500):
        with transaction.atomic():  # as the dispatcher calls it
            triggers.on_events(list(Event.objects.filter(pk__in=ids[start : start + 500])))
    while planner.plan_due(Lane.CAMPAIGNS):
        pass


def _plan(results: Results, version: Version, number: int) -> None:
    usual = {row: dict(entry) for row, entry in settings.OUTBOX.items()}
    free = {**usual, "campaign.message": {**usual["campaign.message"], "guard": f"{__name__}.no_guard"}}
    plan(events(number // 8, 0))
    memory = peak()
    forget()
    batch = events(number, 1)
    with patch.object(settings, "OUTBOX", free):
        unguarded = seconds(lambda: plan(batch))
    forget()
    batch = events(number, 2)
    guarded = seconds(lambda: plan(batch))
    grown = peak() - memory
    states = dict(Outgoing.objects.filter(version_id=version.pk).values_list("state").annotate(n=Count("pk")))
    results.at_most(f"plan {number:,} messages with every guard, against none", guarded, "s", limit=unguarded, budget=3)
    results.count(f"memory that planning {number:,} needs beyond planning {number // 8:,}", grown, "MB", budget=30)
    results.note(f"after planning: {', '.join(f'{count:,} {state}' for state, count in states.items())}")


def forget() -> None:
    """The ledger as it was before, so that both sides meet the same."""
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE mail_outgoing, customers_eventdelivery CASCADE")


def no_guard(rows: list[Outgoing], at: Any) -> dict[int, Any]:
    return {row.pk: GO for row in rows}


def peak() -> float:
    """MB this process has needed at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def sink(port: int) -> subprocess.Popen[bytes]:
    """smtp-sink of Debian's postfix package: takes everything, keeps nothing."""
    program = shutil.which("smtp-sink") or "/usr/sbin/smtp-sink"
    process = subprocess.Popen(
        [program, "-u", "nobody", f"127.0.0.1:{port}", "1000"] if os.geteuid() == 0 else [program, f"127.0.0.1:{port}", "1000"]
    )
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return process
        time.sleep(0.02)
    raise RuntimeError("smtp-sink did not start")


def no_mail_server(results: Results) -> bool:
    """Says so when there is none to send to."""
    if shutil.which("smtp-sink") or Path("/usr/sbin/smtp-sink").exists():
        return False
    results.note("sending was skipped: smtp-sink is missing (Debian: postfix)")
    return True


def _send(results: Results, number: int) -> None:
    if no_mail_server(results):
        return
    port = int(settings.MAIL_TRANSPORT.rpartition(":")[2])
    server = sink(port)
    try:
        Outgoing.objects.exclude(state=State.QUEUED).delete()
        keep = list(Outgoing.objects.filter(state=State.QUEUED).order_by("pk").values_list("pk", flat=True)[:number])
        Outgoing.objects.exclude(pk__in=keep).delete()
        ready = prepared(keep[:200])
        figure, cpu = send_all(len(keep))
        limit = _limit(ready, len(keep), port)
    finally:
        server.terminate()
        server.wait()
    results.at_least(f"send {len(keep):,} campaign messages, {SENDERS} processes", figure, "messages/s", limit=limit, budget=0.25)
    results.note(f"{cpu / len(keep) * 1000:.2f} CPU seconds a thousand messages, in the senders alone")


def prepared(ids: list[int]) -> list[tuple[str, str, bytes]]:
    """The same messages as finished bytes, without their rows being touched."""
    rows = list(Outgoing.objects.filter(pk__in=ids).select_related("customer__company", "address", "mailbox", "subscription"))
    texts, _errors = sender.written(rows)
    for row in rows:
        row.rfc_id = mime.message_id(row)
    return [(mime.return_path(row, texts[row.pk]), row.to, mime.build(row, texts[row.pk])) for row in rows]  # type: ignore[arg-type]


def send_all(number: int) -> tuple[float, float]:
    """Messages a second of our senders on all that is queued, and their CPU seconds."""

    def work() -> None:
        while sender.send(Lane.CAMPAIGNS):
            pass

    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    wait_for(*[work] * SENDERS)
    taken, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    left = list(Outgoing.objects.exclude(state=State.ACCEPTED).values_list("state", "reason").annotate(n=Count("pk"))[:5])
    assert not left, f"these did not leave: {left}"
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return number / taken, cpu


def _limit(ready: list[tuple[str, str, bytes]], number: int, port: int) -> float:
    """Messages a second of two processes that only call smtplib."""

    def work() -> None:
        with smtplib.SMTP("127.0.0.1", port) as server:
            for n in range(number // SENDERS):
                server.sendmail(*ready[n % len(ready)])

    return number / seconds(lambda: wait_for(*[work] * SENDERS))


def wait_for(*runs: Callable[[], None]) -> None:
    with children(*runs) as pids:
        for pid in list(pids):
            _pid, status = os.waitpid(pid, 0)
            pids.remove(pid)
            assert status == 0, f"a process ended with {status}"
    connections.close_all()
