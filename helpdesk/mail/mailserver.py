"""A conversation with a mailbox's IMAP server (RFC 3501): dialled by the guarded dialler, its sign-in, its bell (RFC 2177)."""

import imaplib
import select
import socket
import ssl
import threading
import time
from contextlib import suppress
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _
from imap_tools import BaseMailBox
from imap_tools.errors import ImapToolsError, MailboxFolderSelectError

from helpdesk.accounts import vault
from helpdesk.lib.net import dial
from helpdesk.mail import oauth
from helpdesk.mail.models import Mailbox

TIMEOUT = 30  # seconds, for each answer of the server
GLANCE = 1000  # milliseconds between two looks at whether we shall stop
PROBE = 5  # seconds in which a server must greet somebody who tests, and after which he is told that it does not
STARTTLS_PORT = 143  # there, encryption begins after the greeting; everywhere else before it


class NoServer(OSError):
    """Nothing greeted us as an IMAP server does: not there, not for us to dial, silent, or something else altogether."""


class Refused(Exception):
    """The server is there and does not let us in; in words."""


# What the network, the server and the stored secret can do to us.
TROUBLE = (OSError, imaplib.IMAP4.error, ImapToolsError, vault.Unreadable, oauth.SignInFailed, Refused)


class Line(imaplib.IMAP4):
    """imaplib's client over the guarded dialler."""

    def __init__(self, host: str, port: int, *, tls: bool, timeout: float) -> None:
        self.tls = ssl.create_default_context() if tls else None
        self.end = time.monotonic() + timeout
        try:
            super().__init__(host, port, timeout)
        except ssl.SSLCertVerificationError:
            raise
        except (OSError, imaplib.IMAP4.error) as error:
            if said(error).startswith("* BYE"):
                raise Refused(_("It does not want to talk now: %s") % said(error)) from error
            raise NoServer(str(error)) from error
        self.sock.settimeout(timeout)
        if self.tls and port == STARTTLS_PORT:
            self.starttls(self.tls)

    def _create_socket(self, timeout: float | None) -> socket.socket:
        left = max(0.1, self.end - time.monotonic())
        line = dial(self.host, self.port, ports=settings.MAIL_PORTS, private=settings.MAIL_PRIVATE_HOSTS, timeout=left)
        line.settimeout(max(0.1, self.end - time.monotonic()))
        if self.tls and self.port != STARTTLS_PORT:
            return self.tls.wrap_socket(line, server_hostname=self.host)
        return line


