"""What became of an answer stands on it, in words, and what may be sent again has its button."""

import re
from datetime import timedelta
from html import unescape

import pytest

from helpdesk.customers import consent
from helpdesk.customers.models import Address, Event
from helpdesk.lib import dates
from helpdesk.mail import inbox, outbox
from helpdesk.mail.models import IncomingMail, Lane, Outgoing, State
from helpdesk.mail.outbox import ClockTimestamp
from helpdesk.mail.sender import send as send_due
from helpdesk.mail.transports import Handover
from tests.mail.test_reports import dsn, failed
from tickets import replies

pytestmark = pytest.mark.django_db
AGAIN, UNDO = "Send again", ">Undo</button>"


@pytest.fixture
def seen(ticket, ana, browser, drain):
    """Ana answers, time goes by, and this is what the answer says of itself."""
    own = browser(ana)
    made = replies.reply(ticket, "Which phone is it?", by=ana, cc=["boss@carter.example"])

    def look(after=60, leaves=True):
        with dates.moved(by=timedelta(seconds=after)):
            if leaves:
                drain()
            page = unescape(own.get(f"/tickets/{ticket.number}/").content.decode())
        return page.partition(f'id="message-{made.pk}"')[2].partition("</article>")[0]

    look.again = lambda: own.post(f"/tickets/{ticket.number}/messages/{made.pk}/resend/")
    look.row = lambda: Outgoing.objects.get(kind="ticket.reply", copy_of=None)
    return look


def test_before_it_leaves_it_can_be_taken_back(seen, ana):
    said = seen(after=0, leaves=False)
    assert re.search("Leaves in [678] s", said) and UNDO in said and "Cc boss@carter.example" in said
    said = seen(leaves=False)
    assert "About to leave" in said and UNDO in said
    outbox.hold(Outgoing.objects.all(), reason="Omar asks first", by=ana)
    said = seen()
    assert "Held: Omar asks first" in said and UNDO in said


def test_taken_back_behind_a_note_the_ticket_is_what_it_was(ticket, ana, mia):
    before = {name: getattr(ticket, name) for name in ("status", "waiting_since", "first_replied_at", "solved_at")}
    made = replies.reply(ticket, "Which phone is it?", by=ana, status="solved")
    ticket.refresh_from_db()
    note = replies.note(ticket, "Wait, that is another customer", by=mia)
    replies.unsend(made, by=ana)
    ticket.refresh_from_db()
    assert {name: getattr(ticket, name) for name in before} == before and ticket.waits_on_us
    assert ticket.last_message_id == note.pk and ticket.status_changes.latest("id").status == "new"


def test_it_was_sent(seen):
    said = seen()
    assert "Sent" in said and AGAIN not in said and UNDO not in said
    outbox.answered(seen.row().pk)
    assert "Arrived" in seen()


def test_their_server_asks_for_patience(seen, sink):
    sink.answer = lambda _to: "451 4.7.1 Greylisted"
    said = seen()
    assert "Their mail server asks for patience; we try again" in said and UNDO in said and AGAIN not in said


def test_it_was_refused_and_is_sent_again(seen, sink):
    sink.answer = lambda _to: "554 5.7.1 Not from you"
    said = seen()
    assert "Was refused: 5.7.1 Not from you" in said and AGAIN in said
    sink.answer = lambda _to: "250 OK"
    assert seen.again().status_code == 302
    assert "Sent" in seen() and len(sink) == 1


def test_one_of_several_was_refused_and_the_others_have_it(seen, sink):
    sink.refused.add("boss@carter.example")
    said = seen()
    assert "Sent. Not to boss@carter.example (550 5.1.1 Nobody of this name)" in said and AGAIN not in said
    seen(after=3 * 24 * 3600)
    assert [each.recipients for each in sink] == [["ben@carter.example"]]


def test_whoever_people_decided_gets_nothing_gets_no_copy_either(seen, sink):
    consent.suppress("Boss@carter.example", "manual", source="test")
    said = seen()
    assert "Sent. Not to boss@carter.example (gets no mail: " in said and AGAIN not in said
    assert sink[0].recipients == ["ben@carter.example"] and sink[0].message["Cc"] is None


def test_nor_where_people_decide_while_their_server_asks_for_patience(seen, sink):
    sink.patience.add("boss@carter.example")
    seen()
    sink.patience.clear()
    consent.suppress("boss@carter.example", "legal", source="test")
    assert "Sent. Not to boss@carter.example (This address gets no mail: " in seen(after=3600)
    assert [each.recipients for each in sink] == [["ben@carter.example"]]


