"""A real `manage.py up` for a test: its own ports and data folder, and a look at what it leaves behind."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60.0  # seconds; a limit for a broken program, no measure of a sound one


def open_the_way(place: Path) -> None:
    """Let the user of the servers, who is not us when we are root, walk through pytest's own folders to this one."""
    ours = Path(tempfile.gettempdir()).resolve()
    for folder in (place.resolve(), *place.resolve().parents):
        if folder == ours or ours not in folder.parents:
            return
        folder.chmod(0o755)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def eventually(true: Callable[[], object], what: str, said: Callable[[], str] = str) -> None:
    """Wait until it holds; fail with `what`, and with what was `said` meanwhile, when it never does."""
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, f"never happened: {what}\n{said()[-4000:]}"
        time.sleep(0.05)


def outside(**more: str) -> dict[str, str]:
    """The environment of a person at a terminal, free of what this test run has set."""
    ours = re.compile(r"^(DATABASE_URL|REDIS_URL|SECRET_KEY|PORT|PYTEST_.*|TWOFOLD_.*|DJANGO_.*|MAKE.*)$")
    return {key: value for key, value in os.environ.items() if not ours.match(key)} | more


def processes_of(data: Path) -> dict[int, str]:
    """Every process that works in, or was started for, this data folder: number → command line. Linux."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            if entry.joinpath("stat").read_text().rpartition(")")[2].split()[0] == "Z":
                continue
            command = entry.joinpath("cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            traces = command + entry.joinpath("environ").read_bytes().decode(errors="replace")
            traces += str((entry / "cwd").readlink())
        except OSError:
            continue  # it ended while we looked
        if str(data) in traces:
            found[int(entry.name)] = command
    return found


class Running:
    """`manage.py up` in a folder. What it says is in `said()`."""

    def __init__(self, data: Path, *, port: int = 0, smtp_port: int = 0) -> None:
        self.data = data
        self.port, self.smtp_port = port or free_port(), smtp_port or free_port()
        data.parent.mkdir(parents=True, exist_ok=True)
        self.log = data.parent / f"{data.name}.{self.port}.log"
        ports = {"TWOFOLD_PORT": str(self.port), "TWOFOLD_SMTP_PORT": str(self.smtp_port)}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "up", "--no-demo"],
                cwd=ROOT,
                env=outside(TWOFOLD_DATA=str(data), **ports),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def said(self) -> str:
        return self.log.read_text()

    def until_up(self) -> "Running":
        eventually(lambda: "Twofold is at" in self.said() or self.process.poll() is not None, "up")
        assert self.process.poll() is None, self.said()
        return self

    def until_refused(self) -> str:
        """Wait for the end of a start that must not succeed; what it said, without the name before it."""
        assert self.process.wait(PATIENCE) == 1, self.said()
        return "\n".join(line.partition("| ")[2] for line in self.said().splitlines())

    def get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=PATIENCE) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def pids(self) -> dict[str, int]:
        """processes.json: name → number."""
        return json.loads((self.data / "processes.json").read_text())

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)
