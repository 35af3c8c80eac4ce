"""The backstops of automatic mail: two machines that answer each other stop, and no address drowns in what we write alone."""

from datetime import timedelta
from email.message import EmailMessage
from email.utils import parseaddr

import pytest

from helpdesk.customers import identity
from helpdesk.lib import dates
from helpdesk.mail import outbox
from helpdesk.mail.models import IncomingMail, Outgoing, State
from tests.mail.test_inbox import came, letter
from tickets import replies
from tickets.models import Ticket

pytestmark = pytest.mark.django_db
WE_HAVE_IT = {"do": "send", "subject": "We have your message", "body": "We read it soon.", "too_late": None, "fallbacks": {}}


@pytest.mark.parametrize("way", ["to our token", "by its ids", "as a new mail"])
def test_two_helpdesks_that_answer_each_other_stop_within_three_messages_each(campaign, support, drain, sink, way):
    """Ours thanks for each ticket by a journey; theirs thanks for each mail, and nothing in it says that it is a machine."""
    campaign(klass="transactional", trigger_kind="ticket.opened", entry_key="ticket", exit_kind="", steps=[WE_HAVE_IT])
    other = "help@other.example"

    def theirs(number, answered=None):
        mail = EmailMessage()
        mail["From"], mail["Subject"] = f"Other help <{other}>", f"We received your request {number}"
        mail["To"] = parseaddr(answered.message["Reply-To"])[1] if answered and way == "to our token" else support.address
        mail["Message-ID"] = f"<{number}@other.example>"
        if answered and way == "by its ids":
            mail["In-Reply-To"] = mail["References"] = answered.message["Message-ID"]
        mail.set_content(f"Thank you, we look into it. Your number is {number}.")
        assert came(mail.as_bytes(), support, source="smtp", envelope_from=other).state == IncomingMail.State.TICKETED

    theirs(0)
    answered = 0
    drain()
    while len(sink.to(other)) > answered < 8:
        for got in sink.to(other)[answered:]:
            answered += 1
            theirs(answered, got)
        drain()
    assert 0 < len(sink.to(other)) <= 3
    assert IncomingMail.objects.count() <= 3
    (stopped,) = Outgoing.objects.filter(state=State.WITHHELD)
    assert stopped.reason == "Too much automatic mail to this address: each message was answered within minutes"
    with dates.moved(by=timedelta(minutes=11)):
        theirs("eleven minutes later")
        drain()
    assert sink.to(other)[-1].message["Subject"] == "We have your message" and len(sink.to(other)) == answered + 1


def planned(address, number, **fields):
    values = {
        "kind": "account.mail",
        "klass": "transactional",
        "lane": "replies",
        "customer_id": address.customer_id,
        "address": address,
        "to": address.shown,
        "due_at": dates.now(),
        "variables": {"subject": "Hello", "text": "There", "html": ""},
    }
    rows = outbox.plan([Outgoing(key=f"planned:{Outgoing.objects.count()}:{n}", **values | fields) for n in range(number)])
    return Outgoing.objects.filter(pk__in=[row.pk for row in rows])


def test_ten_about_a_ticket_and_thirty_over_all_in_ten_minutes_and_a_person_is_not_counted(ben, cleo, support, ana, drain, sink):
    his, hers = ben.addresses.get(), cleo.addresses.get()
    about_one = planned(his, 12, ticket_id=1)
    drain()
    assert about_one.filter(state=State.ACCEPTED).count() == 10
    assert {row.reason for row in about_one.filter(state=State.WITHHELD)} == {"Too much automatic mail to this address"}
    about_none = planned(his, 25)
    drain()
    assert about_none.filter(state=State.ACCEPTED).count() == 20
    planned(hers, 1)
    ticket = Ticket.objects.get(pk=came(letter(), support).ticket_id)
    replies.reply(ticket, "A person's answer.", by=ana)
    with dates.moved(by=timedelta(minutes=1)):
        drain()
    assert len(sink.to(hers.shown)) == 1 and "A person's answer." in sink.to(his.shown)[-1].text
    with dates.moved(by=timedelta(minutes=11)):
        later = planned(his, 1, ticket_id=1)
        drain()
        assert later.get().state == State.ACCEPTED


@pytest.mark.parametrize("name", ["Support+x@nordwind.example", "no-reply@shop.example", "postmaster@shop.example"])
def test_none_goes_to_ourselves_or_where_nobody_reads(campaign, happens, support, drain, sink, name):
    campaign(klass="transactional", trigger_kind="order_shipped", steps=[WE_HAVE_IT])
    happens("order_shipped", identity.customer_for_address(name), order_id="A-1")
    drain()
    row = Outgoing.objects.get()
    assert sink == [] and row.state == State.WITHHELD and row.reason.startswith("Nobody reads behind this address")


def test_what_a_machine_writes_starts_no_journey(campaign, support, drain, sink):
    campaign(klass="transactional", trigger_kind="ticket.opened", entry_key="ticket", exit_kind="", steps=[WE_HAVE_IT])
    came(letter(more="Auto-Submitted: auto-generated\n"), support)
    drain()
    assert Ticket.objects.count() == 1 and not Outgoing.objects.exists() and sink == []


def test_a_flood_from_one_address_is_kept_and_wakes_nothing_until_a_person_answers(support, ana, drain):
    def writes(n):
        more = "In-Reply-To: <0@carter.example>\n" if n else ""
        row = came(letter(f"Line {n}", message_id=f"<{n}@carter.example>", more=more), support)
        return Ticket.objects.get(pk=row.ticket_id).messages.get(pk=row.ticket_message_id)

    first = [writes(n) for n in range(10)]
    ticket = first[0].ticket
    assert {message.kind for message in first} == {"customer"}
    eleventh = writes(10)
    assert eleventh.ticket_id == ticket.pk and eleventh.kind == "automatic"
    assert eleventh.reason == "More than 10 messages from this address within ten minutes"
    ticket.refresh_from_db()
    assert ticket.waiting_since == first[0].at  # nobody waits unheard
    replies.reply(ticket, "I am here, one moment.", by=ana)
    assert writes(11).kind == "customer"
    ticket.refresh_from_db()
    assert ticket.waits_on_us
