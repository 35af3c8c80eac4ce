"""Files of messages: kept once by their bytes, named safely, and shown or hidden with the message that carries them."""

import re
from collections.abc import Iterable
from io import BytesIO
from typing import IO, Any

from django.core.files.uploadedfile import UploadedFile
from django.urls import reverse

from helpdesk.customers.profile import one_line
from helpdesk.files.models import Attachment, Blob
from helpdesk.mail.parsing import Mail

MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,60}/[a-z0-9][a-z0-9!#$&^_.+-]{0,60}", re.IGNORECASE)  # RFC 6838
UNKNOWN = "application/octet-stream"


def keep(content: IO[bytes], name: str, content_type: str = "", **fields: Any) -> Attachment:
    """Keep a file. A name is only a name: folders, control and bidi characters are taken off; nothing on disk is called so."""
    name = one_line(name.replace("\\", "/").rpartition("/")[2], 200) or "file"
    media = content_type.partition(";")[0].strip()
    kind = media.lower() if MEDIA_TYPE.fullmatch(media) else UNKNOWN
    return Attachment.objects.create(blob=Blob.objects.keep(content), name=name, content_type=kind, **fields)


def keep_uploads(files: Iterable[UploadedFile]) -> list[Attachment]:
    return [keep(file, file.name or "", file.content_type or "") for file in files]


def keep_mail(mail: Mail) -> list[Attachment]:
    return [
        keep(BytesIO(each.content), each.name, each.content_type, content_id=each.content_id[:255], inline=each.inline)
        for each in mail.attachments
    ]


def images(attachments: Iterable[Attachment]) -> dict[str, str]:
    """Content-ID → our own address of the picture, for the sanitiser."""
    return {
        a.content_id: reverse("ticket-file", args=[a.pk])
        for a in attachments
        if a.content_id and a.content_type.startswith("image/")
    }
