"""/healthz says what is not well, in words a monitor and a person understand."""

import imaplib
from datetime import timedelta

import pytest
from django.conf import settings
from django.core.mail import send_mail

from helpdesk.accounts.models import ApiToken
from helpdesk.customers import timeline
from helpdesk.customers.tasks import dispatch
from helpdesk.lib import dates
from helpdesk.live import bell
from helpdesk.live.tasks import heartbeat
from helpdesk.mail import imap, inbox
from helpdesk.mail.models import Mailbox, Outgoing, State
from helpdesk.mail.tasks import send_replies
from tickets import intake
from tickets.models import Rule
from tickets.models.clocks import Clock

pytestmark = [pytest.mark.django_db, pytest.mark.urls("helpdesk.health")]
HERE = {"HTTP_HOST": "localhost:8000"}


def beat(*silent):
    for queue in settings.WORK_QUEUES:
        if queue not in silent:
            heartbeat(queue=queue)


def test_all_is_well_when_a_worker_has_run_what_beat_sent(client):
    beat()
    answer = client.get("/healthz")
    assert answer.status_code == 200 and answer.json()["ok"] is True
    assert all(age < 5 for age in answer.json()["workers_and_beat"]["last_seen_seconds"].values())


def test_one_queue_without_a_worker_is_named(client):
    beat("ingest")
    answer = client.get("/healthz")
    assert answer.status_code == 503 and answer.json()["workers_and_beat"]["reason"] == "nothing heard from ingest"


def test_no_worker_no_health(client):
    answer = client.get("/healthz")
    assert answer.status_code == 503 and answer.json()["failing"] == ["workers_and_beat"]


def test_the_broker_away_is_said_and_does_not_break_the_answer(client, settings, monkeypatch):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    monkeypatch.setattr(bell, "_client", None)
    answer = client.get("/healthz").json()
    assert answer["broker"] == {"ok": False, "reason": "ConnectionError"} and answer["database"]["ok"]


def test_rules_and_clocks_that_nobody_works_on_are_said(client, ben, support, drain):
    beat()
    Rule.objects.create(kind="create", name="Any", is_enabled=True)
    made = intake.open_ticket(ben, "Hello", intake.Words("Hello"), channel="form")
    dispatch()
    assert client.get("/healthz").json()["ok"]
    with dates.moved(by=timedelta(minutes=6)):
        beat()
        answer = client.get("/healthz").json()
    assert answer["failing"] == ["rules"] and answer["rules"]["reason"] == "rules are behind"
    drain()
    Clock.objects.filter(ticket=made).delete()
    made.clocks.create(kind="first_reply", started_at=dates.now(), hours="calendar", target=60, next_at=dates.now())
    with dates.moved(by=timedelta(minutes=6)):
        beat()
        answer = client.get("/healthz").json()
    assert answer["failing"] == ["clocks"] and answer["clocks"]["oldest_waiting_seconds"] > 300


def test_work_that_nobody_does_is_said(client):
    beat()
    timeline.record("ticket.solved")
    assert client.get("/healthz").json()["events"]["ok"]
    with dates.moved(by=timedelta(minutes=6)):
        answer = client.get("/healthz").json()
    assert answer["failing"] == ["events"] and answer["events"]["oldest_undispatched_seconds"] > 300
    assert answer["database"]["ok"], "a moved business clock is no skew of the machine's"


def test_a_wrong_clock_does_nothing_and_is_said(client, monkeypatch, sink):
    beat()
    send_mail("Your code", "123456", None, ["omar@nordwind.example"])
    wrong = dates.machine_now() + timedelta(seconds=45)
    with monkeypatch.context() as patch:
        patch.setattr(dates, "machine_now", lambda: wrong)
        send_replies()
        assert not sink and Outgoing.objects.get().state == State.PENDING
        assert client.get("/healthz").json()["failing"] == ["database"]
    send_replies()
    assert len(sink) == 1


def test_only_reading(client):
    assert client.post("/healthz").status_code == 405


def test_mail_that_nobody_reads_is_said(client, support):
    beat()
    inbox.receive(b"From: ben@carter.example\r\nSubject: Hello\r\n\r\nIs anybody there?\r\n", support, source="pipe")
    with dates.moved(by=timedelta(minutes=6)):
        answer = client.get("/healthz").json()
    assert answer["failing"] == ["mail"] and answer["mail"]["oldest_unread_seconds"] > 300


def test_a_mailbox_that_brings_no_mail_is_degraded_and_not_down(client, support):
    beat()
    Mailbox.objects.create(slug="sales", name="Sales", address="sales@nordwind.example", imap_host="imap.example")
    box = Mailbox.objects.get(slug="sales")
    imap.worked(box)
    assert client.get("/healthz").json()["state"] == "ok"
    imap.failed(box, imaplib.IMAP4.error(b"[AUTHENTICATIONFAILED] no"))
    assert client.get("/healthz").json()["ok"], "what passes within minutes is no news"
    with dates.moved(by=timedelta(minutes=6)):
        imap.failed(box, imaplib.IMAP4.error(b"[AUTHENTICATIONFAILED] no"))
        answer = client.get("/healthz")
        assert (answer.status_code, answer.json()["state"], answer.json()["failing"]) == (503, "degraded", ["mailboxes"])
        assert "sales (since " in answer.json()["mailboxes"]["reason"] and "AUTHENTICATION" not in answer.content.decode()
        assert client.get("/healthz?accept=degraded").status_code == 200
        assert 'twofold_mailbox_up{mailbox="sales"} 0' in client.get("/metrics", **HERE).content.decode()
        imap.worked(box)
        assert client.get("/healthz").json()["ok"]
    with dates.moved(by=timedelta(minutes=30)):
        assert "sales" in client.get("/healthz").json()["mailboxes"]["reason"], "nobody looks into it"


def test_down_is_down_for_everybody(client, monkeypatch):
    beat()
    wrong = dates.machine_now() + timedelta(seconds=45)
    monkeypatch.setattr(dates, "machine_now", lambda: wrong)
    answer = client.get("/healthz?accept=degraded")
    assert (answer.status_code, answer.json()["state"]) == (503, "down")


def test_metrics_are_for_this_machine_and_for_tokens_that_may(client, support):
    beat()
    inbox.receive(b"From: ben@carter.example\n\nHello", support, source="pipe")
    text = client.get("/metrics", **HERE).content.decode()
    assert 'twofold_mail_in_accepted{mailbox="support"} 1' in text and 'twofold_mail_in_in_flight{mailbox="support"} 1' in text
    assert (
        "# TYPE twofold_mail_out_oldest_unsent_seconds gauge" in text
        and 'twofold_worker_last_seen_seconds{queue="replies"}' in text
    )
    assert text.count("# TYPE twofold_worker_last_seen_seconds") == 1
    for elsewhere in ({}, {"HTTP_X_FORWARDED_FOR": "203.0.113.5", **HERE}, {"REMOTE_ADDR": "203.0.113.5", **HERE}):
        assert client.get("/metrics", **elsewhere).status_code == 401
    letters = {scope: ApiToken.objects.issue("m", [scope])[1] for scope in ("metrics:read", "tickets:read")}
    codes = {s: client.get("/metrics", HTTP_AUTHORIZATION=f"Bearer {text}").status_code for s, text in letters.items()}
    assert codes == {"metrics:read": 200, "tickets:read": 403}
