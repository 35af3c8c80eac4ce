"""The last hop. A transport says what became of the hand-over; only it knows whether the bytes may have arrived."""

import math
import os
import re
import smtplib
import ssl
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qs, unquote, urlsplit

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from helpdesk.accounts import vault
from helpdesk.mail import addresses, oauth
from helpdesk.mail.models import Mailbox

BREAKS = re.compile("[\x00-\x1f\x7f]")
ANYMAIL = "anymail://"  # and a provider's name
TAKEN = (250, 251)  # a sender or recipient that the server will serve
TOO_LONG = "The mail server took too long"
PER_CONNECTION = 200  # messages; some servers cut longer conversations


@dataclass(frozen=True)
class Handover:
    """``outcome`` is one of accepted, retry, failed, unknown; ``code`` and ``answer`` are the server's words.

    ``refused`` are those in Cc and Bcc whom the server did not take, with its words: the others have it. Of these, ``later``
    names those whom it may take when it is asked again.
    """

    outcome: str
    code: int | None = None
    answer: str = ""
    refused: dict[str, str] = field(default_factory=dict)
    later: tuple[str, ...] = ()


class Transport(Protocol):
    def send(self, envelope_from: str, recipients: list[str], raw: bytes) -> Handover: ...

    def close(self) -> None: ...


class FileTransport:
    """Writes each message into a folder below the data folder, for trying things without a mail server."""

    def __init__(self) -> None:
        self.folder = Path(settings.DATA_DIR) / "outbox"
        self.folder.mkdir(parents=True, exist_ok=True)

    def send(self, envelope_from: str, recipients: list[str], raw: bytes) -> Handover:
        name = next(
            (
                line.split(b"<", 1)[1].split(b".", 1)[0].decode()
                for line in raw.split(b"\r\n")
                if line.lower().startswith(b"message-id: <")
            ),
            "message",
        )
        draft = self.folder / f".{name}.{os.getpid()}"
        try:
            draft.write_bytes(raw)
            draft.rename(self.folder / f"{name}.eml")
        except OSError as error:
            return Handover("retry", answer=str(error))
        return Handover("accepted", 250, str(self.folder))

    def close(self) -> None:
        pass


class ConsoleTransport:
    """Writes each message to the terminal of the worker that sends it."""

    def send(self, envelope_from: str, recipients: list[str], raw: bytes) -> Handover:
        said = f"From {envelope_from or '<>'} to {', '.join(recipients)}\n{raw.decode('utf-8', 'replace')}"
        sys.stdout.write(said.replace("\r\n", "\n") + "\n")
        sys.stdout.flush()
        return Handover("accepted", 250, "console")

    def close(self) -> None:
        pass


