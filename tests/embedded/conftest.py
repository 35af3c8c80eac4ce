"""Folders for installations of their own."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.embedded.running import processes_of


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder for data folders; whatever a failed test leaves running in it is ended."""
    for place in (tmp_path, *tmp_path.parents[:2]):
        place.chmod(0o711)  # as root, the user of the servers must be able to walk through
    yield tmp_path
    if sys.platform.startswith("linux"):
        for pid in processes_of(tmp_path):
            os.kill(pid, signal.SIGKILL)
