"""Files are shown to the virus scanner before anybody gets them: clamd's INSTREAM, by TCP or by its socket.

A file that a virus was found in is kept and given to nobody; one that could not be scanned waits and is asked about again.
"""

import socket
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import PurePosixPath
from typing import IO
from urllib.parse import urlsplit

import structlog
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db.models import F, Min

from helpdesk.files.models import Blob, Scan
from helpdesk.lib.dates import age, now

log = structlog.get_logger(__name__)
TIMEOUT = 60.0  # seconds for each answer of the scanner
PIECE = 1 << 16
ANSWER = 4096  # bytes; it is one line
BUSY = 20.0  # seconds one call works before it gives the worker back
MOST = 500  # files in one call


class Unavailable(Exception):
    """The scanner cannot be reached, or does not answer as one: try again later."""


def place(setting: str) -> tuple[str, int] | str:
    """Where ANTIVIRUS says that clamd is: (host, port), or the path of its socket. Raises ImproperlyConfigured."""
    try:
        parts = urlsplit(setting)
        host, port = parts.hostname, parts.port or 3310
    except ValueError:
        host, parts = None, urlsplit("")
    if parts.scheme == "clamd" and host and parts.path in ("", "/"):
        return host, port
    if parts.scheme == "clamd" and not host and PurePosixPath(parts.path).is_absolute():
        return parts.path
    raise ImproperlyConfigured("ANTIVIRUS is clamd://host:3310 or clamd:///path/to/clamd.ctl, or empty")


def scan(content: IO[bytes]) -> str:
    """Why this may be given to nobody, in the scanner's words, or "" when it found nothing. Raises Unavailable."""
    try:
        with _line() as line:
            with suppress(BrokenPipeError, ConnectionResetError):  # it need not read all of what is larger than it takes
                line.sendall(b"zINSTREAM\0")
                while piece := content.read(PIECE):
                    line.sendall(struct.pack(">I", len(piece)) + piece)
                line.sendall(struct.pack(">I", 0))
            answer = _answer(line)
    except OSError as error:
        raise Unavailable(str(error)) from error
    if answer == "stream: OK":
        return ""
    if answer.endswith(" FOUND"):
        return answer.removeprefix("stream: ").removesuffix(" FOUND")
    if "size limit exceeded" in answer:
        return "it is larger than the scanner takes"
    raise Unavailable(answer or "no answer")


def _line() -> socket.socket:
    where = place(settings.ANTIVIRUS)
    if isinstance(where, tuple):
        return socket.create_connection(where, timeout=TIMEOUT)
    line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    line.settimeout(TIMEOUT)
    try:
        line.connect(where)
    except OSError:
        line.close()
        raise
    return line


def _answer(line: socket.socket) -> str:
    said = b""
    while not said.endswith(b"\0") and len(said) < ANSWER and (more := line.recv(ANSWER)):
        said += more
    return said.rstrip(b"\0").decode("utf-8", "replace").strip()


def scan_waiting(told: Callable[[str], None] = lambda _blob: None) -> bool:
    """Ask about every file that waits, those never asked about first; True when there is more to do at once.

    ``told`` hears of each that has its answer. Safe to run twice at a time: what is asked twice is answered the same.
    """
    if not settings.ANTIVIRUS:
        return False
    end = time.monotonic() + BUSY
    first = F("scanned_at").asc(nulls_first=True)
    for blob in list(Blob.objects.filter(scan=Scan.WAITING).order_by(first, "created_at")[:MOST]):
        waiting = Blob.objects.filter(pk=blob.pk, scan=Scan.WAITING)
        try:
            with blob.open() as content:
                found = scan(content)
        except (Unavailable, OSError) as error:
            log.warning("file_not_scanned", blob=blob.pk, error=str(error))
            waiting.update(scanned_at=now())  # the others go first next time: it may be this file that ends the scanner
            return False
        waiting.update(scan=Scan.HELD if found else Scan.CLEAN, scan_note=found[:200], scanned_at=now())
        told(blob.pk)
        if found:
            log.warning("file_held", blob=blob.pk, reason=found)
        if time.monotonic() > end:
            return True
    return False


def oldest_waiting() -> float | None:
    """Seconds that the oldest file has waited for the scanner, or None; where there is no scanner, nothing waits."""
    waiting = Blob.objects.filter(scan=Scan.WAITING) if settings.ANTIVIRUS else Blob.objects.none()
    oldest = waiting.aggregate(at=Min("created_at"))["at"]
    return age(oldest)
