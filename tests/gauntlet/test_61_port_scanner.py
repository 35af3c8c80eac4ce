"""A mailbox is no port scanner: what cannot be a mailbox is not dialled, and of the rest nobody learns what is open."""

import socket
import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.messages import get_messages

from helpdesk.accounts.models import User
from helpdesk.mail import imap, mailserver
from helpdesk.mail.models import Mailbox

pytestmark = pytest.mark.django_db
FORM = {
    "name": "Help",
    "address": "help@nordwind.example",
    "imap_user": "x",
    "password": "y",
    "imap_folder": "INBOX",
    "then": "test",
}


@pytest.fixture
def service() -> Iterator[Callable[[bytes], int]]:
    """`service(b"banner")`: the port of something that greets so, and of nothing."""
    servers: list[socket.socket] = []
    lines: list[socket.socket] = []

    def start(banner: bytes) -> int:
        servers.append(socket.create_server(("127.0.0.1", 0)))
        server = servers[-1]

        def serve() -> None:
            while True:
                try:
                    line = server.accept()[0]
                except OSError:
                    return
                lines.append(line)
                line.sendall(banner)

        threading.Thread(target=serve, daemon=True).start()
        return server.getsockname()[1]

    yield start
    for one in servers + lines:
        one.close()


@pytest.fixture
def closed() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long each test is held back, by a clock that stands still."""
    held: list[float] = []
    monkeypatch.setattr(mailserver, "PROBE", 0.3)
    monkeypatch.setattr(mailserver, "time", SimpleNamespace(monotonic=lambda: 0.0, sleep=held.append))
    return held


def tried(page: Any, host: str, port: int, **more: str) -> str:
    """What an admin reads who tests this place."""
    box = Mailbox.objects.first()
    answer = page.post(
        f"/mailboxes/{box.pk}/" if box else "/mailboxes/new/", {**FORM, "imap_host": host, "imap_port": str(port), **more}
    )
    assert answer.status_code == 302, answer.context["form"].errors
    return str(list(get_messages(answer.wsgi_request))[-1]).replace(host, "HOST").replace(str(port), "PORT")


def test_open_closed_and_forbidden_cannot_be_told_apart(
    browser: Any, omar: User, service: Callable[[bytes], int], closed: int, waits: list[float], settings: Any
) -> None:
    silent, web, ssh = service(b""), service(b"HTTP/1.1 400 Bad Request\r\n\r\n"), service(b"SSH-2.0-OpenSSH_9.2\r\n")
    settings.MAIL_PORTS, settings.MAIL_PRIVATE_HOSTS = [silent, web, ssh, closed], ["127.0.0.1"]
    page = browser(omar)
    words = [tried(page, "127.0.0.1", port, **tls) for port in (silent, web, ssh, closed) for tls in ({}, {"imap_tls": "on"})]
    settings.MAIL_PRIVATE_HOSTS = []
    words += [
        tried(page, host, port) for host in ("127.0.0.1", "localhost", "169.254.169.254", "[::1]") for port in (silent, closed)
    ]
    words += [tried(page, "nobody.invalid", silent)]
    assert len(set(words)) == 1 and words[0].startswith("No IMAP server answers us at HOST, port PORT.")
    assert waits == [0.3] * len(words), "each is held back until the same moment"
    box = Mailbox.objects.get()  # and so it is where its mail is fetched
    assert imap.fetch(box) == 0
    box.refresh_from_db()
    assert box.last_error.replace("nobody.invalid", "HOST").replace(str(silent), "PORT") == words[0]


@pytest.mark.parametrize("port", [22, 25, 80, 5432, 6379, 11211])
def test_another_port_is_refused_before_anything_is_dialled(browser: Any, omar: User, port: int, waits: list[float]) -> None:
    answer = browser(omar).post("/mailboxes/new/", {**FORM, "imap_host": "8.8.8.8", "imap_port": str(port)})
    assert answer.status_code == 422 and "Mail is fetched at the ports 143, 993." in answer.content.decode()
    assert not Mailbox.objects.exists() and waits == []


def test_a_port_that_was_saved_before_it_was_forbidden_is_not_dialled(support: Mailbox, closed: int, settings: Any) -> None:
    with socket.create_server(("127.0.0.1", closed)) as server:
        server.settimeout(0.2)
        settings.MAIL_PRIVATE_HOSTS = ["127.0.0.1"]
        Mailbox.objects.update(imap_host="127.0.0.1", imap_port=closed, imap_user="x")
        support.refresh_from_db()
        imap.fetch(support)
        with pytest.raises(TimeoutError):
            server.accept()


@pytest.mark.parametrize("who", ["ana", "mia"])
def test_only_an_admin_tests(browser: Any, who: str, request: Any, waits: list[float]) -> None:
    answer = browser(request.getfixturevalue(who)).post("/mailboxes/new/", {**FORM, "imap_host": "8.8.8.8", "imap_port": "993"})
    assert answer.status_code == 403 and waits == []
