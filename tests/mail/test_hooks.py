"""Providers post mail and what became of ours: kept before 200, once, and from nobody but the provider."""

import itertools
import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from helpdesk import checks
from helpdesk.customers import consent, reachability
from helpdesk.customers.models import Address, Customer, Event, Subscription
from helpdesk.lib import dates
from helpdesk.mail import hooks, inbox, provider_views
from helpdesk.mail.models import IncomingMail, Mailbox, Outgoing
from helpdesk.mail.parsing import read
from tests.mail import posted
from tests.mail.posted import Post
from tests.mail.test_inbox import letter
from tickets.models import Ticket

pytestmark = pytest.mark.django_db
RAW = letter().replace(b"\n", b"\r\n")
Send = Callable[..., Any]


@pytest.fixture
def send(settings: Any) -> Send:
    """``send(provider, post)`` posts it as the provider does: by a stranger without a cookie."""
    settings.ANYMAIL = {**posted.keys(), "WEBHOOK_SECRET": []}

    def go(provider: str, post: Post, part: str = "inbound", *, forged: bool = False) -> Any:
        one = (post.forged or post) if forged else post
        if "HTTP_AUTHORIZATION" in post.headers:
            settings.ANYMAIL = {**settings.ANYMAIL, "WEBHOOK_SECRET": [posted.SECRET]}
        browser = Client(enforce_csrf_checks=True)
        return browser.post(f"/hooks/mail/{provider}/{part}/", one.body, content_type=one.type, **one.headers)

    return go


# --- mail -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("provider", [*posted.BYTES, *posted.TEXT])
def test_a_mail_is_kept_as_it_is_and_once_and_from_nobody_else(support: Mailbox, send: Send, provider: str) -> None:
    raw = RAW.replace(b"red", b"r\xeb\x00d") if provider in posted.BYTES else RAW.replace(b"red", "röd".encode())
    post = {**posted.BYTES, **posted.TEXT}[provider](raw, "support@nordwind.example")
    refused = send(provider, post, forged=True)
    assert refused.status_code == 403 and not IncomingMail.objects.exists()
    assert [send(provider, post).status_code for _ in range(3)] == [200] * 3
    row = IncomingMail.objects.get()
    assert (bytes(row.raw), row.source, row.envelope_to) == (raw, "webhook", "support@nordwind.example")
    assert row.state == IncomingMail.State.ACCEPTED


def test_a_mail_that_the_provider_cut_apart_is_put_together_the_same_way_each_time(support: Mailbox, send: Send) -> None:
    post = posted.mailjet("Mein Router blinkt röt.".encode("latin-1"), "support+x@nordwind.example")
    assert [send("mailjet", post).status_code for _ in range(2)] == [200, 200]
    row = IncomingMail.objects.get()
    mail = read(bytes(row.raw))
    assert mail.text.strip() == "Mein Router blinkt röt." and mail.message_id == "<one@carter.example>"
    assert [(file.name, file.content) for file in mail.attachments] == [("a.png", posted.PICTURE)]
    inbox.process_due()
    assert Ticket.objects.get().requester.email == "ben@carter.example"


def test_every_provider_has_doors_and_none_is_open_without_a_secret(settings: Any, support: Mailbox, client: Client) -> None:
    settings.ANYMAIL = {"WEBHOOK_SECRET": []}
    parts = [("inbound", name) for name in hooks.providers()] + [("tracking", name) for name in hooks.providers()]
    assert len(parts) >= 26
    for part, provider in parts:
        answer = client.post(f"/hooks/mail/{provider}/{part}/", b"{}", content_type="application/json")
        assert answer.status_code == 404, (provider, part)
    keys = {
        "UNISENDER_GO_API_KEY": "k",
        "MAILTRAP_API_TOKEN": "k",
        "RESEND_API_KEY": "k",
        "BREVO_API_KEY": "k",
    }
    settings.ANYMAIL = {**posted.keys(), **keys, "WEBHOOK_SECRET": [posted.SECRET]}
    for part, provider in parts:
        if (provider, part) == ("unisender_go", "inbound"):
            continue  # it takes no mail
        address = f"/hooks/mail/{provider}/{part}/"
        assert client.head(address).status_code == 200, (provider, part)
        assert client.post(address, b"{}", content_type="application/json").status_code == 401, (provider, part)
        wrong = {"HTTP_AUTHORIZATION": "Basic aG9va3M6Z3Vlc3NlZA=="}
        assert client.post(address, b"{}", content_type="application/json", **wrong).status_code == 403, (provider, part)
    assert client.post("/hooks/mail/nobody/inbound/").status_code == client.post("/hooks/mail/postmark/else/").status_code == 404
    assert not IncomingMail.objects.exists()


