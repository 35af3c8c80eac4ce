# ruff: noqa: E501 - mail is as wide as it is
"""A mail comes in by the pipe, and everything it can become."""

import io
import os
import re
import subprocess
import sys
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import override_settings

from helpdesk.customers import consent
from helpdesk.customers.models import Address, Customer
from helpdesk.lib import dates
from helpdesk.mail import inbox
from helpdesk.mail.models import IncomingMail, Mailbox, Outgoing
from helpdesk.mail.parsing import guard
from tests.mail.conftest import database_url
from tests.mail.test_reports import dsn, failed
from tickets.models import Message, Ticket

ROOT = Path(__file__).resolve().parents[2]
REAL = ROOT.parent / "shared" / "data" / "mail"
State = IncomingMail.State
pytestmark = pytest.mark.django_db


def letter(
    words: str = "My router blinks red.", *, sender: str = "Ben Carter <ben@carter.example>", subject: str = "Router",
    message_id: str = "<one@carter.example>", more: str = "",
) -> bytes:  # fmt: skip
    head = f"From: {sender}\nTo: support@nordwind.example\nSubject: {subject}\nMessage-ID: {message_id}\nDate: Mon, 6 May 2024 10:00:00 +0000\n{more}"
    return f"{head}\n{words}\n".encode()


def came(raw: bytes, mailbox: Mailbox, **envelope: Any) -> IncomingMail:
    """Accept and process one mail; the row as it ended."""
    row = inbox.receive(raw, mailbox, **{"source": "pipe", **envelope})
    inbox.process_due()
    return IncomingMail.objects.get(pk=row.pk)


@pytest.fixture
def sent(support: Mailbox, ben: Customer) -> Outgoing:
    """A message of ours that left for Ben."""
    return Outgoing.objects.create(
        key="test", kind="ticket.reply", klass="reply", lane="replies", customer=ben, address=ben.addresses.get(), to="ben@carter.example",
        mailbox=support, due_at=dates.now(), state="accepted", attempts=1, title="Your router",
    )  # fmt: skip


def bounce_to(sent: Outgoing, raw: bytes) -> bytes:
    return f"Delivered-To: bounce+{sent.token}@nordwind.example\n".encode() + raw


# --- ticketed ---------------------------------------------------------------------------------------------------------


def test_a_mail_opens_a_ticket_and_its_answer_goes_on_with_it(support: Mailbox) -> None:
    row = came(letter(), support)
    assert (row.state, row.attempts, row.owner, row.lease_until) == (State.TICKETED, 1, "", None)
    ticket = Ticket.objects.get(pk=row.ticket_id)
    assert ticket.subject == "Router" and ticket.requester.email == "ben@carter.example"
    assert Message.objects.get(pk=row.ticket_message_id).text == "My router blinks red."

    more = letter(
        "It still does.", message_id="<two@carter.example>", subject="Re: Router", more="In-Reply-To: <one@carter.example>\n"
    )
    assert came(more, support).ticket_id == ticket.pk
    assert Ticket.objects.count() == 1 and ticket.messages.count() == 2


def test_kept_byte_for_byte(support: Mailbox) -> None:
    raw = b"From: ben@carter.example\r\nSubject: \xff\x00\r\n\r\n\x00\xff\xfe caf\xe9\r\n"
    row = came(raw, support)
    assert bytes(row.raw) == raw and row.state == State.TICKETED


def test_a_mail_twice_is_one_whatever_the_way_and_the_trace(support: Mailbox) -> None:
    first = inbox.receive(letter(), support, source="pipe")
    traced = b"Return-Path: <ben@carter.example>\r\nReceived: from a\r\n\tby b; Mon, 6 May 2024\r\nDelivered-To: x@y.example\r\n"
    again = inbox.receive(traced + letter().replace(b"\n", b"\r\n") + b"\r\n", support, source="smtp")
    inbox.process_due()
    late = inbox.receive(b"From ben@carter.example Mon May  6\n" + letter(), support, source="imap", uidvalidity=1, uid=1)
    assert first.pk == again.pk == late.pk
    assert Ticket.objects.count() == 1 and Message.objects.count() == 1


