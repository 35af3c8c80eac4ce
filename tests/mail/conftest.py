"""A real IMAP server (Debian's dovecot) and our own SMTP listener, each in its own process."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest
from django.db import connection
from imap_tools import MailBoxUnencrypted

ROOT = Path(__file__).resolve().parents[2]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def wait_for(port: int) -> None:
    """Until something listens there; ten seconds at most."""
    for _ in range(200):
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    pytest.fail(f"nothing listens on port {port}")


def database_url() -> str:
    """The test database, for another process."""
    parts = urlsplit(os.environ["DATABASE_URL"])
    return urlunsplit(parts._replace(path=f"/{connection.settings_dict['NAME']}"))


DOVECOT = """
base_dir = {run}/base
state_dir = {run}/state
log_path = {run}/log
protocols = imap
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
default_internal_user = {user}
default_login_user = {user}
default_internal_group = {group}
mail_location = maildir:{run}/mail/%u
first_valid_uid = 1
mail_uid = {user}
mail_gid = {group}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service anvil {{
  chroot =
}}
passdb {{
  driver = static
  args = password=secret
}}
userdb {{
  driver = static
  args = uid={user} gid={group} home={run}/mail/%u
}}
"""


@dataclass
class Imap:
    """A running dovecot; `user` is the mailbox of this test alone."""

    port: int
    run: Path
    user: str = ""

    def client(self) -> MailBoxUnencrypted:
        return MailBoxUnencrypted("127.0.0.1", self.port, timeout=10).login(self.user, "secret")

    def put(self, *mails: bytes) -> None:
        with self.client() as server:
            for mail in mails:
                server.append(mail.replace(b"\n", b"\r\n"), "INBOX", dt=None, flag_set=[])

    def flags(self) -> list[tuple[str, ...]]:
        with self.client() as server:
            return [tuple(flag for flag in mail.flags if flag != "\\Recent") for mail in server.fetch(mark_seen=False)]

    def renumber(self) -> None:
        """A new UIDVALIDITY, as after a restore: all numbers start again."""
        folder = self.run / "mail" / self.user
        for file in folder.glob("dovecot*"):
            file.unlink()
        uids = folder / "dovecot-uidlist"
        uids.write_text(f"3 V{int(time.time()) + 1000} N1 G{os.urandom(16).hex()}\n")
        shutil.chown(uids, *_owner())


def _owner() -> tuple[str, str]:
    if os.getuid() == 0:
        return "nobody", "nogroup"
    import grp
    import pwd

    return pwd.getpwuid(os.getuid()).pw_name, grp.getgrgid(os.getgid()).gr_name


@pytest.fixture(scope="session")
def dovecot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Imap]:
    program = shutil.which("dovecot", path="/usr/sbin:/usr/bin:/usr/local/sbin")
    if program is None:
        pytest.skip("dovecot is not installed (Debian: dovecot-imapd)")
    run = Path("/tmp") / f"twofold-dovecot-{os.getpid()}"  # short: sockets lie in it
    user, group = _owner()
    (run / "mail").mkdir(parents=True)
    run.chmod(0o755)
    shutil.chown(run / "mail", user, group)
    port = free_port()
    (run / "dovecot.conf").write_text(DOVECOT.format(run=run, port=port, user=user, group=group))
    process = subprocess.Popen([program, "-F", "-c", str(run / "dovecot.conf")], start_new_session=True)
    try:
        wait_for(port)
        yield Imap(port, run)
    finally:
        process.terminate()
        process.wait(10)
        shutil.rmtree(run, ignore_errors=True)


@pytest.fixture
def imap(dovecot: Imap, request: pytest.FixtureRequest) -> Imap:
    return Imap(dovecot.port, dovecot.run, f"u{abs(hash(request.node.nodeid)):x}")


@dataclass
class Listener:
    process: subprocess.Popen[bytes]
    port: int

    def stop(self, how: int = signal.SIGTERM) -> int:
        self.process.send_signal(how)
        return self.process.wait(20)


@pytest.fixture
def listen(transactional_db: None) -> Iterator[Callable[..., Listener]]:
    """`listen()` starts the listener on the test database, as `manage.py up` does."""
    running: list[Listener] = []

    def start(port: int | None = None, **environment: str) -> Listener:
        port = port or free_port()
        command = [sys.executable, "manage.py", "smtp_listener", "--port", str(port)]
        process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "DATABASE_URL": database_url(), **environment})
        running.append(Listener(process, port))
        wait_for(port)
        return running[-1]

    yield start
    for one in running:
        if one.process.poll() is None:
            one.stop()
