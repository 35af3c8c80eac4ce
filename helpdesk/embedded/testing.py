"""pytest plugin (`-p helpdesk.embedded.testing`): a real PostgreSQL and Valkey for one run, gone with it.

They must be there before pytest-django reads the settings, which is earlier than any conftest. Workers of xdist inherit
the addresses and take a Valkey database each. With DATABASE_URL and REDIS_URL set, the run uses those instead.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest

from helpdesk.embedded import defaults
from helpdesk.embedded.folder import Refused
from helpdesk.embedded.servers import Servers

PREFIX = "twofold-test-"
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "")


@pytest.hookimpl(wrapper=True)  # wrappers run before every plain hook, so before pytest-django
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None]:
    if WORKER:
        _own_valkey_database()
    elif not {"DATABASE_URL", "REDIS_URL"} <= os.environ.keys():
        _start(early_config)
    return (yield)


def _start(config: pytest.Config) -> None:
    _remove_leftovers()
    path = Path(tempfile.mkdtemp(prefix=PREFIX))
    path.chmod(0o711)  # the user of the servers walks through, nobody lists
    config.add_cleanup(lambda: shutil.rmtree(path, ignore_errors=True))
    running = Servers(path, durable=False)
    try:
        running.__enter__()
    except Refused as refused:
        raise pytest.UsageError(str(refused)) from None
    config.add_cleanup(running.__exit__)
    os.environ.setdefault("DATABASE_URL", defaults.database_url(path))
    os.environ.setdefault("REDIS_URL", defaults.redis_url(path))
    os.environ.setdefault("SECRET_KEY", "a key for tests alone, long enough for every check of Django that counts")
    os.environ["TWOFOLD_DATA"] = str(path)
    (path / "static").mkdir()  # whitenoise warns when there is none


def _own_valkey_database() -> None:
    url = os.environ["REDIS_URL"]
    if url.startswith("unix:"):
        os.environ["REDIS_URL"] = f"{url.partition('?')[0]}?db={1 + int(WORKER.removeprefix('gw'))}"


def _remove_leftovers() -> None:
    """Folders of runs that were killed: theirs is the lock that nobody holds."""
    for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        try:
            with (path / "lock").open("rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path, ignore_errors=True)
        except OSError:
            continue  # somebody else's, still running, or just being made
