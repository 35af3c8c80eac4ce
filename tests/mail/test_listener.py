"""Mail over SMTP, to the listener as it runs: 250 means committed."""

import re
import shutil
import signal
import smtplib
import socket
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from helpdesk.customers.models import Customer
from helpdesk.lib import dates
from helpdesk.mail import inbox
from helpdesk.mail.models import IncomingMail, Mailbox, Outgoing
from tests.mail.conftest import Listener
from tests.mail.dovecot import certificate
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


def test_strangers_are_named_ten_times_and_then_it_hangs_up(support: Mailbox, smtp: Callable[[], int]) -> None:
    port = smtp()
    with smtplib.SMTP("127.0.0.1", port, timeout=20) as server:
        server.ehlo()
        server.mail("ben@carter.example")
        codes = [server.rcpt(f"name{n}@nordwind.example")[0] for n in range(10)]
        assert codes == [550] * 10
        code, words = server.docmd("NOOP")
        assert (code, words) == (421, b"4.7.0 Too many recipients that are not ours")
    deliver(port, letter())
    assert IncomingMail.objects.count() == 1


def test_one_host_has_so_many_connections_and_those_that_end_make_room(support: Mailbox, smtp: Callable[[], int]) -> None:
    port = smtp()
    lines = [socket.create_connection(("127.0.0.1", port), timeout=20) for _ in range(30)]
    assert all(line.recv(100).startswith(b"220") for line in lines)
    with socket.create_connection(("127.0.0.1", port), timeout=20) as late:
        assert late.recv(100) == b"421 4.3.2 Too many connections, try again later\r\n" and late.recv(1) == b""
    for line in lines[:-1]:
        line.sendall(b"QUIT\r\n")
        while line.recv(100):
            pass
        line.close()
    deliver(port, letter())
    lines[-1].close()
    assert IncomingMail.objects.count() == 1


def test_many_clients_at_once_lose_nothing(support: Mailbox, smtp: Callable[[], int], tmp_path: Path) -> None:
    """Postfix's own load generator: 60 mails of 20 kB, 20 connections at a time."""
    program = shutil.which("smtp-source", path="/usr/sbin:/usr/bin")
    if program is None:
        pytest.skip("smtp-source is not installed (Debian: postfix)")
    command = [program, "-s", "20", "-m", "60", "-l", "20000", "-S", "Mail number", "-f", "ben@carter.example"]
    subprocess.run([*command, "-t", "support@nordwind.example", f"127.0.0.1:{smtp()}"], check=True, timeout=120)
    assert IncomingMail.objects.count() == 60


def hear(line: socket.socket) -> bytes:
    """The last line of one answer."""
    heard = b""
    while not re.search(rb"(^|\r\n)\d{3} [^\n]*\r\n$", heard):
        more = line.recv(1000)
        assert more, heard
        heard += more
    return heard.splitlines()[-1]


