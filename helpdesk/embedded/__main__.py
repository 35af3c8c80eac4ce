"""Run one command beside embedded servers: `python -m helpdesk.embedded [--data FOLDER] COMMAND…`

It finds them by DATABASE_URL and REDIS_URL, and psql, pg_dump and their like without any argument. With --data they are
those of that folder, running already or started for the command; without, fresh ones that are thrown away after it.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from helpdesk.embedded import defaults
from helpdesk.embedded.folder import AlreadyRuns, Refused
from helpdesk.embedded.process import ended_by_signals
from helpdesk.embedded.servers import Servers, postgres_programs


def main(arguments: list[str]) -> int:
    """The exit status of the command; 1 and one line when the servers cannot start."""
    if len(arguments) > 2 and arguments[0] == "--data":
        return beside(Path(arguments[1]).resolve(), arguments[2:])
    if not arguments or arguments[0].startswith("-"):
        print(__doc__)
        return 2
    path = Path(tempfile.mkdtemp(prefix="twofold-run-"))
    path.chmod(0o711)  # the user of the servers walks through, nobody lists
    try:
        return beside(path, arguments)
    finally:
        shutil.rmtree(path, ignore_errors=True)


def beside(data: Path, command: list[str]) -> int:
    """Run the command beside the servers of a data folder."""
    try:
        with ended_by_signals(), Servers(data):
            return run(data, command)
    except AlreadyRuns:
        return run(data, command)
    except Refused as refused:
        print(refused, file=sys.stderr)
        return 1


def run(data: Path, command: list[str]) -> int:
    """Run it to its end; a signal to us is a signal to it."""
    environ = {
        "DATABASE_URL": defaults.database_url(data),
        "REDIS_URL": defaults.redis_url(data),
        "TWOFOLD_DATA": str(data),
        "PGHOST": str(defaults.socket_folder(data)),
        "PGUSER": "twofold",
        "PGDATABASE": "twofold",
        "PATH": os.pathsep.join([str(postgres_programs()), os.environ.get("PATH", os.defpath)]),
    }
    child = subprocess.Popen(command, env=os.environ | environ)
    while True:
        try:
            return child.wait()
        except KeyboardInterrupt:
            continue  # the terminal has told the command as well: it decides
        except SystemExit:
            child.send_signal(signal.SIGTERM)
            child.wait()
            raise


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
