"""Mail becomes tickets: threaded by what we signed, marked when a stranger writes, quiet when a machine does."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from helpdesk.customers.models import Customer, Event
from helpdesk.knowledge.models import Topic
from helpdesk.lib import dates
from helpdesk.mail import outbox
from helpdesk.mail.inbox import process_due, receive
from helpdesk.mail.models import IncomingMail, Mailbox, Outgoing
from tests.tickets.conftest import back
from tickets import replies
from tickets.models import Message, Ticket

pytestmark = pytest.mark.django_db


def kinds(ticket):
    return list(
        Event.objects.filter(payload__ticket=ticket.pk, kind__startswith="ticket.").order_by("id").values_list("kind", flat=True)
    )


def test_what_was_left_out_is_said_and_nothing_written_too(post, letter, ana, browser):
    """A mail beyond our limits loses nothing silently, and an empty one does not look like an error of ours."""
    long = letter("word " * 250_000)
    post(long, letter("", subject="Empty"))
    first, empty = Ticket.objects.order_by("pk")
    page = browser(ana)
    shown = page.get(f"/tickets/{first.number}/").content.decode()
    assert "longer than a million characters; the rest is kept only in the original" in shown
    assert "No text came with it." in page.get(f"/tickets/{empty.number}/").content.decode()
    assert "No text came with it." in page.get(f"/tickets/{empty.number}/print/").content.decode()
    assert "No text came" not in page.get(f"/tickets/{first.number}/print/").content.decode()


def test_what_a_first_mail_costs(letter, support):
    """From its bytes to its ticket; each statement is a way to the database and back, and intake is as slow as their sum."""
    raw = letter("The code never arrives.", Message_ID="<first@carter.example>").as_bytes()
    with CaptureQueriesContext(connection) as asked:
        receive(raw, support, source="smtp", envelope_from="ben@carter.example")
        process_due()
    message = Message.objects.select_related("ticket__address").get()
    assert message.ticket.last_message_id == message.pk and message.ticket.address.shown == "ben@carter.example"
    assert message.ticket.waiting_since == message.at
    statements = [each["sql"] for each in asked if "SAVEPOINT" not in each["sql"]]  # those are the test's own transaction
    assert len(statements) <= 18, "\n".join(statements)


def test_a_first_mail_opens_a_ticket(post, letter, support):
    post(letter("The code never arrives.\n\nBen", Cc="Books <books@carter.example>, support@nordwind.example"))
    ticket = Ticket.objects.get()
    assert (ticket.subject, ticket.channel, ticket.status, ticket.mailbox, ticket.team) == (
        "Locked out",
        "mail",
        "new",
        support,
        support.team,
    )
    assert str(ticket.requester) == "Ben Carter" and ticket.said.startswith("The code never")
    assert [p.address for p in ticket.participants.all()] == ["books@carter.example"]
    row = IncomingMail.objects.get()
    assert (row.state, row.ticket_id) == ("ticketed", ticket.pk)


def test_his_answer_lands_in_the_ticket_and_makes_it_open(post, letter, answered, ticket):
    ticket.refresh_from_db()
    assert ticket.status == "pending" and ticket.waiting_since is None
    post(
        back(
            letter,
            answered,
            text="A new one.\n\nOn Mon, 23 Nov 2026 at 10:00, Nordwind help <support@nordwind.example> wrote:\n"
            "> Which phone is it?\n> Ana",
        )
    )
    ticket.refresh_from_db()
    said = ticket.messages.latest("id")
    assert Ticket.objects.count() == 1 and ticket.status == "open" and ticket.waiting_since == said.at
    assert said.text == "A new one." and "> Which phone is it?" in said.quote and not said.stranger


def test_an_answer_reopens_what_is_solved_and_follows_what_is_closed(post, letter, answered, ticket, ana):
    ticket.solve(by=ana)
    post(back(letter, answered, text="It is back."))
    ticket.refresh_from_db()
    assert ticket.status == "open" and ticket.solved_at is None and "ticket.reopened" in kinds(ticket)
    ticket.close(by=ana)
    post(back(letter, answered, text="And again."))
    ticket.refresh_from_db()
    following = Ticket.objects.latest("id")
    assert ticket.status == "closed" and following.follow_up_of == ticket and following.messages.get().text == "And again."


@pytest.mark.parametrize("words", ["Thanks!", "Thank you so much", "Vielen Dank", "ok, thanks", "Merci beaucoup."])
def test_a_mere_thank_you_wakes_nobody(post, letter, answered, ticket, ana, words):
    ticket.solve(by=ana)
    post(back(letter, answered, text=words))
    ticket.refresh_from_db()
    assert ticket.status == "solved" and ticket.messages.latest("id").text == words


def test_thanks_with_a_question_wakes(post, letter, answered, ticket, ana):
    ticket.solve(by=ana)
    post(back(letter, answered, text="Thanks! But where is the invoice?"))
    ticket.refresh_from_db()
    assert ticket.status == "open"


def test_automatic_mail_is_kept_and_starts_nothing(post, letter, answered, ticket, ana):
    ticket.solve(by=ana)
    before = kinds(ticket)
    post(back(letter, answered, text="I am away until Monday.", Auto_Submitted="auto-replied"))
    ticket.refresh_from_db()
    assert ticket.messages.latest("id").kind == "automatic" and ticket.status == "solved"
    assert ticket.waiting_since is None and kinds(ticket) == before


def test_a_new_automatic_mail_starts_no_clock_and_an_unplaced_answer_no_ticket(post, letter):
    post(letter("Disk full", sender="cron@host.example", Auto_Submitted="auto-generated", subject="cron"))
    ticket = Ticket.objects.get()
    assert ticket.waiting_since is None and ticket.messages.get().kind == "automatic"
    post(letter("I am away", sender="x@y.example", Auto_Submitted="auto-replied", In_Reply_To="<unknown@elsewhere>"))
    assert Ticket.objects.count() == 1 and IncomingMail.objects.latest("id").state == "ignored"


def test_a_stranger_is_heard_and_marked_and_sent_nothing(post, letter, answered, ticket, ana, drain, sink):
    post(back(letter, answered, text="I have it now.", sender="Eve <eve@evil.example>", Cc="mallory@evil.example"))
    ticket.refresh_from_db()
    said = ticket.messages.latest("id")
    assert said.stranger and said.address == "eve@evil.example" and ticket.requester.email == "ben@carter.example"
    assert not ticket.participants.exists()
    replies.reply(ticket, "Glad to hear.", by=ana)
    with dates.moved(by=timedelta(minutes=1)):
        drain()
    letters = [each for each in sink if b"Glad to hear" in each.raw]
    assert [each.recipients for each in letters] == [["ben@carter.example"]] and b"I have it now" not in letters[0].raw


def test_a_guessed_token_threads_nowhere(post, letter, answered, ticket):
    token = answered.message["Reply-To"].split("+")[1].split("@")[0]
    forged = ("b" if token[20] != "b" else "c").join([token[:20], token[21:]])
    post(letter(to=f"support+{forged}@nordwind.example", sender="eve@evil.example"))
    assert ticket.messages.count() == 2 and Ticket.objects.count() == 2


def test_a_known_foreign_id_threads_in_its_own_mailbox_only(post, letter, ticket):
    other = Mailbox.objects.create(slug="sales", name="Sales", address="sales@nordwind.example")
    post(letter("More", In_Reply_To="<first@carter.example>", subject="Another subject"))
    assert ticket.messages.count() == 2
    post(letter("Other", In_Reply_To="<first@carter.example>", to="sales@nordwind.example"), mailbox=other)
    assert ticket.messages.count() == 2 and Ticket.objects.count() == 2


def test_a_number_in_the_subject_counts_for_who_takes_part(post, letter, ticket):
    post(letter("Me again", subject=f"Re: [#{ticket.number}] Locked out"))
    assert ticket.messages.count() == 2
    post(letter("Let me in", subject=f"Re: [#{ticket.number}] Locked out", sender="eve@evil.example"))
    assert ticket.messages.count() == 2 and Ticket.objects.count() == 2


def test_one_mail_in_two_mailboxes_is_one_ticket(post, letter, support):
    other = Mailbox.objects.create(slug="sales", name="Sales", address="sales@nordwind.example")
    mail = letter(to="support@nordwind.example, sales@nordwind.example", Message_ID="<both@carter.example>")
    post(mail)
    post(mail, mailbox=other)
    assert Ticket.objects.count() == 1 and Message.objects.count() == 1
    assert list(IncomingMail.objects.order_by("id").values_list("state", flat=True)) == ["ticketed", "ignored"]


def test_our_own_address_writing_to_us_ends_there(post, letter):
    post(letter(sender="Nordwind <support@nordwind.example>"))
    assert not Ticket.objects.exists() and "address of ours" in IncomingMail.objects.get().reason


def test_a_form_mailer_is_answered_where_it_says(post, letter):
    post(letter(sender="Shop <noreply@shop.example>", Reply_To="Ben <ben@carter.example>"))
    assert Ticket.objects.get().requester.email == "ben@carter.example"


def test_pictures_show_and_scripts_do_not(post, letter):
    mail = letter("plain")
    mail.add_alternative(
        '<p onclick="x()">See <img src="cid:pic@x"><script>steal()</script><img src="http://t.example/p.gif"></p>', subtype="html"
    )
    mail.get_payload()[1].add_related(b"\x89PNG fake", "image", "png", cid="<pic@x>")
    post(mail)
    message = Message.objects.get()
    picture = message.attachments.get(content_id="pic@x")
    assert f'src="/tickets/files/{picture.pk}/picture/large/"' in message.html
    assert "script" not in message.html and "onclick" not in message.html and ' src="http' not in message.html


class TestAnsweringACampaign:
    @pytest.fixture
    def sent(self, ben, support):
        topic = Topic.objects.create(slug="billing", name="Billing")
        row = Outgoing(
            key="campaign:1",
            kind="campaign.message",
            klass="lifecycle",
            lane="campaigns",
            customer=ben,
            address=ben.addresses.get(),
            to="ben@carter.example",
            mailbox=support,
            title="Card expires soon, 1 of 2",
            campaign_id=7,
            topic_id=topic.pk,
            due_at=dates.now(),
            state="unknown",
            sent_at=dates.now(),
            rendered={
                "subject": "Your card",
                "text": "Your card ends on 7 December.",
                "html": "<p>Your card ends on 7 December.</p>",
            },
        )
        outbox.plan([row])
        return row

    def test_his_answer_opens_a_ticket_that_knows_it(self, sent, post, letter, browser, ana):
        post(letter("It is in.", to=f"support+{sent.token}@nordwind.example", subject="Re: Your card"))
        ticket = Ticket.objects.get()
        assert (ticket.outgoing_id, ticket.campaign_id, ticket.topic_id) == (sent.pk, 7, sent.topic_id)
        opened = Event.objects.get(kind="ticket.opened")
        assert opened.payload["outgoing"] == sent.pk and opened.payload["campaign"] == 7
        sent.refresh_from_db()
        assert sent.state == "delivered"
        page = browser(ana).get(f"/tickets/{ticket.number}/").content.decode()
        assert "We wrote first" in page and "Card expires soon, 1 of 2" in page and "Your card ends on 7 December." in page
        shown = browser(ana).get(f"/tickets/{ticket.number}/sent/")
        assert b"<p>Your card ends on 7 December.</p>" in shown.content
        assert "sandbox" in shown["Content-Security-Policy"] and "default-src 'none'" in shown["Content-Security-Policy"]

    def test_a_second_answer_goes_on_with_it(self, sent, post, letter):
        for words in ("It is in.", "Or is it?"):
            post(letter(words, to=f"support+{sent.token}@nordwind.example"))
        assert Ticket.objects.get().messages.count() == 2

    def test_ten_thousand_vacations_open_nothing(self, sent, post, letter):
        post(letter("Away", to=f"support+{sent.token}@nordwind.example", Auto_Submitted="auto-replied"))
        assert not Ticket.objects.exists()


def test_the_same_mail_processed_twice_is_one_message(post, letter, ticket):
    post(letter("More", In_Reply_To="<first@carter.example>"))
    row = IncomingMail.objects.get()
    IncomingMail.objects.update(state="accepted", next_at=dates.now())
    process_due()
    row.refresh_from_db()
    assert ticket.messages.count() == 2 and row.state == "ticketed"
    assert Customer.objects.count() == 1


def test_one_mail_to_two_mailboxes_is_one_ticket_and_one_id_with_two_files_is_two_messages(post, letter, support):
    other = Mailbox.objects.create(slug="billing", name="Billing", address="billing@nordwind.example")
    first = letter("Here is the file.", Message_ID="<same@carter.example>")
    post(first)
    post(first, mailbox=other)
    assert Ticket.objects.count() == 1 and sorted(IncomingMail.objects.values_list("state", flat=True)) == ["ignored", "ticketed"]
    again = letter("Here is the file.", Message_ID="<same@carter.example>")
    again.add_attachment(b"what was missing", maintype="text", subtype="plain", filename="missing.txt")
    post(again)
    assert Message.objects.count() == 2 and Message.objects.latest("id").attachments.get().name == "missing.txt"
