"""The process in which mail is read: one message after the other from stdin, within limits that the kernel enforces.

Frames: 8 bytes of length, then so many bytes. A message is two frames, what is wanted of it and its bytes; its answer a
frame of JSON, one per file, and whether this process should be replaced.
Run by `guard`; it holds no connection and no secret, so a message that breaks it breaks nothing else.
"""

import json
import re
import resource
import signal
import struct
import sys
from pathlib import Path
from typing import BinaryIO

from .message import letter, read
from .wire import pack

CPU_SECONDS = 5
MEMORY = 192 * 1024 * 1024  # bytes on top of the interpreter, which has about 30 MB: 256 in all are never reached
FRESH_ABOVE = 128 * 1024  # kilobytes: a process that was once so big is replaced before the next message
MAIL, LETTER = b"mail", b"letter"  # what it says, or how it looks
SPENT, GOES_ON = b"spent", b"goes on"


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for our owner; we end when our stdin does
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _limit_memory()
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    while (wanted := receive(source)) is not None and (raw := receive(source)) is not None:
        _limit_time()
        try:
            packed, contents = pack(read(raw)) if wanted == MAIL else (json.dumps({"letter": letter(raw)}).encode(), [])
        except MemoryError:
            packed, contents = json.dumps({"error": "memory"}).encode(), []
        except Exception as error:  # a bug of ours: the message is kept and shown as unreadable, the queue goes on
            packed, contents = json.dumps({"error": type(error).__name__}).encode(), []
        for frame in (packed, *contents, SPENT if _peak() > FRESH_ABOVE else GOES_ON):
            send(sink, frame)
        sink.flush()


def _limit_memory() -> None:
    try:
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))
    except OSError:  # not Linux: the time limits still hold
        pass


def _peak() -> int:
    """The most memory that was ever in use, in kilobytes. Not ``ru_maxrss``: on Linux that begins with the peak of the
    process that started this one, so a large owner would get a new reader for each message."""
    try:
        return int(re.findall(rb"^VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_bytes(), re.MULTILINE)[0])
    except (OSError, IndexError):  # not Linux
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _limit_time() -> None:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(usage.ru_utime + usage.ru_stime) + CPU_SECONDS, hard))


def send(sink: BinaryIO, frame: bytes) -> None:
    sink.write(struct.pack(">Q", len(frame)))
    sink.write(frame)


def receive(source: BinaryIO) -> bytes | None:
    """The next frame, or None when the other side has gone."""
    head = source.read(8)
    if len(head) < 8:
        return None
    (length,) = struct.unpack(">Q", head)
    frame = source.read(length)
    return frame if len(frame) == length else None
