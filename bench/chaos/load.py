"""Customers, agents and other systems, who keep at it until they are answered, each time with the same key.

What was answered is a promise, and is written down: the verdict looks for each of them, once.
"""

import http.client
import itertools
import json
import os
import random
import re
import signal
import smtplib
import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from django.conf import settings

from bench.chaos.furniture import CUSTOMERS
from bench.chaos.scene import Scene
from tickets.forms import QUICKEST

PAUSE = 0.05  # seconds before the same request is sent again
BATCH = 10  # events in a call
PAGES = 10  # forms that are filled in at the same time
HIDDEN = re.compile(r'<input type="hidden" name="(?P<name>\w+)" value="(?P<value>[^"]*)"')


class Client:
    """One connection to the web processes, made again whenever it breaks."""

    def __init__(self, scene: Scene, headers: dict[str, str]) -> None:
        self.address, self.headers = scene.web.getsockname(), headers
        self.connection: http.client.HTTPConnection | None = None

    def ask(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> tuple[int, bytes, http.client.HTTPMessage]:
        """Ask until there is an answer that is not the server's own trouble."""
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        while True:
            try:
                self.connection = self.connection or http.client.HTTPConnection(*self.address, timeout=20)
                self.connection.request(method, path, body, {**self.headers, **names})
                answer = self.connection.getresponse()
                content = answer.read()
                if answer.status < 500:
                    return answer.status, content, answer.headers
            except (http.client.HTTPException, OSError):
                self.connection = None
            time.sleep(PAUSE)

    def page(self, path: str) -> tuple[dict[str, str], str]:
        """The hidden fields of a page's form, and the cookie that goes with them."""
        status, content, headers = self.ask("GET", path)
        fields = {match["name"]: match["value"] for match in HIDDEN.finditer(content.decode())}
        cookie = next((line.partition(";")[0] for line in headers.get_all("Set-Cookie", []) if line.startswith("csrf=")), "")
        if status != 200 or "csrfmiddlewaretoken" not in fields:
            raise RuntimeError(f"{path} was answered {status}, without a form")
        return fields, cookie

    def post(self, path: str, fields: dict[str, str], cookie: str) -> tuple[int, bytes, http.client.HTTPMessage]:
        cookies = "; ".join(each for each in (self.headers.get("Cookie", ""), cookie) if each)
        return self.ask(
            "POST", path, urlencode(fields).encode(), Cookie=cookies, Content_Type="application/x-www-form-urlencoded"
        )


class Load:
    """The threads of the load, in one process that no fault touches."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.ending = threading.Event()
        self.file = os.open(scene.promises, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self.numbers = itertools.count(1)
        self.opened: list[int] = []  # numbers of tickets that may be answered
        self.token = {"Authorization": f"Bearer {scene.secrets['token']}", "Content-Type": "application/json"}

    def promised(self, kind: str, *keys: str) -> None:
        os.write(self.file, "".join(f"{kind} {key}\n" for key in keys).encode())

    def failed(self, kind: str, status: int, content: bytes) -> None:
        with self.scene.surprises.open("a") as file:
            file.write(f"{kind} was answered {status}: {content[:300]!r}\n")

    def run(self) -> None:
        signal.signal(signal.SIGTERM, lambda *_: self.ending.set())
        doors: list[Callable[[], None]] = [self.events, self.tickets, self.forms, self.replies, self.replies, self.mails]
        threads = [threading.Thread(target=door) for door in doors]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def events(self) -> None:
        """A shop reports orders; each begins a journey. Now and then a batch is sent twice though it was answered."""
        client = Client(self.scene, self.token)
        while not self.ending.is_set():
            keys = [f"e{next(self.numbers)}" for _ in range(BATCH)]
            rows = [
                {
                    "kind": "order_placed",
                    "source": "shop",
                    "id": key,
                    "payload": {"order": key},
                    "customer": {"external_id": f"c{random.randrange(CUSTOMERS)}"},
                }
                for key in keys
            ]
            for _ in range(1 + (random.random() < 0.05)):
                status, content, _headers = client.ask("POST", "/api/v1/events/batch", json.dumps({"events": rows}).encode())
                if status != 200 or json.loads(content)["rejected"]:
                    self.failed("event", status, content)
                    return
            self.promised("event", *keys)
            time.sleep(0.03)

    def tickets(self) -> None:
        """Another system opens tickets, with an Idempotency-Key."""
        client = Client(self.scene, self.token)
        while not self.ending.is_set():
            key = f"t{next(self.numbers)}"
            body: dict[str, Any] = {
                "subject": key,
                "text": "It does not work.",
                "requester": {"external_id": f"c{random.randrange(CUSTOMERS)}"},
            }
            status, content, _headers = client.ask("POST", "/api/v1/tickets", json.dumps(body).encode(), Idempotency_Key=key)
            if status not in (200, 201):
                self.failed("ticket", status, content)
                return
            self.promised("ticket", key)
            self.opened.append(json.loads(content)["number"])
            time.sleep(0.02)

    def forms(self) -> None:
        """People at the public form: a page each, two seconds of typing, and Send pressed until it works, or once more."""
        client = Client(self.scene, {})
        while not self.ending.is_set():
            pages = [client.page("/write/") for _ in range(PAGES)]
            time.sleep(QUICKEST.total_seconds() + 0.3)
            for fields, cookie in pages:
                key = f"f{next(self.numbers)}"
                fields |= {"name": "Ben", "email": f"{key}@customers.example", "subject": key, "text": "It does not work."}
                for _ in range(1 + (random.random() < 0.1)):
                    status, content, _headers = client.post("/write/", fields, cookie)
                    if status != 302:
                        self.failed("form", status, content)
                        return
                self.promised("ticket", key)

    def replies(self) -> None:
        """Ana answers; some of her clicks are double."""
        client = Client(self.scene, {"Cookie": f"{settings.SESSION_COOKIE_NAME}={self.scene.secrets['session']}"})
        while not self.ending.is_set():
            if not self.opened:
                time.sleep(PAUSE)
                continue
            number = random.choice(self.opened[-200:])
            page, cookie = client.page(f"/tickets/{number}/")
            key = f"r{next(self.numbers)}"
            fields = {
                "csrfmiddlewaretoken": page["csrfmiddlewaretoken"],
                "kind": "reply",
                "text": key,
                "seen": str(2**62),
                "once": key,
            }
            for _ in range(1 + (random.random() < 0.1)):
                status, content, _headers = client.post(f"/tickets/{number}/compose/", fields, cookie)
                if status not in (200, 302):
                    self.failed("reply", status, content)
                    return
            self.promised("reply", key)

    def mails(self) -> None:
        """Other mail servers deliver to ours; without a 250 they come again with the same mail."""
        while not self.ending.is_set():
            key = f"m{next(self.numbers)}"
            raw = (
                f"From: Ben <{key}@customers.example>\r\nTo: support@chaos.example\r\nSubject: {key}\r\n"
                f"Message-ID: <{key}@customers.example>\r\n\r\nIt does not work.\r\n"
            )
            while True:
                try:
                    with smtplib.SMTP("127.0.0.1", self.scene.smtp_port, timeout=10) as server:
                        server.sendmail(f"{key}@customers.example", ["support@chaos.example"], raw)
                    break
                except (smtplib.SMTPException, OSError):
                    time.sleep(PAUSE)
            self.promised("mail", key)
