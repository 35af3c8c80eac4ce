"""The page of what is stuck: everything is listed with its reason, and each button does its work once."""

from collections.abc import Callable
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.test import Client

from helpdesk.accounts.models import AuditEntry, User
from helpdesk.customers import dispatch, timeline
from helpdesk.customers.models import Customer, Event, EventDelivery
from helpdesk.lib.dates import moved, now
from helpdesk.mail import inbox, operations, outbox
from helpdesk.mail.models import Class, IncomingMail, Lane, Mailbox, Outgoing, State
from tickets.models import Ticket

Browser = Callable[[User], Client]
failures: list[int] = []


def broken(events: list[Event]) -> None:
    """A subscriber that cannot stand one event."""
    if any(event.pk in failures for event in events):
        raise RuntimeError("<b>no such plan</b>")


@pytest.fixture
def poisoned(ben: Customer, settings: Any) -> Event:
    settings.EVENT_SUBSCRIBERS = {**settings.EVENT_SUBSCRIBERS, "mail.sent": ["tests.customers.test_operations.broken"]}
    EventDelivery.objects.all().delete()
    good, bad = (timeline.record("mail.sent", customer=ben.pk) for _ in range(2))
    failures[:] = [bad.pk]
    assert good.pk != bad.pk
    return bad


def incoming(box: Mailbox, n: int, state: str, reason: str = "") -> IncomingMail:
    return IncomingMail.objects.create(
        mailbox=box, raw=b"\x00\xff raw", digest=f"{n:064}", source="smtp", state=state, reason=reason, attempts=5
    )


def test_a_poisoned_event_is_shown_and_tried_again(browser: Browser, mia: User, poisoned: Event) -> None:
    dispatch.run_once()
    assert [d.event_id for d in EventDelivery.objects.all()] == [poisoned.pk]  # its neighbour got through
    html = browser(mia).get("/operations/").content.decode()
    assert "One thing is stuck" in html
    assert "Ben Carter" in html
    assert "RuntimeError: &lt;b&gt;no such plan" in html
    for hours in range(dispatch.GIVE_UP_AFTER):
        with moved(by=timedelta(hours=2 * hours + 2)):
            dispatch.run_once()
    assert EventDelivery.objects.get().next_at is None
    assert "Given up" in browser(mia).get("/operations/").content.decode()
    failures.clear()
    assert browser(mia).get("/operations/events/again/").status_code == 405
    browser(mia).post("/operations/events/again/", {"id": [EventDelivery.objects.get().pk, "x", "9" * 40]})
    dispatch.run_once()
    assert not EventDelivery.objects.exists()
    browser(mia).post("/operations/events/again/", {"all": "1"})
    assert AuditEntry.objects.get(action="event.delivered_again").subject == f"event:{poisoned.pk}"
    assert "Nothing is stuck" in browser(mia).get("/operations/").content.decode()


def test_quarantined_mail_is_read_again_and_the_sum_holds(browser: Browser, mia: User, support: Mailbox) -> None:
    states = ["ticketed", "ticketed", "ignored", "quarantined", "quarantined", "accepted"]
    rows = [incoming(support, n, state, f"Reason {n}") for n, state in enumerate(states)]
    page = browser(mia)
    answer = page.get("/operations/")
    [sums] = answer.context["sums"]
    assert (sums.total, sums.ticketed, sums.ignored, sums.quarantined, sums.in_flight, sums.holds) == (6, 2, 1, 2, 1, True)
    assert "Reason 3" in answer.content.decode()
    page.post("/operations/mail/again/", {"id": [rows[3].pk, rows[0].pk]})
    rows[3].refresh_from_db()
    assert (rows[3].state, rows[3].attempts, rows[3].reason, bytes(rows[3].raw)) == ("accepted", 0, "", b"\x00\xff raw")
    rows[0].refresh_from_db()
    assert rows[0].state == "ticketed"  # only what is in quarantine is read again
    assert operations.read_again(IncomingMail.objects.filter(pk=rows[2].pk), by=mia) == 0  # ignored stays ignored
    page.post("/operations/mail/again/", {"all": "1"})
    page.post("/operations/mail/again/", {"all": "1"})
    assert AuditEntry.objects.filter(action="mail.read_again").count() == 2
    [sums] = page.get("/operations/").context["sums"]
    assert (sums.quarantined, sums.in_flight, sums.holds) == (0, 3, True)


@pytest.mark.parametrize(
    ("klass", "verb", "state", "status"),
    [
        (Class.REPLY, "arrived", State.DELIVERED, 302),
        (Class.REPLY, "lost", State.FAILED, 302),
        (Class.REPLY, "again", State.PENDING, 302),
        (Class.LIFECYCLE, "arrived", State.DELIVERED, 302),
        (Class.LIFECYCLE, "again", State.UNKNOWN, 403),  # outreach in doubt is never sent twice
    ],
)
def test_a_person_settles_what_nobody_knows(
    browser: Browser, mia: User, ben: Customer, klass: str, verb: str, state: str, status: int
) -> None:
    row = outbox.plan([Outgoing(key="k", kind="campaign.message", klass=klass, lane=Lane.REPLIES, customer=ben, to=ben.email,
                                title="Renewal", due_at=now(), state=State.UNKNOWN, sent_at=now())])[0]  # fmt: skip
    page = browser(mia)
    assert "Of one message nobody knows" in page.get("/operations/").content.decode()
    for _ in range(2):
        assert page.post(f"/outgoing/{row.pk}/{verb}/", {"next": "/operations/"}).status_code == status
    row.refresh_from_db()
    assert row.state == state
    chosen = Event.objects.filter(actor=mia.ref)
    assert chosen.count() == (1 if status == 302 else 0)