@pytest.mark.parametrize("other", [
    letter("Other words."),  # the same Message-ID
    letter(message_id="<other@carter.example>"),  # the same words
    letter(subject="Router!"),
    letter() + b"and more",
])  # fmt: skip
def test_a_mail_that_differs_is_another(support: Mailbox, other: bytes) -> None:
    assert inbox.receive(letter(), support, source="pipe").pk != inbox.receive(other, support, source="pipe").pk


def test_one_mail_to_two_of_our_mailboxes_is_one_ticket(support: Mailbox) -> None:
    billing = Mailbox.objects.create(slug="billing", name="Billing", address="billing@nordwind.example")
    first, second = came(letter(), support), came(letter(), billing)
    assert (first.state, second.state) == (State.TICKETED, State.IGNORED)
    assert "copy" in second.reason and second.ticket_id == first.ticket_id
    assert Ticket.objects.count() == 1 and Message.objects.count() == 1


# --- threading --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", [
    "To: support+{token}@nordwind.example\n", "Cc: x@y.example, SUPPORT+{TOKEN}@nordwind.example\n", "Delivered-To: support+{token}@nordwind.example\n",
    "X-Original-To: support+{token}@nordwind.example\n", "In-Reply-To: <{token}.1@nordwind.example>\n",
    "References: <x@y> <{token}.3@nordwind.example> <z@y>\n", "envelope",
])  # fmt: skip
def test_what_it_answers_is_known_by_our_signature(support: Mailbox, sent: Outgoing, place: str) -> None:
    line = place.format(token=sent.token, TOKEN=sent.token.upper())
    envelope = f"support+{sent.token}@nordwind.example" if place == "envelope" else ""
    raw = letter(more="" if envelope else line).replace(b"To: support@nordwind.example\n", b"", 1 if line.startswith("To") else 0)
    assert came(raw, support, envelope_to=envelope).outgoing_id == sent.pk


def test_the_newest_reference_counts(support: Mailbox, sent: Outgoing, ben: Customer) -> None:
    older = Outgoing.objects.create(
        key="older",
        kind="ticket.reply",
        klass="reply",
        lane="replies",
        customer=ben,
        to=sent.to,
        mailbox=support,
        due_at=dates.now(),
        state="accepted",
    )
    raw = letter(more=f"References: <{older.token}.1@nordwind.example> <{sent.token}.1@nordwind.example>\n")
    assert came(raw, support).outgoing_id == sent.pk


@pytest.mark.parametrize("forged", [
    "a" * 39, "{cut}", "{changed}", "{pk}", "notify-1-1-abc", "{token}x", "",
])  # fmt: skip
def test_a_token_that_does_not_verify_names_nothing(support: Mailbox, sent: Outgoing, forged: str) -> None:
    """Gauntlet rows 1 and 5: no guess, no cut or changed token, no legacy form."""
    changed = ("b" if sent.token[20] != "b" else "c").join([sent.token[:20], sent.token[21:]])
    token = forged.format(cut=sent.token[:-1], changed=changed, pk=sent.pk, token=sent.token)
    raw = letter(more=f"Cc: support+{token}@nordwind.example\nIn-Reply-To: <{token}.1@nordwind.example>\n")
    assert came(raw, support).outgoing_id is None


# --- bounces ----------------------------------------------------------------------------------------------------------


def test_a_bounce_by_our_return_path_makes_the_address_unreachable(support: Mailbox, sent: Outgoing) -> None:
    row = came(bounce_to(sent, dsn(failed("5.1.1", "550 5.1.1 User unknown"))), support)
    sent.refresh_from_db()
    address = Address.objects.get(canonical="ben@carter.example")
    assert row.state == State.IGNORED and "User unknown" in row.reason
    assert (sent.state, sent.reason) == ("bounced", "550 5.1.1 User unknown")
    assert address.reachability == "unreachable" and Ticket.objects.count() == 0


