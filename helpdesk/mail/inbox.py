"""Every way in ends here: the raw bytes are committed first, then acknowledged, then processed under a lease.

Each mail ends as exactly one of ticketed, ignored (why) or quarantined (why); nothing is dropped.
"""

import hashlib
import re
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta

import structlog
from django.conf import settings
from django.db import IntegrityError, InterfaceError, OperationalError, connection, transaction
from django.db.models import F, Min
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from helpdesk.accounts.models import AuditEntry, audit
from helpdesk.lib.dates import age, now
from helpdesk.lib.signing import read as read_token
from helpdesk.live import bell
from helpdesk.mail import bounces, threading
from helpdesk.mail.models import IncomingMail, Mailbox, Outgoing
from helpdesk.mail.models import State as Sent
from helpdesk.mail.parsing import Mail, TooHard, read_guarded
from helpdesk.mail.sender import owner_name

log = structlog.get_logger(__name__)
State = IncomingMail.State

PROCESS_TASK = "helpdesk.mail.tasks.process_incoming"
LEASE = timedelta(minutes=3)  # reading ends after one minute at the latest, see parsing.guard
MAX_ATTEMPTS = 5
WAITS = [timedelta(seconds=s) for s in (10, 60, 300, 900)]  # after each failed attempt; then it is quarantined
BUSY = 20.0  # seconds one call works before it gives the worker back
AWAY = (OperationalError, InterfaceError)  # the database cannot be reached, or not now: try again, blame no mail

# What each delivery writes anew, so that the same mail delivered twice is the same bytes without it.
_TRACE = re.compile(
    rb"^(?:received|x-received|return-path|delivered-to|x-original-to|x-delivered-to|envelope-to|x-envelope-to|x-forwarded-to|"
    rb"x-forwarded-for|delivery-date|authentication-results|arc-[a-z-]+|received-spf|dkim-filter|x-spam[a-z-]*|x-virus[a-z-]*|"
    rb"x-uid|x-uidl|x-keywords|x-status|status|content-length|lines|x-google-smtp-source|x-gm-[a-z-]+|x-mozilla-[a-z-]+|"
    rb"x-ms-exchange-[a-z-]+|x-evolution[a-z-]*)[ \t]*:[^\n]*\n(?:[ \t][^\n]*\n)*",
    re.IGNORECASE | re.MULTILINE,
)


class TooLarge(ValueError):
    """Larger than MAIL_MAX_BYTES: permanent. The sender is told (SMTP 552), or it stays where it is (IMAP)."""


class NotYet(Exception):
    """It reports on a message that is being handed over at this moment: what became of that is written down first."""


@dataclass(frozen=True)
class Ending:
    """How a mail ended. What MAIL_HANDLER returns has these four, too."""

    state: str
    reason: str = ""
    ticket_id: int | None = None
    message_id: int | None = None


# --- accepting --------------------------------------------------------------------------------------------------------


def digest(raw: bytes) -> str:
    """SHA-256 of a mail without its trace headers and with one kind of line end: the same for a second delivery of it."""
    data = raw.replace(b"\r\n", b"\n")
    if data.startswith(b"From "):  # what a pipe puts in front
        data = data.partition(b"\n")[2]
    head, blank, body = data.partition(b"\n\n")
    seen = hashlib.sha256(_TRACE.sub(b"", head + b"\n"))
    seen.update(blank)
    seen.update(body.rstrip(b"\n"))
    return seen.hexdigest()


def receive(
    raw: bytes, mailbox: Mailbox, *, source: str, envelope_from: str = "", envelope_to: str = "",
    uidvalidity: int | None = None, uid: int | None = None,
) -> IncomingMail:  # fmt: skip
    """Keep this mail; when it returns and the caller's transaction commits, the mail is accepted.

    A second copy, by this or another way, gives the row of the first. Raises TooLarge; a database that is away
    raises OperationalError or InterfaceError, and then nothing was accepted.
    """
    if len(raw) > settings.MAIL_MAX_BYTES:
        raise TooLarge(_("The message is larger than %d bytes") % settings.MAIL_MAX_BYTES)
    row = IncomingMail(
        mailbox=mailbox, raw=raw, digest=digest(raw), source=source, envelope_from=envelope_from[:320],
        envelope_to=envelope_to[:320], uidvalidity=uidvalidity, uid=uid,
    )  # fmt: skip
    same = IncomingMail.objects.filter(mailbox=mailbox, digest=row.digest).only("state")
    if first := same.first():  # before its bytes are written: an insert that is refused has written them
        return first
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:
        if first := same.first():  # another copy came in between our look and our insert
            return first
        row.uidvalidity = row.uid = None  # a server that gave one number to two mails: keep both
        row.save(force_insert=True)
    bell.ring(PROCESS_TASK)
    return row