def talk(port: int, *words: bytes) -> list[bytes]:
    """What each of these, sent as it is, is answered with."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as line:
        heard = [hear(line)]
        for word in words:
            line.sendall(word)
            heard.append(hear(line))
    return heard


ENVELOPE = (b"EHLO x\r\n", b"MAIL FROM:<ben@carter.example>\r\n", b"RCPT TO:<support@nordwind.example>\r\n", b"DATA\r\n")
TWO_MAILS = b"Subject: one\r\n\r\nfirst%(end)b"
TWO_MAILS += b"MAIL FROM:<x@x.example>\r\nRCPT TO:<support@nordwind.example>\r\nDATA\r\nSubject: two\r\n\r\n"


def test_only_one_end_of_a_mail_is_its_end(support: Mailbox, smtp: Callable[[], int]) -> None:
    """SMTP smuggling (CVE-2023-51764, CVE-2024-27305): a lone dot between other line ends is part of the mail."""
    port = smtp()
    ends = [b"\n.\n", b"\n.\r\n", b"\r.\r", b"\r.\r\n", b"\r\n.\r", b"\r\n.\n", b"\r\n\x00.\r\n"]
    for number, end in enumerate(ends, 1):
        assert talk(port, *ENVELOPE, TWO_MAILS % {b"end": end} + b"%d\r\n.\r\n" % number)[-1].startswith(b"250")
        assert IncomingMail.objects.count() == number, end
        kept = bytes(IncomingMail.objects.latest("id").raw)
        assert end.replace(b"\r\n.", b"\r\n") in kept and b"Subject: two" in kept


def test_line_ends_of_any_kind_are_kept_as_they_came(support: Mailbox, smtp: Callable[[], int]) -> None:
    port = smtp()
    raw = b"From: ben@carter.example\nSubject: bare\r\n\nunix\nmac\rboth\r\n..\r\n.hidden\r\n\0nul\r\nno end"
    stuffed = raw.replace(b"\r\n.", b"\r\n..")
    assert talk(port, *ENVELOPE, stuffed + b"\r\n.\r\n")[-1].startswith(b"250")
    assert bytes(IncomingMail.objects.get().raw) == raw + b"\r\n"
    inbox.process_due()
    assert Ticket.objects.get().subject == "bare"
    assert talk(port, b"EHLO x\n", b"MAIL FROM:<ben@carter.example>\n")[-1].startswith(b"250"), "a client without CR"


def test_a_command_without_end_is_no_way_to_fill_the_memory(support: Mailbox, smtp: Callable[[], int]) -> None:
    port, before = smtp(), _memory()
    with socket.create_connection(("127.0.0.1", port), timeout=20) as line:
        line.recv(100)
        for _ in range(400):
            line.sendall(b"x" * 50_000)
        line.sendall(b"\r\n")
        assert line.recv(100).startswith(b"500 Command line too long")
        line.sendall(b"NOOP\r\n")
        assert line.recv(100).startswith(b"250")
    assert _memory() - before < 10_000_000
    deliver(port, letter("x" * 200_000 + "\n"))
    assert IncomingMail.objects.count() == 1


def _memory() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def test_starttls_with_a_certificate_that_is_renewed_meanwhile(
    support: Mailbox, smtp: Callable[[], int], tmp_path: Path, settings: Any
) -> None:
    certificate(tmp_path)
    settings.SMTP_CERTIFICATE, settings.SMTP_CERTIFICATE_KEY = str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")
    settings.SMTP_REQUIRE_TLS = True
    port = smtp()

    def over_tls(text: str) -> None:
        with smtplib.SMTP("localhost", port, timeout=20) as server:
            server.starttls(context=ssl.create_default_context(cafile=str(tmp_path / "cert.pem")))
            server.sendmail("ben@carter.example", ["support@nordwind.example"], letter(text).replace(b"\n", b"\r\n"))

    over_tls("one")
    with smtplib.SMTP("127.0.0.1", port, timeout=20) as server, pytest.raises(smtplib.SMTPSenderRefused) as refused:
        server.sendmail("ben@carter.example", ["support@nordwind.example"], letter("in the clear"))
    assert refused.value.smtp_code == 530
    certificate(tmp_path)
    over_tls("two")
    (tmp_path / "cert.pem").rename(tmp_path / "kept.pem")  # a renewal that went wrong
    (tmp_path / "cert.pem").write_text("nonsense")
    with smtplib.SMTP("localhost", port, timeout=20) as server:
        server.starttls(context=ssl.create_default_context(cafile=str(tmp_path / "kept.pem")))
    assert IncomingMail.objects.count() == 2


def test_what_is_said_before_starttls_counts_for_nothing(
    support: Mailbox, smtp: Callable[[], int], tmp_path: Path, settings: Any
) -> None:
    """CVE-2024-34083: commands that somebody put behind STARTTLS in the clear."""
    certificate(tmp_path)
    settings.SMTP_CERTIFICATE, settings.SMTP_CERTIFICATE_KEY = str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")
    port = smtp()
    with socket.create_connection(("127.0.0.1", port), timeout=20) as line:
        hear(line)
        line.sendall(b"EHLO x\r\n")
        hear(line)
        line.sendall(b"STARTTLS\r\nMAIL FROM:<attacker@x.example>\r\n")
        assert hear(line).startswith(b"220")
        tls = ssl.create_default_context(cafile=str(tmp_path / "cert.pem")).wrap_socket(line, server_hostname="localhost")
        tls.sendall(b"EHLO x\r\n")
        hear(tls)
        tls.sendall(b"RCPT TO:<support@nordwind.example>\r\n")
        assert hear(tls).startswith(b"503")
