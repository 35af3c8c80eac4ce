"""A message passed on to somebody outside: they get that one message, and what they answer is theirs alone."""

from datetime import timedelta
from email.message import EmailMessage

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from helpdesk.customers.models import Event
from helpdesk.lib import dates
from helpdesk.mail import outbox
from helpdesk.mail.models import Outgoing, State
from tickets import replies
from tickets.models import Draft, Message, Ticket

pytestmark = pytest.mark.django_db
KIM = "kim@supplier.example"


@pytest.fixture
def asked(letter, post, ana):
    """Ben wrote, Ana answered and kept a note, and Ben sent a photo with what she had said quoted below."""
    post(letter("The old story.", Message_ID="<first@carter.example>"))
    ticket = Ticket.objects.get()
    replies.note(ticket, "He is on the watch list.", by=ana)
    replies.reply(ticket, "Which part is it?", by=ana)
    mail = letter(
        "This one.\n\nOn Mon, 6 May 2024 at 10:12, Nordwind <support@nordwind.example> wrote:\n> Which part is it?\n",
        Message_ID="<second@carter.example>",
        In_Reply_To="<first@carter.example>",
    )
    mail.add_alternative(
        "<p>This <b>one</b>.<img src='cid:photo@x'><img src=x onerror=alert(1)></p>"
        "<div class=gmail_quote>Which part is it?</div>",
        subtype="html",
    )
    mail.get_payload()[1].add_related(b"\x89PNG", "image", "png", cid="<photo@x>", filename="photo.png")
    mail.add_attachment(b"a,b", maintype="text", subtype="csv", filename="parts.csv")
    post(mail)
    ticket.refresh_from_db()
    return ticket


@pytest.fixture
def send(browser, ana, asked):
    own = browser(ana)

    def forward(text="Do you have this part?", **more):
        theirs = asked.messages.filter(kind="customer").latest("id")
        data = {"kind": "forward", "text": text, "to": KIM, "forwards": theirs.pk, "with_files": "1", "seen": theirs.pk}
        return own.post(f"/tickets/{asked.number}/compose/", data | more)

    forward.browser = own
    return forward


def leave(drain):
    with dates.moved(by=timedelta(minutes=1)):
        drain()


def clocks(ticket):
    ticket.refresh_from_db()
    return ticket.status, ticket.waiting_since, ticket.first_replied_at, ticket.last_customer_message_at, ticket.solved_at


def test_they_get_our_words_and_that_one_message_with_its_files(send, asked, drain, sink):
    before = clocks(asked)
    for _ in range(2):
        assert send(once="abc").status_code == 302
    page = send.browser.get(f"/tickets/{asked.number}/").content.decode()
    assert "Passed on" in page and f"To {KIM}" in page and "Leaves in" in page
    sent = asked.messages.get(kind="forward")
    leave(drain)
    (got,) = sink.to(KIM)
    assert got.recipients == [KIM] and got.message["To"] == KIM and got.message["Subject"] == "Fwd: Locked out"
    assert "Do you have this part?" in got.text and "Forwarded message" in got.text and "This one." in got.text
    assert "From: Ben Carter <ben@carter.example>" in got.text and "<b>one</b>" in got.html and "onerror" not in got.html
    theirs = asked.messages.filter(kind="customer").latest("id").at
    assert (
        f"{theirs:%H:%M} UTC\r\n" in got.text and f"{theirs:%H:%M} UTC<br>" in got.html
    )  # ours: Ben's would tell where he lives
    for hidden in ("The old story", "Which part is it", "watch list", "/tickets/files/"):
        assert hidden not in got.text and hidden not in got.html
    assert got.message["References"] == "<second@carter.example>" and not got.message["In-Reply-To"]
    files = {part.get_filename(): part for part in got.message.walk() if part.get_filename()}
    assert set(files) == {"photo.png", "parts.csv"} and files["photo.png"].get_content() == b"\x89PNG"
    assert f'src="cid:{files["photo.png"]["Content-ID"].strip("<>")}"' in got.html
    assert clocks(asked) == before
    (event,) = Event.objects.filter(kind="ticket.forwarded")
    assert event.payload["message"] == sent.pk and not Event.objects.filter(kind="ticket.replied", occurred_at__gt=sent.at)
    assert "A message was passed on" in send.browser.get(f"/customers/{asked.requester_id}/").content.decode()
    assert Outgoing.objects.get(kind="ticket.forward").customer_id is None  # it is not what Ben was sent


def test_without_the_files_nothing_of_them_goes(send, drain, sink):
    send(with_files="", files=[SimpleUploadedFile("drawing.txt", b"ours")])
    leave(drain)
    (got,) = sink.to(KIM)
    assert [part.get_filename() for part in got.message.iter_attachments()] == ["drawing.txt"]
    assert "<img" in got.html and "src=" not in got.html


