"""Ends a supervisor's children when it is gone: for systems that cannot tell a child of its parent's death.

Reads "PID SIGNAL" and "-PID" lines from the supervisor; the end of the pipe is the end of the supervisor.
"""

import os
import signal
import sys
import time

GRACE = 10.0  # seconds until the survivors are killed


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def main() -> None:
    children: dict[int, int] = {}
    for line in sys.stdin:
        pid, _, number = line.strip().partition(" ")
        if pid.startswith("-"):
            children.pop(int(pid[1:]), None)
        else:
            children[int(pid)] = int(number)
    for pid, number in children.items():
        if alive(pid):
            os.kill(pid, number)
    deadline = time.monotonic() + GRACE
    while time.monotonic() < deadline and any(map(alive, children)):
        time.sleep(0.05)
    for pid in filter(alive, children):
        os.killpg(pid, signal.SIGKILL)  # every child leads a session of its own


if __name__ == "__main__":
    main()