def test_a_bounce_is_known_by_the_message_id_in_what_came_back(support: Mailbox, sent: Outgoing) -> None:
    came(dsn(failed("5.1.1"), returned=f"Message-ID: <{sent.token}.1@nordwind.example>"), support)
    sent.refresh_from_db()
    assert sent.state == "bounced"


@pytest.mark.parametrize("kind", ["hard", "complaint"])
def test_a_forged_bounce_changes_nothing(support: Mailbox, sent: Outgoing, kind: str) -> None:
    """Else anyone could make anyone unreachable."""
    report = dsn(failed("5.1.1"), returned="Message-ID: <1.1@nordwind.example>\nTo: ben@carter.example")
    if kind == "complaint":
        report = report.replace(
            b"message/delivery-status", b"message/feedback-report\n\nFeedback-Type: abuse\nOriginal-Rcpt-To: <ben@carter.example>"
        )
    row = came(b"Delivered-To: bounce+" + b"a" * 39 + b"@nordwind.example\n" + report, support)
    sent.refresh_from_db()
    assert row.state == State.IGNORED and "no message of ours" in row.reason
    assert sent.state == "accepted" and not consent.suppressed(["ben@carter.example"])
    assert Address.objects.get(canonical="ben@carter.example").reachability != "unreachable"


def test_three_full_mailboxes_in_five_make_it_unreachable_and_a_mail_heals_it(support: Mailbox, ben: Customer) -> None:
    address = ben.addresses.get()
    for number in range(3):
        assert address.reachability != "unreachable"
        mail = Outgoing.objects.create(
            key=f"k{number}",
            kind="ticket.reply",
            klass="reply",
            lane="replies",
            customer=ben,
            address=address,
            to="ben@carter.example",
            mailbox=support,
            due_at=dates.now(),
            state="accepted",
        )
        with dates.moved(by=timedelta(hours=number)):
            came(bounce_to(mail, dsn(failed("5.2.2", f"552 5.2.2 mailbox full {number}"))), support)
        address.refresh_from_db()
    assert address.reachability == "unreachable"
    with dates.moved(by=timedelta(hours=8)):  # a machine that names Ben writes from elsewhere: that heals nothing
        came(letter(sender="noreply@shop.example", more="Reply-To: ben@carter.example\n", message_id="<a@shop.example>"), support)
    address.refresh_from_db()
    assert address.reachability == "unreachable" and Ticket.objects.get().requester == ben
    with dates.moved(by=timedelta(hours=9)):
        came(letter(), support)
    address.refresh_from_db()
    assert address.reachability == "reachable"


@pytest.mark.parametrize(("status", "action", "state"), [
    ("5.7.1", "failed", "bounced"), ("5.3.4", "failed", "bounced"), ("4.4.1", "delayed", "accepted"), ("2.0.0", "delivered", "accepted"),
])  # fmt: skip
def test_reports_that_blame_no_address(support: Mailbox, sent: Outgoing, status: str, action: str, state: str) -> None:
    came(bounce_to(sent, dsn(failed(status, "x", action))), support)
    sent.refresh_from_db()
    address = Address.objects.get(canonical="ben@carter.example")
    assert sent.state == state
    assert address.reachability != "unreachable" and address.soft_failures == []


def test_a_complaint_suppresses_at_once(support: Mailbox, sent: Outgoing) -> None:
    raw = (
        "From: feedback@arf.example\nContent-Type: multipart/report; boundary=b\n\n--b\nContent-Type: message/feedback-report\n\n"
        f"Feedback-Type: abuse\n\n--b\nContent-Type: message/rfc822\n\nMessage-ID: <{sent.token}.1@nordwind.example>\nTo: ben@carter.example\n\n--b--\n"
    )
    row = came(raw.encode(), support)
    sent.refresh_from_db()
    assert row.state == State.IGNORED and sent.state == "complained"
    assert consent.suppressed(["ben@carter.example"]) == {"ben@carter.example"}


