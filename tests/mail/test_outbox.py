"""The ledger's state machine: what is accepted leaves once, whatever happens in between."""

import socketserver
import threading
import time
from contextlib import suppress
from datetime import timedelta

import pytest
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured
from django.core.mail import send_mail

from helpdesk.accounts.models import AuditEntry
from helpdesk.customers.models import Event
from helpdesk.lib import dates
from helpdesk.mail import backend, ledger, outbox, planner, sender
from helpdesk.mail.models import Attempt, Class, Lane, MailSwitch, Outgoing, State
from helpdesk.mail.outbox import ClockTimestamp
from helpdesk.mail.transports import Handover, open_transport

pytestmark = pytest.mark.django_db


def letter(key="a", **fields):
    values = {
        "kind": "account.mail",
        "klass": Class.TRANSACTIONAL,
        "lane": Lane.REPLIES,
        "to": "ben@carter.example",
        "due_at": dates.now(),
        "variables": {"subject": "Hello", "text": "There", "html": ""},
        **fields,
    }
    return outbox.plan([Outgoing(key=key, **values)])[0]


class Line:
    """A transport that answers as told and remembers what it was given."""

    def __init__(self, *answers):
        self.answers, self.given = list(answers), []

    def send(self, envelope_from, recipients, raw):
        self.given.append(recipients)
        answer = self.answers.pop(0) if self.answers else Handover("accepted", 250, "ok")
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self):
        pass


def state(row):
    row.refresh_from_db()
    return row.state


def test_a_sign_in_mail_leaves_by_the_ledger(sink, drain):
    send_mail("Your\u00a0code", "123456", None, ["omar@nordwind.example"])
    drain()
    (got,) = sink
    row = Outgoing.objects.get()
    assert got.recipients == ["omar@nordwind.example"] and "123456" in got.text
    assert row.state == State.ACCEPTED and row.tries.get().outcome == Attempt.Outcome.ACCEPTED
    assert got.message["Message-ID"] == row.rfc_id and row.token in got.message["Reply-To"]
    assert got.envelope_from == f"bounce+{row.token}@localhost"
    assert got.message["Auto-Submitted"] == "auto-generated"


def test_planning_the_same_thing_twice_makes_one(sink, drain):
    letter("once")
    assert (
        outbox.plan(
            [Outgoing(key="once", kind="account.mail", klass="reply", lane="replies", to="x@y.example", due_at=dates.now())]
        )
        == []
    )
    drain()
    drain()
    assert len(sink) == 1


def test_what_is_not_due_waits(sink, drain):
    row = letter(due_at=dates.now() + timedelta(minutes=5))
    drain()
    assert not sink
    with dates.moved(by=timedelta(minutes=6)):
        drain()
    assert state(row) == State.ACCEPTED and len(sink) == 1


def test_undo_before_the_hand_over_and_not_after(sink, drain):
    row = letter(due_at=dates.now() + timedelta(seconds=10))
    rows = Outgoing.objects.filter(pk=row.pk)
    assert outbox.cancel(rows, reason="Undone", by="user:1") == 1
    assert outbox.cancel(rows, reason="Undone", by="user:1") == 0
    with dates.moved(by=timedelta(minutes=1)):
        drain()
    assert not sink and state(row) == State.CANCELLED
    assert Event.objects.filter(kind="mail.cancelled").count() == 1
    sent = letter("b")
    drain()
    assert outbox.cancel(Outgoing.objects.filter(pk=sent.pk), reason="Undone", by="user:1") == 0


def test_a_refusal_for_now_is_tried_again_later_and_one_for_good_is_not(sink, drain):
    sink.answer = lambda _to: "451 4.3.0 Come back"
    row = letter()
    drain()
    assert state(row) == State.RETRY_WAIT and "Come back" in row.reason and row.next_at > dates.now()
    sink.answer = lambda _to: "250 OK"
    with dates.moved(by=timedelta(minutes=2)):
        drain()
    assert state(row) == State.ACCEPTED and row.attempts == 2 and len(sink) == 1
    sink.answer = lambda _to: "550 5.1.1 No such person"
    lost = letter("lost")
    drain()
    assert (
        state(lost) == State.FAILED and "No such person" in lost.reason and Event.objects.filter(kind="mail.failed").count() == 1
    )


def test_what_was_held_for_days_still_has_its_two_days_of_tries(sink, drain):
    sink.answer = lambda _to: "451 4.7.1 Greylisted, come back"
    row = letter(due_at=dates.now() + timedelta(minutes=1))
    outbox.hold(Outgoing.objects.filter(pk=row.pk), reason="Until their ticket is solved", by="user:1")
    with dates.moved(by=timedelta(days=3)):
        outbox.release(Outgoing.objects.filter(pk=row.pk), by="user:1")
        drain()
        assert state(row) == State.RETRY_WAIT
        with dates.moved(by=timedelta(hours=47)):
            drain()
            assert state(row) == State.RETRY_WAIT and row.attempts == 2
        with dates.moved(by=timedelta(hours=60)):
            drain()
            assert state(row) == State.FAILED and "Greylisted" in row.reason


