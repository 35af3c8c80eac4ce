"""A real IMAP server (Debian's dovecot) and our own SMTP listener, each in its own process."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from queue import Queue
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
from django.db import connection

from helpdesk.mail import listener
from tests.mail.dovecot import Dovecot, Imap, free_port, wait_for
from tests.outreach.conftest import campaign  # noqa: F401 - a fixture

ROOT = Path(__file__).resolve().parents[2]


def database_url() -> str:
    """The test database, for another process."""
    parts = urlsplit(os.environ["DATABASE_URL"])
    return urlunsplit(parts._replace(path=f"/{connection.settings_dict['NAME']}"))


@pytest.fixture(scope="session")
def dovecot() -> Iterator[Dovecot]:
    server = Dovecot("all")
    try:
        server.start()
        yield server
    finally:
        server.end()


@pytest.fixture
def imap(dovecot: Dovecot, request: pytest.FixtureRequest, settings: Any) -> Imap:
    settings.MAIL_PORTS = [dovecot.port, dovecot.tls_port]
    settings.MAIL_PRIVATE_HOSTS = ["127.0.0.1", "localhost"]
    return Imap(dovecot, f"u{abs(hash(request.node.nodeid)):x}")


@pytest.fixture
def program(transactional_db: None) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """`program("smtp_listener", …)` runs a command of ours on the test database, as `manage.py up` does."""
    running: list[subprocess.Popen[bytes]] = []

    def start(*arguments: str, **environment: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "manage.py", *arguments]
        running.append(subprocess.Popen(command, cwd=ROOT, env={**os.environ, "DATABASE_URL": database_url(), **environment}))
        return running[-1]

    yield start
    for one in running:
        if one.poll() is None:
            one.terminate()
            one.wait(20)


@pytest.fixture
def smtp(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], int]]:
    """`smtp()` is the port of a listener in a thread of the test; it is one, with the settings of the test."""
    monkeypatch.setitem(connection.settings_dict, "CONN_MAX_AGE", 0)  # its threads would keep theirs
    started: list[tuple[threading.Thread, asyncio.AbstractEventLoop, asyncio.Event]] = []

    def start() -> int:
        port: Queue[int] = Queue()
        loop, stop = asyncio.new_event_loop(), asyncio.Event()
        thread = threading.Thread(target=loop.run_until_complete, args=(listener.serve("127.0.0.1", 0, stop, ready=port.put),))
        thread.start()
        started.append((thread, loop, stop))
        return port.get(timeout=20)

    yield start
    for thread, loop, stop in started:
        loop.call_soon_threadsafe(stop.set)
        thread.join(20)
        loop.close()


@dataclass
class Listener:
    process: subprocess.Popen[bytes]
    port: int

    def stop(self, how: int = signal.SIGTERM) -> int:
        self.process.send_signal(how)
        return self.process.wait(20)


@pytest.fixture
def listen(program: Callable[..., subprocess.Popen[bytes]]) -> Callable[..., Listener]:
    """`listen()` starts the listener."""

    def start(port: int | None = None, **environment: str) -> Listener:
        port = port or free_port()
        process = program("smtp_listener", "--port", str(port), **environment)
        wait_for(port)
        return Listener(process, port)

    return start
