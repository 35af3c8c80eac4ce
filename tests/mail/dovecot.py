"""Debian's dovecot as a mailbox elsewhere: with TLS, with sign-in by token, and killed when a test wants it."""

import os
import shutil
import signal
import socket
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from imap_tools import MailBoxUnencrypted

CONFIG = """
base_dir = {run}/base
state_dir = {run}/state
log_path = {run}/log
protocols = imap
listen = 127.0.0.1
ssl = yes
ssl_cert = <{run}/cert.pem
ssl_key = <{run}/key.pem
ssl_min_protocol = TLSv1.2
disable_plaintext_auth = no
auth_mechanisms = plain login xoauth2
default_internal_user = {user}
default_login_user = {user}
default_internal_group = {group}
mail_location = maildir:{run}/mail/%u
mailbox_idle_check_interval = 1s
first_valid_uid = 1
mail_uid = {user}
mail_gid = {group}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
  }}
}}
service anvil {{
  chroot =
}}
passdb {{
  driver = static
  mechanisms = plain login
  args = password=secret
}}
passdb {{
  driver = oauth2
  mechanisms = xoauth2
  args = {run}/oauth2.conf
}}
userdb {{
  driver = static
  args = uid={user} gid={group} home={run}/mail/%u
}}
"""
OAUTH2 = """
introspection_mode = post
introspection_url = {introspect}
username_attribute = username
active_attribute = active
active_value = true
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def wait_for(port: int) -> None:
    """Until something listens there; a minute at most."""
    for _ in range(1200):
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    pytest.fail(f"nothing listens on port {port}")


def owner() -> tuple[str, str]:
    if os.getuid() == 0:
        return "nobody", "nogroup"
    import grp
    import pwd

    return pwd.getpwuid(os.getuid()).pw_name, grp.getgrgid(os.getgid()).gr_name


def certificate(folder: Path, name: str = "localhost") -> Path:
    """cert.pem and key.pem in this folder, signed by themselves for localhost and 127.0.0.1; new ones at each call."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", f"/CN={name}", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
         "-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")],
        check=True, capture_output=True,
    )  # fmt: skip
    return folder / "cert.pem"


@dataclass
class Dovecot:
    """One server; `more` is added to its configuration."""

    name: str
    introspect: str = "http://127.0.0.1:9/"
    more: str = ""
    port: int = field(default_factory=free_port)
    tls_port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def run(self) -> Path:
        return Path("/tmp") / f"twofold-dovecot-{os.getpid()}-{self.name}"  # short: sockets lie in it

    def start(self) -> None:
        program = shutil.which("dovecot", path="/usr/sbin:/usr/bin:/usr/local/sbin")
        if program is None:
            pytest.skip("dovecot is not installed (Debian: dovecot-imapd)")
        if not self.run.exists():
            user, group = owner()
            (self.run / "mail").mkdir(parents=True)
            self.run.chmod(0o755)
            shutil.chown(self.run / "mail", user, group)
            certificate(self.run)
            (self.run / "oauth2.conf").write_text(OAUTH2.format(introspect=self.introspect))
            text = CONFIG.format(run=self.run, port=self.port, tls_port=self.tls_port, user=user, group=group) + self.more
            (self.run / "dovecot.conf").write_text(text)
        self.process = subprocess.Popen([program, "-F", "-c", str(self.run / "dovecot.conf")], start_new_session=True)
        wait_for(self.port)

    def kill(self) -> None:
        """As when the power fails: the master and every session at once."""
        assert self.process
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)

    def end(self) -> None:
        if self.process:
            self.process.terminate()
            self.process.wait(10)
        shutil.rmtree(self.run, ignore_errors=True)


@dataclass
class Imap:
    """A running dovecot; `user` is the mailbox of this test alone."""

    server: Dovecot
    user: str

    @property
    def port(self) -> int:
        return self.server.port

    def client(self) -> MailBoxUnencrypted:
        return MailBoxUnencrypted("127.0.0.1", self.port, timeout=10).login(self.user, "secret")

    def put(self, *mails: bytes, seen: bool = False, at: object = None) -> None:
        flags = ["\\Seen"] if seen else []
        with self.client() as server:
            for mail in mails:
                server.append(mail.replace(b"\n", b"\r\n"), "INBOX", dt=at, flag_set=flags)  # type: ignore[arg-type]

    def flags(self) -> list[tuple[str, ...]]:
        with self.client() as server:
            return [tuple(flag for flag in mail.flags if flag != "\\Recent") for mail in server.fetch(mark_seen=False)]

    def renumber(self) -> None:
        """A new UIDVALIDITY, as after a restore: all numbers start again."""
        folder = self.server.run / "mail" / self.user
        for file in folder.glob("dovecot*"):
            file.unlink()
        uids = folder / "dovecot-uidlist"
        uids.write_text(f"3 V{int(time.time()) + 1000} N1 G{os.urandom(16).hex()}\n")
        shutil.chown(uids, *owner())

    def spoil(self, uid: int) -> None:
        """One mail that the server itself cannot read any more."""
        file = next(f for f in (self.server.run / "mail" / self.user).glob("[cn]*/*") if f.name.startswith(self._name(uid)))
        file.chmod(0)
        shutil.chown(file, "root" if os.getuid() == 0 else owner()[0])

    def _name(self, uid: int) -> str:
        lines = (self.server.run / "mail" / self.user / "dovecot-uidlist").read_text().splitlines()
        return next(line.split(":", 1)[1] for line in lines if line.startswith(f"{uid} "))