class Slow(socketserver.StreamRequestHandler):
    """A mail server that takes its time for each answer, though never so long that a socket gives up."""

    taken: list[bytes] = []

    def handle(self):
        self.say("220 slow")
        while line := self.rfile.readline():
            word = line[:4].upper()
            self.say({b"DATA": "354 Go on", b"EHLO": "250 slow"}.get(word, "250 OK"))
            if word == b"DATA":
                self.taken.append(b"".join(iter(self.rfile.readline, b".\r\n")))
                self.say("250 OK")

    def say(self, words):
        time.sleep(0.4)
        with suppress(OSError):
            self.wfile.write(f"{words}\r\n".encode())


def test_a_hand_over_that_takes_too_long_ends_before_its_lease_does(settings):
    settings.MAIL_SMTP_TIMEOUT = 1
    Slow.taken.clear()
    row = letter()
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Slow) as server:
        server.daemon_threads, server.block_on_close = True, False
        threading.Thread(target=server.serve_forever, daemon=True).start()
        settings.MAIL_TRANSPORT = f"smtp://127.0.0.1:{server.server_address[1]}"
        sender.send(Lane.REPLIES)
        server.shutdown()
    assert state(row) == State.RETRY_WAIT and "too long" in row.reason and not Slow.taken
    assert row.owner == "" and Attempt.objects.get().outcome == Attempt.Outcome.RETRY


def test_silence_after_the_text_is_unknown_and_is_not_sent_again(drain):
    row = letter()
    line = Line(Handover("unknown", answer="timed out"))
    sender.send(Lane.REPLIES, transport=line)
    sender.send(Lane.REPLIES, transport=line)
    assert state(row) == State.UNKNOWN and len(line.given) == 1
    drain()
    assert state(row) == State.UNKNOWN


def test_a_sender_that_dies_after_the_stamp_leaves_unknown_and_before_it_a_lapsed_claim():
    row, other = letter("after"), letter("before")
    planner.plan_due(Lane.REPLIES)
    owner = sender.owner_name()
    assert sorted(sender.claim(Lane.REPLIES, owner)) == [row.pk, other.pk]
    assert len(sender.stamp([row.pk], owner)) == 1
    Outgoing.objects.update(lease_until=ClockTimestamp() - timedelta(seconds=1))
    line = Line()
    sender.send(Lane.REPLIES, transport=line)
    assert state(row) == State.UNKNOWN and state(other) == State.ACCEPTED and len(line.given) == 1
    assert Event.objects.filter(kind="mail.unknown").count() == 1


def test_a_sender_whose_lease_ran_out_writes_nothing():
    row = letter()
    planner.plan_due(Lane.REPLIES)
    owner = sender.owner_name()
    ready = sender.stamp(sender.claim(Lane.REPLIES, owner), owner)
    Outgoing.objects.update(lease_until=ClockTimestamp() - timedelta(seconds=1))
    planner.plan_due(Lane.REPLIES)
    sender.record([(ready[0][0], Handover("accepted", 250, "ok"))], owner)
    assert state(row) == State.UNKNOWN
    Outgoing.objects.filter(pk=row.pk).update(state=State.QUEUED)
    assert sender.stamp([row.pk], owner) == []


def test_the_stamp_asks_again(ben, omar):
    row = letter(customer=ben)
    planner.plan_due(Lane.REPLIES)
    owner = sender.owner_name()
    ids = sender.claim(Lane.REPLIES, owner)
    assert outbox.switch_off("all", reason="a test of the brake", by=omar)
    assert sender.stamp(ids, owner) == []
    assert state(row) == State.HELD and "a test of the brake" in row.reason
    assert outbox.switch_on("all", by=omar) and not outbox.switch_on("all", by=omar)
    assert planner.plan_due(Lane.REPLIES) and state(row) == State.QUEUED and not MailSwitch.objects.exists()


def test_too_late_is_never_sent(sink, drain):
    row = letter(too_late_at=dates.now() + timedelta(hours=1), due_at=dates.now() + timedelta(minutes=1))
    with dates.moved(by=timedelta(hours=2)):
        drain()
    assert not sink and state(row) == State.WITHHELD and "Too late" in row.reason


def test_a_hold_ends_by_its_time_by_a_person_or_as_withheld(sink, drain):
    rows = [letter(key, due_at=dates.now() + timedelta(minutes=1)) for key in "abc"]
    until = dates.now() + timedelta(hours=1)
    outbox.hold(Outgoing.objects.filter(pk=rows[0].pk), reason="Wait an hour", by="user:1", until=until)
    outbox.hold(Outgoing.objects.filter(pk__in=[rows[1].pk, rows[2].pk]), reason="Wait for me", by="user:1")
    with dates.moved(by=timedelta(hours=2)):
        drain()
        assert [state(row) for row in rows] == [State.ACCEPTED, State.HELD, State.HELD]
        assert outbox.release(Outgoing.objects.filter(pk=rows[1].pk), by="user:1") == 1
        drain()
        assert state(rows[1]) == State.ACCEPTED
    with dates.moved(by=timedelta(days=15)):
        drain()
    assert state(rows[2]) == State.WITHHELD and "Held too long" in rows[2].reason


