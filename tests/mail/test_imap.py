"""Mail from a real IMAP server: each mail once, whatever happens in between."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from helpdesk.accounts import vault
from helpdesk.lib import dates
from helpdesk.mail import imap as client
from helpdesk.mail import inbox, mailserver, operations, tasks
from helpdesk.mail.models import IncomingMail, Mailbox
from tests.mail.dovecot import Imap
from tests.mail.test_inbox import letter
from tickets.models import Ticket

pytestmark = pytest.mark.django_db


def bodies() -> set[int]:
    """Which mails we have, by the number they were written with; none twice."""
    numbers = [int(re.findall(rb"<(\d)@carter", bytes(row.raw))[0]) for row in IncomingMail.objects.all()]
    assert len(numbers) == len(set(numbers))
    return set(numbers)


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
        patch.setattr(client.Server, "flag", flag)
        look(box)
    assert IncomingMail.objects.count() == 1
    look(box)
    assert IncomingMail.objects.count() == 2 and imap.flags() == [("\\Seen",), ("\\Seen",)]


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
    assert wrong.last_error.startswith(f"It does not let {imap.user} in: [AUTHENTICATIONFAILED]")
    assert away.last_error.startswith("No IMAP server answers us at 127.0.0.1, port 1.") and box.last_error == ""
    assert IncomingMail.objects.count() == 1

    wrong.imap_secret = vault.seal("secret")
    wrong.save()
    look(wrong)
    wrong.refresh_from_db()
    assert wrong.last_error == ""


def test_the_sweep_leaves_a_mailbox_to_its_watcher_as_long_as_there_is_one(box: Mailbox, imap: Imap) -> None:
    imap.put(mail(1))
    assert client.fetch_all() == 1
    imap.put(mail(2))
    assert client.fetch_all() == 0
    with dates.moved(by=client.UNWATCHED + timedelta(seconds=1)):
        assert client.fetch_all() == 1


def test_of_a_large_past_only_what_is_unread_comes_in_several_looks(box: Mailbox, imap: Imap, monkeypatch: Any) -> None:
    monkeypatch.setattr(client, "PORTION", 2)
    for number in range(8):
        imap.put(mail(number), seen=number % 2 == 0)
    imap.put(mail(8), seen=True)
    looks = [look(box), look(box), look(box)]
    assert looks == [2, 2, 0] and bodies() == {1, 3, 5, 7}
    imap.put(mail(9), seen=True)
    assert look(box) == 1


def test_interrupted_in_the_past_it_goes_on_there(box: Mailbox, imap: Imap, monkeypatch: Any) -> None:
    monkeypatch.setattr(client, "PORTION", 1)
    imap.put(mail(1), mail(2))
    imap.put(mail(3), seen=True)
    look(box)
    imap.put(mail(4), seen=True)  # came while we were away, and somebody read it
    monkeypatch.setattr(client, "PORTION", 50)
    look(box)
    assert bodies() == {1, 2, 4}


def test_new_numbers_do_not_bring_back_the_past_of_before_us(box: Mailbox, imap: Imap) -> None:
    imap.put(mail(1), seen=True, at=datetime(2019, 5, 1, tzinfo=UTC))
    imap.put(mail(2))
    look(box)
    imap.renumber()
    imap.put(mail(3), seen=True)  # between our last look and the new numbers
    imap.put(mail(4), at=datetime(2019, 5, 1, tzinfo=UTC))
    look(box)
    assert bodies() == {2, 3, 4}


def test_moved_or_deleted_by_another_client_in_the_middle(box: Mailbox, imap: Imap, monkeypatch: Any) -> None:
    """We know of three mails; before we fetch the second, somebody files it away and deletes the third."""
    imap.put(mail(1), mail(2), mail(3), mail(4))
    fetch, done = client._bytes, []

    def meanwhile(server: Any, uid: int) -> Any:
        if uid == 2 and not done:
            done.append(uid)
            with imap.client() as other:
                other.folder.create("Done")
                other.move(["2"], "Done")
                other.delete(["3"])
        return fetch(server, uid)

    monkeypatch.setattr(client, "_bytes", meanwhile)
    look(box)
    box.refresh_from_db()
    assert bodies() == {1, 4} and (box.last_uid, box.last_error) == (4, "")
    with imap.client() as other:  # and back again: it has a new number, and is new to us
        other.folder.set("Done")
        other.move(other.uids(), "INBOX")
    assert look(box) == 1 and bodies() == {1, 2, 4}


def test_moved_away_and_back_it_is_known(box: Mailbox, imap: Imap) -> None:
    imap.put(mail(1))
    look(box)
    with imap.client() as other:
        other.folder.create("Done")
        other.move(["1"], "Done")
        other.folder.set("Done")
        other.move(other.uids(), "INBOX")
    assert look(box) == 1 and IncomingMail.objects.count() == 1


def test_the_same_mail_in_two_mailboxes_is_one_ticket(box: Mailbox, imap: Imap) -> None:
    other = Imap(imap.server, imap.user + "b")
    sales = Mailbox.objects.create(
        slug="sales", name="Sales", address="sales@nordwind.example", imap_host="127.0.0.1", imap_port=imap.port,
        imap_tls=False, imap_user=other.user, imap_secret=vault.seal("secret"),
    )  # fmt: skip
    for one in (imap, other):
        one.put(mail(1))
    client.fetch_all()
    inbox.process_due()
    assert IncomingMail.objects.count() == 2 and Ticket.objects.count() == 1
    assert {(row.total, row.ticketed, row.ignored) for row in operations.sums()} == {(1, 1, 0), (1, 0, 1)}
    assert {sum.mailbox for sum in operations.sums()} == {box, sales} and all(sum.holds for sum in operations.sums())


def test_a_mail_its_own_server_cannot_read_holds_up_no_other(box: Mailbox, imap: Imap) -> None:
    imap.put(mail(1), mail(2), mail(3))
    with imap.client() as server:
        server.uids()
    imap.spoil(2)
    for _ in range(client.STUMBLES):  # dovecot hangs up on us when it meets it
        assert not IncomingMail.objects.filter(uid=2).exists()
        look(box)
    look(box)
    box.refresh_from_db()
    assert box.last_uid == 3
    note = IncomingMail.objects.get(uid=2)
    assert note.state == "quarantined" and note.reason.startswith("The server does not hand it over")
    inbox.process_due()
    assert Ticket.objects.count() == 2


def test_an_encrypted_connection_wants_a_certificate_that_holds(box: Mailbox, imap: Imap, monkeypatch: Any) -> None:
    box.imap_tls, box.imap_port = True, imap.server.tls_port
    box.save()
    imap.put(mail(1))
    assert look(box) == 0
    box.refresh_from_db()
    assert "a certificate that is not valid: self-signed" in box.last_error
    monkeypatch.setenv("SSL_CERT_FILE", str(imap.server.run / "cert.pem"))
    assert look(box) == 1

    monkeypatch.setattr(mailserver, "STARTTLS_PORT", imap.port)  # where encryption begins after the greeting
    box.imap_port = imap.port
    box.save()
    imap.put(mail(2))
    assert look(box) == 1
    monkeypatch.delenv("SSL_CERT_FILE")
    assert look(box) == 0


def test_a_password_of_any_letters(box: Mailbox, imap: Imap) -> None:
    box.imap_secret = vault.seal("pässwörd")
    box.save()
    look(box)
    box.refresh_from_db()
    assert "It does not let" in box.last_error


def test_a_folder_that_is_not_there(box: Mailbox, imap: Imap) -> None:
    box.imap_folder = "Support/Äpfel"
    box.save()
    look(box)
    box.refresh_from_db()
    assert "It does not open the folder Support/Äpfel" in box.last_error


def test_bytes_come_as_they_are(box: Mailbox, imap: Imap) -> None:
    raw = b"From: ben@carter.example\nSubject: \xff\xfe\n\n\xff caf\xe9 \x01\n"
    imap.put(raw)
    look(box)
    assert bytes(IncomingMail.objects.get().raw) == raw.replace(b"\n", b"\r\n")
