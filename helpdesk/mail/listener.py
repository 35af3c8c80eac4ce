"""Mail by SMTP: 250 only when the bytes are committed, 451 when they cannot be now, 550 for recipients that are not ours.

Takes mail for our mailboxes and relays none. Put a mail server in front of it where spam must be judged.
"""

import asyncio
import ssl
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
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
TRY_LATER = "451 4.3.0 Not accepted now, try again later"


class Patient(SMTP):
    """Some systems write lines far above the 998 characters of RFC 5322: refusing them would bounce a customer's mail."""

    line_length_limit = settings.MAIL_MAX_BYTES


class Door:
    """aiosmtpd's handler; the database is asked in threads, so that one slow answer holds up nobody else."""

    def __init__(self) -> None:
        self.threads = ThreadPoolExecutor(THREADS, thread_name_prefix="smtp")

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]) -> str:
        if len(envelope.rcpt_tos) >= MAX_RECIPIENTS:
            return "452 4.5.3 Too many recipients"
        answer = await self._ask(_known, address)
        if answer == "250 OK":
            envelope.rcpt_tos.append(address)
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


def tls() -> ssl.SSLContext | None:
    """STARTTLS, where the operator gave a certificate."""
    if not settings.SMTP_CERTIFICATE:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(settings.SMTP_CERTIFICATE, settings.SMTP_CERTIFICATE_KEY or None)
    return context


async def serve(host: str, port: int, stop: asyncio.Event, *, ready: Callable[[int], None] = lambda port: None) -> None:
    """Listen until `stop` is set; mail that is being accepted is finished first. OSError when the port is not ours to take."""
    door, context = Door(), tls()
    loop = asyncio.get_running_loop()

    def session() -> SMTP:
        return Patient(
            door, hostname=settings.MAIL_DOMAIN, ident="Twofold", data_size_limit=settings.MAIL_MAX_BYTES, enable_SMTPUTF8=True,
            decode_data=False, tls_context=context, timeout=300, loop=loop,
        )  # fmt: skip

    server = await loop.create_server(session, host, port)
    ready(server.sockets[0].getsockname()[1])
    await stop.wait()
    server.close()
    await server.wait_closed()
    await loop.run_in_executor(None, door.threads.shutdown)
