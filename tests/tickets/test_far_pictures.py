"""A mail names pictures elsewhere: nothing is asked for until somebody says so, and then by us."""

import http.server
import re
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from email.message import EmailMessage
from typing import Any

import pytest
from django.core.cache import cache

from helpdesk.files import far
from tests.pictures import SVG, bomb, drawing, opened
from tickets.models import Ticket

pytestmark = pytest.mark.django_db
SRC = re.compile(r'src="(/tickets/messages/\d+/pictures/\d+/)"')


class Far(http.server.BaseHTTPRequestHandler):
    asked: list[tuple[str, dict[str, str]]] = []
    stop = threading.Event()

    def do_GET(self) -> None:
        self.asked.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
        content: dict[str, bytes] = {
            "/logo.png": drawing(size=(3000, 20)),
            "/photo.jpg": drawing("JPEG"),
            "/anim.gif": drawing("GIF"),
            "/new.webp": drawing("WEBP"),
            "/evil.png": SVG,
            "/page.png": b"<html><script>alert(1)</script>",
            "/bomb.png": bomb(),
            "/cut.png": drawing()[:60],
            "/big.png": b"\x89PNG\r\n\x1a\n" + b"x" * far.MOST,
            "/na%C3%AFve%20one.png": drawing(),
        }
        away = {
            "/1": "/2",
            "/2": "logo.png",
            "/round": "/round",
            "/a": "/b",
            "/b": "/c",
            "/c": "/d",
            "/d": "/logo.png",
            "/in": "http://169.254.169.254/latest/",
            "/file": "file:///etc/passwd",
            "/port": "http://127.0.0.1:1/",
        }
        if self.path == "/slow.png":
            with suppress(OSError):
                self.wfile.write(b"HTTP/1.1 200 OK\r\n")
                self.stop.wait(5)
        elif self.path in away:
            self.send_response(302)
            self.send_header("Location", away[self.path])
            self.end_headers()
        else:
            self.send_response(200 if self.path in content else 404)
            self.send_header("Content-Type", "text/html")
            self.send_header("Set-Cookie", "seen=1")
            self.end_headers()
            with suppress(OSError):
                self.wfile.write(content.get(self.path, b""))

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A foreign web server, of which we believe that it is public."""
    Far.asked.clear()
    Far.stop.clear()
    cache.clear()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Far)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(far, "PORTS", (80, 443, server.server_port))
    monkeypatch.setattr(far, "PRIVATE", ("127.0.0.1",))
    yield f"http://127.0.0.1:{server.server_port}"
    Far.stop.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def shop(post: Any, elsewhere: str) -> Any:
    """`shop("/logo.png")`: the ticket of a mail with these pictures."""

    def write(*paths: str, more: str = "") -> Ticket:
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = "Ben Carter <ben@carter.example>", "support@nordwind.example", "Offer"
        mail.set_content("An offer")
        pictures = "".join(f'<img alt="Picture of {path}" src="{elsewhere}{path}">' for path in paths)
        mail.add_alternative(f"<p>An offer</p>{pictures}{more}", subtype="html")
        post(mail)
        return Ticket.objects.get()

    return write


def test_a_picture_is_asked_for_when_a_reader_says_so_and_tells_nothing_of_them(shop: Any, browser: Any, ana: Any) -> None:
    ticket = shop("/logo.png", "/photo.jpg", "/anim.gif", "/new.webp", "/1", "/naïve one.png")
    page, address = browser(ana), f"/tickets/{ticket.number}/"
    quiet = page.get(address).content.decode()
    assert "6 pictures from elsewhere are not loaded" in quiet and "Picture of /logo.png" in quiet and not SRC.search(quiet)
    message = ticket.messages.get()
    assert Far.asked == []

    link = re.search(rf'href="{address}\?(pictures={message.pk})#message-{message.pk}"', quiet)
    assert link, quiet
    for shown in (page.get(f"{address}?{link[1]}"), page.get(f"{address}?part=thread&{link[1]}")):
        sources = SRC.findall(shown.content.decode())
        assert sources == [f"/tickets/messages/{message.pk}/pictures/{n}/" for n in range(6)]
    assert Far.asked == [], "the page alone asks nobody"
    message.refresh_from_db()
    assert "/pictures/" not in message.html and not SRC.search(page.get(address).content.decode()), "it was for that showing"

    for source in sources:
        answer = page.get(source, headers={"referer": f"http://testserver{address}"})
        assert answer.status_code == 200, source
        assert (answer["Content-Type"], answer["X-Content-Type-Options"]) == ("image/webp", "nosniff")
        assert answer["Content-Security-Policy"] == "default-src 'none'; sandbox" and answer["Cache-Control"].startswith(
            "private"
        )
        assert opened(answer.content).format == "WEBP" and max(opened(answer.content).size) <= 1600 and not answer.cookies
    assert [path for path, _headers in Far.asked][4:7] == ["/1", "/2", "/logo.png"]
    for _path, headers in Far.asked:
        assert set(headers) == {"host", "user-agent", "accept", "accept-encoding", "connection"}, headers
        assert headers["user-agent"] == "Twofold-Pictures"


def test_what_is_no_picture_or_too_much_of_one_is_none(shop: Any, browser: Any, ana: Any, monkeypatch: Any) -> None:
    wrong = ["/evil.png", "/page.png", "/bomb.png", "/cut.png", "/big.png", "/none.png", "/round", "/a", "/in", "/file", "/port"]
    message = shop(*wrong).messages.get()
    for number, path in enumerate(wrong):
        answer = browser(ana).get(f"/tickets/messages/{message.pk}/pictures/{number}/")
        assert answer.status_code == 424 and answer["Content-Type"].startswith("text/plain"), path
        assert answer["Content-Security-Policy"] == "default-src 'none'; sandbox", path
    followed = [path for path, _headers in Far.asked if path in ("/a", "/b", "/c", "/d", "/logo.png")]
    assert followed == ["/a", "/b", "/c", "/d"], "three redirects, not four"
    assert [path for path, _headers in Far.asked].count("/round") == 4


def test_a_slow_host_holds_few_threads_and_is_left_alone_for_a_while(
    shop: Any, elsewhere: str, browser: Any, ana: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(far, "WITHIN", 0.4)
    monkeypatch.setattr(far, "QUEUE", 0.05)
    message = shop("/slow.png", "/logo.png").messages.get()
    ends: list[str] = []

    def ask() -> None:
        try:
            far.picture(f"{elsewhere}/slow.png")
        except Exception as error:
            ends.append(type(error).__name__)

    threads = [threading.Thread(target=ask) for _ in range(9)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.monotonic() - began < 2
    assert sorted(ends) == ["Busy"] * 5 + ["NoPicture"] * 4 and len(Far.asked) == far.AT_ONCE
    page = browser(ana)
    assert page.get(f"/tickets/messages/{message.pk}/pictures/1/").status_code == 424 and len(Far.asked) == far.AT_ONCE
    cache.clear()
    assert page.get(f"/tickets/messages/{message.pk}/pictures/1/").status_code == 200

    for _ in range(far.IN_ALL):
        far._inside.acquire()
    full = page.get(f"/tickets/messages/{message.pk}/pictures/1/")
    for _ in range(far.IN_ALL):
        far._inside.release()
    assert (full.status_code, full["Retry-After"]) == (503, "1")


def test_only_who_may_read_the_ticket_and_only_what_the_message_names(
    shop: Any, browser: Any, ana: Any, noor: Any, client: Any
) -> None:
    message = shop("/logo.png").messages.get()
    address = f"/tickets/messages/{message.pk}/pictures/"
    assert browser(ana).get(f"{address}1/").status_code == 404 and browser(noor).get(f"{address}0/").status_code == 404
    assert client.get(f"{address}0/").status_code == 302 and browser(ana).post(f"{address}0/").status_code == 405
    assert browser(ana).get("/tickets/messages/999999/pictures/0/").status_code == 404
    assert Far.asked == []
