"""Other tools, told by webhook: signed as Standard Webhooks says, through the guarded dialler, again with the same id."""

import base64
import hashlib
import hmac
import json
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from django.db import connection

from helpdesk.accounts.vault import seal
from helpdesk.lib import dates
from helpdesk.mail import webhooks
from helpdesk.mail.models import Webhook, WebhookDelivery

pytestmark = pytest.mark.django_db


class Tool:
    """A real HTTP server that takes what it is told and answers what ``answers`` says, the last of it for ever."""

    def __init__(self):
        self.taken, self.answers = [], [200]
        tool = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                tool.taken.append((dict(self.headers), body))
                code = tool.answers.pop(0) if len(tool.answers) > 1 else tool.answers[0]
                self.send_response(code)
                if code == 302:
                    self.send_header("Location", "http://127.0.0.1/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def tool(settings):
    made = Tool()
    settings.WEBHOOK_PORTS, settings.WEBHOOK_PRIVATE_HOSTS = [made.port], ["127.0.0.1"]
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def webhook(tool):
    secret = "whsec_" + base64.b64encode(b"k" * 32).decode()
    return Webhook.objects.create(name="On-call", url=f"http://127.0.0.1:{tool.port}/in?x=1", secret=seal(secret))


def holds(headers, body, key):
    """What a receiver does, by the specification."""
    text = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.{body}".encode()
    mine = "v1," + base64.b64encode(hmac.new(key, text, hashlib.sha256).digest()).decode()
    return mine in headers["webhook-signature"].split(" ")


def test_the_example_of_the_standard_is_signed_as_the_standard_does():
    # the vector that the reference libraries test themselves with
    key, id, at = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330
    at = datetime.fromtimestamp(at, UTC)
    assert webhooks.sign([key], id, at, '{"test": 2432232314}') == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_tool_is_told_once_with_a_signature_that_it_can_check(tool, webhook):
    for _twice in range(2):
        webhooks.plan(webhook, "ticket.escalated", {"ticket": 7, "reason": "Größe"}, key="escalation:1")
    assert webhooks.deliver_due() == 1 and webhooks.deliver_due() == 0
    [(headers, body)] = tool.taken
    assert holds(headers, body, b"k" * 32) and not holds(headers, body + " ", b"k" * 32)
    said = json.loads(body)
    assert (
        said["type"] == "ticket.escalated" and said["data"] == {"ticket": 7, "reason": "Größe"} and said["timestamp"][-1] == "Z"
    )
    assert WebhookDelivery.objects.get().state == "done"


def test_what_fails_is_tried_again_with_the_same_id_and_says_why(tool, webhook, browser, omar):
    tool.answers = [503, 302, 200]
    webhooks.plan(webhook, "ticket.escalated", {}, key="a")
    webhooks.deliver_due()
    page = browser(omar).get("/webhooks/").content.decode()
    assert "It answered 503." in page
    for wait in (timedelta(seconds=6), timedelta(minutes=7)):
        assert webhooks.deliver_due() == 0
        with dates.moved(by=wait):
            assert webhooks.deliver_due() == 1
    assert len({headers["webhook-id"] for headers, _body in tool.taken}) == 1 and len(tool.taken) == 3  # no redirect was followed
    assert WebhookDelivery.objects.get().state == "done"


def test_those_in_trouble_are_found_by_their_index(webhook):
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_bitmapscan = off")
        assert "webhook_troubled" in webhooks.troubled()[:20].explain()


def test_in_the_end_it_has_failed_and_a_person_may_try_again(tool, webhook, browser, omar):
    tool.answers = [500]
    webhooks.plan(webhook, "ticket.escalated", {}, key="a")
    moved = timedelta()
    for _ in range(20):
        with dates.moved(by=moved):
            webhooks.deliver_due()
        moved += timedelta(days=1)
    row = WebhookDelivery.objects.get()
    assert row.state == "failed" and row.attempts == 10 and sum(webhooks.WAITS) > 3 * 24 * 3600
    tool.answers = [204]
    for _twice in range(2):
        browser(omar).post(f"/webhooks/deliveries/{row.pk}/retry/")
    webhooks.deliver_due()
    assert len(tool.taken) == 11 and WebhookDelivery.objects.get().state == "done"
    assert tool.taken[-1][0]["webhook-id"] == tool.taken[0][0]["webhook-id"]


def test_gone_switches_it_off_and_its_page_says_so(tool, webhook, browser, omar):
    tool.answers = [410]
    for key in "ab":
        webhooks.plan(webhook, "ticket.escalated", {}, key=key)
    webhooks.deliver_due()
    webhook.refresh_from_db()
    assert not webhook.is_enabled and len(tool.taken) == 1
    assert "It answered 410 Gone." in browser(omar).get(f"/webhooks/{webhook.pk}/").content.decode()


def test_who_dies_in_the_middle_leaves_it_to_be_told_again(tool, webhook, monkeypatch):
    webhooks.plan(webhook, "ticket.escalated", {}, key="a")
    monkeypatch.setattr(webhooks, "_try", lambda row: None)  # the process is gone after the claim
    webhooks.deliver_due()
    monkeypatch.undo()
    assert webhooks.deliver_due() == 0  # somebody is at it, for all we know
    with dates.moved(by=timedelta(minutes=1, seconds=1)):
        assert webhooks.deliver_due() == 1
    assert WebhookDelivery.objects.get().state == "done"


def test_a_new_secret_signs_beside_the_old_one_for_a_day(tool, webhook, browser, omar):
    old_hint = webhook.hint
    for _twice in range(2):
        browser(omar).post(f"/webhooks/{webhook.pk}/rotate/", {"of": old_hint})
    webhook.refresh_from_db()
    new = base64.b64decode(webhook.keys()[0].removeprefix("whsec_"))
    webhooks.plan(webhook, "ticket.escalated", {}, key="a")
    webhooks.deliver_due()
    headers, body = tool.taken[-1]
    assert holds(headers, body, new) and holds(headers, body, b"k" * 32)
    with dates.moved(by=timedelta(hours=25)):
        webhooks.plan(webhook, "ticket.escalated", {}, key="b")
        webhooks.deliver_due()
    headers, body = tool.taken[-1]
    assert holds(headers, body, new) and not holds(headers, body, b"k" * 32)
    assert b"whsec_" not in bytes(webhook.secret) + bytes(webhook.old_secret)


def test_an_address_that_cannot_be_told_is_refused_beside_its_field(browser, omar):
    admin = browser(omar)
    for url in ("http://t.example/", "https://u:p@t.example/", "ftp://t.example/", "t.example", "https://t.example:99/"):
        answer = admin.post("/webhooks/new/", {"name": "Tool", "url": url, "is_enabled": "on"})
        assert answer.status_code == 422 and not Webhook.objects.exists() and url in answer.content.decode()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "169.254.169.254", "10.0.0.7", "127.1", "0"])
def test_nothing_private_is_dialled(host, monkeypatch):
    import socket

    def refuse(self, address):
        raise AssertionError(f"dialled {address}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    made = Webhook.objects.create(name="Inside", url=f"https://{host}/", secret=seal("whsec_a2s="))
    webhooks.plan(made, "ticket.escalated", {}, key="a")
    webhooks.deliver_due()
    row = WebhookDelivery.objects.get()
    assert row.state == "pending" and "not public" in row.error


def test_what_was_told_goes_after_thirty_days_and_what_is_owed_stays(tool, webhook):
    webhooks.plan(webhook, "ticket.escalated", {}, key="told")
    webhooks.deliver_due()
    with dates.moved(by=timedelta(days=29)):
        assert webhooks.tidy() == 0
    with dates.moved(by=timedelta(days=31)):
        webhooks.plan(webhook, "ticket.escalated", {}, key="owed")
        assert webhooks.tidy() == 1
    assert WebhookDelivery.objects.get().key == "owed"
