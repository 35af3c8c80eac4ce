import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command, get_commands
from django.core.management.base import BaseCommand, CommandParser
from django.db import connection
from django.db.migrations.executor import MigrationExecutor


class Command(BaseCommand):
    help = "Bring the database and the static files to this version; fill an empty database with the demo."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--no-demo", action="store_true", help="leave an empty database empty")

    def handle(self, *, no_demo: bool, **_: Any) -> None:
        with ThreadPoolExecutor(1) as beside:  # migrating mostly waits for the database
            collected = beside.submit(self._collect_static_files)
            executor = MigrationExecutor(connection)
            if steps := executor.migration_plan(executor.loader.graph.leaf_nodes()):
                self.stdout.write(f"Migrating the database: {len(steps)} steps")
                call_command("migrate", interactive=False, verbosity=0)
        collected.result()
        (Path(settings.DATA_DIR) / "files").mkdir(exist_ok=True)  # there from the first backup on
        if not no_demo and "load_demo" in get_commands() and not get_user_model().objects.exists():
            self.stdout.write("Loading the demo")
            self._load_demo(Path(settings.DATA_DIR) / "sign_ins.txt")

    def _collect_static_files(self) -> None:
        """Only when a source has changed: hashing and compressing all of them takes seconds."""
        stamp = Path(settings.DATA_DIR) / "static.sources"
        digest = hashlib.sha256()
        for finder in get_finders():
            for name, storage in finder.list(None):
                state = Path(storage.path(name)).stat()
                digest.update(f"{name}\\0{state.st_size}\\0{state.st_mtime_ns}\\n".encode())
        if Path(settings.STATIC_ROOT).exists() and stamp.exists() and stamp.read_text() == digest.hexdigest():
            return
        self.stdout.write("Collecting static files")
        call_command("collectstatic", interactive=False, verbosity=0)
        stamp.write_text(digest.hexdigest())

    def _load_demo(self, sign_ins: Path) -> None:
        """What load_demo prints are the sign-ins; every start shows them again."""
        draft = sign_ins.with_suffix(".draft")
        with draft.open("w") as file:
            call_command("load_demo", stdout=file)
        draft.rename(sign_ins)
