"""Mail from a real IMAP server: each mail once, whatever happens in between."""

from collections.abc import Iterator
from typing import Any

import pytest

from helpdesk.accounts import vault
from helpdesk.mail import imap as client
from helpdesk.mail import inbox, tasks
from helpdesk.mail.models import IncomingMail, Mailbox
from tests.mail.conftest import Imap
from tests.mail.test_inbox import letter
from tickets.models import Ticket

pytestmark = pytest.mark.django_db


def mail(number: int) -> bytes:
    return letter(f"Mail {number}", message_id=f"<{number}@carter.example>")


@pytest.fixture
def box(support: Mailbox, imap: Imap) -> Iterator[Mailbox]:
    support.imap_host, support.imap_port, support.imap_tls = "127.0.0.1", imap.port, False
    support.imap_user, support.imap_secret = imap.user, vault.seal("secret")
    support.save()
    yield support


def look(box: Mailbox) -> int:
    box.refresh_from_db()
    return client.fetch(box)


def test_mail_becomes_tickets_and_is_seen_only_then(box: Mailbox, imap: Imap) -> None:
    imap.put(mail(1), mail(2))
    assert imap.flags() == [(), ()]
    tasks.fetch_mailboxes()
    tasks.process_incoming()
    assert Ticket.objects.count() == 2
    assert imap.flags() == [("\\Seen",), ("\\Seen",)]
    row = IncomingMail.objects.earliest("id")
    assert row.source == "imap" and bytes(row.raw) == mail(1).replace(b"\n", b"\r\n")
    box.refresh_from_db()
    assert (row.uidvalidity, row.uid, box.last_uid, box.last_error) == (box.uidvalidity, 1, 2, "")

    imap.put(mail(3))
    assert look(box) == 1
    assert look(box) == 0
    assert IncomingMail.objects.count() == 3


def test_what_a_person_read_elsewhere_is_fetched_all_the_same(box: Mailbox, imap: Imap) -> None:
    imap.put(mail(1))
    look(box)
    imap.put(mail(2))
    with imap.client() as server:
        server.flag("2", "\\Seen", True)
    assert look(box) == 1


def test_an_old_mailbox_does_not_become_a_thousand_tickets(box: Mailbox, imap: Imap) -> None:
    imap.put(mail(1), mail(2))
    with imap.client() as server:
        server.flag("1", "\\Seen", True)
    assert look(box) == 1
    assert look(box) == 0


def test_killed_after_the_commit_and_before_the_mark(box: Mailbox, imap: Imap, monkeypatch: pytest.MonkeyPatch) -> None:
    imap.put(mail(1), mail(2))

    class Killed(BaseException):
        pass

    def flag(*_: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(client.MailBoxUnencrypted, "flag", flag)
        look(box)
    assert IncomingMail.objects.count() == 1
    look(box)
    assert IncomingMail.objects.count() == 2


def test_killed_before_the_commit_leaves_the_mail_unseen(box: Mailbox, imap: Imap, monkeypatch: pytest.MonkeyPatch) -> None:
    imap.put(mail(1))
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(inbox, "digest", lambda raw: (_ for _ in ()).throw(KeyboardInterrupt))
        look(box)
    assert IncomingMail.objects.count() == 0 and imap.flags() == [()]
    assert look(box) == 1 and IncomingMail.objects.count() == 1


def test_new_numbers_for_old_mail_make_no_second_ticket(box: Mailbox, imap: Imap) -> None:
    """UIDVALIDITY changed: all is looked at again, and known by its content."""
    imap.put(mail(1), mail(2))
    look(box)
    before = box.uidvalidity
    imap.renumber()
    imap.put(mail(3))
    look(box)
    box.refresh_from_db()
    assert box.uidvalidity != before
    assert IncomingMail.objects.count() == 3
    imap.put(mail(4))
    assert look(box) == 1


def test_new_numbers_below_the_old_ones_lose_nothing(box: Mailbox, imap: Imap) -> None:
    imap.put(mail(1), mail(2))
    look(box)
    with imap.client() as server:
        server.delete(["1", "2"])
    imap.renumber()
    imap.put(mail(3))
    assert look(box) == 1
    assert IncomingMail.objects.filter(uid=1, message_id="").count() == 2  # number 1 of before, and number 1 of now


def test_a_mail_by_imap_and_by_smtp_is_one(box: Mailbox, imap: Imap) -> None:
    inbox.receive(mail(1), box, source="smtp", envelope_from="ben@carter.example")
    imap.put(b"Return-Path: <ben@carter.example>\nReceived: from a by b\n" + mail(1))
    look(box)
    assert IncomingMail.objects.count() == 1 and imap.flags() == [("\\Seen",)]


def test_too_large_is_set_aside_and_the_next_goes_on(box: Mailbox, imap: Imap, settings: Any) -> None:
    settings.MAIL_MAX_BYTES = 5_000
    imap.put(mail(1) + b"x" * 10_000, mail(2))
    look(box)
    inbox.process_due()
    large, small = IncomingMail.objects.order_by("id")
    assert large.state == "quarantined" and "10" in large.reason and bytes(large.raw).startswith(b"From: Ben")
    assert small.state == "ticketed"


def test_a_mailbox_that_fails_says_why_and_holds_up_no_other(box: Mailbox, imap: Imap) -> None:
    wrong = Mailbox.objects.create(
        slug="wrong",
        name="Wrong",
        address="wrong@nordwind.example",
        imap_host="127.0.0.1",
        imap_port=imap.port,
        imap_tls=False,
        imap_user=imap.user,
        imap_secret=vault.seal("not it"),
    )
    away = Mailbox.objects.create(slug="away", name="Away", address="away@nordwind.example", imap_host="127.0.0.1", imap_port=1)
    imap.put(mail(1))
    client.fetch_all()
    for one in (wrong, away, box):
        one.refresh_from_db()
    assert "AUTH" in wrong.last_error.upper() and "refused" in away.last_error and box.last_error == ""
    assert IncomingMail.objects.count() == 1

    wrong.imap_secret = vault.seal("secret")
    wrong.save()
    look(wrong)
    wrong.refresh_from_db()
    assert wrong.last_error == ""


def test_a_look_that_has_just_been_taken_is_not_taken_again(box: Mailbox, imap: Imap) -> None:
    imap.put(mail(1))
    assert client.fetch_all() == 1
    imap.put(mail(2))
    assert client.fetch_all() == 0


def test_bytes_come_as_they_are(box: Mailbox, imap: Imap) -> None:
    raw = b"From: ben@carter.example\nSubject: \xff\xfe\n\n\xff caf\xe9 \x01\n"
    imap.put(raw)
    look(box)
    assert bytes(IncomingMail.objects.get().raw) == raw.replace(b"\n", b"\r\n")
