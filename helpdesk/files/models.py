"""Bytes once by their SHA-256, and the names under which messages carry them."""

import hashlib
import secrets
from typing import IO

from django.conf import settings
from django.core.files.base import File
from django.core.files.storage import default_storage
from django.db import models
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from helpdesk.files.sniff import PICTURES
from helpdesk.lib.dates import now


class Scan(models.TextChoices):
    """What the virus scanner says. Without one (ANTIVIRUS) nothing is asked, and what still waits is given out."""

    NONE = "", gettext_lazy("Not asked")
    WAITING = "waiting", gettext_lazy("Not scanned yet")
    CLEAN = "clean", gettext_lazy("Nothing found")
    HELD = "held", gettext_lazy("Held")


TEXTS = frozenset({"text/plain", "text/csv", "text/tab-separated-values", "text/markdown", "application/json"})


class BlobManager(models.Manager["Blob"]):
    def keep(self, content: IO[bytes]) -> "Blob":
        """Store these bytes unless they are stored already; read in pieces, so memory stays small.

        What is stored already is held until the caller's transaction ends: no sweep takes it before something points to it.
        """
        digest, size = hashlib.sha256(), 0
        content.seek(0)
        while piece := content.read(1 << 16):
            digest.update(piece)
            size += len(piece)
        wanted = Scan.WAITING if settings.ANTIVIRUS else Scan.NONE
        held = self.raw("SELECT * FROM files_blob WHERE sha256 = %s FOR KEY SHARE", [digest.hexdigest()])
        known: Blob | None = next(iter(held), None)
        if known:
            if wanted and self.filter(pk=known.pk, scan=Scan.NONE).update(scan=wanted):  # it came before there was a scanner
                known.scan = wanted
            return known
        content.seek(0)
        key = default_storage.save(f"{now():%Y/%m}/{secrets.token_hex(16)}", File(content))
        # Two who store the same bytes at once keep one row; the loser's file is left to the tidying.
        return self.get_or_create(sha256=digest.hexdigest(), defaults={"size": size, "key": key, "scan": wanted})[0]


class Blob(models.Model):
    sha256 = models.CharField(max_length=64, primary_key=True)
    size = models.BigIntegerField()
    key = models.CharField(max_length=120, unique=True)
    created_at = models.DateTimeField(default=now)
    scan = models.CharField(max_length=8, choices=Scan.choices, blank=True, default=Scan.NONE, db_default=Scan.NONE)
    scan_note = models.CharField(max_length=200, blank=True, db_default="")  # of a held one: what was found
    scanned_at = models.DateTimeField(null=True)  # when the scanner was asked last

    objects = BlobManager()

    class Meta:
        indexes = [models.Index(fields=["created_at"], name="blob_to_scan", condition=models.Q(scan="waiting"))]

    def open(self) -> File:
        return default_storage.open(self.key)

    @property
    def is_held(self) -> bool:
        """Whether nobody may have it now: a virus was found, or there is a scanner that was not asked yet."""
        return self.scan == Scan.HELD or (self.scan == Scan.WAITING and bool(settings.ANTIVIRUS))

    @property
    def why_held(self) -> str:
        if self.scan == Scan.HELD:
            return _("Held: %s") % self.scan_note
        return _("Not scanned for viruses yet") if self.is_held else ""


class Attachment(models.Model):
    """One file of one message; whoever may read the message may read it."""

    blob = models.ForeignKey(Blob, on_delete=models.PROTECT)
    name = models.CharField(max_length=255)
    content_type = models.CharField(max_length=127, default="application/octet-stream")  # as its bytes say, see files.sniff
    content_id = models.CharField(max_length=255, blank=True)
    inline = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=now)

    def __str__(self) -> str:
        return self.name

    @property
    def is_picture(self) -> bool:
        return self.content_type in PICTURES

    @property
    def is_text(self) -> bool:
        """Plain text of some kind, CSV among them; markup that a browser would run is none."""
        return self.content_type in TEXTS
