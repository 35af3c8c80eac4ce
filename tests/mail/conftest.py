"""A real IMAP server (Debian's dovecot) and our own SMTP listener, each in its own process."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
from django.db import connection

from tests.mail.dovecot import Dovecot, Imap, free_port, wait_for

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
