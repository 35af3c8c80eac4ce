"""Attachments leave as downloads, or drawn anew, always under a policy in which nothing of theirs can run."""

from typing import TypeVar

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.http import FileResponse, HttpResponse, HttpResponseBase
from django.utils.translation import gettext as _

from helpdesk.files import pictures
from helpdesk.files.models import Attachment, Blob

R = TypeVar("R", bound=HttpResponseBase)
POLICY = "default-src 'none'; sandbox"
NO_PICTURE = 424  # RFC 4918, 11.4: what this depends on failed, be it the file or a foreign server
LOCKED = 423  # RFC 4918, 11.3


def download(attachment: Attachment) -> HttpResponseBase:
    """The caller has asked the message's own door first. What the scanner holds stays where it is, and this says why."""
    if attachment.blob.is_held:
        return guarded(HttpResponse(f"{attachment.blob.why_held}\n", content_type="text/plain; charset=utf-8", status=LOCKED))
    return guarded(
        FileResponse(
            attachment.blob.open(), as_attachment=True, filename=attachment.name, content_type="application/octet-stream"
        )
    )


def drawn(attachment: Attachment, size: str) -> HttpResponse:
    """A picture as we drew it anew, never its own bytes."""
    try:
        if attachment.blob.is_held:
            raise pictures.NoPicture(attachment.blob.why_held)
        return picture(preview(attachment.blob, size))
    except pictures.NoPicture as error:
        return no_picture(str(error))
    except pictures.Busy:
        return busy()


def preview(blob: Blob, size: str) -> bytes:
    """Drawn once and kept beside the original. Raises NoPicture, and Busy."""
    key = f"{blob.key}.{size}"
    if default_storage.exists(key):
        with default_storage.open(key) as file:
            return file.read()
    with blob.open() as file:
        content = pictures.still(file.read(), size)
    default_storage.save(key, ContentFile(content))
    return content


def picture(content: bytes) -> HttpResponse:
    response = guarded(HttpResponse(content, content_type=pictures.MEDIA_TYPE))
    response["Cache-Control"] = "private, max-age=3600"
    return response


def no_picture(why: str) -> HttpResponse:
    """A page shows the alternative text in its place."""
    words = _("There is no picture: %s") % why
    response = guarded(HttpResponse(f"{words}\n", content_type="text/plain; charset=utf-8", status=NO_PICTURE))
    response["Cache-Control"] = "private, max-age=60"  # a page that asks again need not ask us
    return response


def busy() -> HttpResponse:
    """The script of the page asks again; without it, the next visit does."""
    return guarded(HttpResponse(status=503, headers={"Retry-After": "1"}))


def guarded(response: R) -> R:
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = POLICY
    response["Cross-Origin-Resource-Policy"] = "same-origin"
    response["Cache-Control"] = "private, no-store"
    return response