def test_sign_in_mail_in_doubt_is_settled_without_being_read(browser: Browser, mia: User, ana: User) -> None:
    row = outbox.plan([Outgoing(key="k", kind="account.mail", klass=Class.TRANSACTIONAL, lane=Lane.REPLIES, to="x@one.example",
                                title="Set a password", due_at=now(), state=State.UNKNOWN)])[0]  # fmt: skip
    assert "Set a password" in browser(mia).get("/operations/").content.decode()
    assert browser(ana).post(f"/outgoing/{row.pk}/lost/").status_code == 404
    browser(mia).post(f"/outgoing/{row.pk}/lost/")
    row.refresh_from_db()
    assert row.state == State.FAILED


def test_only_managers_enter(browser: Browser, client: Client, ana: User) -> None:
    assert client.get("/operations/").status_code == 302
    assert browser(ana).get("/operations/").status_code == 403
    for url in ("/operations/mail/again/", "/operations/events/again/"):
        assert browser(ana).post(url, {"all": "1"}).status_code == 403


def test_the_page_costs_the_same_however_much_is_stuck(
    browser: Browser, mia: User, support: Mailbox, django_assert_max_num_queries: Any
) -> None:
    for n in range(70):
        incoming(support, n, "quarantined", "x")
    events = [timeline.record("mail.sent") for _ in range(70)]
    EventDelivery.objects.all().delete()
    EventDelivery.objects.bulk_create([EventDelivery(event_id=e.pk, subscriber="s", attempts=3, next_at=now()) for e in events])
    page = browser(mia)
    page.get("/operations/")
    with django_assert_max_num_queries(26):
        html = page.get("/operations/").content.decode()
    assert "70 mails could not be read" in html
    assert html.count('name="id"') == 100  # fifty of each, and the numbers say the rest


def test_an_admin_discards_what_nobody_wants_and_its_bytes_stay(browser, omar, mia, support):
    raw = b"Subject: nobody\r\n\r\n<script>alert(1)</script>"
    mail = inbox.receive(raw, support, source="pipe")
    inbox.set_aside(mail, "It names no sender")
    page = browser(omar)
    source = page.get(f"/operations/mail/{mail.pk}/source/")
    assert (
        source.content == raw
        and source["Content-Disposition"].startswith("attachment")
        and "sandbox" in source["Content-Security-Policy"]
    )
    assert browser(mia).post("/operations/mail/discard/", {"id": mail.pk}).status_code == 403
    for _ in range(2):
        page.post("/operations/mail/discard/", {"id": mail.pk})
    mail.refresh_from_db()
    assert (mail.state, bytes(mail.raw)) == ("ignored", raw) and mail.reason == f"Discarded by {omar}: It names no sender"
    assert AuditEntry.objects.filter(action="mail.discarded").count() == 1
    assert page.get(f"/operations/mail/{mail.pk}/source/").status_code == 200  # among the ignored from now on


def test_a_mail_judged_wrongly_is_seen_with_its_reason_and_taken_by_hand(browser, mia, support, drain):
    raw = (
        b"From: Ben Carter <ben@carter.example>\r\nTo: support@nordwind.example\r\nSubject: Re: Where is it?\r\n"
        b"Message-ID: <1@carter.example>\r\nIn-Reply-To: <elsewhere@shop.example>\r\nPrecedence: junk\r\n"
        b"\r\nStill nothing here.\r\n"
    )
    mail = inbox.receive(raw, support, source="imap")
    drain()
    mail.refresh_from_db()
    assert mail.state == "ignored" and "junk" in mail.reason
    page = browser(mia)
    assert 'href="/operations/mail/ignored/"' in page.get("/operations/").content.decode()
    shown = page.get("/operations/mail/ignored/").content.decode()
    assert "ben@carter.example" in shown and "Re: Where is it?" in shown and mail.reason in unescape(shown)
    for _ in range(2):
        assert page.post("/operations/mail/by-hand/", {"id": [mail.pk]}).status_code == 302
    drain()
    mail.refresh_from_db()
    assert mail.state == "ticketed" and mail.ticket_id
    assert AuditEntry.objects.get(action="mail.taken_by_hand").subject == f"incoming:{mail.pk}"
    assert "Still nothing here." in page.get(f"/tickets/{Ticket.objects.get(pk=mail.ticket_id).number}/").content.decode()
    assert "Nothing was ignored" in page.get("/operations/mail/ignored/").content.decode()
