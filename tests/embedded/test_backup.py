"""A dump of a running installation becomes another installation, by the commands of docs/operations.md."""

import subprocess
import sys
from pathlib import Path

from helpdesk.embedded.servers import Servers
from tests.embedded.running import ROOT, outside, processes_of


def beside(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "helpdesk.embedded", *arguments]
    return subprocess.run(command, cwd=ROOT, env=outside(), capture_output=True, text=True)


def test_dump_while_it_runs_and_restore_elsewhere(folder: Path) -> None:
    old, new, dump = str(folder / "old"), str(folder / "new"), str(folder / "dump")
    with Servers(Path(old)):
        sql = "CREATE TABLE kept AS SELECT 'wört' AS word"
        assert beside("--data", old, "psql", "-q", "-c", sql).returncode == 0
        assert beside("--data", old, "pg_dump", "--format=custom", f"--file={dump}").returncode == 0
    restored = beside("--data", new, "pg_restore", "--dbname=twofold", "--no-owner", dump)
    assert restored.returncode == 0, restored.stderr
    assert beside("--data", new, "psql", "-Atc", "SELECT word FROM kept").stdout == "wört\n"


def test_a_command_gets_fresh_servers_and_its_own_status(folder: Path) -> None:
    seen = beside("sh", "-c", 'psql -Atc "SELECT current_database()" && echo $TWOFOLD_DATA && exit 7')
    database, data = seen.stdout.split()
    assert (seen.returncode, database) == (7, "twofold")
    assert not Path(data).exists()
    if sys.platform.startswith("linux"):
        assert processes_of(Path(data)) == {}
