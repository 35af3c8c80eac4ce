"""Reading mail in a process of its own, so that a hostile message costs one row and not a worker."""

import atexit
import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, cast

from django.utils.translation import gettext as _

from .mail import Mail
from .wire import unpack
from .worker import CPU_SECONDS, LETTER, MAIL, SPENT, receive, send

WALL_SECONDS = 60  # for a machine under load; the limit that counts is the processor time
_ROOT = Path(__file__).resolve().parents[3]


class TooHard(Exception):
    """Reading took too long, too much memory, or broke the reader. Trying again gives the same: permanent."""


class _Reader:
    """One reading process per process of ours; started at the first message, replaced when it ends."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.process: subprocess.Popen[bytes] | None = None
        self.owner = 0

    def read(self, raw: bytes) -> Mail:
        packed, contents = self._asked(MAIL, raw)
        return unpack(packed, contents)

    def letter(self, raw: bytes) -> str:
        return str(json.loads(self._asked(LETTER, raw)[0])["letter"])

    def _asked(self, what: bytes, raw: bytes) -> tuple[bytes, list[bytes]]:
        with self.lock:
            process = self._running()
            late = threading.Event()
            timer = threading.Timer(WALL_SECONDS, self._too_late, (process, late))
            timer.start()
            try:
                return self._exchange(process, what, raw)
            except (OSError, _Gone):
                self.stop()
                raise TooHard(_why(process.returncode, late.is_set())) from None
            finally:
                timer.cancel()

    @staticmethod
    def _too_late(process: subprocess.Popen[bytes], late: threading.Event) -> None:
        late.set()
        process.kill()

    def _exchange(self, process: subprocess.Popen[bytes], what: bytes, raw: bytes) -> tuple[bytes, list[bytes]]:
        sink, source = cast(BinaryIO, process.stdin), cast(BinaryIO, process.stdout)
        send(sink, what)
        send(sink, raw)
        sink.flush()
        packed = receive(source)
        if packed is None:
            raise _Gone
        answer = json.loads(packed)
        if "error" in answer:
            self.stop()
            if answer["error"] == "memory":
                raise TooHard(_("Reading this message needed too much memory."))
            raise TooHard(_("Reading this message failed (%s).") % answer["error"])
        contents = [receive(source) or b"" for _ in answer.get("attachments", ())]
        last = receive(source)
        if last is None:
            raise _Gone
        if last == SPENT:
            self.stop()
        return packed, contents

    def _running(self) -> subprocess.Popen[bytes]:
        if self.process is None or self.owner != os.getpid() or self.process.poll() is not None:
            # Without our environment: it needs neither the database's address nor our keys.
            self.process = subprocess.Popen(
                [sys.executable, "-c", "from helpdesk.mail.parsing.worker import main; main()"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                cwd=_ROOT,
                env={"PATH": os.defpath, "PYTHONPATH": str(_ROOT), "LC_ALL": "C.UTF-8"},
                start_new_session=True,
            )
            self.owner = os.getpid()
        return self.process

    def stop(self) -> None:
        """End the process; it holds nothing that could be lost."""
        process = self.process
        if process is None or self.owner != os.getpid():
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            with suppress(OSError):  # bytes that a dead process did not take
                cast(BinaryIO, pipe).close()
        self.process = None


class _Gone(Exception):
    pass


def _why(returncode: int | None, late: bool) -> str:
    if late:
        return _("Reading this message took more than %d seconds.") % WALL_SECONDS
    if returncode == -signal.SIGXCPU:
        return _("Reading this message took more than %d seconds of processor time.") % CPU_SECONDS
    return _("Reading this message ended the process that reads.")


_reader = _Reader()
atexit.register(_reader.stop)


def read_guarded(raw: bytes) -> Mail:
    """`read` within 5 s of processor time and 256 MB. TooHard says in words why a message could not be read."""
    return _reader.read(raw)


def letter_guarded(raw: bytes) -> str:
    """How a mail looks, by `letter`, within the same limits. Raises TooHard."""
    return _reader.letter(raw)
