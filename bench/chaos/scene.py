"""A real installation in a folder of its own: durable servers, our tables, a campaign, and a way to break the servers."""

import os
import signal
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from helpdesk.embedded import defaults
from helpdesk.embedded.process import Program
from helpdesk.embedded.servers import Servers

STAMP = 5  # messages a campaign's stamp hands over
SMTP_TIMEOUT = 1  # seconds; a stamp's lease is twice its size times this
LEASE = 2 * STAMP * SMTP_TIMEOUT


@dataclass
class Scene:
    """Servers, addresses and secrets that the rest of the chaos needs."""

    path: Path
    servers: Servers
    web: socket.socket  # the processes take turns on one listening socket: a kill refuses nobody
    smtp_port: int  # of incoming mail; the listener makes its own socket
    sink: socket.socket
    secrets: dict[str, Any] = field(default_factory=dict)

    @property
    def sink_list(self) -> Path:
        return self.path / "sink.txt"

    @property
    def promises(self) -> Path:
        return self.path / "promises.txt"

    @property
    def surprises(self) -> Path:
        return self.path / "surprises.txt"

    def find(self, name: str) -> tuple[int, Program, subprocess.Popen[bytes]]:
        place = next(i for i, (program, _child) in enumerate(self.servers.running) if program.name == name)
        return place, *self.servers.running[place]

    def break_server(self, name: str, sign: signal.Signals) -> None:
        """End a server as a crash does: SIGQUIT is PostgreSQL's own "immediate", without a checkpoint."""
        _place, _program, child = self.find(name)
        child.send_signal(sign)
        child.wait()

    def mend_server(self, name: str) -> None:
        place, program, child = self.find(name)
        self.servers.family.forget(child)
        with (self.path / "servers.log").open("ab") as log:
            child = self.servers.family.start(program, output=log)
        self.servers.running[place] = (program, child)
        deadline = time.monotonic() + 60
        while not program.ready(child.pid):
            if child.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{name} did not come back")
            time.sleep(0.02)


def listen(port: int = 0) -> socket.socket:
    """A listening socket on loopback that outlives those who take from it."""
    listener = socket.create_server(("127.0.0.1", port), backlog=512)
    listener.set_inheritable(True)
    return listener


def environ(path: Path, sink_port: int, web_port: int) -> dict[str, str]:
    """The settings of this installation. Deadlines and stamps are small, so that leases run out within the play."""
    return {
        "DJANGO_SETTINGS_MODULE": "helpdesk.settings",
        "DATABASE_URL": defaults.database_url(path),
        "REDIS_URL": defaults.redis_url(path),
        "TWOFOLD_DATA": str(path),
        "BASE_URL": f"http://127.0.0.1:{web_port}",
        "MAIL_DOMAIN": "chaos.example",
        "MAIL_TRANSPORT": f"smtp://127.0.0.1:{sink_port}",
        "MAIL_SMTP_TIMEOUT": str(SMTP_TIMEOUT),
        "MAIL_SENDER_STAMP": str(STAMP),
        "POSTAL_ADDRESS": "1 Letter Lane, 12345 Papertown",
        "UNDO_SEND": "0",
        "LOG_LEVEL": "CRITICAL",
        "SECRET_KEY": "chaos has a key of its own, long enough for every check that counts",
    }


def build(path: Path) -> Scene:
    """Start the servers and set up Django in this process, from which every worker is then forked."""
    sink, web = listen(), listen()
    with listen() as free:
        smtp_port = free.getsockname()[1]
    os.environ.update(environ(path, sink.getsockname()[1], web.getsockname()[1]))
    servers = Servers(path).__enter__()
    scene = Scene(path, servers, web, smtp_port, sink)
    try:
        import django

        django.setup()
        from bench.chaos import furniture

        scene.secrets = furniture.make()
    except BaseException:
        servers.__exit__()
        raise
    return scene