@pytest.mark.parametrize(("secret", "weak"), [("hooks:short", True), ("k" * 40, True), (posted.SECRET, False)])
def test_a_secret_that_can_be_guessed_stops_the_start(settings: Any, secret: str, weak: bool) -> None:
    settings.ANYMAIL = {"WEBHOOK_SECRET": [secret]}
    assert [error.id for error in checks.hooks_are_hard_to_guess()] == (["helpdesk.E004"] if weak else [])


def test_whom_it_is_for(support: Mailbox, send: Send, settings: Any) -> None:
    """The envelope says it; without one, what the last hops wrote. What is for nobody here waits for a person."""
    billing = Mailbox.objects.create(slug="billing", name="Billing", address="billing@nordwind.example")
    send("postmark", posted.postmark(RAW, "billing@nordwind.example"))
    assert IncomingMail.objects.get().mailbox == billing
    send("postmark", posted.postmark(RAW.replace(b"Router", b"Two"), ""))
    assert IncomingMail.objects.latest("pk").mailbox == support  # its To
    send("postmark", posted.postmark(RAW.replace(b"Router", b"Three"), "else@nordwind.example"))
    stray = IncomingMail.objects.latest("pk")
    assert (stray.mailbox, stray.state) == (support, "quarantined") and "else@nordwind.example" in stray.reason
    several = posted.amazon_ses(RAW.replace(b"Router", b"Four"), "support@nordwind.example")
    several.body = several.body.replace(b'[\\"support@', b'[\\"billing@nordwind.example\\", \\"x@y.example\\", \\"support@')
    send("amazon_ses", several)
    assert {row.mailbox.slug for row in IncomingMail.objects.order_by("-pk")[:2]} == {"support", "billing"}


@pytest.mark.parametrize("order", [1, -1])
def test_a_copy_for_nobody_here_does_not_hide_the_one_for_us(support: Mailbox, send: Send, order: int) -> None:
    """A provider posts once for each recipient; both are the same mail."""
    for to in ["nobody@nordwind.example", "support@nordwind.example"][::order]:
        send("postmark", posted.postmark(RAW, to))
    inbox.process_due()
    row = IncomingMail.objects.get()
    assert (row.state, row.envelope_to) == ("ticketed", "support@nordwind.example") and Ticket.objects.count() == 1


@pytest.fixture
def resend(settings: Any) -> Iterator[tuple[str, dict[str, bytes]]]:
    """Resend's API on loopback: its address, and what it answers to which path; b"slow" is what never comes to an end."""
    there: dict[str, bytes] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = there.get(self.path)
            self.send_response(200 if content else 500)
            self.end_headers()
            if content == b"slow":
                with suppress(OSError):
                    while self.wfile.write(b" "):
                        time.sleep(0.05)
            self.wfile.write(content or b"")

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        settings.MAIL_PRIVATE_HOSTS = ["127.0.0.1"]
        settings.ANYMAIL = {**settings.ANYMAIL, "RESEND_API_KEY": "k", "RESEND_API_URL": url}
        yield url, there
        server.shutdown()


RECEIVED = {"type": "email.received", "created_at": "2026-11-27T05:00:00Z", "data": {"email_id": "e1"}}


