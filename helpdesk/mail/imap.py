"""Mail from a mailbox elsewhere, by IMAP (RFC 3501): what is new is kept and committed, only then marked as seen."""

import imaplib
import re
from contextlib import suppress
from datetime import date, timedelta

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Max, Q
from django.db.models.functions import Greatest
from django.utils.translation import gettext as _
from imap_tools import OR, A, MailMessageFlags, U
from imap_tools.errors import MailboxFlagError

from helpdesk.lib.dates import now
from helpdesk.mail import inbox
from helpdesk.mail.mailserver import TROUBLE, Server, connect, said, words
from helpdesk.mail.models import IncomingMail, Mailbox

log = structlog.get_logger(__name__)
PORTION = 200  # mails of one mailbox in one look; the rest waits for the next
UNWATCHED = timedelta(minutes=2)  # so long after the last sign of a watcher, the sweep looks itself
OVERLAP = timedelta(days=2)  # of the past is looked at again when the numbers begin anew: days there have their own zones
STUMBLES = 5  # times a connection may break off at one mail before we go on to the next
LAST = str(2**32 - 1)  # the highest number a mail can have; "*" would give the last mail again, even if it is older
WHERE = ["uidvalidity", "last_uid", "past_uid", "past_since", "stumbled_uid", "stumbles"]
# A mail that is refused with one of these may come later (RFC 5530, RFC 9051); any other refusal is for good.
PASSING = ("UNAVAILABLE", "INUSE", "LIMIT", "EXPIRED", "PRIVACYREQUIRED", "CONTACTADMIN")


class Withheld(imaplib.IMAP4.error):
    """The server does not hand over this one mail."""


def fetch_all() -> int:
    """The sweep: look into every mailbox that nobody watches. One that fails says why on its row and holds up no other."""
    boxes = Mailbox.objects.exclude(imap_host="").order_by("fetched_at")
    return sum(fetch(box) for box in boxes if _claim(box))


def _claim(box: Mailbox) -> bool:
    """One look at a time; two that meet all the same would only keep each mail once, see inbox.receive."""
    free = Q(fetched_at=None) | Q(fetched_at__lt=now() - UNWATCHED)
    return bool(Mailbox.objects.filter(free, pk=box.pk).update(fetched_at=now()))


def fetch(box: Mailbox) -> int:
    """Keep what is new in one mailbox; returns how many mails were looked at."""
    try:
        server = connect(box)
        try:
            count = look(box, server)
        finally:
            server.leave()
    except TROUBLE as trouble:
        failed(box, trouble)
        return 0
    worked(box)
    return count


def failed(box: Mailbox, trouble: BaseException) -> None:
    """Say on the mailbox what is wrong, in words; the next look tries again."""
    error = words(box, trouble)
    log.warning("mailbox_failed", mailbox=box.slug, error=error)
    Mailbox.objects.filter(pk=box.pk).update(last_error=error, fetched_at=now())


def worked(box: Mailbox) -> None:
    """A sign of life, and nothing is wrong."""
    Mailbox.objects.filter(pk=box.pk).update(last_error="", fetched_at=now(), worked_at=now())


def look(box: Mailbox, server: Server) -> int:
    """Keep what is new, PORTION mails at most; returns how many were looked at."""
    box.refresh_from_db(fields=WHERE)  # another look may have been further
    validity, highest = server.select()
    if validity != box.uidvalidity:
        _begin(box, validity, highest)
    uids = sorted(uid for uid in map(int, server.uids(str(_wanted(box)))) if uid > box.last_uid)
    for uid in uids[:PORTION]:
        _keep(box, server, uid)
    if len(uids) <= PORTION and box.last_uid < box.past_uid:
        _seen_up_to(box, box.past_uid)
    return len(uids[:PORTION])


def _begin(box: Mailbox, validity: int, highest: int) -> None:
    """The numbers mean nothing (RFC 3501, 2.3.1.1): what lies there now is the past.

    Of a mailbox that is new to us, what is unread is fetched: its past is not a thousand new tickets. Where only the
    numbers are new, all is fetched that came since the last one we have; what we have is known by its content.
    """
    since: date | None = None
    if box.uidvalidity is not None:
        newest = IncomingMail.objects.filter(mailbox=box, source="imap").aggregate(at=Max("received_at"))["at"]
        since = ((newest or box.created_at) - OVERLAP).date()
    box.uidvalidity, box.last_uid, box.past_uid, box.past_since = validity, 0, highest, since
    box.save(update_fields=["uidvalidity", "last_uid", "past_uid", "past_since"])