def oldest_unread() -> float | None:
    """Seconds that the oldest accepted mail has waited for its end, or None."""
    oldest = IncomingMail.objects.filter(state=State.ACCEPTED).aggregate(at=Min("received_at"))["at"]
    return age(oldest)


def set_aside(row: IncomingMail, reason: str) -> None:
    """Quarantine a mail that was kept but must not be processed as it is; one that has its end keeps it."""
    IncomingMail.objects.filter(pk=row.pk, state=State.ACCEPTED).update(
        state=State.QUARANTINED, reason=reason[:300], processed_at=now()
    )


def mailbox_for(address: str) -> Mailbox | None:
    """Whose mail this recipient is: a mailbox, its plus addresses (RFC 5233), or our return path; None for strangers."""
    local, _at, domain = address.rpartition("@")
    base, _plus, detail = local.partition("+")
    if found := Mailbox.objects.filter(address__iexact=f"{base}@{domain}").first():
        return found
    if f"{base}@{domain}".lower() != settings.BOUNCE_ADDRESS.lower():
        return None
    row = read_token("outgoing", detail)
    sent = Outgoing.objects.filter(pk=row).select_related("mailbox").first() if row is not None else None
    return (sent.mailbox if sent else None) or Mailbox.objects.filter(is_default=True).first()


def mailboxes_for(addresses: Iterable[str]) -> list[tuple[Mailbox, str]]:
    """Our mailboxes among these recipients, each with the recipient that says most: one with a token before one without."""
    found: dict[int, tuple[Mailbox, str]] = {}
    for address in addresses:
        box = mailbox_for(address)
        if box and (box.pk not in found or "+" in address.rpartition("@")[0]):
            found[box.pk] = (box, address)
    return list(found.values())


# --- processing -------------------------------------------------------------------------------------------------------


def process_due() -> int:
    """Process what waits, one mail after the other, for about BUSY seconds; returns how many were taken on."""
    owner, done, end = owner_name(), 0, time.monotonic() + BUSY
    while row := claim(owner):
        process(row, owner)
        done += 1
        if time.monotonic() > end:
            bell.ring(PROCESS_TASK)  # another turn, after whoever else waits for this worker
            break
    return done


CLAIM = """
    UPDATE mail_incomingmail SET owner = %s, lease_until = clock_timestamp() + %s, attempts = attempts + 1
    WHERE id = (
        SELECT id FROM mail_incomingmail
        WHERE state = 'accepted' AND next_at <= %s AND (lease_until IS NULL OR lease_until < clock_timestamp())
        ORDER BY next_at, id LIMIT 1 FOR UPDATE SKIP LOCKED
    )
    RETURNING *
"""


def claim(owner: str) -> IncomingMail | None:
    """Take the oldest mail that is due. The attempt is counted now, so that one which ends its worker is counted too."""
    return next(iter(IncomingMail.objects.raw(CLAIM, [owner, LEASE, now()])), None)


def process(row: IncomingMail, owner: str) -> None:
    """Read one claimed mail and give it its end. Only the owner of a lease that still runs writes anything."""
    try:
        if row.attempts > MAX_ATTEMPTS:  # five workers ended before they could say why
            _finish(row, owner, Ending(State.QUARANTINED, _("Nobody who tried could finish it")))
            return
        try:
            mail = read_guarded(_delivered(row))
        except TooHard as error:
            _finish(row, owner, Ending(State.QUARANTINED, str(error)))
            return
        with transaction.atomic():
            if _mine(row, owner):
                _end(row, decide(mail, row))
    except NotYet:  # for no longer than that message's lease
        _give_back(row.pk, owner)
    except AWAY:
        _give_back(row.pk, owner)
        raise
    except Exception as error:
        log.exception("incoming_failed", incoming=row.pk, attempt=row.attempts)
        _later(row, owner, error)