def test_a_provider_that_must_be_asked_for_the_mail(support: Mailbox, send: Send, resend: tuple[str, dict[str, bytes]]) -> None:
    """Resend posts an id. While it does not answer, it shall come again; then the mail is fetched."""
    url, there = resend
    post = posted.by_secret(RECEIVED)
    assert send("resend", post).status_code == 503 and not IncomingMail.objects.exists()
    there["/emails/receiving/e1"] = json.dumps({"raw": {"download_url": f"{url}/raw"}}).encode()
    there["/raw"] = RAW
    assert [send("resend", post).status_code for _ in range(2)] == [200, 200]
    row = IncomingMail.objects.get()
    assert (row.mailbox, row.envelope_to, row.state) == (support, "support@nordwind.example", "accepted")
    assert read(bytes(row.raw)).message_id == "<one@carter.example>"


def test_a_provider_that_is_slow_to_answer_holds_nobody_up(
    support: Mailbox, send: Send, resend: tuple[str, dict[str, bytes]], monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    url, there = resend
    monkeypatch.setattr(provider_views, "FETCHED_WITHIN", 0.3)
    post, begun = posted.by_secret(RECEIVED), time.monotonic()
    there["/emails/receiving/e1"] = b"slow"
    assert send("resend", post).status_code == 503
    there["/emails/receiving/e1"] = json.dumps({"raw": {"download_url": f"{url}/raw"}}).encode()
    there["/raw"] = b"slow"
    assert send("resend", post).status_code == 503 and time.monotonic() - begun < 5
    settings.MAIL_MAX_BYTES, there["/raw"] = 5_000, b"x" * 1_100_000
    assert send("resend", post).status_code == 200  # it would be as large the next time
    assert IncomingMail.objects.get().state == "quarantined"
    there["/emails/receiving/e1"] = json.dumps({"raw": {"download_url": "http://169.254.169.254/latest/"}}).encode()
    assert send("resend", post).status_code == 503  # nor is anything fetched from inside


def test_resends_signature_is_proof_enough(
    support: Mailbox, send: Send, resend: tuple[str, dict[str, bytes]], settings: Any
) -> None:
    _url, there = resend
    there["/emails/receiving/e1"] = json.dumps({"from": "ben@carter.example", "to": ["support@nordwind.example"]}).encode()
    assert send("resend", posted.resend(RECEIVED)).status_code == 404  # there is no door without a secret
    settings.ANYMAIL = {**settings.ANYMAIL, "RESEND_INBOUND_SECRET": posted.WHSEC}
    for forged in (
        posted.resend(RECEIVED, key=b"guessed"),
        posted.resend(RECEIVED, at=time.time() - 900),
        posted.resend(RECEIVED, id=""),
    ):
        assert send("resend", forged).status_code == 403
    assert not IncomingMail.objects.exists()
    assert send("resend", posted.resend(RECEIVED)).status_code == 200
    assert IncomingMail.objects.get().envelope_to == "support@nordwind.example"
    settings.ANYMAIL = {**settings.ANYMAIL, "RESEND_INBOUND_SECRET": "whsec_"}
    assert send("resend", posted.resend(RECEIVED)).status_code == 404


def test_nothing_that_is_proved_is_lost(support: Mailbox, send: Send, settings: Any) -> None:
    drift = posted.by_secret({"Shape": "that nobody knows", "Attachments": 5})
    assert [send("postmark", drift).status_code for _ in range(2)] == [200, 200]
    row = IncomingMail.objects.get()
    assert row.state == "quarantined" and "Postmark" in row.reason and drift.body in bytes(row.raw)
    settings.MAIL_MAX_BYTES = 5_000
    assert send("postmark", posted.postmark(RAW + b"x" * 6_000, "support@nordwind.example")).status_code == 200
    large = IncomingMail.objects.latest("pk")
    assert large.state == "quarantined" and "Too large" in large.reason and b"Router" in bytes(large.raw)
    assert send("postmark", posted.by_secret(b"x" * 2_000_000)).status_code == 413
    wrong_place = send("postmark", posted.by_secret({"RecordType": "Bounce", "Type": "HardBounce", "Email": "x@y.example"}))
    assert wrong_place.status_code == 400 and b"inbound" in wrong_place.content
    assert IncomingMail.objects.count() == 2


def test_a_mail_above_djangos_own_limit_for_forms(support: Mailbox, send: Send) -> None:
    raw = RAW + b"0123456789abcde\n" * 250_000  # 4 MB
    assert send("mailgun", posted.mailgun(raw, "support@nordwind.example"), "inbound_mime").status_code == 200
    assert bytes(IncomingMail.objects.get().raw) == raw


def test_an_old_signature_opens_nothing(support: Mailbox, send: Send) -> None:
    """Mailgun signs a time and no content."""
    late = time.time() - hooks.OLDEST
    assert send("mailgun", posted.mailgun(RAW, "support@nordwind.example", at=late - 60)).status_code == 403
    assert not IncomingMail.objects.exists()
    assert send("mailgun", posted.mailgun(RAW, "support@nordwind.example", at=late + 60)).status_code == 200


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"\xff\x00", b"--x", b'{"signature": []}', b"[" * 100_000])
def test_garbage_of_strangers(support: Mailbox, send: Send, body: bytes) -> None:
    for kind in (
        "application/json",
        "multipart/form-data; boundary=x",
        "multipart/form-data",
        "application/x-www-form-urlencoded",
        "",
    ):
        for provider in ("mailgun", "mandrill", "postal", "mailersend"):
            assert send(provider, Post(body, kind)).status_code == 403
    assert not IncomingMail.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_while_the_database_is_away_the_provider_is_asked_to_come_again(support: Mailbox, send: Send) -> None:
    post, port = posted.postmark(RAW, "support@nordwind.example"), connection.settings_dict["PORT"]
    connection.close()
    connection.settings_dict["PORT"] = "1"
    try:
        away = send("postmark", post)
    finally:
        connection.close()
        connection.settings_dict["PORT"] = port
    assert away.status_code == 503 and away["Retry-After"] == "60" and not IncomingMail.objects.exists()
    assert send("postmark", post).status_code == 200 and IncomingMail.objects.count() == 1


