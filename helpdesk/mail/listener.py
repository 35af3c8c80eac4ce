"""Mail by SMTP: 250 only when the bytes are committed, 451 when they cannot be now, 550 for recipients that are not ours.

Takes mail for our mailboxes and relays none. Put a mail server in front of it where spam must be judged.
"""

import asyncio
import ipaddress
import ssl
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import structlog
from aiosmtpd.smtp import SMTP, Envelope, Session
from django.conf import settings
from django.db import close_old_connections, transaction

from helpdesk.mail import inbox
from helpdesk.mail.models import Mailbox

log = structlog.get_logger(__name__)
THREADS = 8  # each with its own database connection
MAX_RECIPIENTS = 100
MAX_CONNECTIONS, MAX_OF_ONE_HOST = 100, 30  # at a time; a mail server in front of us opens twenty at most
MAX_STRANGERS = 10  # recipients of one connection that are not ours: somebody tries names
MAX_COMMANDS = 1000  # of one kind in one connection
MAX_COMMAND_BYTES = 64 * 1024  # kept of a line that is no mail
TRY_LATER = "451 4.3.0 Not accepted now, try again later"


class Patient(SMTP):
    """One connection. Some systems write lines far above the 998 characters of RFC 5322: refusing them would bounce a
    customer's mail. Outside of a mail nobody has a reason to write so much."""

    line_length_limit = MAX_COMMAND_BYTES  # what the reader is made with

    def __init__(self, door: "Door", **options: Any) -> None:
        super().__init__(door, **options)
        self.line_length_limit = settings.MAIL_MAX_BYTES
        self.door, self.host, self.strangers = door, "", 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if not self.host:  # else STARTTLS begins it anew
            self.host = _network(transport.get_extra_info("peername"))
            if self.door.is_full(self.host):
                transport.write(b"421 4.3.2 Too many connections, try again later\r\n")  # type: ignore[attr-defined]
                transport.close()
                return
            self.door.open[self.host] += 1
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        if self.transport is not None:
            self.door.open[self.host] -= 1
            super().connection_lost(error)

    async def smtp_DATA(self, arg: str) -> None:
        self._reader._limit = self.line_length_limit  # type: ignore[attr-defined]
        try:
            await super().smtp_DATA(arg)
        finally:
            self._reader._limit = MAX_COMMAND_BYTES  # type: ignore[attr-defined]

    async def smtp_RCPT(self, arg: str | None) -> None:
        await super().smtp_RCPT(arg)
        if self.strangers >= MAX_STRANGERS and self.transport:
            await self.push("421 4.7.0 Too many recipients that are not ours")
            self.transport.close()


def _network(peer: tuple[Any, ...] | None) -> str:
    """Whom a connection counts for: an address or, since one customer has so many of them, the /64 of IPv6."""
    try:
        ip = ipaddress.ip_address(str(peer[0]).partition("%")[0] if peer else "")
    except ValueError:
        return "?"
    return str(ipaddress.ip_network(f"{ip}/64", strict=False)) if ip.version == 6 else str(ip)


class Door:
    """aiosmtpd's handler; the database is asked in threads, so that one slow answer holds up nobody else."""

    def __init__(self) -> None:
        self.threads = ThreadPoolExecutor(THREADS, thread_name_prefix="smtp")
        self.open: Counter[str] = Counter()

    def is_full(self, host: str) -> bool:
        return self.open.total() >= MAX_CONNECTIONS or self.open[host] >= MAX_OF_ONE_HOST

    async def handle_exception(self, error: Exception) -> str:
        """A mistake of ours is no reason to bounce a mail, and nothing to tell strangers about."""
        log.exception("smtp_failed", exc_info=error)
        return TRY_LATER

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]) -> str:
        if len(envelope.rcpt_tos) >= MAX_RECIPIENTS:
            return "452 4.5.3 Too many recipients"
        answer = await self._ask(_known, address)
        if answer == "250 OK":
            envelope.rcpt_tos.append(address)
        elif answer.startswith("550") and isinstance(server, Patient):
            server.strangers += 1
        return answer

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        raw = envelope.original_content or b""
        sender = envelope.mail_from or ""
        return await self._ask(_keep, raw, sender, list(envelope.rcpt_tos))

    async def _ask(self, work: Callable[..., str], *arguments: Any) -> str:
        return await asyncio.get_running_loop().run_in_executor(self.threads, _answer, work, arguments)


def _answer(work: Callable[..., str], arguments: tuple[Any, ...]) -> str:
    """What a thread says; whatever goes wrong, the other side keeps the mail and comes again."""
    try:
        close_old_connections()
        return work(*arguments)
    except inbox.TooLarge:
        return "552 5.3.4 Message too large"
    except Exception as error:
        log.warning("mail_not_accepted", error=f"{type(error).__name__}: {error}")
        return TRY_LATER
    finally:
        close_old_connections()


def _known(address: str) -> str:
    return "250 OK" if inbox.mailbox_for(address) else "550 5.1.1 No such mailbox here"


def _keep(raw: bytes, sender: str, recipients: list[str]) -> str:
    """Commit one row for each of our mailboxes among the recipients, all or none."""
    boxes: dict[int, tuple[Mailbox, str]] = {}
    for address in recipients:
        box = inbox.mailbox_for(address)
        if box is None:
            return "550 5.1.1 No such mailbox here"  # it was closed after RCPT
        # Of two recipients in one mailbox the one with a token says more.
        if box.pk not in boxes or "+" in address.rpartition("@")[0]:
            boxes[box.pk] = (box, address)
    with transaction.atomic():
        for box, address in boxes.values():
            inbox.receive(raw, box, source="smtp", envelope_from=sender, envelope_to=address)
    return "250 2.0.0 Accepted"


class Certificate:
    """STARTTLS, where the operator gave a certificate; one that was renewed is used from the next connection on."""

    def __init__(self) -> None:
        self.files = [Path(name) for name in (settings.SMTP_CERTIFICATE, settings.SMTP_CERTIFICATE_KEY) if name]
        self.stamps: list[int] = []
        self.held: ssl.SSLContext | None = None
        self.context()

    def context(self) -> ssl.SSLContext | None:
        """Raises OSError if it could never be read; a bad renewal is logged, and the one before is used on."""
        try:
            stamps = [path.stat().st_mtime_ns for path in self.files]
            if stamps != self.stamps:
                context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
                context.load_cert_chain(*map(str, self.files))
                self.held, self.stamps = context, stamps
        except OSError as error:
            if self.held is None:
                raise
            log.warning("certificate_not_read", error=str(error))
        return self.held


async def serve(host: str, port: int, stop: asyncio.Event, *, ready: Callable[[int], None] = lambda port: None) -> None:
    """Listen until `stop` is set; mail that is being accepted is finished first. OSError when the port is not ours to take."""
    door, certificate = Door(), Certificate()
    loop = asyncio.get_running_loop()

    def session() -> SMTP:
        return Patient(
            door, hostname=settings.MAIL_DOMAIN, ident="Twofold", data_size_limit=settings.MAIL_MAX_BYTES, enable_SMTPUTF8=True,
            decode_data=False, tls_context=certificate.context(), require_starttls=settings.SMTP_REQUIRE_TLS, timeout=300,
            command_call_limit=MAX_COMMANDS, loop=loop,
        )  # fmt: skip

    server = await loop.create_server(session, host, port)
    ready(server.sockets[0].getsockname()[1])
    await stop.wait()
    server.close()
    await server.wait_closed()
    await loop.run_in_executor(None, door.threads.shutdown)
