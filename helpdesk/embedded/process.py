"""Child processes that never outlive their parent, whatever ends it."""

import ctypes
import os
import pwd
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

PR_SET_PDEATHSIG = 1  # prctl(2)


@dataclass(frozen=True)
class Program:
    """One process to run. `stop` asks it to end in order; `orphaned` is what it gets when its parent has vanished."""

    name: str
    argv: list[str]
    env: Mapping[str, str]
    cwd: Path
    stop: signal.Signals = signal.SIGTERM
    orphaned: signal.Signals = signal.SIGKILL
    grace: float = 10.0  # seconds between `stop` and SIGKILL
    user: str | None = None
    pass_fds: tuple[int, ...] = ()
    niceness: int = 0  # above the parent's: it gets the processor when others leave it
    ready: Callable[[int], bool] = field(default=lambda pid: True)


class Family:
    """Starts programs in sessions of their own, so that Ctrl-C reaches only the parent, and ends them with it.

    Linux tells each child itself (PR_SET_PDEATHSIG). Elsewhere a watchdog holds a pipe from the parent and acts when
    it closes. The signal follows the *thread* that started the child: start programs from the main thread only.
    """

    def __init__(self, *, watchdog: bool = sys.platform != "linux") -> None:
        self.watchdog: subprocess.Popen[str] | None = None
        if watchdog:
            self.watchdog = subprocess.Popen(
                [sys.executable, str(Path(__file__).with_name("watchdog.py"))],
                stdin=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )

    def start(self, program: Program, *, output: int | IO[Any] | None = None) -> subprocess.Popen[bytes]:
        """Run the program; `output` takes what it prints, both streams."""
        linux = sys.platform == "linux" and self.watchdog is None
        child = subprocess.Popen(
            program.argv,
            env=dict(program.env),
            cwd=program.cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT if output is not None else None,
            start_new_session=True,
            umask=0o077 if program.user else -1,
            pass_fds=program.pass_fds,
            # setuid clears the death signal, and preexec_fn runs after it
            preexec_fn=_dies_with(os.getpid(), program.orphaned) if linux else None,
            **identity(program.user),
        )
        if program.niceness:
            os.setpriority(os.PRIO_PROCESS, child.pid, os.getpriority(os.PRIO_PROCESS, 0) + program.niceness)
        self._tell(f"{child.pid} {int(program.orphaned)}")
        return child

    def forget(self, child: subprocess.Popen[bytes]) -> None:
        """The child has been reaped; its number may be someone else's from now on."""
        self._tell(f"-{child.pid}")

    def stop(self, child: subprocess.Popen[bytes], program: Program) -> None:
        """End one child in order, and with force after its grace."""
        if child.poll() is None:
            child.send_signal(program.stop)
            try:
                child.wait(program.grace)
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()
        self.forget(child)

    def close(self) -> None:
        if self.watchdog and self.watchdog.stdin:
            self.watchdog.stdin.close()
            self.watchdog.wait()

    def _tell(self, line: str) -> None:
        if self.watchdog and self.watchdog.stdin:
            self.watchdog.stdin.write(line + "\n")
            self.watchdog.stdin.flush()


def _dies_with(parent: int, sign: signal.Signals) -> Callable[[], None]:
    prctl = ctypes.CDLL(None, use_errno=True).prctl  # looked up before the fork: after it, only calls are safe
    number = int(sign)

    def ask() -> None:
        prctl(PR_SET_PDEATHSIG, number, 0, 0, 0)
        if os.getppid() != parent:  # it died between the fork and the line above
            os._exit(1)

    return ask


def identity(user: str | None) -> dict[str, Any]:
    """The arguments of `subprocess` that make a child run as this user and in its group alone."""
    if user is None:
        return {}
    entry = pwd.getpwnam(user)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """SIGTERM and SIGHUP end this process as an exception would, so that what it started is stopped in order."""

    def leave(number: int, frame: object) -> None:
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, leave) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