# --- what became of ours ----------------------------------------------------------------------------------------------


@pytest.fixture
def sent(support: Mailbox, ben: Customer, tips: Subscription) -> Outgoing:
    """A message of a campaign that left for Ben an hour ago."""
    return Outgoing.objects.create(
        key="test", kind="campaign.message", klass="lifecycle", lane="campaigns", customer=ben, address=ben.addresses.get(),
        to="ben@carter.example", mailbox=support, subscription=tips, due_at=dates.now(), state="accepted", attempts=1,
        title="Your parcel", sent_at=dates.now() - timedelta(hours=1), finished_at=dates.now() - timedelta(hours=1),
    )  # fmt: skip


def ago(minutes: float) -> float:
    return time.time() - 60 * minutes


def kinds() -> list[str]:
    known = ("mail.", "address.", "consent.")
    return [kind for kind in Event.objects.order_by("pk").values_list("kind", flat=True) if kind.startswith(known)]


def failed(severity: str = "permanent", message: str = "550 5.1.1 No such user", code: int = 550) -> dict[str, Any]:
    return {"severity": severity, "reason": "bounce", "delivery-status": {"message": message, "code": code}}


def ben_now(sent: Outgoing) -> tuple[str, str]:
    sent.refresh_from_db()
    return sent.state, Address.objects.get(pk=sent.address_id).reachability


def test_delivered_then_bounced_each_by_its_time_and_once(sent: Outgoing, send: Send) -> None:
    delivered = posted.mailgun_event("delivered", sent.token, ago(30))
    bounced = posted.mailgun_event("failed", sent.token, ago(10), **failed())
    assert send("mailgun", delivered, "tracking", forged=True).status_code == 403 and ben_now(sent)[0] == "accepted"
    for _ in range(3):
        assert send("mailgun", delivered, "tracking").status_code == 200
    assert ben_now(sent) == ("delivered", "reachable") and kinds() == []
    for _ in range(3):
        assert send("mailgun", bounced, "tracking").status_code == 200
    assert ben_now(sent) == ("bounced", "unreachable")
    assert kinds() == ["mail.bounced", "address.unreachable"] and "5.1.1" in sent.reason
    assert send("mailgun", delivered, "tracking").status_code == 200  # 46 copies, hours late: the newer report stays
    assert ben_now(sent) == ("bounced", "unreachable")
    assert send("mailgun", posted.mailgun_event("delivered", sent.token, ago(5)), "tracking").status_code == 200
    assert ben_now(sent) == ("delivered", "reachable")
    send("mailgun", bounced, "tracking")
    assert ben_now(sent) == ("delivered", "reachable") and kinds().count("mail.bounced") == 1