def _wanted(box: Mailbox) -> A | OR:
    """What to search for: all that is new, and of the past what _begin says."""
    if box.last_uid >= box.past_uid:
        return A(uid=U(str(box.last_uid + 1), LAST))
    past = U(str(box.last_uid + 1), str(box.past_uid))
    chosen = A(OR(seen=False, date_gte=box.past_since), uid=past) if box.past_since else A(uid=past, seen=False)
    return OR(chosen, A(uid=U(str(box.past_uid + 1), LAST)))


def _keep(box: Mailbox, server: Server, uid: int) -> None:
    """One mail: committed, then marked as seen, then done with. Interrupted in between, it is known again and only marked."""
    try:
        found = _bytes(server, uid)
    except Withheld as refusal:
        _note(box, uid, said(refusal))
        return
    except (imaplib.IMAP4.abort, OSError) as cut:
        if _stumbles(box, uid) >= STUMBLES:
            _note(box, uid, said(cut))
        raise
    if found is not None:
        raw, size = found
        with transaction.atomic():
            row = inbox.receive(raw, box, source="imap", uidvalidity=box.uidvalidity, uid=uid)
            if size > len(raw):
                inbox.set_aside(row, _("Too large (%d bytes): only its head was fetched, it is still in the mailbox") % size)
        with suppress(MailboxFlagError):  # a mailbox that we may only read
            server.flag(str(uid), MailMessageFlags.SEEN, True)
    _seen_up_to(box, uid)  # also if it was moved or deleted since we asked


def _stumbles(box: Mailbox, uid: int) -> int:
    """How often in a row the connection broke off at this very mail."""
    box.stumbles = box.stumbles + 1 if box.stumbled_uid == uid else 1
    box.stumbled_uid = uid
    box.save(update_fields=["stumbled_uid", "stumbles"])
    return box.stumbles


@transaction.atomic
def _note(box: Mailbox, uid: int, why: str) -> None:
    """One mail that its own server cannot read must not keep all later ones: a note in the quarantine stands for it."""
    note = f"X-Note: mail {uid} of {box.uidvalidity} was not handed over\r\n\r\n{why}\r\n".encode()
    row = inbox.receive(note, box, source="imap", uidvalidity=box.uidvalidity, uid=uid)
    inbox.set_aside(row, _("The server does not hand it over (%s): it is still in the mailbox") % why)
    _seen_up_to(box, uid)


def _seen_up_to(box: Mailbox, uid: int) -> None:
    """How far we are: also a sign of life, and never a step back behind another look."""
    box.last_uid = uid
    mine = Mailbox.objects.filter(pk=box.pk, uidvalidity=box.uidvalidity)
    mine.update(last_uid=Greatest("last_uid", uid), fetched_at=now())


def _bytes(server: Server, uid: int) -> tuple[bytes, int] | None:
    """(content, size on the server) without marking it; of a mail beyond the limit only the head. None if it is gone."""
    sized = re.search(rb"RFC822\.SIZE (\d+)", _answer(server, uid, "(RFC822.SIZE)")[0])
    if sized is None:
        return None
    size = int(sized[1])
    what = "BODY.PEEK[]" if size <= settings.MAIL_MAX_BYTES else "BODY.PEEK[HEADER]"
    content = _answer(server, uid, f"({what})")[1]
    if content is None:
        return None
    return content, size if what == "BODY.PEEK[HEADER]" else len(content)


def _answer(server: Server, uid: int, what: str) -> tuple[bytes, bytes | None]:
    """(the answer's words, its literal). We ask imaplib itself: the bytes are wanted as they are, and nobody need parse them."""
    state, data = server.client.uid("FETCH", str(uid), what)
    if state != "OK":
        why = b" ".join(piece for piece in data if isinstance(piece, bytes)).decode("utf-8", "replace")
        passing = why.startswith(tuple(f"[{code}" for code in PASSING))
        raise imaplib.IMAP4.error(why) if passing else Withheld(why)
    words, literal = b"", None
    for piece in data:
        if isinstance(piece, tuple):
            words, literal = words + piece[0], piece[1]
        elif piece:
            words += piece
    return words, literal
