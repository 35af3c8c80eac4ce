"""Files of messages: kept once by their bytes, named safely, and shown or hidden with the message that carries them."""

import re
from collections.abc import Iterable, Sequence
from html import unescape
from io import BytesIO
from typing import IO, Any
from urllib.parse import unquote

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.db.models import F
from django.urls import reverse
from django.utils.translation import gettext as _

from helpdesk.files.models import Attachment, Blob, Scan
from helpdesk.files.sniff import HEAD, UNKNOWN, media_type
from helpdesk.lib.html import sanitize
from helpdesk.lib.text import one_line
from helpdesk.live import bell
from helpdesk.live.streams import announce
from helpdesk.mail.mime import cid
from helpdesk.mail.parsing import Mail
from tickets.models import Message

MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,60}/[a-z0-9][a-z0-9!#$&^_.+-]{0,60}", re.IGNORECASE)  # RFC 6838
TOLD = 50  # conversations that are shown anew for one file, the newest first
SCAN_TASK = "tickets.tasks.scan_files"
CID = re.compile(r' data-cid="([^"]*)"')  # a picture by name, as the sanitiser keeps it
PICTURE = re.compile(r"<img [^>]*>")
UNSEEN = re.compile(r' (?:src="/|data-cid="|data-remote=")[^"]*"')  # what only people here could load, or nobody


@transaction.atomic
def keep(content: IO[bytes], name: str, content_type: str = "", **fields: Any) -> Attachment:
    """Keep a file; what it is, its bytes say, and what it is said to be only where they are silent.

    A name is only a name: folders, control and bidi characters are taken off; nothing on disk is called so.
    """
    name = one_line(name.replace("\\", "/").rpartition("/")[2], 200) or "file"
    media = content_type.partition(";")[0].strip()
    claimed = media.lower() if MEDIA_TYPE.fullmatch(media) else UNKNOWN
    content.seek(0)
    kind = media_type(content.read(HEAD), claimed)
    blob = Blob.objects.keep(content)
    if blob.scan == Scan.WAITING:
        bell.ring(SCAN_TASK)
    return Attachment.objects.create(blob=blob, name=name, content_type=kind, **fields)


def keep_uploads(files: Iterable[UploadedFile]) -> list[Attachment]:
    return [keep(file, file.name or "", file.content_type or "") for file in files]


def held(messages: Iterable[int | None]) -> dict[int, Attachment]:
    """Message → a file of it that the virus scanner holds, or has not seen yet; nothing is asked where there is no scanner."""
    if not settings.ANTIVIRUS:
        return {}
    carried = Attachment.objects.filter(messages__in=[pk for pk in messages if pk], blob__scan__in=(Scan.WAITING, Scan.HELD))
    found = carried.annotate(message=F("messages")).select_related("blob").order_by("-blob__scan")  # what is held comes last
    return {file.message: file for file in found}


def scanned(blob: str) -> None:
    """The virus scanner has seen a file: whoever looks at a conversation with it sees that."""
    tickets = Message.objects.filter(attachments__blob=blob).order_by("-ticket").values_list("ticket", flat=True).distinct()
    announce(*(f"ticket:{pk}" for pk in tickets[:TOLD]))


def too_much(sizes: Sequence[int]) -> str:
    """What is wrong with so many files on one message, or so large ones, in words; "" when nothing is.

    A form counts those that come with it; a draft may have kept others before.
    """
    if len(sizes) > settings.MAX_ATTACHMENTS:
        return _("At most %d files.") % settings.MAX_ATTACHMENTS
    if sum(sizes) > settings.MAX_ATTACHMENT_BYTES:
        return _("Together the files may have %d MB.") % (settings.MAX_ATTACHMENT_BYTES // 1_000_000)
    return ""


def keep_mail(mail: Mail) -> list[Attachment]:
    return [
        keep(BytesIO(each.content), each.name, each.content_type, content_id=each.content_id[:255], inline=each.inline)
        for each in mail.attachments
    ]


def images(attachments: Iterable[Attachment]) -> dict[str, str]:
    """Content-ID → our own address of the picture, drawn anew, for the sanitiser."""
    return {a.content_id: picture_url(a) for a in attachments if a.content_id and a.is_picture}


def picture_url(attachment: Attachment) -> str:
    return reverse("ticket-picture", args=[attachment.pk, "large"])


def listed(message: Message) -> list[Attachment]:
    """The files of a message that its words do not show already."""
    return [a for a in message.attachments.all() if not (a.is_picture and picture_url(a) in message.html)]


def placed(html: str, attachments: Iterable[Attachment]) -> str:
    """HTML in whose Markdown a picture was named, ``![…](cid:a%20plan.png)``, with the file of that name in its place."""
    by_name = {each.name: picture_url(each) for each in attachments if each.is_picture}
    asked = {unescape(name) for name in CID.findall(html)}
    found = {name: by_name[unquote(name)] for name in asked if unquote(name) in by_name}
    return sanitize(html, images=found) if found else html


def outward(html: str, attachments: Iterable[Attachment]) -> str:
    """Our HTML as mail: pictures that go along are shown by their Content-ID, others are not named."""
    along = {f' src="{picture_url(each)}"': f' src="cid:{cid(each.pk)}"' for each in attachments if each.is_picture}

    def named(picture: re.Match[str]) -> str:
        return UNSEEN.sub(lambda found: along.get(found[0], ""), picture[0])

    return PICTURE.sub(named, html)