def test_a_header_cannot_begin_another_one(sink, drain):
    row = letter(variables={"subject": "Hi\r\nBcc: eve@evil.example", "text": "x", "html": ""})
    drain()
    assert not sink and state(row) == State.WITHHELD and "could not be built" in row.reason


@pytest.mark.parametrize("state_before, allowed", [(State.UNKNOWN, 1), (State.ACCEPTED, 0), (State.SENDING, 0)])
def test_only_an_unknown_reply_may_be_sent_again_by_a_person(state_before, allowed):
    row = letter(klass=Class.REPLY)
    Outgoing.objects.filter(pk=row.pk).update(state=state_before)
    assert outbox.retry_unknown(row, by="user:1") == allowed
    outreach = letter("promo", klass=Class.PROMOTIONAL)
    Outgoing.objects.filter(pk=outreach.pk).update(state=State.UNKNOWN)
    assert outbox.retry_unknown(outreach, by="user:1") == 0


def broken(rows, at=None):
    """A half that chokes on one message of a batch."""
    if any(row.key == "poison" for row in rows):
        raise RuntimeError("cannot digest this")
    return backend.guard(rows, at) if at else backend.render(rows)


@pytest.mark.parametrize("part", ["guard", "render"])
def test_one_poisoned_message_blocks_nobody_and_is_shown_and_tried_again(sink, drain, settings, part):
    good = settings.OUTBOX
    settings.OUTBOX = good | {"account.mail": good["account.mail"] | {part: "tests.mail.test_outbox.broken"}}
    rows = [letter(key, to=f"{key}@carter.example", lane=Lane.CAMPAIGNS) for key in ("a", "b", "poison", "c", "d")]
    drain()
    assert sorted(one.recipients[0][0] for one in sink) == ["a", "b", "c", "d"]
    assert state(rows[2]) == State.HELD and "cannot digest this" in rows[2].reason and rows[2] in ledger.stuck()
    settings.OUTBOX = good
    with dates.moved(by=timedelta(minutes=6)):
        drain()
    assert state(rows[2]) == State.ACCEPTED and not ledger.stuck().exists()


def test_a_transport_that_breaks_leaves_one_message_unknown_and_not_its_stamp():
    rows = [letter(key, lane=Lane.CAMPAIGNS) for key in "abc"]
    sender.send(Lane.CAMPAIGNS, transport=Line(Handover("accepted", 250, "ok"), RuntimeError("boom")))
    assert [state(row) for row in rows] == [State.ACCEPTED, State.UNKNOWN, State.ACCEPTED]


def test_a_key_file_that_is_missing_loses_nothing(sink, drain, settings, tmp_path):
    settings.DKIM_KEY_FILE, settings.DKIM_DOMAIN = str(tmp_path / "missing.pem"), "nordwind.example"
    row = letter()
    drain()
    assert state(row) == State.HELD and "missing.pem" in row.reason and not sink
    settings.DKIM_KEY_FILE = ""
    with dates.moved(by=timedelta(minutes=6)):
        drain()
    assert state(row) == State.ACCEPTED


@pytest.mark.parametrize("name", ["smtps://mail.example", "anymail:postmark", "smpt://typo", ""])
def test_a_transport_that_does_not_exist_is_refused_and_never_a_folder(settings, name):
    settings.MAIL_TRANSPORT = name
    with pytest.raises(ImproperlyConfigured):
        open_transport()
    assert any(error.id == "helpdesk.E002" for error in run_checks())


def test_who_was_refused_beside_the_customer_is_told(drain, sink):
    sink.refused.add("gone@carter.example")
    out = letter(variables={"subject": "Hi", "text": "x", "html": "", "cc": ["gone@carter.example", "here@carter.example"]})
    drain()
    assert state(out) == State.ACCEPTED and "gone@carter.example" in out.reason and "550" in out.reason
    assert sink[0].recipients == ["ben@carter.example", "here@carter.example"]


def test_an_admin_brakes_and_lets_go_in_the_browser(browser, omar, mia, sink, drain):
    page = browser(omar)
    for _ in range(2):
        assert page.post("/operations/switch/off/", {"name": "replies", "reason": "Wrong sender"}).status_code == 302
    row = letter()
    drain()
    assert state(row) == State.HELD and "Wrong sender" in page.get("/operations/").content.decode() and not sink
    assert browser(mia).post("/operations/switch/on/", {"name": "replies"}).status_code == 403
    assert page.post("/operations/switch/off/", {"name": "nothing"}).status_code == 400
    page.post("/operations/switch/on/", {"name": "replies"})
    drain()
    assert state(row) == State.ACCEPTED and AuditEntry.objects.filter(subject="switch:replies").count() == 2


def test_the_console_shows_the_message(settings, capsys):
    settings.MAIL_TRANSPORT = "console"
    raw = "Subject: Hi\r\n\r\nGrüße\r\n".encode()
    assert open_transport().send("", ["ben@carter.example"], raw).outcome == "accepted"
    assert capsys.readouterr().out == "From <> to ben@carter.example\nSubject: Hi\n\nGrüße\n\n"
