"""What one installation runs: its addresses, and the programs besides the two servers."""

import argparse
import errno
import os
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from helpdesk.embedded import defaults
from helpdesk.embedded.folder import Refused
from helpdesk.embedded.process import Program

ROOT = Path(__file__).resolve().parents[2]
FIRST_ANSWER = 5.0  # seconds it may take
DEMO_POSTAL_ADDRESS = "Nordwind, 1 Letter Lane, 12345 Papertown"
# queues of a worker → tasks at a time; a process costs 75 MB, and maintenance is too little work for its own
AFTER_OTHERS = {"campaigns"}  # these workers leave the processor to others: no reply and no page waits for a campaign
NICENESS = 10
WORKERS = {"replies": 2, "campaigns,maintenance": 3, "ingest": 2}
# `prepare` has run the checks; without them a worker does without the pages and their 35 MB. No banner, and no warning
# to root: what must not be root here, PostgreSQL and Valkey, is not
CELERY = ("-W", "ignore:You're running the worker", "-m", "celery", "--quiet", "--skip-checks", "-A", "helpdesk.celery")


@dataclass(frozen=True)
class Installation:
    """Where one installation answers and keeps its data; `environ` is what its processes are started with."""

    data: Path
    host: str
    port: int
    smtp_port: int
    demo: bool
    environ: Mapping[str, str]

    @property
    def own_database(self) -> bool:
        return "DATABASE_URL" in os.environ

    @property
    def own_broker(self) -> bool:
        return "REDIS_URL" in os.environ

    @property
    def url(self) -> str:
        return self.environ.get("BASE_URL", f"http://localhost:{self.port}")

    def check_ports(self) -> None:
        """`Refused` when one of the ports is not ours to take."""
        for port, name in ((self.port, "TWOFOLD_PORT"), (self.smtp_port, "TWOFOLD_SMTP_PORT")):
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind((self.host, port))
                    probe.listen()
                except OSError as error:
                    reason = {errno.EADDRINUSE: "is taken", errno.EACCES: "is not allowed for this user"}
                    what = reason.get(error.errno or 0, f"cannot be used ({error.strerror})")
                    raise Refused(f"Port {port} on {self.host} {what}: choose another one with {name}") from error

    def answers(self) -> bool:
        """Whether the web process answers, whatever it says: the first answer is what loads its pages."""
        client = HTTPConnection(_nearest(self.host), self.port, timeout=FIRST_ANSWER)
        try:
            client.request("GET", "/healthz")
            client.getresponse()
        except (OSError, HTTPException):
            return False
        finally:
            client.close()
        return True

    def programs(self) -> list[Program]:
        """Web, a worker for each queue, beat, the SMTP listener and who waits at the IMAP mailboxes."""
        web = ["uvicorn", "helpdesk.asgi:application", "--host", self.host, "--port", str(self.port)]
        web += ["--no-access-log", "--no-server-header", "--lifespan", "off", "--log-level", "warning"]
        web += ["--timeout-graceful-shutdown", "3"]
        programs = [self.python("web", "-m", *web)]
        for queues, tasks in WORKERS.items():
            name = queues.partition(",")[0]
            # threads, not forks: tasks wait for the database and for SMTP, and half the processes need half the memory
            worker = ["worker", "-Q", queues, "-n", f"{name}@%h", "--pool", "threads", "--concurrency", str(tasks)]
            program = self.python(name, *CELERY, *worker, "--without-gossip", "--without-mingle")
            programs.append(replace(program, niceness=NICENESS if name in AFTER_OTHERS else 0))
        # in memory: every entry of the schedule only says "look at the database", so there is nothing to remember
        programs.append(self.python("beat", *CELERY, "beat", "--scheduler", "celery.beat:Scheduler"))
        if (ROOT / "helpdesk/mail/management/commands/smtp_listener.py").exists():
            programs.append(self.python("smtp", "manage.py", "smtp_listener"))
            programs.append(self.python("mailboxes", "manage.py", "watch_mailboxes"))
        return programs

    def python(self, name: str, *arguments: str) -> Program:
        """One of our own processes."""
        return Program(name=name, argv=[sys.executable, *arguments], env=self.environ, cwd=ROOT)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of `manage.py up`; each has a variable, for use without flags."""
    port = os.environ.get("TWOFOLD_PORT") or os.environ.get("PORT") or "8000"
    data = os.environ.get("TWOFOLD_DATA") or str(ROOT / "var")
    smtp_port = os.environ.get("TWOFOLD_SMTP_PORT") or "2525"
    host = os.environ.get("TWOFOLD_HOST") or "127.0.0.1"
    parser.add_argument("--port", default=port, type=_port, help="of the pages (TWOFOLD_PORT or PORT; 8000)")
    parser.add_argument("--smtp-port", default=smtp_port, type=_port, help="of incoming mail (TWOFOLD_SMTP_PORT; 2525)")
    parser.add_argument("--host", default=host, help="address to listen on (TWOFOLD_HOST; 127.0.0.1)")
    parser.add_argument("--data", default=data, help="the data folder (TWOFOLD_DATA; var)")
    parser.add_argument("--no-demo", action="store_true", help="leave an empty database empty (TWOFOLD_DEMO=0)")


def installation(options: Mapping[str, object]) -> Installation:
    """The installation that the flags and the environment describe."""
    data = Path(str(options["data"])).expanduser().resolve()
    own_database = "DATABASE_URL" in os.environ
    environ = dict(os.environ)
    environ.setdefault("DATABASE_URL", defaults.database_url(data))
    environ.setdefault("REDIS_URL", defaults.redis_url(data))
    environ |= {
        "TWOFOLD_DATA": str(data),
        "TWOFOLD_HOST": str(options["host"]),
        "TWOFOLD_PORT": str(options["port"]),
        "TWOFOLD_SMTP_PORT": str(options["smtp_port"]),
        "PYTHONUNBUFFERED": "1",
    }
    wanted = not options["no_demo"] and os.environ.get("TWOFOLD_DEMO", "1") not in {"0", "false", "no"}
    demo = wanted and not own_database  # never into an operator's database
    if demo and "MAIL_TRANSPORT" not in os.environ:  # nothing leaves this machine: campaigns can be tried as they are
        environ.setdefault("POSTAL_ADDRESS", DEMO_POSTAL_ADDRESS)
    return Installation(
        data=data,
        host=str(options["host"]),
        port=int(str(options["port"])),
        smtp_port=int(str(options["smtp_port"])),
        demo=demo,
        environ=environ,
    )


def _port(text: str) -> int:
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise argparse.ArgumentTypeError(f"{text} is not a port: give a number from 1 to 65535")
    return int(text)


def _nearest(host: str) -> str:
    return "127.0.0.1" if host in {"0.0.0.0", ""} else host  # noqa: S104