class InTime:
    """smtplib with one deadline for a whole hand-over, where it knows only one for each wait on the socket.

    The lease of a stamp is twice the time that its hand-overs may take, so no answer comes after the lease has run out.
    """

    deadline = math.inf
    sock: Any

    def hurry(self) -> None:
        """Raises TimeoutError, an OSError, when the time is over."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError(TOO_LONG)
        if self.sock is not None and left < math.inf:
            self.sock.settimeout(left)

    def send(self, s: Any) -> None:
        self.hurry()
        super().send(s)  # type: ignore[misc]

    def getreply(self) -> tuple[int, bytes]:
        self.hurry()
        return super().getreply()  # type: ignore[misc]


class Plain(InTime, smtplib.SMTP):
    pass


class Sealed(InTime, smtplib.SMTP_SSL):
    pass


Begun = tuple[Handover | None, dict[str, str], tuple[str, ...]]


class SmtpTransport:
    """One kept connection (RFC 5321). What fails before the text is handed over may be tried again, what fails after
    it is unknown: the server may have taken the message before its answer was lost."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.host, self.port = parts.hostname or "localhost", parts.port or 25
        self.user, self.password = unquote(parts.username or ""), unquote(parts.password or "")
        options = parse_qs(parts.query)
        self.tls, self.auth = options.get("tls", [""])[0], options.get("auth", [""])[0]
        self.smtp: Plain | Sealed | None = None
        self.sent = 0
        self.deadline = math.inf

    def _connect(self) -> Plain | Sealed:
        left = max(0.01, self.deadline - time.monotonic())
        if self.tls == "implicit":
            smtp: Plain | Sealed = Sealed(self.host, self.port, timeout=left, context=ssl.create_default_context())
        else:
            smtp = Plain(self.host, self.port, timeout=left)
        smtp.deadline = self.deadline
        if self.tls == "starttls":
            smtp.starttls(context=ssl.create_default_context())
        if self.auth == "oauth2":
            self._by_token(smtp)
        elif self.user:
            smtp.login(self.user, self.password)
        smtp.ehlo_or_helo_if_needed()
        return smtp

    def _by_token(self, smtp: smtplib.SMTP) -> None:
        """As the mailbox of this address, which signed in at its provider (XOAUTH2)."""
        box = Mailbox.objects.filter(address__iexact=self.user).exclude(provider="").first()
        if box is None:
            raise smtplib.SMTPException(f"There is no mailbox {self.user} that signed in at a provider")
        try:
            token = oauth.access_token(box)
        except (oauth.SignInFailed, vault.Unreadable) as error:
            raise smtplib.SMTPException(str(error)) from error
        first = [oauth.sasl(self.user, token)]
        smtp.ehlo_or_helo_if_needed()
        try:
            smtp.auth("XOAUTH2", lambda _question=None: first.pop() if first else "")
        except smtplib.SMTPAuthenticationError:
            oauth.forget(box)
            raise

    def close(self) -> None:
        if self.smtp:
            self.smtp.close()
        self.smtp, self.sent = None, 0

    def send(self, envelope_from: str, recipients: list[str], raw: bytes) -> Handover:
        if self.sent >= PER_CONNECTION:
            self.close()
        fresh = self.smtp is None
        self.deadline = time.monotonic() + settings.MAIL_SMTP_TIMEOUT
        answer = self._try(envelope_from, recipients, raw)
        if answer is None and not fresh:
            answer = self._try(envelope_from, recipients, raw)  # the kept connection was stale; nothing was handed over
        late = time.monotonic() >= self.deadline
        return answer or Handover("retry", answer=TOO_LONG if late else "The mail server closed the connection")

    def _try(self, envelope_from: str, recipients: list[str], raw: bytes) -> Handover | None:
        """One conversation; None when it broke before the text, which says nothing about the message."""
        try:
            self.smtp = smtp = self.smtp or self._connect()
            smtp.deadline = self.deadline
            early, refused, later = self._envelope(smtp, envelope_from, recipients)
            if early:
                self._reset(smtp)
                return early
        except smtplib.SMTPAuthenticationError as error:
            self.close()
            return Handover("retry", error.smtp_code, _words(error.smtp_error))
        except (smtplib.SMTPServerDisconnected, ConnectionError):
            self.close()
            return None
        except (smtplib.SMTPException, OSError) as error:
            self.close()
            return Handover("retry", answer=str(error)[:500])
        except ValueError as error:  # an address that no SMTP command can carry
            self.close()
            return Handover("failed", answer=str(error)[:500])
        try:
            smtp.send(_stuffed(raw))
            code, words = smtp.getreply()
        except (smtplib.SMTPException, OSError) as error:
            self.close()
            return Handover("unknown", answer=str(error)[:500])
        self.sent += 1
        return replace(_judged(code, words), refused=refused, later=later)

    def _envelope(self, smtp: smtplib.SMTP, envelope_from: str, recipients: list[str]) -> Begun:
        """MAIL, RCPT and DATA; returns what ended it early, or None when the server waits for the text, and who was refused."""
        wire = [addresses.wire(recipient) for recipient in recipients]
        options = ""
        if foreign := [recipient for recipient in wire if not recipient.isascii()]:
            if not smtp.has_extn("smtputf8"):
                why = "The mail server cannot take addresses with letters beyond ASCII before the @ (SMTPUTF8): "
                return Handover("failed", answer=(why + ", ".join(foreign))[:500]), {}, ()
            options, smtp.command_encoding = " SMTPUTF8", "utf-8"
        commands = [f"MAIL FROM:{_path(envelope_from)}{options}", *(f"RCPT TO:{_path(recipient)}" for recipient in wire), "DATA"]
        answers = _asked(smtp, commands)
        code, words = next(answers)
        if code not in TAKEN:
            return _judged(code, words), {}, ()
        refused: dict[str, str] = {}
        later = []
        for position in range(len(wire)):
            code, words = next(answers)
            if code not in TAKEN:
                if position == 0:
                    return _judged(code, words), {}, ()
                refused[recipients[position]] = f"{code} {_words(words)}"
                later += [recipients[position]] if code < 500 else []
        code, words = next(answers)
        return (None if code == 354 else _judged(code, words)), refused, tuple(later)

    def _reset(self, smtp: smtplib.SMTP) -> None:
        try:
            smtp.rset()
        except (smtplib.SMTPException, OSError):
            self.close()


