"""Bytes once by their SHA-256, and the names under which messages carry them."""

import hashlib
import secrets
from typing import IO

from django.core.files.base import File
from django.core.files.storage import default_storage
from django.db import models

from helpdesk.lib.dates import now


class BlobManager(models.Manager["Blob"]):
    def keep(self, content: IO[bytes]) -> "Blob":
        """Store these bytes unless they are stored already; read in pieces, so memory stays small."""
        digest, size = hashlib.sha256(), 0
        content.seek(0)
        while piece := content.read(1 << 16):
            digest.update(piece)
            size += len(piece)
        known = self.filter(sha256=digest.hexdigest()).first()
        if known:
            return known
        content.seek(0)
        key = default_storage.save(f"{now():%Y/%m}/{secrets.token_hex(16)}", File(content))
        # Two who store the same bytes at once keep one row; the loser's file is left to the tidying.
        return self.get_or_create(sha256=digest.hexdigest(), defaults={"size": size, "key": key})[0]


class Blob(models.Model):
    sha256 = models.CharField(max_length=64, primary_key=True)
    size = models.BigIntegerField()
    key = models.CharField(max_length=120, unique=True)
    created_at = models.DateTimeField(default=now)

    objects = BlobManager()

    def open(self) -> File:
        return default_storage.open(self.key)


class Attachment(models.Model):
    """One file of one message; whoever may read the message may read it."""

    blob = models.ForeignKey(Blob, on_delete=models.PROTECT)
    name = models.CharField(max_length=255)
    content_type = models.CharField(max_length=127, default="application/octet-stream")
    content_id = models.CharField(max_length=255, blank=True)
    inline = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=now)

    def __str__(self) -> str:
        return self.name
