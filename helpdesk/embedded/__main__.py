"""`python -m helpdesk.embedded COMMAND…`: run one command beside a fresh PostgreSQL and Valkey that end with it."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from helpdesk.embedded import defaults
from helpdesk.embedded.folder import Refused
from helpdesk.embedded.process import ended_by_signals
from helpdesk.embedded.servers import Servers


def main(command: list[str]) -> int:
    """The exit status of the command, which finds the servers by DATABASE_URL and REDIS_URL."""
    if not command:
        print(__doc__)
        return 2
    path = Path(tempfile.mkdtemp(prefix="twofold-run-"))
    path.chmod(0o711)
    environ = {
        "DATABASE_URL": defaults.database_url(path),
        "REDIS_URL": defaults.redis_url(path),
        "TWOFOLD_DATA": str(path),
    }
    try:
        with ended_by_signals(), Servers(path):
            child = subprocess.Popen(command, env=os.environ | environ)
            while True:
                try:
                    return child.wait()
                except KeyboardInterrupt:  # the command has heard it too
                    child.send_signal(signal.SIGINT)
                except SystemExit:
                    child.terminate()
                    child.wait()
                    raise
    except Refused as refused:
        print(refused, file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(path, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