def _delivered(row: IncomingMail) -> bytes:
    """The mail with the line that its last mail system writes (RFC 5321, 4.4): over SMTP, we do. Kept are the bytes as sent.

    A provider names a sender; that it names none does not mean that there was none.
    """
    raw, named = bytes(row.raw), row.source == "smtp" or (row.source == "webhook" and row.envelope_from)
    return f"Return-Path: <{row.envelope_from}>\r\n".encode() + raw if named else raw


def _give_back(pk: int, owner: str) -> None:
    """It was not the mail's fault: free it and do not count the attempt. If that fails too, the lease lapses."""
    with suppress(*AWAY):
        IncomingMail.objects.filter(pk=pk, state=State.ACCEPTED, owner=owner).update(
            owner="", lease_until=None, attempts=F("attempts") - 1, next_at=now() + WAITS[0]
        )


MINE = """
    SELECT 1 FROM mail_incomingmail
    WHERE id = %s AND state = 'accepted' AND owner = %s AND lease_until > clock_timestamp() FOR UPDATE
"""


def _mine(row: IncomingMail, owner: str) -> bool:
    """Lock the row, if its lease is still ours; False means that somebody else has it: stop."""
    with connection.cursor() as cursor:
        cursor.execute(MINE, [row.pk, owner])
        return cursor.fetchone() is not None


def decide(mail: Mail, row: IncomingMail) -> Ending:
    """What becomes of a mail that could be read; writes what follows from it, in the caller's transaction."""
    row.message_id = mail.message_id[:998]
    if false := threading.forged(mail, row.envelope_to):
        _tell_forged(row, false)
    if row.by_hand:
        mail = replace(mail, automatic=None, bounce=None)
    if mail.bounce:
        row.outgoing_id = threading.reported(mail, row.envelope_to)
        sent = Outgoing.objects.filter(pk=row.outgoing_id).first() if row.outgoing_id else None
        if sent is None:
            return Ending(State.IGNORED, _("A delivery report that names no message of ours"))
        if sent.state == Sent.SENDING:
            raise NotYet
        return Ending(State.IGNORED, bounces.apply(mail.bounce, sent, at=row.received_at))
    row.outgoing_id = threading.answered(mail, row.envelope_to)
    result = import_string(settings.MAIL_HANDLER)(mail, row)
    return Ending(result.state, result.reason, result.ticket_id, result.message_id)


def _tell_forged(row: IncomingMail, false: str) -> None:
    """Somebody guesses what we sign, or a key was taken away too early: once in the audit log for each mail."""
    subject = f"incoming:{row.pk}"
    if not AuditEntry.objects.filter(subject=subject, action="mail.token_invalid").exists():
        audit("mail.token_invalid", actor="", subject=subject, after={"named": false, "mailbox": row.mailbox_id})


def _end(row: IncomingMail, ending: Ending) -> None:
    row.state, row.reason = State(ending.state), ending.reason[:300]
    row.ticket_id, row.ticket_message_id = ending.ticket_id, ending.message_id
    row.owner, row.lease_until, row.processed_at = "", None, now()
    row.save(
        update_fields=[
            "state", "reason", "ticket_id", "ticket_message_id", "outgoing_id", "message_id", "owner", "lease_until",
            "processed_at",
        ]
    )  # fmt: skip


@transaction.atomic
def _finish(row: IncomingMail, owner: str, ending: Ending) -> None:
    if _mine(row, owner):
        _end(row, ending)


@transaction.atomic
def _later(row: IncomingMail, owner: str, error: Exception) -> None:
    """Another try after a pause; after the fifth it is put where a person sees it."""
    if not _mine(row, owner):
        return
    what = f"{type(error).__name__}: {error}".replace("\0", "").partition("\n")[0]
    if row.attempts >= MAX_ATTEMPTS:
        _end(row, Ending(State.QUARANTINED, _("It failed five times: %s") % what))
        return
    row.next_at, row.reason = now() + WAITS[row.attempts - 1], what[:300]
    row.owner, row.lease_until = "", None
    row.save(update_fields=["next_at", "reason", "owner", "lease_until"])
