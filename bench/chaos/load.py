"""Customers, agents and other systems, who keep at it until they are answered, each time with the same key.

What was answered is a promise, and is written down: the verdict looks for each of them, once.
"""

import http.client
import json
import os
import random
import signal
import smtplib
import threading
import time
from collections.abc import Callable
from typing import Any

from bench.chaos.furniture import CUSTOMERS
from bench.chaos.scene import Scene

PAUSE = 0.05  # seconds before the same request is sent again
BATCH = 10  # events in a call


class Client:
    """One connection to the web processes, made again whenever it breaks."""

    def __init__(self, scene: Scene, headers: dict[str, str]) -> None:
        self.address, self.headers = scene.web.getsockname(), headers
        self.connection: http.client.HTTPConnection | None = None

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, bytes, http.client.HTTPMessage]:
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


class Load:
    """The threads of the load, in one process that no fault touches."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.ending = threading.Event()
        self.file = os.open(scene.promises, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self.numbers = iter(range(1, 10**9))
        self.token = {"Authorization": f"Bearer {scene.secrets['token']}", "Content-Type": "application/json"}

    def promised(self, kind: str, *keys: str) -> None:
        os.write(self.file, "".join(f"{kind} {key}\n" for key in keys).encode())

    def failed(self, kind: str, status: int, content: bytes) -> None:
        with open(self.scene.surprises, "a") as file:
            file.write(f"{kind} was answered {status}: {content[:300]!r}\n")

    def run(self) -> None:
        signal.signal(signal.SIGTERM, lambda *_: self.ending.set())
        doors: list[Callable[[], None]] = [self.events, self.tickets]
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
            rows = [{"kind": "order_placed", "source": "shop", "id": key, "payload": {"order": key},
                     "customer": {"external_id": f"c{random.randrange(CUSTOMERS)}"}} for key in keys]
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
            body: dict[str, Any] = {"subject": key, "text": "It does not work.", "customer": {"external_id": f"c{random.randrange(CUSTOMERS)}"}}
            status, content, _headers = client.ask("POST", "/api/v1/tickets", json.dumps(body).encode(), Idempotency_Key=key)
            if status not in (200, 201):
                self.failed("ticket", status, content)
                return
            self.promised("ticket", key)
            time.sleep(0.02)