def _asked(smtp: smtplib.SMTP, commands: list[str]) -> Iterator[tuple[int, bytes]]:
    """The answers, one command after the other; for one recipient all commands at once, where the server can (RFC 2920)."""
    if len(commands) > 3 or not smtp.has_extn("pipelining"):
        yield from (smtp.docmd(command) for command in commands)
        return
    smtp.send("".join(f"{command}\r\n" for command in commands))
    answers = [smtp.getreply() for _ in commands]
    if answers[-1][0] == 354 and any(code not in TAKEN for code, _words in answers[:-1]):
        smtp.close()  # it waits for the text of a message that it refused: what breaks off now is no message
    yield from answers


PLAIN = re.compile(r"[^\s<>()\",;:\\\x00-\x1f\x7f]*")


def _path(addr: str) -> str:
    """An address in a command. Raises ValueError for one that no command can carry."""
    if PLAIN.fullmatch(addr):
        return f"<{addr}>"
    if BREAKS.search(addr):
        raise ValueError("The address has a line break or another control character")
    return smtplib.quoteaddr(addr)


def _stuffed(raw: bytes) -> bytes:
    """The text as DATA wants it: leading dots doubled, a lone dot at the end (RFC 5321, section 4.5.2)."""
    text = (b"." + raw if raw.startswith(b".") else raw).replace(b"\r\n.", b"\r\n..")
    return text + (b"" if text.endswith(b"\r\n") else b"\r\n") + b".\r\n"


def _words(answer: bytes | str) -> str:
    return (answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer)[:500]


def _judged(code: int, words: bytes) -> Handover:
    outcome = "accepted" if 200 <= code < 300 else "failed" if code >= 500 else "retry"
    return Handover(outcome, code, _words(words))


LOCAL: dict[str, type[FileTransport | ConsoleTransport]] = {"file": FileTransport, "console": ConsoleTransport}


def check(url: str) -> None:
    """Raises ImproperlyConfigured for a name that means nothing: mail must never end in a folder by a slip of the pen."""
    if url.startswith(ANYMAIL):
        from helpdesk.mail import provider_apis  # with an HTTP client that nobody else needs

        provider_apis.backend_of(url.removeprefix(ANYMAIL).strip("/"))
    elif url not in LOCAL and not (url.startswith("smtp://") and urlsplit(url).hostname):
        told = url.partition(":")[0]
        known = "smtp://host:port/, anymail://provider, file or console"
        raise ImproperlyConfigured(f"MAIL_TRANSPORT begins with {told!r}: give {known}")


def open_transport() -> Transport:
    """The transport that MAIL_TRANSPORT names."""
    check(settings.MAIL_TRANSPORT)
    if settings.MAIL_TRANSPORT.startswith(ANYMAIL):
        from helpdesk.mail.provider_apis import ProviderTransport

        return ProviderTransport(settings.MAIL_TRANSPORT.removeprefix(ANYMAIL).strip("/"))
    local = LOCAL.get(settings.MAIL_TRANSPORT)
    return local() if local else SmtpTransport(settings.MAIL_TRANSPORT)