def test_in_any_order_and_many_times_it_ends_the_same(sent: Outgoing, send: Send) -> None:
    events = [
        posted.mailgun_event("accepted", sent.token, ago(50)),
        posted.mailgun_event("failed", sent.token, ago(40), **failed("temporary", "451 4.3.0 Try again")),
        posted.mailgun_event("delivered", sent.token, ago(30)),
        posted.mailgun_event("opened", sent.token, ago(20)),
        posted.mailgun_event("complained", sent.token, ago(10)),
    ]
    chance = random.Random(5)
    for order in chance.sample(list(itertools.permutations(events)), 6):
        Outgoing.objects.filter(pk=sent.pk).update(state="accepted", finished_at=sent.finished_at, reason="")
        for post in [*order, *chance.choices(events, k=8)]:
            assert send("mailgun", post, "tracking").status_code == 200
        assert ben_now(sent) == ("complained", "reachable")
    assert consent.suppressed(["ben@carter.example"]) == {"ben@carter.example"}
    assert kinds().count("address.suppressed") == 1 and kinds().count("mail.complained") == 6


@pytest.mark.parametrize(("event", "state", "reachable"), [
    (failed("permanent", "552 5.2.2 Mailbox full"), "bounced", "unknown"),
    (failed("permanent", "550 5.7.1 Message rejected due to our policy"), "bounced", "unknown"),
    (failed("permanent", "554 5.3.4 Message too big"), "bounced", "unknown"),
    (failed("permanent", "It failed"), "bounced", "unreachable"),
    (failed("temporary", "421 4.7.0 Later"), "accepted", "unknown"),
])  # fmt: skip
def test_what_blames_an_address_and_what_does_not(
    sent: Outgoing, send: Send, event: dict[str, Any], state: str, reachable: str
) -> None:
    send("mailgun", posted.mailgun_event("failed", sent.token, ago(1), **event), "tracking")
    assert ben_now(sent) == (state, reachable)


def test_our_message_id_is_enough_and_an_unknown_one_changes_nothing(sent: Outgoing, send: Send, cleo: Customer) -> None:
    ours = f"<{sent.token}.1@nordwind.example>"
    forged = f"<{'a' * 39}.1@nordwind.example>"
    at = {"timestamp": int(ago(1)), "sg_event_id": "1"}
    stranger = {"event": "spamreport", "email": "cleo@marchetti.example", "smtp-id": forged, **at}
    bounce = {
        "event": "bounce",
        "email": "ben@carter.example",
        "smtp-id": ours,
        "reason": "550 5.1.1 <script>alert(1)</script>",
        "type": "bounce",
        **at,
    }
    batch = posted.sendgrid_events(stranger, bounce, {"event": "open", "email": "ben@carter.example", "smtp-id": ours, **at})
    assert send("sendgrid", batch, "tracking", forged=True).status_code == 403 and ben_now(sent)[0] == "accepted"
    answer = send("sendgrid", batch, "tracking")
    assert answer.status_code == 200 and b"1 of 3" in answer.content
    assert ben_now(sent) == ("bounced", "unreachable")
    assert not consent.suppressed(["cleo@marchetti.example"])


