"""The senders at length: against another mail queue, their memory over many messages, and a reply among a campaign's."""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from django.conf import settings
from django.db import connection, connections

from bench.measure import Results, p95
from bench.place import Sizes
from bench.rows.sending import campaign, no_mail_server, prepared, send_all, sink
from bench.web import children
from helpdesk.accounts.models import User
from helpdesk.embedded.installation import NICENESS, WORKERS
from helpdesk.lib.dates import now
from helpdesk.mail import sender
from helpdesk.mail.models import Attempt, Lane, Outgoing, State
from outreach.models import Version
from tickets import replies
from tickets.models import Ticket

KIND = "bench_senders"
THREADS = WORKERS["campaigns,maintenance"]


def measure(results: Results, size: Sizes) -> None:
    if no_mail_server(results):
        return
    version = campaign(KIND)
    port = int(settings.MAIL_TRANSPORT.rpartition(":")[2])
    server = sink(port)
    try:
        _another_queue(results, version, port, min(size.customers, 1_000 if results.fast else 10_000))
        _memory(results, version, min(size.customers, 1_000 if results.fast else 10_000), 15 if results.fast else 120)
        _replies(results, version, size.customers, 40 if results.fast else 200)
    finally:
        server.terminate()
        server.wait()


QUEUED = """
    INSERT INTO mail_outgoing (key, kind, klass, lane, channel, customer_id, address_id, "to", cc, mailbox_id, subscription_id,
        title, campaign_id, version_id, step, variant, arm, variables, due_at, state, reason, hold_for, released_by, attempts,
        owner, created_at, rfc_id)
    SELECT 'bench:' || a.id, 'campaign.message', c.klass, 'campaigns', 'email', a.customer_id, a.id, a.shown, '[]',
        (SELECT id FROM mail_mailbox WHERE is_default), c.subscription_id, c.name, c.id, %(version)s, '0', '', '',
        jsonb_build_object('event', jsonb_build_object('order', a.id::text)), %(at)s, 'queued', '', '', '', 0, '', %(at)s, ''
    FROM customers_address a, outreach_campaign c
    WHERE c.id = %(campaign)s AND NOT EXISTS (
        SELECT FROM tickets_ticket t WHERE t.requester_id = a.customer_id AND t.status NOT IN ('solved', 'closed'))
    ORDER BY a.id LIMIT %(number)s
"""


def queued(version: Version, number: int) -> list[int]:
    """Messages of a campaign that is planned: the ledger holds these alone. Their ids."""
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE mail_outgoing, customers_eventdelivery CASCADE")
        cursor.execute(QUEUED, {"version": version.pk, "campaign": version.campaign_id, "at": now(), "number": number})
        cursor.execute("ANALYZE mail_outgoing")
    return list(Outgoing.objects.order_by("pk").values_list("pk", flat=True))


def again() -> None:
    """What was sent is planned as before: a campaign that never ends."""
    Outgoing.objects.filter(lane=Lane.CAMPAIGNS, state=State.ACCEPTED).update(state=State.QUEUED, finished_at=None)


