"""The way in, on machines that are not ready for it: each time one line that says what to do."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.embedded.running import ROOT, open_the_way, outside

AS_IF = "import runpy, sys; {pretend}; sys.argv = ['bootstrap.py', 'run']; runpy.run_path('bootstrap.py', run_name='__main__')"


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    for name in ("bootstrap.py", "requirements.txt", "requirements-dev.txt"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def start(clone: Path, pretend: str, **environ: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", AS_IF.format(pretend=pretend)]
    return subprocess.run(command, cwd=clone, env=outside(**environ), capture_output=True, text=True)


def test_too_old_a_python_says_what_it_needs(clone: Path) -> None:
    result = start(clone, "sys.version_info = (3, 9, 2)", PATH="")
    assert result.returncode == 1
    assert result.stderr.startswith("Twofold needs Python 3.11 or newer and this is ")
    assert len(result.stderr.splitlines()) == 1


def test_too_old_a_python_hands_over_to_a_newer_one(clone: Path) -> None:
    newer = clone / "bin" / "python3.14"
    newer.parent.mkdir()
    newer.write_text('#!/bin/sh\necho "newer: $@"\n')
    newer.chmod(0o755)
    result = start(clone, "sys.version_info = (3, 9, 2)", PATH=f"{newer.parent}:/usr/bin:/bin")
    assert (result.returncode, result.stdout) == (0, "newer: bootstrap.py run\n")


def test_python_without_ensurepip_names_the_package(clone: Path) -> None:
    result = start(clone, "sys.modules['ensurepip'] = None")
    assert result.returncode == 1
    assert result.stderr.strip().endswith("apt-get install python{}.{}-venv".format(*sys.version_info[:2]))
    assert len(result.stderr.splitlines()) == 1
    assert not (clone / ".venv").exists()


@pytest.mark.skipif(os.geteuid() == 0 and not Path("/usr/bin/python3").exists(), reason="no Python for everybody")
def test_a_clone_of_somebody_else_says_so(clone: Path) -> None:
    open_the_way(clone)
    stranger, python = ({}, sys.executable)
    if os.geteuid() == 0:
        stranger, python = {"user": 65534, "group": 65534, "extra_groups": []}, "/usr/bin/python3"
    else:
        clone.chmod(0o555)
    result = subprocess.run([python, "bootstrap.py", "run"], cwd=clone, capture_output=True, text=True, **stranger)
    assert result.returncode == 1
    assert result.stderr == f"{clone} cannot be written by this user: make a clone of your own, or change its owner\n"


def test_an_unknown_word_gets_the_known_ones(clone: Path) -> None:
    result = subprocess.run([sys.executable, "bootstrap.py", "rum"], cwd=clone, capture_output=True, text=True)
    assert result.returncode == 1
    assert "run | install | test | check" in result.stderr
