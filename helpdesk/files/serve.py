"""Attachments leave as downloads only, under a policy in which nothing of theirs can run."""

from django.http import FileResponse

from helpdesk.files.models import Attachment

POLICY = "default-src 'none'; sandbox"


def download(attachment: Attachment) -> FileResponse:
    """The caller has asked the message's own door first."""
    response = FileResponse(
        attachment.blob.open(), as_attachment=True, filename=attachment.name, content_type="application/octet-stream"
    )
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = POLICY
    response["Cross-Origin-Resource-Policy"] = "same-origin"
    response["Cache-Control"] = "private, no-store"
    return response
