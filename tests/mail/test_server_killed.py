"""Postfix's smtp-sink takes our mail, is killed in the middle, and comes back: nothing is lost, nothing is there twice."""

import os
import re
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from helpdesk.lib import dates
from helpdesk.mail import sender
from helpdesk.mail.models import Lane, Outgoing, State
from tests.mail.dovecot import free_port
from tests.mail.test_outbox import letter

PROGRAM = shutil.which("smtp-sink") or "/usr/sbin/smtp-sink"
pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(not Path(PROGRAM).exists(), reason="smtp-sink is missing (Debian: postfix)"),
]
MESSAGES, ENOUGH = 60, 15


@pytest.fixture
def folder() -> Iterator[Path]:
    """Where the server, which is nobody, may write."""
    path = Path(tempfile.mkdtemp(prefix="twofold-sink-"))
    path.chmod(0o777)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def server(folder: Path, settings: Any) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    """`server()` starts it, at the same port each time; what it took lies in the folder."""
    port, started = free_port(), []
    settings.MAIL_TRANSPORT = f"smtp://127.0.0.1:{port}"

    def start() -> subprocess.Popen[bytes]:
        as_whom = ["-u", "nobody"] if os.geteuid() == 0 else []
        command = [PROGRAM, *as_whom, "-d", f"{folder}/%M.", f"127.0.0.1:{port}", "100"]
        started.append(subprocess.Popen(command, stderr=subprocess.DEVNULL))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_a_mail_server_that_is_killed_in_the_middle_and_comes_back(server: Callable[[], Any], folder: Path) -> None:
    for n in range(MESSAGES):
        letter(f"letter {n}", to=f"reader-{n}@carter.example")
    process = server()

    def kill_when_it_has_some() -> None:
        end = time.monotonic() + 30
        while len(list(folder.iterdir())) < ENOUGH and time.monotonic() < end:
            time.sleep(0.001)
        process.kill()

    killer = threading.Thread(target=kill_when_it_has_some)
    killer.start()
    _send_all()
    killer.join()
    process.wait()
    left = Outgoing.objects.filter(state__in=(State.PENDING, State.QUEUED, State.RETRY_WAIT)).count()
    assert 0 < left < MESSAGES, "it was killed in the middle"

    server()
    deadline = time.monotonic() + 30
    while Outgoing.objects.waiting().exists() and time.monotonic() < deadline:
        Outgoing.objects.filter(state=State.RETRY_WAIT).update(next_at=dates.now())  # the wait between two tries is over
        _send_all()

    took = [found[1] for path in folder.iterdir() if (found := re.search(r"Message-ID: <(\w+)\.", path.read_text()))]
    accepted = {row.token for row in Outgoing.objects.filter(state=State.ACCEPTED)}
    unknown = {row.token for row in Outgoing.objects.filter(state=State.UNKNOWN)}
    assert len(accepted) + len(unknown) == MESSAGES and len(unknown) <= 1, "no message is lost, and one can be in doubt"
    assert len(took) == len(set(took)), "none is there twice"
    assert accepted <= set(took) <= accepted | unknown


def _send_all() -> None:
    while sender.send(Lane.REPLIES):
        pass
