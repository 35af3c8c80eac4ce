"""`manage.py up` as an operator meets it: real processes, real signals, nothing left behind."""

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
from pathlib import Path

import psycopg2
import pytest

from helpdesk.embedded import defaults
from tests.embedded.running import ROOT, Running, eventually, outside, processes_of

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")


def query(data: Path, sql: str) -> list[tuple]:
    connection = psycopg2.connect(defaults.database_url(data))
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()


def test_an_installation_lives_through_every_end_and_keeps_its_data(folder: Path) -> None:
    data = folder / "one"
    first = Running(data).until_up()
    status, body = first.get("/healthz")
    assert status in {200, 503} and json.loads(body)["database"]["ok"], "the first workers may still be on their way"
    names = set(first.pids())
    assert names >= {"up", "postgres", "valkey", "web", "replies", "campaigns", "ingest", "beat"}
    assert stat.S_IMODE((data / "secret_key").stat().st_mode) == 0o600
    key = (data / "secret_key").read_text()
    query(data, "CREATE TABLE kept (word text)")
    query(data, "INSERT INTO kept VALUES ('kept')")

    # a second start in the same folder says so, and the first does not notice
    assert "already runs" in one_line(Running(data).until_refused())
    # a taken port says so, before anything has been started
    taken = Running(folder / "other", port=first.port)
    assert f"Port {first.port} on 127.0.0.1 is taken" in one_line(taken.until_refused())
    assert not (folder / "other" / "servers" / "postgres").exists()

    # whoever dies returns
    before, killed = first.pids(), ("web", "beat", "valkey", "postgres")
    for name in killed:
        os.kill(before[name], signal.SIGKILL)
    eventually(lambda: all(first.pids().get(name, before[name]) != before[name] for name in killed), "return", first.said)
    eventually(lambda: answers(first), "the web process answers again", first.said)
    assert "web was killed by signal 9" in first.said()

    # SIGTERM ends all in order
    assert first.stop(signal.SIGTERM) == 0
    assert processes_of(data) == {}
    assert not (data / "processes.json").exists()

    # kill -9 of the parent: its children end by themselves, and the database starts again at once
    second = Running(data, port=first.port).until_up()
    left_behind = processes_of(data).keys() - {second.process.pid}
    second.stop(signal.SIGKILL)
    third = Running(data, port=first.port).until_up()
    assert len(left_behind) > 10
    eventually(lambda: not left_behind & processes_of(data).keys(), "none of them lives on")
    assert query(data, "SELECT word FROM kept") == [("kept",)]
    assert (data / "secret_key").read_text() == key

    # Ctrl-C reaches the whole foreground group; the children are not in it and end in order all the same
    os.killpg(third.process.pid, signal.SIGINT)
    assert third.process.wait(60) == 0
    assert processes_of(data) == {}
    assert "\nTraceback" not in third.said(), "the supervisor itself failed"


@pytest.mark.long
def test_two_run_side_by_side_and_one_dying_leaves_the_other(folder: Path) -> None:
    left, right = Running(folder / "left"), Running(folder / "right")
    left.until_up(), right.until_up()
    query(left.data, "CREATE TABLE only_left (id int)")
    assert query(right.data, "SELECT to_regclass('only_left')") == [(None,)]
    left.stop(signal.SIGKILL)
    eventually(lambda: processes_of(left.data) == {}, "the killed one is gone")
    assert answers(right)
    assert right.stop() == 0
    assert processes_of(right.data) == {}


def test_a_full_disk_is_one_line(folder: Path) -> None:
    small = folder / "small"
    small.mkdir()
    apart = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--mount"]
    mount = f"mount -t tmpfs -o size=10m tmpfs {small}"
    if not shutil.which("unshare") or subprocess.run([*apart, "sh", "-c", mount], capture_output=True).returncode:
        pytest.skip("this machine lets us mount nothing")
    command = f"{mount} && exec {sys.executable} manage.py up --data {small} --port 21099 --smtp-port 21098"
    result = subprocess.run([*apart, "sh", "-c", command], cwd=ROOT, env=outside(), capture_output=True, text=True, timeout=60)
    assert result.returncode == 1
    assert "10 MB are free" in one_line(result.stdout) and "make room" in result.stdout


def test_a_folder_of_somebody_else_is_one_line(folder: Path) -> None:
    closed = folder / "closed"
    closed.mkdir(mode=0o755)
    identity = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}
    if os.geteuid() != 0:
        closed.chmod(0o555)
    python = "/usr/bin/python3" if os.geteuid() == 0 else sys.executable
    script = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from helpdesk.embedded import supervisor; "
    script += f"sys.exit(supervisor.main(['--data', {str(closed / 'data')!r}]))"
    if subprocess.run([python, "-c", f"open({str(ROOT / 'manage.py')!r})"], capture_output=True, **identity).returncode:
        pytest.skip("an unprivileged user cannot read this clone")
    result = subprocess.run([python, "-c", script], cwd="/", env=outside(), capture_output=True, text=True, **identity)
    assert result.returncode == 1, result.stderr
    assert "set TWOFOLD_DATA to a folder of your own" in one_line(result.stdout)


def test_an_impossible_port_is_told_from_a_taken_one(folder: Path) -> None:
    result = subprocess.run(
        [sys.executable, "manage.py", "up", "--port", "80000"], cwd=ROOT, env=outside(), capture_output=True, text=True
    )
    assert result.returncode == 2
    assert "80000 is not a port" in result.stderr


def answers(running: Running) -> bool:
    try:
        return running.get("/healthz")[0] in {200, 503}
    except OSError:
        return False


def one_line(text: str) -> str:
    assert len(text.strip().splitlines()) == 1, text
    return text
