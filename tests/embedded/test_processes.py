"""Children end with their parent, on systems that tell them and on systems that do not; logs stay readable."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from helpdesk.embedded import defaults
from helpdesk.embedded.folder import DataFolder, Refused
from helpdesk.embedded.installation import NICENESS, Installation
from helpdesk.embedded.log import Lines, Log
from helpdesk.embedded.process import Family, Program
from tests.embedded.running import ROOT, eventually, processes_of

PARENT = """
import sys, time
from pathlib import Path
from helpdesk.embedded.process import Family, Program
family = Family(watchdog={watchdog})
deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
program = Program("child", [sys.executable, "-c", deaf], {{"TRACE": {trace!r}}}, Path("/"))
family.start(program)
print("started", flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("watchdog", [False, True], ids=["death signal", "watchdog"])
def test_a_child_does_not_outlive_a_killed_parent(tmp_path: Path, watchdog: bool) -> None:
    if not sys.platform.startswith("linux"):
        pytest.skip("looks into /proc")
    code = PARENT.format(watchdog=watchdog, trace=str(tmp_path))
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE)
    assert parent.stdout and parent.stdout.readline() == b"started\n"
    eventually(lambda: len(processes_of(tmp_path)) == 2, "a parent and its child")
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    eventually(lambda: processes_of(tmp_path) == {}, "the child has ended")


def test_the_worker_of_campaigns_leaves_the_processor_to_the_others(tmp_path: Path) -> None:
    here = Installation(tmp_path, "127.0.0.1", 8000, 2525, demo=False, environ={})
    nice = {program.name: program.niceness for program in here.programs() if program.niceness}
    assert nice == {"campaigns": NICENESS}
    family = Family()
    program = Program("child", [sys.executable, "-c", "import time; time.sleep(600)"], {}, Path("/"), niceness=nice["campaigns"])
    child = family.start(program)
    try:
        assert os.getpriority(os.PRIO_PROCESS, child.pid) == os.getpriority(os.PRIO_PROCESS, 0) + NICENESS
    finally:
        family.stop(child, program)
        family.close()


def test_a_folder_is_held_by_one_and_free_afterwards(folder: Path) -> None:
    first, second = DataFolder(folder / "data"), DataFolder(folder / "data")
    first.open()
    with pytest.raises(Refused, match=f"already runs in .* \\(process {os.getpid()}\\)"):
        second.open(patience=0)
    first.close()
    second.open(patience=0)
    second.close()


def test_the_key_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    key = defaults.secret_key(tmp_path / "data")
    assert len(key) >= 50
    assert defaults.secret_key(tmp_path / "data") == key
    assert (tmp_path / "data" / "secret_key").stat().st_mode & 0o077 == 0
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["secret_key"]


def test_a_long_path_gets_a_short_socket(tmp_path: Path) -> None:
    short, long = defaults.socket_folder(Path("/srv/twofold")), defaults.socket_folder(tmp_path / ("a" * 120))
    assert short == Path("/srv/twofold/servers/run")
    assert len(str(long)) < 60
    assert long != defaults.socket_folder(tmp_path / ("b" * 120))


@pytest.mark.parametrize(
    ("url", "celery"),
    [
        ("unix:///srv/two%20fold/valkey.sock?db=3", "redis+socket:///srv/two%20fold/valkey.sock?virtual_host=3"),
        ("unix:///srv/valkey.sock", "redis+socket:///srv/valkey.sock?virtual_host=0"),
        ("rediss://user:secret@redis.example.org:6380/2", "rediss://user:secret@redis.example.org:6380/2"),
    ],
)
def test_celery_gets_the_same_server_in_its_own_words(url: str, celery: str) -> None:
    assert defaults.celery_url(url) == celery


def test_lines_come_whole_and_in_the_name_of_who_said_them(capsys: pytest.CaptureFixture[str]) -> None:
    lines, log = Lines(), Log()
    for piece in (b"one\ntw", "o ü".encode()[:-1], "ü".encode()[1:] + b"\n\n", b"unfinished"):
        log.say(lines.feed(piece), "web")
    log.say(lines.feed(b""), "web")
    assert capsys.readouterr().out.splitlines() == ["web         | one", "web         | two ü", "web         | unfinished"]


def test_a_line_without_an_end_is_not_kept_for_ever() -> None:
    lines = Lines()
    assert lines.feed(b"x" * (Lines.LONGEST + 1)) == "x" * (Lines.LONGEST + 1)
    assert lines.rest == ""
