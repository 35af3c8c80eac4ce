"""The data folder: made, found fit, and held by one start at a time."""

import fcntl
import hashlib
import os
import pwd
import shutil
import stat
import time
from contextlib import suppress
from pathlib import Path

from helpdesk.embedded.defaults import server_home, socket_folder
from helpdesk.embedded.watchdog import alive

SERVER_USER = "nobody"  # who runs the servers when we are root, which PostgreSQL refuses to be
ROOM_NEEDED = 300_000_000  # bytes: a new cluster and its first log files take about 80 MB
HOMES = Path("/var/lib/twofold")  # for servers of root whose own data folder is closed to SERVER_USER


class Refused(Exception):
    """A start that cannot go on. The message is one line that says what to do."""


class AlreadyRuns(Refused):
    """Somebody else holds the data folder."""


class DataFolder:
    """A data folder and the lock on it. The servers inherit the lock, so it is free only when they are gone too."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lock: int | None = None

    def open(self, *, patience: float = 15.0) -> None:
        """Make the folder and take its lock; wait `patience` seconds for what a killed start has left to end."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._take_lock(time.monotonic() + patience)
            self._check_room()
            self._make_homes()
        except PermissionError as error:
            raise Refused(
                f"Cannot write to {error.filename or self.path} as this user: "
                "set TWOFOLD_DATA to a folder of your own, or change its owner"
            ) from error
        except OSError as error:
            raise Refused(f"Cannot use {self.path} as the data folder: {error.strerror}") from error

    def held(self) -> int:
        """The descriptor of the lock, for a server to hold as well."""
        if self.lock is None:
            raise ValueError(f"{self.path} is not open")
        return self.lock

    def close(self) -> None:
        """Let go, when the servers have ended; a short socket folder outside goes with it."""
        if self.lock is not None:
            if not (run := socket_folder(self.path)).is_relative_to(server_home(self.path)):
                with suppress(OSError):
                    run.rmdir()
            os.close(self.lock)
            self.lock = None

    def _take_lock(self, deadline: float) -> None:
        lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                holder = os.pread(lock, 20, 0).decode().strip()
                if (holder and alive(int(holder))) or time.monotonic() > deadline:
                    os.close(lock)
                    raise AlreadyRuns(
                        f"Twofold already runs in {self.path} (process {holder or 'unknown'}): stop it first, "
                        "or give this one its own TWOFOLD_DATA, TWOFOLD_PORT and TWOFOLD_SMTP_PORT"
                    ) from None
                time.sleep(0.1)
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
        self.lock = lock

    def _check_room(self) -> None:
        free = shutil.disk_usage(self.path).free
        if free < ROOM_NEEDED:
            raise Refused(
                f"Only {free // 1_000_000} MB are free in {self.path}, {ROOM_NEEDED // 1_000_000} MB are needed: "
                "make room, or set TWOFOLD_DATA to a folder on another disk"
            )

    def _make_homes(self) -> None:
        servers = self.path / "servers"
        if os.geteuid() == 0 and not servers.exists() and not reachable(self.path):
            home = HOMES / hashlib.sha256(os.fsencode(self.path)).hexdigest()[:12]
            home.mkdir(parents=True, exist_ok=True)
            servers.symlink_to(home)
        home = server_home(self.path)
        home.mkdir(mode=0o755, exist_ok=True)
        for folder in (socket_folder(self.path), home / "valkey"):
            own(folder)


def server_user() -> str | None:
    """Whom the servers run as: us, or an unprivileged user when we are root."""
    return SERVER_USER if os.geteuid() == 0 else None


def own(folder: Path) -> None:
    """Make the folder private to the user of the servers; refuse one that somebody else has put there."""
    folder.mkdir(mode=0o700, exist_ok=True)
    state = folder.lstat()
    if not stat.S_ISDIR(state.st_mode) or state.st_uid not in {os.geteuid(), _server_uid()}:
        raise Refused(f"{folder} belongs to somebody else: remove it, or set TWOFOLD_DATA to a shorter path")
    folder.chmod(0o700)
    if (user := server_user()) and state.st_uid != _server_uid():
        shutil.chown(folder, user, pwd.getpwnam(user).pw_gid)


def reachable(path: Path) -> bool:
    """Whether the user of the servers can walk to this path, by the mode of every folder on the way."""
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in [path, *path.parents])


def _server_uid() -> int:
    user = server_user()
    return pwd.getpwnam(user).pw_uid if user else os.geteuid()