def test_the_bounce_of_one_who_reads_along_blames_them_alone(support: Mailbox, sent: Outgoing) -> None:
    Outgoing.objects.filter(pk=sent.pk).update(cc=["cleo@marchetti.example"])
    came(bounce_to(sent, dsn(failed("5.1.1", who="cleo@marchetti.example"))), support)
    sent.refresh_from_db()
    assert sent.state == "accepted"
    assert Address.objects.get(canonical="ben@carter.example").reachability != "unreachable"


def test_an_out_of_office_to_our_return_path_opens_nothing(support: Mailbox, sent: Outgoing) -> None:
    row = came(b"Return-Path: <>\n" + bounce_to(sent, letter("I am away.", more="Auto-Submitted: auto-replied\n")), support)
    assert row.state == State.IGNORED and row.outgoing_id == sent.pk
    assert Ticket.objects.count() == 0


def test_the_null_sender_of_smtp_is_automatic(support: Mailbox, sent: Outgoing) -> None:
    row = came(letter("I am away."), support, source="smtp", envelope_to=f"bounce+{sent.token}@nordwind.example")
    assert row.state == State.IGNORED and "return path" in row.reason


# --- trouble ----------------------------------------------------------------------------------------------------------


def test_a_mail_that_breaks_the_reader_is_quarantined_and_the_next_goes_on(
    support: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(raw: bytes) -> Any:
        if b"bomb" in raw:
            raise guard.TooHard("Reading this message needed too much memory.")
        return guard.read_guarded(raw)

    monkeypatch.setattr(inbox, "read_guarded", read)
    bomb = inbox.receive(letter("bomb"), support, source="pipe")
    good = came(letter(message_id="<good@x>"), support)
    bomb.refresh_from_db()
    assert (bomb.state, good.state) == (State.QUARANTINED, State.TICKETED)
    assert "too much memory" in bomb.reason


def test_after_five_failures_it_is_quarantined_with_its_reason(support: Mailbox, settings: Any) -> None:
    settings.MAIL_HANDLER = "tests.mail.test_inbox.broken_handler"
    row = inbox.receive(letter(), support, source="pipe")
    for hours in range(6):
        with dates.moved(by=timedelta(hours=hours)):
            inbox.process_due()
        row.refresh_from_db()
        assert row.state == (State.ACCEPTED if hours < 4 else State.QUARANTINED)
    assert row.attempts == 5 and "no such column" in row.reason and row.owner == ""
    assert Customer.objects.filter(addresses__canonical="half@way.example").count() == 0  # what it had written is gone


def broken_handler(mail: Any, row: IncomingMail) -> Any:
    from helpdesk.customers import identity

    identity.customer_for_address("half@way.example")
    raise LookupError("no such column")


def test_a_worker_that_vanished_is_followed_by_another_after_its_lease(support: Mailbox) -> None:
    row = inbox.receive(letter(), support, source="pipe")
    assert inbox.claim("dead:1") == row
    assert inbox.claim("other:1") is None
    _let_lapse(row)
    inbox.process_due()
    row.refresh_from_db()
    assert (row.state, row.attempts) == (State.TICKETED, 2)


def test_a_worker_that_comes_back_too_late_writes_nothing(support: Mailbox) -> None:
    """SIGSTOP for longer than the lease, then SIGCONT."""
    row = inbox.receive(letter(), support, source="pipe")
    claimed = inbox.claim("sleeper:1")
    _let_lapse(row)
    inbox.process(claimed, "sleeper:1")
    row.refresh_from_db()
    assert row.state == State.ACCEPTED and not Message.objects.exists()  # perhaps somebody else is at it
    inbox.process_due()
    inbox.process(claimed, "sleeper:1")
    row.refresh_from_db()
    assert row.state == State.TICKETED and Message.objects.count() == 1


def test_five_workers_that_vanish_end_in_quarantine(support: Mailbox) -> None:
    row = inbox.receive(letter(), support, source="pipe")
    for number in range(5):
        assert inbox.claim(f"dead:{number}") == row
        _let_lapse(row)
    inbox.process_due()
    row.refresh_from_db()
    assert row.state == State.QUARANTINED and row.reason


def _let_lapse(row: IncomingMail) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE mail_incomingmail SET lease_until = clock_timestamp() - interval '1 second' WHERE id = %s", [row.pk]
        )