def test_taken_back_it_is_a_draft_again(send, asked, drain, sink):
    before, last = clocks(asked), asked.last_message_id
    send(files=[SimpleUploadedFile("drawing.txt", b"ours")])
    made = asked.messages.get(kind="forward")
    send.browser.post(f"/tickets/{asked.number}/messages/{made.pk}/unsend/")
    leave(drain)
    draft = Draft.objects.get()
    assert sink.to(KIM) == [] and (draft.kind, draft.to, draft.text) == ("forward", KIM, "Do you have this part?")
    assert draft.forwards_id == made.forwards_id and [each.name for each in draft.attachments.all()] == ["drawing.txt"]
    asked.refresh_from_db()
    assert clocks(asked) == before and asked.last_message_id == last
    page = send.browser.get(f"/tickets/{asked.number}/").content.decode()
    assert f'value="{KIM}"' in page and 'value="forward" checked' in page


def answer(got, text="We have two of them."):
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = f"Kim <{KIM}>", got.message["Reply-To"], "Re: Fwd: Locked out"
    mail["In-Reply-To"], mail["Message-ID"] = got.message["Message-ID"], "<kim@supplier.example>"
    mail.set_content(text)
    return mail


def test_what_they_answer_is_on_the_ticket_and_moves_no_clock_of_the_customer(send, asked, post, ana, drain, sink, browser):
    send()
    leave(drain)
    before = clocks(asked)
    post(answer(sink.to(KIM)[0]))
    message = asked.messages.latest("id")
    assert message.text == "We have two of them." and message.stranger and clocks(asked) == before
    assert asked.requester.email == "ben@carter.example" and not asked.participants.exists() and Ticket.objects.count() == 1
    page = browser(ana).get(f"/tickets/{asked.number}/").content.decode()
    assert "Third party" in page and "Arrived" in page
    replies.reply(asked, "It can be repaired.", by=ana)
    leave(drain)
    assert len(sink.to(KIM)) == 1  # nothing more reaches them
    last = sink.to("ben@carter.example")[-1]
    assert "It can be repaired." in last.text and "We have two" not in last.text and KIM not in last.raw.decode()


def test_only_what_was_on_hold_goes_on(send, asked, post, drain, sink):
    send()
    leave(drain)
    for status, then in (("hold", "open"), ("pending", "pending"), ("solved", "solved"), ("closed", "closed")):
        Ticket.objects.filter(pk=asked.pk).update(status=status)
        mail = answer(sink.to(KIM)[0], f"Still {status}?")
        mail.replace_header("Message-ID", f"<{status}@supplier.example>")
        post(mail)
        asked.refresh_from_db()
        assert asked.status == then and Ticket.objects.count() == 1 and asked.messages.latest("id").text == f"Still {status}?"


def test_one_that_does_not_arrive_says_so_and_can_be_sent_again(send, asked, drain, sink):
    send()
    sink.refused.add(KIM)
    before = clocks(asked)
    leave(drain)
    row = Outgoing.objects.get(kind="ticket.forward")
    assert row.state == State.FAILED and clocks(asked) == before
    assert "What we passed on did not arrive: " in asked.said
    page = send.browser.get(f"/tickets/{asked.number}/").content.decode()
    assert "Nobody of this name" in page and "Send again" in page
    sink.refused.clear()
    with dates.moved(by=timedelta(minutes=2)):
        send.browser.post(f"/tickets/{asked.number}/messages/{row.message_id}/resend/")
        drain()
    assert len(sink.to(KIM)) == 1


def test_what_cannot_be_passed_on_is_said_and_kept(send, asked, ana, ticket, browser, lena, drain, sink):
    note = asked.messages.get(kind="note")
    elsewhere = ticket.messages.get()
    for said, words in (
        ({"to": ""}, "Say to whom it goes."),
        ({"to": "kim@"}, "“kim@” is no email address."),
        ({"to": "Support+x@nordwind.example"}, "is an address of ours"),
        ({"forwards": note.pk}, "This message cannot be passed on."),
        ({"forwards": elsewhere.pk}, "Choose the message to pass on."),
        ({"forwards": ""}, "Choose the message to pass on."),
    ):
        got = send("Kept words", **said)
        page = got.content.decode()
        assert got.status_code == 409 and words in page and "Kept words" in page, said
    assert browser(lena).post(f"/tickets/{asked.number}/compose/", {"kind": "forward", "to": KIM}).status_code == 403
    leave(drain)
    assert not Message.objects.filter(kind="forward").exists() and sink.to(KIM) == []


def test_whom_people_shut_out_gets_none(send, drain, sink):
    from helpdesk.customers import consent

    consent.suppress("other@supplier.example", "legal", source="test")
    send(to=f"{KIM}, other@supplier.example")
    leave(drain)
    row = Outgoing.objects.get(kind="ticket.forward")
    assert row.state == State.WITHHELD and "other@supplier.example gets no mail" in row.reason and sink.to(KIM) == []
    assert outbox.retry_unknown(row, by="user:1") == 0
