"""Somebody waits at every mailbox: mail is here when it is there, whatever becomes of the server, of us, of the connection."""

import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from helpdesk.accounts import vault
from helpdesk.mail import mailserver, watcher
from helpdesk.mail.models import IncomingMail, Mailbox
from tests.mail.dovecot import Dovecot, Imap
from tests.mail.test_inbox import letter

pytestmark = pytest.mark.django_db(transaction=True)
NEVER = 3600  # seconds between two polls: what arrives was rung for
Own = Callable[..., Dovecot]


def mail(number: int, text: str = "") -> bytes:
    return letter(f"Mail {number} {text}", message_id=f"<{number}@carter.example>")


def numbers() -> list[int]:
    """Which mails are here, by the number they were written with; one that came twice is there twice."""
    rows = IncomingMail.objects.exclude(state="quarantined").order_by("id")
    return sorted(int(re.findall(rb"<(\d+)@carter", bytes(row.raw))[0]) for row in rows)


def eventually(true: Callable[[], bool], what: str) -> None:
    for _ in range(1200):
        if true():
            return
        time.sleep(0.05)
    pytest.fail(f"not within a minute: {what}")


@pytest.fixture
def own() -> Iterator[Callable[..., Dovecot]]:
    """`own()` is a dovecot that this test may kill."""
    servers: list[Dovecot] = []

    def start(more: str = "") -> Dovecot:
        servers.append(Dovecot(f"own{len(servers)}", more=more))
        servers[-1].start()
        return servers[-1]

    yield start
    for server in servers:
        server.end()


def add(server: Dovecot, name: str, **more: Any) -> tuple[Mailbox, Imap]:
    facts = {"imap_host": "127.0.0.1", "imap_port": server.port, "imap_tls": False, "imap_user": name}
    facts |= {"name": name, "address": f"{name}@nordwind.example", "imap_secret": vault.seal("secret")} | more
    return Mailbox.objects.create(slug=name, **facts), Imap(server, name)


@pytest.fixture
def attend(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """`attend(server)` watches all mailboxes from here, as the process does."""
    stop = threading.Event()
    threads: list[threading.Thread] = []

    def start(server: Dovecot, poll: int = NEVER) -> None:
        settings.MAIL_POLL, settings.MAIL_PORTS = poll, [server.port, server.tls_port]
        settings.MAIL_PRIVATE_HOSTS = ["127.0.0.1"]
        monkeypatch.setenv("SSL_CERT_FILE", str(server.run / "cert.pem"))
        monkeypatch.setattr(watcher, "EVERY", 0.2)
        monkeypatch.setattr(mailserver, "GLANCE", 100)
        threads.append(threading.Thread(target=watcher.watch, args=(stop,)))
        threads[-1].start()

    yield start
    stop.set()
    for thread in threads:
        thread.join(20)


def looked(box: Mailbox) -> bool:
    box.refresh_from_db()
    return box.fetched_at is not None and not box.last_error


def test_it_arrives_when_the_server_rings(own: Own, attend: Callable[..., None]) -> None:
    """Several mailboxes, one of them encrypted, one with a wrong password, one added meanwhile."""
    server = own()
    _, support = add(server, "support")
    sales, post = add(server, "sales", imap_tls=True, imap_port=server.tls_port)
    wrong, late = add(server, "late", imap_secret=vault.seal("not it"))
    support.put(mail(1))
    late.put(mail(9))
    attend(server)
    eventually(lambda: numbers() == [1] and looked(sales), "the first look")
    support.put(mail(2))
    post.put(mail(3))
    eventually(lambda: numbers() == [1, 2, 3], "what came while it slept")
    _, billing = add(server, "billing")
    billing.put(mail(4))
    eventually(lambda: numbers() == [1, 2, 3, 4], "a mailbox that was added")
    billing.put(mail(5))
    eventually(lambda: len(numbers()) == 5 and billing.flags() == [("\\Seen",)] * 2, "and is watched")
    eventually(lambda: not looked(wrong) and "does not let late in" in wrong.last_error, "why one is not")
    Mailbox.objects.filter(pk=wrong.pk).update(imap_secret=vault.seal("secret"))
    eventually(lambda: len(numbers()) == 6 and looked(wrong), "put right, it is")


def test_mail_in_the_middle_of_a_look_is_not_slept_over(own: Own, attend: Callable[..., None]) -> None:
    """Mails come one by one, faster than they are fetched: those announced beside other answers ring no bell of their own."""
    server = own()
    box, support = add(server, "support")
    attend(server)
    eventually(lambda: looked(box), "the first look")
    with support.client() as other:
        for number in range(40):
            other.append(mail(number).replace(b"\n", b"\r\n"), "INBOX", dt=None, flag_set=[])
    eventually(lambda: numbers() == list(range(40)), "all of them")


def test_a_server_that_cannot_ring_is_asked(own: Own, attend: Callable[..., None]) -> None:
    server = own("imap_capability = IMAP4rev1 SASL-IR LITERAL+\n")
    box, support = add(server, "support")
    attend(server, poll=1)
    eventually(lambda: looked(box), "the first look")
    support.put(mail(1))
    eventually(lambda: numbers() == [1], "a poll")


def test_a_server_that_is_killed_in_the_middle_and_comes_back(own: Own, attend: Callable[..., None]) -> None:
    server = own()
    box, support = add(server, "support")
    support.put(*(mail(number, "x" * 50_000) for number in range(60)))
    attend(server)
    eventually(lambda: len(numbers()) > 5, "some of them")
    server.kill()
    assert len(numbers()) < 60, "it was in the middle"
    eventually(lambda: not looked(box) and "No IMAP server answers us" in box.last_error, "it says that nobody answers")
    server.start()
    eventually(lambda: numbers() == list(range(60)) and looked(box), "all of them, each once")
    support.put(mail(60))
    eventually(lambda: len(numbers()) == 61, "and it is watched again")
    assert set(support.flags()) == {("\\Seen",)}


def test_we_are_killed_in_the_middle_and_come_back(
    program: Callable[..., subprocess.Popen[bytes]], own: Own, settings: Any
) -> None:
    server = own()
    _, support = add(server, "support")
    support.put(*(mail(number, "x" * 50_000) for number in range(60)))
    environment = {"SECRET_KEY": settings.SECRET_KEY, "MAIL_PORTS": str(server.port), "MAIL_PRIVATE_HOSTS": "127.0.0.0/8"}
    first = program("watch_mailboxes", **environment)
    eventually(lambda: len(numbers()) > 5, "some of them")
    first.kill()
    first.wait(10)
    assert len(numbers()) < 60, "it was in the middle"
    second = program("watch_mailboxes", **environment)
    eventually(lambda: numbers() == list(range(60)), "all of them, each once")
    eventually(lambda: set(support.flags()) == {("\\Seen",)}, "and marked")
    second.terminate()
    assert second.wait(30) == 0
