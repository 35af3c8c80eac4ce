"""One readable log for many processes: every line begins with the name of who said it."""

import codecs
import os
import sys

WIDTH = 12
COLOURS = (36, 32, 33, 35, 34, 96, 92, 93, 95, 94)  # by process, in the order of their first line
NOISE = ("overcommit_memory", "scheduling shutdown", "ready to exit", "Warm shutdown")  # at every start and end


class Log:
    """Writes whole lines to standard output; colours on a terminal, unless NO_COLOR is set."""

    def __init__(self) -> None:
        self.coloured = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        self.names: list[str] = []
        self.broken = False

    def say(self, text: str, name: str = "twofold") -> None:
        """Write one or more lines in the name of a process."""
        for line in text.splitlines():
            if line.strip() and not any(noise in line for noise in NOISE):
                self._write(f"{self._prefix(name)} {line}\n")

    def _prefix(self, name: str) -> str:
        if name not in self.names:
            self.names.append(name)
        prefix = f"{name:<{WIDTH}}|"
        if not self.coloured:
            return prefix
        return f"\x1b[{COLOURS[self.names.index(name) % len(COLOURS)]}m{prefix}\x1b[0m"

    def _write(self, text: str) -> None:
        if self.broken:
            return
        try:
            sys.stdout.write(text)
            sys.stdout.flush()
        except OSError:  # the reader has gone or the disk is full; the processes matter more
            self.broken = True


class Lines:
    """Cuts what one process prints into lines; holds back an unfinished one, up to a limit."""

    LONGEST = 8_000

    def __init__(self) -> None:
        self.decode = codecs.getincrementaldecoder("utf-8")(errors="replace").decode
        self.rest = ""

    def feed(self, data: bytes) -> str:
        """The finished lines; `b""` is the end and gives what is left."""
        text = self.rest + self.decode(data, final=not data)
        if not data or len(text) > self.LONGEST:
            self.rest = ""
            return text
        done, newline, self.rest = text.rpartition("\n")
        return done + newline
