"""`manage.py up`: the servers and every process of Twofold as children of this one, in one log, none left behind."""

import argparse
import json
import os
import selectors
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

from helpdesk.embedded import installation as setup
from helpdesk.embedded import servers
from helpdesk.embedded.folder import DataFolder, Refused
from helpdesk.embedded.log import Lines, Log
from helpdesk.embedded.process import Family, Program

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0  # seconds before a program that died is started again, doubling
HEALTHY = 30.0  # seconds a program must live to begin with the first pause again
START_LIMIT = 120.0  # seconds for a server, or the web process, to answer for the first time


class Stopped(Exception):
    """A signal asked us to end."""


@dataclass
class Child:
    """A program and its process of the moment."""

    program: Program
    process: subprocess.Popen[bytes]
    output: int
    started: float
    pause: float
    again_at: float | None = None  # set when it has died and shall return
    lines: Lines = field(default_factory=Lines)

    def alive(self) -> bool:
        return self.process.poll() is None


class Supervisor:
    """One thread, one loop: it reads what the children print, starts again who died, and ends all of them in order."""

    def __init__(self, installation: setup.Installation) -> None:
        self.installation = installation
        self.log = Log()
        self.family = Family()
        self.folder = DataFolder(installation.data)
        self.children: dict[str, Child] = {}
        self.selector = selectors.DefaultSelector()
        self.signals: list[int] = []
        self.stopping = False

    def run(self) -> int:
        """Start all, keep all running until a signal comes, stop all. The exit status."""
        self._listen_to_signals()
        try:
            self.folder.open()
            self.installation.check_ports()
            self._start_servers()
            self._prepare()
            web, *others = self.installation.programs()
            self._start(web)
            self._wait_for("web", self.installation.answers)
            for program in others:
                self._start(program)
            self._greet()
            while True:
                self._turn()
        except Stopped:
            self.log.say("Stopping")
            return 0
        except Refused as refused:
            self.log.say(str(refused))
            return 1
        finally:
            self._stop_all()

    def _start_servers(self) -> None:
        made = []
        if not self.installation.own_database:
            made.append(servers.postgres(self.folder))
        if not self.installation.own_broker:
            made.append(servers.valkey(self.folder))
        for program in made:
            self._start(program)
        for program in made:
            self._wait_for(program.name, partial(program.ready, self.children[program.name].process.pid))

    def _prepare(self) -> None:
        """Migrations, static files and, into an empty database of our own, the demo: one process that ends."""
        demo = [] if self.installation.demo else ["--no-demo"]
        child = self._start(self.installation.python("prepare", "manage.py", "prepare", *demo))
        while child.alive() or child.output in self.selector.get_map():
            self._turn(0.05)
        del self.children["prepare"]
        self.family.forget(child.process)
        if child.process.returncode:
            raise Refused(self._reason("The database could not be prepared"))

    def _greet(self) -> None:
        place = self.installation
        lines = [f"Twofold is at {place.url}/: the team works at /inbox/, customers write at /write/"]
        if "smtp" in self.children:
            lines.append(f"Incoming mail: SMTP at {place.host}, port {place.smtp_port}")
        lines.append(f"Data in {place.data}; stop with Ctrl-C")
        sign_ins = place.data / "sign_ins.txt"  # what load_demo said
        if not place.own_database and sign_ins.exists():
            lines += sign_ins.read_text().splitlines()
        self.log.say("\n".join(lines))

    # --- the loop ----------------------------------------------------------------------------------------------------

    def _listen_to_signals(self) -> None:
        read, write = socket.socketpair()
        read.setblocking(False)
        write.setblocking(False)
        self.bells = read, write
        self.selector.register(read, selectors.EVENT_READ)
        signal.set_wakeup_fd(write.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda number, frame: self.signals.append(number))
        signal.signal(signal.SIGCHLD, lambda number, frame: None)  # its byte in the bell is what counts

    def _turn(self, longest: float | None = None) -> None:
        """Wait for output, a death, a return or a signal, but `longest` seconds at most, and see to all of them."""
        if self.signals and not self.stopping:
            raise Stopped
        self._notice_deaths()
        now = time.monotonic()
        returns = [child.again_at - now for child in self.children.values() if child.again_at is not None]
        waits = [max(0.0, wait) for wait in (*returns, longest) if wait is not None]
        for key, _ in self.selector.select(min(waits, default=None)):
            if key.data is None:
                self.bells[0].recv(1000)
            else:
                self._read(key.data)
        if not self.stopping:
            for child in list(self.children.values()):
                if child.again_at is not None and child.again_at <= time.monotonic():
                    self._start(child.program, pause=min(child.pause * 2, LONGEST_PAUSE))

    def _wait_for(self, name: str, ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + START_LIMIT
        while not ready():
            if not self.children[name].alive() or time.monotonic() > deadline:
                self._turn(0.1)  # its last words
                raise Refused(self._reason(f"{name} did not start"))
            self._turn(0.03)

    def _reason(self, what: str) -> str:
        if shutil.disk_usage(self.installation.data).free < 20_000_000:
            return f"{what}: the disk of {self.installation.data} is full; make room and start again"
        return f"{what}: the lines above say why"

    def _read(self, child: Child) -> None:
        data = os.read(child.output, 65_536)
        self.log.say(child.lines.feed(data), child.program.name)
        if not data:
            self.selector.unregister(child.output)
            os.close(child.output)

    # --- the children ------------------------------------------------------------------------------------------------

    def _start(self, program: Program, pause: float = FIRST_PAUSE) -> Child:
        read, write = os.pipe()
        try:
            process = self.family.start(program, output=write)
        finally:
            os.close(write)
        child = Child(program, process, read, time.monotonic(), pause)
        self.children[program.name] = child
        self.selector.register(read, selectors.EVENT_READ, child)
        self._write_pids()
        return child

    def _write_pids(self) -> None:
        """processes.json: who is who, for people and for `make chaos`."""
        path = self.installation.data / "processes.json"
        numbers = {name: child.process.pid for name, child in self.children.items() if child.alive()}
        draft = path.with_suffix(".draft")
        with suppress(OSError):  # a full disk ends nothing here
            draft.write_text(json.dumps({"up": os.getpid(), **numbers}) + "\n")
            draft.replace(path)

    def _notice_deaths(self) -> None:
        for child in self.children.values():
            if child.alive() or child.again_at is not None or child.program.name == "prepare":
                continue
            self.family.forget(child.process)
            if time.monotonic() - child.started > HEALTHY:
                child.pause = FIRST_PAUSE
            child.again_at = time.monotonic() + child.pause
            if not self.stopping:
                status = child.process.returncode
                how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
                self.log.say(f"{child.program.name} {how}; it starts again in {child.pause:g} s")

    def _stop_all(self) -> None:
        """Our own processes together, then the servers that they need."""
        self.stopping = True
        self._stop([child for name, child in self.children.items() if name not in {"postgres", "valkey"}])
        for name in ("valkey", "postgres"):
            if name in self.children:
                self._stop([self.children[name]])
        self.family.close()
        if self.folder.lock is not None:
            (self.installation.data / "processes.json").unlink(missing_ok=True)
            self.folder.close()

    def _stop(self, children: Sequence[Child]) -> None:
        for child in _living(children):
            child.process.send_signal(child.program.stop)
        asked, heard = time.monotonic(), len(self.signals)
        while living := _living(children):
            for child in living:
                impatient = len(self.signals) > heard and child.program.name not in {"postgres", "valkey"}
                if impatient or time.monotonic() - asked > child.program.grace:
                    os.killpg(child.process.pid, signal.SIGKILL)
            self._turn(0.1)


def _living(children: Iterable[Child]) -> list[Child]:
    return [child for child in children if child.alive()]


def main(arguments: Sequence[str]) -> int:
    """`manage.py up`: the flags are in `installation`. Ends with 1 and one line when it cannot start."""
    parser = argparse.ArgumentParser(prog="manage.py up", description=__doc__)
    setup.add_arguments(parser)
    return Supervisor(setup.installation(vars(parser.parse_args(arguments)))).run()