def test_a_report_about_a_copy_blames_nobody_else(seen, sink, post):
    """Their mail is forwarded to a name that we never wrote to."""
    sink.patience.add("boss@carter.example")
    seen()
    sink.patience.clear()
    seen(after=3600)
    post(dsn(failed("5.1.1", "550 5.1.1 User unknown", who="phone@elsewhere.example"), returned="x"), to=sink[1].envelope_from)
    assert "Sent. Not to boss@carter.example (550 5.1.1 User unknown)" in seen()
    assert Address.objects.get(canonical="ben@carter.example").reachability != Address.Reachability.UNREACHABLE


def test_one_of_several_is_asked_for_patience_and_gets_it_later(seen, sink, ticket):
    """The others have it meanwhile, and get no second one."""
    sink.patience.add("boss@carter.example")
    said = seen()
    assert "Sent. Not to boss@carter.example (451 4.7.1 Greylisted; we try again)" in said and UNDO not in said
    assert "Greylisted; we try again" in seen(after=600)
    sink.patience.clear()
    said = seen(after=3600)
    assert "Sent" in said and "Not to" not in said and AGAIN not in said
    assert [each.recipients for each in sink] == [["ben@carter.example"], ["boss@carter.example"]]
    assert sink[0].text.splitlines()[0] == sink[1].text.splitlines()[0] and sink[1].message["To"] == "ben@carter.example"
    ticket.refresh_from_db()
    assert ticket.status == "pending" and seen.row().state == "accepted"


def test_one_who_is_asked_for_patience_too_long_is_told(seen, sink, ticket):
    sink.patience.add("boss@carter.example")
    for hours in (1, 2, 30, 60, 120):
        said = seen(after=hours * 3600)
    assert "Sent. Not to boss@carter.example (4.7.1 Greylisted)" in said
    ticket.refresh_from_db()
    assert ticket.status == "pending" and len(sink) == 1  # Ben has his answer


def test_it_came_back_from_one_in_cc(seen, sink, post, ticket):
    seen()
    report = dsn(failed("5.1.1", "550 5.1.1 User unknown", who="boss@carter.example"), returned="Subject: x")
    for _ in range(2):
        post(report, to=sink[0].envelope_from)
    said = seen()
    assert "Sent. Not to boss@carter.example (550 5.1.1 User unknown)" in said and AGAIN not in said
    outbox.answered(seen.row().pk)
    assert "Arrived. Not to boss@carter.example (550 5.1.1 User unknown)" in seen()
    ticket.refresh_from_db()
    assert ticket.status == "pending"


def test_a_report_that_overtakes_the_record_of_the_hand_over_waits_for_it(seen, sink, support):
    """Whichever comes first, both are written down."""

    class Line:
        def send(self, envelope_from, recipients, raw):
            inbox.receive(dsn(failed("5.1.1", "550 5.1.1 User unknown")), support, source="smtp", envelope_to=envelope_from)
            inbox.process_due()
            assert (seen.row().state, IncomingMail.objects.get().state) == ("sending", "accepted")
            return Handover("accepted", 250, "ok")

        def close(self):
            pass

    with dates.moved(by=timedelta(seconds=20)):
        send_due(Lane.REPLIES, transport=Line())
        assert seen.row().state == "accepted"
    assert "Came back: 550 5.1.1 User unknown" in seen()
    assert (
        list(seen.row().tries.values_list("outcome", "answer")) == [("accepted", "ok")]
        and IncomingMail.objects.get().attempts == 1
    )
    assert set(Event.objects.filter(kind__startswith="mail.").values_list("kind", flat=True)) == {"mail.sent", "mail.bounced"}


def test_nobody_knows_whether_it_arrived(seen, sink):
    row = seen.row()
    Outgoing.objects.filter(pk=row.pk).update(state=State.SENDING, owner="gone", lease_until=ClockTimestamp())  # it died here
    said = seen()
    assert "Nobody knows whether it arrived: The sender stopped" in said and AGAIN in said and sink == []
    seen.again()
    assert "Sent" in seen() and len(sink) == 1


def test_it_came_back_and_is_sent_again(seen, sink, post):
    seen()
    post(dsn(failed("5.1.1", "550 5.1.1 User unknown"), returned="Subject: x"), to=sink[0].envelope_from)
    said = seen()
    assert "Came back: 550 5.1.1 User unknown" in said and AGAIN in said
    seen.again()
    assert "Sent" in seen() and len(sink) == 2
    assert sink[1].recipients == ["ben@carter.example"] and "boss@carter.example" in sink[1].message["Cc"]  # who has it already


def test_it_was_not_sent_for_people_said_so(seen, sink):
    consent.suppress("ben@carter.example", "legal", source="test")
    said = seen()
    assert "Not sent: This address gets no mail" in said and AGAIN not in said and sink == []
