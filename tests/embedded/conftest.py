"""Folders for installations of their own."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.embedded.running import open_the_way, processes_of


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder for data folders; whatever a failed test leaves running in it is ended."""
    open_the_way(tmp_path)
    yield tmp_path
    if sys.platform.startswith("linux"):
        for pid in processes_of(tmp_path):
            os.kill(pid, signal.SIGKILL)