def test_amazons_headers_name_the_message_and_not_what_it_answers(sent: Outgoing, send: Send) -> None:
    other = Outgoing.objects.create(
        key="o", kind="k", klass="lifecycle", lane="campaigns", to="x@y.example", due_at=dates.now(), state="accepted"
    )
    headers = [
        {"name": "References", "value": f"<{other.token}.1@nordwind.example>"},
        {"name": "Message-ID", "value": f"<{sent.token}.1@nordwind.example>"},
    ]
    mail = {"messageId": "ses-1", "destination": ["ben@carter.example"], "headers": headers}
    failing = {
        "bounceType": "Transient",
        "bounceSubType": "MailboxFull",
        "bouncedRecipients": [{"emailAddress": "ben@carter.example"}],
    }
    post = posted.sns({"eventType": "Bounce", "mail": mail, "bounce": failing})
    assert send("amazon_ses", post, "tracking").status_code == 200
    assert ben_now(sent) == ("bounced", "unknown") and "MailboxFull" in sent.reason
    other.refresh_from_db()
    assert other.state == "accepted"
    hard = {**failing, "bounceType": "Permanent", "bounceSubType": "General"}
    Outgoing.objects.filter(pk=sent.pk).update(state="accepted")
    send("amazon_ses", posted.sns({"eventType": "Bounce", "mail": mail, "bounce": hard}), "tracking")
    assert ben_now(sent) == ("bounced", "unreachable")


def test_one_address_for_both_is_told_apart(sent: Outgoing, send: Send) -> None:
    """Mandrill's events and mail look alike, and neither must be lost at the door of the other."""
    mail = {"event": "inbound", "ts": 1, "msg": {"raw_msg": RAW.decode(), "email": "support@nordwind.example"}}
    bounce = {"event": "soft_bounce", "ts": ago(1), "_id": "1"}
    bounce["msg"] = {"email": sent.to, "metadata": {"outgoing": sent.token}, "diag": "It did not work"}
    for event, part in ((mail, "tracking"), (bounce, "inbound")):
        assert send("mandrill", posted.mandrill_events(event, part=part), part).status_code == 400
    assert not IncomingMail.objects.exists() and ben_now(sent) == ("accepted", "unknown")
    for event, part in ((mail, "inbound"), (bounce, "tracking")):
        assert send("mandrill", posted.mandrill_events(event, part=part), part).status_code == 200
    assert IncomingMail.objects.count() == 1 and ben_now(sent) == ("bounced", "unknown")


def test_who_says_no_at_the_provider_gets_no_more_of_it(sent: Outgoing, send: Send, tips: Subscription) -> None:
    assert (sent.customer_id, tips.pk) in consent.allowed([(sent.customer_id or 0, tips.pk)])
    for _ in range(2):
        send("mailgun", posted.mailgun_event("unsubscribed", sent.token, ago(1)), "tracking")
    assert not consent.allowed([(sent.customer_id or 0, tips.pk)]) and kinds() == ["consent.withdrawn"]


def test_evidence_about_one_in_doubt_and_none_while_it_is_handed_over(sent: Outgoing, send: Send) -> None:
    delivered = posted.mailgun_event("delivered", sent.token, ago(1))
    Outgoing.objects.filter(pk=sent.pk).update(state="sending")
    assert send("mailgun", delivered, "tracking").status_code == 503 and ben_now(sent)[0] == "sending"
    Outgoing.objects.filter(pk=sent.pk).update(state="unknown")
    assert send("mailgun", delivered, "tracking").status_code == 200 and ben_now(sent)[0] == "delivered"
    assert kinds() == ["mail.sent"]


def test_three_passing_failures_in_five_sends_and_one_delivery_heals(sent: Outgoing, send: Send) -> None:
    address = Address.objects.get(pk=sent.address_id)
    for minutes in (30, 20, 10):
        row = Outgoing.objects.create(
            key=f"m{minutes}", kind="k", klass="lifecycle", lane="campaigns", customer_id=sent.customer_id, address=address,
            to=sent.to, due_at=dates.now(), state="accepted", attempts=1,
        )  # fmt: skip
        for later in range(4):  # more reports on one message are no more failures
            event = failed("permanent", "450 4.2.0 Try later", 450)
            send("mailgun", posted.mailgun_event("failed", row.token, ago(minutes - later), **event), "tracking")
        address.refresh_from_db()
        assert address.reachability == ("unreachable" if minutes == 10 else "unknown")
    assert reachability.worked(address, at=datetime.fromtimestamp(ago(1), UTC))