def test_without_a_sender_it_is_quarantined(support: Mailbox) -> None:
    row = came(b"Subject: nobody\n\nHello", support)
    assert row.state == State.QUARANTINED and row.reason


@pytest.mark.skipif(not REAL.is_dir(), reason="the folder of real messages (../shared/data/mail) is not there")
def test_every_real_message_has_one_end_with_its_reason(support: Mailbox) -> None:
    paths = sorted(REAL.glob("*.eml"))
    rows: dict[int, Path] = {}
    for path in paths:
        rows.setdefault(inbox.receive(path.read_bytes(), support, source="pipe").pk, path)  # some are copies of others
    while inbox.process_due():
        pass
    ends: Counter[str] = Counter()
    for pk, path in rows.items():
        row, name = IncomingMail.objects.get(pk=pk), path.name
        ends[row.state] += 1
        assert row.state in (State.TICKETED, State.IGNORED, State.QUARANTINED), name
        assert (row.state == State.TICKETED) == bool(row.ticket_id and not row.reason) or row.state == State.IGNORED, name
        assert row.reason or row.state == State.TICKETED, name
        assert not re.search(r"Error|Exception", row.reason), (name, row.reason)
        assert bytes(row.raw) == path.read_bytes(), name
    assert len(rows) > 0.9 * len(paths)
    assert ends[State.TICKETED] > 0.85 * len(rows) and ends[State.QUARANTINED] < 0.05 * len(rows), ends


# --- the pipe ---------------------------------------------------------------------------------------------------------


def pipe(raw: bytes, *arguments: str, **environment: str) -> subprocess.CompletedProcess[bytes]:

    return subprocess.run(
        [sys.executable, "manage.py", "receive_mail", *arguments],
        input=raw,
        cwd=ROOT,
        capture_output=True,
        env={**os.environ, "DATABASE_URL": database_url(), **environment},
        check=False,
    )


@pytest.mark.django_db(transaction=True)
def test_the_pipe_says_by_its_exit_code_what_became_of_a_mail(support: Mailbox, monkeypatch: Any) -> None:
    accepted = pipe(letter(), "--mailbox", "support")
    assert accepted.returncode == 0, accepted.stderr
    assert IncomingMail.objects.get().source == "pipe"
    away = pipe(letter("Other"), DATABASE_URL="postgres://nobody@127.0.0.1:1/none")
    assert away.returncode == 75 and b"Traceback" not in away.stderr

    def code(raw: bytes, *arguments: str) -> int:
        """Of the same command in this process, which starts sooner."""
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(raw)))
        try:
            call_command("receive_mail", *arguments, stdout=io.StringIO())
        except CommandError as error:
            return error.returncode
        return 0

    assert code(letter()) == 0 and IncomingMail.objects.count() == 1  # the default mailbox; the same mail
    assert code(letter(), "--mailbox", "nobody") == 64
    assert code(letter("Elsewhere"), "--to", "nobody@elsewhere.example") == 67
    assert code(b"") == 65
    with override_settings(MAIL_MAX_BYTES=10):
        assert code(letter()) == 65
    assert IncomingMail.objects.count() == 1
