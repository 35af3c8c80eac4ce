"""Out and in again: what customers and their mail systems do with the very bytes that we sent."""

from collections.abc import Callable
from datetime import timedelta
from email.message import EmailMessage

import pytest

from helpdesk.accounts.models import User
from helpdesk.customers.models import Address
from helpdesk.lib import dates
from helpdesk.mail import mime
from helpdesk.mail.models import IncomingMail, Mailbox, Outgoing
from helpdesk.mail.parsing import read
from helpdesk.mail.verdicts import Content
from tests.conftest import Letter, Sink
from tests.mail.test_inbox import came, letter
from tests.mail.test_reports import dsn, failed
from tickets import replies
from tickets.models import Message, Ticket

pytestmark = pytest.mark.django_db


@pytest.fixture
def sent(support: Mailbox, ana: User, sink: Sink, drain: Callable[[], None]) -> Letter:
    """Ben wrote, Ana answered, and her answer left."""
    ticket = Ticket.objects.get(pk=came(letter(), support).ticket_id)
    replies.reply(ticket, "Please try the new firmware.", by=ana)
    with dates.moved(by=timedelta(minutes=5)):
        drain()
    return next(each for each in sink.to("ben@carter.example") if "firmware" in each.text)


def answer(
    sent: Letter, *, to: str = "", sender: str = "Ben Carter <ben@carter.example>", thread: bool = True, more: str = ""
) -> bytes:
    mail = EmailMessage()
    mail["From"], mail["To"] = sender, to or str(sent.message["Reply-To"])
    mail["Subject"], mail["Message-ID"] = "Re: Router", f"<{abs(hash((to, sender, thread, more)))}@carter.example>"
    if thread:
        mail["In-Reply-To"] = str(sent.message["Message-ID"])
    mail.set_content(
        f"It works now.{more}\n\nOn Mon, 6 May 2024 at 10:12, Nordwind <support@nordwind.example> wrote:\n> new firmware?\n"
    )
    return mail.as_bytes()


def envelope(sent: Letter) -> dict[str, str]:
    return {"source": "smtp", "envelope_from": "ben@carter.example", "envelope_to": str(sent.message["Reply-To"])}


def test_the_answer_lands_on_the_ticket_with_its_new_part(support: Mailbox, sent: Letter) -> None:
    row = came(answer(sent), support, **envelope(sent))
    message = Message.objects.get(pk=row.ticket_message_id)
    assert row.ticket_id == Ticket.objects.get().pk and not message.stranger
    assert message.text == "It works now." and "new firmware?" in message.quote
    assert Outgoing.objects.get(pk=row.outgoing_id).state == "delivered"  # an answer is evidence that it arrived


def test_a_relay_that_drops_the_plus_part(support: Mailbox, sent: Letter) -> None:
    assert came(answer(sent, to="support@nordwind.example"), support).ticket_id == Ticket.objects.get().pk


def test_a_relay_that_rewrites_the_ids(support: Mailbox, sent: Letter) -> None:
    assert came(answer(sent, thread=False), support).ticket_id == Ticket.objects.get().pk


def test_a_stranger_is_heard_and_marked_and_gets_nothing(
    support: Mailbox, sent: Letter, sink: Sink, drain: Callable[[], None]
) -> None:
    """Gauntlet rows 1 and 7."""
    row = came(answer(sent, sender="Eve <eve@evil.example>"), support, **envelope(sent))
    ticket = Ticket.objects.get()
    assert row.ticket_id == ticket.pk and Message.objects.get(pk=row.ticket_message_id).stranger
    assert ticket.requester.email == "ben@carter.example" and not ticket.participants.exists()
    drain()
    assert sink.to("eve@evil.example") == []


def test_their_mail_system_says_that_it_did_not_arrive(support: Mailbox, sent: Letter) -> None:
    """The report goes to the envelope's sender, which names the message."""
    row = came(
        dsn(failed("5.1.1", "550 5.1.1 User unknown"), returned="Subject: x"),
        support,
        source="smtp",
        envelope_to=sent.envelope_from,
    )
    assert row.state == IncomingMail.State.IGNORED
    assert Outgoing.objects.get(pk=row.outgoing_id).state == "bounced"
    assert Address.objects.get(canonical="ben@carter.example").reachability == "unreachable"


def test_their_autoresponder_starts_nothing(support: Mailbox, sent: Letter, sink: Sink, drain: Callable[[], None]) -> None:
    before = len(sink)
    raw = b"Auto-Submitted: auto-replied\n" + answer(sent, more=" I am away.")
    row = came(raw, support, source="smtp", envelope_to=sent.envelope_from)
    ticket = Ticket.objects.get()
    assert row.state in ("ticketed", "ignored") and ticket.waiting_since is None
    with dates.moved(by=timedelta(minutes=5)):
        drain()
    assert len(sink) == before


def test_our_own_automatic_mail_is_known_even_when_a_relay_changed_it(support: Mailbox, sent: Letter) -> None:
    """Two helpdesks that write to each other stop."""
    row = Outgoing.objects.get()
    row.rfc_id = mime.message_id(row)
    raw = mime.build(row, Content("We have it", "We read it soon.", automatic="auto-generated"))
    assert read(raw).automatic == read(raw.replace(b"Auto-Submitted:", b"X-Relayed:")).automatic == "our own automatic mail"
    assert read(sent.raw).automatic is None  # what a person wrote
