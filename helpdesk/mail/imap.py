"""Mail from a mailbox elsewhere, by IMAP (RFC 3501): what is new is kept and committed, only then marked as seen."""

import imaplib
import re
import socket
from datetime import timedelta

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _
from imap_tools import BaseMailBox, MailBox, MailBoxUnencrypted, MailMessageFlags
from imap_tools.errors import ImapToolsError

from helpdesk.accounts import vault
from helpdesk.lib.dates import now
from helpdesk.mail import inbox
from helpdesk.mail.models import Mailbox

log = structlog.get_logger(__name__)
TIMEOUT = 30  # seconds, for each answer of the server
PORTION = 200  # mails of one mailbox in one go; the rest waits for the next
PAUSE = timedelta(seconds=10)  # between two looks into one mailbox

# What the network, the server and the stored password can do to us: written on the mailbox, tried again at the next look.
TROUBLE = (OSError, imaplib.IMAP4.error, ImapToolsError, vault.Unreadable, socket.timeout)


def fetch_all() -> int:
    """Look into every mailbox that has a server; one that fails says why on its own row and holds up no other."""
    boxes = Mailbox.objects.exclude(imap_host="").order_by("fetched_at")
    return sum(fetch(box) for box in boxes if _claim(box))


def _claim(box: Mailbox) -> bool:
    """One look at a time; two that meet all the same would only keep each mail once, see inbox.receive."""
    free = Q(fetched_at=None) | Q(fetched_at__lt=now() - PAUSE)
    return bool(Mailbox.objects.filter(free, pk=box.pk).update(fetched_at=now()))


def fetch(box: Mailbox) -> int:
    """Keep what is new in one mailbox; returns how many mails were looked at."""
    try:
        with _connect(box) as server:
            count = _fetch(box, server)
        error = ""
    except TROUBLE as trouble:
        count, error = 0, f"{type(trouble).__name__}: {trouble}"[:500]
        log.warning("mailbox_failed", mailbox=box.slug, error=error)
    if error != box.last_error:
        Mailbox.objects.filter(pk=box.pk).update(last_error=error)
    return count


def _connect(box: Mailbox) -> BaseMailBox:
    if box.imap_tls:
        server: BaseMailBox = MailBox(box.imap_host, box.imap_port, timeout=TIMEOUT)
    else:
        server = MailBoxUnencrypted(box.imap_host, box.imap_port, timeout=TIMEOUT)
    return server.login(box.imap_user, vault.unseal(box.imap_secret), initial_folder=box.imap_folder)


def _fetch(box: Mailbox, server: BaseMailBox) -> int:
    status = server.folder.status(box.imap_folder, ["UIDVALIDITY", "UIDNEXT"])
    validity = status["UIDVALIDITY"]
    if validity != box.uidvalidity:
        # The numbers mean nothing any more (RFC 3501, 2.3.1.1). What we have is known by its content.
        first_time = box.uidvalidity is None
        box.uidvalidity, box.last_uid = validity, 0
        wanted = "UNSEEN" if first_time else "ALL"  # an old mailbox's past is not a thousand new tickets
    else:
        wanted = f"UID {box.last_uid + 1}:*"
    uids = sorted(int(uid) for uid in server.uids(wanted))
    uids = [uid for uid in uids if uid > box.last_uid]  # "n:*" gives the last one even if it is older
    for uid in uids[:PORTION]:
        _keep(box, server, uid)
    if len(uids) <= PORTION and wanted == "UNSEEN":
        _seen_up_to(box, status["UIDNEXT"] - 1)
    return len(uids[:PORTION])


def _keep(box: Mailbox, server: BaseMailBox, uid: int) -> None:
    """One mail: committed with how far we are, then marked as seen. Interrupted in between, it is only marked later."""
    found = _bytes(server, uid)
    if found is not None:
        raw, size = found
        with transaction.atomic():
            row = inbox.receive(raw, box, source="imap", uidvalidity=box.uidvalidity, uid=uid)
            if size > len(raw):
                inbox.set_aside(row, _("Too large (%d bytes): only its head was fetched, it is still in the mailbox") % size)
            _seen_up_to(box, uid)
        server.flag(str(uid), MailMessageFlags.SEEN, True)
    else:  # moved or deleted since we asked
        _seen_up_to(box, uid)


def _seen_up_to(box: Mailbox, uid: int) -> None:
    box.last_uid = uid
    Mailbox.objects.filter(pk=box.pk).update(uidvalidity=box.uidvalidity, last_uid=uid)


def _bytes(server: BaseMailBox, uid: int) -> tuple[bytes, int] | None:
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


def _answer(server: BaseMailBox, uid: int, what: str) -> tuple[bytes, bytes | None]:
    """(the answer's words, its literal). We ask imaplib itself: the bytes are wanted as they are, and nobody need parse them."""
    state, data = server.client.uid("FETCH", str(uid), what)
    if state != "OK":
        raise imaplib.IMAP4.error(f"FETCH {what}: {data!r}"[:200])
    words, literal = b"", None
    for piece in data:
        if isinstance(piece, tuple):
            words, literal = words + piece[0], piece[1]
        elif piece:
            words += piece
    return words, literal