class Server(BaseMailBox):
    """One mailbox's server; `client` is imaplib's."""

    client: Any  # we ask it more than its stubs know

    def __init__(self, box: Mailbox, timeout: float = TIMEOUT) -> None:
        self.box, self.timeout = box, timeout
        super().__init__()

    def _get_mailbox_client(self) -> Line:
        return Line(self.box.imap_host, self.box.imap_port, tls=self.box.imap_tls, timeout=self.timeout)

    def sign_in(self, secret: str) -> None:
        try:
            if self.box.provider:
                self._by_token(secret)
            elif (self.box.imap_user + secret).isascii():
                self.login(self.box.imap_user, secret, initial_folder=None)
            else:
                self.login_utf8(self.box.imap_user, secret, initial_folder=None)
        except imaplib.IMAP4.abort:
            raise
        except (imaplib.IMAP4.error, ImapToolsError) as error:
            if self.box.provider:
                oauth.forget(self.box)
            raise Refused(
                _("It does not let %(user)s in: %(words)s") % {"user": self.box.imap_user, "words": said(error)}
            ) from error

    def _by_token(self, token: str) -> None:
        """XOAUTH2; a refusal comes as a question, which wants an empty answer before the server says no."""
        first = [oauth.sasl(self.box.imap_user, token).encode()]
        self.client.authenticate("XOAUTH2", lambda _question: first.pop() if first else b"")

    def select(self) -> tuple[int, int]:
        """Look at the folder anew: its UIDVALIDITY, and the highest number that it has given."""
        try:
            self.folder.set(self.box.imap_folder)
        except MailboxFolderSelectError as error:
            words = {"folder": self.box.imap_folder, "words": said(error)}
            raise Refused(_("It does not open the folder %(folder)s: %(words)s") % words) from error
        found = [self.client.response(name)[1][0] for name in ("UIDVALIDITY", "UIDNEXT")]
        if None in found:  # a server need not say them here
            status = self.folder.status(self.box.imap_folder, ["UIDVALIDITY", "UIDNEXT"])
            found = [status["UIDVALIDITY"], status["UIDNEXT"]]
        self.announced()
        return int(found[0]), int(found[1]) - 1

    def announced(self) -> bool:
        """Whether new mail was announced since we last asked this: words beside the answer to another question."""
        return self.client.response("EXISTS")[1] != [None]

    def rings(self) -> bool:
        """Whether the server can ring; asked anew after the sign-in, when it tells more."""
        return b"IDLE" in b" ".join(self.client.capability()[1]).upper().split()

    def wait(self, seconds: float, stop: threading.Event) -> None:
        """Until the server says something, we are told to stop, or the time is over."""
        tag, client = self.client._command("IDLE"), self.client
        while client._get_response() is not None:  # other words may come before its "go ahead"
            if client.tagged_commands[tag]:
                raise imaplib.IMAP4.error(f"IDLE: {client.tagged_commands.pop(tag)}")
        end, bell = time.monotonic() + seconds, select.poll()
        bell.register(client.sock, select.POLLIN)
        # Words that came with the "go ahead" lie in our own buffer: the socket will not tell of them.
        while not self._heard() and not stop.is_set() and time.monotonic() < end:
            if bell.poll(GLANCE):
                break
        client.send(b"DONE\r\n")
        self.consume_until_tagged_response(tag)

    def _heard(self) -> bool:
        self.client.sock.settimeout(0)
        try:
            return bool(self.client.readline())
        except (BlockingIOError, ssl.SSLWantReadError):
            return False
        finally:
            self.client.sock.settimeout(self.timeout)

    def leave(self) -> None:
        """Say goodbye if there is anybody to say it to."""
        with suppress(*TROUBLE):
            self.client.logout()
        with suppress(OSError):
            self.client.shutdown()


def connect(box: Mailbox, *, timeout: float = TIMEOUT) -> Server:
    """Signed in at a mailbox's server. Raises TROUBLE."""
    secret = oauth.access_token(box) if box.provider else vault.unseal(box.imap_secret)
    server = Server(box, timeout)
    try:
        server.sign_in(secret)
    except BaseException:
        server.leave()
        raise
    return server


def probe(box: Mailbox) -> str:
    """Test the connection: empty if we could sign in and see the folder, else what is wrong, in words.

    Whether a port is open, closed, filtered or forbidden can be told neither from the words nor from the time it takes.
    """
    end = time.monotonic() + PROBE
    try:
        server = connect(box, timeout=PROBE)
        try:
            server.select()
        finally:
            server.leave()
    except NoServer as trouble:
        time.sleep(max(0.0, end - time.monotonic()))
        return words(box, trouble)
    except TROUBLE as trouble:
        return words(box, trouble)
    return ""


def words(box: Mailbox, trouble: BaseException) -> str:
    """What is wrong, for whoever can put it right."""
    place = {"host": box.imap_host, "port": box.imap_port}
    if isinstance(trouble, NoServer):
        return _(
            "No IMAP server answers us at %(host)s, port %(port)s. Is the name right, and is a server that is not public, "
            "or another port than the usual ones, allowed (MAIL_PRIVATE_HOSTS, MAIL_PORTS)?"
        ) % place  # fmt: skip
    if isinstance(trouble, vault.Unreadable):
        return _("Its secret was sealed under a key that we no longer have: enter the password or sign in again.")
    if isinstance(trouble, ssl.SSLCertVerificationError):
        return _("%(host)s shows a certificate that is not valid: %(why)s") % {**place, "why": trouble.verify_message}
    if isinstance(trouble, oauth.SignInFailed | Refused):
        return str(trouble)[:500]
    return (_("The connection to %s broke off: ") % box.imap_host + said(trouble))[:500]


def said(trouble: BaseException) -> str:
    """The server's own words out of an error of imaplib or imap_tools."""
    result = getattr(trouble, "command_result", None) or trouble.args
    inner = result[1] if len(result) > 1 and isinstance(result[1], list) and result[1] else result[-1:] or [""]
    word = inner[0]
    text = word.decode("utf-8", "replace") if isinstance(word, bytes) else str(word)
    return " ".join(text.split())[:300] or type(trouble).__name__