def _another_queue(results: Results, version: Version, port: int, number: int) -> None:
    """django-post_office with as many processes, on the same texts for the same people."""
    ids = queued(version, number)
    rows = Outgoing.objects.filter(pk__in=ids).select_related("customer__company", "address", "mailbox", "subscription")
    some = rows.order_by("pk")[:1]
    texts, _errors = sender.written(list(some))
    (row, text), *_ = [(row, texts[row.pk]) for row in some]
    first, order = row.customer.name.split()[0], row.variables["event"]["order"]  # type: ignore[union-attr]

    def template(words: str) -> str:
        return words.replace(order, "{{ order }}").replace(f"Hello {first}", "Hello {{ name }}")

    what = {
        "database": {name: settings.DATABASES["default"][name] for name in ("NAME", "USER", "HOST", "OPTIONS")},
        "port": port,
        "sender": str(row.mailbox),
        "subject": template(text.subject),  # type: ignore[union-attr]
        "text": template(text.text),  # type: ignore[union-attr]
        "html": template(text.html),  # type: ignore[union-attr]
        "people": [
            {"to": each.to, "name": each.customer.name.split()[0], "order": each.variables["event"]["order"]}  # type: ignore[union-attr]
            for each in rows.order_by("pk")
        ],
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "messages.json"
        path.write_text(json.dumps(what))
        connections.close_all()
        done = subprocess.run([sys.executable, "-m", "bench.post_office", str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-1000:]
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["sent"] == number, said
    prepared(ids[:20])  # what a process does once, ours and theirs alike, is not their speed
    figure, cpu = send_all(number)
    results.at_least(
        f"send {number:,} campaign messages, against django-post_office, 2 processes each",
        figure,
        "messages/s",
        limit=number / said["seconds"],
        budget=1.5,
    )
    results.note(f"{cpu / number * 1000:.2f} CPU seconds a thousand messages, {said['cpu'] / number * 1000:.2f} of post_office")


KEEP_SENDING = "import django; django.setup(); from bench.rows.senders import keep_sending; keep_sending({first}, {seconds})"


def _memory(results: Results, version: Version, first: int, seconds: int) -> None:
    """One sender for so long, in an interpreter of its own; what it needs at the end against after the first messages."""
    queued(version, first)
    connections.close_all()
    command = [sys.executable, "-c", KEEP_SENDING.format(first=first, seconds=seconds)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-1000:]
    before, sent, after = json.loads(done.stdout.splitlines()[-1])
    name = f"memory of a sender after {sent:,} messages, against after {first:,}"
    results.at_most(name, after, "MB", limit=before, budget=1.1)
    results.count(f"memory of a sender after {sent:,} messages", after, "MB", budget=150)


def keep_sending(first: int, seconds: int) -> None:
    """Prints what it needs after the first messages, how many it sent in all, and what it needs then."""
    end, sent = time.monotonic() + seconds, 0
    while sent < first:
        sent += sender.send(Lane.CAMPAIGNS)
    before = resident()
    while time.monotonic() < end or sent < 2 * first:
        sent += sender.send(Lane.CAMPAIGNS)
        if not Outgoing.objects.filter(state=State.QUEUED).exists():
            again()
    print(json.dumps([before, sent, resident()]))


def resident() -> float:
    """MB that this process occupies now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def _replies(results: Results, version: Version, campaign_size: int, number: int) -> None:
    """From an agent's reply to the mail server's yes: with nothing else to do, and while the campaigns' worker is at it."""
    queued(version, campaign_size)
    tickets = list(Ticket.objects.filter(status="open").select_related("requester", "mailbox").order_by("pk")[: 2 * number])
    assert len(tickets) == 2 * number
    alone = _latency(tickets[:number], replier)
    beside = _latency(tickets[number:], replier, campaigner)
    sent = Outgoing.objects.filter(lane=Lane.CAMPAIGNS, attempts__gt=0).count()
    results.at_most("reply to its hand-over, p95, while a campaign is sent, against none", beside, "s", limit=alone, budget=2)
    results.note(f"{sent:,} messages of the campaign left meanwhile")


def _latency(tickets: list[Ticket], *processes: Callable[[], None]) -> float:
    """p95 in seconds. Each is written when the one before is out: how long it takes, not how many fit in a second."""
    settings.UNDO_SEND = 0
    agent = User.objects.get(email="agent-1@bench.example")
    taken = []
    with children(*processes):
        time.sleep(2)
        for ticket in tickets:
            said = replies.reply(ticket, "We have looked into it.", by=agent)
            out = Attempt.objects.filter(outgoing=said.outgoing_id, outcome=Attempt.Outcome.ACCEPTED)
            end = time.monotonic() + 60
            while (ended_at := out.values_list("ended_at", flat=True).first()) is None:
                assert time.monotonic() < end, f"a reply did not leave: {Outgoing.objects.get(pk=said.outgoing_id).state}"
                time.sleep(0.02)
            taken.append((ended_at - said.at).total_seconds())
            time.sleep(0.05)
    connections.close_all()
    return p95(taken)


def replier() -> None:
    """The worker of replies, whose bell rings at once."""
    while True:
        if not sender.send(Lane.REPLIES):
            time.sleep(0.02)


def campaigner() -> None:
    """The worker of campaigns as `manage.py up` starts it, with one that never comes to an end."""
    os.nice(NICENESS)

    def work() -> None:
        while True:
            if not sender.send(Lane.CAMPAIGNS):
                again()

    threads = [threading.Thread(target=work) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
