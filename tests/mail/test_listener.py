"""Mail over SMTP, to the listener as it runs: 250 means committed."""

import signal
import smtplib
import socket
from collections.abc import Callable

import pytest

from helpdesk.customers.models import Customer
from helpdesk.lib import dates
from helpdesk.mail import inbox
from helpdesk.mail.models import IncomingMail, Mailbox, Outgoing
from tests.mail.conftest import Listener
from tests.mail.test_inbox import letter
from tickets.models import Message, Ticket

pytestmark = pytest.mark.django_db(transaction=True)


def deliver(port: int, raw: bytes, *to: str, sender: str = "ben@carter.example") -> dict[str, tuple[int, bytes]]:
    with smtplib.SMTP("127.0.0.1", port, timeout=20) as server:
        return server.sendmail(sender, list(to) or ["support@nordwind.example"], raw.replace(b"\n", b"\r\n"))


def code(port: int, raw: bytes, *to: str) -> int:
    """The reply code that refused it."""
    with pytest.raises((smtplib.SMTPResponseException, smtplib.SMTPRecipientsRefused)) as caught:
        deliver(port, raw, *to)
    error = caught.value
    return error.smtp_code if isinstance(error, smtplib.SMTPResponseException) else next(iter(error.recipients.values()))[0]


def test_what_it_accepts_is_there_after_kill_9_and_is_one_ticket(support: Mailbox, listen: Callable[..., Listener]) -> None:
    listener = listen()
    deliver(listener.port, letter())
    assert listener.stop(signal.SIGKILL) == -signal.SIGKILL
    row = IncomingMail.objects.get()
    assert (row.source, row.envelope_from, row.envelope_to) == ("smtp", "ben@carter.example", "support@nordwind.example")
    assert bytes(row.raw) == letter().replace(b"\n", b"\r\n")

    again = listen(listener.port)
    deliver(again.port, letter())  # the other side did not hear our 250 and comes again
    inbox.process_due()
    assert IncomingMail.objects.count() == Ticket.objects.count() == Message.objects.count() == 1
    assert again.stop() == 0


def test_who_gets_mail_here(support: Mailbox, ben: Customer, listen: Callable[..., Listener], settings: object) -> None:
    billing = Mailbox.objects.create(slug="billing", name="Billing", address="billing@nordwind.example")
    sent = Outgoing.objects.create(
        key="k",
        kind="ticket.reply",
        klass="reply",
        lane="replies",
        customer=ben,
        to="ben@carter.example",
        mailbox=billing,
        due_at=dates.now(),
        state="accepted",
    )
    port = listen(BOUNCE_ADDRESS="bounce@nordwind.example", SECRET_KEY=settings.SECRET_KEY).port  # type: ignore[attr-defined]
    for address in (
        "ana@nordwind.example",
        "support@elsewhere.example",
        "bounce@elsewhere.example",
        "support",
        "x+support@nordwind.example",
    ):
        assert code(port, letter(), address) == 550, address
    assert IncomingMail.objects.count() == 0

    deliver(port, letter("one"), "SUPPORT@Nordwind.Example")
    deliver(port, letter("two"), f"support+{sent.token}@nordwind.example")
    deliver(port, letter("three"), f"bounce+{sent.token}@nordwind.example", sender="")
    deliver(
        port, letter("four"), "support@nordwind.example", "billing@nordwind.example", f"support+{sent.token}@nordwind.example"
    )
    rows = [
        (row.mailbox.slug, row.envelope_to.partition("+")[0].partition("@")[0], "+" in row.envelope_to)
        for row in IncomingMail.objects.order_by("id").select_related("mailbox")
    ]
    assert rows == [
        ("support", "SUPPORT", False),
        ("support", "support", True),
        ("billing", "bounce", True),
        ("support", "support", True),
        ("billing", "billing", False),
    ]


def test_too_large_is_refused_for_good(support: Mailbox, listen: Callable[..., Listener]) -> None:
    port = listen(MAIL_MAX_BYTES="20000").port
    assert code(port, letter("x" * 70 + "\n") + b"long line\n" * 3000) == 552
    deliver(port, letter("fits"))
    assert IncomingMail.objects.count() == 1


def test_without_the_database_nothing_is_accepted_nor_lost(support: Mailbox, listen: Callable[..., Listener]) -> None:
    port = listen(DATABASE_URL="postgres://nobody@127.0.0.1:1/none").port
    assert code(port, letter()) == 451
    assert code(port, letter(), "ana@nordwind.example") == 451  # whether it is ours is not known now


def test_a_connection_that_breaks_off_accepts_nothing(support: Mailbox, listen: Callable[..., Listener]) -> None:
    listener = listen()
    with socket.create_connection(("127.0.0.1", listener.port), timeout=10) as line:
        line.recv(1000)
        for word in (b"EHLO x", b"MAIL FROM:<ben@carter.example>", b"RCPT TO:<support@nordwind.example>", b"DATA"):
            line.sendall(word + b"\r\n")
            line.recv(1000)
        line.sendall(b"Subject: half\r\n\r\nhalf a mes")
    deliver(listener.port, letter())
    assert IncomingMail.objects.count() == 1


def test_a_line_of_two_thousand_characters_is_taken(support: Mailbox, listen: Callable[..., Listener]) -> None:
    deliver(listen().port, letter("x" * 2000 + "\n" + "y" * 100_000 + "\n"))
    assert IncomingMail.objects.count() == 1
